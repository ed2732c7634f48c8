//! Formats on disk: a directory of each one is opened for ever.
//!
//! `tests/data/format-5` was written by [`write_sample`]. For a new format, run this module's tests with
//! `SALLYPORT_KEEP_SAMPLE=<an empty folder>` and check in what is there then, beside the earlier ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sallyport::audit::{ChainName, HostKey};
use sallyport::authority::Fence;
use sallyport::caller::Role;
use sallyport::connection::{Constraints, Grant, Owner, Setting};
use sallyport::document::{Access, AccessEntry, Change, Content, Level, Principal};
use sallyport::ids::{
    CapabilityId, ConnectionId, ConnectorId, Digest, GrantId, InvocationId, LinkId, MasterId, Publisher, SlotName,
    SourceId, StreamId, SubjectId, Timestamp,
};
use sallyport::ports::{
    Asker, Batch, BodyRef, Bucket, Catalog, Directory, Durability, Effect, EffectState, Entry, Event, Filter, Finish,
    Hold, Installed, Journal, Limiter, Link, LinkAsk, LinkStatus, Links, Rate, SealedBody, Sink, State, StoreError,
    Vault, WrappedKey,
};
use sallyport_agent::ports::{Conversations, Documents, Turn, TurnOutcome};
use sallyport_index::{ChunkStore, Recipe};
use sallyport_store::accounts::{Holder, User};
use sallyport_store::audit::ExportedItem;
use sallyport_store::events::NewEvent;
use sallyport_store::{OpenError, Store};

use crate::given::{
    authority, caller, chunk, connection, container, document, email, group, members, person, readers, searcher, tenant,
};

const BYTES: &[u8] = b"a sealed connector";
/// A version of it that waits for consent.
const NEXT: &[u8] = b"a wider connector";

fn publisher() -> Publisher {
    "19".repeat(32).parse().unwrap()
}

/// Somebody's attempt to connect.
fn link() -> Link {
    let ann = caller("ann@acme.test");
    Link {
        id: LinkId::new("a-hash"),
        tenant: tenant(),
        by: Asker { subject: ann.subject, emails: ann.emails, roles: ann.roles },
        ask: LinkAsk {
            connector: ConnectorId::new("google-drive").unwrap(),
            auth: "oauth".into(),
            owner: Owner::Workspace,
            name: None,
            capabilities: BTreeMap::new(),
            constraints: Constraints::default(),
            settings: BTreeMap::new(),
            audience: Vec::new(),
            connection: None,
            return_to: None,
        },
        browser: None,
        flight: None,
        status: LinkStatus::Waiting,
        created: Timestamp(1),
        expires: Timestamp(u64::MAX / 2),
        version: 1,
    }
}

