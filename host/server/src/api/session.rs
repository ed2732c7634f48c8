//! `POST /v1/session`, `POST /v1/callers/oidc`: caller tokens for those whom their issuer has signed in.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::HeaderMap;
use sallyport::ids::TenantId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::callers::TokenAnswer;
use super::cookie::SESSION;
use super::error::ApiError;
use crate::app::App;
use crate::auth::{self, SignedIn};
use crate::origin::{PublicUrl, SameOrigin};

/// Mints a caller token for whoever has signed in in this browser: by the cookie, for a page of this host.
#[utoipa::path(post, path = "/v1/session", tag = "callers", security(()),
    responses((status = 200, body = TokenAnswer), (status = 401, body = super::error::ErrorBody),
        (status = 403, body = super::error::ErrorBody)))]
pub async fn from_cookie(
    State(app): State<App>,
    _: SameOrigin,
    PublicUrl(url): PublicUrl,
    headers: HeaderMap,
) -> Result<Json<TokenAnswer>, ApiError> {
    let session = match SESSION.of(&url, &headers) {
        Some(cookie) => app.signin().session(cookie).await?,
        None => None,
    };
    let (who, left) = session.ok_or_else(|| {
        ApiError::unauthorized(
            "nobody is signed in in this browser: sign in at /signin/<workspace>, or send a caller token",
        )
    })?;
    token(&app, &who, left)
}

/// An ID token that an application holds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdTokenBody {
    /// The tenant, whose issuer it has to be of.
    tenant: String,
    /// The token, for the client that the tenant has pinned.
    id_token: String,
}

/// Mints a caller token for whoever an ID token of the tenant's issuer stands for. It lasts no longer than the ID token.
#[utoipa::path(post, path = "/v1/callers/oidc", tag = "callers", security(()), request_body = IdTokenBody,
    responses((status = 200, body = TokenAnswer), (status = 401, body = super::error::ErrorBody),
        (status = 403, body = super::error::ErrorBody), (status = 404, body = super::error::ErrorBody),
        (status = 502, body = super::error::ErrorBody)))]
pub async fn from_id_token(
    State(app): State<App>,
    body: Result<Json<IdTokenBody>, JsonRejection>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let Json(body) = body?;
    let (who, ends) = app.signin().by_id_token(&TenantId::new(body.tenant), &body.id_token).await?;
    let now = std::time::UNIX_EPOCH.elapsed().map_err(super::internal)?.as_secs();
    token(&app, &who, ends.saturating_sub(now))
}

/// A token that ends when what it stands on does.
fn token(app: &App, who: &SignedIn, left: u64) -> Result<Json<TokenAnswer>, ApiError> {
    let expires_in = auth::DEFAULT.min(left).max(1);
    Ok(Json(TokenAnswer { token: app.mint(who, expires_in)?, expires_in }))
}
