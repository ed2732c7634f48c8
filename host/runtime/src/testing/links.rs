//! Attempts to connect, in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{MemoryStore, conflict, not_found};
use crate::ids::LinkId;
use crate::ports::{Link, Links, StoreResult};

pub(super) type Kept = Mutex<HashMap<LinkId, Link>>;

#[async_trait]
impl Links for MemoryStore {
    async fn put_link(&self, link: &Link) -> StoreResult<()> {
        self.links.lock().insert(link.id.clone(), link.clone());
        Ok(())
    }

    async fn link(&self, id: &LinkId) -> StoreResult<Link> {
        self.links.lock().get(id).cloned().ok_or_else(|| not_found("the link"))
    }

    async fn link_by_state(&self, state: &str) -> StoreResult<Link> {
        let links = self.links.lock();
        let found = links.values().find(|link| link.flight.as_ref().is_some_and(|flight| flight.state == state));
        found.cloned().ok_or_else(|| not_found("the link"))
    }

    async fn swap_link(&self, link: &Link) -> StoreResult<()> {
        let mut links = self.links.lock();
        let found = links.get_mut(&link.id).ok_or_else(|| not_found("the link"))?;
        if found.version != link.version {
            return Err(conflict("the link", format!("version {}", found.version)));
        }
        *found = Link { version: link.version + 1, ..link.clone() };
        Ok(())
    }
}
