//! Why an invocation gave nothing.

use crate::admission::NotAdmitted;
use crate::blame::{Blame, Fault};
use crate::decider::NotDecider;
use crate::ports::StoreError;

/// One place in arguments or a result that breaks the schema, said so that a model can repair it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Violation {
    /// JSON pointer into the value; empty is the whole.
    pub at: String,
    /// What is wrong and what would be right.
    pub message: String,
}

fn listed(violations: &[Violation]) -> String {
    let line = |v: &Violation| format!("{}: {}", if v.at.is_empty() { "/" } else { &v.at }, v.message);
    violations.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// Why an invocation gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// No such connection, tool or invocation for this caller.
    #[error("{what} not found")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The grant does not hold what is needed.
    #[error("{what} is not granted; an admin can grant it: {cure}")]
    NotGranted {
        /// The capability, by id, or the constraint.
        what: String,
        /// The command that would.
        cure: String,
    },
    /// Policy or a person's rights forbid it.
    #[error("not allowed: {reason}")]
    Forbidden {
        /// Why.
        reason: String,
    },
    /// Somebody else decides about it.
    #[error(transparent)]
    NotDecider(#[from] NotDecider),
    /// The arguments break the tool's input schema.
    #[error("the arguments do not fit the tool's schema: {}", listed(.0))]
    Arguments(Vec<Violation>),
    /// The guest rejected the arguments.
    #[error("the connector refuses the arguments: {0}")]
    InvalidInput(String),
    /// The guest's result breaks its own schema.
    #[error("the connector's result does not fit its own schema: {}", listed(.0))]
    Result(Vec<Violation>),
    /// The provider no longer takes the connection's secret.
    #[error("the connection needs to be authorised again ({0}): connect it anew")]
    NeedsReauth(String),
    /// The account lacks a right at the provider.
    #[error("the service forbids it: {0}")]
    UpstreamForbids(String),
    /// Absent at the provider, or not to be seen by this account.
    #[error("the service does not have it, or this account may not see it: {0}")]
    UpstreamNotFound(String),
    /// Not now; nothing was changed.
    #[error("not now, try again in {millis} ms: {message}")]
    Later {
        /// How long.
        millis: u64,
        /// Why.
        message: String,
    },
    /// The guest gave up for a reason of its own.
    #[error("the connector gave up ({code}): {message}")]
    Guest {
        /// The guest's code.
        code: String,
        /// The guest's words.
        message: String,
    },
    /// The guest trapped or ran over a limit.
    #[error("the connector was stopped ({limit}): {message}")]
    Trapped {
        /// Which limit, or `trap`.
        limit: &'static str,
        /// What happened.
        message: String,
    },
    /// The replay asked for something else than its record.
    #[error("the replay differs from its record and was stopped: {message}")]
    Diverged {
        /// Where and how.
        message: String,
    },
    /// A write was sent and its outcome is not known. It is not sent again.
    #[error("a write was sent and its outcome is unknown (call {call}, {target}): look at the service, then decide")]
    Unknown {
        /// Which call.
        call: u32,
        /// What it was.
        target: String,
    },
    /// The invocation is not in a state in which this can be done.
    #[error("the invocation is {state}: {message}")]
    State {
        /// Its state.
        state: String,
        /// What follows.
        message: String,
    },
    /// The approval no longer stands: something that it covered has changed.
    #[error("the approval is void: {what} changed; propose it anew")]
    Void {
        /// What changed.
        what: String,
    },
    /// The installed file cannot be run.
    #[error("the connector cannot be loaded: {0}")]
    Component(String),
    /// The file is a connector's, and not one that may be installed so.
    #[error(transparent)]
    Admission(#[from] NotAdmitted),
    /// The store refused.
    #[error(transparent)]
    Store(StoreError),
    /// The host failed.
    #[error("the host failed: {0}")]
    Host(String),
}

impl From<StoreError> for InvokeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Self::NotFound { what },
            other => Self::Store(other),
        }
    }
}

impl Fault for InvokeError {
    fn blame(&self) -> Blame {
        match self {
            Self::NotFound { .. }
            | Self::NotGranted { .. }
            | Self::Forbidden { .. }
            | Self::Arguments(_)
            | Self::InvalidInput(_)
            | Self::State { .. }
            | Self::Void { .. } => Blame::Caller,
            Self::Result(_)
            | Self::Guest { .. }
            | Self::Trapped { .. }
            | Self::Diverged { .. }
            | Self::Component(_) => Blame::Guest,
            Self::NeedsReauth(_)
            | Self::UpstreamForbids(_)
            | Self::UpstreamNotFound(_)
            | Self::Later { .. }
            | Self::Unknown { .. } => Blame::Upstream,
            Self::NotDecider(error) => error.blame(),
            Self::Admission(error) => error.blame(),
            Self::Store(error) => error.blame(),
            Self::Host(_) => Blame::Host,
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Later { .. } => true,
            Self::Store(error) => error.retryable(),
            _ => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::NotGranted { .. } => "not-granted",
            Self::Forbidden { .. } => "forbidden",
            Self::Arguments(_) => "schema-violation",
            Self::InvalidInput(_) => "invalid-input",
            Self::Result(_) => "result-schema-violation",
            Self::NeedsReauth(_) => "needs-reauth",
            Self::UpstreamForbids(_) => "upstream-forbidden",
            Self::UpstreamNotFound(_) => "upstream-not-found",
            Self::Later { .. } => "later",
            Self::Guest { .. } => "connector-failed",
            Self::Trapped { .. } => "connector-stopped",
            Self::Diverged { .. } => "diverged",
            Self::Unknown { .. } => "write-unknown",
            Self::State { .. } => "wrong-state",
            Self::Void { .. } => "approval-void",
            Self::Component(_) => "component",
            Self::NotDecider(error) => error.code(),
            Self::Admission(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Host(_) => "host",
        }
    }
}
