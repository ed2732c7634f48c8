//! The sink owns the cursor.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreResult;
use crate::authority::{Authority, Fence};
use crate::document::Change;
use crate::ids::{SourceId, StreamId, Timestamp};

/// A lease: who holds it is known by the fence alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Grows with each holder.
    pub fence: Fence,
    /// When it ends unless renewed.
    pub until: Timestamp,
}

/// Where a stream stands when a pull begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullState {
    /// The lease under which the pull runs; put its fence into the [`Authority`].
    pub lease: Lease,
    /// The last checkpoint's cursor.
    pub cursor: Option<String>,
    /// Number of the last checkpoint; a commit names the one it follows.
    pub generation: u64,
    /// A sweep is under way (or was asked for and begins with this pull).
    pub sweep: bool,
    /// How many documents that sweep has listed so far. What it lists again counts in [`Committed::again`].
    pub listed: u64,
}

/// Everything that one checkpoint makes durable together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The changes in the order emitted.
    pub changes: Vec<Change>,
    /// The cursor that stands for them, at most 1 MiB.
    pub cursor: String,
    /// The checkpoint that this one follows.
    pub after: u64,
}

/// What a commit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The new checkpoint's number.
    pub generation: u64,
    /// Documents whose content is new or changed.
    pub documents: u64,
    /// Documents that were emitted but have the revision or content hash that is stored.
    pub unchanged: u64,
    /// Deletions of this connection's attestation.
    pub deleted: u64,
    /// Access or membership changes.
    pub access: u64,
    /// Documents that were emitted from outside the grant's containers, and so are not kept.
    #[serde(default)]
    pub refused: u64,
    /// During a sweep: documents that it had listed before.
    #[serde(default)]
    pub again: u64,
}

/// How a pull ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// The stream is up to date; everything was listed if a sweep was under way.
    Whole,
    /// Up to date, but not everything could be listed: a sweep proves nothing.
    Partial,
    /// Up to date, but the sweep began anew in the middle: what it had listed before and not since may be gone. Another
    /// one begins with the next pull.
    Anew,
    /// After [`Finish::Whole`] that named something: what is to become of it has been seen to, and the sweep is over. Where
    /// nobody comes to say so, the next pull sweeps again.
    Settled,
    /// Call again at once.
    More,
    /// Call again later.
    Wait,
    /// The pull failed; the cursor is where the last checkpoint left it.
    Failed,
}

/// Documents, access and cursor, in one transaction; idempotent.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Takes the stream's lease for `millis` and says where it stands. `sweep` asks for a new sweep unless one is under
    /// way; a stream without a cursor always sweeps. [`super::StoreError::Held`] while another holder lives.
    async fn begin(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        sweep: bool,
        millis: u64,
    ) -> StoreResult<PullState>;
    /// Renews the lease under the authority's fence.
    async fn renew(&self, at: &Authority, source: &SourceId, stream: &StreamId, millis: u64) -> StoreResult<Lease>;
    /// Stored revisions of documents that this connection attests, in the order asked.
    async fn revisions(&self, at: &Authority, source: &SourceId, ids: &[String]) -> StoreResult<Vec<Option<String>>>;
    /// Everything in the batch and its cursor, or nothing. Where the connection's grant names containers, as it is at this
    /// moment: of documents those that stand in one, the last of the batch's words on containers being known; one that is
    /// not kept is taken back if it was. So it is when a container moves, and when a grant is put. The same batch again (same `after`, same cursor) answers the
    /// same without doing it twice. An older fence or generation is a conflict.
    async fn commit(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        batch: Batch,
    ) -> StoreResult<Committed>;
    /// Ends the pull and gives the lease back. After [`Finish::Whole`] of a sweep: ids of documents that this connection
    /// attested in this stream before the sweep and that it neither listed nor upserted. They are kept until proven gone, and
    /// the sweep is under way until [`Finish::Settled`]; where there are none, it is over.
    async fn finish(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        finish: Finish,
    ) -> StoreResult<Vec<String>>;
    /// Takes back this connection's attestation of documents that the provider says are gone.
    async fn forget(&self, at: &Authority, source: &SourceId, stream: &StreamId, ids: &[String]) -> StoreResult<u64>;
}
