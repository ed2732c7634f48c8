//! Giving a service's documents to the host.

use serde::de::DeserializeOwned;

use crate::Failure;
use crate::documents::Sink;

/// The sync of a connector; name the type after `sync:` in [`export!`](crate::export).
///
/// Each call runs in a fresh instance, so nothing is kept between them but the cursor.
///
/// ```
/// use sallyport_sdk::prelude::*;
///
/// struct Notes;
///
/// impl sync::Sync for Notes {
///     fn streams() -> Result<Vec<Stream>, Failure> {
///         Ok(vec![Stream::new("notes", "Notes")])
///     }
///
///     fn pull(job: &Job, sink: &mut Sink) -> Result<Outcome, Failure> {
///         let seen: u32 = job.cursor()?.unwrap_or(0);
///         sink.upsert(Document::new("n1", "note", "Milk").text("Two litres.").access(Acl::new().reader(Principal::ConnectionAudience)))?;
///         sink.checkpoint(&(seen + 1))?;
///         Ok(Outcome::Complete(Coverage::Whole))
///     }
/// }
/// ```
pub trait Sync {
    /// The streams of this connection. Each has a cursor of its own: a drive, a set of channels, a board.
    fn streams() -> Result<Vec<Stream>, Failure>;

    /// Gives what changed since the job's cursor, or everything in a sweep. What was staged becomes
    /// visible at [`Sink::checkpoint`]; changes left without one make the pull fail.
    fn pull(job: &Job, sink: &mut Sink) -> Result<Outcome, Failure>;

    /// What became of documents that a sweep did not list, one answer an id, in order. Only
    /// [`Presence::Gone`] is deleted. By default nothing is known.
    fn probe(ids: &[String]) -> Result<Vec<Presence>, Failure> {
        Ok(vec![Presence::InDoubt; ids.len()])
    }
}

/// Something with one cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Stable: the cursor is kept under it.
    pub id: String,
    /// For people.
    pub name: String,
}

impl Stream {
    /// A stream.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into() }
    }
}

/// What one pull is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// Which stream.
    pub stream: String,
    /// As the last checkpoint left it; [`cursor`](Self::cursor) reads it. `None` at the very first pull.
    pub cursor: Option<String>,
    /// True from a sweep's first pull until it completes: list everything.
    pub sweep: bool,
    /// Ids of documents that a webhook named; they may be fetched first.
    pub hints: Vec<String>,
}

impl Job {
    /// A first pull of a stream.
    pub fn new(stream: impl Into<String>) -> Self {
        Self { stream: stream.into(), ..Self::default() }
    }

    /// The cursor as the type that [`Sink::checkpoint`] wrote. One that cannot be read, because an
    /// older version of the connector wrote it, is the failure `unreadable-cursor`.
    pub fn cursor<C: DeserializeOwned>(&self) -> Result<Option<C>, Failure> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        serde_json::from_str(cursor)
            .map(Some)
            .map_err(|error| Failure::other("unreadable-cursor", format!("stream {}: {error}", self.stream)))
    }
}

/// How a pull ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do now.
    Complete(Coverage),
    /// Call again at once.
    More,
    /// Call again after so many milliseconds.
    Wait(u64),
}

/// How much a completed pull saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Everything. After a sweep the host asks [`Sync::probe`] about what was not seen.
    Whole,
    /// Not everything: nothing follows from what was not seen.
    Partial,
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Still there.
    Present,
    /// Deleted, or no longer to be seen by this account.
    Gone,
    /// The service did not say.
    InDoubt,
}
