//! `sallyport grant`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand, ValueEnum};
use sallyport::connection::{Connection, Setting};
use sallyport::constraint::{BadConstraint, Constraint, ConstraintName};
use sallyport::ids::TenantId;
use sallyport::ports::Directory as _;
use serde::Serialize;

use super::{Global, session};
use crate::api::connectors::Connector;
use crate::app::App;
use crate::grants;
use crate::output::{self, Rows};

/// What a connection may do, and what bounds it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    /// The connection, by id or name.
    #[arg(required = true)]
    connection: Option<String>,
    /// Capabilities to grant.
    capabilities: Vec<String>,
    /// How writes are treated.
    #[arg(long, value_enum)]
    setting: Option<Choice>,
    /// Take these capabilities back instead.
    #[arg(long, requires = "capabilities")]
    revoke: bool,
    /// Bound everything that is granted: containers=ID,ID, audience<=WHO, writes<=N/day or until=DATE. May stand several
    /// times; one of the same name is replaced.
    #[arg(long = "constraint", value_name = "CONSTRAINT")]
    constraints: Vec<Constraint>,
    /// Lift a bound: containers, audience, writes or until.
    #[arg(long = "unconstrain", value_name = "NAME")]
    lifted: Vec<ConstraintName>,
}

/// What else can be done with a grant.
#[derive(Debug, Subcommand)]
enum Action {
    /// Show what is granted, what could be, and what bounds it.
    Show {
        /// The connection, by id or name.
        connection: String,
    },
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
#[serde(untagged)]
enum Line {
    Capability { capability: String, access: String, granted: Option<Setting>, summary: String },
    Constraint { constraint: String, used: Option<String>, summary: String },
}

impl Rows for Line {
    fn header() -> &'static [&'static str] {
        &["capability or constraint", "access", "granted or used", "summary"]
    }

    fn row(&self) -> Vec<String> {
        match self {
            Self::Capability { capability, access, granted, summary } => {
                let granted = granted.map_or("-".into(), |setting| format!("{setting:?}").to_lowercase());
                vec![capability.clone(), access.clone(), granted, summary.clone()]
            }
            Self::Constraint { constraint, used, summary } => {
                let used = used.clone().unwrap_or_else(|| "-".into());
                vec![constraint.clone(), "bounds all".into(), used, summary.clone()]
            }
        }
    }
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    let named = match (&options.action, &options.connection) {
        (Some(Action::Show { connection }), _) | (None, Some(connection)) => connection,
        (None, None) => anyhow::bail!("name a connection; `sallyport connect --list` lists them"),
    };
    let connection = session::connection(&app, &tenant, named).await?;
    if !options.capabilities.is_empty() || !options.constraints.is_empty() || !options.lifted.is_empty() {
        change(&app, &tenant, &connection, options).await?;
    }
    output::list(global.output, &lines(&app, &connection).await?)?;
    Ok(())
}

async fn change(app: &App, tenant: &TenantId, connection: &Connection, options: Options) -> anyhow::Result<()> {
    let before = app.store().grant(tenant, &connection.id).await?;
    let (mut granted, mut constraints) =
        before.map(|grant| (grant.capabilities, grant.constraints)).unwrap_or_default();
    for (id, usual) in grants::chosen(app, &connection.connector, &options.capabilities).await? {
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
    options.lifted.into_iter().for_each(|name| constraints.clear(name));
    let mut names = BTreeSet::new();
    for constraint in options.constraints {
        anyhow::ensure!(names.insert(constraint.name()), BadConstraint::Twice(constraint.name()));
        constraints.set(constraint);
    }
    grants::replace(app, &session::operator(tenant), connection, granted, Some(constraints)).await?;
    Ok(())
}

/// Capabilities first, then what bounds them.
async fn lines(app: &App, connection: &Connection) -> anyhow::Result<Vec<Line>> {
    let grant = app.store().grant(&connection.tenant, &connection.id).await?;
    let (granted, constraints) = grant.map(|grant| (grant.capabilities, grant.constraints)).unwrap_or_default();
    let capabilities = Connector::of(app, &connection.connector).await?.capabilities;
    let mut lines: Vec<Line> = capabilities
        .into_iter()
        .map(|capability| Line::Capability {
            granted: granted.iter().find(|(id, _)| id.as_str() == capability.id).map(|(_, setting)| *setting),
            capability: capability.id,
            access: capability.access,
            summary: capability.summary,
        })
        .collect();
    for constraint in constraints.all() {
        let used = grants::used(app, connection, &constraint).await?;
        lines.push(Line::Constraint { constraint: constraint.to_string(), used, summary: constraint.meaning() });
    }
    Ok(lines)
}
