//! Taking back what a connection attested. A document that nobody attests any more is gone, and its history says so.

use rusqlite::{Connection, OptionalExtension, params};

use crate::db::Outcome;
use crate::directory::Found;

/// Takes back the connection's attestation of one document; false if it had none.
pub(super) fn document(db: &Connection, connection: &Found, id: &str) -> Outcome<bool> {
    let sql = "SELECT d.key FROM documents d JOIN attestations a ON a.document = d.key AND a.connection = ?
        WHERE d.source = ? AND d.id = ?";
    let row = params![connection.key, connection.source, id];
    let document: Option<i64> = db.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
    let Some(document) = document else { return Ok(false) };
    let sql = "DELETE FROM attestations WHERE document = ? AND connection = ?";
    db.prepare_cached(sql)?.execute(params![document, connection.key])?;
    remove_unattested(db, connection.tenant, document)?;
    Ok(true)
}

/// Takes back all that the connection attested and where its pulls stood.
pub(crate) fn everything(db: &Connection, connection: &Found) -> Outcome<()> {
    let mut sql = db.prepare_cached("DELETE FROM attestations WHERE connection = ? RETURNING document")?;
    let documents: Vec<i64> = sql.query_map([connection.key], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for document in documents {
        remove_unattested(db, connection.tenant, document)?;
    }
    for table in ["containers", "groups", "people", "streams", "acls"] {
        db.execute(&format!("DELETE FROM {table} WHERE connection = ?"), [connection.key])?;
    }
    Ok(())
}

fn remove_unattested(db: &Connection, tenant: i64, document: i64) -> Outcome<()> {
    let sql = "DELETE FROM documents WHERE key = ?1
        AND NOT EXISTS (SELECT 1 FROM attestations WHERE document = ?1)";
    if db.prepare_cached(sql)?.execute([document])? > 0 {
        next_in_history(db, tenant, document)?;
    }
    Ok(())
}

/// Gives the document the tenant's next position, so that every index hears of it.
pub(crate) fn next_in_history(db: &Connection, tenant: i64, document: i64) -> Outcome<u64> {
    let sql = "UPDATE tenants SET seq = seq + 1 WHERE key = ? RETURNING seq";
    let seq: u64 = db.prepare_cached(sql)?.query_row([tenant], |row| row.get(0))?;
    let sql = "INSERT INTO history (document, tenant, seq) VALUES (?1, ?2, ?3)
        ON CONFLICT (document) DO UPDATE SET seq = ?3";
    db.prepare_cached(sql)?.execute(params![document, tenant, seq])?;
    Ok(seq)
}
