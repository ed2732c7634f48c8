//! What a connector sent.

use serde_json::Value;

use super::blob_bytes;
use crate::http::{Body, Delivery, Part, PartBody, Request};

/// A request as the fake host got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// In upper case.
    pub method: String,
    /// Absolute, with its query.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What it carried; a blob's bytes are here, too.
    pub body: Vec<u8>,
    /// The parts of a multipart body.
    pub parts: Vec<SentPart>,
    /// The slot that it named.
    pub slot: Option<String>,
    /// How the answer was wanted.
    pub delivery: Delivery,
}

/// A part of a multipart body as the fake host got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentPart {
    /// The field's name.
    pub name: String,
    /// The file's name.
    pub filename: Option<String>,
    /// The media type.
    pub media_type: Option<String>,
    /// What it carried.
    pub body: Vec<u8>,
}

impl Sent {
    pub(super) fn new(request: &Request) -> Self {
        let (body, parts) = match &request.body {
            Body::Empty => (Vec::new(), Vec::new()),
            Body::Bytes(bytes) => (bytes.clone(), Vec::new()),
            Body::Blob(blob) => (blob_bytes(blob).to_vec(), Vec::new()),
            Body::Multipart(parts) => (Vec::new(), parts.iter().map(SentPart::new).collect()),
        };
        Self {
            method: request.method.to_ascii_uppercase(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body,
            parts,
            slot: request.slot.clone(),
            delivery: request.delivery,
        }
    }

    /// Method and URL without the query, such as `GET https://api.example.com/notes`.
    pub fn target(&self) -> String {
        format!("{} {}", self.method, self.url.split('?').next().unwrap_or_default())
    }

    /// The URL's path.
    pub fn path(&self) -> &str {
        let url = self.url.split('?').next().unwrap_or_default();
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        url[after_scheme..].find('/').map_or("/", |at| &url[after_scheme + at..])
    }

    /// The path's segments, percent-decoded.
    pub fn segments(&self) -> Vec<String> {
        let segments = self.path().split('/').skip(1);
        segments.map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect()
    }

    /// A query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        pairs(&self.url).find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null for a body that is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as a form's pairs.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

impl SentPart {
    fn new(part: &Part) -> Self {
        let body = match &part.body {
            PartBody::Bytes(bytes) => bytes.clone(),
            PartBody::Blob(blob) => blob_bytes(blob).to_vec(),
        };
        let (name, filename, media_type) = (part.name.clone(), part.filename.clone(), part.media_type.clone());
        Self { name, filename, media_type, body }
    }
}

/// Whether a request fits `METHOD` and a URL in which `{x}` is one segment and a last `**` the rest,
/// and carries every query parameter that the URL names. Gives how many those are.
pub(super) fn fit(sent: &Sent, method: &str, url: &str) -> Option<usize> {
    let place = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    let (wanted, given) = (place(url), place(&sent.url));
    let mut given = given.split('/');
    for segment in wanted.split('/') {
        match (segment, given.next()) {
            ("**", Some(_)) => {
                given = "".split('/');
                given.next();
                break;
            }
            (template, Some(actual)) if template.starts_with('{') && template.ends_with('}') && !actual.is_empty() => {}
            (literal, Some(actual)) if literal == actual => {}
            _ => return None,
        }
    }
    let wanted: Vec<_> = pairs(url).collect();
    let fits = given.next().is_none()
        && sent.method.eq_ignore_ascii_case(method)
        && wanted.iter().all(|pair| pairs(&sent.url).any(|known| known == *pair));
    fits.then_some(wanted.len())
}

fn pairs(url: &str) -> impl Iterator<Item = (String, String)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned()
}
