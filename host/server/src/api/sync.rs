//! `/v1/connections/{id}/sync`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::connections::{find, find_own};
use super::error::ApiError;
use crate::app::App;
use crate::auth::SignedIn;
use crate::syncs::{self, SyncStatus};

/// How the connection's sync stands.
#[utoipa::path(get, path = "/v1/connections/{id}/sync", tag = "sync", params(("id" = String, Path)),
    responses((status = 200, body = SyncStatus), (status = 404, body = super::error::ErrorBody)))]
pub async fn status(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<SyncStatus>, ApiError> {
    let connection = find(&app, &who.caller, &id).await?;
    Ok(Json(app.syncs().status(&connection.id)))
}

/// Begins a sync, unless one runs; it goes on after the answer.
#[utoipa::path(post, path = "/v1/connections/{id}/sync", tag = "sync", params(("id" = String, Path)),
    responses((status = 202, body = SyncStatus), (status = 403, body = super::error::ErrorBody),
        (status = 404, body = super::error::ErrorBody)))]
pub async fn start(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<SyncStatus>), ApiError> {
    let connection = find_own(&app, &who.caller, &id).await?;
    let running = app.clone();
    let (tenant, id) = (connection.tenant.clone(), connection.id.clone());
    tokio::spawn(async move {
        match syncs::sync(&running, &tenant, &id, false).await {
            Ok(_) | Err(crate::error::HostError::SyncRuns) => {}
            Err(error) => tracing::warn!(connection = %id, %error, "a sync failed"),
        }
    });
    tokio::task::yield_now().await;
    Ok((StatusCode::ACCEPTED, Json(app.syncs().status(&connection.id))))
}
