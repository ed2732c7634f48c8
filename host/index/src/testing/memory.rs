//! The smallest store that keeps the contract.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use roaring::RoaringTreemap;

use super::{Fixture, TestDocument};
use crate::{
    Caller, Changes, ChunkKey, ChunkStore, ContentHash, DocumentChunks, DocumentInfo, DocumentKey, History, Label,
    NewChunk, PendingDocument, Put, Readers, Recipe, ResolvedChunk, Seq, StoreError, StoredChunk, TenantId,
};

/// Documents and chunks behind a lock. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    documents: BTreeMap<u64, Document>,
    seqs: HashMap<TenantId, u64>,
    last_key: u64,
    put_calls: u64,
}

struct Document {
    tenant: TenantId,
    content: TestDocument,
    present: bool,
    chunks: Option<ChunkSet>,
    seq: u64,
}

struct ChunkSet {
    content: ContentHash,
    recipe: Recipe,
    chunks: Vec<(ChunkKey, NewChunk)>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often chunks were put, superseded ones included.
    pub fn put_calls(&self) -> u64 {
        self.state.lock().put_calls
    }
}

impl Document {
    fn hash(&self) -> ContentHash {
        ContentHash::of(&self.content.title, self.content.format, &self.content.text)
    }

    fn current(&self, recipe: &Recipe) -> bool {
        self.present && self.chunks.as_ref().is_some_and(|set| set.content == self.hash() && set.recipe == *recipe)
    }

    fn readable_by(&self, caller: &Caller) -> bool {
        let asking = Readers { people: caller.emails.iter().cloned().collect(), ..Readers::default() };
        let one_of = |readers: &Readers| readers.anyone || !readers.intersect(&asking).people.is_empty();
        self.tenant == caller.tenant && self.present && self.content.readers.as_ref().is_some_and(one_of)
    }

    fn pending(&self, key: u64) -> PendingDocument {
        let TestDocument { title, format, text, .. } = self.content.clone();
        PendingDocument { document: DocumentKey(key), content: self.hash(), title, format, text }
    }

    fn listed(&self, key: u64, recipe: &Recipe) -> DocumentChunks {
        let set = self.chunks.as_ref().filter(|set| set.recipe == *recipe);
        let chunks = set.iter().flat_map(|set| &set.chunks).map(|(key, chunk)| StoredChunk {
            key: *key,
            ordinal: chunk.ordinal,
            text: chunk.text.clone(),
            heading: chunk.heading.clone(),
            vector: chunk.vector.clone(),
        });
        let title = self.content.title.clone();
        DocumentChunks { document: DocumentKey(key), seq: Seq(self.seq), title, chunks: chunks.collect() }
    }
}

impl State {
    fn next_seq(&mut self, tenant: &TenantId) -> u64 {
        let seq = self.seqs.entry(tenant.clone()).or_default();
        *seq += 1;
        *seq
    }

    fn find(&self, tenant: &TenantId, id: &str) -> Option<u64> {
        let same = |document: &Document| document.present && document.tenant == *tenant && document.content.id == id;
        self.documents.iter().find(|(_, document)| same(document)).map(|(key, _)| *key)
    }

    fn waiting(&self, tenant: &TenantId, recipe: &Recipe) -> impl Iterator<Item = (u64, &Document)> {
        let waits =
            move |document: &Document| document.tenant == *tenant && document.present && !document.current(recipe);
        self.documents.iter().filter(move |(_, document)| waits(document)).map(|(key, document)| (*key, document))
    }
}

#[async_trait]
impl ChunkStore for MemoryStore {
    async fn pending(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        limit: usize,
    ) -> Result<Vec<PendingDocument>, StoreError> {
        let state = self.state.lock();
        Ok(state.waiting(tenant, recipe).take(limit).map(|(key, document)| document.pending(key)).collect())
    }

    async fn pending_count(&self, tenant: &TenantId, recipe: &Recipe) -> Result<u64, StoreError> {
        Ok(self.state.lock().waiting(tenant, recipe).count() as u64)
    }

