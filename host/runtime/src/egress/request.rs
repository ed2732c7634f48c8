//! What a guest asks for and what it gets back, as the host's own types.

use bytes::Bytes;

/// A request as a guest said it. Nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …, upper case.
    pub method: String,
    /// Absolute https, with a declared origin as the connector says it.
    pub url: String,
    /// `accept`, `content-type` and the manifest's own; any other is refused.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// Which credential; `None`: the matching capability's first.
    pub slot: Option<String>,
    /// How the answer is to be given.
    pub delivery: Delivery,
    /// The most bytes of answer that whoever asks may be given; `None`, and where it is more: what the host reads at most.
    pub most: Option<u64>,
}

/// A request's body. A blob's bytes are given as [`Body::Bytes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// Bytes; what they are is said by `content-type`.
    Bytes(Bytes),
    /// Encoded by the host as `multipart/form-data`, so that it can be judged part by part.
    Multipart(Vec<Part>),
}

/// One part of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, for files.
    pub filename: Option<String>,
    /// Its media type; `None` is text.
    pub media_type: Option<String>,
    /// Its bytes.
    pub body: Bytes,
}

/// How an answer's body is given to the guest, which decides how large it may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// In guest memory; 4 MiB decoded unless configured otherwise.
    #[default]
    Inline,
    /// As a blob that the host holds; 64 MiB decoded unless configured otherwise.
    Blob,
}

/// A service's answer, scanned for secrets, decoded, within its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, lower-case names, in the order received, without those that frame the connection or set cookies.
    pub headers: Vec<(String, String)>,
    /// The decoded body.
    pub body: Bytes,
    /// What the manifest's `[[answer]]` says that it means, if it says anything.
    pub meaning: Option<crate::answers::Meaning>,
    /// An earlier sending of the same write had no answer and may have taken effect, whatever this answer says.
    pub after_doubt: bool,
}

impl Response {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// True where a write with this answer is known to have changed nothing: the manifest says so, or HTTP does (the
    /// request was judged wrong, unauthorised, absent or too much before it was carried out).
    #[must_use]
    pub fn had_no_effect(&self) -> bool {
        let refused = self.meaning.is_some()
            || matches!(self.status, 400 | 401 | 403 | 404 | 405 | 406 | 411 | 413 | 414 | 415 | 422 | 429);
        refused && !self.after_doubt
    }
}
