//! The folder of a lexical index: one writer at a time, across processes.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// Held while the folder is written or built; released when dropped or when the process ends.
pub(crate) struct Guard(#[allow(dead_code, reason = "held for its lock")] File);

impl Guard {
    /// None if another process, or another index of this one, holds it.
    pub(crate) fn try_acquire(path: &Path) -> Result<Option<Self>, LexicalError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = File::create(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// Why the folder could not be used. All of it can be cured by building it again, but for a disk
/// that refuses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LexicalError {
    #[error("{0}")]
    Index(String),
    #[error(transparent)]
    File(#[from] io::Error),
    #[error("it was built again by another process")]
    Replaced,
    #[error("it was closed for a check")]
    Closed,
}

impl From<tantivy::TantivyError> for LexicalError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Index(error.to_string())
    }
}

/// Removes what is there and leaves an empty folder.
pub(super) fn empty(path: &Path, _guard: &Guard) -> Result<(), LexicalError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    Ok(fs::create_dir_all(path)?)
}
