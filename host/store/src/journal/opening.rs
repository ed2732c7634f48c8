//! Invocations whose beginning was handed over and is not written yet. What follows meanwhile is written along with it: a
//! call that only reads is over before the writer turns to it, and is then one write in place of two.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, params};
use sallyport::authority::Authority;
use sallyport::ids::{InvocationId, Timestamp};
use sallyport::ports::{Entry, Event, Lease, Plan, SealedBody, State};

use super::{Row, append};
use crate::db::{Fail, Outcome, json, word};
use crate::directory::find;

/// A beginning, and what followed it so far.
pub(super) struct Opening {
    pub(super) at: Authority,
    pub(super) plan: Plan,
    pub(super) when: Timestamp,
    pub(super) lease: Lease,
    pub(super) bodies: Vec<SealedBody>,
    /// After the plan's.
    pub(super) entries: Vec<Entry>,
}

/// By invocation. One for all clones of a store.
#[derive(Default)]
pub(crate) struct Openings(Mutex<HashMap<InvocationId, Opening>>);

impl Openings {
    pub(super) fn add(&self, opening: Opening) -> Outcome<()> {
        let mut all = self.lock();
        if all.contains_key(&opening.at.invocation) {
            return Err(opened_before(&opening.at.invocation));
        }
        all.insert(opening.at.invocation.clone(), opening);
        Ok(())
    }

    /// For the writer.
    pub(super) fn take(&self, id: &InvocationId) -> Option<Opening> {
        self.lock().remove(id)
    }

    /// Adds what follows, if the writer has not taken the beginning; gives it back if it has.
    pub(super) fn extend(
        &self,
        at: &Authority,
        first: u64,
        entries: Vec<Entry>,
        bodies: Vec<SealedBody>,
    ) -> Outcome<Option<(Vec<Entry>, Vec<SealedBody>)>> {
        let mut all = self.lock();
        let Some(opening) = all.get_mut(&at.invocation) else { return Ok(Some((entries, bodies))) };
        let row = Row { length: 1 + opening.entries.len() as u64, ended: opening.ended(), ..opening.row(0, 0) };
        if at.tenant() != &row.tenant {
            return Err(Fail::not_found(row.name()));
        }
        row.fenced(at)?;
        row.takes(first, &entries)?;
        opening.entries.extend(entries);
        opening.bodies.extend(bodies);
        Ok(None)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InvocationId, Opening>> {
        // Each beginning is whole whatever its last user did.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened_before(id: &InvocationId) -> Fail {
    Fail::conflict(format!("invocation {id}"), "opened before")
}

impl Opening {
    fn ended(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.event, Event::Ended(_)))
    }

    fn row(&self, key: i64, place: i64) -> Row {
        Row {
            key,
            id: self.at.invocation.clone(),
            tenant: self.at.tenant().clone(),
            connection: self.at.connection.to_string(),
            place: Some(place),
            whose: None,
            length: 0,
            state: State::Planned,
            ended: false,
            hold: None,
            expires: None,
            fence: self.lease.fence.0,
            until: self.lease.until.0,
        }
    }

    /// Writes all of it.
    pub(super) fn write(self, db: &Connection) -> Outcome<()> {
        let at = &self.at;
        let place = find(db, at.tenant(), &at.connection)?.key;
        let caller = json(&at.caller)?;
        let sql = "INSERT INTO invocations (id, tenant, connection, caller, subject, connector, standing, length,
                state, planned, changed, fence, until)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING";
        let added = db.prepare_cached(sql)?.execute(params![
            at.invocation.as_str(),
            at.tenant().as_str(),
            at.connection.as_str(),
            caller,
            at.caller.subject.as_str(),
            self.plan.connector.as_str(),
            json(&self.plan.standing)?,
            word(&State::Planned)?,
            self.when.0,
            self.lease.fence.0,
            self.lease.until.0,
        ])?;
        if added == 0 {
            return Err(opened_before(&at.invocation));
        }
        let row = Row { whose: Some(caller), ..self.row(db.last_insert_rowid(), place) };
        append::bodies(db, row.place, self.when, &self.bodies)?;
        let planned = Entry { seq: 0, at: self.when, event: Event::Planned(Box::new(self.plan)) };
        let entries: Vec<Entry> = std::iter::once(planned).chain(self.entries).collect();
        append::entries(db, &row, &entries)
    }
}
