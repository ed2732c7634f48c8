//! Installed connectors in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{MemoryStore, not_found};
use crate::ids::{ConnectorId, Digest};
use crate::ports::{self, Installed, StoreError, StoreResult};

#[derive(Default)]
pub(super) struct Catalog {
    live: Mutex<BTreeMap<ConnectorId, Installed>>,
    pending: Mutex<BTreeMap<ConnectorId, Installed>>,
    removed: Mutex<BTreeSet<ConnectorId>>,
    files: Mutex<HashMap<Digest, Vec<u8>>>,
}

impl MemoryStore {
    pub(super) fn live_version(&self, connector: &ConnectorId) -> Option<Installed> {
        let removed = self.catalog.removed.lock().contains(connector);
        self.catalog.live.lock().get(connector).filter(|_| !removed).cloned()
    }
}

#[async_trait]
impl ports::Catalog for MemoryStore {
    async fn install(&self, entry: &Installed, bytes: &[u8], over: Option<&Digest>) -> StoreResult<()> {
        let mut all = self.catalog.live.lock();
        let live = all.get(&entry.connector).map(|live| &live.digest);
        if live != Some(&entry.digest) {
            if live != over {
                let found = "another version is live by now".into();
                return Err(StoreError::Conflict { what: format!("connector {}", entry.connector), found });
            }
            self.catalog.files.lock().insert(entry.digest.clone(), bytes.to_vec());
            all.insert(entry.connector.clone(), entry.clone());
        }
        self.catalog.removed.lock().remove(&entry.connector);
        self.catalog.pending.lock().remove(&entry.connector);
        Ok(())
    }

    async fn remove(&self, connector: &ConnectorId, digest: &Digest) -> StoreResult<bool> {
        self.catalog.pending.lock().retain(|id, waiting| id != connector || waiting.digest != *digest);
        let is_live = self.catalog.live.lock().get(connector).is_some_and(|live| live.digest == *digest);
        Ok(is_live && self.catalog.removed.lock().insert(connector.clone()))
    }

    async fn last(&self, connector: &ConnectorId) -> StoreResult<Option<Installed>> {
        Ok(self.catalog.live.lock().get(connector).cloned())
    }

    async fn hold(&self, entry: &Installed, bytes: &[u8]) -> StoreResult<()> {
        self.catalog.files.lock().insert(entry.digest.clone(), bytes.to_vec());
        self.catalog.pending.lock().insert(entry.connector.clone(), entry.clone());
        Ok(())
    }

    async fn waiting(&self, connector: &ConnectorId) -> StoreResult<Option<Installed>> {
        Ok(self.catalog.pending.lock().get(connector).cloned())
    }

    async fn live(&self, connector: &ConnectorId) -> StoreResult<Installed> {
        self.live_version(connector).ok_or_else(|| not_found(format!("connector {connector}")))
    }

    async fn list(&self) -> StoreResult<Vec<Installed>> {
        let removed = self.catalog.removed.lock();
        let live = self.catalog.live.lock();
        Ok(live.values().filter(|one| !removed.contains(&one.connector)).cloned().collect())
    }

    async fn bytes(&self, digest: &Digest) -> StoreResult<Vec<u8>> {
        let found = self.catalog.files.lock().get(digest).cloned();
        found.ok_or_else(|| not_found(format!("component {digest}")))
    }
}
