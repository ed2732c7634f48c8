//! Rate tokens.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreResult;
use crate::authority::Authority;

/// What a bucket is shared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// The registered client at the provider: all tenants that use it.
    Client,
    /// The workspace at the provider.
    Workspace,
    /// The connection.
    Connection,
    /// The route, within the other keys.
    Route,
}

/// So many requests in so many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// Requests.
    pub requests: u32,
    /// Milliseconds.
    pub millis: u64,
}

/// One bucket that a request draws from. `key` is made by the egress of provider, client, workspace, connection and
/// route as the manifest's `per` says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// Its name; equal keys share a bucket, over every process on the store.
    pub key: String,
    /// Its rate.
    pub rate: Rate,
}

/// Rate tokens. A request draws one of each bucket or none at all.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Draws a token from every bucket: `Ok(None)`; or `Ok(Some(millis))`: draw nothing, there will be one then.
    async fn take(&self, at: &Authority, buckets: &[Bucket]) -> StoreResult<Option<u64>>;
    /// The provider said that the bucket is empty: nothing is drawn from it for so many milliseconds.
    async fn drained(&self, at: &Authority, bucket: &Bucket, millis: u64) -> StoreResult<()>;
}
