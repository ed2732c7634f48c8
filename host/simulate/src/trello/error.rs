//! Trello's refusals: text, not JSON, the quota's answer apart.

use crate::server::plain;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrelloError {
    /// The id is well formed and names nothing.
    NotFound,
    /// The id cannot be one.
    InvalidId,
    InvalidValue(String),
    InvalidKey,
    /// Never issued, expired or revoked: Trello does not tell.
    InvalidToken,
    /// The board is there; this member may not.
    Unauthorized(&'static str),
    /// Which limit, and a message.
    Limit(&'static str, &'static str),
    Broken(u16),
}

impl TrelloError {
    pub(crate) fn value(name: &str) -> Self {
        Self::InvalidValue(format!("invalid value for {name}"))
    }

    pub(crate) const BOARD: Self = Self::Unauthorized("unauthorized permission requested");
    pub(crate) const CARD: Self = Self::Unauthorized("unauthorized card permission requested");
    pub(crate) const TOKEN_LIMIT: Self = Self::Limit("API_TOKEN_LIMIT_EXCEEDED", "Rate limit exceeded");
    pub(crate) const KEY_LIMIT: Self = Self::Limit("API_KEY_LIMIT_EXCEEDED", "Rate limit exceeded");
}

impl IntoResponse for TrelloError {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => plain(StatusCode::NOT_FOUND, "The requested resource was not found."),
            Self::InvalidId => plain(StatusCode::BAD_REQUEST, "invalid id"),
            Self::InvalidValue(text) => plain(StatusCode::BAD_REQUEST, &text),
            Self::InvalidKey => plain(StatusCode::UNAUTHORIZED, "invalid key"),
            Self::InvalidToken => plain(StatusCode::UNAUTHORIZED, "invalid token"),
            Self::Unauthorized(text) => plain(StatusCode::UNAUTHORIZED, text),
            Self::Limit(error, message) => {
                let mut reply =
                    plain(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": error, "message": message }).to_string());
                let kind = HeaderValue::from_static("application/json; charset=utf-8");
                reply.headers_mut().insert(header::CONTENT_TYPE, kind);
                reply
            }
            Self::Broken(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                plain(status, status.canonical_reason().unwrap_or("Error"))
            }
        }
    }
}
