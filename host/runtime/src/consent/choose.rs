//! The page, and what somebody says on it.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_pack::manifest::{Auth, AuthMethod};
use url::Url;

use super::authorise::{hashed, random};
use super::scopes::to_ask;
use super::{Choice, ConsentError, ConsentPage, Next, Resolved, page};
use crate::connection::Setting;
use crate::credentials::{NewSecret, Scopes};
use crate::error::InvokeError;
use crate::ids::{CapabilityId, SlotName};
use crate::keys::{Place, Secret};
use crate::ports::{Flight, Link, LinkStatus};
use crate::runtime::Runtime;

/// How long somebody may take at the provider, in milliseconds.
const FLIGHT: u64 = 10 * 60 * 1000;

impl Runtime {
    /// What is to be read before consenting. Changes nothing: whoever looks at links ahead of people does no harm.
    ///
    /// # Errors
    /// [`ConsentError::Gone`]; the store's.
    pub async fn consent_page(&self, token: &str) -> Result<ConsentPage, ConsentError> {
        let resolved = self.resolved(self.followed(token).await?).await?;
        let (auth, before) = (resolved.auth()?, resolved.before.as_ref());
        Ok(page::page(&resolved.link, resolved.manifest(), auth, &resolved.installed, self.registry(), before))
    }

    /// Somebody says yes.
    ///
    /// # Errors
    /// [`ConsentError::Gone`], [`ConsentError::Changed`] and [`ConsentError::Choice`]; for what is connected at once
    /// also what connecting says.
    pub async fn consent(&self, token: &str, choice: Choice) -> Result<Next, ConsentError> {
        let mut resolved = self.resolved(self.followed(token).await?).await?;
        if resolved.installed.digest != choice.component {
            return Err(ConsentError::Changed);
        }
        resolved.link.ask.capabilities = chosen(&resolved.link.ask.capabilities, &choice.capabilities)?;
        let auth = resolved.auth()?.clone();
        let scopes = to_ask(resolved.manifest(), &auth, &resolved.link.ask.capabilities, resolved.before.as_ref());
        if resolved.before.as_ref().is_some_and(|before| before.usable) && scopes.values().all(Vec::is_empty) {
            return self.settle_link(resolved, BTreeMap::new()).await.map(|done| Next::Done(done.into()));
        }
        match &auth.method {
            AuthMethod::Token { pattern, .. } => {
                let secrets = pasted(&auth, pattern.as_deref(), choice.pasted)?;
                self.settle_link(resolved, secrets).await.map(|done| Next::Done(done.into()))
            }
            AuthMethod::ServiceAccount => {
                let key_file = choice.pasted.into_iter().next();
                let (slot, key_file) =
                    key_file.ok_or_else(|| ConsentError::Choice("paste the service account's key file".into()))?;
                let asked = scopes.get(&slot).cloned().unwrap_or_default();
                let secret = self.credentials().of_key_file(resolved.manifest(), key_file, &asked).await?;
                self.settle_link(resolved, BTreeMap::from([(slot, secret)])).await.map(|done| Next::Done(done.into()))
            }
            _ => self.depart(resolved, &auth, scopes, &choice.redirect).await,
        }
    }

    /// Whether this link's provider answers behind a `#`, where only a page can read it.
    ///
    /// # Errors
    /// [`ConsentError::Gone`]; the store's.
    pub async fn consent_by_fragment(&self, token: &str) -> Result<bool, ConsentError> {
        let resolved = self.resolved(self.followed(token).await?).await?;
        Ok(matches!(resolved.auth()?.method, AuthMethod::TokenFragment { .. }))
    }

    async fn depart(
        &self,
        resolved: Resolved,
        auth: &Auth,
        scopes: Scopes,
        redirect: &Url,
    ) -> Result<Next, ConsentError> {
        let services = self.services();
        let mut link = resolved.link.clone();
        let departure = self.departure(&link.tenant, resolved.manifest(), auth, &scopes, redirect).await?;
        let verifier = match &departure.verifier {
            None => None,
            Some(verifier) => {
                let place = Place::Verifier(&link.tenant, &link.id);
                let sealed = services.keyring.seal_secret(place, verifier.expose().as_bytes()).await;
                Some(sealed.map_err(|error| InvokeError::Host(error.to_string()))?)
            }
        };
        let browser = random();
        let until = services.clock.now().plus(FLIGHT);
        link.browser = Some(hashed(&browser));
        link.expires = link.expires.max(until);
        link.status = LinkStatus::Consenting;
        link.flight = Some(Flight {
            state: hashed(departure.state.expose()),
            verifier,
            redirect: redirect.to_string(),
            scopes,
            component: resolved.installed.digest.clone(),
            until,
        });
        services.links.swap_link(&link).await?;
        Ok(Next::Go { url: departure.url, browser: Secret::new(browser) })
    }

    /// Somebody says no.
    ///
    /// # Errors
    /// [`ConsentError::Gone`]; the store's.
    pub async fn decline(&self, token: &str) -> Result<Option<String>, ConsentError> {
        let link = self.followed(token).await?;
        let return_to = link.ask.return_to.clone();
        let declined = Link { status: LinkStatus::Declined, flight: None, ..link };
        self.services().links.swap_link(&declined).await?;
        Ok(return_to)
    }
}

/// What the person left checked of what was on offer.
fn chosen(
    offered: &BTreeMap<CapabilityId, Setting>,
    left: &BTreeSet<CapabilityId>,
) -> Result<BTreeMap<CapabilityId, Setting>, ConsentError> {
    if let Some(stray) = left.iter().find(|id| !offered.contains_key(*id)) {
        return Err(ConsentError::Choice(format!("{stray} was not on the page")));
    }
    if left.is_empty() {
        return Err(ConsentError::Choice("leave at least one thing checked, or decline".into()));
    }
    Ok(offered.iter().filter(|(id, _)| left.contains(*id)).map(|(id, setting)| (id.clone(), *setting)).collect())
}

fn pasted(
    auth: &Auth,
    pattern: Option<&str>,
    given: BTreeMap<SlotName, Secret>,
) -> Result<BTreeMap<SlotName, NewSecret>, ConsentError> {
    // Checked when the manifest was read; one that does not compile matches nothing.
    let whole = pattern.and_then(|pattern| regex::Regex::new(&format!("^(?:{pattern})$")).ok());
    let mut secrets = BTreeMap::new();
    for credential in &auth.credentials {
        let secret = given.get(&credential.slot).map(|secret| Secret::new(secret.expose().trim()));
        match secret.filter(|secret| !secret.is_empty()) {
            None if credential.optional => {}
            None => return Err(ConsentError::Choice(format!("nothing was pasted for {}", credential.slot))),
            Some(secret)
                if pattern.is_some() && !whole.as_ref().is_some_and(|whole| whole.is_match(secret.expose())) =>
            {
                let words = "what was pasted does not look like a token of this service: is it pasted whole?";
                return Err(ConsentError::Choice(words.into()));
            }
            Some(access) => {
                let scopes = Vec::new();
                let secret = NewSecret { access, refresh: None, expires_in: None, scopes };
                secrets.insert(credential.slot.clone(), secret);
            }
        }
    }
    Ok(secrets)
}
