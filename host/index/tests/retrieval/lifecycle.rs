//! How an index stays in step with its store: across changes, processes, restarts and damage.

use std::fs;
use std::path::{Path, PathBuf};

use sallyport_index::testing::{Fixture, TestDocument, some};
use sallyport_index::{Caller, IndexError, Mode, SearchRequest, TenantId};

use super::{World, ids};

const ANN: &str = "ann@acme.test";

async fn with_two_documents() -> World {
    let world = World::new();
    world.store.put(&world.tenant, &TestDocument::new("plan", "Plan", "launch in spring", &[ANN])).await;
    world.store.put(&world.tenant, &TestDocument::new("menu", "Menu", "soup and bread", &[ANN])).await;
    world.catch_up().await;
    world
}

#[tokio::test]
async fn unchanged_content_is_not_embedded_again() {
    let world = with_two_documents().await;
    assert_eq!(world.store.put_calls(), 2);
    world.store.put(&world.tenant, &TestDocument::new("plan", "Plan", "launch in spring", &["bo@acme.test"])).await;
    let again = world.index.catch_up(&world.tenant, &|_| {}).await.unwrap();
    assert_eq!((again.documents, world.store.put_calls()), (0, 2));
    world.store.put(&world.tenant, &TestDocument::new("plan", "New plan", "launch in spring", &[ANN])).await;
    let again = world.index.catch_up(&world.tenant, &|_| {}).await.unwrap();
    assert_eq!((again.documents, world.store.put_calls()), (1, 3));
}

#[tokio::test]
async fn revocation_and_deletion_hold_from_the_next_query_on() {
    let world = with_two_documents().await;
    for mode in [Mode::Hybrid, Mode::Dense, Mode::Lexical] {
        assert_eq!(ids(&world.search(ANN, "launch", mode).await)[0], "plan");
    }
    world.store.set_readers(&world.tenant, "plan", some(&[])).await;
    for mode in [Mode::Hybrid, Mode::Dense, Mode::Lexical] {
        assert!(!ids(&world.search(ANN, "launch", mode).await).contains(&"plan"));
    }
    world.store.delete(&world.tenant, "menu").await;
    assert_eq!(world.search(ANN, "soup", Mode::Hybrid).await.results, []);
}

#[tokio::test]
async fn edited_text_is_not_found_by_what_it_said_before() {
    let world = with_two_documents().await;
    world.store.put(&world.tenant, &TestDocument::new("plan", "Plan", "cancelled", &[ANN])).await;
    assert_eq!(ids(&world.search(ANN, "launch plan", Mode::Hybrid).await), ["menu"]);
    world.catch_up().await;
    assert_eq!(world.search(ANN, "launch", Mode::Lexical).await.results, []);
    let hits = world.search(ANN, "cancelled", Mode::Lexical).await;
    assert_eq!(hits.results[0].chunk.text, "cancelled");
}

#[tokio::test]
async fn a_second_process_sees_what_the_first_took_in() {
    let world = with_two_documents().await;
    let other = world.another();
    let request = world.request(ANN, "launch soup");
    assert_eq!(other.search(&request).await.unwrap(), world.index.search(&request).await.unwrap());
    for number in 0..5 {
        let document = TestDocument::new(&format!("new-{number}"), "News", "launch again", &[ANN]);
        world.store.put(&world.tenant, &document).await;
        let (writer, reader) = if number % 2 == 0 { (&world.index, &other) } else { (&other, &world.index) };
        writer.catch_up(&world.tenant, &|_| {}).await.unwrap();
        for mode in [Mode::Hybrid, Mode::Lexical] {
            let request = SearchRequest { mode, ..world.request(ANN, "launch soup") };
            let hits = reader.search(&request).await.unwrap();
            assert!(ids(&hits).contains(&format!("new-{number}").as_str()), "{mode:?} {:?}", ids(&hits));
            assert_eq!(hits, writer.search(&request).await.unwrap());
        }
    }
}

#[tokio::test]
async fn two_processes_may_catch_up_at_once() {
    let world = World::new();
    for number in 0..40 {
        let document = TestDocument::new(&format!("doc-{number}"), "Doc", &format!("text number {number}"), &[ANN]);
        world.store.put(&world.tenant, &document).await;
    }
    let (other, quiet) = (world.another(), |_: sallyport_index::Progress| {});
    let (one, two) = tokio::join!(world.index.catch_up(&world.tenant, &quiet), other.catch_up(&world.tenant, &quiet));
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    let request = SearchRequest { limit: 200, mode: Mode::Lexical, ..world.request(ANN, "text") };
    let hits = world.index.search(&request).await.unwrap();
    assert_eq!(hits.counts.matching, 40, "each chunk once");
    assert_eq!(hits, other.search(&request).await.unwrap());
}

/// The one tenant's postings.
fn postings(folder: &Path) -> PathBuf {
    let tenant = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    tenant.path().join("postings")
}

