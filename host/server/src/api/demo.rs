//! `/v1/demo`: signing in as one of the demo's people without a password. Only a host that `sallyport demo` started has
//! these routes, and it listens on loopback.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::callers::TokenAnswer;
use super::error::ApiError;
use crate::app::App;
use crate::auth;

/// The demo's routes.
pub fn router() -> Router<App> {
    Router::new().route("/v1/demo/users", get(users)).route("/v1/demo/session", post(session))
}

async fn users(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let users: Vec<Value> = app
        .users()
        .await?
        .into_iter()
        .map(|user| json!({ "subject": user.caller.subject, "name": user.name, "email": user.caller.emails.first() }))
        .collect();
    Ok(Json(json!({ "users": users, "examples": app.demo_examples() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionBody {
    subject: String,
}

async fn session(State(app): State<App>, Json(body): Json<SessionBody>) -> Result<Json<TokenAnswer>, ApiError> {
    let user = app.users().await?.into_iter().find(|user| user.caller.subject.as_str() == body.subject);
    let user = user.ok_or_else(|| ApiError::not_found(format!("user {:?}", body.subject)))?;
    let token = app.mint(&user, auth::LONGEST)?;
    Ok(Json(TokenAnswer { token, expires_in: auth::LONGEST }))
}
