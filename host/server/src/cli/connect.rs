//! `sallyport connect`: connections by consent in a browser, or from secrets that are given by file or stdin.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sallyport::Caller;
use sallyport::connection::{Connection, Constraints, Owner};
use sallyport::credentials::{NewSecret, Revoked};
use sallyport::ids::{ConnectorId, SlotName, TenantId};
use sallyport::invoke::Connect;
use sallyport::keys::Secret;
use sallyport::ports::Directory as _;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Global, session};
use crate::app::App;
use crate::grants;
use crate::output::{self, Rows};

/// What to connect. The secret is never an argument: it comes from `--secret FILE`, from stdin, or from a prompt.
#[derive(Debug, Args)]
pub struct Options {
    /// The installed connector.
    #[arg(required_unless_present_any = ["list", "remove", "again", "disconnect"])]
    pub(super) connector: Option<String>,
    /// Print a link by which somebody consents in a browser, and wait for them; a host has to be serving the same data.
    #[arg(long, conflicts_with = "secret")]
    link: bool,
    /// Connect this connection again, or with --grant for more, by a link: it keeps its documents and what it was granted.
    #[arg(long, value_name = "CONNECTION", conflicts_with_all = ["connector", "secret"])]
    pub(super) again: Option<String>,
    /// Take this connection's secrets back at the service; its documents stay for whoever connects it again.
    #[arg(long, value_name = "CONNECTION", conflicts_with = "connector")]
    disconnect: Option<String>,
    /// A name for people.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Who is to own it: `workspace`, or a person's e-mail address.
    #[arg(long, default_value = "workspace")]
    pub(super) owner: String,
    /// The manifest's way of connecting.
    #[arg(long)]
    pub(super) auth: Option<String>,
    /// File with the secret: the token alone, or JSON `{"access_token", "refresh_token", "expires_in", "scope"}`.
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// The slot that the secret is for.
    #[arg(long, default_value = "user")]
    slot: String,
    /// File with the registered client's fields at the provider, as JSON `{"client_id", "client_secret", …}`. Needed to
    /// refresh tokens; kept for every connection of the tenant at that provider.
    #[arg(long, value_name = "FILE")]
    pub(super) client: Option<PathBuf>,
    /// Capabilities to grant; those that read unless said. Writes always ask.
    #[arg(long = "grant", value_name = "CAPABILITY")]
    pub(super) grants: Vec<String>,
    /// Whom documents without an access list of their own are for: e-mail addresses or `domain:x`.
    #[arg(long, value_name = "WHO")]
    pub(super) audience: Vec<String>,
    /// Values of the connector's settings, as KEY=VALUE.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) settings: Vec<String>,
    /// List connections.
    #[arg(long, conflicts_with = "connector")]
    list: bool,
    /// Remove a connection with what it alone attested; its secrets are taken back at the service.
    #[arg(long, value_name = "CONNECTION", conflicts_with = "connector")]
    remove: Option<String>,
}

/// A token endpoint's answer, or what is needed of it. No `Debug`.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
    #[serde(default)]
    scope: String,
}

impl Rows for Connection {
    fn header() -> &'static [&'static str] {
        &["id", "name", "connector", "owner", "account", "state"]
    }

    fn row(&self) -> Vec<String> {
        let owner = match &self.owner {
            Owner::Workspace => "workspace".into(),
            Owner::Person(subject) => subject.to_string(),
        };
        let state = match (serde_json::to_value(self.state), &self.reason) {
            (Ok(serde_json::Value::String(state)), Some(reason)) => format!("{state}: {reason}"),
            (Ok(serde_json::Value::String(state)), None) => state,
            _ => String::new(),
        };
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.connector.to_string(),
            owner,
            self.account_name.clone(),
            state,
        ]
    }
}

/// Runs the command.
///
/// # Errors
/// Whatever it could not do, in words that say what to do about it.
pub async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    if let Some(named) = &options.remove {
        let connection = session::connection(&app, &tenant, named).await?;
        let revoked = app.runtime().remove(&session::operator(&tenant), &connection.id).await?;
        output::progress(&format!("{} is removed{}", connection.name, told(&revoked)));
        return Ok(());
    }
    if let Some(named) = &options.disconnect {
        let connection = session::connection(&app, &tenant, named).await?;
        let revoked = app.runtime().disconnect(&session::operator(&tenant), &connection.id).await?;
        output::progress(&format!("{} is disconnected{}", connection.name, told(&revoked)));
        return Ok(());
    }
    if options.list {
        output::list(global.output, &app.store().connections(&tenant).await?)?;
        return Ok(());
    }
    let connection = if options.link || options.again.is_some() {
        super::consent::connect(global, &app, &tenant, options).await?
    } else {
        connect(&app, &tenant, options).await?
    };
    output::list(global.output, &[connection])?;
    Ok(())
}

