//! Adding entries, and what follows from them.

use rusqlite::{Connection, params};
use sallyport::ids::ConnectionId;
use sallyport::ports::{EffectState, Entry, Event, SealedBody, State};

use super::Row;
use crate::db::{Outcome, json, word};

/// Keeps the bodies; one that is there already is the same, since its name is its hash.
pub(super) fn bodies(db: &Connection, connection: &ConnectionId, bodies: &[SealedBody]) -> Outcome<()> {
    let sql = "INSERT OR IGNORE INTO bodies (connection, hash, size, nonce, ciphertext) VALUES (?, ?, ?, ?, ?)";
    let mut sql = db.prepare_cached(sql)?;
    for SealedBody { of, nonce, ciphertext } in bodies {
        sql.execute(params![connection.as_str(), of.hash, of.size, nonce, ciphertext])?;
    }
    Ok(())
}

/// Adds the entries and brings the invocation's columns to what follows from them.
pub(super) fn entries(db: &Connection, row: &Row, entries: &[Entry]) -> Outcome<()> {
    let (mut state, mut hold, mut expires, mut ended) = (row.state, row.hold.clone(), row.expires, false);
    let mut until = row.until;
    let mut add = db.prepare_cached("INSERT INTO entries (invocation, seq, at, event) VALUES (?, ?, ?, ?)")?;
    for entry in entries {
        add.execute(params![row.key, entry.seq, entry.at.0, json(&entry.event)?])?;
        state = State::after(&entry.event).unwrap_or(state);
        match &entry.event {
            Event::Held(held) => {
                hold = Some(held.effect.request.hash.clone());
                expires = Some(held.expires.0);
                until = 0;
            }
            Event::Started { .. } => (hold, expires) = (None, None),
            Event::Write { call, state: EffectState::Sent, .. } => sent(db, row, *call, entry)?,
            Event::Ended(_) => (ended, until) = (true, 0),
            _ => {}
        }
    }
    let Some(last) = entries.last() else { return Ok(()) };
    let sql = "UPDATE invocations SET length = ?, state = ?, ended = ?, changed = ?, hold = ?, expires = ?, until = ?
        WHERE key = ?";
    let columns = params![last.seq + 1, word(&state)?, ended, last.at.0, hold, expires, until, row.key];
    db.prepare_cached(sql)?.execute(columns)?;
    Ok(())
}

/// Counts a write towards the connection's day, once however often it is repeated.
fn sent(db: &Connection, row: &Row, call: u32, entry: &Entry) -> Outcome<()> {
    let sql = "INSERT OR IGNORE INTO sent (connection, at, invocation, call) VALUES (?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![row.connection, entry.at.0, row.key, call])?;
    Ok(())
}
