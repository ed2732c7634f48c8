//! Connections and their grants.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Installed, StoreResult};
use crate::connection::{Connection, ConnectionState, Grant};
use crate::ids::{ConnectionId, ConnectorId, TenantId, Timestamp};

/// What a tenant has settled for itself. The default is the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantRules {
    /// Whether an approver may approve what they asked for themselves through the workspace's connections.
    pub self_approval: bool,
}

/// What a call begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The connection.
    pub connection: Connection,
    /// Its grant; `None` is "nothing is granted".
    pub grant: Option<Grant>,
    /// The live version of its connector; `None` where it was removed.
    pub live: Option<Installed>,
}

/// Connections and grants, always asked for within a tenant.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Adds a connection, or replaces the one of the same id in the same tenant.
    async fn put_connection(&self, connection: &Connection) -> StoreResult<()>;
    /// One connection. Another tenant's is "not found".
    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Connection>;
    /// The tenant's connections, oldest first.
    async fn connections(&self, tenant: &TenantId) -> StoreResult<Vec<Connection>>;
    /// Marks a connection, with the reason for a person. Where the state is another than before, whoever embeds the
    /// runtime is told.
    async fn set_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<&str>,
    ) -> StoreResult<()>;
    /// Notes that the service said just now whose account it is.
    async fn set_checked(&self, tenant: &TenantId, id: &ConnectionId, at: Timestamp) -> StoreResult<()>;
    /// Removes the connection, its grant, secrets, attestations and cursors.
    async fn remove_connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<()>;
    /// Replaces the connection's grant. Its containers and its audience ceiling hold for what is kept and what is found
    /// from this moment on; where it names other containers than before and so may keep more, the next pull of every
    /// stream lists everything.
    async fn put_grant(&self, grant: &Grant) -> StoreResult<()>;
    /// The connection's grant; `None` is "nothing is granted".
    async fn grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<Option<Grant>>;
    /// A connection with its grant and its connector, all as of one moment.
    async fn granted(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Granted>;
    /// Withdraws it: what is being pulled under it can no longer commit. What it bounded stays bounded.
    async fn revoke_grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<()>;
    /// Whether anything is granted for any connection of this connector, in whatever tenant: a connector is the host's, and
    /// so is the question whether somebody consented to it. It tells nothing else of a tenant.
    async fn any_grant(&self, connector: &ConnectorId) -> StoreResult<bool>;
    /// Writes that were sent for the connection since `from`: what `writes_per_day` counts.
    async fn writes_since(&self, tenant: &TenantId, connection: &ConnectionId, from: Timestamp) -> StoreResult<u32>;
    /// The tenant's rules. A store that keeps none has the strictest.
    async fn tenant_rules(&self, _tenant: &TenantId) -> StoreResult<TenantRules> {
        Ok(TenantRules::default())
    }
}
