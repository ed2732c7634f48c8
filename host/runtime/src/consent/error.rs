//! Why somebody could not be connected.

use crate::blame::{Blame, Fault};
use crate::credentials::CredentialError;
use crate::error::InvokeError;
use crate::ports::StoreError;

/// Why somebody could not be connected. What can be tried again with the same link says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// Unknown, over, or too old: one case.
    #[error("this link leads nowhere, or no longer: ask for a new one where you got it")]
    Gone,
    /// No such return is expected: it was made up, or came before.
    #[error("nobody is expected back with this: it was used before, or never given out; open your link again")]
    UnknownState,
    /// They took too long.
    #[error("that took too long: open your link again and go on from there")]
    StateExpired,
    /// Another browser began.
    #[error("this was begun in another browser: go on there, or open your link again in this one")]
    OtherBrowser,
    /// Somebody else than the provider sent them.
    #[error("the answer says that it comes from {found}, and {expected} was asked: nothing was done")]
    Issuer {
        /// Who was asked.
        expected: String,
        /// Who it says that it is.
        found: String,
    },
    /// They said no.
    #[error("nothing was connected: it was declined")]
    Declined,
    /// The provider says something else than a code.
    #[error("{provider} sent you back with an error ({code}): open your link again")]
    Provider {
        /// The provider.
        provider: String,
        /// Its word.
        code: String,
    },
    /// Another version of the connector is installed now than was on the page.
    #[error("the connector was replaced meanwhile, and what it asks for may be another thing: look at the page again")]
    Changed,
    /// Something was chosen that is not on offer.
    #[error("{0}")]
    Choice(String),
    /// The provider granted nothing of what is needed.
    #[error("{provider} granted none of what was asked for: open your link again, and leave checked what you agree to")]
    NothingGranted {
        /// The provider.
        provider: String,
    },
    /// Connecting again has to be with the same account: its documents are kept by account.
    #[error(
        "this is the account {found}, and the connection is {expected}'s: use that account, or make a new connection"
    )]
    OtherAccount {
        /// Whose the connection is.
        expected: String,
        /// Whose account it was.
        found: String,
    },
    /// The token endpoint, the client, or what was pasted.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// Making the connection.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
}

impl From<StoreError> for ConsentError {
    fn from(error: StoreError) -> Self {
        Self::Invoke(error.into())
    }
}

impl Fault for ConsentError {
    fn blame(&self) -> Blame {
        match self {
            Self::Provider { .. } | Self::NothingGranted { .. } => Blame::Upstream,
            Self::Credential(error) => error.blame(),
            Self::Invoke(error) => error.blame(),
            _ => Blame::Caller,
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Credential(error) => error.retryable(),
            Self::Invoke(error) => error.retryable(),
            _ => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Gone => "link-gone",
            Self::UnknownState => "state-unknown",
            Self::StateExpired => "state-expired",
            Self::OtherBrowser => "other-browser",
            Self::Issuer { .. } => "issuer-differs",
            Self::Declined => "declined",
            Self::Provider { .. } => "provider-refused",
            Self::Changed => "connector-changed",
            Self::Choice(_) => "invalid-choice",
            Self::NothingGranted { .. } => "nothing-granted",
            Self::OtherAccount { .. } => "account-differs",
            Self::Credential(error) => error.code(),
            Self::Invoke(error) => error.code(),
        }
    }
}
