//! Documents and containers by name or id.

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::ids::ConnectionId;
use sallyport_agent::ports::Place;

use super::{AsCaller, info};
use crate::access::Live;
use crate::db::Outcome;
use crate::sink::folded;

pub(super) fn named(db: &Connection, as_caller: &AsCaller, name: &str, limit: usize) -> Outcome<Vec<Place>> {
    let name = folded(name);
    let mut found = Vec::new();
    let mut sql = db.prepare_cached("SELECT key FROM documents WHERE tenant = ? AND folded = ? ORDER BY key")?;
    let mut rows = sql.query(params![as_caller.tenant, name])?;
    while let Some(row) = rows.next()? {
        found.extend(document(db, as_caller, row.get(0)?)?);
        if found.len() >= limit {
            break;
        }
    }
    let sql = "SELECT DISTINCT s.key, k.id FROM connections c JOIN sources s ON s.key = c.source
        JOIN containers k ON k.connection = c.key WHERE c.tenant = ? AND k.folded = ? ORDER BY s.key, k.id";
    let mut sql = db.prepare_cached(sql)?;
    let mut rows = sql.query(params![as_caller.tenant, name])?;
    while let Some(row) = rows.next()? {
        if found.len() >= limit {
            break;
        }
        found.extend(container(db, as_caller, row.get(0)?, &row.get::<_, String>(1)?)?);
    }
    found.truncate(limit);
    Ok(found)
}

pub(super) fn with_id(
    db: &Connection,
    as_caller: &AsCaller,
    connection: &ConnectionId,
    id: &str,
) -> Outcome<Option<Place>> {
    let Some(source) = usable(as_caller, db, connection)?.map(|live| live.source) else { return Ok(None) };
    let sql = "SELECT key FROM documents WHERE source = ? AND id = ?";
    let key: Option<i64> = db.prepare_cached(sql)?.query_row(params![source, id], |row| row.get(0)).optional()?;
    let place = match key {
        Some(key) => document(db, as_caller, key)?,
        None => None,
    };
    match place {
        Some(place) => Ok(Some(place)),
        None => container(db, as_caller, source, id),
    }
}

/// The live connection, if this caller may act through it: a workspace's, or their own.
pub(super) fn usable<'a>(as_caller: &'a AsCaller, db: &Connection, id: &ConnectionId) -> Outcome<Option<&'a Live>> {
    let sql = "SELECT key FROM connections WHERE id = ? AND tenant = ?";
    let row = params![id.as_str(), as_caller.tenant];
    let key: Option<i64> = db.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
    Ok(key.and_then(|key| as_caller.readable.live.get(&key)).filter(|live| is_usable(as_caller, live)))
}

fn is_usable(as_caller: &AsCaller, live: &Live) -> bool {
    live.owner.as_deref().is_none_or(|owner| owner == as_caller.caller.subject.as_str())
}

fn document(db: &Connection, as_caller: &AsCaller, key: i64) -> Outcome<Option<Place>> {
    let Some(info) = info::of_document(db, &as_caller.readable, key)? else { return Ok(None) };
    let connections = ids(db, as_caller, &info::attested(db, &as_caller.readable, key)?)?;
    let sallyport_index::DocumentInfo { id, kind, title, url, path, .. } = info;
    Ok(Some(Place { id, kind, name: title, path, connections, url }))
}

/// A container of the source, as the first connection shows it by which the caller reads it.
fn container(db: &Connection, as_caller: &AsCaller, source: i64, id: &str) -> Outcome<Option<Place>> {
    let readable = &as_caller.readable;
    let of_source = readable.live.values().filter(|live| live.source == source);
    let mut keys: Vec<i64> =
        of_source.filter(|live| readable.has_container(live.key, id)).map(|live| live.key).collect();
    keys.sort_unstable();
    let Some(first) = keys.first() else { return Ok(None) };
    let sql = "SELECT kind, name, parent FROM containers WHERE connection = ? AND id = ?";
    let row: (String, String, Option<String>) =
        db.prepare_cached(sql)?.query_row(params![first, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (kind, name, parent) = row;
    let path = info::path(db, readable, *first, parent)?;
    Ok(Some(Place { id: id.into(), kind, name, path, connections: ids(db, as_caller, &keys)?, url: None }))
}

/// Ids of those connections that the caller may act through.
fn ids(db: &Connection, as_caller: &AsCaller, keys: &[i64]) -> Outcome<Vec<ConnectionId>> {
    let mut sql = db.prepare_cached("SELECT id FROM connections WHERE key = ?")?;
    let live = keys.iter().filter_map(|key| as_caller.readable.live.get(key)).filter(|live| is_usable(as_caller, live));
    let mut id = |live: &Live| Ok(ConnectionId::new(sql.query_row([live.key], |row| row.get::<_, String>(0))?));
    live.map(&mut id).collect()
}
