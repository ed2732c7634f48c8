//! What `sallyport bench` measures, each figure beside what it was run against, in one run.
//!
//! Nothing here asserts a time: a figure is printed, and a person judges it. Everything that is measured is the real
//! thing: connectors in the sandbox, the SQLite store with its flushes, HTTP over loopback.

mod boundary;
mod canary;
mod credentials;
mod engine;
mod figure;
pub mod host;
pub mod hostile;
mod journal;
pub mod log;
mod neighbours;
mod records;
mod rotation;
mod sync;
mod tool_call;

use std::path::PathBuf;

pub use figure::{Figure, Report};

/// What the measurements are made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The example connector `hello`, built.
    pub hello: PathBuf,
    /// The Google Drive connector, built.
    pub drive: PathBuf,
    /// This program: it runs the simulated services in a process of their own (`simulate --documents N`).
    pub program: PathBuf,
    /// Rounds of each measured call.
    pub rounds: usize,
    /// Documents of the measured sync.
    pub documents: usize,
    /// Runs against a service that gives the token back.
    pub canaries: usize,
    /// Connections whose keys a rotation wraps anew.
    pub connections: usize,
    /// Invocations that are held at once.
    pub held: usize,
    /// Entries of the audit chain that is verified.
    pub entries: usize,
    /// What is measured; empty: everything.
    pub only: Vec<Part>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// A tool's call, sandboxed and journaled, against the same request by reqwest.
    Calls,
    /// A fresh instance; loading compiled code.
    Engine,
    /// The egress gate, the search for secrets, guests that spin and guests that want it all.
    Boundary,
    /// Services that give the token back.
    Canaries,
    /// Secrets: attached, refreshed.
    Credentials,
    /// A rotation of the master key.
    Rotation,
    /// A sync.
    Sync,
    /// The journal and the audit chain.
    Journal,
}

/// Measures everything. `progress` is told what is being measured.
///
/// # Errors
/// Whatever could not be set up or did not do what it should: a figure of something that failed is none.
pub async fn run(setup: &Setup, progress: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let mut figures = Vec::new();
    let wanted = |part: Part, what: &str| {
        let wanted = setup.only.is_empty() || setup.only.contains(&part);
        if wanted {
            progress(what);
        }
        wanted
    };
    if wanted(Part::Calls, "one tool call with one request of 1 KB, and the same request by reqwest") {
        figures.extend(tool_call::measure(setup).await?);
    }
    if wanted(Part::Engine, "a fresh instance with one call; loading compiled code") {
        figures.extend(engine::measure(setup).await?);
    }
    if wanted(Part::Boundary, "the egress gate, the search for secrets, guests that spin and guests that want it all") {
        figures.extend(boundary::measure(setup).await?);
    }
    if wanted(Part::Canaries, &format!("{} answers that hold the token", setup.canaries)) {
        figures.push(canary::measure(setup, setup.canaries).await?);
    }
    let over = format!("secrets attached, waited for and not waited for, over {} connections", setup.connections);
    if wanted(Part::Credentials, &over) {
        figures.extend(credentials::measure(setup).await?);
    }
    let over = format!("a rotation of the master key over {} connections, which are made first", setup.connections);
    if wanted(Part::Rotation, &over) {
        figures.push(rotation::measure(setup).await?);
    }
    let of = format!("a sync of {} documents; the connector's own rate limit makes it wait", setup.documents);
    if wanted(Part::Sync, &of) {
        figures.extend(sync::measure(setup).await?);
    }
    let of = format!(
        "the journal: what it costs a call, shared flushes, a resumed call, {} held ones, a chain of {} links",
        setup.held, setup.entries
    );
    if wanted(Part::Journal, &of) {
        figures.extend(journal::measure(setup).await?);
    }
    Ok(Report { figures })
}
