//! Chunking, embedding and access-exact hybrid search.

mod access;
mod embed;
mod error;
mod ids;
mod store;

pub use access::{Caller, Label, Readers};
pub use embed::{EmbedError, Embedder, Purpose};
pub use error::{Blame, IndexError};
pub use ids::{ChunkKey, ContentHash, DocumentKey, Format, Recipe, Seq, TenantId};
pub use store::{
    Changes, ChunkStore, DocumentChunks, DocumentInfo, History, NewChunk, PendingDocument, Put, ResolvedChunk,
    StoreError, StoredChunk, Vector,
};
