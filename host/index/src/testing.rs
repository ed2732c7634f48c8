//! For tests of this crate and of stores: a store in memory, an embedder that needs no model, and what
//! every [`ChunkStore`] must do.

mod conformance;
mod embedder;
mod memory;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Caller, ChunkStore, Format, Readers, TenantId};

pub use conformance::conformance;
pub use embedder::HashEmbedder;
pub use memory::MemoryStore;

/// A store with a way to fill it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The store under test. Tenants that a test names exist, or come to be when first used.
    fn store(&self) -> Arc<dyn ChunkStore>;

    /// Commits a document: a new one, or new content and access for one of the same id.
    async fn put(&self, tenant: &TenantId, document: &TestDocument);

    /// Commits new access only. `None`: unknown.
    async fn set_readers(&self, tenant: &TenantId, id: &str, readers: Option<Readers>);

    /// Commits a deletion.
    async fn delete(&self, tenant: &TenantId, id: &str);
}

/// A document as a source would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestDocument {
    /// The source's id.
    pub id: String,
    /// The title.
    pub title: String,
    /// How to cut the text.
    pub format: Format,
    /// The text.
    pub text: String,
    /// Who may read it: everyone, domains, e-mail addresses. `None`: unknown.
    pub readers: Option<Readers>,
}

impl TestDocument {
    /// A plain document that these e-mail addresses may read.
    pub fn new(id: &str, title: &str, text: &str, people: &[&str]) -> Self {
        Self { id: id.into(), title: title.into(), format: Format::Plain, text: text.into(), readers: some(people) }
    }
}

/// A caller with one verified address, which is also its subject.
pub fn caller(tenant: &TenantId, email: &str) -> Caller {
    Caller { tenant: tenant.clone(), subject: email.into(), emails: vec![email.into()] }
}

/// These people, by e-mail address.
pub fn some(people: &[&str]) -> Option<Readers> {
    Some(Readers { people: people.iter().map(|person| person.to_string()).collect(), ..Readers::default() })
}
