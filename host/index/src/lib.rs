//! Chunking, embedding and access-exact hybrid search.
//!
//! A [`ChunkStore`] is the truth about documents, who may read them, and their chunks. An [`Index`]
//! is derived from it: it makes chunks of the documents that wait, keeps their vectors in memory and
//! their words on disk, and answers a [`SearchRequest`] as if the documents that its caller may not
//! read did not exist.
//!
//! Invariants:
//! - What is readable is asked of the store per query and applied before anything is rated.
//! - No score, order or count depends on a document outside the readable set: postings are walked by
//!   us, statistics are of the readable chunks, vectors are scanned exactly, ties go by document.
//! - An index proposes chunk keys; text leaves only through [`ChunkStore::resolve`].
//! - This crate knows no SQL, no connector and no HTTP server.

mod access;
mod chunk;
mod embed;
mod error;
mod fuse;
mod ids;
mod index;
mod lexical;
mod model;
mod quantize;
mod search;
mod store;
mod terms;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod vectors;

pub use access::{Caller, Label, Readers};
pub use chunk::{Chunk, Chunks, chunk};
pub use embed::{EmbedError, Embedder, Purpose};
pub use error::{Blame, IndexError};
pub use ids::{ChunkKey, ContentHash, DocumentKey, Format, Recipe, Seq, TenantId};
pub use index::{CaughtUp, Index, Progress};
pub use model::{MODEL_DIR_VARIABLE, MiniLm, Model, ModelError, ModelProgress};
pub use search::{Counts, Hit, Hits, Mode, SearchRequest};
pub use store::{
    Changes, ChunkStore, DocumentChunks, DocumentInfo, History, NewChunk, PendingDocument, Put, ResolvedChunk,
    StoreError, StoredChunk, Vector,
};
