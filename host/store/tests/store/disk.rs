//! Full disks, killed processes, folders that cannot be used.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use sallyport::blame::Fault;
use sallyport::connection::Owner;
use sallyport::ids::{ConnectionId, SourceId, StreamId};
use sallyport::ports::{Batch, Directory, Finish, Sink, StoreError};
use sallyport_store::{OpenError, Store};

use crate::given::{Given, Stream, authority, caller, connection, email, readers, tenant, upsert};

fn for_ann() -> sallyport::document::Access {
    readers(&[email("ann@acme.test")])
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_the_state_before() {
    let given = Given::with(Some(200)).await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive.commit(vec![upsert("a", "Text.", for_ann())]).await;
    let large: Vec<_> = (0..50).map(|n| upsert(&format!("large {n}"), &"x".repeat(40_000), for_ann())).collect();
    let batch = Batch { changes: large, cursor: "large".into(), after: 1 };
    let commit = |batch: Batch| given.store.commit(&drive.at, &drive.source, &drive.stream, batch);
    // Others write meanwhile: what they are told is true as well.
    let (refused, setting) =
        tokio::join!(commit(batch), async { given.store.accounts().put_setting("key", "value").await });
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    assert_eq!(refused.code(), "disk-full");
    let kept = given.store.accounts().setting("key").await.unwrap();
    assert_eq!(kept.is_some(), setting.is_ok());

    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a"]);
    let small = Batch { changes: vec![upsert("b", "Text.", for_ann())], cursor: "small".into(), after: 1 };
    assert_eq!(commit(small).await.unwrap().generation, 2, "what fits is still taken");
    drive.finish(Finish::Wait).await;
    let room = given.another();
    drive.store = room;
    drive.begin(false).await.unwrap();
    let large: Vec<_> = (0..50).map(|n| upsert(&format!("large {n}"), &"x".repeat(40_000), for_ann())).collect();
    assert_eq!(drive.commit(large).await.documents, 50, "with room again, all of it");
}

/// In the child: commits for ever and says the number of each commit, until it is killed.
async fn commit_for_ever(folder: &str) {
    let store = Store::open(folder).unwrap();
    store.put_connection(&connection("drive", "s1", Owner::Workspace)).await.unwrap();
    let at = authority(&ConnectionId::new("drive"));
    let mut stream =
        Stream { store, at, source: SourceId::new("s1"), stream: StreamId::new("all"), generation: 0, listed: 0 };
    stream.begin(false).await.unwrap();
    loop {
        let next = stream.generation + 1;
        let changes = (0..3).map(|n| upsert(&format!("{next}/{n}"), "Text.", for_ann())).collect();
        stream.commit(changes).await;
        println!("\ncommitted {}", stream.generation);
    }
}

#[tokio::test]
async fn a_killed_process_leaves_documents_and_cursor_together() {
    const FOLDER: &str = "SALLYPORT_TEST_KILLED";
    if let Ok(folder) = std::env::var(FOLDER) {
        return commit_for_ever(&folder).await;
    }
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path()).unwrap().accounts().create_tenant(&tenant(), "Acme").await.unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "disk::a_killed_process_leaves_documents_and_cursor_together", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok());
    let told = said.take(40).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told, 40);

    let db = rusqlite::Connection::open(folder.path().join("sallyport.db")).unwrap();
    let one = |sql: &str| -> u64 { db.query_row(sql, [], |row| row.get(0)).unwrap() };
    let generation = one("SELECT generation FROM streams");
    assert!(generation >= told, "what was answered is there");
    assert_eq!(one("SELECT count(*) FROM documents"), generation * 3);
    assert_eq!(one("SELECT count(*) FROM attestations"), generation * 3);
    assert_eq!(one("SELECT cursor = 'cursor ' || generation FROM streams"), 1);
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn two_processes_write_at_once_and_nothing_is_lost() {
    let given = Given::new().await;
    let mut tasks = Vec::new();
    for n in 0..2 {
        let mut stream = given.connection(&format!("c{n}"), &format!("s{n}"), Owner::Workspace).await;
        stream.store = given.another();
        tasks.push(tokio::spawn(async move {
            for k in 0..60 {
                stream.commit(vec![upsert(&format!("{n}-{k}"), "Text.", for_ann())]).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(given.finds(&caller("ann@acme.test")).await.len(), 120);
}

#[tokio::test]
async fn a_data_directory_is_private() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep").join("data");
    let store = Store::open(&folder).unwrap();
    store.accounts().create_tenant(&tenant(), "Acme").await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn what_is_no_data_directory_is_refused_by_name() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "text").unwrap();
    let refused = Store::open(&file).unwrap_err();
    assert!(matches!(&refused, OpenError::Folder { path, .. } if *path == file), "{refused:?}");
    assert!(refused.to_string().contains("--data"));

    std::fs::write(
        parent.path().join("sallyport.db"),
        "this is no database, and long enough to be looked at".repeat(9),
    )
    .unwrap();
    let refused = Store::open(parent.path()).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Store(StoreError::Other(reason)) if reason.contains("not a database")),
        "{refused:?}"
    );
}
