//! `POST /v1/callers/token`, `GET /v1/me`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use sallyport::ids::SubjectId;
use sallyport::{Caller, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use super::who::Service;
use crate::app::App;
use crate::auth::{self, SignedIn};

/// Whom a token is for. The application that holds the service key vouches for all of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// The stable id within the tenant.
    subject: String,
    /// A name for people.
    name: Option<String>,
    /// E-mail addresses that the application has verified.
    emails: Vec<String>,
    /// `admin`, `approver`, `member`; `member` unless said.
    roles: Option<Vec<String>>,
    /// Seconds, at most 28,800; 900 unless said.
    expires_in: Option<u64>,
}

/// A caller token.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// Send it as `authorization: Bearer …`.
    pub token: String,
    /// Seconds.
    pub expires_in: u64,
}

/// Mints a caller token. Needs a service key; nothing else makes a caller.
#[utoipa::path(post, path = "/v1/callers/token", tag = "callers", security(("service" = [])), request_body = TokenBody,
    responses((status = 200, body = TokenAnswer), (status = 401, body = super::error::ErrorBody)))]
pub async fn token(
    State(app): State<App>,
    Service(tenant): Service,
    body: Result<Json<TokenBody>, JsonRejection>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let Json(body) = body?;
    if body.subject.trim().is_empty() || body.subject.len() > 200 {
        return Err(ApiError::invalid("`subject` is the caller's stable id: 1 to 200 bytes"));
    }
    if let Some(bad) = body.emails.iter().find(|email| !is_email(email)) {
        return Err(ApiError::invalid(format!("`emails` holds {bad:?}, which is no e-mail address")));
    }
    let roles = body.roles.unwrap_or_else(|| vec!["member".into()]);
    let roles = roles.iter().map(|role| parse_role(role)).collect::<Result<Vec<_>, _>>()?;
    let caller = Caller {
        tenant,
        subject: SubjectId::new(body.subject),
        emails: body.emails.iter().map(|email| email.trim().to_lowercase()).collect(),
        roles,
    };
    let expires_in = body.expires_in.unwrap_or(auth::DEFAULT).clamp(1, auth::LONGEST);
    let token = app.mint(&SignedIn { caller, name: body.name }, expires_in)?;
    Ok(Json(TokenAnswer { token, expires_in }))
}

/// Whether this has the form of an e-mail address.
pub(super) fn is_email(text: &str) -> bool {
    let text = text.trim();
    matches!(text.split_once('@'), Some((name, domain)) if !name.is_empty() && domain.contains('.') && !domain.contains('@'))
        && !text.contains(char::is_whitespace)
}

/// A role by its name.
pub fn parse_role(text: &str) -> Result<Role, ApiError> {
    match text {
        "admin" => Ok(Role::Admin),
        "approver" => Ok(Role::Approver),
        "member" => Ok(Role::Member),
        other => Err(ApiError::invalid(format!("{other:?} is no role: use admin, approver or member"))),
    }
}

/// Who the caller is.
#[derive(Serialize, ToSchema)]
pub struct Me {
    tenant: String,
    subject: String,
    name: Option<String>,
    emails: Vec<String>,
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
    /// What answers here: a model's name, or what the embedded planner says of itself.
    model: String,
}

/// Says who the token stands for.
#[utoipa::path(get, path = "/v1/me", tag = "callers",
    responses((status = 200, body = Me), (status = 401, body = super::error::ErrorBody)))]
pub async fn me(State(app): State<App>, who: SignedIn) -> Json<Me> {
    Json(Me {
        tenant: who.caller.tenant.to_string(),
        subject: who.caller.subject.to_string(),
        name: who.name,
        emails: who.caller.emails,
        roles: who.caller.roles,
        model: app.model_words(),
    })
}
