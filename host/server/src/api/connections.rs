//! `/v1/connections`: accounts that are connected, and what they are granted.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use sallyport::connection::{self, Connection, Constraints, Owner, Setting};
use sallyport::credentials::NewSecret;
use sallyport::ids::{CapabilityId, ConnectionId, ConnectorId, SlotName};
use sallyport::invoke::Connect;
use sallyport::keys::Secret;
use sallyport::ports::{Catalog as _, Directory as _};
use sallyport::{Caller, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use crate::app::App;
use crate::auth::SignedIn;
use crate::syncs::SyncStatus;

/// A connection.
#[derive(Serialize, ToSchema)]
pub struct ConnectionView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The connector.
    pub connector: String,
    /// `workspace` or `person`.
    pub owner: String,
    /// The account at the service.
    pub account_name: String,
    /// `active`, `degraded`, `needs-reauth`, `revoked` or `flagged`.
    #[schema(value_type = String)]
    pub state: connection::ConnectionState,
    /// Why, for a person who can do something about it; absent while it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Milliseconds since 1970 at which the service last said whose account it is.
    pub checked: Option<u64>,
    /// What is granted.
    pub granted: Vec<Granted>,
    /// How its sync stands; absent where the connector reads nothing in.
    pub sync: Option<SyncView>,
}

/// A granted capability.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// The capability.
    pub id: String,
    /// `auto`, `ask` or `deny`. Writes without `auto` always ask.
    #[schema(value_type = String)]
    pub setting: Setting,
}

/// How a sync stands.
#[derive(Serialize, ToSchema)]
pub struct SyncView {
    /// The sync of this process.
    #[serde(flatten)]
    pub status: SyncStatus,
    /// Documents of this connection that are kept now.
    pub documents_total: u64,
}

/// Connections.
#[derive(Serialize, ToSchema)]
pub struct Connections {
    connections: Vec<ConnectionView>,
}

/// What a connection is made of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectBody {
    /// The installed connector.
    connector: String,
    /// The manifest's way; the first that fits unless said.
    auth: Option<String>,
    /// A name; the account's unless said.
    name: Option<String>,
    /// `me` or `workspace` (admins).
    owner: String,
    /// The secret. It is sealed before anything else happens, and nothing ever gives it back.
    token: String,
    /// The slot that it is for; `user` unless said.
    slot: Option<String>,
    /// A refresh token, where there is one.
    refresh_token: Option<String>,
    /// Seconds for which the secret is good, where that is known.
    expires_in: Option<u64>,
    /// Capabilities that are granted; those that read unless said. Writes are granted as `ask`.
    capabilities: Option<Vec<String>>,
}

/// A grant.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    /// What is granted. What is not here is denied.
    capabilities: Vec<Granted>,
    /// What bounds all of it: `containers=ID,ID`, `audience<=WHO`, `writes<=N/day`, `until=DATE`. Left out: those of before
    /// stay; empty: none.
    constraints: Option<Vec<String>>,
}

/// Whether a caller may see a connection: their own, the workspace's, or all for an admin.
fn sees(caller: &Caller, connection: &Connection) -> bool {
    match &connection.owner {
        Owner::Workspace => true,
        Owner::Person(subject) => *subject == caller.subject || caller.is(Role::Admin),
    }
}

/// Whether a caller may change a connection.
fn owns(caller: &Caller, connection: &Connection) -> bool {
    caller.is(Role::Admin) || connection.owner == Owner::Person(caller.subject.clone())
}

/// The connection with this id, if the caller may see it.
///
/// # Errors
/// Not found.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<Connection, ApiError> {
    let connection = app.store().connection(&caller.tenant, &ConnectionId::new(id)).await?;
    if sees(caller, &connection) { Ok(connection) } else { Err(ApiError::not_found(format!("connection {id}"))) }
}

/// As [`find`], and the caller may change it.
///
/// # Errors
/// Not found, forbidden.
pub async fn find_own(app: &App, caller: &Caller, id: &str) -> Result<Connection, ApiError> {
    let connection = find(app, caller, id).await?;
    if owns(caller, &connection) {
        Ok(connection)
    } else {
        Err(ApiError::forbidden("an admin changes the workspace's connections, and each person their own"))
    }
}

pub(super) async fn view(app: &App, connection: Connection) -> Result<ConnectionView, ApiError> {
    let grant = app.store().grant(&connection.tenant, &connection.id).await?;
    let granted = grant.map(|grant| grant.capabilities).unwrap_or_default();
    let digest = app.store().live(&connection.connector).await?.digest;
    let syncs = super::connectors::manifest(app, &digest).await?.sync.is_some();
    let sync = if syncs {
        let documents_total = app.store().documents_of(&connection.tenant, &connection.id).await?;
        Some(SyncView { status: app.syncs().status(&connection.id), documents_total })
    } else {
        None
    };
    Ok(ConnectionView {
        id: connection.id.to_string(),
        name: connection.name,
        connector: connection.connector.to_string(),
        owner: if connection.owner == Owner::Workspace { "workspace" } else { "person" }.into(),
        account_name: connection.account_name,
        state: connection.state,
        reason: connection.reason,
        checked: connection.checked.map(|at| at.0),
        granted: granted.into_iter().map(|(id, setting)| Granted { id: id.to_string(), setting }).collect(),
        sync,
    })
}

