//! Taking secrets back at the provider, when somebody disconnects.

use http::{HeaderName, Method};
use sallyport_pack::manifest::{AuthMethod, Credential, Manifest, Revoke};

use super::token::{Asked, Manner, TokenFailure, read};
use super::{CredentialError, Credentials, Inner, Opened};
use crate::authority::Authority;
use crate::connection::Connection;

/// What became of a connection's secrets at the provider. Here they are gone in each case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The provider was told, and takes them no more.
    AtProvider,
    /// There was none, or this way of connecting has nothing that takes a token back.
    NothingToTell,
    /// The provider could not be told, for this reason: somebody has to take the access away there.
    NotTold(String),
}

impl Credentials {
    /// Tells the provider to take the connection's secrets no more, then forgets them here.
    ///
    /// # Errors
    /// The store's: then they are not forgotten.
    pub async fn revoke(
        &self,
        at: &Authority,
        connection: &Connection,
        manifest: &Manifest,
    ) -> Result<Revoked, CredentialError> {
        let mut outcome = Revoked::NothingToTell;
        let auth = manifest.auth.iter().find(|auth| auth.id.as_str() == connection.auth);
        if let Some(auth) = auth {
            let way = match &auth.method {
                AuthMethod::OAuth2Code(oauth) => oauth.revoke.as_ref().map(|revoke| (revoke, Manner::of(oauth))),
                AuthMethod::TokenFragment { revoke, .. } => revoke.as_ref().map(|revoke| (revoke, Manner::assertion())),
                _ => None,
            };
            for credential in auth.credentials.iter().filter(|_| way.is_some()) {
                let Some((revoke, manner)) = way else { break };
                // One that cannot be opened cannot be told of; it is forgotten like the others.
                let Ok(opened) = self.inner.read(at, &credential.slot).await else { continue };
                match self.inner.take_back(at, connection, manifest, credential, revoke, manner, &opened).await {
                    Ok(()) if outcome == Revoked::NothingToTell => outcome = Revoked::AtProvider,
                    Ok(()) => {}
                    Err(why) => outcome = Revoked::NotTold(why),
                }
            }
        }
        self.inner.vault.remove_secrets(at).await?;
        self.inner.forget(at);
        Ok(outcome)
    }
}

impl Inner {
    #[expect(clippy::too_many_arguments, reason = "one request, and each says something else of it")]
    async fn take_back(
        &self,
        at: &Authority,
        connection: &Connection,
        manifest: &Manifest,
        credential: &Credential,
        revoke: &Revoke,
        manner: Manner<'_>,
        opened: &std::sync::Arc<Opened>,
    ) -> Result<(), String> {
        let words = |failure: TokenFailure| match failure {
            TokenFailure::Nothing(why) | TokenFailure::Lost(why) => format!("it cannot be reached: {why}"),
            TokenFailure::Final(code) | TokenFailure::Refused(code) => format!("it refuses: {code}"),
            TokenFailure::Ours(error) => error.to_string(),
        };
        let client = self.client(at.tenant(), connection.provider.as_str()).await.map_err(|error| error.to_string())?;
        let asked =
            |method, token, header| Asked { manifest, which: "revoke", url: &revoke.url, method, token, header };
        let (status, body) = match &revoke.method {
            // RFC 7009: with the refresh token the access tokens that came of it end, too.
            None => {
                let token = opened.refresh.as_ref().unwrap_or(&opened.access);
                let parameters = [("token", token.expose())];
                self.ask(asked(Method::POST, None, None), manner, &client, &parameters).await.map_err(words)?
            }
            Some(method) => {
                let method = method.parse().unwrap_or(Method::POST);
                let dressed = self.dress(at, connection, credential, opened.clone()).await;
                let dressed = dressed.map_err(|error| error.to_string())?;
                let header: (HeaderName, _) = (dressed.header.clone(), dressed.value.clone());
                let asked = asked(method, Some(&opened.access), Some(header));
                let manner = Manner { client_auth: None, ..manner };
                self.ask(asked, manner, &client, &[]).await.map_err(words)?
            }
        };
        match read(manner.oauth, status, &body) {
            // What it does not know (any more) is taken back.
            Ok(_) | Err(TokenFailure::Final(_)) => Ok(()),
            Err(_) if matches!(status, 401 | 404) => Ok(()),
            Err(TokenFailure::Refused(code)) if code.starts_with("invalid_token") => Ok(()),
            Err(failure) => Err(words(failure)),
        }
    }
}
