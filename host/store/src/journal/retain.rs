//! Forgetting bodies that are older than the retention.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use sallyport::audit::Note;
use sallyport::ids::{TenantId, Timestamp};
use sallyport::ports::Event;

use super::append::short;
use crate::audit;
use crate::db::{Outcome, unjson};

/// Forgets them, and notes in each tenant's chain how many.
pub(super) fn forget(db: &Connection, before: Timestamp, now: Timestamp) -> Outcome<u64> {
    let needed = needed(db)?;
    let sql = "SELECT b.key, b.connection, b.hash, t.id FROM bodies b JOIN connections c ON c.key = b.connection
        JOIN tenants t ON t.key = c.tenant WHERE b.kept < ? ORDER BY t.id";
    let mut old = db.prepare(sql)?;
    let mut rows = old.query([before.0])?;
    let mut remove = db.prepare("DELETE FROM bodies WHERE key = ?")?;
    let mut forgotten: Vec<(String, u64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (connection, hash): (i64, Vec<u8>) = (row.get(1)?, row.get(2)?);
        if needed.contains(&(connection, hash)) {
            continue;
        }
        remove.execute([row.get::<_, i64>(0)?])?;
        let tenant: String = row.get(3)?;
        match forgotten.last_mut().filter(|(last, _)| *last == tenant) {
            Some((_, count)) => *count += 1,
            None => forgotten.push((tenant, 1)),
        }
    }
    for (tenant, bodies) in &forgotten {
        let note = Note::BodiesForgotten { bodies: *bodies, before };
        audit::note(db, Some(&TenantId::new(tenant.as_str())), now, &note)?;
    }
    Ok(forgotten.iter().map(|(_, count)| count).sum())
}

/// Bodies of invocations that may go on: by connection and name.
fn needed(db: &Connection) -> Outcome<HashSet<(i64, Vec<u8>)>> {
    let sql = "SELECT c.key, e.event FROM invocations i JOIN connections c ON c.id = i.connection
        JOIN entries e ON e.invocation = i.key
        WHERE i.state IN ('planned', 'running', 'held', 'approved', 'unknown')";
    let mut sql = db.prepare(sql)?;
    let mut rows = sql.query(params![])?;
    let mut needed = HashSet::new();
    while let Some(row) = rows.next()? {
        let connection: i64 = row.get(0)?;
        let event: Event = unjson(&row.get::<_, String>(1)?)?;
        needed.extend(event.bodies().into_iter().map(|of| (connection, short(&of.hash))));
    }
    Ok(needed)
}
