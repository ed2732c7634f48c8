//! Reading an answer.

use serde::de::DeserializeOwned;

use super::Body;
use super::error::later;
use crate::Failure;
use crate::blobs::Blob;

/// How much of a body an error message quotes, in characters.
const EXCERPT: usize = 300;
/// How long to wait after a 429 that does not say, in milliseconds.
const RATE_LIMIT_DELAY: u64 = 10_000;

/// An answer of any status.
#[derive(Debug, PartialEq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Response {
    pub(crate) fn new(status: u16, headers: Vec<(String, String)>, body: Body) -> Self {
        Self { status, headers, body }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of 200-299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The answer itself if its status is 200-299, else the failure that the status means:
    ///
    /// | status | failure |
    /// |---|---|
    /// | 401 | [`Failure::NeedsReauth`] |
    /// | 403 | [`Failure::Forbidden`] |
    /// | 404, 410 | [`Failure::NotFound`] |
    /// | 400, 422 | [`Failure::InvalidInput`] |
    /// | 429, 503 before any write | [`Failure::Later`], after `Retry-After` or 10 s |
    /// | another | [`Failure::Other`] with the code `http-<status>` |
    ///
    /// The message quotes the start of the body.
    pub fn ok(self) -> Result<Self, Failure> {
        if self.is_success() {
            return Ok(self);
        }
        let message = format!("the service answered {}: {}", self.status, self.excerpt());
        Err(match self.status {
            401 => Failure::NeedsReauth(message),
            403 => Failure::Forbidden(message),
            404 | 410 => Failure::NotFound(message),
            400 | 422 => Failure::InvalidInput(message),
            429 | 503 => later(self.retry_after().unwrap_or(RATE_LIMIT_DELAY), message),
            status => Failure::other(format!("http-{status}"), message),
        })
    }

    /// The body as a JSON value of this type. Anything else is the failure `unexpected-answer`,
    /// which says where the value does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(self.inline()).map_err(|error| {
            let message = format!("not the JSON that was expected ({error}): {}", self.excerpt());
            Failure::other("unexpected-answer", message)
        })
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.inline()).into_owned()
    }

    /// The body's bytes; empty for one that the host keeps.
    pub fn bytes(&self) -> &[u8] {
        self.inline()
    }

    /// The body, to be looked into.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The body that the host keeps, after [`Request::to_blob`](super::Request::to_blob).
    /// `None` if it was given inline or there is none.
    pub fn into_blob(self) -> Option<Blob> {
        match self.body {
            Body::Blob(blob) => Some(blob),
            _ => None,
        }
    }

    /// Milliseconds until the service wants to be asked again, from a `Retry-After` of seconds.
    pub fn retry_after(&self) -> Option<u64> {
        self.header("retry-after")?.trim().parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1000))
    }

    fn inline(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    fn excerpt(&self) -> String {
        if matches!(self.body, Body::Blob(_)) {
            return "(a body kept by the host)".into();
        }
        let text = self.text();
        let text = text.trim();
        match text.char_indices().nth(EXCERPT) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None if text.is_empty() => "(an empty body)".into(),
            None => text.to_owned(),
        }
    }
}
