//! What a caller finds is what they would find if the documents that they may not read did not exist.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sallyport_index::testing::{Fixture, TestDocument, some};
use sallyport_index::{Format, Hits, Mode, Readers, SearchRequest};

use super::{World, ids};

const PEOPLE: [&str; 5] = ["ann@acme.test", "bo@acme.test", "cy@acme.test", "di@other.test", "ed@other.test"];
const WORDS: [&str; 24] = [
    "budget", "launch", "salary", "plan", "market", "q4", "hiring", "review", "the", "a", "and", "of", "team", "risk",
    "garden", "invoice", "holiday", "server", "outage", "logo", "price", "board", "minutes", "strategy",
];

/// Documents that groups of people, domains, everyone or nobody may read, some of unknown access.
fn random_documents(random: &mut StdRng, count: usize) -> Vec<TestDocument> {
    let groups: Vec<Vec<&str>> =
        (0..4).map(|_| PEOPLE.iter().copied().filter(|_| random.random_bool(0.4)).collect()).collect();
    let document = |number: usize| {
        let length = random.random_range(0..120);
        let words: Vec<&str> = (0..length).map(|_| *WORDS.choose(random).unwrap()).collect();
        let readers = match random.random_range(0..10) {
            0 => None,
            1 => some(&[]),
            2 => Some(Readers { anyone: true, ..Readers::default() }),
            3 => Some(Readers { domains: ["acme.test".to_owned()].into(), ..Readers::default() }),
            _ => some(groups.choose(random).unwrap()),
        };
        // Some share their title and text with others: ties must be broken the same way too.
        let title = format!("{} {}", WORDS.choose(random).unwrap(), number % 3);
        let format = if random.random_bool(0.5) { Format::Markdown } else { Format::Plain };
        TestDocument { id: format!("doc-{number}"), title, format, text: words.join(" "), readers }
    };
    (0..count).map(document).collect()
}

fn may_read(document: &TestDocument, email: &str) -> bool {
    document.readers.as_ref().is_some_and(|readers| readers.include(&some(&[email]).unwrap()))
}

/// All that a caller can see of an answer. Keys differ between two stores, and nothing else may.
fn seen(hits: &Hits) -> (Vec<(String, u32, u32, String)>, sallyport_index::Counts) {
    let results = hits
        .results
        .iter()
        .map(|hit| (hit.chunk.document.id.clone(), hit.chunk.ordinal, hit.score.to_bits(), hit.chunk.text.clone()));
    (results.collect(), hits.counts)
}

#[tokio::test]
async fn results_scores_and_counts_equal_those_over_the_readable_subset_alone() {
    let mut compared = 0;
    for seed in 0..6 {
        let mut random = StdRng::seed_from_u64(seed);
        let whole = World::new();
        let mut documents = random_documents(&mut random, 60);
        // In batches, with edits, deletions and changes of access between: segments with deleted rows,
        // and rows of memory that are used again.
        for batch in documents.chunks(25) {
            for document in batch {
                whole.store.put(&whole.tenant, document).await;
            }
            whole.catch_up().await;
        }
        for _ in 0..10 {
            let number = random.random_range(0..documents.len());
            match random.random_range(0..3) {
                0 => {
                    let gone = documents.remove(number);
                    whole.store.delete(&whole.tenant, &gone.id).await;
                }
                1 => {
                    documents[number].text = format!("{} budget minutes", documents[number].text);
                    whole.store.put(&whole.tenant, &documents[number]).await;
                }
                _ => {
                    documents[number].readers = some(&[PEOPLE[random.random_range(0..PEOPLE.len())]]);
                    let readers = documents[number].readers.clone();
                    whole.store.set_readers(&whole.tenant, &documents[number].id, readers).await;
                }
            }
        }
        whole.catch_up().await;

        for email in PEOPLE {
            let alone = World::new();
            for document in documents.iter().filter(|document| may_read(document, email)) {
                alone.store.put(&alone.tenant, document).await;
            }
            alone.catch_up().await;
            for mode in [Mode::Hybrid, Mode::Dense, Mode::Lexical] {
                for (limit, per_document) in [(5, 1), (10, 3), (200, usize::MAX)] {
                    let query: Vec<&str> = (0..3).map(|_| *WORDS.choose(&mut random).unwrap()).collect();
                    let request = whole.request(email, &query.join(" "));
                    let request = SearchRequest { mode, limit, per_document, ..request };
                    let found = whole.index.search(&request).await.unwrap();
                    let expected = alone.index.search(&request).await.unwrap();
                    assert_eq!(seen(&found), seen(&expected), "{email} {request:?} with seed {seed}");
                    compared += found.results.len();
                }
            }
        }
    }
    assert!(compared > 5_000, "only {compared} results were compared");
}

#[tokio::test]
async fn ten_readable_documents_are_found_behind_a_thousand_nearer_ones() {
    let world = World::new();
    for number in 0..1000 {
        let document = TestDocument::new(&format!("secret-{number}"), "salaries", "salaries 2027", &["bo@acme.test"]);
        world.store.put(&world.tenant, &document).await;
    }
    for number in 0..10 {
        let text = format!("notes about salaries and other things, number {number}");
        world
            .store
            .put(&world.tenant, &TestDocument::new(&format!("mine-{number}"), "notes", &text, &["ann@acme.test"]))
            .await;
    }
    world.catch_up().await;
    for mode in [Mode::Hybrid, Mode::Dense, Mode::Lexical] {
        let hits = world.search("ann@acme.test", "salaries 2027", mode).await;
        assert_eq!(hits.results.len(), 10, "{mode:?}");
        assert!(ids(&hits).iter().all(|id| id.starts_with("mine-")));
        assert_eq!((hits.counts.documents, hits.counts.chunks), (10, 10));
    }
}

#[tokio::test]
async fn a_document_with_many_good_chunks_leaves_room_for_others() {
    let world = World::new();
    let long = "budget plan ".repeat(4000);
    world.store.put(&world.tenant, &TestDocument::new("long", "budget", &long, &["ann@acme.test"])).await;
    for number in 0..3 {
        let id = format!("short-{number}");
        world
            .store
            .put(&world.tenant, &TestDocument::new(&id, "notes", "a budget among other words", &["ann@acme.test"]))
            .await;
    }
    world.catch_up().await;
    for mode in [Mode::Hybrid, Mode::Dense, Mode::Lexical] {
        let request =
            SearchRequest { mode, per_document: 1, limit: 4, ..world.request("ann@acme.test", "budget plan") };
        let hits = world.index.search(&request).await.unwrap();
        assert!(hits.counts.chunks > 200);
        assert_eq!(ids(&hits).len(), 4, "{mode:?}");
    }
}
