//! `sallyport plugin`: build, inspect, install, list.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use sallyport_pack::manifest::Manifest;
use sallyport_pack::sealed::{self, ConnectorFile};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Global, session};
use crate::api::connectors::{Connector, access};
use crate::output::{self, Rows};
use crate::setup;

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
    /// Make a connector file the live version of its connector.
    Install {
        /// The file.
        file: PathBuf,
    },
    /// Installed connectors.
    List,
}

impl Rows for Connector {
    fn header() -> &'static [&'static str] {
        &["id", "version", "name", "tools", "syncs", "KB", "digest"]
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.version.clone(),
            self.name.clone(),
            self.tools.join(", "),
            if self.syncs { "yes" } else { "no" }.into(),
            (self.size / 1024).to_string(),
            self.digest.chars().take(12).collect(),
        ]
    }
}

/// What `inspect` says.
#[derive(Serialize)]
struct Inspected {
    id: String,
    name: String,
    version: String,
    provider: String,
    size: u64,
    digest: String,
    exports: Vec<&'static str>,
    imports: Vec<String>,
    manifest: Manifest,
    tools: Value,
}

impl Inspected {
    fn of(file: ConnectorFile) -> Self {
        let connector = &file.manifest.connector;
        Self {
            id: connector.id.to_string(),
            name: connector.name.clone(),
            version: connector.version.to_string(),
            provider: connector.provider.to_string(),
            size: file.size,
            digest: file.digest,
            exports: file.exports.iter().map(|export| export.as_str()).collect(),
            imports: file.imports,
            tools: json!(file.tools),
            manifest: file.manifest,
        }
    }
}

fn words(inspected: &Inspected) -> String {
    let manifest = &inspected.manifest;
    let mut lines = vec![
        format!("{} {} ({}), for the provider {}", inspected.name, inspected.version, inspected.id, inspected.provider),
        format!("  {} bytes, sha256 {}", inspected.size, inspected.digest),
        format!("  exports {}", inspected.exports.join(", ")),
        format!("  imports {}", inspected.imports.join(", ")),
        "  origins".into(),
    ];
    for (name, origin) in &manifest.origins {
        let credentials = if origin.credentials { "receives credentials" } else { "receives no credentials" };
        lines.push(format!("    {name} {}  {credentials}", origin.url));
    }
    lines.push("  capabilities".into());
    for capability in &manifest.capabilities {
        lines.push(format!("    {} ({}): {}", capability.id, access(capability.access), capability.summary));
        for route in &capability.routes {
            let carries = match &route.keys {
                Some(keys) if keys.is_empty() => "  carries no parameters".into(),
                Some(keys) => {
                    format!("  carries {}", keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                }
                None if access(capability.access) == "read" => String::new(),
                None => "  carries any parameters".into(),
            };
            lines.push(format!("      {}{carries}", route.template));
        }
    }
    if !manifest.tools.is_empty() {
        lines.push("  tools".into());
    }
    for tool in &manifest.tools {
        let described = inspected.tools.as_array().into_iter().flatten().find(|one| one["name"] == tool.name.as_str());
        let description = described.and_then(|one| one["description"].as_str()).unwrap_or_default();
        let first = description.lines().next().unwrap_or_default();
        let effect = json!(tool.effect);
        lines.push(format!("    {} ({}): {first}", tool.name, effect.as_str().unwrap_or_default()));
    }
    lines.join("\n")
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    match action {
        Action::Build { dir } => {
            let report =
                tokio::task::spawn_blocking(move || setup::build_one(&dir, &|line| output::progress(line))).await??;
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
        }
        Action::Inspect { file } => {
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let inspected = Inspected::of(sealed::read(&bytes).with_context(|| file.display().to_string())?);
            output::one(global.output, &inspected, words)?;
        }
        Action::Install { file } => {
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let (app, _) = session::open(global).await?;
            let installed = app.runtime().install_as_host(bytes).await.with_context(|| file.display().to_string())?;
            output::list(global.output, &[Connector::of(&app, &installed.connector).await?])?;
        }
        Action::List => {
            let (app, _) = session::open(global).await?;
            output::list(global.output, &Connector::all(&app).await?)?;
        }
    }
    Ok(())
}
