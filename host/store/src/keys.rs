//! Wrapped data keys, and which master key wrapped them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sallyport::ids::{ConnectionId, MasterId, TenantId};
use sallyport::ports::{KeyScope, Rewrap, WrappedKey};

use crate::db::{Fail, Outcome};

/// The setting that says that a master key is retired.
fn retired(master: &MasterId) -> String {
    format!("master-retired/{master}")
}

/// The key of a scope; a scope's names are empty where it has none.
pub(crate) fn wrapped(db: &Connection, tenant: &str, connection: &str) -> Outcome<Option<WrappedKey>> {
    let sql = "SELECT id, nonce, ciphertext, master FROM data_keys WHERE tenant = ? AND connection = ?";
    let key = db.prepare_cached(sql)?.query_row([tenant, connection], columns).optional()?;
    key.map(key_of).transpose()
}

/// Stores it unless there is one, or its master key is retired; gives the one that is stored.
pub(crate) fn put(db: &Connection, tenant: &str, connection: &str, key: &WrappedKey) -> Outcome<WrappedKey> {
    if let Some(found) = wrapped(db, tenant, connection)? {
        return Ok(found);
    }
    if db.prepare_cached("SELECT 1 FROM settings WHERE key = ?")?.exists([retired(&key.master)])? {
        return Err(Fail::conflict(format!("the master key {}", key.master), "retired"));
    }
    let sql = "INSERT INTO data_keys (tenant, connection, id, nonce, ciphertext, master) VALUES (?, ?, ?, ?, ?, ?)";
    let row = params![tenant, connection, key.id, key.nonce, key.ciphertext, key.master.name()];
    db.prepare_cached(sql)?.execute(row)?;
    Ok(key.clone())
}

pub(crate) fn retire(db: &Connection, master: &MasterId) -> Outcome<()> {
    let sql = "INSERT INTO settings (key, value) VALUES (?, '') ON CONFLICT DO NOTHING";
    db.prepare_cached(sql)?.execute([retired(master)])?;
    Ok(())
}

pub(crate) fn wrapped_by(
    db: &Connection,
    master: &MasterId,
    after: Option<&KeyScope>,
    limit: u32,
) -> Outcome<Vec<(KeyScope, WrappedKey)>> {
    // No scope comes before the operator's, whose names are empty; only without `after` is it among the answers.
    let (tenant, connection) = after.map_or_else(Default::default, names);
    let sql = "SELECT id, nonce, ciphertext, master, tenant, connection FROM data_keys WHERE master IS ?1
        AND ((tenant, connection) > (?2, ?3) OR ?4) ORDER BY tenant, connection LIMIT ?5";
    let mut sql = db.prepare_cached(sql)?;
    let row = params![master.name(), tenant, connection, after.is_none(), limit];
    let rows = sql.query_map(row, |row| Ok((columns(row)?, row.get::<_, String>(4)?, row.get::<_, String>(5)?)))?;
    rows.map(|row| {
        let (columns, tenant, connection) = row?;
        let tenant = (!tenant.is_empty()).then(|| TenantId::new(tenant));
        let connection = (!connection.is_empty()).then(|| ConnectionId::new(connection));
        Ok(((tenant, connection), key_of(columns)?))
    })
    .collect()
}

pub(crate) fn rewrap(db: &Connection, batch: &[Rewrap]) -> Outcome<u64> {
    let sql = "UPDATE data_keys SET nonce = ?1, ciphertext = ?2, master = ?3
        WHERE tenant = ?4 AND connection = ?5 AND id = ?6 AND nonce = ?7 AND ciphertext = ?8 AND master IS ?9";
    let mut sql = db.prepare_cached(sql)?;
    let mut replaced = 0;
    for Rewrap { scope, before, now } in batch {
        let (tenant, connection) = names(scope);
        replaced += sql.execute(params![
            now.nonce,
            now.ciphertext,
            now.master.name(),
            tenant,
            connection,
            before.id,
            before.nonce,
            before.ciphertext,
            before.master.name(),
        ])? as u64;
    }
    Ok(replaced)
}

/// How a scope stands in the key columns.
fn names((tenant, connection): &KeyScope) -> (String, String) {
    let tenant = tenant.as_ref().map_or(String::new(), ToString::to_string);
    (tenant, connection.as_ref().map_or(String::new(), ToString::to_string))
}

type Columns = (String, Vec<u8>, Vec<u8>, Option<String>);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn key_of((id, nonce, ciphertext, master): Columns) -> Outcome<WrappedKey> {
    let master = match master {
        None => MasterId::FIRST,
        Some(name) => MasterId::named(&name).ok_or_else(|| Fail::other(format!("{name:?} names no master key")))?,
    };
    Ok(WrappedKey { id, nonce, ciphertext, master })
}
