//! What every call looks up, kept for as long as nobody has changed it: its connection, the grant, the live connector.
//!
//! The database counts changes of them, whichever process makes them ([`revision`]). What is kept belongs to one such number.
//! A reader asks for the number first: what it then finds here, or reads, is at least as new as that.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use sallyport::ids::{ConnectionId, TenantId};
use sallyport::ports::Granted;

use crate::db::Outcome;

/// Beyond so many connections all are forgotten: they are found again with the next call of each.
const MOST: usize = 10_000;

/// Clones of what was found last. One for all clones of a store.
#[derive(Default)]
pub(crate) struct Lookups(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    revision: i64,
    granted: HashMap<ConnectionId, (TenantId, Granted)>,
}

/// How often connections, grants or connectors have been changed.
fn revision(db: &Connection) -> Outcome<i64> {
    Ok(db.prepare_cached("SELECT number FROM revision WHERE key = 1")?.query_row([], |row| row.get(0))?)
}

impl Lookups {
    /// What a call of a tenant's connection begins with, as it is kept here or as `read` finds it.
    pub(crate) fn granted(
        &self,
        db: &Connection,
        (tenant, id): (&TenantId, &ConnectionId),
        read: impl FnOnce(&Connection) -> Outcome<Granted>,
    ) -> Outcome<Granted> {
        let now = revision(db)?;
        let known = self.at(now).and_then(|kept| kept.granted.get(id).filter(|(own, _)| own == tenant).cloned());
        if let Some((_, granted)) = known {
            return Ok(granted);
        }
        let granted = read(db)?;
        if let Some(mut kept) = self.at(now) {
            if kept.granted.len() >= MOST {
                kept.granted.clear();
            }
            kept.granted.insert(id.clone(), (tenant.clone(), granted.clone()));
        }
        Ok(granted)
    }

    /// What belongs to this number; nothing if somebody has seen a later one.
    fn at(&self, revision: i64) -> Option<MutexGuard<'_, Kept>> {
        // What it holds was read whole, whatever its last user did.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.revision < revision {
            *kept = Kept { revision, ..Kept::default() };
        }
        (kept.revision == revision).then_some(kept)
    }
}
