//! What a fake service answers.

use serde_json::Value;

use crate::http;

/// An answer, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) error: Option<http::Error>,
}

impl Reply {
    /// 200 with JSON.
    pub fn json(value: impl Into<Value>) -> Self {
        Self::bytes("application/json", value.into().to_string())
    }

    /// Plain text under a status.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let reply = Self::bytes("text/plain", text.into());
        Self { status, ..reply }
    }

    /// 200 with bytes of a media type.
    pub fn bytes(media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".into(), media_type.into())];
        Self { status: 200, headers, body: bytes.into(), error: None }
    }

    /// A status with nothing.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), error: None }
    }

    /// No answer at all.
    pub fn error(error: http::Error) -> Self {
        Self { error: Some(error), ..Self::status(0) }
    }

    /// The same under another status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// And this header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::json(value)
    }
}

impl From<http::Error> for Reply {
    fn from(error: http::Error) -> Self {
        Self::error(error)
    }
}
