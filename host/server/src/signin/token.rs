//! ID tokens: what is checked before anything in one is believed.

use std::str::FromStr as _;

use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm as Algorithm,
};
use openidconnect::{
    AdditionalClaims, ClaimsVerificationError as Wrong, ClientId, EndUserEmail, EndUserName, EndUserUsername, IdToken,
    IdTokenVerifier, LocalizedClaim, Nonce, SignatureVerificationError as WrongSignature, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::IdTokenError;
use super::issuer::Metadata;
use super::pin::Pin;

/// Algorithms by which an issuer may sign. With one that is symmetric, whoever knows the client secret could make
/// tokens; with none, anybody.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// Claims that OpenID Connect knows nothing of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Others {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Others {}

type Token = IdToken<Others, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, Algorithm>;

/// A person, in the issuer's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Person {
    /// The issuer's id of them.
    pub(super) sub: String,
    pub(super) name: Option<String>,
    /// Their address, in lower case, where the issuer has verified it.
    pub(super) email: Option<String>,
    /// What else is said.
    pub(super) claims: Map<String, Value>,
    /// When the token ends, in seconds since 1970.
    pub(super) expires: u64,
}

/// Checks an ID token: the pinned issuer, our client alone, an algorithm of [`ALGORITHMS`], a key of the issuer's, not
/// expired, and the nonce of the sign-in where it came from one.
pub(super) fn verify(
    token: &str,
    pin: &Pin,
    metadata: &Metadata,
    nonce: Option<&Nonce>,
) -> Result<Person, IdTokenError> {
    let token = Token::from_str(token).map_err(|_| IdTokenError::Form)?;
    let client = ClientId::new(pin.client_id.clone());
    // The verifier of a public client: it knows no secret that a symmetric signature could be checked with.
    let verifier: IdTokenVerifier<'_, CoreJsonWebKey> =
        IdTokenVerifier::new_public_client(client.clone(), metadata.issuer().clone(), metadata.jwks().clone())
            .set_allowed_algs(ALGORITHMS);
    let claims = match nonce {
        Some(nonce) => token.claims(&verifier, nonce),
        None => token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
    }?;
    // The library leaves it to us: a token that was given to another client says so here.
    if claims.authorized_party().is_some_and(|party| *party != client) {
        return Err(IdTokenError::Audience);
    }
    let mut person = Person {
        sub: claims.subject().to_string(),
        name: None,
        email: None,
        claims: claims.additional_claims().all.clone(),
        expires: u64::try_from(claims.expiration().timestamp()).unwrap_or_default(),
    };
    person.learn(
        claims.email().filter(|_| claims.email_verified() == Some(true)),
        claims.name(),
        claims.preferred_username(),
    );
    Ok(person)
}

impl Person {
    /// Adds what the issuer's user info says, as far as the ID token did not.
    pub(super) fn add(&mut self, info: &UserInfoClaims<Others, CoreGenderClaim>) {
        self.learn(
            info.email().filter(|_| info.email_verified() == Some(true)),
            info.name(),
            info.preferred_username(),
        );
        for (name, value) in &info.additional_claims().all {
            self.claims.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    fn learn(
        &mut self,
        verified: Option<&EndUserEmail>,
        name: Option<&LocalizedClaim<EndUserName>>,
        username: Option<&EndUserUsername>,
    ) {
        if self.email.is_none() {
            let email = verified.map(|email| email.trim().to_lowercase());
            self.email = email.filter(|email| email.contains('@') && email.len() <= 254);
        }
        if self.name.is_none() {
            let name = name.and_then(|name| name.get(None)).map(|name| name.as_str());
            let name = name.or_else(|| username.map(|name| name.as_str()));
            // The name goes into a cookie, which has to stay small.
            self.name = name.map(|name| name.chars().take(100).collect());
        }
    }

    /// The values of a claim: a text, or a list of texts. `claim` is a name, or a JSON pointer.
    pub(super) fn values(&self, claim: &str) -> Vec<String> {
        let found = match claim.starts_with('/') {
            true => Value::Object(self.claims.clone()).pointer(claim).cloned(),
            false => self.claims.get(claim).cloned(),
        };
        match found {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(Into::into).collect(),
            _ => Vec::new(),
        }
    }
}

impl From<Wrong> for IdTokenError {
    fn from(error: Wrong) -> Self {
        match error {
            Wrong::Expired(_) => Self::Expired,
            Wrong::InvalidAudience(_) => Self::Audience,
            Wrong::InvalidIssuer(_) => Self::Issuer,
            Wrong::InvalidNonce(_) => Self::Nonce,
            Wrong::SignatureVerification(error) => match error {
                WrongSignature::DisallowedAlg(_) | WrongSignature::UnsupportedAlg(_) | WrongSignature::NoSignature => {
                    Self::Algorithm
                }
                WrongSignature::NoMatchingKey | WrongSignature::AmbiguousKeyId(_) => Self::UnknownKey,
                _ => Self::Signature,
            },
            other => Self::Other(other.to_string()),
        }
    }
}
