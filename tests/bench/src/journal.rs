//! The journal: what it takes of a call, how a held call goes on from it, and what held ones cost while they wait.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use axum::body::Bytes;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::future::try_join_all;
use sallyport::ids::{ConnectionId, InvocationId, ToolName};
use sallyport::ports::{DecisionKind, Journal as _, TenantRules};
use sallyport::tool::{Outcome, ToolCall, Tools as _, Verdict};
use serde_json::{Value, json};

use crate::Setup;
use crate::boundary::resident;
use crate::figure::{Figure, Times};
use crate::host::{Host, token};
use crate::records;

/// Bytes of a note whose reading is measured.
const ANSWER: usize = 2_000;
/// Bytes of each note that is read where going on is measured.
const SHORT: usize = 256;
/// Reads of the invocation that goes on.
const READS: usize = 100;
/// Calls side by side while many are held.
const CALLERS: usize = 32;

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let mut figures = calls(setup).await?;
    figures.push(records::shared(setup).await?);
    figures.push(resumed(setup).await?);
    figures.push(held(setup).await?);
    figures.push(records::verified(setup).await?);
    Ok(figures)
}

/// So many bytes of words that nobody has said before: what is kept of them is not made small by packing.
fn prose(number: usize, bytes: usize) -> String {
    let mut state = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let mut text = format!("{number:08}");
    while text.len() < bytes {
        // A linear congruential generator's high bits, by Knuth's constants.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let picked = (state >> 33) as usize;
        let (consonant, vowel) = (b"bcdfghklmnprstvz"[picked % 16], b"aeiouy"[picked / 16 % 6]);
        if (picked / 96).is_multiple_of(3) {
            text.push(' ');
        }
        text.extend([char::from(consonant), char::from(vowel)]);
    }
    text.truncate(bytes);
    text
}

