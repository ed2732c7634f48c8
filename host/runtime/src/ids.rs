//! Identifiers. Each is its own type, so that a connection can never stand where a tenant is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use sallyport_pack::ids::{CapabilityId, ConnectorId, OriginName, ProviderId, SlotName, ToolName};
pub use sallyport_pack::signature::Publisher;

/// Milliseconds since 1970-01-01T00:00:00Z, as in the WIT package's `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment plus `millis`, saturating.
    #[must_use]
    pub fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is; where an id comes from outside, the store's lookup is its check.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_id! {
    /// A customer of whoever hosts the runtime. Nothing crosses tenants.
    TenantId,
    /// Who is asking, within a tenant: an OIDC subject or a built-in user's name.
    SubjectId,
    /// An authorised account at one service, in one tenant.
    ConnectionId,
    /// A tenant's consent for one connection.
    GrantId,
    /// What document ids are unique in: (tenant, connector, provider, workspace or account), as one opaque key.
    SourceId,
    /// A stream of a source, as the connector named it. One cursor each.
    StreamId,
    /// An attempt to connect: a hash of what stands in the link, so that who knows the id cannot follow the link.
    LinkId,
    /// One execution of one export for one connection. UUIDv7: sorts by start.
    InvocationId,
}

impl InvocationId {
    /// A new id, later than every earlier one of this process.
    #[must_use]
    pub fn fresh() -> Self {
        Self::new(uuid::Uuid::now_v7().to_string())
    }
}

impl ConnectionId {
    /// A new random id.
    #[must_use]
    pub fn fresh() -> Self {
        Self::new(format!("con_{}", uuid::Uuid::new_v4().simple()))
    }
}

impl GrantId {
    /// A new random id.
    #[must_use]
    pub fn fresh() -> Self {
        Self::new(format!("gra_{}", uuid::Uuid::new_v4().simple()))
    }
}

/// SHA-256 of a component file, lower-case hex: what "the same connector" means.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(Arc<str>);

impl Digest {
    /// Digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(hex::encode(sha2::Sha256::digest(bytes)).into())
    }

    /// Reads 64 hex digits as stored; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// Lower-case hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

/// How people read the id of a host's first master key.
const FIRST: &str = "first";

/// Which master key wrapped a data key. A host's first one has no name: what it wrapped says none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MasterId(Option<Arc<str>>);

impl MasterId {
    /// A host's first master key.
    pub const FIRST: Self = Self(None);

    /// A new one.
    #[must_use]
    pub fn fresh() -> Self {
        Self(Some(hex::encode(rand::random::<[u8; 8]>()).into()))
    }

    /// The one of this name: 1 to 64 of `a-z`, `0-9` and `-`, and not `first`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let well_formed = (1..=64).contains(&name.len()) && name.bytes().all(plain) && name != FIRST;
        well_formed.then(|| Self(Some(name.into())))
    }

    /// Its name; `None` for the first.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or(FIRST))
    }
}
