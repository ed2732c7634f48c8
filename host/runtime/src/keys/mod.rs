//! Keys and sealing: XChaCha20-Poly1305 under data keys that a master key wraps.
//!
//! A tenant's secrets are sealed under the tenant's data key, a connection's journal bodies under a key of that
//! connection, so that deleting the connection (its key) makes them unreadable. Associated data binds each ciphertext to its
//! place: version, tenant, connection, slot, key id. A row that was moved does not open.

mod master;
mod secret;

use std::collections::HashMap;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use parking_lot::Mutex;
use zeroize::Zeroizing;

pub use master::MasterKey;
pub use secret::Secret;

use crate::blame::{Blame, Fault};
use crate::ids::{ConnectionId, LinkId, SlotName, TenantId};
use crate::ports::{BodyRef, SealedBody, SealedSecret, StoreError, Vault, WrappedKey};

/// The sealing that this version writes, and the only one so far.
pub const SEALING: u8 = 1;

/// Why a key or a sealed thing cannot be used. None of these says anything about the plain text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The master key's file.
    #[error("the master key {path} cannot be used: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
    /// Authentication failed: the row belongs elsewhere, was changed, or another master key sealed it.
    #[error("{what} does not open: it was moved, changed, or sealed under another master key")]
    Authentication {
        /// What was to be opened, without any of its content.
        what: String,
    },
    /// A newer version sealed it.
    #[error("{what} is sealed in form {found}, this version knows {SEALING}: use the version that made it")]
    Newer {
        /// What was to be opened.
        what: String,
        /// The form found.
        found: u8,
    },
    /// The vault failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault for KeyError {
    fn blame(&self) -> Blame {
        Blame::Host
    }

    fn retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.retryable())
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "master-key",
            Self::Authentication { .. } => "sealed-elsewhere",
            Self::Newer { .. } => "newer-format",
            Self::Store(error) => error.code(),
        }
    }
}

/// What has a data key of its own: the operator (neither), a tenant, or a connection of a tenant.
type Scope = (Option<TenantId>, Option<ConnectionId>);

/// Where a sealed secret lives. What is sealed for one place opens in no other.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A slot of a connection.
    Slot(&'a TenantId, &'a ConnectionId, &'a SlotName),
    /// A registered client's fields at a provider: the tenant's own, or the operator's.
    Client(Option<&'a TenantId>, &'a str),
    /// The PKCE verifier of somebody who is at a provider.
    Verifier(&'a TenantId, &'a LinkId),
}

impl Place<'_> {
    fn scope(&self) -> Scope {
        match self {
            Self::Slot(tenant, ..) | Self::Verifier(tenant, _) => (Some((*tenant).clone()), None),
            Self::Client(tenant, _) => (tenant.cloned(), None),
        }
    }

    fn bound(&self, version: u8, key_id: &str) -> Vec<u8> {
        let version = [version];
        match self {
            Self::Slot(tenant, connection, slot) => bind(&[
                b"slot",
                &version,
                key_id.as_bytes(),
                tenant.as_str().as_bytes(),
                connection.as_str().as_bytes(),
                slot.as_str().as_bytes(),
            ]),
            Self::Verifier(tenant, link) => {
                bind(&[b"verifier", &version, key_id.as_bytes(), tenant.as_str().as_bytes(), link.as_str().as_bytes()])
            }
            Self::Client(tenant, provider) => {
                let kind: &[u8] = if tenant.is_some() { b"tenant-client" } else { b"operator-client" };
                let tenant = tenant.map_or("", |tenant| tenant.as_str());
                bind(&[kind, &version, key_id.as_bytes(), tenant.as_bytes(), provider.as_bytes()])
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Slot(_, connection, slot) => format!("the secret in slot {slot} of {connection}"),
            Self::Verifier(_, link) => format!("the verifier of the link {link}"),
            Self::Client(_, provider) => format!("the client registered at {provider}"),
        }
    }
}

