//! Service accounts: the host signs an assertion (RFC 7523) with the key file that an admin gave. The key never leaves it,
//! and where the assertion goes is the registry's to say, not the file's.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sallyport_pack::manifest::{EndpointUrl, Manifest, Reply};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::client::Fields;
use super::token::{Manner, TokenFailure, Tokens};
use super::{CredentialError, Inner};
use crate::keys::Secret;

/// The longest that Google allows, in seconds.
const LIFE: u64 = 3600;
/// RFC 7523, 2.1.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What counts of a key file (Google's form; other fields are not looked at).
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: Secret,
    #[serde(default)]
    private_key_id: Option<String>,
    /// Not part of Google's file: whom the account stands for, where an administrator of the domain allows that.
    #[serde(default)]
    subject: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    scope: String,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl Inner {
    /// A fresh token for a service account.
    pub(super) async fn assert(
        &self,
        manifest: &Manifest,
        key_file: &Secret,
        scopes: &[String],
    ) -> Result<Tokens, TokenFailure> {
        let provider = manifest.connector.provider.as_str();
        let endpoint = self.registry.provider(provider).and_then(|known| known.assertion.as_ref());
        let endpoint = endpoint.ok_or_else(|| {
            let words = format!("the registry names no endpoint for assertions of {provider}");
            TokenFailure::Ours(CredentialError::Manifest(words))
        })?;
        let now = self.clock.now().0 / 1000;
        let assertion = sign(key_file, scopes, endpoint, now).map_err(TokenFailure::Ours)?;
        let parameters = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        let manner = Manner::assertion();
        let value = self.ask_token(manifest, endpoint, manner, &Fields::default(), &parameters).await?;
        let mut tokens = Tokens::expect(&standard(), &value)?;
        // The key file is what brings the next one.
        tokens.refresh = None;
        Ok(tokens)
    }
}

fn sign(
    key_file: &Secret,
    scopes: &[String],
    endpoint: &EndpointUrl,
    now: u64,
) -> Result<Zeroizing<String>, CredentialError> {
    let bad = |what: &str| CredentialError::Pasted(format!("this is no service account's key file: {what}"));
    let file: KeyFile = serde_json::from_str(key_file.expose())
        .map_err(|_| bad("want the JSON file with client_email and private_key, whole"))?;
    let key = EncodingKey::from_rsa_pem(file.private_key.expose().as_bytes())
        .map_err(|_| bad("private_key is no RSA key in PEM form"))?;
    let header = Header { kid: file.private_key_id, ..Header::new(Algorithm::RS256) };
    let aud = endpoint.to_string();
    let sub = file.subject.as_deref();
    let scope = scopes.join(" ");
    let claims = Claims { iss: &file.client_email, sub, scope, aud: &aud, iat: now, exp: now + LIFE };
    let signed = jsonwebtoken::encode(&header, &claims, &key).map_err(|_| bad("its key does not sign"))?;
    Ok(Zeroizing::new(signed))
}

/// RFC 6749, 5.1.
fn standard() -> Reply {
    let written = serde_json::json!({ "token": "/access_token", "expires_in": "/expires_in", "scopes": "/scope" });
    serde_json::from_value(written).expect("three pointers are a reply")
}
