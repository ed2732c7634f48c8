//! Running a connector natively, in ordinary unit tests, against a host that is made up.
//!
//! [`FakeHost`] answers requests as it was told to and keeps what the connector did. It belongs to
//! the thread that runs it, so tests run in parallel. It stands in for the host, not for its
//! checks: routes, grants and secrets are judged by the real one.
//!
//! ```
//! use sallyport_sdk::http;
//! use sallyport_sdk::testing::{FakeHost, Reply};
//! use serde_json::json;
//!
//! let host = FakeHost::new()
//!     .respond("GET", "https://api.example.com/notes?page=2", json!([{ "id": "n2" }]))
//!     .respond("GET", "https://api.example.com/notes", json!([{ "id": "n1" }]))
//!     .respond_with("DELETE", "https://api.example.com/notes/{id}", |request| {
//!         if request.path().ends_with("/n1") { Reply::status(204) } else { Reply::text(404, "no such note") }
//!     });
//! host.run(|| {
//!     assert_eq!(http::delete("https://api.example.com/notes/n1").send().unwrap().status(), 204);
//! });
//! assert_eq!(host.requests()[0].method, "DELETE");
//! ```

mod fake;
mod reply;
mod sent;
mod stored;
mod trials;

use std::rc::Rc;

pub use fake::FakeHost;
pub use reply::Reply;
pub use sent::{Sent, SentPart};
pub use stored::Stored;

use crate::blobs::Blob;
use crate::clock::Timestamp;
use crate::credentials::Facts;
use crate::documents::{self, Change};
use crate::http::{self, Request, Response};
use crate::log::Severity;
use crate::{Problem, backend};

/// What a connector calls. [`FakeHost`] is one; a test that wants real requests brings its own.
pub trait Host {
    /// Sends a request.
    fn send(&self, request: Request) -> Result<Response, http::Error>;
    /// Sends reads, at most [`http::BATCH`]; answers in the order asked.
    fn send_all(&self, requests: Vec<Request>) -> Vec<Result<Response, http::Error>> {
        requests.into_iter().map(|request| self.send(request)).collect()
    }
    /// Opens a file that the caller named.
    fn open_blob(&self, id: &str) -> Result<Blob, Problem>;
    /// Takes bytes.
    fn create_blob(&self, media_type: &str, bytes: Vec<u8>) -> Result<Blob, Problem> {
        Ok(blob(Some(media_type), bytes))
    }
    /// Stages changes.
    fn emit(&self, changes: Vec<Change>) -> Result<(), documents::Error>;
    /// Makes what was staged durable, with the cursor.
    fn checkpoint(&self, cursor: String) -> Result<(), documents::Error>;
    /// Stored revisions, one an id.
    fn revisions(&self, ids: Vec<String>) -> Result<Vec<Option<String>>, documents::Error>;
    /// About the bound connection.
    fn facts(&self) -> Facts;
    /// The time.
    fn now(&self) -> Timestamp;
    /// Random bytes.
    fn random(&self, length: u32) -> Vec<u8>;
    /// Takes a line of the log.
    fn log(&self, severity: Severity, message: &str, fields: Vec<(String, String)>);
}

/// Runs `f` with its host calls going to `host`.
pub fn run<T>(host: Rc<dyn Host>, f: impl FnOnce() -> T) -> T {
    backend::native::with_host(host, f)
}

/// A blob for a [`Host`] to give.
pub fn blob(media_type: Option<&str>, bytes: Vec<u8>) -> Blob {
    Blob(backend::Blob::new(media_type.map(str::to_owned), bytes))
}

/// What a blob holds, however much of it was read.
pub fn blob_bytes(blob: &Blob) -> &[u8] {
    blob.0.whole()
}
