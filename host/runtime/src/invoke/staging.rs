//! What a pull has emitted since its last checkpoint.

use std::collections::HashSet;
use std::sync::Arc;

use crate::authority::Authority;
use crate::document::Change;
use crate::engine::Limit;
use crate::ids::{SourceId, StreamId};
use crate::ports::{Batch, Committed, StoreError};

use super::weight::weight;
use super::{Services, Stop};

/// Told after every checkpoint.
pub(super) type OnCommit = Arc<dyn Fn(&Tally) + Send + Sync>;

/// What a sync of one stream has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) documents: u64,
    pub(crate) unchanged: u64,
    pub(crate) deleted: u64,
    pub(crate) access: u64,
    pub(crate) seen: u64,
    pub(crate) refused: u64,
    pub(crate) checkpoints: u64,
    /// Listed by a sweep that had listed them before.
    pub(crate) again: u64,
}

/// Changes on their way to the sink. One for all pulls of a stream in one sync.
pub(crate) struct Staging {
    pub(crate) source: SourceId,
    pub(super) stream: StreamId,
    /// The checkpoint that the next one follows.
    pub(super) generation: u64,
    pub(super) tally: Tally,
    changes: Vec<Change>,
    bytes: usize,
    cursors: HashSet<blake3::Hash>,
    idle: u32,
    max_idle: u32,
    on_commit: OnCommit,
}

impl Staging {
    pub(super) fn new(source: SourceId, stream: StreamId, max_idle: u32, on_commit: OnCommit) -> Self {
        Self {
            source,
            stream,
            generation: 0,
            tally: Tally::default(),
            changes: Vec::new(),
            bytes: 0,
            cursors: HashSet::new(),
            idle: 0,
            max_idle,
            on_commit,
        }
    }

    /// A new pull begins: what an earlier one left without a checkpoint never was.
    pub(super) fn begin(&mut self, generation: u64) {
        self.generation = generation;
        self.changes.clear();
        self.bytes = 0;
    }

    /// Everything is listed once more: its cursors may be those of the first time.
    pub(super) fn begin_anew(&mut self) {
        self.cursors.clear();
        self.idle = 0;
    }

    /// Stages, or says how much would be staged.
    pub(crate) fn stage(&mut self, mut changes: Vec<Change>, most: usize) -> Result<(), usize> {
        let bytes = self.bytes + changes.iter().map(weight).sum::<usize>();
        if bytes > most {
            return Err(bytes);
        }
        self.bytes = bytes;
        self.changes.append(&mut changes);
        Ok(())
    }

    /// Makes everything staged and the cursor durable together, or nothing.
    pub(crate) async fn checkpoint(&mut self, services: &Services, at: &Authority, cursor: String) -> Result<(), Stop> {
        let fresh = self.cursors.insert(blake3::hash(cursor.as_bytes()));
        let changes = std::mem::take(&mut self.changes);
        self.bytes = 0;
        self.idle = if fresh && !changes.is_empty() { 0 } else { self.idle + 1 };
        if self.idle > self.max_idle {
            let message =
                format!("{} checkpoints in a row brought nothing new: its cursor goes round in circles", self.idle);
            return Err(Stop::limit(Limit::Progress, message));
        }
        let seen: usize = changes.iter().map(|change| if let Change::Seen(ids) = change { ids.len() } else { 0 }).sum();
        let batch = Batch { changes, cursor, after: self.generation };
        let committed =
            services.sink.commit(at, &self.source, &self.stream, batch).await.map_err(|error| match error {
                StoreError::Conflict { .. } => Stop::Overtaken,
                other => Stop::Store(other),
            })?;
        self.count(committed, seen as u64);
        (self.on_commit)(&self.tally);
        Ok(())
    }

    fn count(&mut self, committed: Committed, seen: u64) {
        self.generation = committed.generation;
        self.tally.documents += committed.documents;
        self.tally.unchanged += committed.unchanged;
        self.tally.deleted += committed.deleted;
        self.tally.access += committed.access;
        self.tally.seen += seen;
        self.tally.refused += committed.refused;
        self.tally.again += committed.again;
        self.tally.checkpoints += 1;
    }
}
