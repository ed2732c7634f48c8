//! SQLite behind the traits that the runtime, the index and the agent declare.
//!
//! One data directory is one [`Store`], which implements every port: documents and cursors
//! ([`Sink`](sallyport::ports::Sink)), chunks and who may read them ([`ChunkStore`](sallyport_index::ChunkStore)), the
//! journal, sealed secrets, rate tokens, connectors, connections; and beside the ports the host's own [`accounts`].
//!
//! Several processes may have the same directory open, on a local file system: SQLite's log (WAL) lets them read while
//! one writes. In a process one thread writes; what queues up meanwhile shares a transaction and a flush.

pub mod accounts;
pub mod audit;
pub mod events;

mod access;
mod catalog;
mod chunks;
mod conversations;
mod db;
mod directory;
mod documents;
mod html;
mod journal;
mod keys;
mod limiter;
mod links;
mod lookups;
mod sink;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sallyport::blame::{Blame, Fault};
use sallyport::clock::Clock;
use sallyport::ports::{StoreError, StoreResult};

use accounts::Accounts;
use db::Db;
use journal::Openings;
use limiter::Drawn;
use lookups::Lookups;

/// An open data directory. Clones share it; its threads end with the last clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    drawn: Arc<Drawn>,
    lookups: Arc<Lookups>,
    openings: Arc<Openings>,
}

/// What an embedder or a test may set otherwise. The default is right for a host.
#[derive(Clone, Default)]
pub struct Options {
    /// Where leases and rate windows take the time from; default: the system's clock.
    pub clock: Option<Arc<dyn Clock>>,
    /// The database never grows beyond so many pages of 4 KiB: a write that would is refused as on a full disk.
    pub max_pages: Option<u32>,
    /// Each flush takes at least so long: for measuring on a disk that flushes at once.
    pub flush_delay: Option<Duration>,
}

impl Store {
    /// Opens the data directory, or makes it (mode 0700), and brings an older format to this version's.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(folder, Options::default())
    }

    /// [`Store::open`] with options.
    pub fn open_with(folder: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        Ok(Self {
            db: Db::open(folder.as_ref(), options)?,
            drawn: Arc::default(),
            lookups: Arc::default(),
            openings: Arc::default(),
        })
    }

    /// Tenants, API keys, users, the signing key and settings: what a server keeps beside the ports.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        Accounts::of(self.db.clone())
    }

    /// Flushes since it was opened, by this store and its clones: each is one fsync of the database's log, for all the
    /// writes that shared its transaction.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        self.db.flushes()
    }

    /// Moves the database's log into the database and empties it, so that the size of its files is what it holds. Blocks
    /// while others write.
    ///
    /// # Errors
    /// [`StoreError::Held`] where somebody is in the way all the time.
    pub fn checkpoint(&self) -> StoreResult<()> {
        Ok(self.db.checkpoint()?)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.db.folder().display())
    }
}

/// The data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder or a file in it cannot be made or opened.
    #[error("the data directory {path} cannot be used: {reason}; name another one with --data")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the file system said.
        reason: String,
    },
    /// The database in it cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault for OpenError {
    fn blame(&self) -> Blame {
        Blame::Host
    }

    fn retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.retryable())
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "data-directory",
            Self::Store(error) => error.code(),
        }
    }
}
