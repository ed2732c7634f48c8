//! `sallyport grant`.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use sallyport::connection::Setting;
use sallyport::ids::CapabilityId;
use sallyport::ports::Directory as _;
use serde::Serialize;

use super::{Global, session};
use crate::api::connectors::Connector;
use crate::grants;
use crate::output::{self, Rows};

/// What a connection may do.
#[derive(Debug, Args)]
pub struct Options {
    /// The connection, by id or name.
    connection: String,
    /// Capabilities to grant. None: show what is granted and what could be.
    capabilities: Vec<String>,
    /// How writes are treated.
    #[arg(long, value_enum)]
    setting: Option<Choice>,
    /// Take these capabilities back instead.
    #[arg(long, requires = "capabilities")]
    revoke: bool,
}

/// `auto`, `ask` or `deny`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Choice {
    /// Policy alone decides.
    Auto,
    /// A person decides, always.
    Ask,
    /// Never.
    Deny,
}

#[derive(Serialize)]
struct Line {
    capability: String,
    access: String,
    granted: Option<Setting>,
    summary: String,
}

impl Rows for Line {
    fn header() -> &'static [&'static str] {
        &["capability", "access", "granted", "summary"]
    }

    fn row(&self) -> Vec<String> {
        let granted = self.granted.map_or("-".into(), |setting| format!("{setting:?}").to_lowercase());
        vec![self.capability.clone(), self.access.clone(), granted, self.summary.clone()]
    }
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    let connection = session::connection(&app, &tenant, &options.connection).await?;
    let before = app.store().grant(&tenant, &connection.id).await?;
    let mut granted: BTreeMap<CapabilityId, Setting> = before.map(|grant| grant.capabilities).unwrap_or_default();
    if !options.capabilities.is_empty() {
        let chosen = grants::chosen(&app, &connection.connector, &options.capabilities).await?;
        for (id, usual) in chosen {
            if options.revoke {
                granted.remove(&id);
            } else {
                let setting = options.setting.map_or(usual, |choice| match choice {
                    Choice::Auto => Setting::Auto,
                    Choice::Ask => Setting::Ask,
                    Choice::Deny => Setting::Deny,
                });
                granted.insert(id, setting);
            }
        }
        grants::replace(&app, &session::operator(&tenant), &connection, granted.clone()).await?;
    }
    let lines: Vec<Line> = Connector::of(&app, &connection.connector)
        .await?
        .capabilities
        .into_iter()
        .map(|capability| Line {
            granted: granted.iter().find(|(id, _)| id.as_str() == capability.id).map(|(_, setting)| *setting),
            capability: capability.id,
            access: capability.access,
            summary: capability.summary,
        })
        .collect();
    output::list(global.output, &lines)?;
    Ok(())
}
