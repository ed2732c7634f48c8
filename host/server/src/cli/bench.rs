//! `sallyport bench`.

use anyhow::Context as _;
use clap::Args;
use sallyport_bench::{Figure, Part, Setup};

use super::Global;
use crate::output::{self, Rows};
use crate::setup;

/// What to measure.
#[derive(Debug, Args)]
pub struct Options {
    /// Rounds of each measured call.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    rounds: u32,
    /// Documents of the measured sync.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    documents: u32,
    /// Runs against a service that gives the token back.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    canaries: u32,
    /// Connections whose keys the measured rotation of the master key wraps anew.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(4..=1_000_000))]
    connections: u32,
    /// Invocations that are held at once.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    held: u32,
    /// Entries of the audit chain that is verified.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    entries: u32,
    /// Measure only this; may be given several times.
    #[arg(long)]
    only: Vec<Part>,
}

impl Rows for Figure {
    fn header() -> &'static [&'static str] {
        &["figure", "value", "beside", "target"]
    }

    fn row(&self) -> Vec<String> {
        vec![self.name.into(), self.value.clone(), self.beside.clone(), self.target.unwrap_or("-").into()]
    }
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    anyhow::ensure!(
        !cfg!(debug_assertions),
        "this host was built for development, and its figures would say nothing: build and run it with \
         `cargo run --release --bin sallyport -- bench` (compiling the engine takes some ten minutes, once)"
    );
    let folders = ["sdk/examples/hello", "plugins/google-drive"];
    let built = tokio::task::spawn_blocking(move || setup::build_all(&folders)).await??;
    let [hello, drive] = <[_; 2]>::try_from(built).ok().context("two connectors")?;
    let setup = Setup {
        hello: hello.path,
        drive: drive.path,
        program: std::env::current_exe().context("where this program is")?,
        rounds: options.rounds as usize,
        documents: options.documents as usize,
        canaries: options.canaries as usize,
        connections: options.connections as usize,
        held: options.held as usize,
        entries: options.entries as usize,
        only: options.only,
    };
    let report = sallyport_bench::run(&setup, &|step| output::progress(&format!("measuring {step}"))).await?;
    output::list(global.output, &report.figures)?;
    Ok(())
}
