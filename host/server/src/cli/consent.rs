//! `sallyport connect --link`: a link is printed, somebody follows it, and the command waits for them.

use std::time::Duration;

use anyhow::Context as _;
use sallyport::connection::{Connection, Constraints};
use sallyport::consent::AskLink;
use sallyport::ids::{ConnectorId, TenantId};
use sallyport::ports::{Directory as _, LinkStatus};

use super::connect::{Options, client, owner, settings};
use super::{Global, session};
use crate::app::App;
use crate::grants;
use crate::output;

/// How often it is looked how far they have come.
const LOOK: Duration = Duration::from_millis(500);

/// Prints a link and answers the connection that comes of it.
///
/// # Errors
/// The link cannot be made; it was declined or ended.
pub(super) async fn connect(
    global: &Global,
    app: &App,
    tenant: &TenantId,
    options: Options,
) -> anyhow::Result<Connection> {
    let again = match &options.again {
        None => None,
        Some(named) => Some(session::connection(app, tenant, named).await?),
    };
    let connector = match &again {
        Some(connection) => connection.connector.clone(),
        None => ConnectorId::new(options.connector.as_deref().unwrap_or_default())?,
    };
    let (caller, owner) = match &again {
        None => owner(app, tenant, &options.owner).await?,
        Some(connection) => (owner_of(app, tenant, connection).await?, connection.owner.clone()),
    };
    client(app, tenant, &connector, options.client.as_deref()).await?;
    let capabilities = match options.grants.as_slice() {
        [] => None,
        chosen => Some(grants::chosen(app, &connector, chosen).await?),
    };
    let ask = AskLink {
        connector,
        auth: options.auth,
        owner: Some(owner),
        name: options.name,
        capabilities,
        constraints: Constraints::default(),
        settings: settings(&options.settings)?,
        audience: options.audience,
        connection: again.map(|connection| connection.id),
        return_to: None,
    };
    let link = app.runtime().link(&caller, ask).await?;
    app.origins().listens(global.listen.unwrap_or(super::DEFAULT_LISTEN));
    let base = crate::origin::public_url(app, None, &axum::http::HeaderMap::new());
    // On standard output, to be copied; what is waited for is said beside it.
    output::line(crate::consent::url(&base, link.token.expose()).as_str())?;
    output::progress(&format!("waiting for somebody to follow the link; it needs a host that serves {base}"));
    loop {
        let now = app.runtime().link_status(&caller, &link.id).await?;
        match now.status {
            LinkStatus::Connected { connection } => return Ok(app.store().connection(tenant, &connection).await?),
            LinkStatus::Declined => anyhow::bail!("nothing was connected: it was declined"),
            LinkStatus::Failed { message, .. } if now.expires.0 < crate::syncs::now() => anyhow::bail!("{message}"),
            _ => {
                anyhow::ensure!(now.expires.0 >= crate::syncs::now(), "nobody followed the link in time: make another")
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn owner_of(app: &App, tenant: &TenantId, connection: &Connection) -> anyhow::Result<sallyport::Caller> {
    use sallyport::connection::Owner;
    match &connection.owner {
        Owner::Workspace => Ok(session::operator(tenant)),
        Owner::Person(subject) => {
            let users = app.accounts().users(tenant).await?;
            let own = users.into_iter().find(|user| user.subject == *subject);
            let own = own.with_context(|| format!("the connection is {subject}'s, who is no user of this host"))?;
            Ok(own.caller())
        }
    }
}
