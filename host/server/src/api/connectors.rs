//! `/v1/connectors`: what is installed, installing, and consent to a wider version.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use sallyport::admission::{self, Word};
use sallyport::ids::{ConnectorId, Digest};
use sallyport::ports::Catalog as _;
use sallyport_pack::diff::Change;
use sallyport_pack::manifest::{Access, AuthMethod, Manifest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::ApiError;
use super::who::Installer;
use crate::app::App;
use crate::auth::SignedIn;
use crate::error::HostError;

/// An installed connector.
#[derive(Serialize, ToSchema)]
pub struct Connector {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the file.
    pub digest: String,
    /// Whose signature the file bears: a public key, in hex. Null: nobody's, and an operator vouched for it.
    pub publisher: Option<String>,
    /// Bytes of the file.
    pub size: u64,
    /// Ways to connect an account.
    pub auth: Vec<Way>,
    /// What it may be granted.
    pub capabilities: Vec<Capability>,
    /// What it can do when asked.
    pub tools: Vec<String>,
    /// Whether it reads documents in.
    pub syncs: bool,
    /// A version that may do more, and waits for consent.
    pub waiting: Option<Waiting>,
}

/// A version that waits for consent.
#[derive(Serialize, ToSchema)]
pub struct Waiting {
    /// Its version.
    pub version: String,
    /// SHA-256 of its file: what is approved.
    pub digest: String,
    /// Whose signature it bears.
    pub publisher: Option<String>,
    /// How it differs from the live version.
    pub changes: Vec<Difference>,
}

/// One difference between two versions.
#[derive(Serialize, ToSchema)]
pub struct Difference {
    /// Whether it goes beyond what was consented to.
    pub wider: bool,
    /// For people; begins with `+`, `-` or `~`.
    pub line: String,
}

/// What an operator vouches for when a file is installed.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Vouched {
    /// Take a file that nobody signed.
    unsigned: bool,
    /// Let the connector have another publisher than it was installed under.
    new_publisher: bool,
}

/// Consent to a version that waits.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionApproval {
    /// `waiting.digest` of what was shown: if another version waits by now, nothing is changed.
    digest: String,
}

/// A way to connect an account.
#[derive(Serialize, ToSchema)]
pub struct Way {
    /// Its id in the manifest.
    pub id: String,
    /// For people.
    pub label: String,
}

/// A capability.
#[derive(Serialize, ToSchema)]
pub struct Capability {
    /// Its id.
    pub id: String,
    /// `read`, `write` or `subscribe`.
    pub access: String,
    /// For people.
    pub summary: String,
}

/// Installed connectors.
#[derive(Serialize, ToSchema)]
pub struct Connectors {
    connectors: Vec<Connector>,
}

impl Connector {
    /// Reads the sealed manifest of an installed connector.
    ///
    /// # Errors
    /// The store's; the stored file is damaged.
    pub async fn of(app: &App, id: &ConnectorId) -> Result<Self, HostError> {
        let installed = app.store().live(id).await?;
        let manifest = manifest(app, &installed.digest).await?;
        Ok(Self {
            id: installed.connector.to_string(),
            name: manifest.connector.name.clone(),
            version: installed.version,
            digest: installed.digest.to_string(),
            publisher: installed.publisher.map(String::from),
            size: installed.size,
            auth: manifest
                .auth
                .iter()
                .map(|auth| Way { id: auth.id.to_string(), label: label(&auth.method).into() })
                .collect(),
            capabilities: manifest
                .capabilities
                .iter()
                .map(|capability| Capability {
                    id: capability.id.to_string(),
                    access: access(capability.access).into(),
                    summary: capability.summary.clone(),
                })
                .collect(),
            tools: manifest.tools.iter().map(|tool| tool.name.to_string()).collect(),
            syncs: manifest.sync.is_some(),
            waiting: app.runtime().waiting_version(id).await?.map(Waiting::from),
        })
    }

    /// Every installed connector.
    ///
    /// # Errors
    /// As [`Connector::of`].
    pub async fn all(app: &App) -> Result<Vec<Self>, HostError> {
        let mut connectors = Vec::new();
        for installed in app.store().list().await? {
            connectors.push(Self::of(app, &installed.connector).await?);
        }
        Ok(connectors)
    }
}

