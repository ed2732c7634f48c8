//! Appends to an invocation's record.

use std::sync::Arc;

use crate::authority::Authority;
use crate::clock::Clock;
use crate::keys::JournalKey;
use crate::ports::{BodyRef, Durability, Entry, Event, Journal};

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
    /// As they are: how they are sealed is known when they are handed over.
    bodies: Vec<(BodyRef, Vec<u8>)>,
    gathered: u64,
}

impl Writer {
    /// Goes on after the entry before `next`.
    pub(super) fn new(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        at: Authority,
        key: JournalKey,
        next: u64,
    ) -> Self {
        Self { journal, clock, at, key, next, entries: Vec::new(), bodies: Vec::new(), gathered: 0 }
    }

    pub(super) fn key(&self) -> &JournalKey {
        &self.key
    }

    /// Keeps a body that the next entries name. Of one without a byte its name says everything.
    pub(super) fn body(&mut self, plain: &[u8]) -> BodyRef {
        let of = self.key.name(plain);
        self.gathered += of.size;
        if !plain.is_empty() {
            self.bodies.push((of.clone(), plain.to_vec()));
        }
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
        if self.entries.is_empty() && durability < Durability::Flushed {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.entries);
        let bodies = std::mem::take(&mut self.bodies);
        // Whoever waits for the disk waits longer than packing takes, and what waits for a person may be much and for long.
        let pack = durability == Durability::Flushed;
        let bodies = bodies.into_iter().map(|(of, plain)| self.key.seal_as(of, &plain, pack)).collect();
        let count = entries.len() as u64;
        self.journal.append(&self.at, self.next, entries, bodies, durability).await?;
        self.next += count;
        self.gathered = 0;
        Ok(())
    }
}
