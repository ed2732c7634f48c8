//! The web page: a few files, compiled in, that use `/v1` alone; and `/signin`, where one is sent to the issuer.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;

/// Nothing from elsewhere is loaded, nothing inline runs, nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A file of the page, or a page that takes its place: with the policy, and without a trace in what it links to.
pub(super) fn file(media_type: &'static str, text: impl IntoResponse) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The page's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("../web/index.html"))))
        .route("/app.js", get(async || file("text/javascript; charset=utf-8", include_str!("../web/app.js"))))
        .route("/people.js", get(async || file("text/javascript; charset=utf-8", include_str!("../web/people.js"))))
        .route("/proposal.js", get(async || file("text/javascript; charset=utf-8", include_str!("../web/proposal.js"))))
        .route("/style.css", get(async || file("text/css; charset=utf-8", include_str!("../web/style.css"))))
}
