//! Retrieval as its users see it: an index over a store, searched for a caller.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up must fail")]

mod exact;
mod lifecycle;
mod model;

use std::sync::Arc;

use sallyport_index::testing::{Fixture, HashEmbedder, MemoryStore, caller};
use sallyport_index::{Embedder, Hits, Index, Mode, SearchRequest, TenantId};
use tempfile::TempDir;

/// An index over a store in memory, in a folder of its own.
struct World {
    store: MemoryStore,
    index: Index,
    tenant: TenantId,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(Arc::new(HashEmbedder::new(32)))
    }

    fn with(embedder: Arc<dyn Embedder>) -> Self {
        let (store, folder) = (MemoryStore::new(), tempfile::tempdir().unwrap());
        let index = Index::open(folder.path(), store.store(), embedder).unwrap();
        Self { store, index, tenant: TenantId::new("acme"), folder }
    }

    /// Another index over the same store and folder, as another process would have.
    fn another(&self) -> Index {
        Index::open(self.folder.path(), self.store.store(), Arc::new(HashEmbedder::new(32))).unwrap()
    }

    async fn catch_up(&self) {
        self.index.catch_up(&self.tenant, &|_| {}).await.unwrap();
    }

    fn request(&self, email: &str, query: &str) -> SearchRequest {
        SearchRequest::new(caller(&self.tenant, email), query)
    }

    async fn search(&self, email: &str, query: &str, mode: Mode) -> Hits {
        self.index.search(&SearchRequest { mode, ..self.request(email, query) }).await.unwrap()
    }
}

/// Documents in order of their first chunk.
fn ids(hits: &Hits) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for hit in &hits.results {
        if !ids.contains(&hit.chunk.document.id.as_str()) {
            ids.push(&hit.chunk.document.id);
        }
    }
    ids
}
