//! Sealing and naming the bodies of a connection's journal.

use zeroize::Zeroizing;

use super::sealing::{bind, open, seal};
use super::{DataKey, KeyError, SEALING};
use crate::ids::{ConnectionId, TenantId};
use crate::ports::{BodyRef, SealedBody};

/// Bytes of a body's name.
const NAME: usize = 16;

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
    pub(super) fn of(key: &DataKey, tenant: &TenantId, connection: &ConnectionId) -> Self {
        Self {
            seal: Zeroizing::new(blake3::derive_key("sallyport 2026 journal body sealing", &*key.key)),
            name: Zeroizing::new(blake3::derive_key("sallyport 2026 journal body naming", &*key.key)),
            key_id: key.id.clone(),
            tenant: tenant.clone(),
            connection: connection.clone(),
        }
    }

    /// The name of a body: keyed BLAKE3, so that equal bodies of one connection have one name and nobody else can tell
    /// what a name stands for.
    #[must_use]
    pub fn name(&self, plain: &[u8]) -> BodyRef {
        let hash = blake3::keyed_hash(&self.name, plain);
        BodyRef { hash: hex::encode(&hash.as_bytes()[..NAME]), size: plain.len() as u64 }
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
            .filter(|plain| body.of.is(&self.name(plain)))
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