/// Puts something into every table.
async fn write_sample(store: &Store) {
    let accounts = store.accounts();
    accounts.create_tenant(&tenant(), "Acme").await.unwrap();
    store.put_link(&link()).await.unwrap();
    let declined = Link { status: LinkStatus::Declined, ..link() };
    store.swap_link(&declined).await.unwrap();
    accounts.create_key(Holder::Service(tenant()), "service").await.unwrap();
    let ann = caller("ann@acme.test");
    let user = User {
        tenant: tenant(),
        subject: ann.subject.clone(),
        name: "Ann".into(),
        emails: ann.emails.clone(),
        roles: vec![Role::Admin],
    };
    accounts.put_user(&user).await.unwrap();
    accounts.put_setting("seeded", "yes").await.unwrap();

    let installed = Installed {
        connector: ConnectorId::new("google-drive").unwrap(),
        version: "0.1.0".into(),
        publisher: Some(publisher()),
        digest: Digest::of(BYTES),
        size: BYTES.len() as u64,
        at: Timestamp(5),
    };
    store.install(&installed, BYTES, None).await.unwrap();
    let digest = Digest::of(NEXT);
    let next = Installed { version: "0.2.0".into(), digest, size: NEXT.len() as u64, ..installed };
    store.hold(&next, NEXT).await.unwrap();
    let mut drive = connection("drive", "s1", Owner::Person(ann.subject.clone()));
    drive.audience = vec!["domain:acme.test".into()];
    store.put_connection(&drive).await.unwrap();
    store.put_grant(&grant()).await.unwrap();

    let mut at = authority(&drive.id);
    let slot = SlotName::new("user").unwrap();
    store.replace(&at, &slot, None, &crate::ports::secret("sealed")).await.unwrap();
    store.lease(&at, &slot, "process 1").await.unwrap();
    store.put_client(None, "google", &crate::ports::secret("client")).await.unwrap();
    let key =
        WrappedKey { id: "k1".into(), nonce: vec![3; 24], ciphertext: b"wrapped".to_vec(), master: MasterId::FIRST };
    store.put_data_key(Some(&tenant()), None, &key).await.unwrap();
    let bucket = Bucket { key: "google".into(), rate: Rate { requests: 10, millis: 1000 } };
    store.take(&at, std::slice::from_ref(&bucket)).await.unwrap();

    accounts.tie(&tenant(), &drive.id, "u2", "cy@acme.test", &ann.subject).await.unwrap();

    let (source, stream) = (SourceId::new("s1"), StreamId::new("all"));
    let state = store.begin(&at, &source, &stream, false, 60_000).await.unwrap();
    at.fence = state.lease.fence;
    let mut plan = document(
        "plan",
        "",
        Access::Known {
            entries: vec![AccessEntry { who: Principal::Domain("other.test".into()), level: Level::Comment }],
            inherit: vec!["folder".into()],
        },
    );
    (plan.content, plan.container) = (Content::Markdown("# Plan\n\nShip it.".into()), Some("folder".into()));
    plan.revision = Some("r1".into());
    let changes = vec![
        container("folder", None, readers(&[group("team"), email("bo@acme.test")])),
        Change::Upsert(Box::new(plan)),
        Change::Upsert(Box::new(document("page", "Not indexed yet.", readers(&[Principal::ConnectionAudience])))),
        Change::Upsert(Box::new(document("hidden", "Nobody's.", Access::Unknown))),
        members("team", true, &[Principal::User("u1".into())], &[]),
        person("u1", Some("ann@acme.test"), true),
    ];
    let batch = Batch { changes, cursor: "cursor 1".into(), after: 0 };
    store.commit(&at, &source, &stream, batch).await.unwrap();
    store.finish(&at, &source, &stream, Finish::Whole).await.unwrap();
    let (acme, recipe) = (sallyport_index::TenantId::new("acme"), Recipe::new("test/1"));
    let pending = store.pending(&acme, &recipe, 1).await.unwrap().remove(0);
    let chunks = vec![chunk(&pending.text)];
    store.put_chunks(&acme, pending.document, pending.content, &recipe, chunks).await.unwrap();

    let mut at = authority(&drive.id);
    (at.invocation, at.fence, at.caller) = (InvocationId::new("inv-1"), Fence(1), ann.clone());
    let plain = SealedBody { of: body(), packed: false, nonce: vec![1; 24], ciphertext: b"sealed".to_vec() };
    let bodies = vec![plain, packed()];
    store.open(&at, &crate::journal::plan(), bodies, Timestamp(100), 60_000, Durability::Eventual).await.unwrap();
    store.append(&at, 1, events(), Vec::new(), Durability::Flushed).await.unwrap();
    Conversations::record(store, &ann, &turn()).await.unwrap();
}

fn grant() -> Grant {
    Grant {
        id: GrantId::new("grant"),
        tenant: tenant(),
        connection: ConnectionId::new("drive"),
        capabilities: BTreeMap::from([(CapabilityId::new("files.read").unwrap(), Setting::Auto)]),
        constraints: Constraints { audience_ceiling: Some("domain:acme.test".into()), ..Constraints::default() },
        by: SubjectId::new("ann"),
        at: Timestamp(3),
    }
}

fn body() -> BodyRef {
    BodyRef { hash: "hash".into(), size: 3 }
}

