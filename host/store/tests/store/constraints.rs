//! What a grant's constraints leave to be kept and found.

use std::collections::BTreeMap;

use sallyport::connection::{Constraints, Grant, Owner};
use sallyport::document::{Access, Change, Document, Principal};
use sallyport::ids::{ConnectionId, GrantId, SubjectId, Timestamp};
use sallyport::ports::{Batch, Directory, Finish, Sink, StoreError};
use sallyport::tool::ToolDestination;
use sallyport_agent::ports::{Audience, Documents};

use crate::given::{
    Given, Stream, caller, container, document, email, inherits, members, person, readers, tenant, user,
};

fn grant(connection: &ConnectionId, constraints: &[&str]) -> Grant {
    Grant {
        id: GrantId::fresh(),
        tenant: tenant(),
        connection: connection.clone(),
        capabilities: BTreeMap::new(),
        constraints: Constraints::parse(constraints.iter().copied()).unwrap(),
        by: SubjectId::new("ann"),
        at: Timestamp(1),
    }
}

impl Given {
    async fn constrain(&self, stream: &Stream, constraints: &[&str]) {
        self.store.put_grant(&grant(&stream.at.connection, constraints)).await.unwrap();
    }

    async fn ann_finds(&self) -> Vec<String> {
        self.finds(&caller("ann@acme.test")).await
    }
}

fn for_ann() -> Access {
    readers(&[email("ann@acme.test")])
}

/// A document in a container.
fn within(id: &str, container: Option<&str>, access: Access) -> Change {
    Change::Upsert(Box::new(Document { container: container.map(Into::into), ..document(id, "Text.", access) }))
}

/// A board with a list, and another board.
fn boards() -> Vec<Change> {
    vec![
        container("list", Some("board"), inherits(&["board"])),
        container("board", Some("top"), inherits(&["top"])),
        container("other", Some("top"), for_ann()),
        container("top", None, for_ann()),
    ]
}

fn documents() -> Vec<Change> {
    vec![
        within("in-list", Some("list"), inherits(&["list"])),
        within("in-board", Some("board"), for_ann()),
        within("in-other", Some("other"), for_ann()),
        within("in-top", Some("top"), for_ann()),
        within("lost", Some("nowhere"), for_ann()),
        within("loose", None, for_ann()),
    ]
}

#[tokio::test]
async fn only_documents_in_the_grants_containers_or_under_them_are_kept() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    given.constrain(&drive, &["containers=board"]).await;
    // Documents before what holds them: the last word of a batch counts.
    let committed = drive.commit(documents().into_iter().chain(boards()).collect()).await;
    assert_eq!((committed.documents, committed.refused), (2, 4));
    assert_eq!(given.ann_finds().await, ["in-board", "in-list"], "whose readers come from above the board");
    assert_eq!((given.rows("documents"), given.rows("texts"), given.rows("attestations")), (2, 2, 2));

    let ann = caller("ann@acme.test");
    for (name, found) in [("Folder board", 1), ("Folder list", 1), ("Folder other", 0), ("Folder top", 0), ("", 0)] {
        assert_eq!(given.store.named(&ann, name, 5).await.unwrap().len(), found, "{name}");
    }
    for (id, found) in [("list", true), ("in-list", true), ("other", false), ("top", false), ("in-top", false)] {
        let place = given.store.with_id(&ann, &drive.at.connection, id).await.unwrap();
        assert_eq!(place.is_some(), found, "{id}");
    }
    let db = rusqlite::Connection::open(given.folder.path().join("sallyport.db")).unwrap();
    let names: u64 = db
        .query_row("SELECT count(*) FROM containers WHERE name LIKE '%top%' OR name LIKE '%other%'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(names, 0, "of what is outside no name is kept");
}

