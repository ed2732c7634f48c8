//! Connections and grants as the runtime reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{
    CapabilityId, ConnectionId, ConnectorId, GrantId, ProviderId, SourceId, SubjectId, TenantId, Timestamp,
};

/// Who owns a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "subject")]
pub enum Owner {
    /// Made by an admin; syncs; acts as the bot and says so.
    Workspace,
    /// A person's: tools run as them, and only they may use it.
    Person(SubjectId),
}

/// Whether a connection works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Usable.
    Active,
    /// Usable, as far as is known: the last check did not come through, or something optional of it does not work.
    Degraded,
    /// The provider no longer takes its secret, or nobody can tell whether it does: a person has to connect again.
    /// Documents, cursors and grants stay.
    NeedsReauth,
    /// The authorisation was taken back, here or at the provider. Connecting again brings everything back.
    Revoked,
    /// An answer held one of its secrets; nothing runs until an operator looked (`connect clear`).
    Flagged,
}

impl ConnectionState {
    /// Whether calls and syncs may run.
    #[must_use]
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Active | Self::Degraded)
    }

    /// Whether connecting again is what helps.
    #[must_use]
    pub fn wants_consent(self) -> bool {
        matches!(self, Self::NeedsReauth | Self::Revoked)
    }
}

/// An authorised account at one service, in one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id, unique over all tenants.
    pub id: ConnectionId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The connector that it runs.
    pub connector: ConnectorId,
    /// The provider, an entry of the host's registry.
    pub provider: ProviderId,
    /// The `[[auth]]` flavour of the manifest that made it.
    pub auth: String,
    /// Who owns it.
    pub owner: Owner,
    /// A name for people; the CLI takes it in place of the id.
    pub name: String,
    /// The account at the provider, as `identify` gave it.
    pub account: String,
    /// The account's name for people.
    pub account_name: String,
    /// The workspace at the provider, where it has one.
    pub workspace: Option<String>,
    /// What its document ids are unique in.
    pub source: SourceId,
    /// Subjects (as e-mail addresses, or `domain:x`) that `connection-audience` stands for; empty: the owner.
    pub audience: Vec<String>,
    /// The manifest's `[[setting]]` values.
    pub settings: BTreeMap<String, String>,
    /// Whether it works.
    pub state: ConnectionState,
    /// Why it is in that state, for a person who can do something about it; none while it is active.
    pub reason: Option<String>,
    /// When the service last said whose account it is.
    pub checked: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
}

/// How a capability's writes are to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Policy alone decides.
    Auto,
    /// A person decides, always. The default for every capability that writes.
    Ask,
    /// Never.
    Deny,
}

/// What bounds everything that a grant allows; [`crate::constraint`] is how people write it. Empty: no constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constraints {
    /// Only what stands in containers with these ids, or under them, is kept, and only to these is written. The sink and
    /// the runtime's gate hold to it.
    pub containers: Option<Vec<String>>,
    /// Beyond whom nobody finds anything of the connection, whatever the source says. The store holds searches to it.
    pub audience_ceiling: Option<String>,
    /// Writes in any 24 hours, over all invocations.
    pub writes_per_day: Option<u32>,
    /// From then on nothing is granted, nor sent by what was already running.
    pub expires: Option<Timestamp>,
}

/// A tenant's consent to a set of capabilities for one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The tenant that consented.
    pub tenant: TenantId,
    /// The connection that it is for. One live grant a connection.
    pub connection: ConnectionId,
    /// What is granted, and how writes are treated. What is not here is denied.
    pub capabilities: BTreeMap<CapabilityId, Setting>,
    /// Bounds on all of it.
    pub constraints: Constraints,
    /// Who consented.
    pub by: SubjectId,
    /// When.
    pub at: Timestamp,
}
