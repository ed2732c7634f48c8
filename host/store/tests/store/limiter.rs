//! Rate tokens over processes.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use sallyport::ids::ConnectionId;
use sallyport::ports::{Bucket, Limiter, Rate};
use sallyport_store::Store;

use crate::given::{Given, authority};

fn bucket(key: &str, requests: u32, millis: u64) -> Bucket {
    Bucket { key: key.into(), rate: Rate { requests, millis } }
}

async fn take(store: &Store, buckets: &[Bucket]) -> Option<u64> {
    store.take(&authority(&ConnectionId::new("any")), buckets).await.unwrap()
}

#[tokio::test]
async fn no_window_sees_more_than_the_rate_over_two_processes() {
    let given = Given::new().await;
    let (stores, bucket) = ([given.store.clone(), given.another()], [bucket("b", 100, 10_000)]);
    let mut times: Vec<u64> = Vec::new();
    for step in 0..300_u64 {
        for store in &stores {
            if take(store, &bucket).await.is_none() {
                times.push(step * 137);
            }
        }
        given.clock.forward(137);
    }
    for first in &times {
        let within = times.iter().filter(|time| (*first..first + 10_000).contains(time)).count();
        assert!(within <= 100, "{within} requests in the window from {first}");
    }
    // 41 s hold four windows; at most one slice in eleven, and what a process keeps unused, is lost.
    assert!(times.len() >= 300, "{} requests went out", times.len());
}

#[tokio::test]
async fn a_request_draws_from_every_bucket_or_from_none() {
    let given = Given::new().await;
    let (wide, narrow) = (bucket("wide", 10, 10_000), bucket("narrow", 1, 10_000));
    assert_eq!(take(&given.store, &[wide.clone(), narrow.clone()]).await, None);
    for _ in 0..50 {
        let wait = take(&given.store, &[wide.clone(), narrow.clone()]).await.expect("the narrow one is empty");
        assert!((1..=11_000).contains(&wait), "{wait}");
    }
    for _ in 0..9 {
        assert_eq!(take(&given.store, std::slice::from_ref(&wide)).await, None, "a refused request drew nothing");
    }
    assert!(take(&given.store, &[wide]).await.is_some());
    let wait = take(&given.store, std::slice::from_ref(&narrow)).await.unwrap();
    given.clock.forward(wait);
    assert_eq!(take(&given.store, &[narrow]).await, None, "there is one when it was promised");
}

#[tokio::test]
async fn every_token_of_a_rate_can_be_had() {
    let given = Given::new().await;
    let bucket = [bucket("b", 103, 10_000)];
    let mut had = 0;
    while take(&given.store, &bucket).await.is_none() {
        had += 1;
    }
    assert_eq!(had, 103, "a draw of several leaves none that a single one could have");
}

#[tokio::test]
async fn requests_that_begin_together_share_a_draw() {
    let given = Given::new().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..150 {
        let store = given.store.clone();
        asking.spawn(async move { take(&store, &[bucket("drive", 200, 60_000)]).await });
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(Option::is_none), "150 of 200 tokens were not to be had at once: {answers:?}");
}

#[tokio::test]
async fn a_bucket_that_the_provider_calls_empty_is_empty_for_all() {
    let given = Given::new().await;
    let (other, bucket) = (given.another(), bucket("b", 1000, 1000));
    assert_eq!(take(&given.store, std::slice::from_ref(&bucket)).await, None);
    given.store.drained(&authority(&ConnectionId::new("any")), &bucket, 5_000).await.unwrap();
    given.store.drained(&authority(&ConnectionId::new("any")), &bucket, 1_000).await.unwrap();
    for store in [&given.store, &other] {
        assert_eq!(take(store, std::slice::from_ref(&bucket)).await, Some(5_000), "the longest wait holds");
    }
    given.clock.forward(5_000);
    assert_eq!(take(&other, &[bucket]).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_often_waits_for_no_transaction() {
    let given = Given::new().await;
    let bucket = [bucket("b", 10_000, 600_000)];
    for _ in 0..40 {
        assert_eq!(take(&given.store, &bucket).await, None);
    }
    // From here on nobody waits: what a request would have to draw itself it does not get. Two batches are kept at most.
    let (began, mut had) = (Instant::now(), 0);
    while had < 200 {
        match take(&given.store, &bucket).now_or_never() {
            Some(answer) => {
                assert_eq!(answer, None);
                had += 1;
            }
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{had} tokens, and no more were drawn ahead");
    }
}

fn millis() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// What each of the processes does: asks for as much as it can get, and says between which moments it got each.
async fn ask_for_five_seconds(folder: &str) {
    let store = Store::open(folder).unwrap();
    let (began, bucket) = (Instant::now(), [bucket("shared", 64, 2_000)]);
    while began.elapsed() < Duration::from_secs(5) {
        let before = millis();
        match take(&store, &bucket).await {
            None => println!("\ntook {before} {}", millis()),
            Some(wait) => tokio::time::sleep(Duration::from_millis(wait.min(50))).await,
        }
    }
}

#[tokio::test]
async fn four_processes_on_one_bucket_never_pass_its_rate() {
    const FOLDER: &str = "SALLYPORT_TEST_BUCKET";
    if let Ok(folder) = std::env::var(FOLDER) {
        return ask_for_five_seconds(&folder).await;
    }
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let processes: Vec<_> = (0..4)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "limiter::four_processes_on_one_bucket_never_pass_its_rate", "--nocapture"])
                .env(FOLDER, folder.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut took: Vec<(u64, u64)> = Vec::new();
    let mut sharing = 0;
    for mut process in processes {
        let mut said = String::new();
        process.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(process.wait().unwrap().success(), "{said}");
        let times = said.lines().filter_map(|line| {
            let (before, after) = line.strip_prefix("took ")?.split_once(' ')?;
            Some((before.parse().ok()?, after.parse().ok()?))
        });
        let before = took.len();
        took.extend(times);
        sharing += usize::from(took.len() > before);
    }
    // A bucket is not shared out evenly: whoever asks when a slice begins may have all of it.
    assert!(sharing > 1, "one process had it all");
    for (from, _) in &took {
        // Only what lies wholly within the window surely happened in it.
        let within = took.iter().filter(|(before, after)| before >= from && *after < from + 2_000).count();
        assert!(within <= 64, "{within} requests in the window from {from}");
    }
    assert!(took.len() > 64, "{} requests went out in five seconds", took.len());
}
