//! Connections and grants in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{MemoryStore, not_found};
use crate::connection::{Connection, ConnectionState, Grant};
use crate::ids::{ConnectionId, ConnectorId, TenantId, Timestamp};
use crate::ports::{self, Granted, StoreError, StoreResult, TenantRules};

type Key = (TenantId, ConnectionId);

#[derive(Default)]
pub(super) struct Directory {
    connections: Mutex<BTreeMap<Key, Connection>>,
    grants: Mutex<BTreeMap<Key, Grant>>,
    rules: Mutex<BTreeMap<TenantId, TenantRules>>,
}

fn key(tenant: &TenantId, id: &ConnectionId) -> Key {
    (tenant.clone(), id.clone())
}

fn absent(id: &ConnectionId) -> StoreError {
    not_found(format!("connection {id}"))
}

impl MemoryStore {
    /// Replaces the tenant's rules.
    pub fn put_tenant_rules(&self, tenant: &TenantId, rules: TenantRules) {
        self.directory.rules.lock().insert(tenant.clone(), rules);
    }

    /// The containers that the grant names.
    pub(super) fn containers_of(&self, tenant: &TenantId, connection: &ConnectionId) -> Option<Vec<String>> {
        self.directory.grants.lock().get(&key(tenant, connection))?.constraints.containers.clone()
    }
}

#[async_trait]
impl ports::Directory for MemoryStore {
    async fn put_connection(&self, connection: &Connection) -> StoreResult<()> {
        let key = key(&connection.tenant, &connection.id);
        self.directory.connections.lock().insert(key, connection.clone());
        Ok(())
    }

    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Connection> {
        self.directory.connections.lock().get(&key(tenant, id)).cloned().ok_or_else(|| absent(id))
    }

    async fn connections(&self, tenant: &TenantId) -> StoreResult<Vec<Connection>> {
        let connections = self.directory.connections.lock();
        let mut own: Vec<Connection> = connections.values().filter(|one| one.tenant == *tenant).cloned().collect();
        own.sort_by_key(|one| one.created);
        Ok(own)
    }

    async fn set_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<&str>,
    ) -> StoreResult<()> {
        let mut connections = self.directory.connections.lock();
        let found = connections.get_mut(&key(tenant, id)).ok_or_else(|| absent(id))?;
        (found.state, found.reason) = (state, reason.map(str::to_owned));
        Ok(())
    }

    async fn set_checked(&self, tenant: &TenantId, id: &ConnectionId, at: Timestamp) -> StoreResult<()> {
        let mut connections = self.directory.connections.lock();
        connections.get_mut(&key(tenant, id)).ok_or_else(|| absent(id))?.checked = Some(at);
        Ok(())
    }

    async fn remove_connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<()> {
        self.directory.connections.lock().remove(&key(tenant, id)).ok_or_else(|| absent(id))?;
        self.directory.grants.lock().remove(&key(tenant, id));
        self.forget_secrets(tenant, id);
        self.forget_documents(tenant, id);
        Ok(())
    }

    async fn put_grant(&self, grant: &Grant) -> StoreResult<()> {
        let before = self.containers_of(&grant.tenant, &grant.connection);
        self.directory.grants.lock().insert(key(&grant.tenant, &grant.connection), grant.clone());
        self.keep_within(&grant.tenant, &grant.connection);
        if grant.constraints.may_keep_more_than(before.as_deref()) {
            self.stop_pulls(&grant.tenant, &grant.connection, true);
        }
        Ok(())
    }

    async fn grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<Option<Grant>> {
        Ok(self.directory.grants.lock().get(&key(tenant, connection)).cloned())
    }

    async fn granted(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Granted> {
        // The lock of the grants is held over both.
        let grants = self.directory.grants.lock();
        let connection = self.directory.connections.lock().get(&key(tenant, id)).cloned().ok_or_else(|| absent(id))?;
        let live = self.live_version(&connection.connector);
        Ok(Granted { connection, grant: grants.get(&key(tenant, id)).cloned(), live })
    }

    async fn revoke_grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<()> {
        self.directory.grants.lock().remove(&key(tenant, connection));
        self.stop_pulls(tenant, connection, false);
        Ok(())
    }

    async fn any_grant(&self, connector: &ConnectorId) -> StoreResult<bool> {
        let (connections, grants) = (self.directory.connections.lock(), self.directory.grants.lock());
        let of = |key: &Key| connections.get(key).is_some_and(|connection| connection.connector == *connector);
        Ok(grants.iter().any(|(key, grant)| !grant.capabilities.is_empty() && of(key)))
    }

    async fn writes_since(&self, tenant: &TenantId, connection: &ConnectionId, from: Timestamp) -> StoreResult<u32> {
        Ok(self.sent_since(tenant, connection, from))
    }

    async fn tenant_rules(&self, tenant: &TenantId) -> StoreResult<TenantRules> {
        Ok(self.directory.rules.lock().get(tenant).copied().unwrap_or_default())
    }
}
