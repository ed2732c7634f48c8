//! The way back from the provider.

use std::collections::BTreeMap;

use sallyport_pack::manifest::AuthMethod;

use super::authorise::{hashed, is_hash_of, is_issuer};
use super::{Connected, ConsentError, Return, With, unknown};
use crate::blame::Fault as _;
use crate::credentials::{Code, NewSecret};
use crate::error::InvokeError;
use crate::keys::{Place, Secret};
use crate::ports::{Flight, Link, LinkStatus, StoreError};
use crate::runtime::Runtime;

impl Runtime {
    /// What is called the token behind the `#` that somebody comes back with.
    ///
    /// # Errors
    /// [`ConsentError::UnknownState`]; the store's.
    pub async fn fragment_parameter(&self, state: &str) -> Result<String, ConsentError> {
        let link = self.services().links.link_by_state(&hashed(state)).await.map_err(unknown)?;
        match &self.resolved(link).await?.auth()?.method {
            AuthMethod::TokenFragment { fragment_parameter, .. } => Ok(fragment_parameter.clone()),
            _ => Err(ConsentError::UnknownState),
        }
    }

    /// Somebody comes back from the provider. Each return counts once, whatever comes of it.
    ///
    /// # Errors
    /// [`ConsentError::UnknownState`] for one that is not expected (any more), [`ConsentError::OtherBrowser`],
    /// [`ConsentError::StateExpired`], [`ConsentError::Issuer`], [`ConsentError::Declined`]; what the token endpoint and
    /// connecting say. The link can be tried again but for a refusal.
    pub async fn came_back(&self, back: Return<'_>) -> Result<Connected, ConsentError> {
        let services = self.services();
        let link = services.links.link_by_state(&hashed(back.state)).await.map_err(unknown)?;
        let Some(flight) = link.flight.clone() else { return Err(ConsentError::UnknownState) };
        // Before it is used up: another browser's return must not end this one's.
        let same = |kept: &String| back.browser.is_some_and(|brought| is_hash_of(kept, brought));
        if !link.browser.as_ref().is_some_and(same) {
            return Err(ConsentError::OtherBrowser);
        }
        let taken = Link { flight: None, ..link };
        match services.links.swap_link(&taken).await {
            Err(StoreError::Conflict { .. }) => return Err(ConsentError::UnknownState),
            other => other?,
        }
        let link = Link { version: taken.version + 1, ..taken };
        let outcome = self.taken(link.clone(), flight, back).await;
        if let Err(error) = &outcome {
            let status = match error {
                ConsentError::Declined => LinkStatus::Declined,
                _ => LinkStatus::Failed { code: error.code().to_owned(), message: error.to_string() },
            };
            // Where the link moved on meanwhile, that is what counts.
            match services.links.swap_link(&Link { status, ..link }).await {
                Ok(()) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => tracing::warn!(%error, "how a link ended is not kept"),
            }
        }
        outcome
    }

    async fn taken(&self, link: Link, flight: Flight, back: Return<'_>) -> Result<Connected, ConsentError> {
        let services = self.services();
        if flight.until < services.clock.now() {
            return Err(ConsentError::StateExpired);
        }
        let resolved = self.resolved(link).await?;
        if resolved.installed.digest != flight.component {
            return Err(ConsentError::Changed);
        }
        let auth = resolved.auth()?.clone();
        let provider = self.registry().provider(resolved.manifest().connector.provider.as_str());
        if let Some(found) = back.issuer {
            is_issuer(provider, &auth, found)?;
        }
        let name =
            provider.map_or_else(|| resolved.manifest().connector.provider.to_string(), |known| known.name.clone());
        let secrets = match (&auth.method, back.with) {
            (_, With::Error("access_denied")) => return Err(ConsentError::Declined),
            (_, With::Error(code)) => {
                let code = code.chars().take(100).collect();
                return Err(ConsentError::Provider { provider: name, code });
            }
            (AuthMethod::OAuth2Code(oauth), With::Code(code)) => {
                let place = Place::Verifier(&resolved.link.tenant, &resolved.link.id);
                let verifier = match &flight.verifier {
                    None => None,
                    Some(sealed) => {
                        let opened = services.keyring.open_secret(place, sealed).await;
                        let opened = opened.map_err(|error| InvokeError::Host(error.to_string()))?;
                        Some(Secret::new(String::from_utf8_lossy(&opened).into_owned()))
                    }
                };
                let code = Code { code, redirect: &flight.redirect, verifier: verifier.as_ref().map(Secret::expose) };
                let (tenant, manifest) = (&resolved.link.tenant, resolved.manifest());
                self.credentials().exchange(tenant, manifest, &auth, oauth, code, &flight.scopes).await?
            }
            (AuthMethod::TokenFragment { .. }, With::Token(token)) => {
                let first = auth.credentials.first().ok_or(ConsentError::Changed)?;
                let scopes = flight.scopes.get(&first.slot).cloned().unwrap_or_default();
                let secret = NewSecret { access: token, refresh: None, expires_in: None, scopes };
                BTreeMap::from([(first.slot.clone(), secret)])
            }
            _ => return Err(ConsentError::UnknownState),
        };
        self.settle_link(resolved, secrets).await
    }
}
