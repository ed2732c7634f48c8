//! Keys and sealing: XChaCha20-Poly1305 under data keys that a master key wraps.
//!
//! A tenant's secrets are sealed under the tenant's data key, a connection's journal bodies under a key of that
//! connection, so that deleting the connection (its key) makes them unreadable. Associated data binds each ciphertext to its
//! place: version, tenant, connection, slot, key id. A row that was moved does not open.

mod file;
mod journal;
mod master;
mod rotate;
mod sealing;
mod secret;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use zeroize::Zeroizing;

pub use file::MasterFile;
pub(crate) use file::private_file;
pub use journal::JournalKey;
pub use master::{MasterKey, MasterKeys, Wrapped};
pub use rotate::{Rotated, Rotation};
pub use secret::Secret;

use crate::audit::Note;
use crate::blame::{Blame, Fault};
use crate::clock::{Clock as _, SystemClock};
use crate::ids::{ConnectionId, LinkId, MasterId, SlotName, TenantId};
use crate::ports::{Journal, KeyScope, SealedBody, SealedSecret, StoreError, Vault, WrappedKey};
use sealing::{bind, open, seal};

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
    /// The master key that wrapped it is not known here, also after it was looked for again.
    #[error(
        "a data key was wrapped by the master key {id}, which this host does not have: put back the master.key that \
         belongs to this data directory"
    )]
    UnknownMaster {
        /// Which master key.
        id: MasterId,
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
            Self::Authentication { .. } | Self::UnknownMaster { .. } => "sealed-elsewhere",
            Self::Newer { .. } => "newer-format",
            Self::Store(error) => error.code(),
        }
    }
}

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
    fn scope(&self) -> KeyScope {
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
    /// What a connection's journal is sealed with, made of it once.
    journal: OnceLock<JournalKey>,
}

/// Opens data keys with the master keys and seals with them.
pub struct Keyring {
    masters: Arc<dyn MasterKeys>,
    vault: Arc<dyn Vault>,
    audit: Option<Arc<dyn Journal>>,
    open: Mutex<HashMap<KeyScope, Arc<DataKey>>>,
}

impl Keyring {
    /// A keyring over the vault's wrapped keys.
    #[must_use]
    pub fn new(masters: Arc<dyn MasterKeys>, vault: Arc<dyn Vault>) -> Self {
        Self { masters, vault, audit: None, open: Mutex::default() }
    }

    /// Has a secret that does not open where it stands noted in the tenant's audit chain.
    #[must_use]
    pub fn audited(self, journal: Arc<dyn Journal>) -> Self {
        Self { audit: Some(journal), ..self }
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
            lifetime: None,
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
        let key = self.data_key(place.scope()).await?;
        let bound = place.bound(sealed.version, &sealed.key_id);
        let opened =
            if key.id == sealed.key_id { open(&key.key, &sealed.nonce, &sealed.ciphertext, &bound) } else { None };
        match opened {
            Some(plain) => Ok(plain),
            None => Err(self.moved(place).await),
        }
    }

    /// A row that was moved or changed: somebody is told, and the chain has it.
    async fn moved(&self, place: Place<'_>) -> KeyError {
        let described = place.describe();
        tracing::error!(place = %described, "a sealed secret failed authentication: its row was moved or changed");
        if let Some(journal) = &self.audit {
            let note = Note::SecretMoved { place: described.clone() };
            let noted = journal.note(place.scope().0.as_ref(), &note, SystemClock.now()).await;
            if let Err(error) = noted {
                tracing::error!(%error, "that it failed is not in the audit chain");
            }
        }
        KeyError::Authentication { what: described }
    }

    /// The journal key of a connection, made on first use. Cheap to keep for an invocation.
    ///
    /// # Errors
    /// The vault's, and [`KeyError::Authentication`] if the key does not open.
    pub async fn journal_key(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<JournalKey, KeyError> {
        let key = self.data_key((Some(tenant.clone()), Some(connection.clone()))).await?;
        Ok(key.journal.get_or_init(|| JournalKey::of(&key, tenant, connection)).clone())
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

    async fn data_key(&self, scope: KeyScope) -> Result<Arc<DataKey>, KeyError> {
        if let Some(key) = self.open.lock().get(&scope) {
            return Ok(key.clone());
        }
        let key = match self.look(&scope).await {
            // Another process has put another master key in place of the one that this one knows. Once is enough: what
            // the row says and what keys there are is then from after that.
            Err(KeyError::UnknownMaster { .. } | KeyError::Store(StoreError::Conflict { .. })) => {
                self.masters.refresh().await?;
                self.look(&scope).await?
            }
            found => found?,
        };
        let key = Arc::new(key);
        self.open.lock().insert(scope, key.clone());
        Ok(key)
    }

    /// The data key as the vault has it, made if there is none. A conflict where its master key was retired meanwhile.
    async fn look(&self, scope: &KeyScope) -> Result<DataKey, KeyError> {
        let (tenant, connection) = (scope.0.as_ref(), scope.1.as_ref());
        let stored = match self.vault.data_key(tenant, connection).await? {
            Some(stored) => stored,
            None => {
                let mut key = Zeroizing::new([0; 32]);
                rand::fill(&mut key[..]);
                let id = uuid::Uuid::new_v4().simple().to_string();
                let Wrapped { master, nonce, ciphertext } = self.masters.wrap(&key, &bound_key(scope, &id)).await?;
                let fresh = WrappedKey { id, nonce, ciphertext, master };
                // Another process may have been first: what is stored counts.
                self.vault.put_data_key(tenant, connection, &fresh).await?
            }
        };
        let WrappedKey { id, nonce, ciphertext, master } = stored;
        let aad = bound_key(scope, &id);
        let key = self.masters.unwrap(&Wrapped { master, nonce, ciphertext }, &aad).await?;
        Ok(DataKey { id, key, journal: OnceLock::new() })
    }
}

fn bound_key(scope: &KeyScope, id: &str) -> Vec<u8> {
    let tenant = scope.0.as_ref().map_or("", TenantId::as_str);
    let connection = scope.1.as_ref().map_or("", ConnectionId::as_str);
    let kind = [SEALING, u8::from(scope.0.is_some()), u8::from(scope.1.is_some())];
    bind(&[b"data-key", &kind, id.as_bytes(), tenant.as_bytes(), connection.as_bytes()])
}

#[cfg(test)]
mod tests;
