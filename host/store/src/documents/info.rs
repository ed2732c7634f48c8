//! Documents and containers as a caller is shown them: no name of anything that they may not read.

use rusqlite::{Connection, OptionalExtension, params};
use sallyport_index::{DocumentInfo, DocumentKey};

use crate::access::Readable;
use crate::db::Outcome;

/// Folders above each other beyond this are not shown; a circle of parents ends here, too.
const DEEPEST: usize = 32;

/// A document as it is cited; `None` if the caller may not read it or it is gone.
pub(crate) fn of_document(db: &Connection, readable: &Readable, key: i64) -> Outcome<Option<DocumentInfo>> {
    let attested = attested(db, readable, key)?;
    if attested.is_empty() {
        return Ok(None);
    }
    let sql = "SELECT d.id, s.id, d.kind, d.title, d.url, d.updated, d.container FROM documents d
        JOIN sources s ON s.key = d.source WHERE d.key = ?";
    let found = db.prepare_cached(sql)?.query_row([key], |row| {
        let info = DocumentInfo {
            key: DocumentKey(key.cast_unsigned()),
            id: row.get(0)?,
            source: row.get(1)?,
            kind: row.get(2)?,
            title: row.get(3)?,
            url: row.get(4)?,
            path: Vec::new(),
            updated: row.get(5)?,
        };
        Ok((info, row.get::<_, Option<String>>(6)?))
    });
    let Some((info, container)) = found.optional()? else { return Ok(None) };
    // Each connection may see another part of the way up: the longest is shown.
    let mut longest = Vec::new();
    for connection in attested {
        let path = path(db, readable, connection, container.clone())?;
        if path.len() > longest.len() {
            longest = path;
        }
    }
    Ok(Some(DocumentInfo { path: longest, ..info }))
}

/// Live connections by whose attestation the caller reads the document.
pub(crate) fn attested(db: &Connection, readable: &Readable, document: i64) -> Outcome<Vec<i64>> {
    let sql = "SELECT connection, acl FROM attestations WHERE document = ? AND acl IS NOT NULL";
    let mut sql = db.prepare_cached(sql)?;
    let mut rows = sql.query([document])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if readable.admits(row.get(1)?) {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// Names of the containers from the outermost down to `container`, as far up as the caller may read them.
pub(crate) fn path(
    db: &Connection,
    readable: &Readable,
    connection: i64,
    container: Option<String>,
) -> Outcome<Vec<String>> {
    let mut sql = db.prepare_cached("SELECT name, parent FROM containers WHERE connection = ? AND id = ?")?;
    let (mut path, mut next) = (Vec::new(), container);
    while let Some(id) = next.take().filter(|id| path.len() < DEEPEST && readable.has_container(connection, id)) {
        let row = sql.query_row(params![connection, id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((name, parent)) = row {
            path.push(name);
            next = parent;
        }
    }
    path.reverse();
    Ok(path)
}
