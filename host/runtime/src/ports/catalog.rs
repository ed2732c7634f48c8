//! Which connectors are installed.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreResult;
use crate::ids::{ConnectorId, Digest, Publisher, Timestamp};

/// An installed connector file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Its id, from the sealed manifest.
    pub connector: ConnectorId,
    /// Its version, from the sealed manifest.
    pub version: String,
    /// Whose signature the file bears; `None`: nobody's, and an operator vouched for it.
    pub publisher: Option<Publisher>,
    /// What exactly is installed.
    pub digest: Digest,
    /// Bytes of the file.
    pub size: u64,
    /// When it was installed.
    pub at: Timestamp,
}

/// Installed connectors: one live version an id, and at most one that waits for consent. Files of earlier versions are
/// kept while invocations name them.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Makes `bytes` the live version of `entry.connector`, if `over` is the last one until then (`None`: there is none);
    /// else `Conflict`, since what was compared with is not what would be replaced. A version that waited no longer does.
    /// Idempotent for the same digest.
    async fn install(&self, entry: &Installed, bytes: &[u8], over: Option<&Digest>) -> StoreResult<()>;
    /// Keeps `bytes` as the version of `entry.connector` that waits, in place of one that waited before. A live one stays.
    async fn hold(&self, entry: &Installed, bytes: &[u8]) -> StoreResult<()>;
    /// Takes a connector away, if this is its live version: true if it was. A version of this digest that waits no longer
    /// does. Its file, and whose it is, stay known.
    async fn remove(&self, connector: &ConnectorId, digest: &Digest) -> StoreResult<bool>;
    /// The last live version, also of a connector that was removed: what a new one is compared with.
    async fn last(&self, connector: &ConnectorId) -> StoreResult<Option<Installed>>;
    /// The live version.
    async fn live(&self, connector: &ConnectorId) -> StoreResult<Installed>;
    /// The version that waits, if one does.
    async fn waiting(&self, connector: &ConnectorId) -> StoreResult<Option<Installed>>;
    /// Every live version, by id.
    async fn list(&self) -> StoreResult<Vec<Installed>>;
    /// The sealed file with this digest, live or not.
    async fn bytes(&self, digest: &Digest) -> StoreResult<Vec<u8>>;
}
