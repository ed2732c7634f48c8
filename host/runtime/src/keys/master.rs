//! Master keys: what wraps data keys.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::KeyError;
use super::sealing::{bind, open, seal};
use crate::ids::MasterId;

/// A data key as a master key wrapped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The master key that did it.
    pub master: MasterId,
    /// Nonce, 24 bytes.
    pub nonce: Vec<u8>,
    /// Wrapped key with tag.
    pub ciphertext: Vec<u8>,
}

/// Where master keys are. Several may be known at a time, so that one can take another's place while calls go on.
///
/// An implementation binds the associated data that it is given, and its own id: what one master key wrapped opens under
/// no other, and not when its row says another.
#[async_trait]
pub trait MasterKeys: Send + Sync {
    /// The key that wraps from now on.
    fn current(&self) -> MasterId;
    /// Wraps a data key with the current master key.
    async fn wrap(&self, plain: &[u8; 32], aad: &[u8]) -> Result<Wrapped, KeyError>;
    /// Opens what was wrapped. [`KeyError::UnknownMaster`] where its master key is not known here (any more).
    async fn unwrap(&self, wrapped: &Wrapped, aad: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError>;
    /// Looks again which keys there are: another process may have added one.
    async fn refresh(&self) -> Result<(), KeyError> {
        Ok(())
    }
}

#[async_trait]
impl<T: MasterKeys + ?Sized> MasterKeys for Arc<T> {
    fn current(&self) -> MasterId {
        (**self).current()
    }

    async fn wrap(&self, plain: &[u8; 32], aad: &[u8]) -> Result<Wrapped, KeyError> {
        (**self).wrap(plain, aad).await
    }

    async fn unwrap(&self, wrapped: &Wrapped, aad: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        (**self).unwrap(wrapped, aad).await
    }

    async fn refresh(&self) -> Result<(), KeyError> {
        (**self).refresh().await
    }
}

/// A master key in this process's memory. By itself it is the only one of its host, and never changes.
pub struct MasterKey {
    id: MasterId,
    bytes: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// A host's first key, from an embedder's own key store.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self::new(MasterId::FIRST, Zeroizing::new(bytes))
    }

    pub(super) fn new(id: MasterId, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { id, bytes }
    }

    /// A random key. The first of a host has no name.
    pub(super) fn random(id: MasterId) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(&mut bytes[..]);
        Self { id, bytes }
    }

    pub(super) fn id(&self) -> &MasterId {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub(super) fn seal(&self, plain: &[u8; 32], aad: &[u8]) -> Wrapped {
        let (nonce, ciphertext) = seal(&self.bytes, plain, &self.bound(aad));
        Wrapped { master: self.id.clone(), nonce, ciphertext }
    }

    pub(super) fn open(&self, wrapped: &Wrapped, aad: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let plain = open(&self.bytes, &wrapped.nonce, &wrapped.ciphertext, &self.bound(aad));
        let plain = plain.filter(|plain| plain.len() == 32);
        let plain = plain.ok_or_else(|| KeyError::Authentication { what: "a data key".into() })?;
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&plain);
        Ok(key)
    }

    /// The first key wrapped before keys had ids, and goes on in that form.
    fn bound(&self, aad: &[u8]) -> Vec<u8> {
        match self.id.name() {
            None => aad.to_vec(),
            Some(id) => bind(&[b"master", id.as_bytes(), aad]),
        }
    }
}

#[async_trait]
impl MasterKeys for MasterKey {
    fn current(&self) -> MasterId {
        self.id.clone()
    }

    async fn wrap(&self, plain: &[u8; 32], aad: &[u8]) -> Result<Wrapped, KeyError> {
        Ok(self.seal(plain, aad))
    }

    async fn unwrap(&self, wrapped: &Wrapped, aad: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        if wrapped.master != self.id {
            return Err(KeyError::UnknownMaster { id: wrapped.master.clone() });
        }
        self.open(wrapped, aad)
    }
}