fn segment_files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(postings(folder)).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[tokio::test]
async fn a_lost_old_or_damaged_folder_is_built_again() {
    let world = with_two_documents().await;
    let expected = world.search(ANN, "launch soup", Mode::Hybrid).await;
    let meta = postings(world.folder.path()).join("meta.json");

    let damages: [(&str, &dyn Fn()); 4] = [
        ("lost", &|| fs::remove_dir_all(postings(world.folder.path())).unwrap()),
        ("unreadable", &|| fs::write(&meta, "{").unwrap()),
        ("of another format", &|| {
            let text = fs::read_to_string(&meta).unwrap();
            assert!(text.contains(r#"\"format\":1"#), "{text}");
            fs::write(&meta, text.replace(r#"\"format\":1"#, r#"\"format\":0"#)).unwrap();
        }),
        ("with a changed segment", &|| {
            let files = segment_files(world.folder.path(), "idx");
            assert!(!files.is_empty());
            for file in files {
                let mut bytes = fs::read(&file).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0xff;
                fs::write(&file, bytes).unwrap();
            }
        }),
    ];
    for (what, damage) in damages {
        damage();
        assert_eq!(world.another().search(&world.request(ANN, "launch soup")).await.unwrap(), expected, "{what}");
    }
    // The index that had it open goes on as well.
    assert_eq!(world.search(ANN, "launch soup", Mode::Hybrid).await, expected);
}

#[tokio::test]
async fn what_a_process_left_that_was_killed_before_its_commit_is_in_nobodys_way() {
    let world = with_two_documents().await;
    // It has the folder open before anything is left there.
    let survivor = world.another();
    survivor.search(&world.request(ANN, "launch")).await.unwrap();
    let meta = postings(world.folder.path()).join("meta.json");
    let before = fs::read(&meta).unwrap();
    world.store.put(&world.tenant, &TestDocument::new("plan", "Plan", "cancelled", &[ANN])).await;
    world.catch_up().await;
    // All of the commit's files are there, and the last one says nothing of them.
    assert_eq!(segment_files(world.folder.path(), "del").len(), 1);
    fs::write(&meta, before).unwrap();

    survivor.catch_up(&world.tenant, &|_| {}).await.unwrap();
    let found = |query| SearchRequest { mode: Mode::Lexical, ..world.request(ANN, query) };
    assert_eq!(ids(&survivor.search(&found("cancelled")).await.unwrap()), ["plan"]);
    assert_eq!(survivor.search(&found("launch")).await.unwrap().results, []);
}

#[tokio::test]
async fn a_folder_of_another_history_is_not_believed() {
    let world = with_two_documents().await;
    let fresh = World::new();
    fresh.store.put(&fresh.tenant, &TestDocument::new("other", "Other", "launch of another kind", &[ANN])).await;
    let index = sallyport_index::Index::open(
        world.folder.path(),
        fresh.store.store(),
        std::sync::Arc::new(sallyport_index::testing::HashEmbedder::new(32)),
    )
    .unwrap();
    index.catch_up(&fresh.tenant, &|_| {}).await.unwrap();
    let request = SearchRequest { mode: Mode::Lexical, ..fresh.request(ANN, "launch") };
    let hits = index.search(&request).await.unwrap();
    assert_eq!((ids(&hits), hits.counts.matching), (vec!["other"], 1));
}

#[tokio::test]
async fn tenants_and_strangers_find_nothing() {
    let world = with_two_documents().await;
    let elsewhere = SearchRequest::new(sallyport_index::testing::caller(&TenantId::new("globex"), ANN), "launch");
    assert_eq!(world.index.search(&elsewhere).await.unwrap().results, []);
    let nobody = Caller { tenant: world.tenant.clone(), subject: ANN.into(), emails: vec![] };
    let hits = world.index.search(&SearchRequest::new(nobody, "launch")).await.unwrap();
    assert_eq!((hits.results.len(), hits.counts), (0, Default::default()));
}

#[tokio::test]
async fn odd_queries_are_answered() {
    let world = with_two_documents().await;
    for query in ["", "  ", "?!", "\u{0}", "\"AND (", "launch launch launch", "東京"] {
        for mode in [Mode::Hybrid, Mode::Dense, Mode::Lexical] {
            world.search(ANN, query, mode).await;
        }
    }
    assert_eq!(world.search(ANN, " ", Mode::Hybrid).await.results, []);
    let long = world.index.search(&world.request(ANN, &"x".repeat(9000))).await;
    assert!(matches!(long, Err(IndexError::QueryTooLong { length: 9000, .. })), "{long:?}");
}

#[tokio::test]
async fn a_forgotten_tenant_leaves_no_file() {
    let world = with_two_documents().await;
    world.index.forget(&world.tenant).await.unwrap();
    assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), 0);
}
