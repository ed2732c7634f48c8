//! The names by which the index and its store speak of tenants, documents and chunks.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// A customer of whoever hosts the runtime. Every call names one; nothing crosses tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Takes the name as it is; the store knows which names exist.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The store's number for a document. Unique in the store and never given to another document, also
/// after a deletion, so that an index which lags cannot take one document for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentKey(pub u64);

/// The store's number for a chunk, given by [`put_chunks`](crate::ChunkStore::put_chunks) and never
/// given again: text that was replaced cannot be reached through an old key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkKey(pub u64);

/// A position in a tenant's history of chunk changes. Zero is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

/// What a document's chunks were made from: title, format and text. A document whose hash did not
/// change is not embedded again, whatever happened to its access.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of everything that the chunker reads.
    pub fn of(title: &str, format: Format, text: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"sallyport content 1\0");
        hasher.update((title.len() as u64).to_le_bytes());
        hasher.update(title.as_bytes());
        hasher.update([format as u8]);
        hasher.update(text.as_bytes());
        Self(hasher.finalize().into())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({})", hex::encode(&self.0[..8]))
    }
}

/// How chunks were made: the embedder and the version of the chunker. Chunks of another recipe are
/// made again; vectors of two recipes are never compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Recipe(Arc<str>);

impl Recipe {
    /// Takes the name as it is. [`Index::recipe`](crate::Index::recipe) says which one an index uses.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form of a document's text, which decides where it may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Format {
    /// Cut at paragraphs, sentences, words.
    Plain = 0,
    /// Cut along headings, lists and blocks (CommonMark), then as plain text.
    Markdown = 1,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_hash_covers_title_format_and_text() {
        let base = ContentHash::of("ab", Format::Plain, "c");
        assert_eq!(base, ContentHash::of("ab", Format::Plain, "c"));
        assert_ne!(base, ContentHash::of("a", Format::Plain, "bc"));
        assert_ne!(base, ContentHash::of("ab", Format::Markdown, "c"));
        assert_ne!(base, ContentHash::of("ab", Format::Plain, "d"));
    }
}