/// The example connector's service. Each time that a note is read its text is another one of so many bytes. Gives its
/// URL; it lives as long as the process.
async fn notes(bytes: usize) -> anyhow::Result<String> {
    let read = Arc::new(AtomicUsize::new(0));
    let note = get(move || {
        let number = read.fetch_add(1, Ordering::Relaxed);
        let text = prose(number, bytes);
        async move { Json(json!({ "id": "n1", "title": "A note", "text": text })) }
    });
    let me = json!({ "id": "u1", "name": "Bench", "email": "bench@example.com" });
    let router = Router::new()
        .route("/v1/me", get(move || async move { Json(me) }))
        .route("/v1/notes/{id}", note)
        .route("/v1/notes", post(|_: Bytes| async { Json(json!({ "id": "n2" })) }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// A host on such a service, whose caller may approve what they asked for.
struct Given {
    host: Host,
    connection: ConnectionId,
    /// The note that is read next: each call is another.
    next: AtomicUsize,
}

impl Given {
    async fn new(setup: &Setup, bytes: usize) -> anyhow::Result<Self> {
        let url = notes(bytes).await?;
        let host = Host::open(&[("hello.api", &url)]).await?;
        host.store.accounts().put_rules(&host.caller.tenant, TenantRules { self_approval: true }).await?;
        let secret = token("bench-token-0123456789");
        let connection = host.connect(&setup.hello, "hello", "token", secret, &["notes.read", "notes.write"]).await?;
        Ok(Self { host, connection: connection.id, next: AtomicUsize::new(0) })
    }

    /// Calls a tool so many times: how long each took, and how many flushes they made together.
    async fn counted(&self, tool: &str, arguments: &Value, calls: usize) -> anyhow::Result<(Times, u64)> {
        let mut took = Vec::with_capacity(calls);
        let before = self.host.store.flushes();
        for _ in 0..calls {
            let began = Instant::now();
            let outcome = self.host.call(&self.connection, tool, arguments.clone()).await?;
            took.push(began.elapsed());
            ensure!(matches!(outcome, Outcome::Done(_)), "the call was held, though nothing asks for approval");
        }
        Ok((Times::of(&took)?, self.host.store.flushes() - before))
    }

    /// Lists so many notes, up to the write: somebody is asked about it.
    async fn hold(&self, reads: usize) -> anyhow::Result<InvocationId> {
        let first = self.next.fetch_add(reads, Ordering::Relaxed);
        let ids: Vec<String> = (first..first + reads).map(|number| format!("n{number}")).collect();
        let call = ToolCall {
            connection: self.connection.clone(),
            tool: ToolName::new("index_notes")?,
            arguments: json!({ "ids": ids, "title": "Merged" }),
            verdict: Verdict::Ask(vec!["it is to be held".into()]),
            context: None,
        };
        match self.host.runtime.call(&self.host.caller, call).await? {
            Outcome::Held(proposal) => Ok(proposal.invocation),
            Outcome::Done(_) => bail!("a write went out that somebody had to be asked about"),
        }
    }

    /// Bytes of the database's files once its log was moved into it.
    async fn size(&self) -> anyhow::Result<u64> {
        let store = Arc::clone(&self.host.store);
        tokio::task::spawn_blocking(move || store.checkpoint()).await??;
        let data = self.host.folder.path().join("data");
        let size = |name: &str| std::fs::metadata(data.join(name)).map(|file| file.len());
        Ok(size("sallyport.db")? + size("sallyport.db-wal")?)
    }
}

/// What a call pays for its record: a read by the clock, a write in flushes.
async fn calls(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let given = Given::new(setup, ANSWER).await?;
    let (host, connection) = (&given.host, &given.connection);
    let (tool, asked) = (ToolName::new("read_note")?, "https://hello.example/v1/notes/n1");
    let answer = json!({ "id": "n1", "title": "A note", "text": prose(0, ANSWER) }).to_string();
    let (answer, rounds) = (answer.as_bytes(), setup.rounds);
    host.runtime.measure_journal(&host.caller, connection, &tool, asked, answer, rounds / 10 + 1).await?;
    let journal = host.runtime.measure_journal(&host.caller, connection, &tool, asked, answer, rounds).await?;
    let journal = Times::of(&journal)?;

    let calls = rounds.min(500);
    let (read, write) = (json!({ "id": "n1" }), json!({ "title": "A note", "text": "short" }));
    for (tool, arguments) in [("read_note", &read), ("create_note", &write)] {
        given.counted(tool, arguments, 5).await?;
    }
    let (reads, none) = given.counted("read_note", &read, calls).await?;
    ensure!(none == 0, "{calls} reads waited for {none} flushes");
    let (writes, flushes) = given.counted("create_note", &write, calls).await?;
    let disk = synced(&host.folder.path().join("data"), calls)?;
    Ok(vec![
        Figure {
            name: "the journal of a read tool's call with an answer of 2 KB, by the clock",
            value: format!("{}; {none} flushes in {calls} calls", journal.words()),
            beside: format!(
                "the same calls whole, with guest and request: {}; ×{:.1}",
                reads.words(),
                reads.p50() / journal.p50()
            ),
            target: Some("≤ 40 µs"),
        },
        Figure {
            name: "flushes of a write tool's call that nobody is asked about",
            value: format!("{:.2} a call, over {calls} calls ({})", flushes as f64 / calls as f64, writes.words()),
            beside: format!("what one takes of this disk, 4 KB written and synced: {}", disk.words()),
            target: Some("≤ 2 flushes"),
        },
    ])
}

/// How long the disk takes to keep 4 KB for good. Each round.
fn synced(folder: &Path, rounds: usize) -> anyhow::Result<Times> {
    let mut file = std::fs::File::create(folder.join("synced"))?;
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    Times::of(&took)
}

/// From the approval to the answer of the write, beyond what that write takes by itself.
struct Resumed {
    ours: Times,
    plain: Times,
}

impl Resumed {
    /// Milliseconds that are not the write's own.
    fn added(&self) -> f64 {
        (self.ours.p50() - self.plain.p50()) / 1000.0
    }
}

/// Going on after an approval: replayed from the record up to the write, which is sent.
async fn resumed(setup: &Setup) -> anyhow::Result<Figure> {
    let given = Given::new(setup, SHORT).await?;
    let rounds = (setup.rounds / 20).clamp(5, 100);
    resume(&given, READS, 2).await?;
    let (many, one) = (resume(&given, READS, rounds).await?, resume(&given, 1, rounds).await?);
    Ok(Figure {
        name: "an approved invocation of 100 reads resumed: beyond a call that only makes its write",
        value: format!(
            "{:+.2} ms p50 (whole {}; the write alone, as a call {})",
            many.added(),
            many.ours.words(),
            many.plain.words()
        ),
        beside: format!("the same of 1 read: {:+.2} ms p50 (whole {})", one.added(), one.ours.words()),
        target: Some("≤ 2 ms"),
    })
}

/// Holds, approves and resumes calls that read so many notes; each takes turns with a call that makes the same write at once.
async fn resume(given: &Given, reads: usize, rounds: usize) -> anyhow::Result<Resumed> {
    let (runtime, caller) = (&given.host.runtime, &given.host.caller);
    let text = vec!["A note"; reads].join("\n");
    let (mut ours, mut plain) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for _ in 0..rounds {
        let id = given.hold(reads).await?;
        runtime.decide(caller, &id, DecisionKind::Approve, None).await?;
        let began = Instant::now();
        let outcome = runtime.resume(caller, &id).await?;
        ours.push(began.elapsed());
        ensure!(matches!(outcome, Outcome::Done(_)), "what was approved was held again");

        let began = Instant::now();
        let arguments = json!({ "title": "Merged", "text": text });
        let outcome = given.host.call(&given.connection, "create_note", arguments).await?;
        plain.push(began.elapsed());
        ensure!(matches!(outcome, Outcome::Done(_)), "the call was held, though nothing asks for approval");
    }
    Ok(Resumed { ours: Times::of(&ours)?, plain: Times::of(&plain)? })
}

/// Many that wait for somebody at once: on the disk, and in memory.
async fn held(setup: &Setup) -> anyhow::Result<Figure> {
    let given = Arc::new(Given::new(setup, ANSWER).await?);
    // The first ones fill caches and pools, which serve all others.
    hold_many(&given, setup.held / 10 + 1).await?;
    let (size, memory) = (given.size().await?, resident()?);
    let one = hold_many(&given, setup.held).await?;
    let (memory, size) = (resident()? as f64 - memory as f64, given.size().await?.saturating_sub(size) as f64);

    let record = given.host.store.record(&given.host.caller.tenant, &one).await?;
    let bodies = record.entries.iter().flat_map(|entry| entry.event.bodies());
    let bodies: HashMap<&str, u64> = bodies.map(|of| (of.hash.as_str(), of.size)).collect();
    let bodies: u64 = bodies.values().sum();
    let mut entries = 0;
    for entry in &record.entries {
        entries += serde_json::to_string(&entry.event)?.len();
    }
    let (held, mb) = (setup.held as f64, 1e6);
    Ok(Figure {
        name: "invocations that are held, each after a read of 2 KB: what they take of the disk",
        value: format!(
            "{:.1} MB for {} held invocations ({:.1} MB per 10,000); resident memory {:+.1} MB",
            size / mb,
            setup.held,
            size / held * 10_000.0 / mb,
            memory / mb
        ),
        beside: format!(
            "what they say, plain: {:.1} MB ({bodies} bytes of bodies and {entries} of entries each)",
            (bodies + entries as u64) as f64 * held / mb
        ),
        target: Some("≤ 50 MB"),
    })
}

/// Holds so many; gives one of them.
async fn hold_many(given: &Arc<Given>, count: usize) -> anyhow::Result<InvocationId> {
    let left = Arc::new(AtomicUsize::new(count));
    let callers = (0..CALLERS).map(|_| {
        let (given, left) = (Arc::clone(given), Arc::clone(&left));
        tokio::spawn(async move {
            let mut last = None;
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                last = Some(given.hold(1).await?);
            }
            anyhow::Ok(last)
        })
    });
    let held: Result<Vec<_>, anyhow::Error> = try_join_all(callers).await?.into_iter().collect();
    held?.into_iter().flatten().next().context("none was held")
}
