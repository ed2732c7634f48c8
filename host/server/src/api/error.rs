//! What goes wrong, as HTTP: `{"error":{"code","message","request_id","details"}}`.
//!
//! Codes are stable; messages are for people and may change. Which error goes where:
//! caller's fault → 4xx; the service behind a connector → 502 or 503; the connector → 502; this host → 500 or 503.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sallyport::recording::RecordingError;
use sallyport::{Blame, Fault, InvokeError};
use serde::Serialize;
use serde_json::{Value, json};

/// An answer that is no success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: String,
    message: String,
    // Boxed: an error is passed through many results and is rare.
    details: Box<Value>,
}

/// The body of every error.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ErrorDetail {
    /// Stable, kebab-case; what a program decides on.
    pub code: String,
    /// For people; says what to do.
    pub message: String,
    /// Also in the `x-request-id` header and in the log.
    pub request_id: Option<String>,
    /// More, by code: `violations` of a schema, `retry_after_ms`.
    pub details: Value,
}

impl ApiError {
    /// An error of the caller's own making.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), details: Box::default() }
    }

    /// No or no valid credentials.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// Known, but not for this caller.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// Absent, or not to be seen: one case.
    #[must_use]
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("{} not found", what.into()))
    }

    /// The request is not of the form that the OpenAPI document says.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", message)
    }

    /// The status that it is sent with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The words for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Anything that knows its blame.
    pub fn from_fault(error: &dyn Fault) -> Self {
        let status = match (error.code(), error.blame()) {
            ("not-found", _) => StatusCode::NOT_FOUND,
            ("not-granted" | "forbidden" | "not-decider", _) => StatusCode::FORBIDDEN,
            ("wrong-state" | "approval-void" | "conflict" | "write-unknown", _) => StatusCode::CONFLICT,
            ("busy" | "later" | "disk-full", _) => StatusCode::SERVICE_UNAVAILABLE,
            (_, Blame::Caller) => StatusCode::UNPROCESSABLE_ENTITY,
            (_, Blame::Upstream | Blame::Guest) => StatusCode::BAD_GATEWAY,
            (_, Blame::Host) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, code: error.code().into(), message: error.to_string(), details: Box::default() }
    }
}

impl From<InvokeError> for ApiError {
    fn from(error: InvokeError) -> Self {
        let mut answer = Self::from_fault(&error);
        let details = match &error {
            InvokeError::Arguments(violations) | InvokeError::Result(violations) => json!({ "violations": violations }),
            InvokeError::Later { millis, .. } => json!({ "retry_after_ms": millis }),
            _ => return answer,
        };
        answer.details = Box::new(details);
        answer
    }
}

impl From<sallyport::ports::StoreError> for ApiError {
    fn from(error: sallyport::ports::StoreError) -> Self {
        Self::from_fault(&error)
    }
}

impl From<RecordingError> for ApiError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Invoke(error) => error.into(),
            other => Self::from_fault(&other),
        }
    }
}

impl From<axum::extract::rejection::JsonRejection> for ApiError {
    fn from(rejection: axum::extract::rejection::JsonRejection) -> Self {
        Self::new(rejection.status(), "invalid-request", rejection.body_text())
    }
}

tokio::task_local! {
    /// The id of the request that is being answered.
    pub static REQUEST: String;
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let request_id = REQUEST.try_with(Clone::clone).ok();
        if self.status.is_server_error() {
            tracing::warn!(
                status = self.status.as_u16(),
                code = self.code,
                message = self.message,
                request_id,
                "answered with an error"
            );
        }
        let detail = ErrorDetail {
            code: self.code,
            message: self.message,
            request_id,
            details: if self.details.is_null() { json!({}) } else { *self.details },
        };
        (self.status, Json(ErrorBody { error: detail })).into_response()
    }
}
