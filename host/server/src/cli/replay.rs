//! `sallyport replay`: a recorded run, once more, with nobody at the other end.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sallyport::ids::InvocationId;
use sallyport::recording::{Parted, Recording, Replayed};
use serde::Serialize;

use super::{Global, session};
use crate::output;

/// What is replayed.
#[derive(Debug, Args)]
pub struct Options {
    /// The invocation, from this data directory; or a recording's file.
    what: String,
    /// Another component than the one that ran: another version of the connector, say.
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Also write the recording to a file, for another desk. It holds what the connector was told, and no secret.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    connector: String,
    version: &'a str,
    #[serde(flatten)]
    replayed: &'a Replayed,
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    let operator = session::operator(&tenant);
    let file = PathBuf::from(&options.what);
    let invocation = InvocationId::new(options.what.as_str());
    let recording = if file.is_file() {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Recording::read(&text).with_context(|| file.display().to_string())?
    } else {
        app.runtime().recording(&operator, &invocation).await?
    };
    if let Some(out) = &options.export {
        std::fs::write(out, recording.text()).with_context(|| format!("cannot write {}", out.display()))?;
    }
    let component = match &options.with {
        Some(with) => std::fs::read(with).with_context(|| format!("cannot read {}", with.display()))?,
        None if file.is_file() => anyhow::bail!("a recording's file names no component: give one by --with FILE"),
        None => app.runtime().component_of(&operator, &invocation).await?,
    };
    let replayed = app.runtime().replay(&recording, component).await?;
    let shown = Shown { connector: recording.connector.to_string(), version: &recording.version, replayed: &replayed };
    output::one(global.output, &shown, |shown| {
        format!(
            "{} {} was told {} of {} recorded answers and ended with {}\n{}",
            shown.connector,
            shown.version,
            replayed.calls,
            recording.calls.len(),
            replayed.ended,
            words(&replayed.parted)
        )
    })?;
    anyhow::ensure!(replayed.parted.is_empty(), "the run parts from its record");
    Ok(())
}

/// Where it parts, for a person: both sides, one under the other.
pub(crate) fn words(parted: &[Parted]) -> String {
    if parted.is_empty() {
        return "it does what was recorded".into();
    }
    let side = |name: &str, value: Option<String>| {
        let value = value.unwrap_or_else(|| "nothing".into());
        format!("\n    {name:<9} {}", value.replace('\n', "\n              "))
    };
    let line = |one: &Parted| match one {
        Parted::Call { call, recorded, asked } => format!(
            "  call {call} parts{}{}",
            side("recorded", recorded.as_ref().map(pretty)),
            side("asked", asked.as_ref().map(pretty)),
        ),
        Parted::Emitted { index, recorded, emitted } => format!(
            "  change {index} parts{}{}",
            side("recorded", recorded.as_ref().map(pretty)),
            side("emitted", emitted.as_ref().map(pretty)),
        ),
        Parted::Ended { recorded, ended } => format!(
            "  the result parts{}{}",
            side("recorded", Some(pretty(recorded))),
            side("now", Some(pretty(ended))),
        ),
    };
    parted.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn pretty(value: &impl Serialize) -> String {
    // Recordings are JSON: there is nothing in one that could not be written.
    serde_json::to_string_pretty(value).unwrap_or_default()
}
