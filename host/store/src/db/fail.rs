//! What can go wrong inside the store, and what each caller is told of it.

use std::io;

use rusqlite::ErrorCode;
use sallyport::ports::StoreError;

/// An error on its way out of a transaction, which is rolled back.
#[derive(Debug)]
pub(crate) enum Fail {
    /// Said by SQLite.
    Sql(rusqlite::Error),
    /// Said by this crate.
    Said(StoreError),
}

pub(crate) type Outcome<T> = Result<T, Fail>;

impl Fail {
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::Said(StoreError::NotFound { what: what.into() })
    }

    pub(crate) fn conflict(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Said(StoreError::Conflict { what: what.into(), found: found.into() })
    }

    pub(crate) fn held(what: impl Into<String>, millis: u64) -> Self {
        Self::Said(StoreError::Held { what: what.into(), millis })
    }

    pub(crate) fn other(reason: impl ToString) -> Self {
        Self::Said(StoreError::Other(reason.to_string()))
    }

    /// What the file system said, outside the database.
    pub(crate) fn file(error: &io::Error, what: &str) -> Self {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let reason = format!("{what}: {error}");
        Self::Said(match error.kind() {
            StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied => StoreError::Full { reason },
            _ => StoreError::Other(reason),
        })
    }

    /// Told to each of several jobs whose common transaction failed.
    pub(crate) fn again(&self) -> Self {
        let error = match self {
            Self::Sql(error) => said(error),
            Self::Said(error) => StoreError::Other(error.to_string()),
        };
        Self::Said(error)
    }
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Said(error)
    }
}

impl From<serde_json::Error> for Fail {
    fn from(error: serde_json::Error) -> Self {
        Self::other(format!("a stored value cannot be read: {error}"))
    }
}

impl From<Fail> for StoreError {
    fn from(fail: Fail) -> Self {
        match fail {
            Fail::Sql(error) => said(&error),
            Fail::Said(error) => error,
        }
    }
}

impl From<Fail> for sallyport_index::StoreError {
    fn from(fail: Fail) -> Self {
        match StoreError::from(fail) {
            error @ (StoreError::Held { .. } | StoreError::Full { .. }) => Self::Unavailable(Box::new(error)),
            error => Self::Failed(Box::new(error)),
        }
    }
}

/// How long SQLite waits for another process's transaction before it says "busy".
pub(crate) const BUSY_MILLIS: u64 = 10_000;

fn said(error: &rusqlite::Error) -> StoreError {
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly) => StoreError::Full { reason },
        // What SQLite reads it has read before or can read again: an I/O error of a healthy disk is a failed write.
        Some(ErrorCode::SystemIoFailure) => StoreError::Full { reason },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Held { what: "the database".into(), millis: BUSY_MILLIS }
        }
        _ => StoreError::Other(reason),
    }
}
