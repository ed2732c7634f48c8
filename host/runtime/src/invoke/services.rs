//! What every invocation works with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::authority::Authority;
use crate::clock::Clock;
use crate::egress::Egress;
use crate::keys::Keyring;
use crate::ports::{Catalog, Directory, Journal, Sink, Vault};

use super::Stop;

/// The ports and the one way out.
pub(crate) struct Services {
    pub(crate) egress: Egress,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What a guest is told about its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) account: String,
    pub(crate) workspace: Option<String>,
    /// Name and scopes, as granted.
    pub(crate) slots: Vec<(String, Vec<String>)>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) settings: Vec<(String, String)>,
}

impl Services {
    /// The connection's slots that hold a secret, with the scopes that were granted.
    pub(crate) async fn slots(&self, at: &Authority) -> Result<Vec<(String, Vec<String>)>, Stop> {
        let slots = self.vault.slots(at).await?;
        Ok(slots.into_iter().map(|(name, secret)| (name.to_string(), secret.scopes)).collect())
    }
}
