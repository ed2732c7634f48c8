//! One tool call with one loopback request of 1 KB, sandboxed and journaled, against the same request by reqwest.

use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::RequestBuilder;
use sallyport::ids::{ConnectionId, ToolName};
use sallyport::tool::{Outcome, ToolCall, Tools as _, Verdict};
use serde_json::{Value, json};

use crate::figure::{Figure, Times};
use crate::host::{self, Host};
use crate::{Setup, host::token};

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let url = host::notes().await?;
    let host = Host::open(&[("hello.api", &url)]).await?;
    let secret = token("bench-token-0123456789");
    let connection = host.connect(&setup.hello, "hello", "token", secret, &["notes.read", "notes.write"]).await?;
    let http = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build()?;

    let bearer = |request: RequestBuilder| request.bearer_auth("bench-token-0123456789");
    let read = Turn {
        plain: Box::new({
            let (http, url) = (http.clone(), format!("{url}/v1/notes/n1"));
            move || bearer(http.get(&url))
        }),
        tool: ToolName::new("read_note")?,
        arguments: json!({ "id": "n1" }),
        note: "n1",
    };
    let write = Turn {
        plain: Box::new({
            let url = format!("{url}/v1/notes");
            move || bearer(http.post(&url)).form(&[("title", "A note"), ("text", "short")])
        }),
        tool: ToolName::new("create_note")?,
        arguments: json!({ "title": "A note", "text": "short" }),
        note: "n2",
    };
    let rounds = setup.rounds;
    // In a task, as a server's requests are.
    let measured = tokio::spawn(async move {
        let read = take_turns(&host, &connection.id, &read, rounds).await?;
        anyhow::Ok((read, take_turns(&host, &connection.id, &write, rounds).await?))
    });
    let (read, write) = measured.await??;
    Ok(vec![
        figure("a read tool's call, added by sandbox and journal", &read, Some("added p50 ≤ 200 µs"))?,
        figure("a write tool's call, added (flushed to disk before the first byte)", &write, None)?,
    ])
}

/// A request and the tool that makes the same one.
struct Turn {
    plain: Box<dyn Fn() -> RequestBuilder + Send + Sync>,
    tool: ToolName,
    arguments: Value,
    /// The id of the note that the service answers with.
    note: &'static str,
}

/// What each of the two took, round by round.
#[derive(Default)]
struct Took {
    ours: Vec<Duration>,
    plain: Vec<Duration>,
}

/// The two take turns, so that both meet the machine in the same moods. The first rounds warm both up.
async fn take_turns(host: &Host, connection: &ConnectionId, turn: &Turn, rounds: usize) -> anyhow::Result<Took> {
    let mut took = Took::default();
    let warm = rounds / 10;
    for round in 0..rounds + warm {
        let began = Instant::now();
        let note: Value = (turn.plain)().send().await?.json().await?;
        let plain = began.elapsed();
        ensure!(note["id"] == turn.note, "the service answers {note}");

        let call = ToolCall {
            connection: connection.clone(),
            tool: turn.tool.clone(),
            arguments: turn.arguments.clone(),
            verdict: Verdict::Allow,
            context: None,
        };
        let began = Instant::now();
        let outcome = host.runtime.call(&host.caller, call).await?;
        let ours = began.elapsed();
        ensure!(matches!(outcome, Outcome::Done(_)), "the call was held, though nothing asks for approval");
        if round >= warm {
            took.plain.push(plain);
            took.ours.push(ours);
        }
    }
    Ok(took)
}

fn figure(name: &'static str, took: &Took, target: Option<&'static str>) -> anyhow::Result<Figure> {
    let (ours, plain) = (Times::of(&took.ours)?, Times::of(&took.plain)?);
    Ok(Figure {
        name,
        value: format!("+{:.0} µs p50 ({})", ours.p50() - plain.p50(), ours.words()),
        beside: format!("the same request by reqwest: {}; ×{:.1}", plain.words(), ours.p50() / plain.p50()),
        target,
    })
}
