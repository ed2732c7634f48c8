//! Signing in by OpenID Connect: a tenant pins one issuer, and the issuer says who its people are.
//!
//! The authorization code flow with PKCE. Nothing of a sign-in under way is kept here but in the browser's cookie, which
//! this host signed; what must not leave the host (the PKCE verifier) or be chosen by others (the nonce) is derived from
//! the state with the host's key. That an answer counts once is written into the store, so it holds over restarts and
//! for every process on the data directory.

mod client;
mod error;
mod http;
mod issuer;
mod pin;
mod session;
#[cfg(test)]
pub(crate) mod tests;
mod token;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::Nonce;
use sallyport::Caller;
use sallyport::ids::{SubjectId, TenantId, Timestamp};
use sallyport::keys::{MasterKeys, Secret};
use sallyport::ports::Vault;
use sallyport_store::accounts::Accounts;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use url::Url;

pub use error::{AttemptError, IdTokenError, NotAllowed, SignInError};
pub use pin::Pin;
pub use session::{LIFE as SESSION_LIFE, Session};

use crate::auth::{SignedIn, TokenError, TokenKey};
use issuer::Issuers;
use pin::{Kept, Pins};
use token::Person;

/// What a signed cookie of a sign-in under way is for.
const ATTEMPT: &str = "sallyport/signin";
/// How long a person may take at the issuer, in seconds.
pub const PATIENCE: u64 = 10 * 60;

/// Signs people in. One a host.
pub struct SignIn {
    pins: Pins,
    issuers: Issuers,
    tokens: Arc<TokenKey>,
}

/// A sign-in that a browser begins.
pub struct Begun {
    /// Where the browser is sent.
    pub url: Url,
    /// What it keeps meanwhile, in a cookie.
    pub cookie: String,
}

/// What the issuer sends with the browser that it sends back.
#[derive(Debug, Default, Deserialize)]
pub struct Answer {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Attempt {
    tenant: String,
    state: String,
    pin: String,
}

impl SignIn {
    /// Over the accounts and the vault of one store.
    #[must_use]
    pub fn new(accounts: Accounts, masters: Arc<dyn MasterKeys>, vault: Arc<dyn Vault>, tokens: Arc<TokenKey>) -> Self {
        Self::with(accounts, masters, vault, tokens, Issuers::new(issuer::LIFE, issuer::PAUSE))
    }

    fn with(
        accounts: Accounts,
        masters: Arc<dyn MasterKeys>,
        vault: Arc<dyn Vault>,
        tokens: Arc<TokenKey>,
        issuers: Issuers,
    ) -> Self {
        Self { pins: Pins::new(accounts, masters, vault), issuers, tokens }
    }

    /// The issuer that a tenant pins.
    ///
    /// # Errors
    /// [`SignInError::NotSetUp`]; the store's.
    pub async fn pin(&self, tenant: &TenantId) -> Result<Pin, SignInError> {
        Ok(self.pins.load(tenant).await?.pin)
    }

    /// Pins an issuer in place of the one before. Sessions from before end.
    ///
    /// # Errors
    /// [`SignInError::Pin`] where a value is not of its form; the store's and the keyring's.
    pub async fn set_pin(&self, tenant: &TenantId, pin: Pin, secret: &Secret) -> Result<(), SignInError> {
        if secret.expose().trim().is_empty() {
            return Err(SignInError::Pin(
                "the client secret is empty: the issuer shows it once, at registration".into(),
            ));
        }
        self.pins.put(tenant, pin.checked()?, secret).await
    }

    /// Takes the issuer back; `false` if there was none. Sessions end.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_pin(&self, tenant: &TenantId) -> Result<bool, SignInError> {
        self.pins.remove(tenant).await
    }

    /// Asks an issuer about itself, to see whether it can be worked with.
    ///
    /// # Errors
    /// [`SignInError::Unreachable`], [`SignInError::Issuer`].
    pub async fn check(&self, issuer: &str) -> Result<(), SignInError> {
        self.issuers.metadata(issuer).await.map(|_| ())
    }

    /// Begins a sign-in. `callback` is where the issuer sends the browser back to.
    ///
    /// # Errors
    /// The tenant has no sign-in, or its issuer cannot be asked.
    pub async fn begin(&self, tenant: &TenantId, callback: &Url) -> Result<Begun, SignInError> {
        let kept = self.pins.load(tenant).await?;
        let metadata = self.issuers.metadata(&kept.pin.issuer).await?;
        let state = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let url = client::authorize_url(&kept.pin, &metadata, callback, &state, self.proofs(&state));
        let attempt = Attempt { tenant: tenant.to_string(), pin: kept.pin.fingerprint(), state };
        let cookie = self.tokens.seal(ATTEMPT, attempt, now(), PATIENCE).map_err(|_| SignInError::Kept)?;
        Ok(Begun { url, cookie })
    }

