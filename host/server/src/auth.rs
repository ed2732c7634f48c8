//! Caller tokens: short-lived, signed by this host, the only way in which a request names its caller.
//!
//! JWT (RFC 7519), HS256, because the same host mints and verifies; `aud` keeps other tokens under the same key out.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sallyport::ids::{SubjectId, TenantId};
use sallyport::{Caller, Role};
use serde::{Deserialize, Serialize};

const AUDIENCE: &str = "sallyport/caller";
/// Longest life of a caller token, in seconds: one working day.
pub const LONGEST: u64 = 8 * 60 * 60;
/// Life of a caller token for which nothing was asked, in seconds.
pub const DEFAULT: u64 = 15 * 60;

/// The key that signs caller tokens. It has no `Debug`.
pub struct TokenKey {
    sign: EncodingKey,
    verify: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    iat: u64,
    exp: u64,
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
        Self { sign: EncodingKey::from_secret(bytes), verify: DecodingKey::from_secret(bytes) }
    }

    /// Signs a token for `who`, good for `seconds` (at most [`LONGEST`]) from `now` (seconds since 1970).
    ///
    /// # Errors
    /// Never for a key made by [`TokenKey::new`]; the library's own type says it could.
    pub fn mint(&self, who: &SignedIn, now: u64, seconds: u64) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            aud: AUDIENCE.into(),
            iat: now,
            exp: now + seconds.clamp(1, LONGEST),
            tenant: who.caller.tenant.to_string(),
            sub: who.caller.subject.to_string(),
            name: who.name.clone(),
            emails: who.caller.emails.clone(),
            roles: who.caller.roles.clone(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
    }

    /// The caller that a token stands for.
    ///
    /// # Errors
    /// It is not this host's, or it has expired.
    pub fn verify(&self, token: &str) -> Result<SignedIn, TokenError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        validation.leeway = 0;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verify, &validation)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })?
            .claims;
        let caller = Caller {
            tenant: TenantId::new(claims.tenant),
            subject: SubjectId::new(claims.sub),
            emails: claims.emails,
            roles: claims.roles,
        };
        Ok(SignedIn { caller, name: claims.name })
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
