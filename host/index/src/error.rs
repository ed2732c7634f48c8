//! What can go wrong in retrieval.

use std::path::PathBuf;

use crate::{EmbedError, StoreError};

/// Who has to change something for an error to go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever runs this host: a disk, a database, a missing file.
    Host,
    /// A service that the host asked: an embedding endpoint.
    Upstream,
    /// Whoever asked.
    Caller,
}

/// An index could not be opened, brought up to date or searched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The document store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedder failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The folder of the lexical index cannot be used, and building it again did not help.
    #[error("the search index in {path} cannot be used: {reason}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the file system or the index library said.
        reason: String,
    },
    /// Another process held the lexical index for longer than ten seconds.
    #[error("the search index in {0} is being written by another process")]
    Busy(PathBuf),
    /// The query is longer than 8 KiB.
    #[error("a query may have at most {limit} bytes; this one has {length}")]
    QueryTooLong {
        /// Bytes of the query.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A task of the index panicked or was cancelled with the runtime.
    #[error("a search task ended early: {0}")]
    Task(String),
}

impl IndexError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Store(error) => error.blame(),
            Self::Embed(error) => error.blame(),
            Self::Folder { .. } | Self::Busy(_) | Self::Task(_) => Blame::Host,
            Self::QueryTooLong { .. } => Blame::Caller,
        }
    }

    /// Whether the same call may succeed later.
    pub fn retry_helps(&self) -> bool {
        match self {
            Self::Store(error) => error.retry_helps(),
            Self::Embed(error) => error.retry_helps(),
            Self::Busy(_) => true,
            Self::Folder { .. } | Self::QueryTooLong { .. } | Self::Task(_) => false,
        }
    }
}
