//! The only way out: every request must match a route of a capability that is live now.
//!
//! ```
//! # use sallyport_sdk::prelude::*;
//! # use sallyport_sdk::testing::FakeHost;
//! # #[derive(Deserialize)]
//! # struct Board { name: String }
//! # let host = FakeHost::new().respond("GET", "https://api.example.com/1/boards/{id}", serde_json::json!({ "name": "Launch" }));
//! # host.run(|| {
//! let url = http::url("https://api.example.com/1", ["boards", "b 1"]);
//! let board: Board = http::get(url).query("fields", "name").send()?.ok()?.json()?;
//! assert_eq!(board.name, "Launch");
//! # Ok::<_, Failure>(())
//! # }).unwrap();
//! ```

mod error;
mod request;
mod response;
mod written;

pub use error::Error;
pub use request::{Body, Delivery, Part, PartBody, Request};
pub use response::Response;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use written::forget as forget_writes;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::backend;

/// The most requests that the host takes at once; [`send_all`] sends in batches of it.
pub const BATCH: usize = 32;

/// What may stand in a path segment as it is (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A GET of an absolute https URL.
pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

/// A POST to an absolute https URL.
pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

/// A PUT to an absolute https URL.
pub fn put(url: impl Into<String>) -> Request {
    request("PUT", url)
}

/// A PATCH to an absolute https URL.
pub fn patch(url: impl Into<String>) -> Request {
    request("PATCH", url)
}

/// A DELETE of an absolute https URL.
pub fn delete(url: impl Into<String>) -> Request {
    request("DELETE", url)
}

/// A request of any method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request::new(method.into(), url.into())
}

/// `base` with path segments, each percent-encoded, so that an id can never change the path.
///
/// ```
/// use sallyport_sdk::http;
/// assert_eq!(http::url("https://api.example.com/v3", ["files", "a/b?c"]), "https://api.example.com/v3/files/a%2Fb%3Fc");
/// ```
pub fn url<S: AsRef<str>>(base: &str, segments: impl IntoIterator<Item = S>) -> String {
    let mut url = base.trim_end_matches('/').to_owned();
    for segment in segments {
        url.push('/');
        url.extend(utf8_percent_encode(segment.as_ref(), SEGMENT));
    }
    url
}

/// Sends reads, up to 32 at once; the answers come in the order asked. Inline answers may be 16 MiB
/// in all for each 32.
pub fn send_all(requests: impl IntoIterator<Item = Request>) -> Vec<Result<Response, Error>> {
    let mut answers = Vec::new();
    let mut batch = Vec::new();
    for request in requests {
        batch.push(request);
        if batch.len() == BATCH {
            send_batch(&mut batch, &mut answers);
        }
    }
    send_batch(&mut batch, &mut answers);
    answers
}

fn send_batch(batch: &mut Vec<Request>, answers: &mut Vec<Result<Response, Error>>) {
    // A request that could not be built is answered here, in its place, and never sent.
    let mut places = Vec::with_capacity(batch.len());
    let mut sendable = Vec::with_capacity(batch.len());
    for request in batch.drain(..) {
        match request.built() {
            Ok(request) => {
                places.push(None);
                sendable.push(request);
            }
            Err(error) => places.push(Some(error)),
        }
    }
    if sendable.is_empty() {
        answers.extend(places.into_iter().flatten().map(Err));
        return;
    }
    let mut sent = backend::send_all(sendable).into_iter();
    answers.extend(places.into_iter().map(|place| match place {
        Some(error) => Err(error),
        None => sent.next().unwrap_or_else(|| Err(Error::Interrupted("the host gave too few answers".into()))),
    }));
}
