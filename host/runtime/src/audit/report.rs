//! What came of verifying a chain.

use serde::{Deserialize, Serialize};

use crate::ids::InvocationId;

/// A chain, looked through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainReport {
    /// The tenant's id; empty for the host's own.
    pub chain: String,
    /// Links that it has.
    pub links: u64,
    /// Up to which link the host's signature reaches; none: it was never signed.
    pub signed: Option<u64>,
    /// Up to which link an anchor reaches, if anchors were given.
    pub anchored: Option<u64>,
    /// Up to which link this can be vouched for: everything up to there is as it was recorded.
    pub vouched: u64,
    /// The first link that is not as it was recorded.
    pub bad: Option<Bad>,
}

/// A link that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// What it stands for.
    pub stands_for: Place,
    /// What is wrong, for people.
    pub what: String,
}

/// What a link stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Place {
    /// An entry of an invocation.
    Entry {
        /// Which invocation.
        invocation: InvocationId,
        /// Its place in it, from 0.
        seq: u64,
    },
    /// A note.
    Note,
    /// It is not there.
    Nothing,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry { invocation, seq } => write!(f, "entry {seq} of invocation {invocation}"),
            Self::Note => f.write_str("an administrative entry"),
            Self::Nothing => f.write_str("nothing that is there"),
        }
    }
}
