//! What is wrong with a manifest.

use std::fmt;

/// One thing that is wrong: where, what, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `capability[1].routes[0]`; empty for the whole file.
    pub path: String,
    /// What is wrong there, and how to write it.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Everything that is wrong with a manifest, in the order of the file's sections. Its author mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the manifest has {} problem{}{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, lines(.0))]
pub struct ManifestErrors(Vec<Problem>);

impl ManifestErrors {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// The problems; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
