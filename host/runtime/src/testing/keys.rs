//! Wrapped keys in memory.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use crate::ids::MasterId;
use crate::ports::{KeyScope, Rewrap, StoreError, StoreResult, WrappedKey};

/// Wrapped keys, and which master keys are retired. As strict as a store.
#[derive(Default)]
pub(crate) struct Keys(Mutex<(BTreeMap<KeyScope, WrappedKey>, BTreeSet<MasterId>)>);

impl Keys {
    pub(crate) fn get(&self, scope: &KeyScope) -> Option<WrappedKey> {
        self.0.lock().0.get(scope).cloned()
    }

    pub(crate) fn put(&self, scope: KeyScope, key: &WrappedKey) -> StoreResult<WrappedKey> {
        let (keys, retired) = &mut *self.0.lock();
        if let Some(found) = keys.get(&scope) {
            return Ok(found.clone());
        }
        if retired.contains(&key.master) {
            let what = format!("the master key {}", key.master);
            return Err(StoreError::Conflict { what, found: "retired".into() });
        }
        Ok(keys.entry(scope).or_insert_with(|| key.clone()).clone())
    }

    pub(crate) fn remove(&self, scope: &KeyScope) {
        self.0.lock().0.remove(scope);
    }

    pub(crate) fn retire(&self, master: &MasterId) {
        self.0.lock().1.insert(master.clone());
    }

    pub(crate) fn wrapped_by(
        &self,
        master: &MasterId,
        after: Option<&KeyScope>,
        limit: u32,
    ) -> Vec<(KeyScope, WrappedKey)> {
        let keys = &self.0.lock().0;
        let later =
            keys.iter().filter(|(scope, key)| key.master == *master && after.is_none_or(|after| *scope > after));
        later.take(limit as usize).map(|(scope, key)| (scope.clone(), key.clone())).collect()
    }

    pub(crate) fn rewrap(&self, batch: &[Rewrap]) -> u64 {
        let keys = &mut self.0.lock().0;
        let mut replaced = 0;
        for Rewrap { scope, before, now } in batch {
            if let Some(found) = keys.get_mut(scope).filter(|found| *found == before) {
                found.clone_from(now);
                replaced += 1;
            }
        }
        replaced
    }
}
