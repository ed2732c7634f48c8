//! The trust boundary: what judging a request costs, what looking for secrets costs, and what hostile guests get.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sallyport::InvokeError;
use sallyport::connection::Connection;
use sallyport::engine::Limits;
use sallyport::ids::ToolName;
use sallyport::invoke::measure_scan;
use serde_json::json;
use tracing::instrument::WithSubscriber as _;

use crate::Setup;
use crate::figure::{Figure, Times};
use crate::host::{self, Host, token};
use crate::{hostile, log, neighbours};

/// Guests that want more memory than they may have, each in its way.
const GREEDY: [&str; 5] = ["grows-memory", "grows-tables", "aliases", "handles-for-ever", "floods-the-log"];

/// How long the measured spinner may compute between two host calls.
const DEADLINE: Duration = Duration::from_millis(100);

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![gate(setup).await?, scan()?];
    // What the guests log is theirs to say, and nothing for a terminal.
    figures.extend(guests(setup).with_subscriber(log::kept().1).await?);
    figures.push(neighbours::measure(setup).await?);
    Ok(figures)
}

/// Judging one request, beside sending it.
async fn gate(setup: &Setup) -> anyhow::Result<Figure> {
    let url = host::notes().await?;
    let host = Host::open(&[("hello.api", &url)]).await?;
    let secret = token("bench-token-0123456789");
    let connection = host.connect(&setup.hello, "hello", "token", secret, &["notes.read"]).await?;
    let answer = json!({ "id": "n1", "title": "A note", "text": "words and more ".repeat(130) }).to_string();
    let (tool, asked) = (ToolName::new("read_note")?, "https://hello.example/v1/notes/n1");
    let rounds = setup.rounds;
    host.runtime.measure_gate(&host.caller, &connection.id, &tool, asked, answer.as_bytes(), rounds / 10 + 1).await?;
    let gate = host.runtime.measure_gate(&host.caller, &connection.id, &tool, asked, answer.as_bytes(), rounds).await?;

    let http = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build()?;
    let mut plain = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        http.get(format!("{url}/v1/notes/n1")).send().await?.bytes().await?;
        plain.push(began.elapsed());
    }
    let (gate, plain) = (Times::of(&gate)?, Times::of(&plain)?);
    Ok(Figure {
        name: "the egress gate: CPU time of judging a request and its answer of 2 KB",
        value: gate.words(),
        beside: format!("a bare reqwest call, wall time: {}; ×{:.2}", plain.words(), gate.p50() / plain.p50()),
        target: Some("p50 ≤ 60 µs"),
    })
}

/// Looking for a secret that is not there, in eight megabytes of what a service answers.
fn scan() -> anyhow::Result<Figure> {
    let record =
        json!({ "id": "4f1d2c", "title": "Weekly notes", "text": "Nothing but words, 12 of them, and a number." });
    let text = record.to_string().repeat((8 << 20) / record.to_string().len());
    let figures = measure_scan(text.as_bytes(), 40);
    let speed =
        |times: &[Duration]| -> anyhow::Result<f64> { Ok(text.len() as f64 / (Times::of(times)?.p50() / 1e6) / 1e9) };
    let (ours, plain) = (speed(&figures.ours)?, speed(&figures.memchr)?);
    Ok(Figure {
        name: "looking for a secret in all its forms",
        value: format!("{ours:.2} GB/s on one core"),
        beside: format!("memchr's search for it as it is: {plain:.2} GB/s; ×{:.2}", plain / ours),
        target: Some("≥ 1 GB/s"),
    })
}

async fn guests(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let limits = Limits { cpu_between_calls: DEADLINE, handles: 10_000, ..Limits::default() };
    let mut late = Vec::new();
    let mut worst = ("nothing", 0);
    for name in ["spins"].into_iter().chain(GREEDY) {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("hostile.wasm");
        std::fs::write(&file, hostile::sealed(&hostile::module(name)?, &std::fs::read(&setup.hello)?, |_| ())?)?;
        let host = Host::within(&[("hello.api", "http://127.0.0.1:9")], limits.clone()).await?;
        let secret = token("bench-token-0123456789");
        let connection = host.connect(&file, "hello", "token", secret, &["notes.read"]).await?;
        if name == "spins" {
            for _ in 0..20 {
                let began = Instant::now();
                ensure!(
                    matches!(call(&host, &connection).await, Err(InvokeError::Trapped { .. })),
                    "it was not stopped"
                );
                late.push(began.elapsed().saturating_sub(DEADLINE));
            }
            continue;
        }
        let growth = growing(async { call(&host, &connection).await.is_ok() }).await?;
        if growth > worst.1 {
            worst = (name, growth);
        }
    }
    let late = Times::of(&late)?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(vec![
        Figure {
            name: "a guest that computes for ever: time beyond its deadline until it is gone",
            value: format!("p50 {:.1} ms, most {:.1} ms", late.p50() / 1000.0, late.at(1.0) / 1000.0),
            beside: format!("its deadline: {} ms, counted in ticks of 10 ms", DEADLINE.as_millis()),
            target: Some("≤ 20 ms"),
        },
        Figure {
            name: "memory of the host under guests that want it all: the most that it grew",
            value: format!("{:.1} MiB ({})", mib(worst.1), worst.0),
            beside: format!("the limit of a guest: {:.0} MiB; tried: {}", mib(limits.memory as u64), GREEDY.join(", ")),
            target: Some("≤ the limit + 16 MiB"),
        },
    ])
}

async fn call(host: &Host, connection: &Connection) -> Result<(), InvokeError> {
    host.call(&connection.id, "read_note", json!({ "id": "n1" })).await.map(drop)
}

/// By how many bytes this process grows at most while `work` runs.
async fn growing(work: impl Future<Output = bool>) -> anyhow::Result<u64> {
    let before = resident()?;
    let (most, over) = (Arc::new(AtomicU64::new(before)), Arc::new(AtomicBool::new(false)));
    let watcher = std::thread::spawn({
        let (most, over) = (Arc::clone(&most), Arc::clone(&over));
        move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(resident().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(500));
            }
        }
    });
    work.await;
    over.store(true, Ordering::Relaxed);
    watcher.join().map_err(|_| anyhow::anyhow!("the watcher ended early"))?;
    Ok(most.load(Ordering::Relaxed).saturating_sub(before))
}

/// Resident memory of this process: the second number of `statm`, in pages of 4 KiB (proc(5)).
pub(crate) fn resident() -> anyhow::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").context("resident memory is known on Linux only")?;
    let pages = statm.split_whitespace().nth(1).context("statm has two numbers")?;
    Ok(pages.parse::<u64>()? * 4096)
}
