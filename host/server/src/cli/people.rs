//! `sallyport people`: whose a provider's users are.

use clap::Subcommand;
use sallyport_store::accounts::ProviderUser;
use serde::Serialize;

use super::{Global, session};
use crate::output::{self, Rows};

/// What to do about a provider's users. A service that tells no addresses of others (Trello) leaves it to an admin to
/// say who they are; until then what only they may read is found by nobody.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// The users that a connection's source has told of, and whose they are.
    List {
        /// The connection, by id or name.
        connection: String,
    },
    /// Say whose a user is.
    Map {
        /// The connection, by id or name.
        connection: String,
        /// The provider's id of the user.
        user: String,
        /// The person's e-mail address.
        email: String,
    },
    /// Take it back.
    Unmap {
        /// The connection, by id or name.
        connection: String,
        /// The provider's id of the user.
        user: String,
    },
}

#[derive(Serialize)]
struct Line {
    user: String,
    name: Option<String>,
    email: Option<String>,
    mapped: bool,
}

impl Rows for Line {
    fn header() -> &'static [&'static str] {
        &["user", "name", "e-mail", "said by"]
    }

    fn row(&self) -> Vec<String> {
        let said = match (&self.email, self.mapped) {
            (None, _) => "nobody",
            (_, true) => "an admin",
            (_, false) => "the service",
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        vec![self.user.clone(), text(&self.name), text(&self.email), said.into()]
    }
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    let accounts = app.accounts();
    let connection = match action {
        Action::List { connection } => session::connection(&app, &tenant, &connection).await?,
        Action::Map { connection, user, email } => {
            let email = session::email(&email)?;
            let connection = session::connection(&app, &tenant, &connection).await?;
            accounts.tie(&tenant, &connection.id, &user, &email, &session::operator(&tenant).subject).await?;
            connection
        }
        Action::Unmap { connection, user } => {
            let connection = session::connection(&app, &tenant, &connection).await?;
            accounts.untie(&tenant, &connection.id, &user).await?;
            connection
        }
    };
    let line = |one: ProviderUser| Line { user: one.user, name: one.name, email: one.email, mapped: one.tied };
    let users = accounts.provider_users(&tenant, &connection.id).await?;
    output::list(global.output, &users.into_iter().map(line).collect::<Vec<_>>())?;
    Ok(())
}
