//! Attempts to connect: what a link that somebody was given leads to, from its first click to the connection.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{SealedSecret, StoreResult};
use crate::caller::{Caller, Role};
use crate::connection::{Constraints, Owner, Setting};
use crate::ids::{CapabilityId, ConnectionId, ConnectorId, Digest, LinkId, SlotName, SubjectId, TenantId, Timestamp};

/// What is to be connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAsk {
    /// The connector.
    pub connector: ConnectorId,
    /// The manifest's `[[auth]]` flavour.
    pub auth: String,
    /// Who is to own the connection.
    pub owner: Owner,
    /// A name for people; `None`: the account's.
    pub name: Option<String>,
    /// What is to be granted.
    pub capabilities: BTreeMap<CapabilityId, Setting>,
    /// What bounds it.
    pub constraints: Constraints,
    /// The manifest's `[[setting]]` values.
    pub settings: BTreeMap<String, String>,
    /// Whom `connection-audience` stands for; empty: the owner.
    pub audience: Vec<String>,
    /// The connection that is to be connected again, or to be granted more; `None`: a new one.
    pub connection: Option<ConnectionId>,
    /// Where the person goes when all is done: a URL of the embedder's.
    pub return_to: Option<String>,
}

/// Somebody is at the provider, and is to come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    /// Hash of the `state` that has to come back: once, and until then.
    pub state: String,
    /// The PKCE verifier, sealed; `None` where the provider has no PKCE.
    pub verifier: Option<SealedSecret>,
    /// Where they come back to: it goes with the code.
    pub redirect: String,
    /// What is asked for, by slot.
    pub scopes: BTreeMap<SlotName, Vec<String>>,
    /// The connector's file that was on the page: another one is another consent.
    pub component: Digest,
    /// Until when they may take.
    pub until: Timestamp,
}

/// How far an attempt has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum LinkStatus {
    /// Nobody has consented yet.
    Waiting,
    /// Somebody is at the provider.
    Consenting,
    /// There is a connection.
    Connected {
        /// Which.
        connection: ConnectionId,
    },
    /// Somebody said no, here or at the provider.
    Declined,
    /// It went wrong; the link can be tried again while it lasts.
    Failed {
        /// The error's code.
        code: String,
        /// The error, for people.
        message: String,
    },
}

impl LinkStatus {
    /// Whether nothing more can come of the link.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Connected { .. } | Self::Declined)
    }
}

/// Who asked for a link: it makes the connection as them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// Their id in the tenant.
    pub subject: SubjectId,
    /// Their verified addresses.
    pub emails: Vec<String>,
    /// Their roles.
    pub roles: Vec<Role>,
}

/// An attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Who asked for it.
    pub by: Asker,
    /// What for.
    pub ask: LinkAsk,
    /// Hash of what the browser that followed the link first carries since; another one may not go on.
    pub browser: Option<String>,
    /// Who is on their way, if somebody is.
    pub flight: Option<Flight>,
    /// How far it has come.
    pub status: LinkStatus,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it leads nowhere.
    pub expires: Timestamp,
    /// Grows by one with each change.
    pub version: u64,
}

impl Link {
    /// The caller as whom the connection is made.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let Asker { subject, emails, roles } = self.by.clone();
        Caller { tenant: self.tenant.clone(), subject, emails, roles }
    }
}

/// Links, by the hash of what makes them secret.
#[async_trait]
pub trait Links: Send + Sync {
    /// Keeps a new one. Those that ended more than a day ago may be forgotten by it.
    async fn put_link(&self, link: &Link) -> StoreResult<()>;
    /// The link of this id, of whatever tenant: who knows the id's origin was given it.
    async fn link(&self, id: &LinkId) -> StoreResult<Link>;
    /// The link whose flight has this state.
    async fn link_by_state(&self, state: &str) -> StoreResult<Link>;
    /// Replaces it if it is still of this version, which grows; else `Conflict`: whoever comes second has lost. Where its
    /// status is another than before, whoever embeds the runtime is told.
    async fn swap_link(&self, link: &Link) -> StoreResult<()>;
}
