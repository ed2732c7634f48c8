//! Building a request.

use std::fmt::Display;

use serde::Serialize;

use super::{Error, Response, written};
use crate::backend;
use crate::blobs::Blob;

/// A request that is being built. Start with [`get`](super::get), [`post`](super::post) and their like.
#[derive(Debug, PartialEq)]
#[must_use = "a request does nothing before it is sent"]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    pub(crate) slot: Option<String>,
    pub(crate) delivery: Delivery,
    /// What could not be written, told when the request is sent.
    broken: Option<String>,
}

/// What a request or a response carries.
#[derive(Debug, Default, PartialEq)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes in guest memory.
    Bytes(Vec<u8>),
    /// Bytes that the host holds.
    Blob(Blob),
    /// Parts; the host encodes them, so that what they carry can be judged one by one.
    Multipart(Vec<Part>),
}

/// How the answer is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Into guest memory, at most 4 MiB decoded.
    #[default]
    Inline,
    /// As a [`Blob`], of any size.
    Blob,
}

/// A part of a multipart body.
#[derive(Debug, PartialEq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, for a file.
    pub filename: Option<String>,
    /// The part's media type.
    pub media_type: Option<String>,
    /// What it carries.
    pub body: PartBody,
}

/// What a part carries.
#[derive(Debug, PartialEq)]
pub enum PartBody {
    /// Bytes in guest memory.
    Bytes(Vec<u8>),
    /// Bytes that the host holds.
    Blob(Blob),
}

impl Part {
    /// A plain field.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        let body = PartBody::Bytes(value.into().into_bytes());
        Self { name: name.into(), filename: None, media_type: None, body }
    }

    /// A part of JSON.
    pub fn json(name: impl Into<String>, value: &serde_json::Value) -> Self {
        let body = PartBody::Bytes(value.to_string().into_bytes());
        Self { name: name.into(), filename: None, media_type: Some("application/json".into()), body }
    }

    /// A file that the host holds.
    pub fn file(name: impl Into<String>, filename: impl Into<String>, blob: Blob) -> Self {
        let media_type = blob.media_type();
        Self { name: name.into(), filename: Some(filename.into()), media_type, body: PartBody::Blob(blob) }
    }
}

impl Request {
    pub(super) fn new(method: String, url: String) -> Self {
        let (headers, body, slot, delivery) = (Vec::new(), Body::Empty, None, Delivery::Inline);
        Self { method, url, headers, body, slot, delivery, broken: None }
    }

    /// Adds a query parameter, percent-encoded.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        let mut pair = form_urlencoded::Serializer::new(String::new());
        pair.append_pair(name, &value.to_string());
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        self.url.push_str(&pair.finish());
        self
    }

    /// Adds a query parameter if there is a value.
    pub fn query_opt(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sets a header: `accept`, `content-type` and what the manifest lists under `[http].headers`.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Uses the credential of this slot; without it, the first of the capability that matches.
    pub fn slot(mut self, slot: impl Into<String>) -> Self {
        self.slot = Some(slot.into());
        self
    }

    /// Lets the host keep the answer's body: [`Response::into_blob`]. For what may be larger than 4 MiB.
    pub fn to_blob(mut self) -> Self {
        self.delivery = Delivery::Blob;
        self
    }

    /// Sends a value as JSON.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body = Body::Bytes(bytes),
            Err(error) => self.broken = Some(format!("the body cannot be written as JSON: {error}")),
        }
        self.header("content-type", "application/json")
    }

    /// Sends name-value pairs as a form.
    pub fn form<N: AsRef<str>, V: AsRef<str>>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body = Body::Bytes(form.into_bytes());
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Sends bytes of a media type.
    pub fn bytes(mut self, media_type: &str, bytes: Vec<u8>) -> Self {
        self.body = Body::Bytes(bytes);
        self.header("content-type", media_type)
    }

    /// Sends what the host holds, with the blob's own media type if it has one.
    pub fn blob(mut self, blob: Blob) -> Self {
        let media_type = blob.media_type();
        self.body = Body::Blob(blob);
        match media_type {
            Some(media_type) => self.header("content-type", media_type),
            None => self,
        }
    }

    /// Sends parts.
    pub fn multipart(mut self, parts: Vec<Part>) -> Self {
        self.body = Body::Multipart(parts);
        self
    }

    /// Sends it. A write that needs approval ends the execution here; once approved, a later
    /// execution reaches the same call and returns from it.
    pub fn send(self) -> Result<Response, Error> {
        let request = self.built()?;
        let method = request.method.clone();
        let response = backend::send(request)?;
        written::note(&method, response.status());
        Ok(response)
    }

    pub(super) fn built(self) -> Result<Self, Error> {
        match self.broken {
            Some(broken) => Err(Error::Malformed(broken)),
            None => Ok(self),
        }
    }
}
