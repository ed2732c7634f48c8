//! The index of every tenant: opened when first used, kept in step with the store.

mod space;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::chunk::{CHUNKER_VERSION, chunk};
use crate::{
    ChunkStore, EmbedError, Embedder, IndexError, NewChunk, PendingDocument, Purpose, Put, Recipe, TenantId, Vector,
};
pub(crate) use space::{Space, State};

/// Documents asked for at a time while embedding.
const PENDING_PAGE: usize = 32;
/// Passages embedded between two reports of progress.
const PASSAGES: usize = 16;

/// Finds chunks by meaning and by words, for one caller at a time. Cheap to clone.
///
/// Everything that it keeps is derived: its folder may be deleted while no process uses it, and is
/// then built again from the store.
#[derive(Clone)]
pub struct Index {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    folder: PathBuf,
    pub(crate) store: Arc<dyn ChunkStore>,
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) recipe: Recipe,
    spaces: Mutex<HashMap<TenantId, Arc<Space>>>,
}

/// How far [`Index::catch_up`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Documents done in this call.
    pub done: u64,
    /// Documents that this call has to do, as far as is known.
    pub total: u64,
    /// Chunks embedded in this call, those of the document in work included.
    pub chunks: u64,
}

/// What [`Index::catch_up`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Documents whose chunks were stored.
    pub documents: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Documents that changed or went while they were embedded.
    pub superseded: u64,
    /// Documents of which the end is not searched, because they have more than 4,096 chunks.
    pub cut: Vec<crate::DocumentKey>,
}

impl Index {
    /// Uses `folder` (made if missing) for what is derived. Reads nothing yet.
    pub fn open(
        folder: impl AsRef<Path>,
        store: Arc<dyn ChunkStore>,
        embedder: Arc<dyn Embedder>,
    ) -> Result<Self, IndexError> {
        let folder = folder.as_ref().to_owned();
        std::fs::create_dir_all(&folder)
            .map_err(|error| IndexError::Folder { path: folder.clone(), reason: error.to_string() })?;
        let recipe = Recipe::new(format!("{}/chunks-{CHUNKER_VERSION}", embedder.id()));
        Ok(Self { shared: Arc::new(Shared { folder, store, embedder, recipe, spaces: Mutex::default() }) })
    }

    /// How this index makes chunks: what it passes to the store.
    pub fn recipe(&self) -> &Recipe {
        &self.shared.recipe
    }

    /// Chunks and embeds every document that waits, then takes all changes into the index. Documents
    /// whose content did not change are not embedded again. What was stored before an error stays.
    ///
    /// Calls for one tenant wait for each other in this process; in two processes both may embed a
    /// document, and the store keeps the last.
    pub async fn catch_up(
        &self,
        tenant: &TenantId,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<CaughtUp, IndexError> {
        let space = self.space(tenant);
        let _turn = space.embedding.lock().await;
        let Shared { store, recipe, .. } = &*self.shared;
        let mut caught_up = CaughtUp::default();
        let mut state = Progress { done: 0, total: store.pending_count(tenant, recipe).await?, chunks: 0 };
        // A store that lists a document again although its chunks were put must not hold us for ever.
        let mut seen = HashSet::new();
        loop {
            let mut waiting = store.pending(tenant, recipe, PENDING_PAGE).await?;
            waiting.retain(|document| seen.insert((document.document, document.content)));
            if waiting.is_empty() {
                break;
            }
            for document in waiting {
                self.embed(tenant, document, &mut caught_up, &mut state, progress).await?;
            }
        }
        space.refresh(&self.shared, true).await?;
        Ok(caught_up)
    }

    /// Forgets a tenant that was deleted: its memory now, and its folder.
    pub async fn forget(&self, tenant: &TenantId) -> Result<(), IndexError> {
        self.shared.spaces.lock().remove(tenant);
        let path = self.shared.folder_of(tenant);
        match tokio::fs::remove_dir_all(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(IndexError::Folder { path, reason: error.to_string() })
            }
            _ => Ok(()),
        }
    }

    async fn embed(
        &self,
        tenant: &TenantId,
        waiting: PendingDocument,
        caught_up: &mut CaughtUp,
        state: &mut Progress,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), IndexError> {
        let Shared { store, embedder, recipe, .. } = &*self.shared;
        let PendingDocument { document, content, title, format, text } = waiting;
        let cutter = embedder.clone();
        let cut = tokio::task::spawn_blocking(move || chunk(&*cutter, &title, format, &text));
        let cut = cut.await.map_err(|error| IndexError::Task(error.to_string()))?;
        if cut.cut > 0 {
            tracing::warn!(%tenant, document = document.0, bytes = cut.cut, "the end of a document is not searched");
            caught_up.cut.push(document);
        }
        let mut chunks = Vec::with_capacity(cut.chunks.len());
        for batch in cut.chunks.chunks(PASSAGES) {
            let passages = batch.iter().map(|chunk| chunk.passage.clone()).collect();
            let vectors = embedder.embed(Purpose::Passage, passages).await?;
            check_shape(&vectors, batch.len(), embedder.dims())?;
            chunks.extend(batch.iter().zip(vectors).map(|(chunk, vector)| NewChunk {
                ordinal: chunk.ordinal,
                text: chunk.text.clone(),
                heading: chunk.heading.clone(),
                span: chunk.span.clone(),
                vector: Vector::quantize(&vector),
            }));
            state.chunks += batch.len() as u64;
            progress(*state);
        }
        let count = chunks.len() as u64;
        match store.put_chunks(tenant, document, content, recipe, chunks).await? {
            Put::Stored(_) => {
                caught_up.documents += 1;
                caught_up.chunks += count;
            }
            Put::Superseded => caught_up.superseded += 1,
        }
        state.done += 1;
        state.total = state.total.max(state.done);
        progress(*state);
        Ok(())
    }

    pub(crate) fn space(&self, tenant: &TenantId) -> Arc<Space> {
        let mut spaces = self.shared.spaces.lock();
        let new = || Arc::new(Space::new(tenant.clone(), self.shared.folder_of(tenant), self.shared.embedder.dims()));
        spaces.entry(tenant.clone()).or_insert_with(new).clone()
    }
}

impl Shared {
    /// A tenant's name is not a path: it is hashed.
    fn folder_of(&self, tenant: &TenantId) -> PathBuf {
        self.folder.join(hex::encode(&Sha256::digest(tenant.as_str().as_bytes())[..16]))
    }
}

pub(crate) fn check_shape(vectors: &[Vec<f32>], count: usize, dims: usize) -> Result<(), EmbedError> {
    if vectors.len() == count && vectors.iter().all(|vector| vector.len() == dims) {
        return Ok(());
    }
    let got = format!("{} vectors of {:?}", vectors.len(), vectors.first().map(Vec::len));
    Err(EmbedError::Shape { got, wanted: format!("{count} vectors of {dims}") })
}
