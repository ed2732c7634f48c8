//! Why an export gave up.

use std::fmt;

/// Why an export of a connector gave up; each case is one state of the invocation.
///
/// `?` turns the errors of [`http`](crate::http), [`documents`](crate::documents) and
/// [`blobs`](crate::blobs) into the case that tells the host most.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The provider does not accept the credential any more. The host has already tried one refresh.
    #[error("needs re-authorisation: {0}")]
    NeedsReauth(String),
    /// The account lacks a right at the provider.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// Absent, or not to be seen by this account: one case, on purpose.
    #[error("not found: {0}")]
    NotFound(String),
    /// The arguments cannot be used. Shown to the model, which may correct them and call again.
    #[error("invalid input: {0}")]
    InvalidInput(String),
    /// Nothing was changed; the same call may work after so many milliseconds.
    #[error("try again in {millis} ms: {message}")]
    Later {
        /// How long to wait, in milliseconds.
        millis: u64,
        /// Why.
        message: String,
    },
    /// Anything else, under a stable kebab-case code.
    #[error("{0}")]
    Other(Problem),
}

impl Failure {
    /// The arguments cannot be used; say which and what would do.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::InvalidInput(message.into())
    }

    /// Absent or unseeable.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    /// Anything without a case of its own. `code` is stable kebab-case, such as `unknown-stream`.
    pub fn other(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Other(Problem::new(code, message))
    }
}

/// A stable kebab-case code with a message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable, kebab-case.
    pub code: String,
    /// For people.
    pub message: String,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}