    /// Ends a sign-in: the answer that the issuer sent with the browser, and the cookie that the browser kept.
    ///
    /// # Errors
    /// The answer is of no sign-in that this browser began, or it counted before; the issuer refuses, or what it says
    /// does not count; the person is not let in.
    pub async fn finish(&self, cookie: Option<&str>, answer: Answer, callback: &Url) -> Result<Session, SignInError> {
        let (attempt, ends) = self.attempt(cookie)?;
        let state = answer.state.as_deref().unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(attempt.state.as_bytes())) {
            return Err(AttemptError::Other.into());
        }
        let until = Timestamp((ends + 1) * 1000);
        if !self.pins.accounts().use_once("signin", &attempt.state, until).await? {
            return Err(AttemptError::Used.into());
        }
        let tenant = TenantId::new(attempt.tenant);
        let kept = self.pins.load(&tenant).await?;
        if kept.pin.fingerprint() != attempt.pin {
            return Err(AttemptError::Changed.into());
        }
        let metadata = self.issuers.metadata(&kept.pin.issuer).await?;
        // Before the code goes anywhere: one of another issuer's is not to be had by this one (RFC 9207).
        let named = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        if answer.iss.as_ref().map_or(named, |iss| *iss != kept.pin.issuer) {
            return Err(AttemptError::Issuer.into());
        }
        if let Some(error) = answer.error {
            let words = answer.error_description.map_or_else(|| error.clone(), |words| format!("{error}: {words}"));
            return Err(SignInError::Denied(words.chars().take(300).collect()));
        }
        let code = answer.code.ok_or(AttemptError::NoCode)?;
        let person = self.person(&tenant, &kept, metadata, callback, code, &attempt.state).await?;
        Ok(Session { who: admit(tenant, &kept.pin, person)?, pin: kept.pin.fingerprint() })
    }

    /// Who an ID token of the tenant's issuer stands for, and when it ends, in seconds since 1970.
    ///
    /// # Errors
    /// The tenant has no sign-in; the token does not count; the person is not let in.
    pub async fn by_id_token(&self, tenant: &TenantId, token: &str) -> Result<(SignedIn, u64), SignInError> {
        let kept = self.pins.load(tenant).await?;
        let metadata = self.issuers.metadata(&kept.pin.issuer).await?;
        let person = self.verified(token, &kept.pin, metadata, None).await?;
        let expires = person.expires;
        Ok((admit(tenant.clone(), &kept.pin, person)?, expires))
    }

    fn attempt(&self, cookie: Option<&str>) -> Result<(Attempt, u64), AttemptError> {
        self.tokens.unseal(ATTEMPT, cookie.ok_or(AttemptError::Absent)?).map_err(|error| match error {
            TokenError::Expired => AttemptError::Expired,
            TokenError::Invalid => AttemptError::Other,
        })
    }

    /// The nonce and the PKCE verifier of a sign-in. Nobody but this host can make them of its state.
    fn proofs(&self, state: &str) -> Proofs {
        let (nonce, verifier) =
            (self.tokens.derive("sign-in nonce", state), self.tokens.derive("sign-in verifier", state));
        Proofs { nonce: Nonce::new(nonce), verifier }
    }

    async fn person(
        &self,
        tenant: &TenantId,
        kept: &Kept,
        metadata: Arc<issuer::Metadata>,
        callback: &Url,
        code: String,
        state: &str,
    ) -> Result<Person, SignInError> {
        let secret = self.pins.secret(tenant, kept).await?;
        let proofs = self.proofs(state);
        let client = client::Client { issuers: &self.issuers, pin: &kept.pin, metadata: &metadata, secret: &secret };
        let tokens = client.exchange(code, callback, proofs.verifier).await?;
        let mut person = self.verified(&tokens.id_token, &kept.pin, Arc::clone(&metadata), Some(&proofs.nonce)).await?;
        // Many issuers put into the ID token what they must, and leave the rest to their user info.
        let roles = kept.pin.roles_claim.as_ref();
        if person.email.is_none() || roles.is_some_and(|claim| person.values(claim).is_empty()) {
            client.complete(&mut person, tokens.access_token).await?;
        }
        Ok(person)
    }

    /// Checks an ID token; where its key is not known, the issuer may have changed its keys, and is asked once more.
    async fn verified(
        &self,
        token: &str,
        pin: &Pin,
        metadata: Arc<issuer::Metadata>,
        nonce: Option<&Nonce>,
    ) -> Result<Person, SignInError> {
        match token::verify(token, pin, &metadata, nonce) {
            Err(IdTokenError::UnknownKey) => {
                let metadata = self.issuers.newer_keys(&pin.issuer, &metadata).await?;
                Ok(token::verify(token, pin, &metadata, nonce)?)
            }
            other => Ok(other?),
        }
    }
}

/// What proves that an answer is of this sign-in.
struct Proofs {
    nonce: Nonce,
    verifier: String,
}

/// The caller that a person is, if they are let in.
fn admit(tenant: TenantId, pin: &Pin, person: Person) -> Result<SignedIn, NotAllowed> {
    let domain = person.email.as_deref().and_then(|email| email.rsplit('@').next());
    if !pin.domains.is_empty() && !domain.is_some_and(|domain| pin.domains.iter().any(|allowed| allowed == domain)) {
        return Err(NotAllowed::Domain(pin.domains.join(", ")));
    }
    let values = pin.roles_claim.as_ref().map(|claim| person.values(claim)).unwrap_or_default();
    let roles = pin.roles(&values);
    if roles.is_empty() {
        return Err(NotAllowed::NoRole);
    }
    let name = person.name.or_else(|| person.email.clone());
    let subject = SubjectId::new(pin.subject(&person.sub));
    let emails = person.email.into_iter().collect();
    Ok(SignedIn { caller: Caller { tenant, subject, emails, roles }, name })
}

/// Seconds since 1970.
fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_secs()
}
