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
        &["stream", "new or changed", "unchanged", "deleted", "access", "pulls", "error"]
    }

    fn row(&self) -> Vec<String> {
        let error = self.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        vec![
            self.name.clone(),
            self.documents.to_string(),
            self.unchanged.to_string(),
            (self.deleted + self.gone).to_string(),
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
    let mut failed = 0;
    for connection in chosen {
        output::progress(&format!("synchronising {}", connection.name));
        let report = syncs::sync(&app, &tenant, &connection.id, options.sweep)
            .await
            .with_context(|| format!("{} ({})", connection.name, connection.connector))?;
        failed += report.streams.iter().filter(|stream| stream.error.is_some()).count();
        streams.extend(report.streams);
    }
    output::list(global.output, &streams)?;
    anyhow::ensure!(
        failed == 0,
        "{failed} streams were not finished; their cursors are where the last checkpoint left them"
    );
    Ok(())
}
