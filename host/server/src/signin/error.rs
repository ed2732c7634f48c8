//! Why somebody was not signed in, and what to do about it.

use axum::http::StatusCode;
use sallyport::keys::KeyError;
use sallyport::ports::StoreError;
use sallyport::{Blame, Fault};

use crate::api::error::ApiError;

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The tenant pins no issuer; whether there is such a tenant is not told.
    #[error("no sign-in is set up for the workspace {0:?}: check the name, or ask for `sallyport signin set`")]
    NotSetUp(String),
    /// What an operator wants to pin is not of its form.
    #[error("{0}")]
    Pin(String),
    /// What is kept of a pinned issuer is of another version, or was changed.
    #[error("what is kept of the sign-in cannot be read: set it up again with `sallyport signin set`")]
    Kept,
    /// The issuer does not answer.
    #[error("the issuer {issuer} cannot be reached: {why}. Try again later")]
    Unreachable {
        /// The pinned issuer.
        issuer: String,
        /// How it failed.
        why: String,
    },
    /// The issuer answers something that cannot be worked with.
    #[error("the issuer {issuer} cannot be used: {why}. An operator can compare it with `sallyport signin show`")]
    Issuer {
        /// The pinned issuer.
        issuer: String,
        /// What is wrong.
        why: String,
    },
    /// The issuer does not take this host for its client.
    #[error(
        "the issuer {issuer} refuses this host: {why}. An operator can check client id, client secret and redirect \
         address with `sallyport signin show`"
    )]
    Client {
        /// The pinned issuer.
        issuer: String,
        /// What it says.
        why: String,
    },
    /// The issuer sent the person back without an authorisation.
    #[error("the issuer did not sign you in: {0}")]
    Denied(String),
    /// The answer belongs to no sign-in that this browser began.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    /// The ID token does not count.
    #[error("the ID token is refused: {0}")]
    IdToken(#[from] IdTokenError),
    /// The person is known, and not let in.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Keys or sealing.
    #[error(transparent)]
    Key(KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an answer of an issuer belongs to no sign-in of this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// No cookie of ours.
    #[error("this browser has begun no sign-in, or keeps no cookies: begin again, in the same browser")]
    Absent,
    /// The cookie is of another sign-in, or of another host.
    #[error("this answer belongs to another sign-in: begin again")]
    Other,
    /// It took too long.
    #[error("the sign-in took longer than ten minutes: begin again")]
    Expired,
    /// The answer was used.
    #[error("this answer was used already: begin again")]
    Used,
    /// The workspace has another issuer by now.
    #[error("the workspace's sign-in was changed meanwhile: begin again")]
    Changed,
    /// The answer names another issuer, or none where it has to (RFC 9207).
    #[error("the answer is not from the workspace's issuer: begin again, and tell an operator if it happens twice")]
    Issuer,
    /// Neither a code nor an error.
    #[error("the issuer's answer holds no code: begin again")]
    NoCode,
}

/// Why an ID token does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdTokenError {
    /// It is no JWT with the claims of an ID token.
    #[error("it is not of the form of one")]
    Form,
    /// The issuer gave none.
    #[error("the issuer gave none")]
    Absent,
    /// Another issuer's.
    #[error("it is not of the workspace's issuer")]
    Issuer,
    /// For another client, or for others too.
    #[error("it is not for this host's client alone")]
    Audience,
    /// Signed by a shared secret, by nothing, or by what is not known.
    #[error("it is not signed by an algorithm that counts (RS, PS, ES, EdDSA)")]
    Algorithm,
    /// The issuer has no such key.
    #[error("it is signed by a key that the issuer does not list")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("its signature is wrong")]
    Signature,
    /// Of another sign-in.
    #[error("its nonce is not this sign-in's")]
    Nonce,
    /// Too old.
    #[error("it has expired")]
    Expired,
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// Why a person is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAllowed {
    /// No verified address of an allowed domain.
    #[error("this workspace is for verified e-mail addresses of {0}; your account at the issuer has none")]
    Domain(String),
    /// No role of the workspace.
    #[error("your account at the issuer has no role in this workspace: ask its admin for one")]
    NoRole,
}

impl From<KeyError> for SignInError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => Self::Store(error),
            other => Self::Key(other),
        }
    }
}

impl Fault for SignInError {
    fn blame(&self) -> Blame {
        match self {
            Self::NotSetUp(_) | Self::Pin(_) | Self::Denied(_) => Blame::Caller,
            Self::Attempt(_) | Self::IdToken(_) | Self::NotAllowed(_) => Blame::Caller,
            Self::Unreachable { .. } | Self::Issuer { .. } => Blame::Upstream,
            Self::Client { .. } | Self::Kept => Blame::Host,
            Self::Key(error) => error.blame(),
            Self::Store(error) => error.blame(),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Key(error) => error.retryable(),
            Self::Store(error) => error.retryable(),
            _ => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotSetUp(_) => "no-sign-in",
            Self::Pin(_) => "sign-in-setting",
            Self::Kept => "sign-in-kept",
            Self::Unreachable { .. } => "issuer-unreachable",
            Self::Issuer { .. } => "issuer",
            Self::Client { .. } => "issuer-client",
            Self::Denied(_) => "sign-in-denied",
            Self::Attempt(_) => "sign-in-state",
            Self::IdToken(_) => "id-token",
            Self::NotAllowed(_) => "sign-in-not-allowed",
            Self::Key(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        let status = match &error {
            SignInError::NotSetUp(_) => StatusCode::NOT_FOUND,
            SignInError::Attempt(_) => StatusCode::BAD_REQUEST,
            SignInError::IdToken(_) => StatusCode::UNAUTHORIZED,
            SignInError::Denied(_) | SignInError::NotAllowed(_) => StatusCode::FORBIDDEN,
            // The host asked, and the issuer did not answer as it should: 502, whoever's the setting is.
            SignInError::Client { .. } => StatusCode::BAD_GATEWAY,
            other => return Self::from_fault(other),
        };
        Self::new(status, error.code(), error.to_string())
    }
}
