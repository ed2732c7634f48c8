//! Why there is no answer.

use super::written;
use crate::{Failure, Problem};

/// How long a call is worth putting off when the service could not be reached, in milliseconds.
const UNREACHABLE_DELAY: u64 = 10_000;

/// Why a request has no answer. An answer of any status is not an error: see
/// [`Response::ok`](super::Response::ok).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No grant, route, header, parameter or address allows it. The connector's or the operator's to mend.
    #[error("refused: {0}")]
    Denied(Problem),
    /// The request is no request. The connector's to mend.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// Not sent: the rate limit is used up for so many milliseconds. In a pull, checkpoint and give
    /// [`Outcome::Wait`](crate::sync::Outcome::Wait).
    #[error("rate limited for {0} ms")]
    Throttled(u64),
    /// The provider does not accept the credential any more.
    #[error("needs re-authorisation: {0}")]
    NeedsReauth(String),
    /// No byte was written.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// A read had no whole answer. (A write in doubt ends the invocation instead.)
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// The answer is larger than 4 MiB decoded; ask for it [as a blob](super::Request::to_blob).
    #[error("the answer has {0} bytes, too many to be given inline")]
    TooLarge(u64),
    /// The answer held a secret and was dropped.
    #[error("the answer held a secret and was dropped")]
    SecretInResponse,
    /// Anything else.
    #[error("{0}")]
    Other(Problem),
}

impl Error {
    /// Whether the same request may work later without anybody changing anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unreachable(_) | Self::Interrupted(_))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NeedsReauth(message) => Failure::NeedsReauth(message),
            Error::Denied(problem) | Error::Other(problem) => Failure::Other(problem),
            Error::Malformed(_) => Failure::other("malformed-request", message),
            Error::TooLarge(_) => Failure::other("too-large", message),
            Error::SecretInResponse => Failure::other("secret-in-response", message),
            Error::Throttled(millis) => later(millis, message),
            Error::Unreachable(_) | Error::Interrupted(_) => later(UNREACHABLE_DELAY, message),
        }
    }
}

/// `later` where nothing was changed yet, an honest other failure where something was.
pub(super) fn later(millis: u64, message: String) -> Failure {
    if written::any() { Failure::other("stopped-after-a-write", message) } else { Failure::Later { millis, message } }
}
