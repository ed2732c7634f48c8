//! Documents, access and cursor in one transaction.

use sallyport::authority::Fence;
use sallyport::connection::{ConnectionState, Owner};
use sallyport::document::{Change, Content};
use sallyport::ids::StreamId;
use sallyport::ports::{Batch, Directory, Finish, Sink, StoreError};

use crate::given::{Given, caller, document, email, readers, tenant, upsert};

fn for_ann() -> sallyport::document::Access {
    readers(&[email("ann@acme.test")])
}

#[tokio::test]
async fn a_batch_and_its_cursor_are_kept_together_and_once() {
    let given = Given::new().await;
    let drive = given.connection("drive", "s1", Owner::Workspace).await;
    let batch = Batch {
        changes: vec![upsert("a", "Text.", for_ann()), upsert("b", "Text.", for_ann())],
        cursor: "first".into(),
        after: 0,
    };
    let committed = given.store.commit(&drive.at, &drive.source, &drive.stream, batch.clone()).await.unwrap();
    assert_eq!((committed.generation, committed.documents), (1, 2));

    // The answer got lost: the same batch again does nothing, and says the same.
    let again = given.store.commit(&drive.at, &drive.source, &drive.stream, batch.clone()).await.unwrap();
    assert_eq!(again, committed);
    let other = Batch { cursor: "other".into(), ..batch };
    let refused = given.store.commit(&drive.at, &drive.source, &drive.stream, other).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");

    drive.finish(Finish::More).await;
    let state = given.store.begin(&drive.at, &drive.source, &drive.stream, false, 1000).await.unwrap();
    assert_eq!((state.cursor.as_deref(), state.generation), (Some("first"), 1));
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a", "b"]);
}

#[tokio::test]
async fn a_batch_that_fails_changes_nothing() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive.commit(vec![upsert("a", "Text.", for_ann())]).await;
    // SQLite cannot keep a time beyond 2^63; the document before it in the batch must not stay either.
    let mut impossible = document("c", "Text.", for_ann());
    impossible.updated = Some(sallyport::ids::Timestamp(u64::MAX));
    let changes = vec![upsert("b", "Text.", for_ann()), Change::Upsert(Box::new(impossible))];
    let batch = Batch { changes, cursor: "next".into(), after: 1 };
    assert!(given.store.commit(&drive.at, &drive.source, &drive.stream, batch).await.is_err());
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a"]);
    drive.finish(Finish::Failed).await;
    let state = given.store.begin(&drive.at, &drive.source, &drive.stream, false, 1000).await.unwrap();
    assert_eq!((state.cursor.as_deref(), state.generation), (Some("cursor 1"), 1));
}

#[tokio::test]
async fn one_pull_at_a_time_and_a_slow_holder_is_refused() {
    let given = Given::new().await;
    let mut first = given.connection("drive", "s1", Owner::Workspace).await;
    let other = given.another();
    let held = other.begin(&first.at, &first.source, &first.stream, false, 60_000).await;
    assert!(matches!(held, Err(StoreError::Held { millis, .. }) if millis <= 60_000), "{held:?}");

    given.clock.forward(60_001);
    let state = other.begin(&first.at, &first.source, &first.stream, false, 60_000).await.unwrap();
    assert!(state.lease.fence > first.at.fence);
    let batch = Batch { changes: vec![upsert("a", "Text.", for_ann())], cursor: "late".into(), after: 0 };
    let late = given.store.commit(&first.at, &first.source, &first.stream, batch.clone()).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert!(given.store.renew(&first.at, &first.source, &first.stream, 1000).await.is_err());
    let late = given.store.finish(&first.at, &first.source, &first.stream, Finish::Whole).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert!(given.finds(&caller("ann@acme.test")).await.is_empty());

    first.at.fence = state.lease.fence;
    other.commit(&first.at, &first.source, &first.stream, batch).await.unwrap();
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a"]);
}

#[tokio::test]
async fn a_stream_is_pulled_for_one_connection_of_its_source_at_a_time() {
    let given = Given::new().await;
    given.connection("ann", "s1", Owner::Workspace).await;
    let mut bo = given.connection("bo", "s2", Owner::Workspace).await;
    bo.finish(Finish::Wait).await;
    let moved = crate::given::connection("bo", "s1", Owner::Workspace);
    given.store.put_connection(&moved).await.unwrap();
    bo.source = moved.source;
    assert!(matches!(bo.begin(false).await, Err(StoreError::Held { .. })));
    bo.stream = StreamId::new("another");
    bo.begin(false).await.unwrap();
}

