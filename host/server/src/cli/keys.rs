//! `sallyport keys`: tenants' service keys, the operator's keys, and built-in users.

use clap::Subcommand;
use sallyport::ids::SubjectId;
use sallyport_store::accounts::{Holder, User};
use serde::Serialize;

use super::{Global, session};
use crate::api::callers::parse_role;
use crate::output::{self, Rows};

/// What to do about keys.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Make a service key for the tenant. It is shown once.
    Create {
        /// Make a key of the operator's instead: it installs and approves connectors over HTTP.
        #[arg(long)]
        operator: bool,
        /// What it is for.
        #[arg(default_value = "service")]
        label: String,
    },
    /// The tenant's keys.
    List {
        /// The operator's instead.
        #[arg(long)]
        operator: bool,
    },
    /// Take a key back.
    Revoke {
        /// It is one of the operator's.
        #[arg(long)]
        operator: bool,
        /// Its id.
        id: String,
    },
    /// Add or replace a built-in user.
    User {
        /// Their e-mail address, which you have verified.
        email: String,
        /// Their name.
        #[arg(long)]
        name: Option<String>,
        /// Their roles: admin, approver, member.
        #[arg(long = "role", default_values_t = ["member".to_owned()])]
        roles: Vec<String>,
    },
    /// The tenant's built-in users.
    Users,
    /// Put another master key in place of the host's. Nothing has to be stopped; if this is cut off, run it again.
    RotateMaster,
}

#[derive(Serialize)]
struct KeyLine {
    id: String,
    label: String,
    revoked: bool,
}

impl Rows for KeyLine {
    fn header() -> &'static [&'static str] {
        &["id", "label", "revoked"]
    }

    fn row(&self) -> Vec<String> {
        vec![self.id.clone(), self.label.clone(), self.revoked.to_string()]
    }
}

#[derive(Serialize)]
struct UserLine {
    subject: String,
    name: String,
    emails: Vec<String>,
    roles: Vec<sallyport::Role>,
}

impl Rows for UserLine {
    fn header() -> &'static [&'static str] {
        &["subject", "name", "e-mail", "roles"]
    }

    fn row(&self) -> Vec<String> {
        let roles: Vec<String> = self.roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect();
        vec![self.subject.clone(), self.name.clone(), self.emails.join(", "), roles.join(", ")]
    }
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    if matches!(action, Action::RotateMaster) {
        return super::rotate::run(global).await;
    }
    let (app, tenant) = session::open(global).await?;
    let accounts = app.accounts();
    match action {
        Action::Create { operator, label } => {
            let holder = if operator { Holder::Operator } else { Holder::Service(tenant) };
            let new = accounts.create_key(holder, &label).await?;
            #[derive(Serialize)]
            struct Created<'a> {
                id: &'a str,
                key: &'a str,
            }
            let created = Created { id: &new.key.id, key: new.reveal() };
            output::one(global.output, &created, |created| created.key.to_owned())?;
            output::progress("this is shown once: keep it where whoever uses it reads their secrets");
        }
        Action::List { operator } => {
            let keys = accounts.keys((!operator).then_some(&tenant)).await?;
            let line = |key: sallyport_store::accounts::ApiKey| KeyLine {
                id: key.id,
                label: key.label,
                revoked: key.revoked.is_some(),
            };
            output::list(global.output, &keys.into_iter().map(line).collect::<Vec<_>>())?;
        }
        Action::Revoke { operator, id } => {
            accounts.revoke_key((!operator).then_some(&tenant), &id).await?;
            output::progress(&format!("{id} is revoked"));
        }
        Action::User { email, name, roles } => {
            let email = session::email(&email)?;
            let roles = roles.iter().map(|role| {
                parse_role(role).map_err(|_| anyhow::anyhow!("{role:?} is no role: admin, approver or member"))
            });
            let mut subject = SubjectId::new(email.split('@').next().unwrap_or(&email));
            // Another person of the same name elsewhere stays who they are, with all that is theirs.
            let others = accounts.users(&tenant).await?;
            if others.iter().any(|other| other.subject == subject && !other.emails.contains(&email)) {
                subject = SubjectId::new(email.clone());
            }
            let user = User {
                tenant: tenant.clone(),
                name: name.unwrap_or_else(|| subject.to_string()),
                subject,
                emails: vec![email],
                roles: roles.collect::<Result<_, _>>()?,
            };
            accounts.put_user(&user).await?;
            output::list(global.output, &users(&app, &tenant).await?)?;
        }
        Action::RotateMaster => {}
        Action::Users => output::list(global.output, &users(&app, &tenant).await?)?,
    }
    Ok(())
}

async fn users(app: &crate::app::App, tenant: &sallyport::ids::TenantId) -> anyhow::Result<Vec<UserLine>> {
    let users = app.accounts().users(tenant).await?;
    let line = |user: User| UserLine {
        subject: user.subject.to_string(),
        name: user.name,
        emails: user.emails,
        roles: user.roles,
    };
    Ok(users.into_iter().map(line).collect())
}
