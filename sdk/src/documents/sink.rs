//! Where a pull puts what it found.

use serde::Serialize;

use super::{Access, Change, Container, Document, Membership, Person};
use crate::{Failure, Problem, backend};

/// Staged changes are handed over when there are this many of them…
const BATCH_CHANGES: usize = 256;
/// …or when they come to this many bytes; the host takes 4 MiB in one call.
const BATCH_BYTES: usize = 1024 * 1024;

/// Takes what a pull found. Nothing is visible before [`checkpoint`](Self::checkpoint); at most
/// 64 MiB may be staged between two of them.
#[derive(Debug, Default)]
pub struct Sink {
    batch: Vec<Change>,
    weight: usize,
    staged: bool,
}

/// Why the host did not take changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A change that makes no sense. The connector's to mend.
    #[error("invalid change: {0}")]
    Invalid(Problem),
    /// More than may be staged: checkpoint more often.
    #[error("too much staged: {0}")]
    TooMuch(Problem),
    /// The host ends this pull.
    #[error("the host ended this pull")]
    Stopped,
    /// Anything else.
    #[error("{0}")]
    Other(Problem),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(problem) | Error::TooMuch(problem) | Error::Other(problem) => Self::Other(problem),
            Error::Stopped => Self::other("stopped", error.to_string()),
        }
    }
}

impl Sink {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Stages a change.
    pub fn emit(&mut self, change: Change) -> Result<(), Error> {
        self.weight += change.weight();
        self.batch.push(change);
        if self.batch.len() >= BATCH_CHANGES || self.weight >= BATCH_BYTES { self.hand_over() } else { Ok(()) }
    }

    /// Stages a document as it is now.
    pub fn upsert(&mut self, document: Document) -> Result<(), Error> {
        self.emit(Change::Upsert(document))
    }

    /// Stages who may read a document whose content is unchanged. In a sweep say [`seen`](Self::seen), too.
    pub fn set_access(&mut self, id: impl Into<String>, access: impl Into<Access>) -> Result<(), Error> {
        self.emit(Change::SetAccess { id: id.into(), access: access.into() })
    }

    /// Stages that a sweep listed these, unchanged.
    pub fn seen<S: Into<String>>(&mut self, ids: impl IntoIterator<Item = S>) -> Result<(), Error> {
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        if ids.is_empty() { Ok(()) } else { self.emit(Change::Seen(ids)) }
    }

    /// Stages that a document is gone.
    pub fn delete(&mut self, id: impl Into<String>) -> Result<(), Error> {
        self.emit(Change::Delete(id.into()))
    }

    /// Stages a container as it is now.
    pub fn upsert_container(&mut self, container: Container) -> Result<(), Error> {
        self.emit(Change::UpsertContainer(container))
    }

    /// Stages that a container is gone.
    pub fn delete_container(&mut self, id: impl Into<String>) -> Result<(), Error> {
        self.emit(Change::DeleteContainer(id.into()))
    }

    /// Stages who is in a group.
    pub fn members(&mut self, membership: Membership) -> Result<(), Error> {
        self.emit(Change::Members(membership))
    }

    /// Stages that a group is gone.
    pub fn delete_group(&mut self, group: impl Into<String>) -> Result<(), Error> {
        self.emit(Change::DeleteGroup(group.into()))
    }

    /// Stages whose user id that is.
    pub fn person(&mut self, person: Person) -> Result<(), Error> {
        self.emit(Change::Person(person))
    }

    /// The revisions that the host has stored, one an id, in order, to skip what has not changed.
    pub fn revisions<S: Into<String>>(&self, ids: impl IntoIterator<Item = S>) -> Result<Vec<Option<String>>, Error> {
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        if ids.is_empty() { Ok(Vec::new()) } else { backend::revisions(ids) }
    }

    /// Makes everything staged and the cursor durable, or nothing. The cursor is kept as JSON, at
    /// most 1 MiB; [`Job::cursor`](crate::sync::Job::cursor) reads it in the next pull.
    pub fn checkpoint(&mut self, cursor: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let cursor = serde_json::to_string(cursor)
            .map_err(|error| Error::Invalid(Problem::new("invalid-cursor", error.to_string())))?;
        self.hand_over()?;
        backend::checkpoint(cursor)?;
        self.staged = false;
        Ok(())
    }

    /// Whether changes were staged that no checkpoint made durable.
    pub(crate) fn is_uncommitted(&self) -> bool {
        self.staged || !self.batch.is_empty()
    }

    fn hand_over(&mut self) -> Result<(), Error> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.weight = 0;
        self.staged = true;
        backend::emit(std::mem::take(&mut self.batch))
    }
}
