//! What the tests say about a store, in their own words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sallyport::authority::{Authority, Fence};
use sallyport::caller::{Caller, Role};
use sallyport::clock::Clock;
use sallyport::connection::{Connection, ConnectionState, Owner};
use sallyport::document::{
    Access, AccessEntry, Change, Container, Content, Document, Level, Membership, Person, Principal,
};
use sallyport::ids::{
    ConnectionId, ConnectorId, InvocationId, ProviderId, SourceId, StreamId, SubjectId, TenantId, Timestamp,
};
use sallyport::ports::{Batch, Committed, Directory, Finish, Sink, StoreResult};
use sallyport_index::{ChunkStore, Put, Recipe};
use sallyport_store::{Options, Store};

/// A clock that stands until it is moved.
#[derive(Clone, Default)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn forward(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000 + self.0.load(Ordering::SeqCst))
    }
}

/// A store in a folder of its own, with tenant `acme`.
pub(crate) struct Given {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Hands,
    pub(crate) store: Store,
}

pub(crate) const RECIPE: &str = "test/1";

impl Given {
    pub(crate) async fn new() -> Self {
        Self::with(None).await
    }

    pub(crate) async fn with(max_pages: Option<u32>) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Hands::default());
        let options = Options { clock: Some(Arc::new(clock.clone())), max_pages, ..Options::default() };
        let store = Store::open_with(folder.path(), options).unwrap();
        store.accounts().create_tenant(&tenant(), "Acme").await.unwrap();
        Self { folder, clock, store }
    }

    /// The same directory as another process has it.
    pub(crate) fn another(&self) -> Store {
        let options = Options { clock: Some(Arc::new(self.clock.clone())), ..Options::default() };
        Store::open_with(self.folder.path(), options).unwrap()
    }

    pub(crate) async fn connection(&self, id: &str, source: &str, owner: Owner) -> Stream {
        let connection = connection(id, source, owner);
        self.store.put_connection(&connection).await.unwrap();
        self.stream(&connection.id, source).await
    }

    /// Begins a pull of the stream `all`.
    pub(crate) async fn stream(&self, connection: &ConnectionId, source: &str) -> Stream {
        let mut stream = Stream {
            store: self.store.clone(),
            at: authority(connection),
            source: SourceId::new(source),
            stream: StreamId::new("all"),
            generation: 0,
            listed: 0,
        };
        stream.begin(false).await.unwrap();
        stream
    }

    /// One chunk, the text, for everything that waits.
    pub(crate) async fn settle(&self) {
        let (tenant, recipe) = (sallyport_index::TenantId::new("acme"), Recipe::new(RECIPE));
        loop {
            let pending = self.store.pending(&tenant, &recipe, 1000).await.unwrap();
            if pending.is_empty() {
                return;
            }
            for document in pending {
                let chunks = vec![chunk(&document.text)];
                let put = self.store.put_chunks(&tenant, document.document, document.content, &recipe, chunks);
                assert!(matches!(put.await.unwrap(), Put::Stored(_)));
            }
        }
    }

    /// Ids of all that the caller finds, after everything was indexed.
    pub(crate) async fn finds(&self, caller: &Caller) -> Vec<String> {
        self.settle().await;
        let found = self.resolved(caller).await;
        let mut ids: Vec<String> = found.into_iter().map(|chunk| chunk.document.id).collect();
        ids.sort();
        ids
    }

    /// Every chunk that the caller may see; `readable` and `resolve` must agree about the documents.
    pub(crate) async fn resolved(&self, caller: &Caller) -> Vec<sallyport_index::ResolvedChunk> {
        let (caller, recipe) = (searcher(caller), Recipe::new(RECIPE));
        let readable = self.store.readable(&caller, &recipe).await.unwrap();
        let since = sallyport_index::Seq(0);
        let all = self.store.changes_since(&caller.tenant, &recipe, since, 100_000).await.unwrap();
        let keys: Vec<_> = all.documents.iter().flat_map(|document| &document.chunks).map(|chunk| chunk.key).collect();
        let resolved = self.store.resolve(&caller, &keys).await.unwrap();
        let documents: roaring::RoaringTreemap = resolved.iter().map(|chunk| chunk.document.key.0).collect();
        assert_eq!(readable, documents);
        resolved
    }
}

/// A pull under way.
pub(crate) struct Stream {
    pub(crate) store: Store,
    pub(crate) at: Authority,
    pub(crate) source: SourceId,
    pub(crate) stream: StreamId,
    pub(crate) generation: u64,
    /// What a sweep that was under way had listed.
    pub(crate) listed: u64,
}

impl Stream {
    pub(crate) async fn begin(&mut self, sweep: bool) -> StoreResult<bool> {
        let state = self.store.begin(&self.at, &self.source, &self.stream, sweep, 60_000).await?;
        self.at.fence = state.lease.fence;
        (self.generation, self.listed) = (state.generation, state.listed);
        Ok(state.sweep)
    }