/// A data key, open.
struct DataKey {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

/// Opens data keys with the master key and seals with them.
pub struct Keyring {
    master: MasterKey,
    vault: Arc<dyn Vault>,
    open: Mutex<HashMap<Scope, Arc<DataKey>>>,
}

impl Keyring {
    /// A keyring over the vault's wrapped keys.
    #[must_use]
    pub fn new(master: MasterKey, vault: Arc<dyn Vault>) -> Self {
        Self { master, vault, open: Mutex::default() }
    }

    /// Seals `plain` for one place. The answer has generation 0, no expiry and no scopes: the caller fills them in.
    ///
    /// # Errors
    /// The vault's, and [`KeyError::Authentication`] if the data key does not open.
    pub async fn seal_secret(&self, place: Place<'_>, plain: &[u8]) -> Result<SealedSecret, KeyError> {
        let key = self.data_key(place.scope()).await?;
        let (nonce, ciphertext) = seal(&key.key, plain, &place.bound(SEALING, &key.id));
        Ok(SealedSecret {
            version: SEALING,
            key_id: key.id.clone(),
            nonce,
            ciphertext,
            generation: 0,
            expires: None,
            scopes: Vec::new(),
            state: crate::ports::SecretState::Live,
        })
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`KeyError::Authentication`] if it was sealed for another place or changed; [`KeyError::Newer`]; the vault's.
    pub async fn open_secret(&self, place: Place<'_>, sealed: &SealedSecret) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if sealed.version != SEALING {
            return Err(KeyError::Newer { what: place.describe(), found: sealed.version });
        }
        let failed = || {
            tracing::error!(place = %place.describe(), "a sealed secret failed authentication: its row was moved or changed");
            KeyError::Authentication { what: place.describe() }
        };
        let key = self.data_key(place.scope()).await?;
        if key.id != sealed.key_id {
            return Err(failed());
        }
        let bound = place.bound(sealed.version, &sealed.key_id);
        open(&key.key, &sealed.nonce, &sealed.ciphertext, &bound).ok_or_else(failed)
    }

    /// The journal key of a connection, made on first use. Cheap to keep for an invocation.
    ///
    /// # Errors
    /// The vault's, and [`KeyError::Authentication`] if the key does not open.
    pub async fn journal_key(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<JournalKey, KeyError> {
        let key = self.data_key((Some(tenant.clone()), Some(connection.clone()))).await?;
        Ok(JournalKey {
            seal: Zeroizing::new(blake3::derive_key("sallyport 2026 journal body sealing", &*key.key)),
            name: Zeroizing::new(blake3::derive_key("sallyport 2026 journal body naming", &*key.key)),
            key_id: key.id.clone(),
            tenant: tenant.clone(),
            connection: connection.clone(),
        })
    }

    /// Seals a journal body; see [`JournalKey::seal`].
    ///
    /// # Errors
    /// As [`Self::journal_key`].
    pub async fn seal_body(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        plain: &[u8],
    ) -> Result<SealedBody, KeyError> {
        Ok(self.journal_key(tenant, connection).await?.seal(plain))
    }

    /// Opens a journal body; see [`JournalKey::open`].
    ///
    /// # Errors
    /// As [`Self::journal_key`] and [`JournalKey::open`].
    pub async fn open_body(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        body: &SealedBody,
    ) -> Result<Vec<u8>, KeyError> {
        self.journal_key(tenant, connection).await?.open(body)
    }

    /// Forgets the open keys of a connection. To be called when it is removed: the vault has then destroyed them.
    pub fn forget(&self, tenant: &TenantId, connection: &ConnectionId) {
        self.open.lock().remove(&(Some(tenant.clone()), Some(connection.clone())));
    }

    async fn data_key(&self, scope: Scope) -> Result<Arc<DataKey>, KeyError> {
        if let Some(key) = self.open.lock().get(&scope) {
            return Ok(key.clone());
        }
        let (tenant, connection) = (scope.0.as_ref(), scope.1.as_ref());
        let wrapped = match self.vault.data_key(tenant, connection).await? {
            Some(wrapped) => wrapped,
            None => {
                let mut key = Zeroizing::new([0; 32]);
                rand::fill(&mut key[..]);
                let id = uuid::Uuid::new_v4().simple().to_string();
                let (nonce, ciphertext) = seal(self.master.bytes(), &key[..], &bound_key(&scope, &id));
                let fresh = WrappedKey { id, nonce, ciphertext };
                // Another process may have been first: what is stored counts.
                self.vault.put_data_key(tenant, connection, &fresh).await?
            }
        };
        let what = "a data key";
        let plain = open(self.master.bytes(), &wrapped.nonce, &wrapped.ciphertext, &bound_key(&scope, &wrapped.id))
            .filter(|plain| plain.len() == 32)
            .ok_or_else(|| KeyError::Authentication { what: what.into() })?;
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&plain);
        let key = Arc::new(DataKey { id: wrapped.id, key });
        self.open.lock().insert(scope, key.clone());
        Ok(key)
    }
}

