//! Caller tokens: short-lived, signed by this host, the only way in which a request names its caller.
//!
//! JWT (RFC 7519), HS256, because the same host mints and verifies; `aud` keeps other tokens under the same key (a
//! browser's session, a sign-in under way) out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sallyport::ids::{SubjectId, TenantId};
use sallyport::{Caller, Role};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

const AUDIENCE: &str = "sallyport/caller";
/// Longest life of a caller token, in seconds: one working day.
pub const LONGEST: u64 = 8 * 60 * 60;
/// Life of a caller token for which nothing was asked, in seconds.
pub const DEFAULT: u64 = 15 * 60;

/// The key that signs caller tokens. It has no `Debug`.
pub struct TokenKey {
    sign: EncodingKey,
    verify: DecodingKey,
    bytes: Zeroizing<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    aud: String,
    iat: u64,
    exp: u64,
    #[serde(flatten)]
    body: T,
}

/// A caller, as tokens name them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    tenant: String,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    emails: Vec<String>,
    roles: Vec<Role>,
}

/// Who is asking, as a token said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The caller.
    pub caller: Caller,
    /// A name for people.
    pub name: Option<String>,
}

/// Why a token does not count.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// It was good once.
    #[error("the caller token has expired: mint a new one at /v1/callers/token")]
    Expired,
    /// It is no token of this host.
    #[error("the caller token is not one of this host's")]
    Invalid,
}

impl TokenKey {
    /// A key of 32 random bytes, as the store keeps it.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let (sign, verify) = (EncodingKey::from_secret(bytes), DecodingKey::from_secret(bytes));
        Self { sign, verify, bytes: Zeroizing::new(bytes.to_vec()) }
    }

    /// Signs a token for `who`, good for `seconds` (at most [`LONGEST`]) from `now` (seconds since 1970).
    ///
    /// # Errors
    /// Never for a key made by [`TokenKey::new`]; the library's own type says it could.
    pub fn mint(&self, who: &SignedIn, now: u64, seconds: u64) -> Result<String, jsonwebtoken::errors::Error> {
        self.seal(AUDIENCE, Claims::from(who), now, seconds.clamp(1, LONGEST))
    }

    /// The caller that a token stands for.
    ///
    /// # Errors
    /// It is not this host's, or it has expired.
    pub fn verify(&self, token: &str) -> Result<SignedIn, TokenError> {
        Ok(self.unseal::<Claims>(AUDIENCE, token)?.0.into())
    }

    /// Signs something of ours for one use, good for `seconds` from `now`.
    pub(crate) fn seal<T: Serialize>(
        &self,
        audience: &str,
        body: T,
        now: u64,
        seconds: u64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let envelope = Envelope { aud: audience.into(), iat: now, exp: now + seconds, body };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &envelope, &self.sign)
    }

    /// What was signed for this use, and when it ends, in seconds since 1970.
    pub(crate) fn unseal<T: DeserializeOwned>(&self, audience: &str, token: &str) -> Result<(T, u64), TokenError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        validation.leeway = 0;
        let envelope = jsonwebtoken::decode::<Envelope<T>>(token, &self.verify, &validation)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })?
            .claims;
        Ok((envelope.body, envelope.exp))
    }

    /// Text that only this host can make of `of`: 32 bytes in base64url. No token is signed over such a text, since a
    /// purpose has a space in it.
    pub(crate) fn derive(&self, purpose: &str, of: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.bytes).expect("HMAC takes a key of any length");
        mac.update(format!("sallyport {purpose}\0{of}").as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

impl From<&SignedIn> for Claims {
    fn from(who: &SignedIn) -> Self {
        Self {
            tenant: who.caller.tenant.to_string(),
            sub: who.caller.subject.to_string(),
            name: who.name.clone(),
            emails: who.caller.emails.clone(),
            roles: who.caller.roles.clone(),
        }
    }
}

impl From<Claims> for SignedIn {
    fn from(claims: Claims) -> Self {
        let caller = Caller {
            tenant: TenantId::new(claims.tenant),
            subject: SubjectId::new(claims.sub),
            emails: claims.emails,
            roles: claims.roles,
        };
        Self { caller, name: claims.name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> SignedIn {
        let caller = Caller {
            tenant: TenantId::new("acme"),
            subject: SubjectId::new("ana"),
            emails: vec!["ana@acme.example".into()],
            roles: vec![Role::Member],
        };
        SignedIn { caller, name: Some("Ana".into()) }
    }

    fn now() -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn a_token_stands_for_its_caller_and_nobody_else() {
        let key = TokenKey::new(&[7; 32]);
        let token = key.mint(&ana(), now(), 60).unwrap();
        assert_eq!(key.verify(&token), Ok(ana()));
        assert_eq!(TokenKey::new(&[8; 32]).verify(&token), Err(TokenError::Invalid));
        let mut parts: Vec<String> = token.split('.').map(Into::into).collect();
        parts[1] = format!("{}A", parts[1]);
        assert_eq!(key.verify(&parts.join(".")), Err(TokenError::Invalid));
    }

    #[test]
    fn what_was_signed_for_another_use_is_no_caller_token() {
        let key = TokenKey::new(&[7; 32]);
        let session = key.seal("sallyport/session", Claims::from(&ana()), now(), 60).unwrap();
        assert_eq!(key.verify(&session), Err(TokenError::Invalid));
        let token = key.mint(&ana(), now(), 60).unwrap();
        assert_eq!(key.unseal::<Claims>("sallyport/session", &token).err(), Some(TokenError::Invalid));
        assert!(key.unseal::<Claims>("sallyport/session", &session).is_ok());
    }

    #[test]
    fn an_old_token_says_that_it_is_old() {
        let key = TokenKey::new(&[7; 32]);
        let token = key.mint(&ana(), now() - 100, 60).unwrap();
        assert_eq!(key.verify(&token), Err(TokenError::Expired));
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        let claims = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJzYWxseXBvcnQvY2FsbGVyIn0.";
        assert_eq!(TokenKey::new(&[7; 32]).verify(claims), Err(TokenError::Invalid));
    }
}
