//! Why an execution ended before its export returned.

use crate::engine::Limit;
use crate::error::InvokeError;
use crate::ports::{Effect, StoreError};

/// Travels through the guest as a trap; whoever ran it finds the type again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// It reached a write that needs approval.
    #[error("a write needs approval")]
    Held {
        /// Index of the host call.
        call: u32,
        /// The write.
        effect: Box<Effect>,
        /// Why a person is asked.
        reasons: Vec<String>,
    },
    /// It asked for something else than its record says.
    #[error("the replay differs from its record: {0}")]
    Diverged(String),
    /// A write was sent and nobody knows whether it took effect.
    #[error("nobody knows whether a write took effect ({target})")]
    Unknown {
        /// Index of the host call.
        call: u32,
        /// What it was.
        target: String,
    },
    /// What was approved is not what would happen.
    #[error("{0} changed since the approval")]
    Void(String),
    /// It ran into a bound.
    #[error("{message}")]
    Limit {
        /// Which.
        limit: Limit,
        /// What happened.
        message: String,
    },
    /// A pull was told to end: another process took its lease.
    #[error("another process took over")]
    Overtaken,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The host failed.
    #[error("{0}")]
    Host(String),
}

impl Stop {
    pub(crate) fn limit(limit: Limit, message: String) -> Self {
        Self::Limit { limit, message }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<crate::keys::KeyError> for Stop {
    fn from(error: crate::keys::KeyError) -> Self {
        match error {
            crate::keys::KeyError::Store(error) => Self::Store(error),
            other => Self::Host(other.to_string()),
        }
    }
}

impl From<Stop> for InvokeError {
    fn from(stop: Stop) -> Self {
        match stop {
            // Whoever runs a tool turns this into an outcome; nothing else can be held.
            Stop::Held { .. } => Self::Host("an execution that writes nothing was held".into()),
            Stop::Diverged(message) => Self::Diverged { message },
            Stop::Unknown { call, target } => Self::Unknown { call, target },
            Stop::Void(what) => Self::Void { what },
            Stop::Limit { limit, message } => Self::Trapped { limit: limit.as_str(), message },
            Stop::Overtaken => Self::Later { millis: 1_000, message: "another process took over".into() },
            Stop::Store(error) => error.into(),
            Stop::Host(message) => Self::Host(message),
        }
    }
}
