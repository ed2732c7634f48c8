//! `/v1/connections/link`: connecting by consent. The caller asks for a link, whoever is to consent follows it, and how
//! far they have come can be asked here or is told at `/v1/events`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use sallyport::connection::{Constraints, Owner};
use sallyport::consent::AskLink;
use sallyport::credentials::Revoked;
use sallyport::ids::{ConnectionId, ConnectorId, LinkId};
use sallyport::ports::{Directory as _, LinkStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connections::{self, ConnectionView};
use super::error::{ApiError, ErrorBody};
use crate::app::App;
use crate::auth::SignedIn;
use crate::origin::PublicUrl;

/// What a link is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// The installed connector; not needed with `connection`.
    connector: Option<String>,
    /// A connection that is to be connected again, or granted more. It keeps its documents, and what it was granted.
    connection: Option<String>,
    /// The manifest's way of connecting; its first unless said.
    auth: Option<String>,
    /// `me` or `workspace` (admins); as the connector's manifest has it unless said.
    owner: Option<String>,
    /// A name; the account's unless said.
    name: Option<String>,
    /// Capabilities that are to be granted; those that read unless said. Writes are granted as `ask`.
    capabilities: Option<Vec<String>>,
    /// What bounds all of it, as in a grant.
    #[serde(default)]
    constraints: Vec<String>,
    /// Values of the manifest's settings.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// Who may read what the service has no access lists for: addresses or `domain:x`; the owner unless said.
    #[serde(default)]
    audience: Vec<String>,
    /// Where the person goes when all is done: an http or https URL.
    return_to: Option<String>,
}

/// A link.
#[derive(Serialize, ToSchema)]
pub struct LinkAnswer {
    /// By which its status is asked for. It does not open the page.
    id: String,
    /// To be followed by whoever is to consent, once, in a browser. Whoever has it can consent.
    url: String,
    /// Milliseconds since 1970, from which on it leads nowhere.
    expires: u64,
}

/// How far a link has come.
#[derive(Serialize, ToSchema)]
pub struct LinkView {
    id: String,
    /// `waiting`, `consenting`, `connected`, `declined`, `failed` (it can be tried again) or `expired`.
    status: &'static str,
    /// The connection, once there is one.
    connection: Option<String>,
    /// Why it failed: stable, for programs.
    code: Option<String>,
    /// Why it failed, for people.
    message: Option<String>,
    /// Milliseconds since 1970.
    expires: u64,
}

/// What became of a connection's secrets at its provider.
#[derive(Serialize, ToSchema)]
pub struct Disconnected {
    /// Whether the provider takes them no more, as far as it was to be told. Here they are gone in each case.
    revoked: bool,
    /// Why the provider could not be told, where it could not: the access is to be removed there.
    reason: Option<String>,
}

/// Makes a link by which somebody consents to a connection, to an old one anew, or to more for it.
#[utoipa::path(post, path = "/v1/connections/link", tag = "connections", request_body = LinkBody,
    responses((status = 201, body = LinkAnswer), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, description = "a choice that there is not, or no client is registered at the provider",
            body = ErrorBody)))]