    async fn put_chunks(
        &self,
        tenant: &TenantId,
        document: DocumentKey,
        content: ContentHash,
        recipe: &Recipe,
        chunks: Vec<NewChunk>,
    ) -> Result<Put, StoreError> {
        let mut state = self.state.lock();
        state.put_calls += 1;
        let present = |document: &&Document| document.tenant == *tenant && document.present;
        if state.documents.get(&document.0).filter(present).is_none_or(|document| document.hash() != content) {
            return Ok(Put::Superseded);
        }
        let seq = state.next_seq(tenant);
        let first = state.last_key + 1;
        state.last_key += chunks.len() as u64;
        let chunks = (first..).map(ChunkKey).zip(chunks).collect();
        let document = state.documents.get_mut(&document.0).expect("looked up above under the same lock");
        document.chunks = Some(ChunkSet { content, recipe: recipe.clone(), chunks });
        document.seq = seq;
        Ok(Put::Stored(Seq(seq)))
    }

    async fn history(&self, tenant: &TenantId) -> Result<History, StoreError> {
        let state = self.state.lock();
        let id = format!("{:p}/{tenant}", Arc::as_ptr(&self.state));
        Ok(History { id, end: Seq(state.seqs.get(tenant).copied().unwrap_or_default()) })
    }

    async fn changes_since(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        since: Seq,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let state = self.state.lock();
        let changed = |document: &Document| document.tenant == *tenant && document.seq > since.0;
        let changed = state.documents.iter().filter(|(_, document)| changed(document));
        let mut documents: Vec<_> = changed.map(|(key, document)| document.listed(*key, recipe)).collect();
        documents.sort_by_key(|document| document.seq);
        let more = documents.len() > limit;
        documents.truncate(limit);
        let next = documents.last().map_or(since, |document| document.seq);
        Ok(Changes { documents, next, more })
    }

    async fn readable(&self, caller: &Caller, recipe: &Recipe) -> Result<RoaringTreemap, StoreError> {
        let state = self.state.lock();
        let readable = |document: &Document| document.current(recipe) && document.readable_by(caller);
        Ok(state.documents.iter().filter(|(_, document)| readable(document)).map(|(key, _)| *key).collect())
    }

    async fn resolve(&self, caller: &Caller, chunks: &[ChunkKey]) -> Result<Vec<ResolvedChunk>, StoreError> {
        let state = self.state.lock();
        let mut resolved = Vec::new();
        for (key, document) in &state.documents {
            let Some(set) = document.chunks.as_ref().filter(|set| document.current(&set.recipe)) else { continue };
            let Some(readers) = document.content.readers.clone().filter(|_| document.readable_by(caller)) else {
                continue;
            };
            for (chunk, stored) in set.chunks.iter().filter(|(chunk, _)| chunks.contains(chunk)) {
                resolved.push(ResolvedChunk {
                    chunk: *chunk,
                    ordinal: stored.ordinal,
                    text: stored.text.clone(),
                    heading: stored.heading.clone(),
                    span: stored.span.clone(),
                    document: DocumentInfo {
                        key: DocumentKey(*key),
                        id: document.content.id.clone(),
                        source: "memory".into(),
                        kind: "file".into(),
                        title: document.content.title.clone(),
                        url: None,
                        path: vec![],
                        updated: None,
                    },
                    label: Label { readers: readers.clone(), trusted: false },
                });
            }
        }
        Ok(resolved)
    }
}

#[async_trait]
impl Fixture for MemoryStore {
    fn store(&self) -> Arc<dyn ChunkStore> {
        Arc::new(self.clone())
    }

    async fn put(&self, tenant: &TenantId, content: &TestDocument) {
        let mut state = self.state.lock();
        if let Some(document) = state.find(tenant, &content.id).and_then(|key| state.documents.get_mut(&key)) {
            document.content = content.clone();
            return;
        }
        let key = state.documents.last_key_value().map_or(1, |(last, _)| last + 1);
        let new = Document { tenant: tenant.clone(), content: content.clone(), present: true, chunks: None, seq: 0 };
        state.documents.insert(key, new);
    }

    async fn set_readers(&self, tenant: &TenantId, id: &str, readers: Option<Readers>) {
        let mut state = self.state.lock();
        if let Some(document) = state.find(tenant, id).and_then(|key| state.documents.get_mut(&key)) {
            document.content.readers = readers;
        }
    }

    async fn delete(&self, tenant: &TenantId, id: &str) {
        let mut state = self.state.lock();
        let Some(key) = state.find(tenant, id) else { return };
        let seq = state.next_seq(tenant);
        if let Some(document) = state.documents.get_mut(&key) {
            document.present = false;
            document.chunks = None;
            document.seq = seq;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contract() {
        super::super::conformance(&MemoryStore::new()).await;
    }
}
