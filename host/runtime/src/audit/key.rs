//! The host's signing key, and the signatures over chains' newest hashes.

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey, Verifier as _};

use super::chain::{ChainName, Hash};
use crate::ids::Timestamp;

/// First line of the key's file.
const HEADER: &str = "sallyport host key 1";

/// An Ed25519 public key.
pub type VerifyingKey = [u8; 32];
/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// The host's key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the host's key {path} cannot be used: {reason}")]
pub struct HostKeyError {
    /// Its file.
    pub path: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Signs what this host vouches for. It lies in a file beside the database, mode 0600: who can change the one alone cannot
/// make it look right.
pub struct HostKey(SigningKey);

impl HostKey {
    /// Reads the key's file, or makes it.
    ///
    /// # Errors
    /// The file cannot be read or written, others may read it, or it is none of this form.
    pub fn open_or_create(path: &Path) -> Result<Self, HostKeyError> {
        let failed = |reason: String| HostKeyError { path: path.display().to_string(), reason };
        let text =
            crate::keys::private_file(path, || format!("{HEADER}\n{}\n", hex::encode(rand::random::<[u8; 32]>())))
                .map_err(|error| failed(error.to_string()))?;
        let mut key = [0; 32];
        match text.strip_prefix(HEADER).map(|rest| hex::decode_to_slice(rest.trim(), &mut key)) {
            Some(Ok(())) => Ok(Self(SigningKey::from_bytes(&key))),
            _ => Err(failed(
                "it is of no form that this version knows: put back the one that belongs to this data directory".into(),
            )),
        }
    }

    /// What others check its signatures with.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a chain's newest hash.
    #[must_use]
    pub fn sign_head(&self, chain: &ChainName, seq: u64, hash: &Hash, at: Timestamp) -> SignedHead {
        let signature = self.0.sign(&head(chain, seq, hash, at)).to_bytes();
        SignedHead { chain: chain.clone(), seq, hash: *hash, at, key: self.public(), signature }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

/// The newest hash of a chain, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// Which chain.
    pub chain: ChainName,
    /// How many links it had.
    pub seq: u64,
    /// The hash of the last of them.
    pub hash: Hash,
    /// When it was signed.
    pub at: Timestamp,
    /// By which key.
    pub key: VerifyingKey,
    /// The signature.
    pub signature: Signature,
}

/// Whether a head was signed by this key.
#[must_use]
pub fn verify_head(head_: &SignedHead, by: &VerifyingKey) -> bool {
    head_.key == *by && verify(by, &head(&head_.chain, head_.seq, &head_.hash, head_.at), &head_.signature)
}

pub(super) fn verify(by: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(by) else { return false };
    key.verify(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
}

fn head(chain: &ChainName, seq: u64, hash: &Hash, at: Timestamp) -> Vec<u8> {
    let mut message = b"sallyport audit head 1".to_vec();
    message.extend((chain.as_str().len() as u64).to_le_bytes());
    message.extend(chain.as_str().as_bytes());
    message.extend(seq.to_le_bytes());
    message.extend(hash);
    message.extend(at.0.to_le_bytes());
    message
}
