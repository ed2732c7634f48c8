//! `sallyport sync`.

use anyhow::Context as _;
use clap::Args;
use sallyport::invoke::StreamReport;
use sallyport::ports::Directory as _;

use super::{Global, session};
use crate::api::connectors::Connector;
use crate::output::{self, Rows};
use crate::syncs;

/// What to synchronise.
#[derive(Debug, Args)]
pub struct Options {
    /// Connections, by id or name; all that read documents in, unless said.
    connections: Vec<String>,
    /// List everything, so that what vanished is noticed.
    #[arg(long)]
    sweep: bool,
}

impl Rows for StreamReport {
    fn header() -> &'static [&'static str] {
        &["stream", "new or changed", "unchanged", "deleted", "refused", "access", "pulls", "unfinished"]
    }

    fn row(&self) -> Vec<String> {
        let error = self.unfinished().unwrap_or_default();
        vec![
            self.name.clone(),
            self.documents.to_string(),
            self.unchanged.to_string(),
            (self.deleted + self.gone).to_string(),
            self.refused.to_string(),
            self.access.to_string(),
            self.pulls.to_string(),
            error,
        ]
    }
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    let mut chosen = Vec::new();
    if options.connections.is_empty() {
        for connection in app.store().connections(&tenant).await? {
            if Connector::of(&app, &connection.connector).await?.syncs {
                chosen.push(connection);
            }
        }
    }
    for named in &options.connections {
        chosen.push(session::connection(&app, &tenant, named).await?);
    }
    let mut streams = Vec::new();
    let mut unfinished = Vec::new();
    for connection in chosen {
        output::progress(&format!("synchronising {}", connection.name));
        let report = syncs::sync(&app, &tenant, &connection.id, options.sweep)
            .await
            .with_context(|| format!("{} ({})", connection.name, connection.connector))?;
        unfinished.extend(report.streams.iter().filter_map(StreamReport::unfinished));
        streams.extend(report.streams);
    }
    output::list(global.output, &streams)?;
    anyhow::ensure!(
        unfinished.is_empty(),
        "not everything was read in; the next sync goes on from the last checkpoint. {}",
        unfinished.join("; ")
    );
    Ok(())
}