/// One that was made smaller, under a name as the runtime makes it.
fn packed() -> SealedBody {
    let of = BodyRef { hash: "5a".repeat(16), size: 3 };
    SealedBody { of, packed: true, nonce: vec![2; 24], ciphertext: b"smaller".to_vec() }
}

fn events() -> Vec<Entry> {
    let effect = Effect {
        method: "POST".into(),
        target: "https://api.trello.com/1/boards".into(),
        route: "POST {api}/1/boards".into(),
        capability: CapabilityId::new("boards.write").unwrap(),
        request: body(),
    };
    let write = Event::Write { call: 0, state: EffectState::Sent, effect: Some(effect.clone()), answer: None };
    let hold = Hold { call: 1, effect, reasons: vec!["asks".into()], expires: Timestamp(9_000) };
    let events = [Event::Started { run: 1, replayed: 0 }, write, Event::Held(hold)];
    events.into_iter().zip(1..).map(|(event, seq)| Entry { seq, at: Timestamp(100 + seq), event }).collect()
}

fn turn() -> Turn {
    Turn {
        conversation: "c1".into(),
        at: Timestamp(7),
        request: "What is the plan?".into(),
        cited: Vec::new(),
        proposed: Some(InvocationId::new("inv-1")),
        outcome: TurnOutcome::Answered { text: "Ship it [1].".into() },
        planner: "embedded".into(),
    }
}

/// What [`write_sample`] put in is what every later version finds.
async fn check_sample(store: &Store) {
    let ann = caller("ann@acme.test");
    let accounts = store.accounts();
    assert_eq!(accounts.user_by_email(&tenant(), "ann@acme.test").await.unwrap().roles, [Role::Admin]);
    assert_eq!(accounts.keys(Some(&tenant())).await.unwrap()[0].label, "service");
    assert_eq!(accounts.setting("seeded").await.unwrap().as_deref(), Some("yes"));
    let live = store.live(&ConnectorId::new("google-drive").unwrap()).await.unwrap();
    assert_eq!(store.bytes(&live.digest).await.unwrap(), BYTES);
    let drive = store.connection(&tenant(), &ConnectionId::new("drive")).await.unwrap();
    assert_eq!((&drive.owner, drive.audience.len()), (&Owner::Person(ann.subject.clone()), 1));
    assert_eq!(store.grant(&tenant(), &drive.id).await.unwrap(), Some(grant()));
    let users = accounts.provider_users(&tenant(), &drive.id).await.unwrap();
    assert_eq!((users.len(), users[1].email.as_deref(), users[1].tied), (2, Some("cy@acme.test"), true));
    let mut at = authority(&drive.id);
    let secret = store.secret(&at, &SlotName::new("user").unwrap()).await.unwrap().unwrap();
    assert_eq!((secret.ciphertext.as_slice(), secret.generation), (&b"sealed"[..], 1));
    assert_eq!(store.client(None, "google").await.unwrap().unwrap().ciphertext, b"client");
    assert_eq!(store.data_key(Some(&tenant()), None).await.unwrap().unwrap().ciphertext, b"wrapped");

    let recipe = Recipe::new("test/1");
    let readable = store.readable(&searcher(&ann), &recipe).await.unwrap();
    assert_eq!(readable.len(), 1);
    let key = sallyport_index::DocumentKey(readable.min().unwrap());
    let plan = store.read(&ann, key).await.unwrap().unwrap();
    assert_eq!(plan.content, Content::Markdown("# Plan\n\nShip it.".into()));
    assert_eq!((plan.info.id.as_str(), plan.info.path), ("plan", vec!["Folder folder".to_owned()]));
    assert!(store.named(&ann, "title of page", 5).await.unwrap().len() == 1, "by the connection's audience");
    assert!(store.named(&ann, "title of hidden", 5).await.unwrap().is_empty());
    let acme = sallyport_index::TenantId::new("acme");
    let changes = store.changes_since(&acme, &recipe, sallyport_index::Seq(0), 10).await.unwrap();
    assert_eq!(changes.documents[0].chunks[0].vector, chunk("").vector);
    assert_eq!(store.pending_count(&acme, &recipe).await.unwrap(), 2);

    let record = Journal::record(store, &tenant(), &InvocationId::new("inv-1")).await.unwrap();
    assert_eq!((record.entries.len(), &record.entries[1..]), (4, events().as_slice()));
    assert_eq!(Journal::list(store, &tenant(), &Filter::default()).await.unwrap()[0].state, State::Held);
    assert_eq!(store.body(&tenant(), &drive.id, &body()).await.unwrap().ciphertext, b"sealed");
    assert_eq!(store.writes_since(&tenant(), &drive.id, Timestamp(0)).await.unwrap(), 1);
    assert_eq!(store.turns(&ann, "c1", 5).await.unwrap(), [turn()]);

    // And the work goes on.
    let (source, stream) = (SourceId::new("s1"), StreamId::new("all"));
    let state = store.begin(&at, &source, &stream, false, 60_000).await.unwrap();
    assert_eq!((state.cursor.as_deref(), state.generation, state.sweep), (Some("cursor 1"), 1, false));
    at.fence = state.lease.fence;
    let batch = Batch { changes: vec![Change::Delete("plan".into())], cursor: "cursor 2".into(), after: 1 };
    assert_eq!(store.commit(&at, &source, &stream, batch).await.unwrap().deleted, 1);
    assert!(store.readable(&searcher(&ann), &recipe).await.unwrap().is_empty());
}

