//! Every port in memory: for tests, also an embedder's own. As strict about tenants, fences and states as a store has to
//! be; nothing outlives the process.

mod catalog;
mod clock;
mod directory;
mod journal;
pub(crate) mod keys;
mod links;
mod sink;
mod vault;

use std::sync::Arc;

use async_trait::async_trait;

use crate::authority::Authority;
use crate::clock::Clock;
use crate::limiter::MemoryLimiter;
use crate::ports::{Bucket, Limiter, StoreError, StoreResult};

pub use clock::ManualClock;
pub use sink::StoredDocument;

/// All ports at once.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    catalog: catalog::Catalog,
    directory: directory::Directory,
    journal: journal::Journal,
    limiter: MemoryLimiter,
    links: links::Kept,
    sink: sink::Sink,
    vault: vault::Vault,
}

impl MemoryStore {
    /// An empty store; leases end by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            catalog: Default::default(),
            directory: Default::default(),
            journal: Default::default(),
            limiter: Default::default(),
            links: Default::default(),
            sink: Default::default(),
            vault: Default::default(),
        }
    }
}

#[async_trait]
impl Limiter for MemoryStore {
    async fn take(&self, at: &Authority, buckets: &[Bucket]) -> StoreResult<Option<u64>> {
        self.limiter.take(at, buckets).await
    }

    async fn drained(&self, at: &Authority, bucket: &Bucket, millis: u64) -> StoreResult<()> {
        self.limiter.drained(at, bucket, millis).await
    }
}

fn not_found(what: impl Into<String>) -> StoreError {
    StoreError::NotFound { what: what.into() }
}

fn conflict(what: impl Into<String>, found: impl Into<String>) -> StoreError {
    StoreError::Conflict { what: what.into(), found: found.into() }
}
