//! What the runtime needs kept: the traits that an embedder implements, or takes from `sallyport-store`.
//!
//! Each call that acts for an invocation is told its [`Authority`](crate::Authority): tenant, caller, connection,
//! fence. An implementation refuses what does not belong to that tenant and what carries an older fence.

mod catalog;
mod directory;
mod entry;
mod journal;
mod limiter;
mod links;
mod sink;
mod vault;

pub use catalog::{Catalog, Installed};
pub use directory::{Directory, Granted, TenantRules};
pub use entry::{
    Decision, DecisionKind, Divergence, Effect, EffectState, End, Entry, Event, Hold, Settlement, SettlementKind, State,
};
pub use journal::{
    BodyRef, Claim, Durability, Filter, Journal, Plan, RECORDING, Record, SealedBody, Standing, Summary, WriteSummary,
};
pub use limiter::{Bucket, Limiter, Per, Rate};
pub use links::{Asker, Flight, Link, LinkAsk, LinkStatus, Links};
pub use sink::{Batch, Committed, Finish, Lease, PullState, Sink};
pub use vault::{KeyScope, Rewrap, SealedSecret, SecretState, Vault, WrappedKey};

use crate::blame::{Blame, Fault};

/// Why a store could not do it. The state before is intact in every case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Absent, or of another tenant: one case, on purpose.
    #[error("{what} not found")]
    NotFound {
        /// What was asked for, by kind and id.
        what: String,
    },
    /// Someone else was first: the state, generation or fence is no longer what the caller believed.
    #[error("{what} has changed meanwhile: {found}")]
    Conflict {
        /// What was to be changed.
        what: String,
        /// What it is now.
        found: String,
    },
    /// A lease is held by another process, which is alive.
    #[error("{what} is being worked on by another process; try again in {millis} ms")]
    Held {
        /// What is leased.
        what: String,
        /// When the lease ends at the latest.
        millis: u64,
    },
    /// The disk is full or the file system refuses to write.
    #[error("the store cannot write: {reason}; free some space or move the data directory (--data), nothing was lost")]
    Full {
        /// What the file system said.
        reason: String,
    },
    /// The data was made by a newer version.
    #[error("the data directory has format {found}, this version reads up to {known}: use the version that made it")]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// Anything else that the store's library said.
    #[error("the store failed: {0}")]
    Other(String),
}

impl Fault for StoreError {
    fn blame(&self) -> Blame {
        match self {
            Self::NotFound { .. } | Self::Conflict { .. } => Blame::Caller,
            _ => Blame::Host,
        }
    }

    fn retryable(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Conflict { .. } => "conflict",
            Self::Held { .. } => "busy",
            Self::Full { .. } => "disk-full",
            Self::Newer { .. } => "newer-format",
            Self::Other(_) => "store",
        }
    }
}

/// What every port answers.
pub type StoreResult<T> = Result<T, StoreError>;
