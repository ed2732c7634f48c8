//! `sallyport tenant`: what a tenant has settled for itself.

use clap::{Subcommand, ValueEnum};
use sallyport::ports::TenantRules;

use super::{Global, session};
use crate::output;

/// What to do about a tenant.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show its rules, or change what is named.
    Rules {
        /// Whether an approver may approve what they asked for themselves through the workspace's connections.
        #[arg(long, value_enum, value_name = "on|off")]
        self_approval: Option<Switch>,
    },
    /// Remove the tenant named by --tenant: its connections with their documents, secrets and keys, its people and API keys.
    /// Its journal stays, without bodies, and its audit chain verifies. Its id is never given again.
    Remove {
        /// The tenant's id once more.
        #[arg(long, value_name = "NAME")]
        confirm: String,
    },
}

/// A rule that holds or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It holds.
    On,
    /// It does not.
    Off,
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    let accounts = app.accounts();
    let self_approval = match action {
        Action::Rules { self_approval } => self_approval,
        Action::Remove { confirm } => {
            anyhow::ensure!(confirm == tenant.as_str(), "{confirm:?} is not {tenant}: nothing was removed");
            accounts.remove_tenant(&tenant).await?;
            output::one(global.output, &serde_json::json!({ "removed": tenant }), |_| format!("removed {tenant}"))?;
            return Ok(());
        }
    };
    if let Some(switch) = self_approval {
        let rules = TenantRules { self_approval: switch == Switch::On };
        accounts.put_rules(&tenant, rules).await?;
    }
    let words = |rules: &TenantRules| match rules.self_approval {
        true => format!("self-approval on: an approver of {tenant} may approve what they asked for themselves"),
        false => format!("self-approval off: in {tenant} an approver other than the one who asked approves"),
    };
    output::one(global.output, &accounts.rules(&tenant).await?, words)?;
    Ok(())
}
