//! Administrative entries: what is done about connections, grants, connectors, keys and people.

use serde::{Deserialize, Serialize};

use crate::connection::{ConnectionState, Grant};
use crate::ids::{
    CapabilityId, ConnectionId, ConnectorId, Digest, InvocationId, MasterId, SubjectId, TenantId, Timestamp,
};

/// Something that was done beside invocations, or refused. A store writes those about what it keeps by itself, in the
/// transaction that keeps it. None holds a secret or a word of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Note {
    /// The chain begins in a store that had entries already: they follow, in their order.
    Begun {
        /// How many.
        entries: u64,
    },
    /// A connection was made, or made anew.
    ConnectionKept {
        /// Which.
        connection: ConnectionId,
        /// Of which connector.
        connector: ConnectorId,
        /// The account at the provider.
        account: String,
        /// Whose it is; none: the workspace's.
        owner: Option<SubjectId>,
    },
    /// A connection is in another state.
    ConnectionState {
        /// Which.
        connection: ConnectionId,
        /// The state before.
        before: ConnectionState,
        /// The state now.
        state: ConnectionState,
        /// Why.
        reason: Option<String>,
    },
    /// A connection was removed, and its keys destroyed.
    ConnectionRemoved {
        /// Which.
        connection: ConnectionId,
    },
    /// Somebody agreed to connect an account.
    Consented {
        /// Which connection came of it.
        connection: ConnectionId,
        /// Who.
        by: SubjectId,
        /// To what.
        capabilities: Vec<CapabilityId>,
    },
    /// Something was granted, in place of what was before.
    Granted {
        /// All of it, with who granted it.
        grant: Grant,
    },
    /// A grant was withdrawn.
    GrantWithdrawn {
        /// Of which connection.
        connection: ConnectionId,
    },
    /// A connector's version is live.
    ConnectorInstalled {
        /// Which.
        connector: ConnectorId,
        /// Its version.
        version: String,
        /// Its file.
        digest: Digest,
        /// Who signed it, hex of the key; none: unsigned.
        publisher: Option<String>,
    },
    /// A wider version waits for consent.
    ConnectorWaits {
        /// Which.
        connector: ConnectorId,
        /// Its version.
        version: String,
        /// Its file.
        digest: Digest,
    },
    /// A connector was removed.
    ConnectorRemoved {
        /// Which.
        connector: ConnectorId,
        /// The file that was.
        digest: Digest,
    },
    /// A master key wraps nothing any more from here on.
    MasterKeyRetired {
        /// Which.
        master: MasterId,
    },
    /// Data keys were wrapped by another master key.
    KeysRewrapped {
        /// How many.
        keys: u64,
    },
    /// A provider's client was registered.
    ClientRegistered {
        /// At which provider.
        provider: String,
    },
    /// A tenant was made.
    TenantMade {
        /// Which.
        tenant: TenantId,
    },
    /// A tenant was removed, and its keys destroyed.
    TenantRemoved {
        /// Which.
        tenant: TenantId,
    },
    /// A tenant's rules are others.
    RulesSet {
        /// Whether an approver may approve what they asked for.
        self_approval: bool,
    },
    /// An API key was made.
    ApiKeyMade {
        /// Its public part.
        key: String,
        /// What it is for.
        label: String,
    },
    /// An API key was revoked.
    ApiKeyRevoked {
        /// Its public part.
        key: String,
    },
    /// A person was added, or has other roles.
    PersonKept {
        /// Who.
        subject: SubjectId,
        /// Their roles now.
        roles: Vec<crate::caller::Role>,
    },
    /// Something was refused before it became an invocation, or a decision that was not somebody's to make.
    Refused {
        /// To whom.
        by: SubjectId,
        /// What: a tool of a connection, a decision about an invocation.
        what: String,
        /// Stable code.
        code: String,
    },
    /// A sealed secret did not open where it stood: its row was moved or changed.
    SecretMoved {
        /// Where, without any of it.
        place: String,
    },
    /// Somebody read what an invocation asked or was told.
    BodyRead {
        /// Of which invocation.
        invocation: InvocationId,
        /// Which body, by its keyed hash; none: all of them.
        body: Option<String>,
        /// Who.
        by: SubjectId,
    },
    /// Bodies that were older than the retention were forgotten.
    BodiesForgotten {
        /// How many.
        bodies: u64,
        /// Last kept before this.
        before: Timestamp,
    },
}
