//! `/healthz`, `/readyz`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::app::App;

/// How it is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`; anything else is an error.
    status: &'static str,
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = Health)))]
pub async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The process can answer: its store can be read.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, body = Health), (status = 500, body = super::error::ErrorBody)))]
pub async fn ready(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.check_store().await?;
    Ok(Json(Health { status: "ok" }))
}