/// Seals and names the journal bodies of one connection.
#[derive(Clone)]
pub struct JournalKey {
    seal: Zeroizing<[u8; 32]>,
    name: Zeroizing<[u8; 32]>,
    key_id: String,
    tenant: TenantId,
    connection: ConnectionId,
}

impl JournalKey {
    /// The name of a body: keyed BLAKE3, so that equal bodies of one connection have one name and nobody else can tell
    /// what a name stands for.
    #[must_use]
    pub fn name(&self, plain: &[u8]) -> BodyRef {
        BodyRef { hash: blake3::keyed_hash(&self.name, plain).to_hex().to_string(), size: plain.len() as u64 }
    }

    /// Seals a body.
    #[must_use]
    pub fn seal(&self, plain: &[u8]) -> SealedBody {
        let of = self.name(plain);
        let (nonce, ciphertext) = seal(&self.seal, plain, &self.bound(&of));
        SealedBody { of, nonce, ciphertext }
    }

    /// Opens a body and checks that it is what its name says.
    ///
    /// # Errors
    /// [`KeyError::Authentication`] if it was changed, renamed or belongs to another connection.
    pub fn open(&self, body: &SealedBody) -> Result<Vec<u8>, KeyError> {
        open(&self.seal, &body.nonce, &body.ciphertext, &self.bound(&body.of))
            .filter(|plain| self.name(plain) == body.of)
            .map(|mut plain| std::mem::take(&mut *plain))
            .ok_or_else(|| KeyError::Authentication { what: format!("the journal body {}", body.of.hash) })
    }

    fn bound(&self, of: &BodyRef) -> Vec<u8> {
        let (tenant, connection) = (self.tenant.as_str().as_bytes(), self.connection.as_str().as_bytes());
        bind(&[
            b"body",
            &[SEALING],
            self.key_id.as_bytes(),
            tenant,
            connection,
            of.hash.as_bytes(),
            &of.size.to_le_bytes(),
        ])
    }
}

fn bound_key(scope: &Scope, id: &str) -> Vec<u8> {
    let tenant = scope.0.as_ref().map_or("", TenantId::as_str);
    let connection = scope.1.as_ref().map_or("", ConnectionId::as_str);
    let kind = [SEALING, u8::from(scope.0.is_some()), u8::from(scope.1.is_some())];
    bind(&[b"data-key", &kind, id.as_bytes(), tenant.as_bytes(), connection.as_bytes()])
}

/// Length-prefixed, so that no two lists of parts give the same bytes.
fn bind(parts: &[&[u8]]) -> Vec<u8> {
    let mut bound = b"sallyport".to_vec();
    for part in parts {
        bound.extend((part.len() as u64).to_le_bytes());
        bound.extend(*part);
    }
    bound
}

fn seal(key: &[u8; 32], plain: &[u8], aad: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // 192 random bits: no counter to keep, no collision to fear.
    let nonce: [u8; 24] = rand::random();
    let ciphertext = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
        .expect("XChaCha20-Poly1305 takes up to 256 GiB, and no limit of ours comes near");
    (nonce.to_vec(), ciphertext)
}

fn open(key: &[u8; 32], nonce: &[u8], ciphertext: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; 24] = nonce.try_into().ok()?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad })
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
