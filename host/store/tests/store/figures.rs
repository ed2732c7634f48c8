//! Figures, printed with `--nocapture`; what is asserted is that the work was done.

use std::time::{Duration, Instant};

use sallyport::connection::Owner;
use sallyport::document::Principal;
use sallyport::ids::{ConnectionId, InvocationId, Timestamp};
use sallyport::ports::{Bucket, Durability, Entry, Event, Journal, Limiter, Rate};
use sallyport_index::{ChunkStore, Recipe};

use crate::given::{
    Given, RECIPE, authority, caller, container, email, group, inherits, members, readers, searcher, tenant, upsert,
};

const DOCUMENTS: usize = 10_000;
const BATCH: usize = 500;

#[tokio::test]
async fn ten_thousand_documents_are_kept_and_found() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    let ann = caller("ann@acme.test");
    drive.commit(vec![members("team", true, &[email("ann@acme.test")], &[])]).await;
    let folders = (0..100).map(|n| {
        let who = if n % 2 == 0 { group("team") } else { email("bo@acme.test") };
        container(&format!("f{n}"), None, readers(&[who]))
    });
    drive.commit(folders.collect()).await;
    let text = "A paragraph of some length about the plan for the next quarter. ".repeat(30);
    let mut commits = Vec::new();
    for batch in 0..DOCUMENTS / BATCH {
        // Half in folders, a third each for themselves, the rest for everybody.
        let of = |n: usize| match n % 6 {
            0..3 => inherits(&[&format!("f{}", n % 100)]),
            3..5 => readers(&[email("ann@acme.test"), email(&format!("person-{n}@acme.test"))]),
            _ => readers(&[Principal::Anyone]),
        };
        let ids = batch * BATCH..(batch + 1) * BATCH;
        let changes = ids.map(|n| upsert(&format!("d{n}"), &text, of(n))).collect();
        let start = Instant::now();
        assert_eq!(drive.commit(changes).await.documents, BATCH as u64);
        commits.push(start.elapsed());
    }
    let start = Instant::now();
    given.settle().await;
    let settled = start.elapsed();

    let (caller, recipe) = (searcher(&ann), Recipe::new(RECIPE));
    let mut queries = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let readable = given.store.readable(&caller, &recipe).await.unwrap();
        queries.push(start.elapsed());
        // All but what is in an odd folder.
        let right = (0..DOCUMENTS).filter(|n| n % 6 >= 3 || n % 2 == 0).count() as u64;
        assert_eq!(readable.len(), right);
    }
    let pages = given.store.changes_since(&caller.tenant, &recipe, sallyport_index::Seq(0), 100).await.unwrap();
    let keys: Vec<_> = pages.documents.iter().map(|document| document.chunks[0].key).collect();
    let start = Instant::now();
    let resolved = given.store.resolve(&caller, &keys).await.unwrap().len();
    let resolving = start.elapsed();
    assert!(resolved > 50);
    println!("commit of {BATCH} documents of 2 KB: {}", middle(&mut commits));
    println!("put_chunks of {DOCUMENTS} documents, one by one: {:.0} ms", millis(settled));
    let lists = given.rows("acls");
    println!("readable() over {DOCUMENTS} documents with {lists} access lists: {}", middle(&mut queries));
    println!("resolve() of 100 chunks, {resolved} readable: {:.2} ms", millis(resolving));
}

#[tokio::test]
async fn appends_and_rate_tokens_are_quick() {
    let given = Given::new().await;
    let at = given.connection("drive", "s1", Owner::Workspace).await.at;
    let mut at = sallyport::Authority { invocation: InvocationId::fresh(), ..at };
    let claim = given
        .store
        .open(&at, &crate::journal::plan(), Vec::new(), Timestamp(1), 60_000, Durability::Eventual)
        .await
        .unwrap();
    at.fence = claim.lease.fence;
    let mut seq = 0;
    for durability in [Durability::Flushed, Durability::Eventual] {
        let mut appends = Vec::new();
        for _ in 0..200 {
            seq += 1;
            let entry = Entry { seq, at: Timestamp(seq), event: Event::Started { run: 1, replayed: 0 } };
            let start = Instant::now();
            given.store.append(&at, seq, vec![entry], Vec::new(), durability).await.unwrap();
            appends.push(start.elapsed());
        }
        println!("append, {durability:?}: {}", middle(&mut appends));
    }
    assert_eq!(Journal::record(&given.store, &tenant(), &at.invocation).await.unwrap().entries.len(), 401);

    let bucket = [Bucket { key: "b".into(), rate: Rate { requests: 100_000, millis: 1000 } }];
    let at = authority(&ConnectionId::new("any"));
    let mut takes = Vec::new();
    for _ in 0..2_000 {
        let start = Instant::now();
        assert_eq!(given.store.take(&at, &bucket).await.unwrap(), None);
        takes.push(start.elapsed());
    }
    let all: Duration = takes.iter().sum();
    println!("take of a rate token: {:.1} µs in the mean, {}", millis(all) * 1000.0 / 2_000.0, middle(&mut takes));
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn middle(times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: usize| millis(times[times.len() * share / 100]);
    format!("p50 {:.3} ms, p95 {:.3} ms", at(50), at(95))
}
