//! Who is behind a request: a caller, by a token that this host signed; or an application, by its service key.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sallyport::Role;
use sallyport::ids::TenantId;

use super::error::ApiError;
use crate::app::App;
use crate::auth::SignedIn;

/// What every service key begins with, so that one that leaked is found by a scan.
pub const KEY_PREFIX: &str = "sp_";

fn bearer(parts: &Parts) -> Result<&str, ApiError> {
    parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            ApiError::unauthorized("send `authorization: Bearer <caller token>`; mint one at /v1/callers/token")
        })
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer(parts)?;
        if token.starts_with(KEY_PREFIX) {
            return Err(ApiError::unauthorized(
                "this is a service key, and it is nobody: mint a caller token with it at /v1/callers/token",
            ));
        }
        app.tokens().verify(token).map_err(|error| ApiError::unauthorized(error.to_string()))
    }
}

/// A caller who is an admin of their tenant.
#[derive(Debug)]
pub struct Admin(pub SignedIn);

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let who = SignedIn::from_request_parts(parts, app).await?;
        if who.caller.is(Role::Admin) {
            Ok(Self(who))
        } else {
            Err(ApiError::forbidden("only an admin of the tenant may do this"))
        }
    }
}

/// Somebody who may change which connectors the host has. A connector is the whole host's: it takes a key of the
/// operator's, or an admin where there is one tenant and no other.
#[derive(Debug)]
pub struct Installer;

impl FromRequestParts<App> for Installer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = bearer(parts)?;
        if token.starts_with(KEY_PREFIX) {
            return match app.is_operator_key(token).await? {
                true => Ok(Self),
                false => Err(ApiError::unauthorized(
                    "this key is not the operator's: `sallyport keys create --operator` makes one",
                )),
            };
        }
        let Admin(who) = Admin::from_request_parts(parts, app).await?;
        match app.accounts().tenants().await?.as_slice() {
            [only] if only.id == who.caller.tenant => Ok(Self),
            _ => Err(ApiError::forbidden(
                "a connector is the whole host's, and this host has several tenants: its operator installs and approves, \
                 on the command line or with a key of `sallyport keys create --operator`",
            )),
        }
    }
}

/// A tenant, in the word of one of its service keys or of an admin.
#[derive(Debug)]
pub struct Tenant(pub TenantId);

impl FromRequestParts<App> for Tenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if bearer(parts)?.starts_with(KEY_PREFIX) {
            return Service::from_request_parts(parts, app).await.map(|service| Self(service.0));
        }
        Admin::from_request_parts(parts, app).await.map(|admin| Self(admin.0.caller.tenant))
    }
}

/// An application of one tenant.
#[derive(Debug)]
pub struct Service(pub TenantId);

impl FromRequestParts<App> for Service {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let key = bearer(parts)?;
        match app.service_key(key).await? {
            Some(tenant) => Ok(Self(tenant)),
            None => Err(ApiError::unauthorized(
                "the service key is not one of this host's: `sallyport keys create` makes one",
            )),
        }
    }
}