impl From<admission::Waiting> for Waiting {
    fn from(waiting: admission::Waiting) -> Self {
        let difference = |change: Change| Difference { wider: change.wider, line: change.line };
        Self {
            version: waiting.version.version,
            digest: waiting.version.digest.to_string(),
            publisher: waiting.version.publisher.map(String::from),
            changes: waiting.changes.into_iter().map(difference).collect(),
        }
    }
}

/// The sealed manifest of a stored file.
///
/// # Errors
/// The store's; the stored file is damaged.
pub async fn manifest(app: &App, digest: &Digest) -> Result<Manifest, HostError> {
    let bytes = app.store().bytes(digest).await?;
    let file = sallyport_pack::sealed::read(&bytes)
        .map_err(|error| sallyport::InvokeError::Component(format!("the stored file {digest}: {error}")))?;
    Ok(file.manifest)
}

/// `read`, `write`, `subscribe`.
#[must_use]
pub fn access(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::Subscribe => "subscribe",
    }
}

fn label(method: &AuthMethod) -> &'static str {
    match method {
        AuthMethod::OAuth2Code(_) => "Consent at the service",
        AuthMethod::TokenFragment { .. } => "Consent at the service, the older way",
        AuthMethod::ServiceAccount => "A service account's key",
        _ => "A token, pasted",
    }
}

/// Lists installed connectors.
#[utoipa::path(get, path = "/v1/connectors", tag = "connectors",
    responses((status = 200, body = Connectors), (status = 401, body = super::error::ErrorBody)))]
pub async fn list(State(app): State<App>, _who: SignedIn) -> Result<Json<Connectors>, ApiError> {
    Ok(Json(Connectors { connectors: Connector::all(&app).await? }))
}

/// Installs a connector file. Nothing in it is run; it is live for calls that begin after this, or waits for consent if it
/// may do more than the version before and anything is granted.
///
/// A connector is the whole host's. It takes a key of the operator's, or an admin in a host that has one tenant only.
#[utoipa::path(post, path = "/v1/connectors", tag = "connectors", params(Vouched),
    security(("operator" = []), ("caller" = [])),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = Connector), (status = 403, body = super::error::ErrorBody),
        (status = 422, description = "not signed, or by another publisher", body = super::error::ErrorBody),
        (status = 502, description = "the file is no connector", body = super::error::ErrorBody)))]
pub async fn install(
    State(app): State<App>,
    _: Installer,
    vouched: Result<Query<Vouched>, QueryRejection>,
    body: Bytes,
) -> Result<Json<Connector>, ApiError> {
    let Query(Vouched { unsigned, new_publisher }) = vouched.map_err(|error| ApiError::invalid(error.body_text()))?;
    let admitted = app.runtime().install_as_host(body.to_vec(), Word { unsigned, new_publisher }).await?;
    Ok(Json(Connector::of(&app, &admitted.installed.connector).await?))
}

/// Consents to the version that waits, which becomes live.
///
/// As for installing, it takes a key of the operator's, or an admin in a host that has one tenant only.
#[utoipa::path(post, path = "/v1/connectors/{id}/approve", tag = "connectors", request_body = VersionApproval,
    params(("id" = String, Path)), security(("operator" = []), ("caller" = [])),
    responses((status = 200, body = Connector), (status = 403, body = super::error::ErrorBody),
        (status = 404, description = "none waits", body = super::error::ErrorBody),
        (status = 409, description = "another version waits by now", body = super::error::ErrorBody)))]
pub async fn approve(
    State(app): State<App>,
    _: Installer,
    Path(id): Path<String>,
    body: Result<Json<VersionApproval>, JsonRejection>,
) -> Result<Json<Connector>, ApiError> {
    let Json(body) = body?;
    let id = ConnectorId::new(&id).map_err(|_| ApiError::not_found(format!("connector {id}")))?;
    let bad = || ApiError::invalid("`digest` is no SHA-256: send `waiting.digest` of the connector");
    let digest = Digest::parse(&body.digest).ok_or_else(bad)?;
    app.runtime().approve_version_as_host(&id, &digest).await?;
    Ok(Json(Connector::of(&app, &id).await?))
}
