//! Adding entries, and what follows from them.

use rusqlite::{Connection, params};
use sallyport::ids::{ConnectorId, SubjectId, Timestamp};
use sallyport::ports::{EffectState, End, Entry, Event, Hold, SealedBody, SettlementKind, Standing, State};

use super::Row;
use crate::audit::{self, Linked};
use crate::db::{Fail, Outcome, json, unjson, word};
use crate::events::{self, NewEvent};

/// Bodies that are handed over again within this time keep their date: it is for days, not for hours.
const REDATED: u64 = 60 * 60 * 1000;

/// Keeps the bodies; one that is there already is the same, since its name is its hash. Of a connection that is gone nothing
/// is kept: there is no key that opens it.
pub(super) fn bodies(db: &Connection, connection: Option<i64>, now: Timestamp, bodies: &[SealedBody]) -> Outcome<()> {
    let Some(connection) = connection else { return Ok(()) };
    let sql = "INSERT INTO bodies (connection, hash, kept, packed, nonce, ciphertext) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (connection, hash) DO UPDATE SET kept = excluded.kept WHERE kept + ?7 < excluded.kept";
    let mut sql = db.prepare_cached(sql)?;
    for SealedBody { of, packed, nonce, ciphertext } in bodies {
        sql.execute(params![connection, short(&of.hash), now.0, packed, nonce, ciphertext, REDATED])?;
    }
    Ok(())
}

/// A hash as it is stored: 32 or 64 hex digits as bytes, anything else as it is.
pub(super) fn short(hash: &str) -> Vec<u8> {
    let decoded = if matches!(hash.len(), 32 | 64) { hex::decode(hash).ok() } else { None };
    decoded.unwrap_or_else(|| hash.as_bytes().to_vec())
}

/// Adds the entries and brings the invocation's columns to what follows from them.
pub(super) fn entries(db: &Connection, row: &Row, entries: &[Entry]) -> Outcome<()> {
    let (mut state, mut hold, mut expires, mut ended) = (row.state, row.hold.clone(), row.expires, false);
    let mut until = row.until;
    let mut add = db.prepare_cached("INSERT INTO entries (invocation, seq, at, event) VALUES (?, ?, ?, ?)")?;
    let mut texts = Vec::with_capacity(entries.len());
    for entry in entries {
        let text = json(&entry.event)?;
        add.execute(params![row.key, entry.seq, entry.at.0, text])?;
        texts.push((entry.seq, entry.at, text));
        state = State::after(&entry.event).unwrap_or(state);
        match &entry.event {
            Event::Held(held) => {
                announce(db, row, entry.at, held)?;
                hold = Some(held.effect.request.hash.clone());
                expires = Some(held.expires.0);
                until = 0;
            }
            Event::Started { .. } => (hold, expires) = (None, None),
            Event::Write { call, state: EffectState::Sent, .. } => sent(db, row, *call, entry)?,
            Event::Ended(end) => {
                (ended, until) = (true, 0);
                if matches!(end, End::Unknown { .. }) {
                    let what =
                        NewEvent::InvocationUnknown { invocation: row.id.clone(), connection: row.connection_id() };
                    events::tell(db, &row.tenant, entry.at, &what)?;
                }
            }
            Event::Decided(decision) => {
                let (invocation, decision, by) = (row.id.clone(), decision.kind, decision.by.clone());
                events::tell(db, &row.tenant, entry.at, &NewEvent::ApprovalDecided { invocation, decision, by })?;
            }
            Event::Settled(settled) => (ended, until) = (settled.kind == SettlementKind::TookEffect, 0),
            _ => {}
        }
    }
    let Some(last) = entries.last() else { return Ok(()) };
    let whose = row.whose.as_ref().map(|caller| (row.connection.as_str(), caller.as_str()));
    let linked = Linked { tenant: row.tenant.as_str(), key: row.key, id: row.id.as_str(), whose };
    audit::entries(db, &linked, &texts)?;
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

/// Tells whoever embeds the host that a write waits for a decision.
fn announce(db: &Connection, row: &Row, at: Timestamp, held: &Hold) -> Outcome<()> {
    let sql = "SELECT connector, subject, standing FROM invocations WHERE key = ?";
    let texts = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (connector, subject, standing): (String, String, String) =
        db.prepare_cached(sql)?.query_row([row.key], texts)?;
    let Standing::Tool { tool } = unjson(&standing)? else { return Ok(()) };
    let event = NewEvent::ApprovalPending {
        invocation: row.id.clone(),
        connection: row.connection_id(),
        connector: ConnectorId::new(&connector).map_err(Fail::other)?,
        tool,
        by: SubjectId::new(subject),
        expires: held.expires,
    };
    events::tell(db, &row.tenant, at, &event)
}
