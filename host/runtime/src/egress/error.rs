//! Why nothing was sent, or why nothing came back.

use std::net::IpAddr;

use crate::blame::{Blame, Fault};
use crate::credentials::CredentialError;
use crate::ports::StoreError;

/// Why a request does not pass the gate. Nothing was sent. Each names what would allow it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request cannot be read in one way only.
    #[error("{0}")]
    Malformed(String),
    /// The URL's origin is none that the manifest declares.
    #[error(
        "{origin} is no origin of this connector, which declares {declared}: add it to [origins] in connector.toml"
    )]
    Origin {
        /// What was asked for.
        origin: String,
        /// What there is.
        declared: String,
    },
    /// No route of the connector matches.
    #[error("no route allows {request}: add \"{template}\" to a capability in connector.toml")]
    NoRoute {
        /// Method, origin and path.
        request: String,
        /// The route that would match.
        template: String,
    },
    /// A route matches, of a capability that nobody granted.
    #[error("{request} needs {capability}, which is not granted; an admin can grant it: {cure}")]
    NotGranted {
        /// Method, origin and path.
        request: String,
        /// The capability.
        capability: String,
        /// The command.
        cure: String,
    },
    /// The grant has ended while this was running.
    #[error("the grant of {connection} has expired; an admin can prolong it: {cure}")]
    Expired {
        /// The connection.
        connection: String,
        /// The command.
        cure: String,
    },
    /// A route matches, of a granted capability that this invocation does not have.
    #[error("{request} needs {capability}, which is not live in {standing} (live: {live}): {cure}")]
    NotLive {
        /// Method, origin and path.
        request: String,
        /// The capability.
        capability: String,
        /// What runs.
        standing: String,
        /// What it has.
        live: String,
        /// The line that would allow it.
        cure: String,
    },
    /// A route matches, but not what the request carries.
    #[error("{0}")]
    Parameters(String),
    /// A header that is not the guest's to set.
    #[error("the header {name} is not the connector's to set; it may set {allowed}")]
    Header {
        /// The header.
        name: String,
        /// Those that it may set.
        allowed: String,
    },
    /// A parameter that could carry somebody else's credential to an allowed host.
    #[error("the parameter {name} in the {place} looks like a credential: the host attaches credentials, by slot")]
    Credential {
        /// The parameter.
        name: String,
        /// `query`, `body` or `multipart`.
        place: &'static str,
    },
    /// A slot that the matching capability does not have.
    #[error("{capability} has no slot {slot}; it has {slots}")]
    Slot {
        /// The slot.
        slot: String,
        /// The capability.
        capability: String,
        /// Its slots.
        slots: String,
    },
    /// The host's name leads to an address that is not public.
    #[error("{host} leads to {address}, which is no public address; an operator can re-point the origin: {cure}")]
    Address {
        /// The host.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What to write.
        cure: String,
    },
    /// The slot's secret may not go to this origin.
    #[error(
        "the secret in slot {slot} may not go to {origin}: the provider registry or the manifest does not allow it"
    )]
    SecretOrigin {
        /// The slot.
        slot: String,
        /// The origin.
        origin: String,
    },
    /// A write without its record, or with that of another.
    #[error("{request} is a write and there is no record of it")]
    Unrecorded {
        /// Method, origin and path.
        request: String,
    },
}

impl Fault for Refusal {
    fn blame(&self) -> Blame {
        match self {
            Self::NotGranted { .. } | Self::Expired { .. } => Blame::Caller,
            Self::Address { .. } => Blame::Upstream,
            Self::Unrecorded { .. } => Blame::Host,
            _ => Blame::Guest,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Origin { .. } => "origin",
            Self::NoRoute { .. } => "no-route",
            Self::NotGranted { .. } => "not-granted",
            Self::Expired { .. } => "expired",
            Self::NotLive { .. } => "not-live",
            Self::Parameters(_) => "parameter",
            Self::Header { .. } => "header",
            Self::Credential { .. } => "credential-parameter",
            Self::Slot { .. } => "slot",
            Self::Address { .. } => "address",
            Self::SecretOrigin { .. } => "secret-origin",
            Self::Unrecorded { .. } => "unrecorded",
        }
    }
}

/// Why a request gave no answer. For a write, only [`InDoubt`](Self::InDoubt), [`TooLarge`](Self::TooLarge) and
/// [`SecretInResponse`](Self::SecretInResponse) leave room for an effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// It does not pass the gate; nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too long to wait here; nothing was changed.
    #[error("the service's limits ask to wait {millis} ms")]
    Throttled {
        /// How long, at most an hour.
        millis: u64,
    },
    /// The provider no longer takes the secret; one refresh was tried where there is one.
    #[error("the connection needs to be authorised again: {0}")]
    NeedsReauth(String),
    /// No byte was written.
    #[error("the service cannot be reached: {0}")]
    Unreachable(String),
    /// A read had no whole answer.
    #[error("the service's answer broke off: {0}")]
    Interrupted(String),
    /// A write may or may not have taken effect.
    #[error("a write was sent and nobody knows whether it took effect: {0}")]
    InDoubt(String),
    /// The decoded answer is larger than allowed; the write, if it was one, was answered.
    #[error("the service's answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The answer held a secret and was dropped, and the connection is flagged; a write was answered.
    #[error("the service's answer held the connection's secret: it was dropped and the connection is flagged")]
    SecretInResponse,
    /// Sealing, client registration or the token endpoint failed.
    #[error(transparent)]
    Credentials(CredentialError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host's own fault.
    #[error("the host failed: {0}")]
    Host(String),
}

impl From<CredentialError> for EgressError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::NeedsReauth(why) => Self::NeedsReauth(why),
            CredentialError::Unreachable(why) => Self::Unreachable(why),
            CredentialError::Store(error) => Self::Store(error),
            other => Self::Credentials(other),
        }
    }
}

impl Fault for EgressError {
    fn blame(&self) -> Blame {
        match self {
            Self::Refused(refusal) => refusal.blame(),
            Self::Credentials(error) => error.blame(),
            Self::Store(error) => error.blame(),
            Self::Host(_) => Blame::Host,
            _ => Blame::Upstream,
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unreachable(_) | Self::Interrupted(_) => true,
            Self::Credentials(error) => error.retryable(),
            Self::Store(error) => error.retryable(),
            _ => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Throttled { .. } => "throttled",
            Self::NeedsReauth(_) => "needs-reauth",
            Self::Unreachable(_) => "unreachable",
            Self::Interrupted(_) => "interrupted",
            Self::InDoubt(_) => "write-in-doubt",
            Self::TooLarge { .. } => "too-large",
            Self::SecretInResponse => "secret-in-response",
            Self::Credentials(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Host(_) => "host",
        }
    }
}
