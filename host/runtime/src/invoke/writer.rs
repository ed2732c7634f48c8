//! Appends to an invocation's record.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::authority::Authority;
use crate::clock::Clock;
use crate::keys::JournalKey;
use crate::ids::Timestamp;
use crate::ports::{BodyRef, Claim, Durability, Entry, Event, Journal, Plan, SealedBody, StoreResult};

use super::Stop;

/// Entries and bodies are gathered up to this many bytes; a write, a hold and the end flush what there is before them.
const GATHER: u64 = 1 << 20;

/// The one writer of an invocation, under its claim.
pub(crate) struct Writer {
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    at: Authority,
    key: JournalKey,
    next: u64,
    entries: Vec<Entry>,
    bodies: Vec<SealedBody>,
    gathered: u64,
    /// The record's beginning, on its way into the store. In a lock, which is never taken, for the writer's sharing.
    opening: Option<Mutex<BoxFuture<'static, StoreResult<Claim>>>>,
}

/// What a record begins with.
pub(super) struct Opening {
    pub(super) plan: Plan,
    pub(super) bodies: Vec<SealedBody>,
    pub(super) when: Timestamp,
    /// How long the claim lasts, in milliseconds.
    pub(super) millis: u64,
}

impl Writer {
    /// Begins a record, under [`crate::authority::Fence::FIRST`]. The execution need not wait for it: [`Self::opened`]
    /// and every flush do.
    pub(super) fn open(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        at: Authority,
        key: JournalKey,
        opening: Opening,
    ) -> Self {
        let (store, holder) = (Arc::clone(&journal), at.clone());
        let Opening { plan, bodies, when, millis } = opening;
        let mut opening = async move { store.open(&holder, &plan, bodies, when, millis).await }.boxed();
        // Polled once, so that the store has it from now on.
        let opening = match (&mut opening).now_or_never() {
            Some(done) => futures::future::ready(done).boxed(),
            None => opening,
        };
        Self { opening: Some(Mutex::new(opening)), ..Self::new(journal, clock, at, key, 1) }
    }

    /// Goes on after the entry before `next`.
    pub(super) fn new(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        at: Authority,
        key: JournalKey,
        next: u64,
    ) -> Self {
        Self { journal, clock, at, key, next, entries: Vec::new(), bodies: Vec::new(), gathered: 0, opening: None }
    }

    /// Waits until the record's beginning is in the store.
    pub(super) async fn opened(&mut self) -> Result<(), Stop> {
        match self.opening.take() {
            Some(opening) => Ok(opening.into_inner().await.map(drop)?),
            None => Ok(()),
        }
    }

    pub(super) fn key(&self) -> &JournalKey {
        &self.key
    }

    /// Seals a body that the next entries name.
    pub(super) fn body(&mut self, plain: &[u8]) -> BodyRef {
        let body = self.key.seal(plain);
        let of = body.of.clone();
        self.gathered += of.size;
        self.bodies.push(body);
        of
    }

    /// The next entry; durable with the next flush.
    pub(super) fn push(&mut self, event: Event) {
        let seq = self.next + self.entries.len() as u64;
        self.entries.push(Entry { seq, at: self.clock.now(), event });
    }

    /// Hands over what was gathered if it is much.
    pub(super) async fn relieve(&mut self) -> Result<(), Stop> {
        if self.gathered > GATHER { self.flush(Durability::Eventual).await } else { Ok(()) }
    }

    /// Hands over what was gathered. With [`Durability::Flushed`] everything up to here is on the disk afterwards.
    pub(super) async fn flush(&mut self, durability: Durability) -> Result<(), Stop> {
        self.opened().await?;
        if self.entries.is_empty() && durability < Durability::Flushed {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.entries);
        let bodies = std::mem::take(&mut self.bodies);
        let count = entries.len() as u64;
        self.journal.append(&self.at, self.next, entries, bodies, durability).await?;
        self.next += count;
        self.gathered = 0;
        Ok(())
    }
}
