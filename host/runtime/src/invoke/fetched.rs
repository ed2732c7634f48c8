//! What a replay is answered with, got ready before it begins.

use std::collections::HashMap;

use tokio::task::JoinHandle;

use crate::keys::JournalKey;
use crate::ports::{BodyRef, Event, Record, SealedBody};
use crate::runtime::Runtime;

/// Bytes of bodies that are fetched at once.
const MOST: u64 = 8 << 20;
/// So many are opened by another thread, while claim, grant and instance are seen to.
const MANY: usize = 16;

/// Bodies by their names, opened.
type Opened = HashMap<String, Vec<u8>>;

/// The arguments and the answers of a record. What is not among them is asked for when it is wanted.
#[derive(Default)]
pub(super) struct Fetched {
    opened: Opened,
    coming: Option<JoinHandle<Opened>>,
}

impl Fetched {
    /// One of them.
    pub(super) async fn get(&mut self, of: &BodyRef) -> Option<Vec<u8>> {
        if of.size == 0 {
            return Some(Vec::new());
        }
        if let (false, Some(coming)) = (self.opened.contains_key(&of.hash), &mut self.coming) {
            self.opened.extend(coming.await.unwrap_or_default());
            self.coming = None;
        }
        self.opened.get(&of.hash).cloned()
    }
}

fn open(key: &JournalKey, bodies: Vec<SealedBody>) -> Opened {
    let open = |body: SealedBody| key.open(&body).ok().map(|plain| (body.of.hash, plain));
    bodies.into_iter().filter_map(open).collect()
}

impl Runtime {
    /// Fetches them all at once: to ask for each takes longer than everything else about it.
    pub(super) async fn fetch(&self, record: &Record) -> Fetched {
        let mut bytes = 0;
        let named = record.entries.iter().filter_map(|entry| match &entry.event {
            Event::Planned(plan) => plan.arguments.as_ref(),
            Event::Call { answer, .. } => Some(answer),
            Event::Write { answer, .. } => answer.as_ref(),
            _ => None,
        });
        let within = named.filter(|of| of.size > 0).take_while(|of| {
            bytes += of.size;
            bytes <= MOST
        });
        let wanted: Vec<BodyRef> = within.cloned().collect();
        if wanted.is_empty() {
            return Fetched::default();
        }
        let (services, tenant, connection) = (self.services(), &record.tenant, &record.connection);
        // What goes wrong here is told when one of them is wanted.
        let Ok(mut found) = services.journal.bodies(tenant, connection, &wanted).await else {
            return Fetched::default();
        };
        let Ok(key) = services.keyring.journal_key(tenant, connection).await else { return Fetched::default() };
        // The first, the arguments, are wanted before a guest runs.
        let at_once = if found.len() < MANY { found.len() } else { 1 };
        let later = found.split_off(at_once);
        let opened = open(&key, found);
        let coming = (!later.is_empty()).then(|| tokio::task::spawn_blocking(move || open(&key, later)));
        Fetched { opened, coming }
    }
}
