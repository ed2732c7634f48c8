//! Which issuer a tenant trusts to say who its people are.
//!
//! One row of the store a tenant, with the client secret sealed in it: bound to tenant, issuer and client id, so that a
//! secret that was moved, or whose issuer was replaced in the store, does not open and is sent nowhere.

use std::sync::Arc;

use sallyport::Role;
use sallyport::ids::TenantId;
use sallyport::keys::{Keyring, MasterKeys, Place, Secret};
use sallyport::ports::{SealedSecret, Vault};
use sallyport_store::accounts::Accounts;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::error::SignInError;
use crate::origin::is_loopback;

/// The form of the row that this version writes.
const FORM: u32 = 1;
/// Names in the address of a sign-in that are routes, and so no tenant's.
const ROUTES: [&str; 2] = ["callback", "signout"];

/// A tenant's pinned issuer, without the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The issuer, letter by letter as its discovery document and its tokens name it.
    pub issuer: String,
    /// This host's client at the issuer: the audience of every ID token that counts.
    pub client_id: String,
    /// Which claim gives roles: a name, or a JSON pointer (`/realm_access/roles`).
    pub roles_claim: Option<String>,
    /// Values of the claim that make an admin. Nobody becomes one without.
    pub admin: Vec<String>,
    /// Values of the claim that make an approver.
    pub approver: Vec<String>,
    /// Values of the claim that make a member; empty: everybody who signs in is one.
    pub member: Vec<String>,
    /// Domains of which a person must have a verified e-mail address; empty: none is asked for.
    pub domains: Vec<String>,
    /// Scopes that are asked for beside `openid`, `email` and `profile`.
    pub scopes: Vec<String>,
}

/// What a tenant pinned, with its secret sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    form: u32,
    pub(super) pin: Pin,
    secret: SealedSecret,
}

impl Pin {
    /// Checks what an operator says, and brings it into the form that is compared later.
    ///
    /// # Errors
    /// [`SignInError::Pin`] says which value is wrong.
    pub fn checked(mut self) -> Result<Self, SignInError> {
        let wrong = |words: String| Err(SignInError::Pin(words));
        let issuer = Url::parse(&self.issuer).ok();
        let good = |url: &Url| {
            (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
                && (url.query(), url.fragment()) == (None, None)
                && (url.username(), url.password()) == ("", None)
        };
        if !issuer.as_ref().is_some_and(good) {
            return wrong(format!(
                "{:?} is no issuer: give its https address as its discovery document names it, without a query",
                self.issuer
            ));
        }
        if self.client_id.trim().is_empty() {
            return wrong("the client id is empty: the issuer shows it where the client is registered".into());
        }
        if self.roles_claim.is_none() && [&self.admin, &self.approver, &self.member].iter().any(|all| !all.is_empty()) {
            return wrong("values that make a role need the claim that they are values of: --roles-claim".into());
        }
        for domain in &mut self.domains {
            *domain = domain.trim().trim_start_matches('@').to_lowercase();
            if !domain.contains('.') || domain.contains(['@', ' ']) {
                return wrong(format!("{domain:?} is no e-mail domain: write it as acme.example"));
            }
        }
        Ok(self)
    }

    /// What a session is bound to: with anything of the pin changed, people sign in anew.
    pub(super) fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(self).expect("a pin is JSON");
        hex::encode(&Sha256::digest(text)[..16])
    }

    /// The subject of a person: stable, and another one for the same `sub` of another issuer.
    pub(super) fn subject(&self, sub: &str) -> String {
        format!("oidc:{}:{sub}", hex::encode(&Sha256::digest(&self.issuer)[..6]))
    }

    /// What a person's values of the roles' claim make of them; empty: nothing.
    pub(super) fn roles(&self, values: &[String]) -> Vec<Role> {
        let any = |wanted: &[String]| wanted.iter().any(|one| values.contains(one));
        let (admin, approver) = (any(&self.admin), any(&self.approver));
        let member = admin || approver || self.member.is_empty() || any(&self.member);
        [(admin, Role::Admin), (approver, Role::Approver), (member, Role::Member)]
            .into_iter()
            .filter_map(|(has, role)| has.then_some(role))
            .collect()
    }
}

/// The pins of every tenant.
pub(super) struct Pins {
    accounts: Accounts,
    keyring: Keyring,
}

impl Pins {
    pub(super) fn new(accounts: Accounts, masters: Arc<dyn MasterKeys>, vault: Arc<dyn Vault>) -> Self {
        Self { accounts, keyring: Keyring::new(masters, vault) }
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    pub(super) async fn load(&self, tenant: &TenantId) -> Result<Kept, SignInError> {
        let text = self.accounts.setting(&key(tenant)).await?;
        let text = text.ok_or_else(|| SignInError::NotSetUp(tenant.to_string()))?;
        serde_json::from_str(&text).ok().filter(|kept: &Kept| kept.form == FORM).ok_or(SignInError::Kept)
    }

    pub(super) async fn secret(&self, tenant: &TenantId, kept: &Kept) -> Result<Secret, SignInError> {
        let place = place(&kept.pin);
        let plain = self.keyring.open_secret(Place::Client(Some(tenant), &place), &kept.secret).await?;
        std::str::from_utf8(&plain).map(Secret::new).map_err(|_| SignInError::Kept)
    }

    pub(super) async fn put(&self, tenant: &TenantId, pin: Pin, secret: &Secret) -> Result<(), SignInError> {
        if ROUTES.contains(&tenant.as_str()) {
            return Err(SignInError::Pin(format!("a workspace named {tenant} cannot have a sign-in: name another")));
        }
        let place = place(&pin);
        let secret = self.keyring.seal_secret(Place::Client(Some(tenant), &place), secret.expose().as_bytes()).await?;
        let text = serde_json::to_string(&Kept { form: FORM, pin, secret }).map_err(|_| SignInError::Kept)?;
        Ok(self.accounts.put_setting(&key(tenant), &text).await?)
    }

    pub(super) async fn remove(&self, tenant: &TenantId) -> Result<bool, SignInError> {
        Ok(self.accounts.remove_setting(&key(tenant)).await?)
    }
}

fn key(tenant: &TenantId) -> String {
    format!("signin/{tenant}")
}

/// Spaces are in no provider's name, so that no registered client is kept at the same place.
fn place(pin: &Pin) -> String {
    format!("the issuer {} as {}", pin.issuer, pin.client_id)
}
