//! `/v1/connections/{id}/people`: whose a provider's users are, where the provider does not tell.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use sallyport_store::accounts::ProviderUser;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::callers::is_email;
use super::connections::find;
use super::error::ApiError;
use super::who::Admin;
use crate::app::App;

/// The longest id of a provider's user, in bytes.
const LONGEST_USER: usize = 512;

/// Users of a provider.
#[derive(Serialize, ToSchema)]
pub struct People {
    /// Those that the connection's source has told of, and those that an admin has said something about; by id.
    people: Vec<Person>,
}

/// A user of a provider.
#[derive(Serialize, ToSchema)]
pub struct Person {
    /// The provider's id.
    user: String,
    /// The name that the source gives, where it gives one.
    name: Option<String>,
    /// Whose they are. Null: nobody knows, and what only they may read is found by nobody.
    email: Option<String>,
    /// Whether that is an admin's word; else it is the source's.
    mapped: bool,
}

impl From<ProviderUser> for Person {
    fn from(one: ProviderUser) -> Self {
        Self { user: one.user, name: one.name, email: one.email, mapped: one.tied }
    }
}

/// Whose a user is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonBody {
    /// The person's e-mail address.
    email: String,
}

/// Lists the provider's users of a connection, and whose they are.
#[utoipa::path(get, path = "/v1/connections/{id}/people", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = People), (status = 403, body = super::error::ErrorBody),
        (status = 404, body = super::error::ErrorBody)))]
pub async fn list(State(app): State<App>, Admin(who): Admin, Path(id): Path<String>) -> Result<Json<People>, ApiError> {
    let connection = find(&app, &who.caller, &id).await?;
    let users = app.accounts().provider_users(&connection.tenant, &connection.id).await?;
    Ok(Json(People { people: users.into_iter().map(Person::from).collect() }))
}

/// Says whose a user is, for every connection of the same source. It counts from the next search on, before whatever the
/// source says of the user.
#[utoipa::path(put, path = "/v1/connections/{id}/people/{user}", tag = "people", request_body = PersonBody,
    params(("id" = String, Path), ("user" = String, Path, description = "The provider's id of the user.")),
    responses((status = 204), (status = 400, body = super::error::ErrorBody),
        (status = 403, body = super::error::ErrorBody), (status = 404, body = super::error::ErrorBody)))]
pub async fn tie(
    State(app): State<App>,
    Admin(who): Admin,
    Path((id, user)): Path<(String, String)>,
    body: Result<Json<PersonBody>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(PersonBody { email }) = body?;
    let connection = find(&app, &who.caller, &id).await?;
    if !is_email(&email) {
        return Err(ApiError::invalid(format!("`email` is {email:?}, which is no e-mail address")));
    }
    if user.len() > LONGEST_USER {
        return Err(ApiError::invalid(format!("a user's id has at most {LONGEST_USER} bytes")));
    }
    let subject = &who.caller.subject;
    app.accounts().tie(&connection.tenant, &connection.id, &user, &email, subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes that word back: what the source says of the user counts again.
#[utoipa::path(delete, path = "/v1/connections/{id}/people/{user}", tag = "people",
    params(("id" = String, Path), ("user" = String, Path, description = "The provider's id of the user.")),
    responses((status = 204), (status = 403, body = super::error::ErrorBody),
        (status = 404, body = super::error::ErrorBody)))]
pub async fn untie(
    State(app): State<App>,
    Admin(who): Admin,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let connection = find(&app, &who.caller, &id).await?;
    app.accounts().untie(&connection.tenant, &connection.id, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
