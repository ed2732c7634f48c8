//! Who is at fault, and whether trying again can help: every error of this crate answers both.

use serde::{Deserialize, Serialize};

/// Who has to change something before the same request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The connector's code: it broke the contract.
    Guest,
    /// This process, its disk or its configuration.
    Host,
    /// The service behind the connector, or the way to it.
    Upstream,
    /// Whoever asked: their arguments, their rights, their order of doing things.
    Caller,
}

/// Implemented by every public error.
pub trait Fault: std::error::Error {
    /// Who is at fault.
    fn blame(&self) -> Blame;

    /// True where the very same request may succeed later without anyone changing anything.
    fn retryable(&self) -> bool {
        false
    }

    /// A stable kebab-case code: what a program decides on, and what the HTTP API shows.
    fn code(&self) -> &'static str;
}