/// What format 2 added.
async fn check_format_2(store: &Store) {
    let id = ConnectorId::new("google-drive").unwrap();
    assert_eq!(store.live(&id).await.unwrap().publisher, Some(publisher()));
    let waiting = store.waiting(&id).await.unwrap().unwrap();
    assert_eq!((waiting.version.as_str(), waiting.publisher), ("0.2.0", Some(publisher())));
    assert_eq!(store.bytes(&waiting.digest).await.unwrap(), NEXT);
}

/// What format 3 added.
async fn check_format_3(store: &Store) {
    let kept = store.link(&link().id).await.unwrap();
    assert_eq!(kept, Link { status: LinkStatus::Declined, version: 2, ..link() });
    let events = store.accounts().events(&tenant(), 0, 10).await.unwrap();
    let told = NewEvent::Link { link: link().id, status: LinkStatus::Declined };
    assert_eq!(events.first().map(|event| &event.what), Some(&told));
}

#[tokio::test]
async fn a_sample_holds_something_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    write_sample(&store).await;
    assert_eq!(store.audit().seal(host_key(), None, Timestamp(500)).await.unwrap(), []);
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join("sallyport.db")).unwrap();
    let mut tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.len() > 25);
    for table in tables {
        let rows: u64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert!(rows > 0, "the sample has nothing in {table}");
    }
    if let Some(kept) = std::env::var_os("SALLYPORT_KEEP_SAMPLE").map(PathBuf::from) {
        let file = kept.join("sallyport.db");
        db.execute("VACUUM INTO ?", [file.to_str().unwrap()]).unwrap();
        copy(&folder.path().join("connectors"), &kept.join("connectors"));
    }
    let store = Store::open(folder.path()).unwrap();
    check_format_5(&store).await;
    check_format_4(&store).await;
    check_format_3(&store).await;
    check_format_2(&store).await;
    check_sample(&store).await;
}

async fn check_format_5(store: &Store) {
    let packed = packed();
    assert_eq!(store.body(&tenant(), &ConnectionId::new("drive"), &packed.of).await.unwrap(), packed);
}

/// The key that signed the sample's chains.
fn host_key() -> HostKey {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.key");
    fs::write(&file, format!("sallyport host key 1\n{}\n", "07".repeat(32))).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    HostKey::open_or_create(&file).unwrap()
}

/// The chains as they were signed then: forms of hashes and signatures are for ever.
async fn check_format_4(store: &Store) {
    let reports = store.audit().verify(host_key().public(), Vec::new()).await.unwrap();
    assert_eq!(reports.len(), 2, "the tenant's and the host's");
    for report in reports {
        assert_eq!((report.bad, report.vouched), (None, report.links));
        assert!(report.links > 0 && report.signed == Some(report.links));
    }
}

