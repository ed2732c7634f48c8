//! A fresh instance with one call, and loading compiled code.

use sallyport::ids::ToolName;

use crate::Setup;
use crate::figure::{Figure, Times};
use crate::host::{self, Host, token};

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let url = host::notes().await?;
    let host = Host::open(&[("hello.api", &url)]).await?;
    let secret = token("bench-token-0123456789");
    let connection = host.connect(&setup.hello, "hello", "token", secret, &["notes.read"]).await?;
    let file = std::fs::read(&setup.hello)?;

    // A note without an id is refused by the guest before it asks for anything.
    let (tool, arguments) = (ToolName::new("read_note")?, r#"{"id":" "}"#);
    let rounds = setup.rounds;
    host.runtime.measure_calls(&host.caller, &connection.id, &file, &tool, arguments, rounds / 10 + 1).await?;
    let calls = host.runtime.measure_calls(&host.caller, &connection.id, &file, &tool, arguments, rounds).await?;
    let (ours, bare) = (Times::of(&calls.ours)?, Times::of(&calls.bare)?);

    let load = host.runtime.measure_load(&file, &host.folder.path().join("measured"), rounds.min(500)).await?;
    let loads = Times::of(&load.load)?;
    Ok(vec![
        Figure {
            name: "a fresh instance and one call",
            value: ours.words(),
            beside: format!(
                "wasmtime's defaults, on demand, no limits: {}; ×{:.2}",
                bare.words(),
                ours.p50() / bare.p50()
            ),
            target: Some("p50 ≤ 60 µs"),
        },
        Figure {
            name: "loading a compiled connector",
            value: loads.words(),
            beside: format!("compiling it: {:.1} ms", load.compile.as_secs_f64() * 1000.0),
            target: Some("≤ 1 ms"),
        },
    ])
}
