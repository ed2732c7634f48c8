//! Reading the journal.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use sallyport::ids::{ConnectionId, ConnectorId, InvocationId, SubjectId, TenantId, Timestamp};
use sallyport::ports::{BodyRef, Entry, Filter, Record, SealedBody, Summary};

use super::append::short;
use crate::db::{Fail, Outcome, unjson, unword, word};

/// Invocations listed where the filter does not say how many.
const LISTED: u32 = 100;

/// So many entries are read, and so many bodies found, where they are asked for: in about the time that it takes to have
/// another thread do it.
pub(super) const FEW: usize = 256;
/// And so many bytes of bodies.
pub(super) const SMALL: u64 = 1 << 20;

pub(super) fn record(db: &Connection, tenant: &TenantId, id: &InvocationId) -> Outcome<Record> {
    entries_of(db, tenant, id, find(db, tenant, id)?)
}

/// A record of few entries; nothing where there are more.
pub(super) fn short_record(db: &Connection, tenant: &TenantId, id: &InvocationId) -> Outcome<Option<Record>> {
    let found = find(db, tenant, id)?;
    if found.length > FEW { Ok(None) } else { entries_of(db, tenant, id, found).map(Some) }
}

struct Found {
    key: i64,
    connection: String,
    caller: String,
    length: usize,
}

fn find(db: &Connection, tenant: &TenantId, id: &InvocationId) -> Outcome<Found> {
    let sql = "SELECT key, connection, caller, length FROM invocations WHERE id = ? AND tenant = ?";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Found { key: row.get(0)?, connection: row.get(1)?, caller: row.get(2)?, length: row.get(3)? })
    };
    let found = db.prepare_cached(sql)?.query_row([id.as_str(), tenant.as_str()], read).optional()?;
    found.ok_or_else(|| Fail::not_found(format!("invocation {id}")))
}

fn entries_of(db: &Connection, tenant: &TenantId, id: &InvocationId, found: Found) -> Outcome<Record> {
    let Found { key, connection, caller, .. } = found;
    let mut sql = db.prepare_cached("SELECT seq, at, event FROM entries WHERE invocation = ? ORDER BY seq")?;
    let rows = sql.query_map([key], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
    let entry = |(seq, at, event): (u64, u64, String)| Ok(Entry { seq, at: Timestamp(at), event: unjson(&event)? });
    Ok(Record {
        invocation: id.clone(),
        tenant: tenant.clone(),
        caller: unjson(&caller)?,
        connection: ConnectionId::new(connection),
        entries: rows.map(|row| entry(row?)).collect::<Outcome<_>>()?,
    })
}

pub(super) fn list(db: &Connection, tenant: &TenantId, filter: &Filter) -> Outcome<Vec<Summary>> {
    let mut sql = String::from(
        "SELECT id, subject, connection, connector, standing, state, planned, changed, expires FROM invocations
        WHERE tenant = ?",
    );
    let mut values: Vec<Value> = vec![tenant.to_string().into()];
    if !filter.states.is_empty() {
        sql.push_str(&format!(" AND state IN ({})", vec!["?"; filter.states.len()].join(", ")));
        for state in &filter.states {
            values.push(word(state)?.into());
        }
    }
    if let Some(subject) = &filter.subject {
        sql.push_str(" AND subject = ?");
        values.push(subject.to_string().into());
    }
    sql.push_str(" ORDER BY key DESC LIMIT ?");
    values.push(i64::from(if filter.limit == 0 { LISTED } else { filter.limit }).into());

    let mut sql = db.prepare_cached(&sql)?;
    let mut rows = sql.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        found.push(Summary {
            invocation: InvocationId::new(text(0)?),
            subject: SubjectId::new(text(1)?),
            connection: ConnectionId::new(text(2)?),
            connector: ConnectorId::new(text(3)?).map_err(Fail::other)?,
            standing: unjson(&text(4)?)?,
            state: unword(&text(5)?)?,
            planned: Timestamp(row.get(6)?),
            changed: Timestamp(row.get(7)?),
            expires: row.get::<_, Option<u64>>(8)?.map(Timestamp),
        });
    }
    Ok(found)
}

pub(super) fn body(db: &Connection, tenant: &TenantId, connection: &ConnectionId, of: &BodyRef) -> Outcome<SealedBody> {
    let place = crate::directory::find(db, tenant, connection)?.key;
    kept(db, place, of)?.ok_or_else(|| Fail::not_found(format!("body {}", of.hash)))
}

/// So many rows in a row that are not wanted, and what is wanted lies elsewhere.
const STRANGERS: u32 = 8;

/// Those that are there. What an invocation was told was kept together, mostly: from each that is found, what lies behind it
/// is gone through for as long as that finds more. To find each by its name takes ten times as long.
pub(super) fn bodies(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    of: &[BodyRef],
) -> Outcome<Vec<SealedBody>> {
    let place = crate::directory::find(db, tenant, connection)?.key;
    let mut wanted: HashMap<Vec<u8>, &BodyRef> = of.iter().map(|of| (short(&of.hash), of)).collect();
    let mut found = Vec::with_capacity(wanted.len());
    let mut named = db.prepare_cached("SELECT key FROM bodies WHERE connection = ? AND hash = ?")?;
    let behind = "SELECT connection, hash, packed, nonce, ciphertext FROM bodies WHERE key >= ? ORDER BY key";
    let mut behind = db.prepare_cached(behind)?;
    for of in of {
        let name = short(&of.hash);
        if !wanted.contains_key(&name) {
            continue;
        }
        let key: Option<i64> = named.query_row(params![place, name], |row| row.get(0)).optional()?;
        let Some(key) = key else { continue };
        let (mut rows, mut strangers) = (behind.query([key])?, 0);
        while let Some(row) = rows.next()?.filter(|_| strangers < STRANGERS && !wanted.is_empty()) {
            let own = row.get::<_, i64>(0)? == place;
            let hash = row.get_ref(1)?.as_blob().map_err(Fail::other)?;
            let Some(of) = (if own { wanted.remove(hash) } else { None }) else {
                strangers += 1;
                continue;
            };
            strangers = 0;
            let of = of.clone();
            found.push(SealedBody { of, packed: row.get(2)?, nonce: row.get(3)?, ciphertext: row.get(4)? });
        }
    }
    Ok(found)
}

fn kept(db: &Connection, place: i64, of: &BodyRef) -> Outcome<Option<SealedBody>> {
    let sql = "SELECT packed, nonce, ciphertext FROM bodies WHERE connection = ? AND hash = ?";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(SealedBody { of: of.clone(), packed: row.get(0)?, nonce: row.get(1)?, ciphertext: row.get(2)? })
    };
    Ok(db.prepare_cached(sql)?.query_row(params![place, short(&of.hash)], read).optional()?)
}
