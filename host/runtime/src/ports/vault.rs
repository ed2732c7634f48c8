//! Sealed secrets. A vault sees ciphertext only; sealing and opening is `crate::credentials`'.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Lease, StoreResult};
use crate::authority::Authority;
use crate::ids::{ConnectionId, MasterId, SlotName, TenantId, Timestamp};

/// Whether a secret is believed to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretState {
    /// Usable.
    Live,
    /// A refresh was begun and its outcome is not known: if it was ours and we died, the refresh token may be spent.
    Refreshing,
    /// The provider refused it for good.
    NeedsReauth,
}

/// A secret as it is kept: everything but the ciphertext is public within the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Version of the sealing, bound into the associated data.
    pub version: u8,
    /// Which data key sealed it, bound too.
    pub key_id: String,
    /// XChaCha20-Poly1305 nonce, 24 bytes.
    pub nonce: Vec<u8>,
    /// Ciphertext with tag.
    pub ciphertext: Vec<u8>,
    /// Grows by one with each replacement.
    pub generation: u64,
    /// When the access token in it ends; `None`: not said.
    pub expires: Option<Timestamp>,
    /// How long it was good when it came, in milliseconds; `None`: not said.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// Scopes as granted, not as asked.
    pub scopes: Vec<String>,
    /// Whether it works.
    pub state: SecretState,
}

/// What has a data key of its own: the operator (neither), a tenant, or a connection of a tenant.
pub type KeyScope = (Option<TenantId>, Option<ConnectionId>);

/// A data key, wrapped by a master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// Its id.
    pub id: String,
    /// Nonce, 24 bytes.
    pub nonce: Vec<u8>,
    /// Wrapped key with tag.
    pub ciphertext: Vec<u8>,
    /// Which master key did it.
    pub master: MasterId,
}

/// A data key that is to be wrapped otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrap {
    /// Whose it is.
    pub scope: KeyScope,
    /// As it was read: anything else stays.
    pub before: WrappedKey,
    /// As it is to be.
    pub now: WrappedKey,
}

/// Rows of sealed secrets and wrapped keys.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The secret in a slot of the authority's connection.
    async fn secret(&self, at: &Authority, slot: &SlotName) -> StoreResult<Option<SealedSecret>>;
    /// Every slot that holds a secret.
    async fn slots(&self, at: &Authority) -> StoreResult<Vec<(SlotName, SealedSecret)>>;
    /// Replaces the secret if its generation is `expected` (`None`: there is none yet); answers the new generation.
    /// Durable before it returns: no waiter may see a rotated token that a crash would lose.
    async fn replace(
        &self,
        at: &Authority,
        slot: &SlotName,
        expected: Option<u64>,
        secret: &SealedSecret,
    ) -> StoreResult<u64>;
    /// Forgets every secret of the connection, also for other processes. Durable before it returns.
    async fn remove_secrets(&self, at: &Authority) -> StoreResult<()>;
    /// Takes the slot's refresh lease for 60 s, or says who waits how long ([`super::StoreError::Held`]).
    async fn lease(&self, at: &Authority, slot: &SlotName, holder: &str) -> StoreResult<Lease>;
    /// Gives it back.
    async fn release(&self, at: &Authority, slot: &SlotName, lease: &Lease) -> StoreResult<()>;

    /// A registered client's fields (client id, secret, key) for a provider: this tenant's own and no other, or the
    /// operator's (tenant `None`). Sealed like a secret, for whoever it is.
    async fn client(&self, tenant: Option<&TenantId>, provider: &str) -> StoreResult<Option<SealedSecret>>;
    /// Replaces it.
    async fn put_client(&self, tenant: Option<&TenantId>, provider: &str, sealed: &SealedSecret) -> StoreResult<()>;

    /// The wrapped data key of a scope: a tenant, the operator (`None`), or one connection's journal key.
    async fn data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
    ) -> StoreResult<Option<WrappedKey>>;
    /// Stores it unless there is one; answers the one that is stored now, so that two processes agree. A conflict where it
    /// would be stored and its master key was retired.
    async fn put_data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
        key: &WrappedKey,
    ) -> StoreResult<WrappedKey>;
    /// Takes no more keys that this master key wrapped, from this moment on. Those that are there stay.
    async fn retire_master(&self, master: &MasterId) -> StoreResult<()>;
    /// Keys of every scope that this master key wrapped, in a fixed order, those after `after`; at most so many.
    async fn wrapped_by(
        &self,
        master: &MasterId,
        after: Option<&KeyScope>,
        limit: u32,
    ) -> StoreResult<Vec<(KeyScope, WrappedKey)>>;
    /// Replaces each that is still as it was read, all in one transaction; answers how many those were.
    async fn rewrap(&self, batch: &[Rewrap]) -> StoreResult<u64>;
}
