//! Why this host could not do it.

use sallyport::{Blame, Fault, InvokeError};
use sallyport_index::IndexError;

use crate::api::error::ApiError;

/// Why this host could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The data directory cannot be opened.
    #[error(transparent)]
    Open(#[from] sallyport_store::OpenError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] sallyport::ports::StoreError),
    /// An invocation gave nothing.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// The index or the embedder failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The embedding model cannot be had.
    #[error(transparent)]
    Model(#[from] sallyport_index::ModelError),
    /// The master key cannot be used.
    #[error(transparent)]
    Key(#[from] sallyport::keys::KeyError),
    /// The host's key cannot be used.
    #[error(transparent)]
    HostKey(#[from] sallyport::audit::HostKeyError),
    /// A re-pointed origin is not of the right form.
    #[error(transparent)]
    Repoint(#[from] sallyport::wire::BadRepoint),
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] sallyport::engine::EngineError),
    /// The configuration is wrong.
    #[error("configuration: {0}")]
    Config(String),
    /// A value in the configuration file is wrong.
    #[error(transparent)]
    Value(#[from] crate::config::ConfigError),
    /// Nowhere to keep the model.
    #[error("no cache folder: set HOME or XDG_CACHE_HOME, or SALLYPORT_MODEL_DIR to a folder with the model")]
    NoCache,
    /// A connection is synchronised once at a time.
    #[error("a sync of this connection is running already")]
    SyncRuns,
    /// A task of ours ended early.
    #[error("a task of the host failed: {0}")]
    Task(String),
}

impl HostError {
    pub(crate) fn task(error: tokio::task::JoinError) -> Self {
        Self::Task(error.to_string())
    }
}

impl Fault for HostError {
    fn blame(&self) -> Blame {
        match self {
            Self::Open(error) => error.blame(),
            Self::Store(error) => error.blame(),
            Self::Invoke(error) => error.blame(),
            Self::Index(error) => index_blame(error.blame()),
            Self::Model(error) => index_blame(error.blame()),
            Self::SyncRuns => Blame::Caller,
            _ => Blame::Host,
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Open(error) => error.retryable(),
            Self::Store(error) => error.retryable(),
            Self::Invoke(error) => error.retryable(),
            Self::Index(error) => error.retry_helps(),
            Self::SyncRuns => true,
            _ => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Invoke(error) => error.code(),
            Self::Index(IndexError::QueryTooLong { .. }) => "query-too-long",
            Self::Index(_) => "search-failed",
            Self::Model(_) | Self::NoCache => "embedding-model",
            Self::Key(_) => "master-key",
            Self::HostKey(_) => "host-key",
            Self::Repoint(_) | Self::Config(_) | Self::Value(_) => "configuration",
            Self::Engine(_) => "engine",
            Self::SyncRuns => "busy",
            Self::Task(_) => "host",
        }
    }
}

fn index_blame(blame: sallyport_index::Blame) -> Blame {
    match blame {
        sallyport_index::Blame::Host => Blame::Host,
        sallyport_index::Blame::Upstream => Blame::Upstream,
        sallyport_index::Blame::Caller => Blame::Caller,
    }
}

impl From<HostError> for ApiError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Invoke(error) => error.into(),
            other => Self::from_fault(&other),
        }
    }
}
