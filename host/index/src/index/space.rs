//! One tenant's part of the index: vectors in memory, postings on disk, each with the position in the
//! store's history up to which it was brought.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use super::Shared;
use crate::lexical::{Guard, Lexical, LexicalError, Origin};
use crate::vectors::Vectors;
use crate::{DocumentChunks, IndexError, Seq, TenantId};

/// Changed documents taken in at a time.
const PAGE: usize = 256;
/// How long one process waits for another that writes the postings.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Space {
    tenant: TenantId,
    folder: PathBuf,
    dims: usize,
    /// Held by the one call that embeds.
    pub(super) embedding: tokio::sync::Mutex<()>,
    /// Held by the one call that takes changes in.
    refreshing: tokio::sync::Mutex<()>,
    state: Arc<RwLock<State>>,
}

/// What a search reads, all of it under one lock.
pub(crate) struct State {
    /// The history that this is of; none before the first refresh.
    history: Option<String>,
    /// Up to where the vectors are.
    seq: Seq,
    pub(crate) vectors: Vectors,
    /// None before the first refresh, and where the postings turned out to be damaged.
    pub(crate) lexical: Option<Arc<Lexical>>,
    /// Up to where the postings are, as far as a search sees them.
    searched: Seq,
}

impl State {
    fn new(dims: usize) -> Self {
        Self { history: None, seq: Seq(0), vectors: Vectors::new(dims), lexical: None, searched: Seq(0) }
    }
}

impl Space {
    pub(super) fn new(tenant: TenantId, folder: PathBuf, dims: usize) -> Self {
        Self {
            tenant,
            folder,
            dims,
            embedding: tokio::sync::Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            state: Arc::new(RwLock::new(State::new(dims))),
        }
    }

    /// The state for a search.
    pub(crate) fn state(&self) -> Arc<RwLock<State>> {
        self.state.clone()
    }

    /// Where the postings are, for messages.
    pub(crate) fn postings(&self) -> PathBuf {
        self.folder.join("postings")
    }

    /// Takes in what changed in the store, by this process or another. `thorough`: waits for a process
    /// that is writing the postings, and joins segments; otherwise its commit is picked up later.
    pub(crate) async fn refresh(&self, shared: &Shared, thorough: bool) -> Result<(), IndexError> {
        let history = shared.store.history(&self.tenant).await?;
        if !thorough && self.is_at(&history.id, history.end) {
            return Ok(());
        }
        let _turn = self.refreshing.lock().await;
        if !thorough && self.is_at(&history.id, history.end) {
            return Ok(());
        }
        if self.state.read().history.as_deref() != Some(&history.id) {
            *self.state.write() = State::new(self.dims);
        }
        let (lexical, guard) = self.open_lexical(shared, &history.id, thorough).await?;
        let written = lexical.seq().map_err(|error| self.unusable(&error))?;

        let start = self.state.read().seq;
        let mut since = start.min(if guard.is_some() { written } else { start });
        let mut postings = Vec::new();
        loop {
            let page = shared.store.changes_since(&self.tenant, &shared.recipe, since, PAGE).await?;
            {
                let mut state = self.state.write();
                let seen = state.seq;
                page.documents.iter().filter(|document| document.seq > seen).for_each(|d| state.vectors.replace(d));
                state.seq = seen.max(page.next);
            }
            since = since.max(page.next);
            if let Some(guard) = &guard {
                postings.extend(page.documents.into_iter().filter(|document| document.seq > written));
                if !page.more || postings.len() >= 8 * PAGE {
                    self.write(&lexical, std::mem::take(&mut postings), since, written, thorough, guard).await?;
                }
            }
            if !page.more {
                break;
            }
        }
        // Read first: a commit in between is then seen, though not yet counted on.
        let searched = lexical.seq().map_err(|error| self.unusable(&error))?;
        lexical.reload().map_err(|error| self.unusable(&error))?;
        let mut state = self.state.write();
        state.history = Some(history.id);
        state.lexical = Some(lexical);
        state.searched = searched;
        Ok(())
    }

    fn is_at(&self, history: &str, end: Seq) -> bool {
        let state = self.state.read();
        let open = state.lexical.is_some() && state.history.as_deref() == Some(history);
        open && state.seq >= end && state.searched >= end
    }

    /// The open folder, and the right to write it if that could be had (always when `thorough`, and
    /// when the folder must be made first).
    async fn open_lexical(
        &self,
        shared: &Shared,
        history: &str,
        thorough: bool,
    ) -> Result<(Arc<Lexical>, Option<Arc<Guard>>), IndexError> {
        let open = self.state.read().lexical.clone().filter(|lexical| lexical.seq().is_ok());
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let guard = Guard::try_acquire(&self.folder.join("lock")).map_err(|error| self.unusable(&error))?;
            match (guard, open.clone()) {
                (Some(guard), Some(open)) => return Ok((open, Some(Arc::new(guard)))),
                (Some(guard), None) => {
                    // Asked for under the guard: nobody can write the folder beyond this end.
                    let end = shared.store.history(&self.tenant).await?.end;
                    let (path, origin) = (self.postings(), Origin::new(history, &shared.recipe));
                    let opened = self.blocking(move || Ok((Lexical::open(&path, origin, end, &guard)?, guard))).await?;
                    return Ok((Arc::new(opened.0), Some(Arc::new(opened.1))));
                }
                (None, Some(open)) if !thorough => return Ok((open, None)),
                (None, _) if tokio::time::Instant::now() > deadline => return Err(IndexError::Busy(self.postings())),
                (None, _) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn write(
        &self,
        lexical: &Arc<Lexical>,
        documents: Vec<DocumentChunks>,
        seq: Seq,
        written: Seq,
        merge: bool,
        guard: &Arc<Guard>,
    ) -> Result<(), IndexError> {
        if seq <= written {
            return Ok(());
        }
        let (lexical, guard) = (lexical.clone(), guard.clone());
        let written = self.blocking(move || lexical.apply(&documents, seq, merge, &guard)).await;
        if written.is_err() {
            self.distrust();
        }
        written
    }

    /// Opens the postings again next time, which checks them and builds them again if they are damaged.
    pub(crate) fn distrust(&self) {
        self.state.write().lexical = None;
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, LexicalError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| IndexError::Task(error.to_string()))?;
        done.map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, error: &LexicalError) -> IndexError {
        IndexError::Folder { path: self.postings(), reason: error.to_string() }
    }
}
