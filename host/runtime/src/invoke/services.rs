//! What every invocation works with.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::authority::Authority;
use crate::clock::Clock;
use crate::egress::Egress;
use crate::ids::ConnectionId;
use crate::keys::Keyring;
use crate::ports::{Catalog, Directory, Journal, Links, Sink, Vault};

use super::Stop;

/// The ports and the one way out.
pub(crate) struct Services {
    pub(crate) egress: Egress,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) links: Arc<dyn Links>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counting: Counting,
}

/// One at a time for each connection: from counting its writes to having the next one on record. Those of other processes
/// are counted, but not waited for.
#[derive(Default)]
pub(crate) struct Counting(Mutex<HashMap<ConnectionId, Weak<tokio::sync::Mutex<()>>>>);

impl Counting {
    pub(crate) fn of(&self, connection: &ConnectionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.0.lock();
        if let Some(own) = all.get(connection).and_then(Weak::upgrade) {
            return own;
        }
        all.retain(|_, other| other.strong_count() > 0);
        let own = Arc::default();
        all.insert(connection.clone(), Arc::downgrade(&own));
        own
    }
}

/// What a guest is told about its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The account at the provider.
    pub account: String,
    /// The workspace, where the provider has such.
    pub workspace: Option<String>,
    /// Name and scopes, as granted.
    pub slots: Vec<(String, Vec<String>)>,
    /// Capabilities that are live.
    pub capabilities: Vec<String>,
    /// The manifest's settings.
    pub settings: Vec<(String, String)>,
}

impl Services {
    /// The connection's slots that hold a secret, with the scopes that were granted.
    pub(crate) async fn slots(&self, at: &Authority) -> Result<Vec<(String, Vec<String>)>, Stop> {
        let slots = self.vault.slots(at).await?;
        Ok(slots.into_iter().map(|(name, secret)| (name.to_string(), secret.scopes)).collect())
    }
}
