//! Which credentials the bound connection has, never what they are.

use crate::backend;

/// What may be known about the connection that this invocation is bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The provider's id of the account.
    pub account: String,
    /// The provider's id of its workspace.
    pub workspace: Option<String>,
    /// Its credential slots.
    pub slots: Vec<Slot>,
    /// The capabilities that are live in this invocation.
    pub capabilities: Vec<String>,
    /// Values of the manifest's `[[setting]]` entries.
    pub settings: Vec<(String, String)>,
}

/// The named place in a connection where a secret lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// As the manifest names it.
    pub name: String,
    /// The provider's scopes as granted, not as asked.
    pub scopes: Vec<String>,
}

impl Facts {
    /// The value of a setting, if it has one.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a capability is live in this invocation.
    pub fn is_live(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|live| live == capability)
    }

    /// The scopes granted to a slot; empty where there is no such slot.
    pub fn scopes(&self, slot: &str) -> &[String] {
        self.slots.iter().find(|known| known.name == slot).map(|known| known.scopes.as_slice()).unwrap_or_default()
    }
}

/// Asks the host about the bound connection.
pub fn facts() -> Facts {
    backend::facts()
}
