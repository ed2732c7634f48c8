//! What others wait for while a guest computes for ever: tool calls of one connector, with and without a spinner of
//! another beside them, by turns in one run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use sallyport::connection::Connection;
use sallyport::engine::Limits;
use sallyport::tool::Outcome;
use sallyport_pack::manifest::Manifest;
use serde_json::json;

use crate::Setup;
use crate::figure::{Figure, Times};
use crate::host::{self, Host, token};
use crate::hostile;

/// How long the service takes to answer.
const UPSTREAM: Duration = Duration::from_millis(50);
/// Callers side by side; each makes its calls one after the other.
const CALLERS: usize = 16;
/// How often it is measured with and without.
const TURNS: usize = 4;

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    let url = host::notes_after(UPSTREAM).await?;
    // The spinner is stopped after a second, and called again.
    let limits = Limits { cpu_between_calls: Duration::from_secs(1), ..Limits::default() };
    let host = Host::within(&[("hello.api", &url)], limits).await?;
    let hello = host.connect(&setup.hello, "hello", "token", token("bench-token-0123456789"), &["notes.read"]).await?;

    let spinners = std::thread::available_parallelism()?.get().div_ceil(2);
    let mut spinning = Vec::with_capacity(spinners);
    for spinner in 0..spinners {
        let file = folder.path().join(format!("{spinner}.wasm"));
        let name = format!("spinner-{spinner}");
        let id = name.parse().context("a connector's id")?;
        let rename = |manifest: &mut Manifest| manifest.connector.id = id;
        std::fs::write(&file, hostile::sealed(&hostile::module("spins")?, &std::fs::read(&setup.hello)?, rename)?)?;
        let secret = token("spins-token-0123456789");
        spinning.push(host.connect(&file, &name, "token", secret, &["notes.read"]).await?);
    }

    let host = Arc::new(host);
    let rounds = (setup.rounds / (TURNS * CALLERS)).max(5);
    calls(&host, &hello, 3).await?;
    let (mut alone, mut beside, mut spun) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TURNS {
        alone.extend(calls(&host, &hello, rounds).await?);

        let (over, killed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let spinners = spinning.iter().map(|connection| {
            let (host, connection) = (Arc::clone(&host), connection.clone());
            let (over, killed) = (Arc::clone(&over), Arc::clone(&killed));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    if call(&host, &connection).await.is_err() {
                        killed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        let spinners: Vec<_> = spinners.collect();
        beside.extend(calls(&host, &hello, rounds).await?);
        over.store(true, Ordering::Relaxed);
        for spinner in spinners {
            spinner.await?;
        }
        spun += killed.load(Ordering::Relaxed);
    }
    ensure!(spun > 0, "nothing was spinning");
    let (alone, beside) = (Times::of(&alone)?, Times::of(&beside)?);
    let more = (beside.at(0.99) / alone.at(0.99) - 1.0) * 100.0;
    Ok(Figure {
        name: "tool calls beside guests that compute for ever, one for two processors: what it adds to their p99",
        value: format!("{more:+.1} % ({})", beside.words()),
        beside: format!("the same calls without: {}; the service answers after {UPSTREAM:?}", alone.words()),
        target: Some("< 20 %"),
    })
}

async fn calls(host: &Arc<Host>, connection: &Connection, rounds: usize) -> anyhow::Result<Vec<Duration>> {
    let callers = (0..CALLERS).map(|_| {
        let (host, connection) = (Arc::clone(host), connection.clone());
        async move {
            let mut took = Vec::with_capacity(rounds);
            for _ in 0..rounds {
                let began = Instant::now();
                let outcome = call(&host, &connection).await?;
                took.push(began.elapsed());
                ensure!(matches!(outcome, Outcome::Done(_)), "a read was held");
            }
            Ok(took)
        }
    });
    let tasks = callers.map(tokio::spawn);
    let took: Result<Vec<_>, anyhow::Error> = try_join_all(tasks).await?.into_iter().collect();
    Ok(took?.concat())
}

async fn call(host: &Host, connection: &Connection) -> anyhow::Result<Outcome> {
    Ok(host.call(&connection.id, "read_note", json!({ "id": "n1" })).await?)
}
