//! Why a turn ended without an answer.

use sallyport::{Blame, Fault, InvokeError};

use crate::model::ModelError;
use crate::ports::PortError;

/// Why a turn ended without an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The request is empty or too long.
    #[error("a request has 1 to {limit} bytes; this one has {length}")]
    Request {
        /// Bytes that came.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The model endpoint gave no usable answer.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Search, documents or conversations did not answer.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The runtime could not say which tools there are, or failed as a host while one ran.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// The turn ran over its budget. What was done until then stands and is in the journal.
    #[error("the turn was stopped at its limit of {limit} {unit}; ask for less at a time, or raise `{setting}`")]
    Budget {
        /// How much was allowed.
        limit: u64,
        /// Of what: `steps`, `tokens`, `seconds`.
        unit: &'static str,
        /// The setting that holds the limit.
        setting: &'static str,
    },
    /// Whoever listened has gone away.
    #[error("the turn was given up: nobody listens any more")]
    Abandoned,
}

impl Fault for AgentError {
    fn blame(&self) -> Blame {
        match self {
            Self::Request { .. } | Self::Budget { .. } | Self::Abandoned => Blame::Caller,
            Self::Model(error) => error.blame(),
            Self::Port(error) => error.blame(),
            Self::Invoke(error) => error.blame(),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Model(error) => error.retryable(),
            Self::Port(error) => error.retryable(),
            Self::Invoke(error) => error.retryable(),
            Self::Request { .. } | Self::Budget { .. } | Self::Abandoned => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Request { .. } => "bad-request",
            Self::Model(error) => error.code(),
            Self::Port(error) => error.code(),
            Self::Invoke(error) => error.code(),
            Self::Budget { .. } => "budget-exhausted",
            Self::Abandoned => "abandoned",
        }
    }
}
