//! A query, answered for one caller.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringTreemap;

use crate::fuse::{Candidate, fuse};
use crate::index::{Space, check_shape};
use crate::vectors::{Probe, best};
use crate::{Caller, ChunkKey, DocumentKey, Index, IndexError, Purpose, ResolvedChunk};

/// Bytes that a query may have.
const LONGEST_QUERY: usize = 8 << 10;
/// Results that may be asked for.
const MOST_RESULTS: usize = 200;
/// The least number of candidates that each side proposes to the fusion.
const LEAST_POOL: usize = 100;
/// How often a search starts over because documents changed under it.
const ROUNDS: usize = 3;

/// What to look for, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRequest {
    /// Whose documents are searched. Nothing else decides what may be found.
    pub caller: Caller,
    /// At most 8 KiB. A blank query finds nothing.
    pub query: String,
    /// Chunks wanted, at most 200.
    pub limit: usize,
    /// By meaning, by words, or both.
    pub mode: Mode,
    /// At most so many chunks of one document; 1 gives every document once.
    pub per_document: usize,
}

impl SearchRequest {
    /// Ten chunks by meaning and words, at most three of one document.
    pub fn new(caller: Caller, query: impl Into<String>) -> Self {
        Self { caller, query: query.into(), limit: 10, mode: Mode::Hybrid, per_document: 3 }
    }
}

/// How chunks are rated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both of the below, fused.
    #[default]
    Hybrid,
    /// Cosine of the embeddings.
    Dense,
    /// BM25 over the caller's readable chunks.
    Lexical,
}

/// What was found. All of it, scores and counts included, is what an index of the caller's readable
/// documents alone would give.
#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    /// Best first.
    pub results: Vec<Hit>,
    /// What was rated.
    pub counts: Counts,
}

/// A chunk that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Comparable within one answer only. Between -1 and 1 by meaning or both; not negative by words.
    pub score: f32,
    /// The chunk, its document, and who may read it.
    pub chunk: ResolvedChunk,
}

/// How much was searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Documents that this caller may read.
    pub documents: usize,
    /// Their chunks.
    pub chunks: usize,
    /// Those chunks that have at least one of the query's words (0 by meaning alone).
    pub matching: usize,
}

impl Index {
    /// Answers a query. First takes in what changed in the store (not what waits to be embedded);
    /// asks the store what this caller may read; rates only that; and joins what it found to the
    /// store again, so that what was revoked meanwhile is not returned.
    pub async fn search(&self, request: &SearchRequest) -> Result<Hits, IndexError> {
        let query = request.query.trim();
        if query.len() > LONGEST_QUERY {
            return Err(IndexError::QueryTooLong { length: query.len(), limit: LONGEST_QUERY });
        }
        let probe = match request.mode {
            Mode::Hybrid | Mode::Dense if !query.is_empty() => Some(Arc::new(self.probe(query).await?)),
            _ => None,
        };
        let space = self.space(&request.caller.tenant);
        let limit = request.limit.min(MOST_RESULTS);
        for round in 1.. {
            space.refresh(&self.shared, false).await?;
            let readable = self.shared.store.readable(&request.caller, &self.shared.recipe).await?;
            let rated = self.rate(&space, request, limit, readable, probe.clone()).await;
            if let (Err(IndexError::Folder { .. }), true) = (&rated, round < ROUNDS) {
                space.distrust();
                continue;
            }
            let (candidates, counts) = rated?;
            let keys: Vec<ChunkKey> = candidates.iter().map(|candidate| candidate.place.chunk).collect();
            let resolved = match keys.is_empty() {
                true => vec![],
                false => self.shared.store.resolve(&request.caller, &keys).await?,
            };
            let complete = resolved.len() == keys.len();
            if complete || round == ROUNDS {
                let mut chunks: HashMap<ChunkKey, ResolvedChunk> =
                    resolved.into_iter().map(|chunk| (chunk.chunk, chunk)).collect();
                let hit = |candidate: Candidate| {
                    chunks.remove(&candidate.place.chunk).map(|chunk| Hit { score: candidate.score, chunk })
                };
                return Ok(Hits { results: candidates.into_iter().filter_map(hit).collect(), counts });
            }
        }
        unreachable!("the last round returns")
    }

    async fn probe(&self, query: &str) -> Result<Probe, IndexError> {
        let embedder = &self.shared.embedder;
        let mut vectors = embedder.embed(Purpose::Query, vec![query.to_owned()]).await?;
        check_shape(&vectors, 1, embedder.dims())?;
        Ok(Probe::new(vectors.swap_remove(0)))
    }

    async fn rate(
        &self,
        space: &Space,
        request: &SearchRequest,
        limit: usize,
        readable: RoaringTreemap,
        probe: Option<Arc<Probe>>,
    ) -> Result<(Vec<Candidate>, Counts), IndexError> {
        let (state, path) = (space.state(), space.postings());
        let rating = Rating {
            query: request.query.clone(),
            mode: request.mode,
            limit,
            per_document: request.per_document.max(1),
            readable,
            probe,
        };
        let rated = tokio::task::spawn_blocking(move || {
            let state = state.read();
            rating.run(&state).map_err(|error| IndexError::Folder { path, reason: error.to_string() })
        });
        rated.await.map_err(|error| IndexError::Task(error.to_string()))?
    }
}

/// A query and what it may see: everything that the rating depends on.
struct Rating {
    query: String,
    mode: Mode,
    limit: usize,
    per_document: usize,
    readable: RoaringTreemap,
    probe: Option<Arc<Probe>>,
}

impl Rating {
    fn run(&self, state: &crate::index::State) -> Result<(Vec<Candidate>, Counts), crate::lexical::LexicalError> {
        let (documents, chunks) = state.vectors.count(&self.readable);
        let mut matches = match (self.mode, &state.lexical) {
            (Mode::Dense, _) => vec![],
            (_, None) => return Err(crate::lexical::LexicalError::Closed),
            (_, Some(lexical)) => lexical.search(&self.query, &self.readable)?,
        };
        let counts = Counts { documents, chunks, matching: matches.len() };
        best(&mut matches, usize::MAX);

        // A document with many good chunks may fill the pool: it grows until enough others are in it.
        let mut pool = (self.limit * 4).max(LEAST_POOL);
        loop {
            let dense = self.probe.as_ref().map(|probe| state.vectors.nearest(probe, &self.readable, pool));
            let rated = fuse(dense.as_deref(), &matches, pool, |chunk| {
                self.probe.as_ref().and_then(|probe| state.vectors.similarity(probe, chunk))
            });
            let kept = self.thin_out(rated);
            if kept.len() >= self.limit || pool >= chunks.max(matches.len()) {
                return Ok((kept, counts));
            }
            pool *= 4;
        }
    }

    fn thin_out(&self, rated: Vec<Candidate>) -> Vec<Candidate> {
        let mut taken: HashMap<DocumentKey, usize> = HashMap::new();
        let fits = |candidate: &Candidate| {
            let taken = taken.entry(candidate.place.document).or_default();
            *taken += 1;
            *taken <= self.per_document
        };
        rated.into_iter().filter(fits).take(self.limit).collect()
    }
}