#[tokio::test]
async fn what_is_outside_is_gone_from_the_moment_that_containers_are_named() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive.commit(boards().into_iter().chain(documents()).collect()).await;
    assert_eq!(given.ann_finds().await.len(), 6);
    let mut other = given.connection("second", "s2", Owner::Workspace).await;
    other.commit(vec![within("of-another", None, for_ann())]).await;

    given.constrain(&drive, &["containers=board"]).await;
    assert_eq!(given.ann_finds().await, ["in-board", "in-list", "of-another"]);
    assert_eq!(given.store.documents_of(&tenant(), &drive.at.connection).await.unwrap(), 2);
    assert!(given.store.named(&caller("ann@acme.test"), "Folder other", 5).await.unwrap().is_empty());

    // The pull that was under way commits under the grant as it is.
    let late = drive
        .commit(vec![within("late", Some("other"), for_ann()), within("in-board", Some("other"), for_ann())])
        .await;
    assert_eq!(late.refused, 2);
    assert_eq!(given.ann_finds().await, ["in-list", "of-another"]);
    drive.finish(Finish::Wait).await;

    // Wider: what was not kept has to be told again, so that the next pull lists everything.
    given.constrain(&drive, &["containers=board,other"]).await;
    assert!(drive.begin(false).await.unwrap(), "a sweep");
    drive.commit(boards().into_iter().chain(documents()).collect()).await;
    drive.finish(Finish::Whole).await;
    assert_eq!(given.ann_finds().await, ["in-board", "in-list", "in-other", "of-another"]);
    given.constrain(&drive, &["containers=other"]).await;
    assert_eq!(given.ann_finds().await, ["in-other", "of-another"]);
    assert!(!drive.begin(false).await.unwrap(), "narrower: nothing has to be told again");
}

#[tokio::test]
async fn what_moves_out_of_the_containers_is_gone_with_the_move() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    given.constrain(&drive, &["containers=board"]).await;
    drive.commit(boards().into_iter().chain(documents()).collect()).await;
    drive.commit(vec![container("list", Some("other"), for_ann())]).await;
    assert_eq!(given.ann_finds().await, ["in-board"], "its documents were not told of again");
    assert!(given.store.with_id(&caller("ann@acme.test"), &drive.at.connection, "list").await.unwrap().is_none());
    drive.commit(vec![container("list", Some("board"), for_ann()), within("in-list", Some("list"), for_ann())]).await;
    assert_eq!(given.ann_finds().await, ["in-board", "in-list"]);
    drive.commit(vec![Change::DeleteContainer("list".into())]).await;
    assert_eq!(given.ann_finds().await, ["in-board"], "nobody knows where it stands");
}

