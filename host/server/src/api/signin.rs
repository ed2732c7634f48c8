//! `/signin`: to the tenant's issuer and back, for browsers. What goes wrong is a page and not JSON.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sallyport::ids::TenantId;
use url::Url;

use super::cookie::{ATTEMPT, SESSION};
use super::error::{ApiError, REQUEST};
use super::page;
use crate::app::App;
use crate::origin::{PublicUrl, SameOrigin};
use crate::signin::{Answer, PATIENCE, SESSION_LIFE, Session};

/// Where an issuer sends browsers back to.
pub(crate) const CALLBACK: &str = "signin/callback";

/// The routes of signing in.
pub fn router() -> Router<App> {
    Router::new()
        .route("/signin/{tenant}", get(begin))
        .route("/signin/callback", get(finish))
        .route("/signin/signout", post(sign_out))
}

/// The redirect address to register at the issuer, of a host at `url`.
#[must_use]
pub fn callback(url: &Url) -> Url {
    let mut callback = url.clone();
    callback.set_path(CALLBACK);
    callback
}

async fn begin(State(app): State<App>, PublicUrl(url): PublicUrl, Path(tenant): Path<String>) -> Response {
    let began = async {
        let begun = app.signin().begin(&TenantId::new(tenant), &callback(&url)).await?;
        let cookie = ATTEMPT.header(&url, Some((&begun.cookie, PATIENCE)))?;
        redirect(begun.url.as_str(), [cookie])
    };
    began.await.unwrap_or_else(|error: ApiError| explain(&error))
}

async fn finish(
    State(app): State<App>,
    PublicUrl(url): PublicUrl,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let finished = async {
        let Query(answer) = answer.map_err(|error| ApiError::invalid(error.body_text()))?;
        let session = app.signin().finish(ATTEMPT.of(&url, &headers), answer, &callback(&url)).await?;
        let cookies = [session_cookie(&app, &url, &session)?, ATTEMPT.header(&url, None)?];
        redirect("/", cookies)
    };
    finished.await.unwrap_or_else(|error: ApiError| explain(&error))
}

fn session_cookie(app: &App, url: &Url, session: &Session) -> Result<HeaderValue, ApiError> {
    let value = app.signin().session_cookie(session)?;
    SESSION.header(url, Some((&value, SESSION_LIFE)))
}

async fn sign_out(_: SameOrigin, PublicUrl(url): PublicUrl) -> Result<Response, ApiError> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().append(SET_COOKIE, SESSION.header(&url, None)?);
    Ok(response)
}

/// To a place by GET, whatever came; with cookies, and kept by no cache.
fn redirect<const N: usize>(to: &str, cookies: [HeaderValue; N]) -> Result<Response, ApiError> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(to).map_err(super::internal)?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A page without a script that says what went wrong.
fn explain(error: &ApiError) -> Response {
    let request = REQUEST.try_with(|id| format!("<p class=\"note\">Request {}</p>", escaped(id))).unwrap_or_default();
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Not signed in · Sallyport</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n\
         <link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n<header><h1>Sallyport</h1></header>\n<main>\n\
         <h2>You are not signed in</h2>\n<p role=\"alert\">{}</p>\n{request}\n<p><a href=\"/\">Back to the start</a></p>\n\
         </main>\n</body>\n</html>\n",
        escaped(error.message())
    );
    tracing::warn!(status = error.status().as_u16(), message = error.message(), "a sign-in failed");
    let mut response = page::file("text/html; charset=utf-8", text);
    *response.status_mut() = error.status();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Text as text: an issuer's words and a name from the address are anybody's.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
