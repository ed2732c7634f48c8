//! The command line. One file a command; each reads its options, opens what it needs, and answers in one form.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::output::Format;

mod approvals;
mod ask;
mod audit;
mod bench;
pub mod connect;
mod consent;
mod demo;
mod grant;
mod keys;
mod people;
mod plugin;
mod replay;
mod rotate;
mod search;
mod serve;
pub mod session;
mod signin;
mod simulate;
mod sync;
mod tenant;

pub(crate) use serve::DEFAULT as DEFAULT_LISTEN;

/// Sallyport: AI applications read from and act in other people's systems, through connectors that nobody has to trust.
#[derive(Debug, Parser)]
#[command(name = "sallyport", version, propagate_version = true)]
pub struct Cli {
    /// Options that stand before the command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command; they stand before it.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The data directory: store, connectors, keys. Local file systems only.
    #[arg(long, value_name = "DIR", env = "SALLYPORT_DATA")]
    pub data: Option<PathBuf>,
    /// Where to listen for HTTP; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", env = "SALLYPORT_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// How to print results.
    #[arg(long, value_enum, default_value_t = Format::Table, global = true)]
    pub output: Format,
    /// The tenant that a command works in.
    #[arg(long, value_name = "NAME", default_value = "default", env = "SALLYPORT_TENANT")]
    pub tenant: String,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set everything up, run the seeded workspace, and open the door to try it.
    Demo(demo::Options),
    /// Serve the HTTP API and the web page.
    Serve(serve::Options),
    /// Build, inspect, sign, compare, install and list connectors.
    #[command(subcommand)]
    Plugin(plugin::Action),
    /// Make a connection from a secret in a file or on stdin; list or remove connections.
    Connect(connect::Options),
    /// Show or change what a connection may do.
    Grant(grant::Options),
    /// Synchronise connections and bring the index up to date.
    Sync(sync::Options),
    /// Search as somebody.
    Search(search::Options),
    /// Ask, or have something done, as somebody.
    Ask(ask::Options),
    /// List, show, approve and deny what waits for a decision.
    #[command(subcommand)]
    Approvals(approvals::Action),
    /// Run a recorded tool call again, offline, and show where it parts from its record.
    Replay(replay::Options),
    /// Verify, print and anchor the record of what was done.
    #[command(subcommand)]
    Audit(audit::Action),
    /// Tenants' service keys and built-in users.
    #[command(subcommand)]
    Keys(keys::Action),
    /// The tenant's OpenID Connect issuer: who signs people in.
    #[command(subcommand)]
    Signin(signin::Action),
    /// Whose a provider's users are, where the provider does not tell.
    #[command(subcommand)]
    People(people::Action),
    /// Show or change what a tenant has settled for itself; remove a tenant.
    #[command(subcommand)]
    Tenant(tenant::Action),
    /// Print the project's figures, each beside what it was run against.
    Bench(bench::Options),
    /// Run the simulated services alone, in this process.
    Simulate(simulate::Options),
    /// Compile one connector, from standard input to standard output: what this program starts itself to do.
    #[command(hide = true)]
    Compile,
}

/// Runs the command.
///
/// # Errors
/// Whatever the command could not do, in words that say what to do about it.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let global = cli.global;
    match cli.command {
        Command::Demo(options) => demo::run(&global, options).await,
        Command::Serve(options) => serve::run(&global, options).await,
        Command::Plugin(action) => plugin::run(&global, action).await,
        Command::Connect(options) => connect::run(&global, options).await,
        Command::Grant(options) => grant::run(&global, options).await,
        Command::Sync(options) => sync::run(&global, options).await,
        Command::Search(options) => search::run(&global, options).await,
        Command::Ask(options) => ask::run(&global, options).await,
        Command::Approvals(action) => approvals::run(&global, action).await,
        Command::Replay(options) => replay::run(&global, options).await,
        Command::Audit(action) => audit::run(&global, action).await,
        Command::Keys(action) => keys::run(&global, action).await,
        Command::Signin(action) => signin::run(&global, action).await,
        Command::People(action) => people::run(&global, action).await,
        Command::Tenant(action) => tenant::run(&global, action).await,
        Command::Bench(options) => bench::run(&global, options).await,
        Command::Simulate(options) => simulate::run(&global, options).await,
        Command::Compile => {
            let compiling = || {
                let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
                sallyport::engine::compile_child(input, output).map_err(anyhow::Error::msg)
            };
            tokio::task::spawn_blocking(compiling).await?
        }
    }
}