#[tokio::test]
async fn a_circle_of_containers_is_outside() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    given.constrain(&drive, &["containers=board"]).await;
    let circle = [container("a", Some("b"), for_ann()), container("b", Some("a"), for_ann())];
    let committed = drive.commit(circle.into_iter().chain([within("d", Some("a"), for_ann())]).collect()).await;
    assert_eq!(committed.refused, 1);
    assert_eq!(given.ann_finds().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_document_outside_stays_where_another_connection_keeps_it() {
    let given = Given::new().await;
    let mut wide = given.connection("wide", "s1", Owner::Workspace).await;
    wide.commit(vec![within("a", Some("other"), readers(&[email("bo@acme.test")]))]).await;
    wide.finish(Finish::Wait).await;
    let mut bounded = given.connection("bounded", "s1", Owner::Workspace).await;
    bounded.commit(vec![within("a", Some("other"), for_ann())]).await;
    assert_eq!(given.ann_finds().await, ["a"]);
    given.constrain(&bounded, &["containers=board"]).await;
    assert!(given.ann_finds().await.is_empty(), "it was hers by the bounded connection");
    assert_eq!(given.finds(&caller("bo@acme.test")).await, ["a"]);
}

#[tokio::test]
async fn a_pull_under_a_grant_that_was_withdrawn_or_widened_commits_nothing() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    given.constrain(&drive, &["containers=board"]).await;
    let batch = |drive: &Stream| Batch {
        changes: vec![within("a", Some("other"), for_ann())],
        cursor: "late".into(),
        after: drive.generation,
    };
    given.constrain(&drive, &[]).await;
    let late = given.store.commit(&drive.at, &drive.source, &drive.stream, batch(&drive)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    drive.begin(false).await.unwrap();
    given.store.revoke_grant(&tenant(), &drive.at.connection).await.unwrap();
    let late = given.store.commit(&drive.at, &drive.source, &drive.stream, batch(&drive)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert!(given.ann_finds().await.is_empty());
}

#[tokio::test]
async fn nobody_beyond_the_audience_ceiling_finds_anything() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive
        .commit(vec![
            within("public", None, readers(&[Principal::Anyone])),
            within("acme", None, readers(&[Principal::Domain("acme.test".into())])),
            within("other", None, readers(&[Principal::Domain("other.test".into())])),
            within("bo", None, readers(&[email("bo@other.test")])),
            within("group", None, readers(&[Principal::Group("team".into())])),
            within("folder", None, inherits(&["f"])),
            within("ann", None, readers(&[user("u1")])),
            container("f", None, readers(&[email("bo@other.test"), Principal::Anyone])),
            members("team", true, &[email("bo@other.test"), user("u1")], &[]),
            person("u1", Some("ann@acme.test"), true),
        ])
        .await;
    let (ann, bo) = (caller("ann@acme.test"), caller("bo@other.test"));
    let table: [(&[&str], usize, usize); 6] = [
        (&[], 5, 5),
        (&["audience<=anyone"], 5, 5),
        (&["audience<=domain:acme.test"], 5, 0),
        (&["audience<=domain:other.test"], 0, 5),
        (&["audience<=bo@other.test"], 0, 5),
        (&["audience<=connection-audience"], 0, 0),
    ];
    for (constraints, for_ann, for_bo) in table {
        given.constrain(&drive, constraints).await;
        assert_eq!((given.finds(&ann).await.len(), given.finds(&bo).await.len()), (for_ann, for_bo), "{constraints:?}");
    }

    // Labels say the same: of those who may read, the ones within.
    given.constrain(&drive, &["audience<=domain:acme.test"]).await;
    for chunk in given.resolved(&ann).await {
        let (id, readers) = (chunk.document.id.as_str(), chunk.label.readers);
        let domains: Vec<&str> = readers.domains.iter().map(String::as_str).collect();
        let people: Vec<&str> = readers.people.iter().map(String::as_str).collect();
        assert!(!readers.anyone);
        match id {
            "public" | "acme" | "folder" => assert_eq!((domains, people), (vec!["acme.test"], vec![]), "{id}"),
            _ => assert_eq!((domains, people), (vec![], vec!["ann@acme.test"]), "{id}"),
        }
    }
    given.constrain(&drive, &["audience<=bo@other.test"]).await;
    for chunk in given.resolved(&bo).await {
        let people: Vec<&str> = chunk.label.readers.people.iter().map(String::as_str).collect();
        assert_eq!((people, chunk.label.readers.domains.len()), (vec!["bo@other.test"], 0));
    }
}

#[tokio::test]
async fn a_ceiling_hides_no_reader_of_the_place_where_something_is_written() {
    let given = Given::new().await;
    let mut trello = given.connection("trello", "s1", Owner::Workspace).await;
    trello.commit(vec![container("b", None, readers(&[Principal::Anyone]))]).await;
    given.constrain(&trello, &["audience<=domain:acme.test"]).await;
    let tool = crate::documents::tool(ToolDestination::Container("/board".into()));
    let arguments = serde_json::json!({ "board": "b" });
    let audience = given.store.audience(&caller("ann@acme.test"), &tool, &arguments).await.unwrap();
    let Audience::Known { readers, .. } = audience else { panic!("known") };
    assert!(readers.anyone, "whoever the service shows the board to sees what is written there");
}
