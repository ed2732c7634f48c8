//! `sallyport simulate`: the simulated services alone, for connector authors and benches.

use std::path::PathBuf;

use clap::Args;
use sallyport_simulate::Seed;

use super::Global;

/// What the services hold.
#[derive(Debug, Args)]
pub struct Options {
    /// Fill Drive with the Markdown and text files of this folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "documents")]
    folder: Option<PathBuf>,
    /// Fill Drive with so many generated documents instead.
    #[arg(long, value_name = "N")]
    documents: Option<usize>,
}

/// Announces the services' URLs as one line of JSON, and serves until the process ends.
pub(crate) async fn run(_global: &Global, options: Options) -> anyhow::Result<()> {
    let seed = match (&options.folder, options.documents) {
        (Some(folder), _) => Seed::folder(folder)?,
        (None, Some(count)) => Seed::synthetic(count),
        (None, None) => Seed::demo(),
    };
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    Ok(sallyport_simulate::serve(seed, sallyport_simulate::Options::default(), std::io::stdout(), stop).await?)
}
