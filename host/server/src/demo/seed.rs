//! The demo's workspace: people, connectors, connections, documents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use sallyport::Role;
use sallyport::admission::Word;
use sallyport::connection::{Constraints, Owner};
use sallyport::credentials::NewSecret;
use sallyport::engine::Compiler;
use sallyport::ids::{ConnectionId, ConnectorId, SlotName, SubjectId, TenantId};
use sallyport::invoke::Connect;
use sallyport::keys::Secret;
use sallyport::ports::TenantRules;
use sallyport_simulate::{CONNECTOR_ACCOUNT, IssuedTokens, Provider, Simulation};
use sallyport_store::accounts::User;
use serde_json::json;

use crate::app::App;
use crate::cli::connect::register;
use crate::cli::session;
use crate::config::Config;
use crate::{grants, syncs};

use super::steps::Steps;

/// The demo's tenant.
pub const TENANT: &str = "demo";
/// The Drive connector.
pub const DRIVE: &str = "google-drive";
/// The Trello connector.
pub const TRELLO: &str = "trello";

/// How long the demo's access tokens last before they are refreshed at the simulated provider.
const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// A data directory with a workspace in it.
pub struct Seeded {
    /// Where it is.
    pub data: PathBuf,
    /// The tenant.
    pub tenant: TenantId,
    /// Documents that were read in.
    pub documents: u64,
}

/// The host's configuration for these simulated services.
#[must_use]
pub(crate) fn config(simulation: &Simulation) -> Config {
    let urls = simulation.urls();
    let repoint = [
        ("google-drive.api", &urls.drive),
        ("google-drive.admin", &urls.drive),
        ("google-drive.auth", &urls.oauth),
        ("trello.api", &urls.trello),
        ("trello.auth", &urls.oauth),
    ];
    Config {
        repoint: repoint.into_iter().map(|(key, url)| (key.to_owned(), url.clone())).collect(),
        scheduled_sync: true,
        ..Config::default()
    }
}

/// Fills `data`: people, connectors, connections, and what the services hold.
///
/// # Errors
/// Whatever step could not be done.
pub async fn seeded(
    steps: &mut Steps,
    data: &Path,
    simulation: &Simulation,
    connectors: &[PathBuf],
    compiler: Compiler,
) -> anyhow::Result<Seeded> {
    let mut written = config(simulation);
    std::fs::write(data.join("config.toml"), toml::to_string(&written)?)?;
    // The environment's model, if one is set, is for this demo too; it is not written down.
    written = Config { compiler, ..Config::load(data)? };
    let app = App::open(data, written, None).await?;
    let tenant = session::tenant(&app, TENANT).await?;

    steps
        .run("people", async {
            let people = users(&app, &tenant, simulation).await?;
            app.accounts().put_rules(&tenant, TenantRules { self_approval: true }).await?;
            Ok((
                (),
                format!("{people} built-in users in the tenant {TENANT}, who may approve what they ask for themselves"),
            ))
        })
        .await?;
    steps
        .run("connectors", async {
            let mut names = Vec::new();
            for file in connectors {
                let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                // Built here, from this repository: nobody signs them, and whoever runs the demo vouches for them.
                let installed = app.runtime().install_as_host(bytes, Word::UNSIGNED).await?.installed;
                names.push(format!("{} {}", installed.connector, installed.version));
            }
            Ok(((), format!("installed {}", names.join(" and "))))
        })
        .await?;
    let made = steps
        .run("connections", async {
            let drive = connect(&app, &tenant, DRIVE, Provider::Google, "Google Drive", simulation).await?;
            let trello = connect(&app, &tenant, TRELLO, Provider::Trello, "Trello", simulation).await?;
            Ok((
                vec![drive, trello],
                format!("Google Drive and Trello, as {CONNECTOR_ACCOUNT}; reads granted, writes ask"),
            ))
        })
        .await?;
    let documents = steps
        .run("sync", async {
            let mut documents = 0;
            let mut unfinished = Vec::new();
            for connection in &made {
                let report = syncs::sync(&app, &tenant, connection, true).await?;
                documents += report.streams.iter().map(|stream| stream.documents).sum::<u64>();
                unfinished.extend(report.streams.into_iter().filter_map(|stream| stream.unfinished()));
            }
            anyhow::ensure!(unfinished.is_empty(), "not everything was read in: {}", unfinished.join("; "));
            Ok((documents, format!("{documents} documents read in, cut into chunks and embedded")))
        })
        .await?;
    steps
        .run("identities", async {
            let mapped = map_people(&app, &tenant, &made[1], simulation).await?;
            Ok(((), format!("{mapped} Trello members are tied to people by an admin, since Trello tells no addresses")))
        })
        .await?;
    Ok(Seeded { data: data.to_owned(), tenant, documents })
}

