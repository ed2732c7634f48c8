//! XChaCha20-Poly1305, and how associated data is put together.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// Length-prefixed, so that no two lists of parts give the same bytes.
pub(super) fn bind(parts: &[&[u8]]) -> Vec<u8> {
    bind_on(b"sallyport", parts)
}

/// More parts after those of [`bind`].
pub(super) fn bind_on(before: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut bound = Vec::with_capacity(before.len() + parts.iter().map(|part| 8 + part.len()).sum::<usize>());
    bound.extend(before);
    for part in parts {
        bound.extend((part.len() as u64).to_le_bytes());
        bound.extend(*part);
    }
    bound
}

/// Nonce and ciphertext.
pub(super) fn seal(key: &[u8; 32], plain: &[u8], aad: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // 192 random bits: no counter to keep, no collision to fear.
    let nonce: [u8; 24] = rand::random();
    let ciphertext = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
        .expect("XChaCha20-Poly1305 takes up to 256 GiB, and no limit of ours comes near");
    (nonce.to_vec(), ciphertext)
}

pub(super) fn open(key: &[u8; 32], nonce: &[u8], ciphertext: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; 24] = nonce.try_into().ok()?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad })
        .ok()
        .map(Zeroizing::new)
}
