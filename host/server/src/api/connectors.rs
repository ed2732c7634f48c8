//! `/v1/connectors`: what is installed, and installing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use sallyport::ids::{ConnectorId, Digest};
use sallyport::ports::Catalog as _;
use sallyport_pack::manifest::{Access, AuthMethod, Manifest};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::who::Admin;
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
        AuthMethod::OAuth2Code(_) => "OAuth access token",
        AuthMethod::ServiceAccount => "Service account",
        _ => "Token",
    }
}

/// Lists installed connectors.
#[utoipa::path(get, path = "/v1/connectors", tag = "connectors",
    responses((status = 200, body = Connectors), (status = 401, body = super::error::ErrorBody)))]
pub async fn list(State(app): State<App>, _who: SignedIn) -> Result<Json<Connectors>, ApiError> {
    Ok(Json(Connectors { connectors: Connector::all(&app).await? }))
}

/// Installs a connector file. Nothing in it is run; it is live for calls that begin after this.
#[utoipa::path(post, path = "/v1/connectors", tag = "connectors",
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = Connector), (status = 403, body = super::error::ErrorBody),
        (status = 502, description = "the file is no connector", body = super::error::ErrorBody)))]
pub async fn install(State(app): State<App>, Admin(who): Admin, body: Bytes) -> Result<Json<Connector>, ApiError> {
    let installed = app.runtime().install(&who.caller, body.to_vec()).await?;
    Ok(Json(Connector::of(&app, &installed.connector).await?))
}