/// What an admin would do at `sallyport people map`: goes through Trello's members and says by their names who they are.
async fn map_people(
    app: &App,
    tenant: &TenantId,
    trello: &ConnectionId,
    simulation: &Simulation,
) -> anyhow::Result<usize> {
    let directory = simulation.directory();
    let accounts = app.accounts();
    let by = session::operator(tenant).subject;
    let mut mapped = 0;
    for member in accounts.provider_users(tenant, trello).await? {
        let known = directory.people().find(|person| member.name.as_ref() == Some(&person.name));
        if let (Some(person), None) = (known, &member.email) {
            accounts.tie(tenant, trello, &member.user, &person.email, &by).await?;
            mapped += 1;
        }
    }
    Ok(mapped)
}

async fn users(app: &App, tenant: &TenantId, simulation: &Simulation) -> anyhow::Result<usize> {
    let directory = simulation.directory();
    let mut count = 0;
    for person in directory.people() {
        let email = person.email.to_lowercase();
        if email == CONNECTOR_ACCOUNT {
            continue;
        }
        let mut roles = vec![Role::Member, Role::Approver];
        // Operations runs the assistant; the seeded Drive knows the same person as its administrator.
        roles.extend((email == "ines@larkfield.example").then_some(Role::Admin));
        let user = User {
            tenant: tenant.clone(),
            subject: SubjectId::new(email.split('@').next().unwrap_or(&email)),
            name: person.name.clone(),
            emails: vec![email],
            roles,
        };
        app.accounts().put_user(&user).await?;
        count += 1;
    }
    Ok(count)
}

async fn connect(
    app: &App,
    tenant: &TenantId,
    connector: &str,
    provider: Provider,
    name: &str,
    simulation: &Simulation,
) -> anyhow::Result<ConnectionId> {
    let connector = ConnectorId::new(connector)?;
    let state = simulation.state();
    let issuer = &state["oauth"][if provider == Provider::Google { "google" } else { "trello" }];
    let client = json!({
        "client_id": issuer["client_id"], "client_secret": issuer["client_secret"], "key": state["oauth"]["trello_key"],
    });
    register(app, tenant, &connector, &client.to_string()).await?;
    let tokens: IssuedTokens = simulation.token_for(provider, CONNECTOR_ACCOUNT, TOKEN_LIFE);
    let secret = NewSecret {
        access: Secret::new(tokens.access_token),
        refresh: Some(Secret::new(tokens.refresh_token)),
        expires_in: Some(tokens.expires_in),
        scopes: tokens.scope.split(' ').map(Into::into).collect(),
    };
    let every = grants::every(app, &connector).await?;
    let connect = Connect {
        connector,
        auth: Some("oauth".into()),
        owner: Owner::Workspace,
        name: Some(name.into()),
        secrets: BTreeMap::from([(SlotName::new("user")?, secret)]),
        capabilities: Some(every),
        constraints: Constraints::default(),
        settings: BTreeMap::new(),
        audience: Vec::new(),
    };
    Ok(app.runtime().connect(&session::operator(tenant), connect).await?.id)
}