/// What had no chain when it was written has one from when it was opened.
async fn check_begun(store: &Store) {
    let reports = store.audit().verify(host_key().public(), Vec::new()).await.unwrap();
    let own = reports.iter().find(|report| report.chain == tenant().as_str()).unwrap();
    assert_eq!((&own.bad, own.vouched), (&None, 0));
    assert!(own.links > 3, "a note, and every entry");
    let links = store.audit().export(&ChainName::of(&tenant()), 0, 1).await.unwrap();
    assert!(matches!(&links[0].item, ExportedItem::Note { note, .. } if note.get().contains("begun")), "{links:?}");
}

/// A copy of a kept directory, opened.
fn kept(format: u32) -> (tempfile::TempDir, Store) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/format-{format}"));
    let folder = tempfile::tempdir().unwrap();
    fs::copy(kept.join("sallyport.db"), folder.path().join("sallyport.db")).unwrap();
    copy(&kept.join("connectors"), &folder.path().join("connectors"));
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_directory_of_format_1_is_opened() {
    let (_folder, store) = kept(1);
    check_begun(&store).await;
    let id = ConnectorId::new("google-drive").unwrap();
    assert_eq!(store.live(&id).await.unwrap().publisher, None, "what was installed before nobody had signed");
    assert_eq!(store.waiting(&id).await.unwrap(), None);
    check_sample(&store).await;
}

#[tokio::test]
async fn a_directory_of_format_2_is_opened() {
    let (_folder, store) = kept(2);
    check_begun(&store).await;
    check_format_2(&store).await;
    check_sample(&store).await;
}

#[tokio::test]
async fn a_directory_of_format_5_is_opened() {
    let (_folder, store) = kept(5);
    check_format_5(&store).await;
    check_format_4(&store).await;
    check_format_3(&store).await;
    check_format_2(&store).await;
    check_sample(&store).await;
}

#[tokio::test]
async fn bodies_whose_names_stood_there_as_digits_are_found_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sallyport.db");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format-4/sallyport.db");
    fs::copy(kept, &file).unwrap();
    let db = rusqlite::Connection::open(&file).unwrap();
    let (short, long) = ("0f".repeat(16), "3a".repeat(32));
    let add = "INSERT INTO bodies (connection, hash, kept, nonce, ciphertext) VALUES (1, ?, 1, x'01', ?)";
    db.execute(add, rusqlite::params![short.as_bytes(), b"short"]).unwrap();
    db.execute(add, rusqlite::params![hex::decode(&long).unwrap(), b"long"]).unwrap();
    drop(db);
    let store = Store::open(folder.path()).unwrap();
    for (hash, ciphertext) in [(short, &b"short"[..]), (long, b"long")] {
        let of = BodyRef { hash, size: 9 };
        let found = store.body(&tenant(), &ConnectionId::new("drive"), &of).await.unwrap();
        assert_eq!((&found.ciphertext[..], found.packed), (ciphertext, false), "{of:?}");
    }
}

#[tokio::test]
async fn a_directory_of_format_4_is_opened() {
    let (_folder, store) = kept(4);
    check_format_4(&store).await;
    check_format_3(&store).await;
    check_format_2(&store).await;
    check_sample(&store).await;
}

#[tokio::test]
async fn a_directory_of_format_3_is_opened() {
    let (_folder, store) = kept(3);
    check_begun(&store).await;
    check_format_3(&store).await;
    check_format_2(&store).await;
    check_sample(&store).await;
}

#[test]
fn a_newer_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let db = rusqlite::Connection::open(folder.path().join("sallyport.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    let refused = Store::open(folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Store(StoreError::Newer { found: 99, known: 5 })), "{refused:?}");
    let tenants: u64 = db.query_row("SELECT count(*) FROM tenants", [], |row| row.get(0)).unwrap();
    assert_eq!(tenants, 0);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