fn told(revoked: &Revoked) -> String {
    match revoked {
        Revoked::AtProvider => ", and the service takes its secrets no more".into(),
        Revoked::NothingToTell => String::new(),
        Revoked::NotTold(why) => format!("; the service could not be told, remove the access there ({why})"),
    }
}

async fn connect(app: &App, tenant: &TenantId, options: Options) -> anyhow::Result<Connection> {
    let connector = ConnectorId::new(options.connector.as_deref().unwrap_or_default())?;
    let (caller, owner) = owner(app, tenant, &options.owner).await?;
    client(app, tenant, &connector, options.client.as_deref()).await?;
    let given = parse(&read(options.secret.as_deref())?)?;
    let settings = settings(&options.settings)?;
    let capabilities = match options.grants.as_slice() {
        [] => None,
        chosen => Some(grants::chosen(app, &connector, chosen).await?),
    };
    let connect = Connect {
        connector,
        auth: options.auth,
        owner,
        name: options.name,
        secrets: BTreeMap::from([(SlotName::new(&options.slot)?, given)]),
        capabilities,
        constraints: Constraints::default(),
        settings,
        audience: options.audience,
    };
    Ok(app.runtime().connect(&caller, connect).await?)
}

/// Who is to own the connection, and who connects it then.
pub(super) async fn owner(app: &App, tenant: &TenantId, named: &str) -> anyhow::Result<(Caller, Owner)> {
    if named == "workspace" {
        return Ok((session::operator(tenant), Owner::Workspace));
    }
    let caller = session::by_email(app, tenant, named).await?;
    let owner = Owner::Person(caller.subject.clone());
    Ok((caller, owner))
}

/// Registers the client of that file, if there is one.
pub(super) async fn client(
    app: &App,
    tenant: &TenantId,
    connector: &ConnectorId,
    file: Option<&std::path::Path>,
) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let text =
        Zeroizing::new(std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?);
    register(app, tenant, connector, &text).await.with_context(|| file.display().to_string())
}

/// `KEY=VALUE`s.
pub(super) fn settings(pairs: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let pair = |pair: &String| {
        let (key, value) = pair.split_once('=').with_context(|| format!("--set {pair}: write KEY=VALUE"))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    pairs.iter().map(pair).collect()
}

/// Registers the client fields of the connector's provider for the tenant.
///
/// # Errors
/// It is no JSON object of strings; the connector is not installed.
pub async fn register(app: &App, tenant: &TenantId, connector: &ConnectorId, json: &str) -> anyhow::Result<()> {
    use sallyport::ports::Catalog as _;
    let fields: BTreeMap<String, String> =
        serde_json::from_str(json).context("want a JSON object of strings: client_id, client_secret, …")?;
    let fields = fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    let digest = app.store().live(connector).await?.digest;
    let provider = crate::api::connectors::manifest(app, &digest).await?.connector.provider;
    app.runtime().credentials().put_client(Some(tenant), provider.as_str(), fields).await?;
    Ok(())
}

fn read(file: Option<&std::path::Path>) -> anyhow::Result<Zeroizing<String>> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None if std::io::stdin().is_terminal() => rpassword::prompt_password("Secret: ")?,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read the secret from stdin")?;
            text
        }
    };
    anyhow::ensure!(
        !text.trim().is_empty(),
        "the secret is empty: give it by --secret FILE, on stdin, or at the prompt"
    );
    Ok(Zeroizing::new(text))
}

fn parse(text: &str) -> anyhow::Result<NewSecret> {
    let text = text.trim();
    if !text.starts_with('{') {
        return Ok(NewSecret { access: Secret::new(text), refresh: None, expires_in: None, scopes: Vec::new() });
    }
    let given: Given = serde_json::from_str(text).map_err(|error| {
        anyhow::anyhow!("the secret begins like JSON and is none of the expected form (line {})", error.line())
    })?;
    Ok(NewSecret {
        access: Secret::new(given.access_token),
        refresh: given.refresh_token.map(Secret::new),
        expires_in: given.expires_in,
        scopes: given.scope.split([' ', ',']).filter(|scope| !scope.is_empty()).map(Into::into).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_token_alone_or_a_token_endpoints_answer() {
        let alone = parse(" abc\n").unwrap();
        assert_eq!(alone.access.expose(), "abc");
        let answer =
            parse(r#"{"access_token":"a","refresh_token":"r","expires_in":3600,"scope":"x y","token_type":"Bearer"}"#)
                .unwrap();
        assert_eq!(answer.refresh.unwrap().expose(), "r");
        assert_eq!(answer.scopes, ["x", "y"]);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let error = parse(r#"{"token":"very-secret"}"#).err().unwrap().to_string();
        assert!(!error.contains("very-secret"), "{error}");
    }
}
