//! `/v1/audit`: the tenant's chain, and recordings of what was done.

use axum::Json;
use axum::extract::{Path, Query, State};
use sallyport::audit::ChainName;
use sallyport::ids::InvocationId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorBody};
use super::who::Tenant;
use crate::app::App;
use crate::auth::SignedIn;

/// Links in one answer, at most.
const MOST: usize = 1_000;

/// Which links.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// The `seq` of the last one that is known; 0 unless said.
    after: Option<u64>,
}

/// Links of the tenant's audit chain.
#[derive(Serialize, ToSchema)]
pub struct Links {
    /// In order, at most 1,000: each with its place, its hash and what it stands for, which are all that is needed to verify it
    /// elsewhere.
    #[schema(value_type = Vec<Object>)]
    links: Vec<sallyport_store::audit::Exported>,
}

/// The tenant's audit chain: every entry of its journal and every administrative act. For its service keys and admins.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditQuery), security(("caller" = []), ("service" = [])),
    responses((status = 200, body = Links), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn chain(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Links>, ApiError> {
    let after = query.after.unwrap_or(0);
    let links = app.store().audit().export(&ChainName::of(&tenant), after, MOST).await?;
    Ok(Json(Links { links }))
}

/// The recording of a tool call: all that the connector asked and was told, without secrets. For whoever asked for it, and for
/// admins; that it was read is in the chain.
#[utoipa::path(get, path = "/v1/invocations/{invocation}/recording", tag = "audit",
    params(("invocation" = String, Path)),
    responses((status = 200, body = Object), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn recording(
    State(app): State<App>,
    who: SignedIn,
    Path(invocation): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let recording = app.runtime().recording(&who.caller, &InvocationId::new(invocation)).await?;
    Ok(Json(serde_json::to_value(recording).map_err(super::internal)?))
}
