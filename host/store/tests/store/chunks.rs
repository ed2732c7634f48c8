//! The index's own conformance, over this store.

use std::sync::Arc;

use async_trait::async_trait;
use sallyport::connection::Owner;
use sallyport::document::{Access, Change, Content, Principal};
use sallyport::ids::{ConnectionId, SourceId, StreamId, TenantId};
use sallyport::ports::{Directory, Sink};
use sallyport_index::testing::{Fixture, TestDocument, conformance};
use sallyport_index::{ChunkStore, Format, Readers, Recipe, StoreError};
use sallyport_store::Store;

use crate::given::{authority, connection, document, email, readers};

struct Filled {
    _folder: tempfile::TempDir,
    store: Store,
}

impl Filled {
    async fn commit(&self, tenant: &sallyport_index::TenantId, change: Change) {
        let (id, source) = (ConnectionId::new(format!("con-{tenant}")), SourceId::new(format!("source of {tenant}")));
        let mut at = authority(&id);
        at.caller.tenant = TenantId::new(tenant.as_str());
        if self.store.connection(at.tenant(), &id).await.is_err() {
            let mut made = connection(id.as_str(), source.as_str(), Owner::Workspace);
            made.tenant = at.tenant().clone();
            self.store.put_connection(&made).await.unwrap();
        }
        let stream = StreamId::new("all");
        let state = self.store.begin(&at, &source, &stream, false, 60_000).await.unwrap();
        at.fence = state.lease.fence;
        let batch = sallyport::ports::Batch { changes: vec![change], cursor: "c".into(), after: state.generation };
        self.store.commit(&at, &source, &stream, batch).await.unwrap();
        self.store.finish(&at, &source, &stream, sallyport::ports::Finish::Wait).await.unwrap();
    }
}

fn access(given: Option<Readers>) -> Access {
    let Some(given) = given else { return Access::Unknown };
    let domains = given.domains.into_iter().map(Principal::Domain);
    let anyone = given.anyone.then_some(Principal::Anyone);
    let who: Vec<Principal> = given.people.iter().map(|person| email(person)).chain(domains).chain(anyone).collect();
    readers(&who)
}

#[async_trait]
impl Fixture for Filled {
    fn store(&self) -> Arc<dyn ChunkStore> {
        Arc::new(self.store.clone())
    }

    async fn put(&self, tenant: &sallyport_index::TenantId, given: &TestDocument) {
        let mut made = document(&given.id, &given.text, access(given.readers.clone()));
        made.title = given.title.clone();
        if given.format == Format::Markdown {
            made.content = Content::Markdown(given.text.clone());
        }
        self.commit(tenant, Change::Upsert(Box::new(made))).await;
    }

    async fn set_readers(&self, tenant: &sallyport_index::TenantId, id: &str, readers: Option<Readers>) {
        self.commit(tenant, Change::SetAccess { id: id.into(), access: access(readers) }).await;
    }

    async fn delete(&self, tenant: &sallyport_index::TenantId, id: &str) {
        self.commit(tenant, Change::Delete(id.into())).await;
    }
}

async fn filled() -> Filled {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let parts = ["pending", "replaced", "access", "deletion", "changes", "recipe", "one", "two"];
    for part in parts {
        store.accounts().create_tenant(&TenantId::new(format!("conformance-{part}")), part).await.unwrap();
    }
    Filled { _folder: folder, store }
}

#[tokio::test]
async fn the_store_does_what_the_index_demands() {
    conformance(&filled().await).await;
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_is_named() {
    let filled = filled().await;
    let tenant = sallyport_index::TenantId::new("nobody");
    let pending = filled.store.pending(&tenant, &Recipe::new("test/1"), 1).await;
    assert!(matches!(pending, Err(StoreError::NoSuchTenant(named)) if named == tenant));
    assert!(matches!(filled.store.history(&tenant).await, Err(StoreError::NoSuchTenant(_))));
}
