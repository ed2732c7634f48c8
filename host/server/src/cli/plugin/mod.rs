//! `sallyport plugin`: build, test, inspect, sign, compare, install, list.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use sallyport::ids::ConnectorId;
use sallyport_pack::sealed::{self, ConnectorFile};
use serde_json::json;

use super::{Global, session};
use crate::config::Config;
use crate::output;
use crate::setup;

use inspect::{Inspected, words};

mod inspect;
mod sign;
mod test;
mod versions;

/// What to do about connectors.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Compile the crate in a folder, make it a component, ask what its tools are, and seal it with its manifest.
    Build {
        /// The crate's folder, with `Cargo.toml` and `connector.toml`.
        dir: PathBuf,
    },
    /// What a connector file may do, read without running any of it.
    Inspect {
        /// The file.
        file: PathBuf,
    },
    /// Make a publisher's key: a new file that only its owner may read. Its public half is what hosts know the publisher by.
    Key {
        /// The file to write; one that is there is left alone.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign a connector file with a publisher's key. A signature that it bears is replaced.
    Sign {
        /// The file.
        file: PathBuf,
        /// The publisher's key, as `plugin key` makes it.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Where to write; default: in place.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Whose signature a connector file bears. Fails if it bears none, or one that does not fit.
    Verify {
        /// The file.
        file: PathBuf,
    },
    /// What one version may do that another could not, line by line.
    Diff {
        /// The old version; without a second file, the new one, which is compared with what is installed.
        file: PathBuf,
        /// The new version.
        new: Option<PathBuf>,
    },
    /// Make a connector file the live version of its connector. One that may do more than the version before, where
    /// anything is granted, waits for `plugin approve`.
    Install {
        /// The file.
        file: PathBuf,
        /// Vouch for a file that nobody signed.
        #[arg(long)]
        unsigned: bool,
        /// Let the connector have another publisher than it was installed under.
        #[arg(long)]
        new_publisher: bool,
    },
    /// Show what a version that waits may do beyond the live one, and make it live.
    Approve {
        /// The connector's id.
        id: ConnectorId,
    },
    /// Take a connector away. Calls that run finish; its connections stay, and work again when it is installed again.
    Remove {
        /// The connector's id.
        id: ConnectorId,
    },
    /// Play a connector's recorded runs and see that it does the same; or record one.
    Test(test::Options),
    /// Installed connectors.
    List,
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    match action {
        Action::Build { dir } => build(global, dir).await,
        Action::Inspect { file } => {
            let limits = Config::load(&session::data(global)?)?.limits()?;
            output::one(global.output, &Inspected::of(connector(&file)?).within(&limits), words)?;
            Ok(())
        }
        Action::Key { out } => sign::key(global, &out),
        Action::Sign { file, key, out } => sign::sign(global, &file, &key, out.as_deref()),
        Action::Verify { file } => sign::verify(global, &file),
        Action::Diff { file, new } => versions::diff(global, &file, new.as_deref()).await,
        Action::Install { file, unsigned, new_publisher } => {
            versions::install(global, &file, sallyport::admission::Word { unsigned, new_publisher }).await
        }
        Action::Approve { id } => versions::approve(global, &id).await,
        Action::Remove { id } => versions::remove(global, &id).await,
        Action::Test(options) => test::run(global, options).await,
        Action::List => versions::list(global).await,
    }
}

async fn build(global: &Global, dir: PathBuf) -> anyhow::Result<()> {
    let report = tokio::task::spawn_blocking(move || setup::build_one(&dir, &|line| output::progress(line))).await??;
    let built = json!({
        "path": report.path, "seconds": report.elapsed.as_secs_f64(), "inspect": Inspected::of(report.file),
    });
    output::one(global.output, &built, |built| {
        let inspect = &built["inspect"];
        let names = |key: &str, name: &str| {
            let all = inspect["manifest"][key].as_array().into_iter().flatten();
            all.filter_map(|one| one[name].as_str()).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{}\n  {} bytes, built in {:.1} s\n  capabilities {}\n  tools {}",
            built["path"].as_str().unwrap_or_default(),
            inspect["size"],
            built["seconds"].as_f64().unwrap_or_default(),
            names("capability", "id"),
            names("tool", "name"),
        )
    })?;
    Ok(())
}

fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// A connector file, read without running any of it.
fn connector(file: &Path) -> anyhow::Result<ConnectorFile> {
    sealed::read(&bytes(file)?).with_context(|| file.display().to_string())
}