pub async fn create(
    State(app): State<App>,
    who: SignedIn,
    PublicUrl(base): PublicUrl,
    body: Result<Json<LinkBody>, JsonRejection>,
) -> Result<(StatusCode, Json<LinkAnswer>), ApiError> {
    let Json(body) = body?;
    let connection = match &body.connection {
        None => None,
        Some(id) => Some(app.store().connection(&who.caller.tenant, &ConnectionId::new(id.as_str())).await?),
    };
    let connector = match (&connection, &body.connector) {
        (Some(connection), _) => connection.connector.clone(),
        (None, Some(id)) => ConnectorId::new(id).map_err(|error| ApiError::invalid(error.to_string()))?,
        (None, None) => return Err(ApiError::invalid("name a `connector`, or a `connection` to connect again")),
    };
    let owner = match body.owner.as_deref() {
        None => None,
        Some("me") => Some(Owner::Person(who.caller.subject.clone())),
        Some("workspace") => Some(Owner::Workspace),
        Some(other) => return Err(ApiError::invalid(format!("`owner` is {other:?}: use me or workspace"))),
    };
    if let Some(url) = &body.return_to {
        let web = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !web {
            return Err(ApiError::invalid("`return_to` is where a browser goes: an http or https URL"));
        }
    }
    let capabilities = match &body.capabilities {
        None => None,
        Some(chosen) => Some(crate::grants::chosen(&app, &connector, chosen).await?),
    };
    let constraints = Constraints::parse(body.constraints.iter().map(String::as_str));
    let ask = AskLink {
        connector,
        auth: body.auth,
        owner,
        name: body.name,
        capabilities,
        constraints: constraints.map_err(|error| ApiError::invalid(error.to_string()))?,
        settings: body.settings,
        audience: body.audience,
        connection: connection.map(|connection| connection.id),
        return_to: body.return_to,
    };
    let link = app.runtime().link(&who.caller, ask).await.map_err(|error| ApiError::from_fault(&error))?;
    let url = crate::consent::url(&base, link.token.expose()).to_string();
    Ok((StatusCode::CREATED, Json(LinkAnswer { id: link.id.to_string(), url, expires: link.expires.0 })))
}

/// How far a link has come.
#[utoipa::path(get, path = "/v1/connections/link/{id}", tag = "connections", params(("id" = String, Path)),
    responses((status = 200, body = LinkView), (status = 404, body = ErrorBody)))]
pub async fn status(State(app): State<App>, who: SignedIn, Path(id): Path<String>) -> Result<Json<LinkView>, ApiError> {
    let link = app.runtime().link_status(&who.caller, &LinkId::new(id.as_str())).await;
    let link = link.map_err(|error| match error {
        sallyport::consent::ConsentError::Gone => ApiError::not_found(format!("link {id}")),
        other => ApiError::from_fault(&other),
    })?;
    let expired = link.expires.0 < crate::syncs::now();
    let (mut connection, mut code, mut message) = (None, None, None);
    let status = match link.status {
        LinkStatus::Connected { connection: made } => {
            connection = Some(made.to_string());
            "connected"
        }
        LinkStatus::Declined => "declined",
        _ if expired => "expired",
        LinkStatus::Failed { code: own, message: words } => {
            (code, message) = (Some(own), Some(words));
            "failed"
        }
        LinkStatus::Waiting => "waiting",
        LinkStatus::Consenting => "consenting",
    };
    Ok(Json(LinkView { id, status, connection, code, message, expires: link.expires.0 }))
}

/// Takes a connection's secrets back at its provider and forgets them. Documents, cursors and grant stay for whoever
/// connects it again.
#[utoipa::path(post, path = "/v1/connections/{id}/disconnect", tag = "connections", params(("id" = String, Path)),
    responses((status = 200, body = Disconnected), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn disconnect(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Disconnected>, ApiError> {
    let connection = connections::find_own(&app, &who.caller, &id).await?;
    let revoked = app.runtime().disconnect(&who.caller, &connection.id).await;
    let revoked = revoked.map_err(|error| ApiError::from_fault(&error))?;
    let reason = match revoked {
        Revoked::NotTold(why) => Some(why),
        Revoked::AtProvider | Revoked::NothingToTell => None,
    };
    Ok(Json(Disconnected { revoked: reason.is_none(), reason }))
}

/// Asks the service now whose account this is, and says how the connection stands since.
#[utoipa::path(post, path = "/v1/connections/{id}/check", tag = "connections", params(("id" = String, Path)),
    responses((status = 200, body = ConnectionView), (status = 404, body = ErrorBody)))]
pub async fn check(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<ConnectionView>, ApiError> {
    let connection = connections::find_own(&app, &who.caller, &id).await?;
    let checked = app.runtime().check(&connection.tenant, &connection.id).await?;
    Ok(Json(connections::view(&app, checked).await?))
}
