//! The pages by which somebody connects an account: rendered here, so that they work without script. One script there is:
//! it reads the token that a provider puts behind the `#`, which no server ever sees.
//!
//! Looking changes nothing. What changes something is posted by a page of this host ([`SameOrigin`]), and a return from a
//! provider counts in the browser in which it was begun, by a cookie of that attempt.

mod pages;

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::Markup;
use sallyport::Fault as _;
use sallyport::consent::{Choice, Connected, ConsentError, Next, Return, With};
use sallyport::ids::{CapabilityId, Digest, SlotName};
use sallyport::keys::Secret;
use serde::Deserialize;
use url::Url;

use crate::api::cookie::CONSENT;
use crate::api::error::ApiError;
use crate::app::App;
use crate::origin::{PublicUrl, SameOrigin};

/// Where providers send people back to. Operators register it with them.
pub const CALLBACK: &str = "/connect/callback";

/// Where a link's page is.
#[must_use]
pub fn url(base: &Url, token: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("/connect/{token}"));
    url
}

/// As long as somebody may take at the provider, in seconds.
const COOKIE_LIFE: u64 = 10 * 60;

/// The pages' routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/connect/{token}", get(show).post(decide))
        .route(CALLBACK, get(came_back))
        .route("/connect/fragment", get(fragment_page).post(fragment))
        .route("/connect/fragment.js", get(script))
        .route("/connect/style.css", get(style))
        .route("/connect/{token}/decline", post(decline))
}

async fn show(State(app): State<App>, Path(token): Path<String>) -> Response {
    match app.runtime().consent_page(&token).await {
        Ok(page) => html(StatusCode::OK, &pages::consent(&page, &token), None),
        Err(error) => failed(&error, None),
    }
}

/// The form: capabilities that stay checked, `component`, and `secret.SLOT` for what is pasted.
async fn decide(
    State(app): State<App>,
    PublicUrl(base): PublicUrl,
    _: SameOrigin,
    Path(token): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let mut choice = Choice {
        component: Digest::of(b""),
        capabilities: BTreeSet::new(),
        pasted: BTreeMap::new(),
        redirect: base.clone(),
    };
    for (name, value) in fields {
        match name.as_str() {
            "component" => choice.component = Digest::parse(&value).unwrap_or(choice.component),
            "capability" => choice.capabilities.extend(CapabilityId::new(&value)),
            other => {
                let slot = other.strip_prefix("secret.").and_then(|slot| SlotName::new(slot).ok());
                if let Some(slot) = slot.filter(|_| !value.trim().is_empty()) {
                    choice.pasted.insert(slot, Secret::new(value));
                }
            }
        }
    }
    // Whether a provider answers by a code or in a fragment, one address is registered with it for each.
    let fragment = match app.runtime().consent_by_fragment(&token).await {
        Ok(fragment) => fragment,
        Err(error) => return failed(&error, Some(&token)),
    };
    choice.redirect.set_path(if fragment { "/connect/fragment" } else { CALLBACK });
    match app.runtime().consent(&token, choice).await {
        Ok(Next::Go { url, browser }) => {
            // No redirect: browsers hold what follows a form to its page's policy, and where a provider sends people on to
            // is nobody's business here.
            let response = html(StatusCode::OK, &pages::going(&url), None);
            carrying(response, CONSENT.header(&base, Some((browser.expose(), COOKIE_LIFE))))
        }
        Ok(Next::Done(connected)) => done(&base, &connected),
        Err(error) => failed(&error, Some(&token)),
    }
}

async fn decline(State(app): State<App>, _: SameOrigin, Path(token): Path<String>) -> Response {
    match app.runtime().decline(&token).await {
        Ok(return_to) => html(StatusCode::OK, &pages::declined(return_to.as_deref()), None),
        Err(error) => failed(&error, None),
    }
}

/// What a provider sends somebody back with (RFC 6749, 4.1.2; RFC 9207).
#[derive(Deserialize)]
struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

async fn came_back(
    State(app): State<App>,
    PublicUrl(base): PublicUrl,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    let with = match (&back.code, &back.error) {
        (_, Some(error)) => With::Error(error),
        (Some(code), None) => With::Code(code),
        (None, None) => return failed(&ConsentError::UnknownState, None),
    };
    finish(&app, &base, &headers, back.state.as_deref(), back.iss.as_deref(), with).await
}

#[derive(Deserialize)]
struct FragmentQuery {
    state: Option<String>,
}

async fn fragment_page(State(app): State<App>, Query(query): Query<FragmentQuery>) -> Response {
    let state = query.state.as_deref().unwrap_or_default();
    match app.runtime().fragment_parameter(state).await {
        Ok(parameter) => html(StatusCode::OK, &pages::fragment(state, &parameter), Some(Script)),
        Err(error) => failed(&error, None),
    }
}

/// The form of the page that takes a token from behind the `#`; its script fills it in, or a person does.
#[derive(Deserialize)]
struct FragmentForm {
    state: String,
    token: Secret,
    error: Option<String>,
}

async fn fragment(
    State(app): State<App>,
    PublicUrl(base): PublicUrl,
    _: SameOrigin,
    headers: HeaderMap,
    Form(form): Form<FragmentForm>,
) -> Response {
    let with = match &form.error {
        Some(error) if !error.is_empty() => With::Error(error),
        _ => With::Token(Secret::new(form.token.expose().trim())),
    };
    finish(&app, &base, &headers, Some(&form.state), None, with).await
}

async fn finish(
    app: &App,
    base: &Url,
    headers: &HeaderMap,
    state: Option<&str>,
    issuer: Option<&str>,
    with: With<'_>,
) -> Response {
    let back = Return { state: state.unwrap_or_default(), browser: CONSENT.of(base, headers), issuer, with };
    match app.runtime().came_back(back).await {
        Ok(connected) => done(base, &connected),
        Err(error) => failed(&error, None),
    }
}

fn done(base: &Url, connected: &Connected) -> Response {
    carrying(html(StatusCode::OK, &pages::connected(connected), None), CONSENT.header(base, None))
}

fn carrying(mut response: Response, cookie: Result<HeaderValue, ApiError>) -> Response {
    match cookie {
        Ok(cookie) => {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Err(error) => error.into_response(),
    }
}

fn failed(error: &ConsentError, again: Option<&str>) -> Response {
    let status = ApiError::from_fault(error).status();
    if status.is_server_error() {
        tracing::warn!(code = error.code(), %error, "somebody could not be connected");
    }
    let again = again.filter(|_| !matches!(error, ConsentError::Gone));
    html(status, &pages::failed(&error.to_string(), again), None)
}

/// Nothing from elsewhere, no script, nobody frames it, and its forms come back here.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The same, with this host's script.
const WITH_SCRIPT: &str = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; \
                           base-uri 'none'; frame-ancestors 'none'";

/// The page has the script that reads what is behind the `#`.
struct Script;

/// Nothing of these pages is kept, framed, or told to the next site.
fn html(status: StatusCode, page: &Markup, script: Option<Script>) -> Response {
    let mut response = (status, axum::response::Html(page.0.clone())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if script.is_some() {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(WITH_SCRIPT));
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

async fn script() -> Response {
    text("text/javascript; charset=utf-8", include_str!("../web/fragment.js"))
}

async fn style() -> Response {
    text("text/css; charset=utf-8", include_str!("../web/connect.css"))
}

fn text(media_type: &'static str, body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}