/// Lists the workspace's connections and the caller's own; all for an admin.
#[utoipa::path(get, path = "/v1/connections", tag = "connections",
    responses((status = 200, body = Connections), (status = 401, body = super::error::ErrorBody)))]
pub async fn list(State(app): State<App>, who: SignedIn) -> Result<Json<Connections>, ApiError> {
    let mut connections = Vec::new();
    for connection in app.store().connections(&who.caller.tenant).await? {
        if sees(&who.caller, &connection) {
            connections.push(view(&app, connection).await?);
        }
    }
    Ok(Json(Connections { connections }))
}

/// One connection.
#[utoipa::path(get, path = "/v1/connections/{id}", tag = "connections", params(("id" = String, Path)),
    responses((status = 200, body = ConnectionView), (status = 404, body = super::error::ErrorBody)))]
pub async fn show(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<ConnectionView>, ApiError> {
    let connection = find(&app, &who.caller, &id).await?;
    Ok(Json(view(&app, connection).await?))
}

/// Makes a connection: seals the secret, asks the service whose account it is, keeps it.
#[utoipa::path(post, path = "/v1/connections", tag = "connections", request_body = ConnectBody,
    responses((status = 201, body = ConnectionView), (status = 422, body = super::error::ErrorBody),
        (status = 502, description = "the service refuses the secret", body = super::error::ErrorBody)))]
pub async fn create(
    State(app): State<App>,
    who: SignedIn,
    body: Result<Json<ConnectBody>, JsonRejection>,
) -> Result<(StatusCode, Json<ConnectionView>), ApiError> {
    let Json(body) = body?;
    let bad = |error: sallyport_pack::ids::BadName| ApiError::invalid(error.to_string());
    let owner = match body.owner.as_str() {
        "me" => Owner::Person(who.caller.subject.clone()),
        "workspace" => Owner::Workspace,
        other => return Err(ApiError::invalid(format!("`owner` is {other:?}: use me or workspace"))),
    };
    let connector = ConnectorId::new(&body.connector).map_err(bad)?;
    let secret = NewSecret {
        access: Secret::new(body.token),
        refresh: body.refresh_token.map(Secret::new),
        expires_in: body.expires_in,
        scopes: Vec::new(),
    };
    let slot = SlotName::new(body.slot.as_deref().unwrap_or("user")).map_err(bad)?;
    let capabilities = match body.capabilities {
        None => None,
        Some(chosen) => Some(crate::grants::chosen(&app, &connector, &chosen).await?),
    };
    let connect = Connect {
        connector,
        auth: body.auth,
        owner,
        name: body.name,
        secrets: BTreeMap::from([(slot, secret)]),
        capabilities,
        constraints: Constraints::default(),
        settings: BTreeMap::new(),
        audience: Vec::new(),
    };
    let connection = app.runtime().connect(&who.caller, connect).await?;
    Ok((StatusCode::CREATED, Json(view(&app, connection).await?)))
}

/// Removes a connection with its secrets, which are taken back at the service, its grant, and what it alone attested.
#[utoipa::path(delete, path = "/v1/connections/{id}", tag = "connections", params(("id" = String, Path)),
    responses((status = 204), (status = 403, body = super::error::ErrorBody), (status = 404, body = super::error::ErrorBody)))]
pub async fn remove(State(app): State<App>, who: SignedIn, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let connection = find_own(&app, &who.caller, &id).await?;
    app.runtime().remove(&who.caller, &connection.id).await.map_err(|error| ApiError::from_fault(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a connection is granted.
#[utoipa::path(get, path = "/v1/connections/{id}/grant", tag = "connections", params(("id" = String, Path)),
    responses((status = 200, body = GrantBody), (status = 404, body = super::error::ErrorBody)))]
pub async fn grant(State(app): State<App>, who: SignedIn, Path(id): Path<String>) -> Result<Json<GrantBody>, ApiError> {
    let connection = find(&app, &who.caller, &id).await?;
    let constraints = crate::grants::constraints(&app, &connection).await?;
    let constraints = constraints.all().iter().map(ToString::to_string).collect();
    let view = view(&app, connection).await?;
    Ok(Json(GrantBody { capabilities: view.granted, constraints: Some(constraints) }))
}

/// Replaces what a connection is granted.
#[utoipa::path(put, path = "/v1/connections/{id}/grant", tag = "connections", params(("id" = String, Path)),
    request_body = GrantBody,
    responses((status = 200, body = GrantBody), (status = 403, body = super::error::ErrorBody),
        (status = 422, body = super::error::ErrorBody)))]
pub async fn set_grant(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<GrantBody>, JsonRejection>,
) -> Result<Json<GrantBody>, ApiError> {
    let Json(body) = body?;
    let connection = find_own(&app, &who.caller, &id).await?;
    let mut capabilities = BTreeMap::new();
    for granted in body.capabilities {
        let id = CapabilityId::new(&granted.id).map_err(|error| ApiError::invalid(error.to_string()))?;
        capabilities.insert(id, granted.setting);
    }
    let constraints = body.constraints.map(|texts| Constraints::parse(texts.iter().map(String::as_str)));
    let constraints = constraints.transpose().map_err(|error| ApiError::invalid(error.to_string()))?;
    crate::grants::replace(&app, &who.caller, &connection, capabilities, constraints).await?;
    grant(State(app), who, Path(id)).await
}
