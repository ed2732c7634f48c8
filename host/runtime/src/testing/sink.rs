//! Documents and cursors in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{MemoryStore, conflict, not_found};
use crate::authority::{Authority, Fence};
use crate::constraint::is_within;
use crate::document::{Change, Document};
use crate::ids::{ConnectionId, SourceId, StreamId, TenantId, Timestamp};
use crate::ports::{self, Batch, Committed, Finish, Lease, PullState, StoreError, StoreResult};

/// A document as one connection attests it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// The stream that brought it.
    pub stream: StreamId,
    /// The document.
    pub document: Document,
}

type StreamKey = (TenantId, ConnectionId, SourceId, StreamId);

#[derive(Default)]
pub(super) struct Sink {
    streams: Mutex<BTreeMap<StreamKey, Stream>>,
    documents: Mutex<BTreeMap<Key, StoredDocument>>,
    /// What holds each container.
    parents: Mutex<BTreeMap<Key, Option<String>>>,
}

/// A document or container of a connection.
type Key = (TenantId, ConnectionId, String);

#[derive(Default)]
struct Stream {
    cursor: Option<String>,
    generation: u64,
    fence: Fence,
    until: Timestamp,
    last: Option<(u64, String, Committed)>,
    /// During a sweep: what it has listed.
    listed: Option<BTreeSet<String>>,
}

fn key(at: &Authority, source: &SourceId, stream: &StreamId) -> StreamKey {
    (at.tenant().clone(), at.connection.clone(), source.clone(), stream.clone())
}

impl Stream {
    fn fenced(&mut self, at: &Authority, stream: &StreamId) -> StoreResult<&mut Self> {
        if self.fence == at.fence {
            Ok(self)
        } else {
            Err(conflict(format!("stream {stream}"), "another process has its lease"))
        }
    }
}

impl MemoryStore {
    /// Documents that a connection attests, by id.
    #[must_use]
    pub fn documents(&self, tenant: &TenantId, connection: &ConnectionId) -> Vec<StoredDocument> {
        let documents = self.sink.documents.lock();
        let own = documents.iter().filter(|((of, by, _), _)| of == tenant && by == connection);
        own.map(|(_, document)| document.clone()).collect()
    }

    /// A stream's last cursor.
    #[must_use]
    pub fn cursor(&self, tenant: &TenantId, connection: &ConnectionId, stream: &StreamId) -> Option<String> {
        let streams = self.sink.streams.lock();
        let found = streams.iter().find(|((of, by, _, own), _)| of == tenant && by == connection && own == stream);
        found.and_then(|(_, stream)| stream.cursor.clone())
    }

    /// No pull that is under way commits any more; where `afresh`, the next one lists everything.
    pub(super) fn stop_pulls(&self, tenant: &TenantId, connection: &ConnectionId, afresh: bool) {
        let mut streams = self.sink.streams.lock();
        for (_, stream) in streams.iter_mut().filter(|((of, by, ..), _)| of == tenant && by == connection) {
            stream.fence = Fence(stream.fence.0 + 1);
            stream.until = Timestamp(0);
            if afresh {
                stream.cursor = None;
            }
        }
    }

    pub(super) fn forget_documents(&self, tenant: &TenantId, connection: &ConnectionId) {
        self.sink.documents.lock().retain(|(of, by, _), _| of != tenant || by != connection);
        self.sink.parents.lock().retain(|(of, by, _), _| of != tenant || by != connection);
        self.sink.streams.lock().retain(|(of, by, ..), _| of != tenant || by != connection);
    }

    /// Takes back what stands outside the grant's containers.
    pub(super) fn keep_within(&self, tenant: &TenantId, connection: &ConnectionId) {
        let Some(allowed) = self.containers_of(tenant, connection) else { return };
        let mut documents = self.sink.documents.lock();
        documents.retain(|(of, by, _), kept| {
            of != tenant || by != connection || self.stands_in(tenant, connection, &allowed, &kept.document)
        });
    }

    fn stands_in(&self, tenant: &TenantId, connection: &ConnectionId, allowed: &[String], document: &Document) -> bool {
        let parents = self.sink.parents.lock();
        let parent = |id: &str| {
            let held = parents.get(&(tenant.clone(), connection.clone(), id.to_owned()));
            Ok::<_, std::convert::Infallible>(held.cloned().flatten())
        };
        is_within(allowed, document.container.as_deref(), parent) == Ok(true)
    }

    /// Learns where containers stand before anything is judged by it.
    fn learn(&self, at: &Authority, changes: &[Change]) {
        let key = |id: &str| (at.tenant().clone(), at.connection.clone(), id.to_owned());
        let mut parents = self.sink.parents.lock();
        for change in changes {
            match change {
                Change::UpsertContainer(container) => {
                    parents.insert(key(&container.id), container.parent.clone());
                }
                Change::DeleteContainer(id) => {
                    parents.remove(&key(id));
                }
                _ => {}
            }
        }
    }

    /// Applies one change; ids that it lists.
    fn apply(&self, at: &Authority, stream: &StreamId, change: Change, done: &mut Committed) -> Vec<String> {
        let place = |id: &str| (at.tenant().clone(), at.connection.clone(), id.to_owned());
        let mut documents = self.sink.documents.lock();
        match change {
            Change::Upsert(document) => {
                let id = document.id.clone();
                let known = documents
                    .get(&place(&id))
                    .is_some_and(|old| old.document.revision.is_some() && old.document.revision == document.revision);
                if known {
                    done.unchanged += 1;
                } else {
                    done.documents += 1;
                }
                documents.insert(place(&id), StoredDocument { stream: stream.clone(), document: *document });
                return vec![id];
            }
            Change::SetAccess { id, access } => {
                done.access += 1;
                if let Some(known) = documents.get_mut(&place(&id)) {
                    known.document.access = access;
                }
            }
            Change::Seen(ids) => return ids,
            Change::Delete(id) => done.deleted += u64::from(documents.remove(&place(&id)).is_some()),
            Change::UpsertContainer(_)
            | Change::DeleteContainer(_)
            | Change::Members(_)
            | Change::DeleteGroup(_)
            | Change::Person(_) => done.access += 1,
        }
        Vec::new()
    }
}

