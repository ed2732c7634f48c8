//! What a provider's webhook means.

use crate::Failure;

/// Reads webhook deliveries; name the type after `webhooks:` in [`export!`](crate::export).
///
/// Pure: no capability is live. Signature, age, replay and handshake were settled by the host.
pub trait Webhooks {
    /// What a delivery hints at. Hints are never trusted as content: the host pulls afterwards.
    fn receive(headers: &[(String, String)], body: &[u8]) -> Result<Vec<Hint>, Failure>;
}

/// What may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Anything.
    Everything,
    /// A stream, by id.
    Stream(String),
    /// A document, by id.
    Document(String),
    /// The account was disconnected at the provider.
    Disconnected,
}
