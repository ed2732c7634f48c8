//! Successful replies as Google sends them: JSON indented by two spaces, and the headers around it.

use super::{error::DriveError, mask::Mask};
use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// What every reply carried in recordings of Drive v3, caching apart.
const COMMON: [(&str, &str); 5] = [
    ("vary", "Origin, X-Origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-xss-protection", "0"),
    ("server", "ESF"),
];

pub(crate) fn json_reply(status: StatusCode, body: &Value) -> Response {
    let mut text = serde_json::to_string_pretty(body).unwrap_or_default();
    text.push('\n');
    let mut reply = bare(status, Body::from(text), "application/json; charset=UTF-8");
    let caching = [
        (header::CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::EXPIRES, "Mon, 01 Jan 1990 00:00:00 GMT"),
    ];
    for (name, value) in caching {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// The mask decides what of `body` is sent.
pub(crate) fn masked(body: &Value, mask: &Mask) -> Result<Response, DriveError> {
    Ok(json_reply(StatusCode::OK, &mask.apply(body)))
}

pub(crate) fn no_content() -> Response {
    bare(StatusCode::NO_CONTENT, Body::empty(), "text/html")
}

pub(crate) fn bare(status: StatusCode, body: Body, kind: &str) -> Response {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    for (name, value) in COMMON {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    reply
}
