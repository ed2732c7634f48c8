//! Randomness that the host gives and records, so that a replay sees the same bytes.

use crate::backend;

/// `length` random bytes.
pub fn bytes(length: u32) -> Vec<u8> {
    backend::random(length)
}

/// A random number.
pub fn number() -> u64 {
    let mut number = [0; 8];
    for (slot, byte) in number.iter_mut().zip(bytes(8)) {
        *slot = byte;
    }
    u64::from_le_bytes(number)
}