#[async_trait]
impl ports::Sink for MemoryStore {
    async fn begin(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        sweep: bool,
        millis: u64,
    ) -> StoreResult<PullState> {
        let now = self.clock.now();
        let mut streams = self.sink.streams.lock();
        let own = streams.entry(key(at, source, stream)).or_default();
        if own.until > now {
            return Err(StoreError::Held { what: format!("stream {stream}"), millis: own.until.0 - now.0 });
        }
        own.fence = Fence(own.fence.0 + 1);
        own.until = now.plus(millis);
        if own.listed.is_none() && (sweep || own.cursor.is_none()) {
            own.listed = Some(BTreeSet::new());
        }
        Ok(PullState {
            lease: Lease { fence: own.fence, until: own.until },
            cursor: own.cursor.clone(),
            generation: own.generation,
            sweep: own.listed.is_some(),
            listed: own.listed.as_ref().map_or(0, |listed| listed.len() as u64),
        })
    }

    async fn renew(&self, at: &Authority, source: &SourceId, stream: &StreamId, millis: u64) -> StoreResult<Lease> {
        let until = self.clock.now().plus(millis);
        let mut streams = self.sink.streams.lock();
        let own = streams.get_mut(&key(at, source, stream)).ok_or_else(|| not_found(format!("stream {stream}")))?;
        own.fenced(at, stream)?.until = until;
        Ok(Lease { fence: at.fence, until })
    }

    async fn revisions(&self, at: &Authority, _: &SourceId, ids: &[String]) -> StoreResult<Vec<Option<String>>> {
        let documents = self.sink.documents.lock();
        let revision = |id: &String| {
            let found = documents.get(&(at.tenant().clone(), at.connection.clone(), id.clone()));
            found.and_then(|known| known.document.revision.clone())
        };
        Ok(ids.iter().map(revision).collect())
    }

    async fn commit(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        batch: Batch,
    ) -> StoreResult<Committed> {
        let mut streams = self.sink.streams.lock();
        let own = streams.get_mut(&key(at, source, stream)).ok_or_else(|| not_found(format!("stream {stream}")))?;
        let own = own.fenced(at, stream)?;
        if let Some((after, cursor, done)) = &own.last
            && *after == batch.after
            && *cursor == batch.cursor
        {
            return Ok(*done);
        }
        if own.generation != batch.after {
            return Err(conflict(format!("stream {stream}"), format!("it is at checkpoint {}", own.generation)));
        }
        let mut done = Committed { generation: batch.after + 1, ..Committed::default() };
        self.learn(at, &batch.changes);
        let allowed = self.containers_of(at.tenant(), &at.connection);
        for change in batch.changes {
            if let (Change::Upsert(document), Some(allowed)) = (&change, &allowed)
                && !self.stands_in(at.tenant(), &at.connection, allowed, document)
            {
                done.refused += 1;
                let key = (at.tenant().clone(), at.connection.clone(), document.id.clone());
                self.sink.documents.lock().remove(&key);
                continue;
            }
            let listed = self.apply(at, stream, change, &mut done);
            if let Some(all) = &mut own.listed {
                done.again += listed.iter().filter(|id| all.contains(*id)).count() as u64;
                all.extend(listed);
            }
        }
        self.keep_within(at.tenant(), &at.connection);
        own.generation = done.generation;
        own.cursor = Some(batch.cursor.clone());
        own.last = Some((batch.after, batch.cursor, done));
        Ok(done)
    }

    async fn finish(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        finish: Finish,
    ) -> StoreResult<Vec<String>> {
        let mut streams = self.sink.streams.lock();
        let own = streams.get_mut(&key(at, source, stream)).ok_or_else(|| not_found(format!("stream {stream}")))?;
        let own = own.fenced(at, stream)?;
        own.until = Timestamp(0);
        let listed = match finish {
            Finish::Whole => own.listed.take(),
            Finish::Partial | Finish::Settled => {
                own.listed = None;
                None
            }
            Finish::Anew => own.listed.replace(BTreeSet::new()).and(None),
            Finish::More | Finish::Wait | Finish::Failed => None,
        };
        let Some(listed) = listed else { return Ok(Vec::new()) };
        let documents = self.sink.documents.lock();
        let attested = documents.iter().filter(|((tenant, connection, _), kept)| {
            tenant == at.tenant() && *connection == at.connection && kept.stream == *stream
        });
        let missing: Vec<String> = attested.map(|((.., id), _)| id.clone()).filter(|id| !listed.contains(id)).collect();
        if !missing.is_empty() {
            own.listed = Some(listed);
        }
        Ok(missing)
    }

    async fn forget(&self, at: &Authority, source: &SourceId, stream: &StreamId, ids: &[String]) -> StoreResult<u64> {
        let mut streams = self.sink.streams.lock();
        let own = streams.get_mut(&key(at, source, stream)).ok_or_else(|| not_found(format!("stream {stream}")))?;
        own.fenced(at, stream)?;
        let mut documents = self.sink.documents.lock();
        let place = |id: &String| (at.tenant().clone(), at.connection.clone(), id.clone());
        Ok(ids.iter().filter(|id| documents.remove(&place(id)).is_some()).count() as u64)
    }
}
