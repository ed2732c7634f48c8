//! Why a secret could not be used.

use crate::blame::{Blame, Fault};
use crate::keys::KeyError;
use crate::ports::StoreError;

use super::SHORTEST;

/// Why a secret could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The provider takes it no more, or nobody can tell: a person has to connect again.
    #[error("{0}")]
    NeedsReauth(String),
    /// The token endpoint cannot be reached, or is out of order. Nothing was changed.
    #[error("the token endpoint cannot be reached: {0}")]
    Unreachable(String),
    /// The token endpoint refuses for a reason that is not the token's.
    #[error("the token endpoint refuses: {0}")]
    Refused(String),
    /// A secret that is so short that it cannot be told from other text where it must not appear.
    #[error("{what} is shorter than {SHORTEST} bytes: too short to be a secret; is it pasted whole?")]
    TooShort {
        /// Which one.
        what: String,
    },
    /// What was pasted is not what it should be. None of it is told.
    #[error("{0}")]
    Pasted(String),
    /// The registered client is not whole.
    #[error("no {field} is registered for {provider}: an operator can register the client's fields")]
    Client {
        /// The provider.
        provider: String,
        /// The missing field.
        field: String,
    },
    /// The manifest and the connection do not fit together.
    #[error("{0}")]
    Manifest(String),
    /// Keys or sealing.
    #[error(transparent)]
    Key(KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<KeyError> for CredentialError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => Self::Store(error),
            other => Self::Key(other),
        }
    }
}

impl Fault for CredentialError {
    fn blame(&self) -> Blame {
        match self {
            Self::NeedsReauth(_) | Self::Unreachable(_) | Self::Refused(_) => Blame::Upstream,
            Self::TooShort { .. } | Self::Pasted(_) | Self::Client { .. } | Self::Manifest(_) => Blame::Caller,
            Self::Key(error) => error.blame(),
            Self::Store(error) => error.blame(),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Key(error) => error.retryable(),
            Self::Store(error) => error.retryable(),
            _ => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NeedsReauth(_) => "needs-reauth",
            Self::Unreachable(_) => "token-endpoint-unreachable",
            Self::Refused(_) => "token-endpoint-refused",
            Self::TooShort { .. } => "secret-too-short",
            Self::Pasted(_) => "secret-malformed",
            Self::Client { .. } => "client-not-registered",
            Self::Manifest(_) => "credential-manifest",
            Self::Key(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}
