//! Google's error replies: `{"error":{"code","message","errors":[{"domain","reason","message"}]}}`.

use super::reply::json_reply;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// A refusal in Google's shape.
#[derive(Debug, Clone)]
pub(crate) struct DriveError {
    pub status: u16,
    pub reason: &'static str,
    pub message: String,
    domain: &'static str,
    /// Location and its type.
    location: Option<(String, &'static str)>,
    /// The gRPC-style status that newer replies carry.
    grpc: Option<&'static str>,
}

impl DriveError {
    pub(crate) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into(), domain: "global", location: None, grpc: None }
    }

    fn at(mut self, location: &str, kind: &'static str) -> Self {
        self.location = Some((location.to_owned(), kind));
        self
    }

    /// No such file, or none that the caller may see, or one in a shared drive without `supportsAllDrives`.
    pub(crate) fn no_file(id: &str) -> Self {
        Self::new(404, "notFound", format!("File not found: {id}.")).at("fileId", "parameter")
    }

    pub(crate) fn no_drive(id: &str) -> Self {
        Self::new(404, "notFound", format!("Shared drive not found: {id}")).at("driveId", "parameter")
    }

    pub(crate) fn invalid(parameter: &str) -> Self {
        Self::new(400, "invalid", "Invalid Value").at(parameter, "parameter")
    }

    pub(crate) fn required(parameter: &str) -> Self {
        let message = match parameter {
            "fields" => "The 'fields' parameter is required for this method.".to_owned(),
            other => format!("Required parameter: {other}"),
        };
        Self::new(400, "required", message).at(parameter, "parameter")
    }

    pub(crate) fn bad_field(field: &str) -> Self {
        Self::new(400, "invalidParameter", format!("Invalid field selection {field}")).at("fields", "parameter")
    }

    pub(crate) fn no_rights(id: &str) -> Self {
        let message = format!("The user does not have sufficient permissions for file {id}.");
        Self::new(403, "insufficientFilePermissions", message)
    }

    pub(crate) fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                       other valid authentication credential. See \
                       https://developers.google.com/identity/sign-in/web/devconsole-project.";
        let mut error = Self::new(401, "authError", message).at("Authorization", "header");
        error.grpc = Some("UNAUTHENTICATED");
        error
    }

    pub(crate) fn anonymous() -> Self {
        let message = "Method doesn't allow unregistered callers (callers without established identity). Please use \
                       API Key or other form of API consumer identity to call this API.";
        let mut error = Self::new(403, "forbidden", message);
        error.grpc = Some("PERMISSION_DENIED");
        error
    }

    pub(crate) fn scope() -> Self {
        let message = "Request had insufficient authentication scopes.";
        let mut error = Self::new(403, "insufficientPermissions", message);
        error.grpc = Some("PERMISSION_DENIED");
        error
    }

    pub(crate) fn quota(status: u16) -> Self {
        let mut error = Self::new(status, "rateLimitExceeded", "Rate Limit Exceeded");
        error.domain = "usageLimits";
        error
    }

    pub(crate) fn backend(status: u16) -> Self {
        match status {
            503 => Self::new(status, "backendError", "The service is currently unavailable."),
            _ => Self::new(status, "internalError", "Internal Error"),
        }
    }

    fn body(&self) -> Value {
        // For a bad token or scope, the entry's message is shorter than the whole's.
        let short = match self.reason {
            "authError" => "Invalid Credentials",
            "insufficientPermissions" => "Insufficient Permission",
            _ => &self.message,
        };
        let mut entry = json!({ "message": short, "domain": self.domain, "reason": self.reason });
        if let Some((location, kind)) = &self.location {
            entry["location"] = location.clone().into();
            entry["locationType"] = (*kind).into();
        }
        let mut error = json!({ "code": self.status, "message": self.message, "errors": [entry] });
        if let Some(grpc) = self.grpc {
            error["status"] = grpc.into();
        }
        json!({ "error": error })
    }
}

impl IntoResponse for DriveError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = json_reply(status, &self.body());
        if self.reason == "authError" {
            let challenge = r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#;
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        reply
    }
}
