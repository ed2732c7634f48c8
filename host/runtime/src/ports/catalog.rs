//! Which connectors are installed.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreResult;
use crate::ids::{ConnectorId, Digest, Timestamp};

/// An installed connector file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Its id, from the sealed manifest.
    pub connector: ConnectorId,
    /// Its version, from the sealed manifest.
    pub version: String,
    /// What exactly is installed.
    pub digest: Digest,
    /// Bytes of the file.
    pub size: u64,
    /// When it was installed.
    pub at: Timestamp,
}

/// Installed connectors: one live version an id. Files of earlier versions are kept while invocations name them.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Makes `bytes` the live version of `entry.connector`. Idempotent for the same digest.
    async fn install(&self, entry: &Installed, bytes: &[u8]) -> StoreResult<()>;
    /// The live version.
    async fn live(&self, connector: &ConnectorId) -> StoreResult<Installed>;
    /// Every live version, by id.
    async fn list(&self) -> StoreResult<Vec<Installed>>;
    /// The sealed file with this digest, live or not.
    async fn bytes(&self, digest: &Digest) -> StoreResult<Vec<u8>>;
}