#[tokio::test]
async fn a_source_and_a_tenant_are_the_connections_own() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive.finish(Finish::Wait).await;
    let own = drive.source.clone();
    drive.source = sallyport::ids::SourceId::new("s2");
    assert!(matches!(drive.begin(false).await, Err(StoreError::NotFound { .. })));
    drive.source = own;
    drive.at.caller.tenant = sallyport::ids::TenantId::new("other");
    assert!(matches!(drive.begin(false).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn unchanged_content_is_known_by_revision_or_text() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    let with = |revision: Option<&str>, text: &str| {
        let mut document = document("a", text, for_ann());
        document.revision = revision.map(Into::into);
        Change::Upsert(Box::new(document))
    };
    assert_eq!(drive.commit(vec![with(Some("r1"), "One.")]).await.documents, 1);
    given.settle().await;
    assert_eq!(drive.commit(vec![with(Some("r2"), "One.")]).await.unchanged, 1, "same text, new revision");
    assert_eq!(drive.commit(vec![with(Some("r2"), "One, rendered anew.")]).await.unchanged, 1, "same revision");
    let resolved = given.resolved(&caller("ann@acme.test")).await;
    assert_eq!(resolved[0].text, "One.", "still indexed, and not again");
    assert_eq!(
        given.store.revisions(&drive.at, &drive.source, &["a".into(), "b".into()]).await.unwrap(),
        [Some("r2".to_owned()), None]
    );

    assert_eq!(drive.commit(vec![with(Some("r3"), "Two.")]).await.documents, 1);
    assert!(given.resolved(&caller("ann@acme.test")).await.is_empty(), "old chunks of new content");
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a"]);

    // What came without its text once is complete the next time, whatever its revision says.
    let mut empty = document("b", "", for_ann());
    (empty.content, empty.revision) = (Content::None, Some("r1".into()));
    drive.commit(vec![Change::Upsert(Box::new(empty))]).await;
    let mut full = document("b", "At last.", for_ann());
    full.revision = Some("r1".into());
    assert_eq!(drive.commit(vec![Change::Upsert(Box::new(full))]).await.documents, 1);
}

#[tokio::test]
async fn a_delete_takes_back_only_its_own_attestation() {
    let given = Given::new().await;
    let mut ann = given.connection("ann", "s1", Owner::Workspace).await;
    ann.commit(vec![upsert("a", "Text.", for_ann())]).await;
    ann.finish(Finish::Wait).await;
    let mut bo = given.connection("bo", "s1", Owner::Workspace).await;
    bo.commit(vec![upsert("a", "Text.", readers(&[email("bo@acme.test")]))]).await;
    bo.finish(Finish::Wait).await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a"], "readers are the union");
    assert_eq!(given.finds(&caller("bo@acme.test")).await, ["a"]);

    ann.begin(false).await.unwrap();
    assert_eq!(ann.commit(vec![Change::Delete("a".into())]).await.deleted, 1);
    assert_eq!(ann.commit(vec![Change::Delete("a".into())]).await.deleted, 0);
    assert!(given.finds(&caller("ann@acme.test")).await.is_empty());
    assert_eq!(given.finds(&caller("bo@acme.test")).await, ["a"]);
    ann.finish(Finish::Wait).await;

    bo.begin(false).await.unwrap();
    assert_eq!(given.store.forget(&bo.at, &bo.source, &bo.stream, &["a".into(), "z".into()]).await.unwrap(), 1);
    assert!(given.finds(&caller("bo@acme.test")).await.is_empty());
    assert_eq!(given.rows("documents") + given.rows("texts") + given.rows("chunks") + given.rows("attestations"), 0);
}

#[tokio::test]
async fn a_whole_sweep_names_what_it_missed_and_keeps_it() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive.commit(["a", "b", "c", "d"].map(|id| upsert(id, "Text.", for_ann())).to_vec()).await;
    assert!(drive.finish(Finish::Whole).await.is_empty(), "the first sweep missed nothing");

    assert!(!drive.begin(false).await.unwrap(), "up to date: no sweep");
    drive.finish(Finish::Wait).await;
    assert!(drive.begin(true).await.unwrap());
    drive.commit(vec![Change::Seen(vec!["a".into(), "unheard of".into()])]).await;
    assert!(drive.finish(Finish::More).await.is_empty());
    assert!(drive.begin(false).await.unwrap(), "the sweep goes on over pulls");
    drive.commit(vec![upsert("b", "Text.", for_ann()), upsert("e", "Text.", for_ann())]).await;
    assert_eq!(drive.finish(Finish::Whole).await, ["c", "d"]);
    assert!(drive.begin(false).await.unwrap(), "nobody has seen to them");
    assert!(drive.finish(Finish::Settled).await.is_empty());
    assert!(!drive.begin(false).await.unwrap());
    drive.finish(Finish::Wait).await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a", "b", "c", "d", "e"], "kept until proven gone");

    assert!(drive.begin(true).await.unwrap());
    assert!(drive.finish(Finish::Partial).await.is_empty(), "a partial sweep proves nothing");
    assert!(!drive.begin(false).await.unwrap());
}

