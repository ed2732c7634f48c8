//! From a consent to secrets: the code that came back, a pasted token, or a key file.

use std::collections::BTreeMap;

use sallyport_pack::manifest::{Auth, AuthMethod, Credential, Manifest, OAuthCode};

use super::token::{Manner, TokenFailure, Tokens};
use super::{CredentialError, Credentials, NewSecret};
use crate::ids::{SlotName, TenantId};
use crate::keys::Secret;

/// Scopes by slot.
pub(crate) type Scopes = BTreeMap<SlotName, Vec<String>>;

/// A code that somebody came back with, and what proves that we sent them.
pub(crate) struct Code<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect: &'a str,
    pub(crate) verifier: Option<&'a str>,
}

impl Credentials {
    /// The secrets that a code stands for, one for each slot that the answer holds. Scopes are those that the answer says;
    /// where it says none they are those that were asked for (RFC 6749, 5.1).
    pub(crate) async fn exchange(
        &self,
        tenant: &TenantId,
        manifest: &Manifest,
        auth: &Auth,
        oauth: &OAuthCode,
        code: Code<'_>,
        asked: &Scopes,
    ) -> Result<BTreeMap<SlotName, NewSecret>, CredentialError> {
        let client = self.inner.client(tenant, manifest.connector.provider.as_str()).await?;
        let mut parameters =
            vec![("grant_type", "authorization_code"), ("code", code.code), ("redirect_uri", code.redirect)];
        parameters.extend(code.verifier.map(|verifier| ("code_verifier", verifier)));
        let answer = self.inner.ask_token(manifest, &oauth.token, Manner::of(oauth), &client, &parameters).await;
        let answer = answer.map_err(said)?;
        let mut secrets = BTreeMap::new();
        for credential in &auth.credentials {
            let Some(reply) = &credential.code_reply else { continue };
            match Tokens::find(reply, &answer) {
                Some(tokens) => {
                    secrets.insert(credential.slot.clone(), secret(tokens, asked.get(&credential.slot)));
                }
                None if credential.optional => {}
                None => {
                    let words = format!("its answer to the code holds no token for the slot {}", credential.slot);
                    return Err(CredentialError::Refused(words));
                }
            }
        }
        Ok(secrets)
    }

    /// The first token of a service account, whose key file was given: what is kept signs the next ones.
    pub(crate) async fn of_key_file(
        &self,
        manifest: &Manifest,
        key_file: Secret,
        asked: &[String],
    ) -> Result<NewSecret, CredentialError> {
        let tokens = self.inner.assert(manifest, &key_file, asked).await.map_err(said)?;
        Ok(NewSecret { refresh: Some(key_file), ..secret(tokens, Some(&asked.to_vec())) })
    }

    /// The client's fields that stand in an authorisation URL.
    pub(crate) async fn client_field(
        &self,
        tenant: &TenantId,
        provider: &str,
        field: &str,
    ) -> Result<Secret, CredentialError> {
        Ok(self.inner.client(tenant, provider).await?.need(provider, field)?.clone())
    }
}

/// Whether a slot's secrets can be had without a person.
pub(super) fn renews(method: &AuthMethod, credential: &Credential) -> bool {
    match method {
        AuthMethod::OAuth2Code(_) => credential.refresh_reply.is_some(),
        AuthMethod::ServiceAccount => true,
        _ => false,
    }
}

fn secret(tokens: Tokens, asked: Option<&Vec<String>>) -> NewSecret {
    NewSecret {
        access: tokens.access,
        refresh: tokens.refresh,
        expires_in: tokens.expires_in,
        scopes: tokens.scopes.or_else(|| asked.cloned()).unwrap_or_default(),
    }
}

fn said(failure: TokenFailure) -> CredentialError {
    match failure {
        TokenFailure::Nothing(why) => CredentialError::Unreachable(why),
        TokenFailure::Lost(why) => {
            CredentialError::Refused(format!("the answer was lost ({why}), and a code is good once: consent again"))
        }
        TokenFailure::Final(code) | TokenFailure::Refused(code) => CredentialError::Refused(code),
        TokenFailure::Ours(error) => error,
    }
}
