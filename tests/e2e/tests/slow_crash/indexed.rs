//! Documents and the index over them, as the server brings them up to date and as a reader finds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use roaring::RoaringTreemap;
use sallyport::invoke::{StreamReport, SyncOptions};
use sallyport_index::testing::{HashEmbedder, caller};
use sallyport_index::{
    Caller, Changes, ChunkKey, ChunkStore, ContentHash, DocumentKey, History, Hit, Index, Mode, NewChunk,
    PendingDocument, Progress, Put, Recipe, ResolvedChunk, SearchRequest, Seq, StoreError, TenantId,
};
use sallyport_store::Store;

use crate::mortal::Steps;
use crate::mortal::host::{Ahead, Open, Place, tenant};

/// What the index asks of the store, each call a step.
pub(crate) struct Counted {
    pub(crate) store: Arc<Store>,
    pub(crate) steps: Arc<Steps>,
}

#[async_trait]
impl ChunkStore for Counted {
    async fn pending(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        limit: usize,
    ) -> Result<Vec<PendingDocument>, StoreError> {
        self.steps.around("ChunkStore::pending", self.store.pending(tenant, recipe, limit)).await
    }

    async fn pending_count(&self, tenant: &TenantId, recipe: &Recipe) -> Result<u64, StoreError> {
        self.steps.around("ChunkStore::pending_count", self.store.pending_count(tenant, recipe)).await
    }

    async fn put_chunks(
        &self,
        tenant: &TenantId,
        document: DocumentKey,
        content: ContentHash,
        recipe: &Recipe,
        chunks: Vec<NewChunk>,
    ) -> Result<Put, StoreError> {
        let put = self.store.put_chunks(tenant, document, content, recipe, chunks);
        self.steps.around("ChunkStore::put_chunks", put).await
    }

    async fn history(&self, tenant: &TenantId) -> Result<History, StoreError> {
        self.steps.around("ChunkStore::history", self.store.history(tenant)).await
    }

    async fn changes_since(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        since: Seq,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let changes = self.store.changes_since(tenant, recipe, since, limit);
        self.steps.around("ChunkStore::changes_since", changes).await
    }

    async fn readable(&self, caller: &Caller, recipe: &Recipe) -> Result<RoaringTreemap, StoreError> {
        self.steps.around("ChunkStore::readable", self.store.readable(caller, recipe)).await
    }

    async fn resolve(&self, caller: &Caller, chunks: &[ChunkKey]) -> Result<Vec<ResolvedChunk>, StoreError> {
        self.steps.around("ChunkStore::resolve", self.store.resolve(caller, chunks)).await
    }
}

pub(crate) fn index(place: &Place, store: Arc<dyn ChunkStore>) -> Index {
    Index::open(place.folder.join("index"), store, Arc::new(HashEmbedder::new(256))).expect("an index")
}

/// The tenant, as the index calls it.
pub(crate) fn indexed() -> TenantId {
    TenantId::new(tenant())
}

/// Brings documents and index up to date with the source, as the server does.
pub(crate) async fn sync(open: &Open, index: &Index, place: &Place, sweep: bool, said: &str) {
    let options = SyncOptions { sweep, ..SyncOptions::default() };
    let report = open.runtime.sync(&tenant(), &place.connection, options, |_| {}).await;
    let report = report.unwrap_or_else(|error| panic!("{said}: {error}"));
    let unfinished: Vec<String> = report.streams.iter().filter_map(StreamReport::unfinished).collect();
    assert!(unfinished.is_empty(), "{said}: {unfinished:?}");
    let caught_up = index.catch_up(&indexed(), &|_: Progress| {}).await;
    caught_up.unwrap_or_else(|error| panic!("{said}: {error}"));
}

/// The process that finishes what others left.
pub(crate) struct Survivor {
    pub(crate) open: Open,
    pub(crate) index: Index,
}

impl Survivor {
    pub(crate) async fn new(place: &Place, clock: &Ahead) -> Self {
        let open = place.open(clock, None).await;
        let index = index(place, Arc::clone(&open.store) as _);
        Self { open, index }
    }
}

pub(crate) async fn found(index: &Index, who: &str, query: &str, mode: Mode, said: &str) -> Vec<Hit> {
    let request = SearchRequest { limit: 100, mode, ..SearchRequest::new(caller(&indexed(), who), query) };
    index.search(&request).await.unwrap_or_else(|error| panic!("{said}: {error}")).results
}

/// Titles and texts in the store, by the source's ids.
pub(crate) fn kept(place: &Place) -> BTreeMap<String, (String, String)> {
    let db = rusqlite::Connection::open(place.database()).expect("the database");
    let sql = "SELECT d.id, d.title, t.text FROM documents d LEFT JOIN texts t ON t.document = d.key";
    let mut query = db.prepare(sql).expect("a query");
    let rows = query.query_map([], |row| {
        let text = row.get::<_, Option<String>>(2)?.unwrap_or_default();
        Ok((row.get::<_, String>(0)?, (row.get::<_, String>(1)?, text)))
    });
    let rows: Result<BTreeMap<_, _>, _> = rows.expect("an answer").collect();
    rows.expect("rows")
}
