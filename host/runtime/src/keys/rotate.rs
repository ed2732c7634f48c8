//! Another master key in place of the one before, while calls go on.
//!
//! 1. The new key is put in the file, before the old one: who reads the file from then on wraps with it and opens both.
//! 2. The old one is retired in the vault: a process that has not read the file since can no longer store what it wrapped
//!    with it, and reads the file then.
//! 3. Every data key is wrapped anew, in batches, each compared with what was read.
//! 4. Nothing is wrapped by the old key any more, and nothing can be: it is taken out of the file.
//!
//! Data keys themselves stay as they are, and with them everything that they seal. After a crash between any two of these
//! everything opens, and the next run goes on where this one stopped.

use std::sync::Arc;

use super::file::MasterFile;
use super::master::{MasterKeys, Wrapped};
use super::{KeyError, bound_key};
use crate::ids::MasterId;
use crate::ports::{KeyScope, Rewrap, Vault, WrappedKey};

/// Data keys of one transaction.
const BATCH: u32 = 200;

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rotated {
    /// The key that wraps now.
    pub master: MasterId,
    /// Keys that were taken out.
    pub removed: Vec<MasterId>,
    /// Data keys that were wrapped anew.
    pub rewrapped: u64,
}

/// A rotation of the keys in a file, over what they wrapped in a vault.
pub struct Rotation {
    masters: Arc<MasterFile>,
    vault: Arc<dyn Vault>,
}

impl Rotation {
    /// Nothing is done by this.
    #[must_use]
    pub fn new(masters: Arc<MasterFile>, vault: Arc<dyn Vault>) -> Self {
        Self { masters, vault }
    }

    /// Rotates, or finishes what an earlier rotation left. `progress` is told how many data keys were wrapped anew so far.
    ///
    /// # Errors
    /// The file's, the vault's, and [`KeyError::Authentication`] if a data key does not open: its master key stays in
    /// the file then.
    pub async fn run(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Rotated, KeyError> {
        self.add()?;
        let old = self.retire().await?;
        let mut rewrapped = 0;
        for id in &old {
            let before = rewrapped;
            rewrapped += self.rewrap(id, &|so_far| progress(before + so_far)).await?;
        }
        let removed = self.remove(old).await?;
        Ok(Rotated { master: self.masters.current(), removed, rewrapped })
    }

    pub(super) fn add(&self) -> Result<(), KeyError> {
        self.masters.advance()
    }

    /// Every key but the newest.
    pub(super) async fn retire(&self) -> Result<Vec<MasterId>, KeyError> {
        let old = self.masters.ids().split_off(1);
        for id in &old {
            self.vault.retire_master(id).await?;
        }
        Ok(old)
    }

    /// Wraps anew what this key wrapped.
    pub(super) async fn rewrap(&self, old: &MasterId, progress: &(dyn Fn(u64) + Sync)) -> Result<u64, KeyError> {
        let (mut after, mut rewrapped) = (None, 0);
        loop {
            let found = self.vault.wrapped_by(old, after.as_ref(), BATCH).await?;
            let Some((last, _)) = found.last() else { return Ok(rewrapped) };
            after = Some(last.clone());
            let mut batch = Vec::with_capacity(found.len());
            for (scope, before) in found {
                let now = self.anew(&scope, &before).await?;
                batch.push(Rewrap { scope, before, now });
            }
            // Whatever changed meanwhile was wrapped by another rotation, or is gone with its connection.
            rewrapped += self.vault.rewrap(&batch).await?;
            progress(rewrapped);
        }
    }

    async fn anew(&self, scope: &KeyScope, before: &WrappedKey) -> Result<WrappedKey, KeyError> {
        let aad = bound_key(scope, &before.id);
        let WrappedKey { id, nonce, ciphertext, master } = before.clone();
        let plain = self.masters.unwrap(&Wrapped { master, nonce, ciphertext }, &aad).await?;
        let Wrapped { master, nonce, ciphertext } = self.masters.wrap(&plain, &aad).await?;
        Ok(WrappedKey { id, nonce, ciphertext, master })
    }

    /// Takes those of these out of the file by which nothing is wrapped.
    pub(super) async fn remove(&self, old: Vec<MasterId>) -> Result<Vec<MasterId>, KeyError> {
        let mut removed = Vec::with_capacity(old.len());
        for id in old {
            if self.vault.wrapped_by(&id, None, 1).await?.is_empty() {
                self.masters.remove(&id)?;
                removed.push(id);
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests;
