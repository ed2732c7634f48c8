//! `sallyport bench`.

use clap::Args;

use super::Global;

/// What to measure.
#[derive(Debug, Args)]
pub struct Options {}

pub(crate) async fn run(_global: &Global, _options: Options) -> anyhow::Result<()> {
    anyhow::bail!("no figures yet")
}