    pub(crate) async fn commit(&mut self, changes: Vec<Change>) -> Committed {
        let cursor = format!("cursor {}", self.generation + 1);
        let batch = Batch { changes, cursor, after: self.generation };
        let committed = self.store.commit(&self.at, &self.source, &self.stream, batch).await.unwrap();
        self.generation = committed.generation;
        committed
    }

    pub(crate) async fn finish(&self, finish: Finish) -> Vec<String> {
        self.store.finish(&self.at, &self.source, &self.stream, finish).await.unwrap()
    }
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme")
}

pub(crate) fn connection(id: &str, source: &str, owner: Owner) -> Connection {
    Connection {
        id: ConnectionId::new(id),
        tenant: tenant(),
        connector: ConnectorId::new("google-drive").unwrap(),
        provider: ProviderId::new("google").unwrap(),
        auth: "oauth".into(),
        owner,
        name: format!("{id} for people"),
        account: format!("account of {id}"),
        account_name: "Ann".into(),
        workspace: None,
        source: SourceId::new(source),
        audience: Vec::new(),
        settings: BTreeMap::new(),
        state: ConnectionState::Active,
        reason: None,
        checked: None,
        created: Timestamp(1),
    }
}

pub(crate) fn authority(connection: &ConnectionId) -> Authority {
    Authority {
        caller: Caller::system(tenant()),
        connection: connection.clone(),
        invocation: InvocationId::fresh(),
        fence: Fence(0),
    }
}

pub(crate) fn caller(email: &str) -> Caller {
    Caller {
        tenant: tenant(),
        subject: SubjectId::new(email.split('@').next().unwrap()),
        emails: vec![email.into()],
        roles: vec![Role::Member],
    }
}

pub(crate) fn searcher(caller: &Caller) -> sallyport_index::Caller {
    sallyport_index::Caller {
        tenant: sallyport_index::TenantId::new(caller.tenant.as_str()),
        subject: caller.subject.to_string(),
        emails: caller.emails.clone(),
    }
}

pub(crate) fn chunk(text: &str) -> sallyport_index::NewChunk {
    sallyport_index::NewChunk {
        ordinal: 0,
        text: text.into(),
        heading: vec!["Part".into()],
        span: 0..text.len() as u64,
        vector: sallyport_index::Vector { values: vec![1, -2, 127, -127].into(), scale: 0.5 },
    }
}

pub(crate) fn email(address: &str) -> Principal {
    Principal::Email(address.into())
}

pub(crate) fn user(id: &str) -> Principal {
    Principal::User(id.into())
}

pub(crate) fn group(id: &str) -> Principal {
    Principal::Group(id.into())
}

pub(crate) fn readers(who: &[Principal]) -> Access {
    let entries = who.iter().cloned().map(|who| AccessEntry { who, level: Level::Read }).collect();
    Access::Known { entries, inherit: Vec::new() }
}

pub(crate) fn inherits(containers: &[&str]) -> Access {
    Access::Known { entries: Vec::new(), inherit: containers.iter().map(ToString::to_string).collect() }
}

pub(crate) fn document(id: &str, text: &str, access: Access) -> Document {
    Document {
        id: id.into(),
        revision: None,
        kind: "file".into(),
        title: format!("Title of {id}"),
        content: Content::Text(text.into()),
        truncated: false,
        url: Some(format!("https://docs.example/{id}")),
        created: None,
        updated: Some(Timestamp(1_780_000_000_000)),
        authors: vec!["u1".into()],
        container: None,
        access,
        metadata: serde_json::Map::new(),
    }
}

pub(crate) fn upsert(id: &str, text: &str, access: Access) -> Change {
    Change::Upsert(Box::new(document(id, text, access)))
}

pub(crate) fn container(id: &str, parent: Option<&str>, access: Access) -> Change {
    let (kind, name) = ("folder".into(), format!("Folder {id}"));
    Change::UpsertContainer(Container { id: id.into(), kind, name, parent: parent.map(Into::into), access })
}

pub(crate) fn members(group: &str, reset: bool, add: &[Principal], remove: &[Principal]) -> Change {
    Change::Members(Membership { group: group.into(), reset, add: add.to_vec(), remove: remove.to_vec() })
}

pub(crate) fn person(user: &str, email: Option<&str>, active: bool) -> Change {
    Change::Person(Person { user: user.into(), email: email.map(Into::into), name: None, active })
}

impl Given {
    /// Rows of a table, seen past the store.
    pub(crate) fn rows(&self, table: &str) -> u64 {
        let db = rusqlite::Connection::open(self.folder.path().join("sallyport.db")).unwrap();
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }
}
