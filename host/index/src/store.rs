//! What the index asks of the store that holds documents, access and chunks.
//!
//! The store is the truth; vectors in memory and postings on disk are derived from it and may lag.
//! That is safe because an index only *proposes* chunk keys: which documents may be rated is asked per
//! query ([`ChunkStore::readable`]), and each chunk is joined to its document again before it is
//! returned ([`ChunkStore::resolve`]).

use std::ops::Range;

use async_trait::async_trait;
use roaring::RoaringTreemap;

use crate::{Blame, Caller, ChunkKey, ContentHash, DocumentKey, Format, Label, Recipe, Seq, TenantId};

/// The chunk side of a document store. `testing::conformance` checks an implementation.
///
/// A document's chunks are **current** when they were made from its present content (by
/// [`ContentHash`]) and it is present (at least one live connection attests it).
#[async_trait]
pub trait ChunkStore: Send + Sync {
    /// Up to `limit` present documents that have no chunks of `recipe` made from their present
    /// content, those waiting longest first. A document with a blank title and no text counts too
    /// until [`put_chunks`](Self::put_chunks) recorded that there is nothing to find in it.
    async fn pending(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        limit: usize,
    ) -> Result<Vec<PendingDocument>, StoreError>;

    /// How many documents [`pending`](Self::pending) would list without a limit.
    async fn pending_count(&self, tenant: &TenantId, recipe: &Recipe) -> Result<u64, StoreError>;

    /// Replaces all chunks of a document, in one transaction that also takes the next [`Seq`].
    ///
    /// Writes nothing and answers [`Put::Superseded`] if the document is gone or its content is no
    /// longer `content`. `chunks` may be empty. Keys are new ones, ascending with the ordinal.
    async fn put_chunks(
        &self,
        tenant: &TenantId,
        document: DocumentKey,
        content: ContentHash,
        recipe: &Recipe,
        chunks: Vec<NewChunk>,
    ) -> Result<Put, StoreError>;

    /// Which history this is and where it ends now. The id is random, made with the tenant's first
    /// row, and another one after anything that makes seqs incomparable: a restored backup, a
    /// re-created database, purged tombstones. An index of another history is built again.
    async fn history(&self, tenant: &TenantId) -> Result<History, StoreError>;

    /// Documents whose set of chunks changed after `since`, in order of [`Seq`], up to `limit`
    /// documents, each once with its present chunks of `recipe`; with none where it was deleted, or
    /// has chunks of another recipe only.
    ///
    /// A deletion takes a seq in the transaction that commits it, and stays listed. A change of
    /// access takes none. A change of content takes one when its chunks are put: until then the old
    /// chunks may be listed, and [`readable`](Self::readable) leaves the document out. No transaction
    /// may become visible with a seq below one that was already listed.
    async fn changes_since(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        since: Seq,
        limit: usize,
    ) -> Result<Changes, StoreError>;

    /// Keys of the documents that this caller may read at this moment and whose chunks of `recipe`
    /// are current. Access unknown means not readable.
    async fn readable(&self, caller: &Caller, recipe: &Recipe) -> Result<RoaringTreemap, StoreError>;

    /// The chunks with their documents, in one read transaction, in any order. Leaves out, without a
    /// word, every key that does not exist, is not current, or belongs to a document that this caller
    /// may not read.
    async fn resolve(&self, caller: &Caller, chunks: &[ChunkKey]) -> Result<Vec<ResolvedChunk>, StoreError>;
}

/// A document that waits to be chunked and embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingDocument {
    /// Which one.
    pub document: DocumentKey,
    /// [`ContentHash::of`] the three fields below.
    pub content: ContentHash,
    /// The title, which may be empty.
    pub title: String,
    /// How to cut the text.
    pub format: Format,
    /// The whole text, which may be empty.
    pub text: String,
}

/// A chunk to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChunk {
    /// Position in the document, from 0, without gaps.
    pub ordinal: u32,
    /// The text as it stands in the document.
    pub text: String,
    /// Headings that the text stands under, outermost first; not the document's title.
    pub heading: Vec<String>,
    /// Where the text stands: byte offsets into the document's text. Empty for a chunk that is only
    /// the title.
    pub span: Range<u64>,
    /// The embedding of title, headings and text.
    pub vector: Vector,
}

/// A unit vector, quantised: component `i` is `values[i] as f32 * scale`.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// One signed byte a dimension, -127 to 127.
    pub values: Box<[i8]>,
    /// Finite and not negative.
    pub scale: f32,
}

/// What became of [`ChunkStore::put_chunks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Committed, at this position.
    Stored(Seq),
    /// The document is gone or has other content by now; nothing was written.
    Superseded,
}

/// A tenant's history of chunk changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Equal ids mean comparable seqs.
    pub id: String,
    /// The last seq that is visible.
    pub end: Seq,
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The changed documents, ascending by seq.
    pub documents: Vec<DocumentChunks>,
    /// What to pass as `since` next time; at least the last document's seq.
    pub next: Seq,
    /// Whether more were there already.
    pub more: bool,
}

/// The present chunks of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentChunks {
    /// Which document.
    pub document: DocumentKey,
    /// When its chunks last changed.
    pub seq: Seq,
    /// Its title now, which the lexical index reads with each chunk.
    pub title: String,
    /// Ascending by ordinal. Empty: take the document out.
    pub chunks: Vec<StoredChunk>,
}

/// A chunk as an index needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChunk {
    /// Its key.
    pub key: ChunkKey,
    /// Its position in the document.
    pub ordinal: u32,
    /// Its text.
    pub text: String,
    /// The headings above it.
    pub heading: Vec<String>,
    /// Its embedding.
    pub vector: Vector,
}

/// A chunk with what a citation needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedChunk {
    /// Its key.
    pub chunk: ChunkKey,
    /// Its position in the document.
    pub ordinal: u32,
    /// Its text, as it stands in the document.
    pub text: String,
    /// The headings above it, outermost first.
    pub heading: Vec<String>,
    /// Byte offsets into the document's text.
    pub span: Range<u64>,
    /// The document that it is part of.
    pub document: DocumentInfo,
    /// Who may read it, and whether its source is trusted.
    pub label: Label,
}

/// A document as it is cited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentInfo {
    /// The store's key.
    pub key: DocumentKey,
    /// The source's own id.
    pub id: String,
    /// The name of the source that the id is unique in.
    pub source: String,
    /// "page", "file", "message", "card".
    pub kind: String,
    /// The title.
    pub title: String,
    /// Where a person can open it.
    pub url: Option<String>,
    /// Names of the containers that hold it, outermost first.
    pub path: Vec<String>,
    /// When it last changed, in milliseconds since 1970, as the source says.
    pub updated: Option<i64>,
}

/// The store could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such tenant. Nothing of another tenant is told.
    #[error("no tenant is named {0}")]
    NoSuchTenant(TenantId),
    /// The database is busy or away; the same call may succeed later.
    #[error("the document store did not answer: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database refused or holds what it should not.
    #[error("the document store failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NoSuchTenant(_) => Blame::Caller,
            Self::Unavailable(_) | Self::Failed(_) => Blame::Host,
        }
    }

    /// Whether the same call may succeed later.
    pub fn retry_helps(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