#[tokio::test]
async fn a_sweep_says_what_it_lists_again_and_may_begin_anew() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    let all = || ["a", "b", "c"].map(|id| upsert(id, "Text.", for_ann())).to_vec();
    assert_eq!(drive.commit(all()).await.again, 0);
    drive.finish(Finish::Failed).await;

    assert!(drive.begin(false).await.unwrap());
    assert_eq!(drive.listed, 3);
    let again = vec![Change::Seen(vec!["a".into(), "unheard of".into()]), upsert("b", "Text.", for_ann())];
    assert_eq!(drive.commit(again).await.again, 2);
    assert!(drive.finish(Finish::Anew).await.is_empty());

    assert!(drive.begin(false).await.unwrap(), "another sweep");
    assert_eq!(drive.listed, 0);
    assert_eq!(drive.commit(vec![Change::Seen(vec!["a".into(), "b".into()])]).await.again, 0);
    assert_eq!(drive.finish(Finish::Whole).await, ["c"]);
    drive.finish(Finish::Settled).await;
    assert!(!drive.begin(false).await.unwrap());
    assert_eq!(drive.listed, 0, "no sweep is under way");
    assert_eq!(drive.commit(all()).await.again, 0, "what changes outside a sweep is listed by none");
}

#[tokio::test]
async fn a_removed_connection_takes_everything_along_that_was_its_own() {
    let given = Given::new().await;
    let mut ann = given.connection("ann", "s1", Owner::Workspace).await;
    let changes = vec![
        upsert("a", "Text.", for_ann()),
        upsert("both", "Text.", for_ann()),
        crate::given::container("f", None, for_ann()),
        crate::given::members("g", true, &[email("ann@acme.test")], &[]),
        crate::given::person("u", Some("ann@acme.test"), true),
    ];
    ann.commit(changes).await;
    ann.finish(Finish::Wait).await;
    let mut bo = given.connection("bo", "s1", Owner::Workspace).await;
    bo.commit(vec![upsert("both", "Text.", for_ann())]).await;
    given.settle().await;

    given.store.remove_connection(&tenant(), &ann.at.connection).await.unwrap();
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["both"]);
    for table in ["containers", "groups", "members", "people"] {
        assert_eq!(given.rows(table), 0, "{table}");
    }
    assert_eq!((given.rows("streams"), given.rows("acls"), given.rows("documents")), (1, 1, 1));
    let gone = given.store.connection(&tenant(), &ann.at.connection).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
    ann.at.fence = Fence(99);
    assert!(matches!(ann.begin(false).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn only_connections_that_an_operator_need_not_look_at_count() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive.commit(vec![upsert("a", "Text.", for_ann())]).await;
    let ann = caller("ann@acme.test");
    assert_eq!(given.finds(&ann).await, ["a"]);
    for (state, found) in [
        (ConnectionState::NeedsReauth, vec!["a".to_owned()]),
        (ConnectionState::Flagged, vec![]),
        (ConnectionState::Active, vec!["a".to_owned()]),
    ] {
        given.store.set_state(&tenant(), &drive.at.connection, state, None).await.unwrap();
        assert_eq!(given.finds(&ann).await, found, "{state:?}");
    }
}
