//! `/v1/tenant/rules`: what a tenant has settled for itself.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use sallyport::ports::TenantRules;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use super::who::Admin;
use crate::app::App;

/// A tenant's rules.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesBody {
    /// Whether an approver may approve what they asked for themselves through the workspace's connections. Off at first:
    /// then it takes another approver.
    self_approval: bool,
}

impl From<TenantRules> for RulesBody {
    fn from(rules: TenantRules) -> Self {
        Self { self_approval: rules.self_approval }
    }
}

/// The tenant's rules.
#[utoipa::path(get, path = "/v1/tenant/rules", tag = "tenant",
    responses((status = 200, body = RulesBody), (status = 403, body = super::error::ErrorBody)))]
pub async fn rules(State(app): State<App>, Admin(who): Admin) -> Result<Json<RulesBody>, ApiError> {
    Ok(Json(app.accounts().rules(&who.caller.tenant).await?.into()))
}

/// Replaces the tenant's rules. An approval that the new ones would not allow, and whose write is not sent yet, is void.
#[utoipa::path(put, path = "/v1/tenant/rules", tag = "tenant", request_body = RulesBody,
    responses((status = 200, body = RulesBody), (status = 403, body = super::error::ErrorBody)))]
pub async fn set_rules(
    State(app): State<App>,
    Admin(who): Admin,
    body: Result<Json<RulesBody>, JsonRejection>,
) -> Result<Json<RulesBody>, ApiError> {
    let Json(RulesBody { self_approval }) = body?;
    app.accounts().put_rules(&who.caller.tenant, TenantRules { self_approval }).await?;
    rules(State(app), Admin(who)).await
}
