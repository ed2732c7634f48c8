//! What a sync is to do, where it is, and what came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::execute::Usage;
use crate::ids::{ConnectionId, StreamId};

/// What a sync is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncOptions {
    /// List everything, so that what vanished is noticed. A stream without a cursor always does.
    pub sweep: bool,
    /// Only these streams; empty: all.
    pub streams: Vec<StreamId>,
    /// Document ids that a webhook named.
    pub hints: Vec<String>,
    /// The longest wait that the service may ask for without a checkpoint in between; a longer one ends the stream's turn.
    pub patience: Duration,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self { sweep: false, streams: Vec::new(), hints: Vec::new(), patience: Duration::from_secs(30) }
    }
}

/// Where a sync is, told after every checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncProgress {
    /// The connection.
    pub connection: ConnectionId,
    /// The stream.
    pub stream: StreamId,
    /// Its name for people.
    pub name: String,
    /// Documents whose content is new or changed, so far.
    pub documents: u64,
    /// Documents that were listed and had not changed, so far.
    pub unchanged: u64,
    /// Deletions so far.
    pub deleted: u64,
    /// Checkpoints so far.
    pub checkpoints: u64,
}

/// What became of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// The stream.
    pub stream: String,
    /// Its name for people.
    pub name: String,
    /// Pulls made.
    pub pulls: u32,
    /// Checkpoints made.
    pub checkpoints: u64,
    /// Documents whose content is new or changed.
    pub documents: u64,
    /// Documents that were emitted or seen and had not changed.
    pub unchanged: u64,
    /// Documents that the source said are deleted.
    pub deleted: u64,
    /// Access and membership changes.
    pub access: u64,
    /// Documents outside the grant's containers: not kept.
    #[serde(default)]
    pub refused: u64,
    /// True if everything was listed.
    pub swept: bool,
    /// Documents that a sweep missed.
    pub missing: u64,
    /// Of these, those that the provider says are gone: forgotten.
    pub gone: u64,
    /// Of these, those that wait for a second sweep, because so many vanished at once.
    pub waiting: u64,
    /// The service asked to come back after so many milliseconds.
    pub wait_millis: Option<u64>,
    /// Why the stream was not finished; its cursor is where the last checkpoint left it.
    pub error: Option<StreamError>,
}

impl StreamReport {
    /// Why the stream is not up to date, in words, if it is not: it failed, or the service asked to come back later.
    #[must_use]
    pub fn unfinished(&self) -> Option<String> {
        match (&self.error, self.wait_millis) {
            (Some(error), _) => Some(format!("{}: {}", self.name, error.message)),
            (None, Some(millis)) => Some(format!("{}: the service asks to come back in {millis} ms", self.name)),
            (None, None) => None,
        }
    }
}

/// Why a stream was not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamError {
    /// Stable code.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether trying again can help.
    pub retryable: bool,
}

/// What a sync did and took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// Each stream.
    pub streams: Vec<StreamReport>,
    /// CPU time of guest code.
    pub guest_cpu: Duration,
    /// CPU time of the guest's host calls, in the task that ran it; the store's own threads are not in it.
    pub host_cpu: Duration,
    /// The most linear memory that an execution held at a time, in bytes.
    pub peak_guest_memory: u64,
    /// Wall time.
    pub wall: Duration,
}

impl SyncReport {
    pub(super) fn add(&mut self, usage: Usage) {
        self.guest_cpu += usage.guest;
        self.host_cpu += usage.host;
        self.peak_guest_memory = self.peak_guest_memory.max(usage.peak_memory as u64);
    }
}
