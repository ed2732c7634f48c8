//! One tool call with one loopback request of 1 KB, sandboxed and journaled, against the same request by reqwest.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use sallyport::Caller;
use sallyport::ids::ToolName;
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

    let read = |arguments: Value, tool: &'static str| {
        let connection = connection.id.clone();
        move || -> anyhow::Result<ToolCall> {
            Ok(ToolCall {
                connection: connection.clone(),
                tool: ToolName::new(tool)?,
                arguments: arguments.clone(),
                verdict: Verdict::Allow,
                context: None,
            })
        }
    };
    let reads = read(json!({ "id": "n1" }), "read_note");
    let writes = read(json!({ "title": "A note", "text": "short" }), "create_note");

    // The two take turns, so that both meet the machine in the same moods. The first rounds warm both up.
    let (mut ours, mut plain, mut written, mut plain_written) = (vec![], vec![], vec![], vec![]);
    let warm = setup.rounds / 10;
    for round in 0..setup.rounds + warm {
        let began = Instant::now();
        let answer = http.get(format!("{url}/v1/notes/n1")).bearer_auth("bench-token-0123456789").send().await?;
        let note: Value = answer.json().await?;
        let direct = began.elapsed();
        ensure!(note["id"] == "n1", "the service answers {note}");
        let sandboxed = timed(&host, &host.caller, reads()?).await?;
        if round >= warm {
            plain.push(direct);
            ours.push(sandboxed);
        }
    }
    for round in 0..setup.rounds + warm {
        let began = Instant::now();
        let form = [("title", "A note"), ("text", "short")];
        let answer =
            http.post(format!("{url}/v1/notes")).bearer_auth("bench-token-0123456789").form(&form).send().await?;
        let note: Value = answer.json().await?;
        let direct = began.elapsed();
        ensure!(note["id"] == "n2", "the service answers {note}");
        let sandboxed = timed(&host, &host.caller, writes()?).await?;
        if round >= warm {
            plain_written.push(direct);
            written.push(sandboxed);
        }
    }
    Ok(vec![
        figure("a read tool's call, added by sandbox and journal", &ours, &plain, Some("added p50 ≤ 200 µs"))?,
        figure("a write tool's call, added (flushed to disk before the first byte)", &written, &plain_written, None)?,
    ])
}

async fn timed(host: &Host, caller: &Caller, call: ToolCall) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let outcome = host.runtime.call(caller, call).await?;
    let took = began.elapsed();
    match outcome {
        Outcome::Done(_) => Ok(took),
        Outcome::Held(_) => bail!("the call was held, though nothing asks for approval"),
    }
}

fn figure(
    name: &'static str,
    ours: &[Duration],
    plain: &[Duration],
    target: Option<&'static str>,
) -> anyhow::Result<Figure> {
    let (ours, plain) = (Times::of(ours)?, Times::of(plain)?);
    Ok(Figure {
        name,
        value: format!("+{:.0} µs p50 ({})", ours.p50() - plain.p50(), ours.words()),
        beside: format!("the same request by reqwest: {}; ×{:.1}", plain.words(), ours.p50() / plain.p50()),
        target,
    })
}
