//! Sealed secrets in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::keys::Keys;
use super::{MemoryStore, conflict};
use crate::authority::{Authority, Fence};
use crate::ids::{ConnectionId, MasterId, SlotName, TenantId};
use crate::ports::{self, KeyScope, Lease, Rewrap, SealedSecret, StoreError, StoreResult, WrappedKey};

/// How long a refresh may take, in milliseconds.
const LEASE: u64 = 60_000;

type Slot = (TenantId, ConnectionId, SlotName);

#[derive(Default)]
pub(super) struct Vault {
    secrets: Mutex<BTreeMap<Slot, SealedSecret>>,
    leases: Mutex<HashMap<Slot, Lease>>,
    clients: Mutex<HashMap<(Option<TenantId>, String), SealedSecret>>,
    keys: Keys,
}

fn key(at: &Authority, slot: &SlotName) -> Slot {
    (at.tenant().clone(), at.connection.clone(), slot.clone())
}

impl MemoryStore {
    pub(super) fn forget_secrets(&self, tenant: &TenantId, id: &ConnectionId) {
        self.vault.secrets.lock().retain(|(of, connection, _), _| of != tenant || connection != id);
        self.vault.keys.remove(&(Some(tenant.clone()), Some(id.clone())));
    }
}

#[async_trait]
impl ports::Vault for MemoryStore {
    async fn secret(&self, at: &Authority, slot: &SlotName) -> StoreResult<Option<SealedSecret>> {
        Ok(self.vault.secrets.lock().get(&key(at, slot)).cloned())
    }

    async fn slots(&self, at: &Authority) -> StoreResult<Vec<(SlotName, SealedSecret)>> {
        let secrets = self.vault.secrets.lock();
        let own =
            secrets.iter().filter(|((tenant, connection, _), _)| tenant == at.tenant() && *connection == at.connection);
        Ok(own.map(|((.., slot), secret)| (slot.clone(), secret.clone())).collect())
    }

    async fn replace(
        &self,
        at: &Authority,
        slot: &SlotName,
        expected: Option<u64>,
        secret: &SealedSecret,
    ) -> StoreResult<u64> {
        let mut secrets = self.vault.secrets.lock();
        let found = secrets.get(&key(at, slot)).map(|secret| secret.generation);
        if found != expected {
            return Err(conflict(format!("the secret in {slot}"), format!("generation {found:?}")));
        }
        let generation = found.map_or(1, |found| found + 1);
        secrets.insert(key(at, slot), SealedSecret { generation, ..secret.clone() });
        Ok(generation)
    }

    async fn remove_secrets(&self, at: &Authority) -> StoreResult<()> {
        let mut secrets = self.vault.secrets.lock();
        secrets.retain(|(tenant, connection, _), _| tenant != at.tenant() || *connection != at.connection);
        Ok(())
    }

    async fn lease(&self, at: &Authority, slot: &SlotName, _holder: &str) -> StoreResult<Lease> {
        let now = self.clock.now();
        let mut leases = self.vault.leases.lock();
        let before = leases.get(&key(at, slot));
        if let Some(lease) = before.filter(|lease| lease.until > now) {
            let what = format!("the secret in {slot}");
            return Err(StoreError::Held { what, millis: lease.until.0 - now.0 });
        }
        let fence = Fence(before.map_or(1, |lease| lease.fence.0 + 1));
        let lease = Lease { fence, until: now.plus(LEASE) };
        leases.insert(key(at, slot), lease.clone());
        Ok(lease)
    }

    async fn release(&self, at: &Authority, slot: &SlotName, lease: &Lease) -> StoreResult<()> {
        let now = self.clock.now();
        if let Some(own) = self.vault.leases.lock().get_mut(&key(at, slot)).filter(|own| own.fence == lease.fence) {
            own.until = now;
        }
        Ok(())
    }

    async fn client(&self, tenant: Option<&TenantId>, provider: &str) -> StoreResult<Option<SealedSecret>> {
        Ok(self.vault.clients.lock().get(&(tenant.cloned(), provider.to_owned())).cloned())
    }

    async fn put_client(&self, tenant: Option<&TenantId>, provider: &str, sealed: &SealedSecret) -> StoreResult<()> {
        self.vault.clients.lock().insert((tenant.cloned(), provider.to_owned()), sealed.clone());
        Ok(())
    }

    async fn data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
    ) -> StoreResult<Option<WrappedKey>> {
        Ok(self.vault.keys.get(&(tenant.cloned(), connection.cloned())))
    }

    async fn put_data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
        key: &WrappedKey,
    ) -> StoreResult<WrappedKey> {
        self.vault.keys.put((tenant.cloned(), connection.cloned()), key)
    }

    async fn retire_master(&self, master: &MasterId) -> StoreResult<()> {
        self.vault.keys.retire(master);
        Ok(())
    }

    async fn wrapped_by(
        &self,
        master: &MasterId,
        after: Option<&KeyScope>,
        limit: u32,
    ) -> StoreResult<Vec<(KeyScope, WrappedKey)>> {
        Ok(self.vault.keys.wrapped_by(master, after, limit))
    }

    async fn rewrap(&self, batch: &[Rewrap]) -> StoreResult<u64> {
        Ok(self.vault.keys.rewrap(batch))
    }
}
