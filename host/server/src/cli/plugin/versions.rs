//! `sallyport plugin install`, `diff`, `approve` and `list`: versions of connectors on this host.

use std::path::Path;

use anyhow::Context as _;
use sallyport::admission::Word;
use sallyport::ids::ConnectorId;
use sallyport::ports::Catalog as _;
use sallyport_pack::diff::{self, Change};
use sallyport_pack::sealed;
use serde::Serialize;

use super::super::{Global, session};
use super::{bytes, connector};
use crate::api::connectors::Connector;
use crate::output::{self, Rows};

impl Rows for Connector {
    fn header() -> &'static [&'static str] {
        &["id", "version", "name", "tools", "syncs", "KB", "digest", "publisher", "waiting"]
    }

    fn row(&self) -> Vec<String> {
        let short = |hex: &str| hex.chars().take(12).collect::<String>();
        vec![
            self.id.clone(),
            self.version.clone(),
            self.name.clone(),
            self.tools.join(", "),
            if self.syncs { "yes" } else { "no" }.into(),
            (self.size / 1024).to_string(),
            short(&self.digest),
            self.publisher.as_deref().map_or_else(|| "unsigned".into(), short),
            self.waiting.as_ref().map_or_else(String::new, |waiting| waiting.version.clone()),
        ]
    }
}

/// What `diff` says.
#[derive(Serialize)]
struct Difference {
    /// Whether consent to the old version does not cover the new one.
    wider: bool,
    changes: Vec<Change>,
}

impl Difference {
    fn of(changes: Vec<Change>) -> Self {
        Self { wider: diff::widens(&changes), changes }
    }

    fn words(&self) -> String {
        let lines = self.changes.iter().map(line).collect::<Vec<_>>();
        match (lines.is_empty(), self.wider) {
            (true, _) => "no difference in what it may do".into(),
            (false, true) => format!("{}\nlines with ! go beyond what was consented to", lines.join("\n")),
            (false, false) => format!("{}\nnothing goes beyond what was consented to", lines.join("\n")),
        }
    }
}

fn line(change: &Change) -> String {
    format!("{} {}", if change.wider { '!' } else { ' ' }, change.line)
}

pub(super) async fn diff(global: &Global, file: &Path, new: Option<&Path>) -> anyhow::Result<()> {
    let first = connector(file)?;
    let changes = match new {
        Some(new) => diff::diff(&first, &connector(new)?),
        None => {
            let (app, _) = session::open(global).await?;
            let id = &first.manifest.connector.id;
            let live = app.store().live(id).await.with_context(|| format!("{id} is not installed"))?;
            let stored = app.store().bytes(&live.digest).await?;
            diff::diff(&sealed::read(&stored).with_context(|| format!("the installed {id}"))?, &first)
        }
    };
    output::one(global.output, &Difference::of(changes), Difference::words)?;
    Ok(())
}

pub(super) async fn install(global: &Global, file: &Path, word: Word) -> anyhow::Result<()> {
    let bytes = bytes(file)?;
    let (app, _) = session::open(global).await?;
    let admitted = app.runtime().install_as_host(bytes, word).await;
    let admitted = admitted.with_context(|| file.display().to_string())?;
    let id = &admitted.installed.connector;
    if !admitted.live {
        let version = &admitted.installed.version;
        output::progress(&format!("{id} {version} may do more than was consented to, and waits:"));
        admitted.changes.iter().for_each(|change| output::progress(&line(change)));
        output::progress(&format!("`sallyport plugin approve {id}` makes it live"));
    }
    output::list(global.output, &[Connector::of(&app, id).await?])?;
    Ok(())
}

pub(super) async fn approve(global: &Global, id: &ConnectorId) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    let waiting = app.runtime().waiting_version(id).await?;
    let waiting =
        waiting.with_context(|| format!("no version of {id} waits: `sallyport plugin list` shows what does"))?;
    waiting.changes.iter().for_each(|change| output::progress(&line(change)));
    app.runtime().approve_version(&session::operator(&tenant), id, &waiting.version.digest).await?;
    output::list(global.output, &[Connector::of(&app, id).await?])?;
    Ok(())
}

pub(super) async fn remove(global: &Global, id: &ConnectorId) -> anyhow::Result<()> {
    let (app, _) = session::open(global).await?;
    let live = app.store().live(id).await?;
    app.runtime().uninstall_as_host(id, &live.digest).await?;
    output::list(global.output, &Connector::all(&app).await?)?;
    Ok(())
}

pub(super) async fn list(global: &Global) -> anyhow::Result<()> {
    let (app, _) = session::open(global).await?;
    output::list(global.output, &Connector::all(&app).await?)?;
    Ok(())
}
