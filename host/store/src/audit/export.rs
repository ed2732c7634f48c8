//! Chains as they are given out.

use rusqlite::{Connection, params};
use sallyport::audit::ChainName;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::db::Outcome;

/// A link, with what it stands for as it was digested.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// The tenant's id; empty for the host's own chain.
    pub chain: String,
    /// Its place, from 1.
    pub seq: u64,
    /// Hex.
    pub hash: String,
    /// What it stands for.
    #[serde(flatten)]
    pub item: ExportedItem,
}

/// What a link stands for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ExportedItem {
    /// An entry of the journal.
    Entry {
        /// Its invocation.
        invocation: String,
        /// Its place in it, from 0.
        entry: u64,
        /// Milliseconds since 1970.
        at: u64,
        /// The event.
        event: Box<RawValue>,
        /// The connection; with the first entry.
        #[serde(skip_serializing_if = "Option::is_none")]
        connection: Option<String>,
        /// Who asked for it; with the first entry.
        #[serde(skip_serializing_if = "Option::is_none")]
        caller: Option<Box<RawValue>>,
    },
    /// An administrative entry.
    Note {
        /// Milliseconds since 1970.
        at: u64,
        /// What was done.
        note: Box<RawValue>,
    },
    /// What it stood for is not there: the chain does not verify.
    Missing,
}

pub(super) fn export(db: &Connection, chain: &ChainName, after: u64, limit: usize) -> Outcome<Vec<Exported>> {
    let sql = "SELECT a.seq, lower(hex(a.hash)), a.at, a.note, i.id, a.entry, e.at, e.event, i.connection, i.caller
        FROM chains c JOIN audit a ON a.chain = c.key
        LEFT JOIN invocations i ON i.key = a.invocation
        LEFT JOIN entries e ON e.invocation = a.invocation AND e.seq = a.entry
        WHERE c.name = ? AND a.seq > ? ORDER BY a.seq LIMIT ?";
    let mut sql = db.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = sql.query(params![chain.as_str(), after, limit])?;
    let mut links = Vec::new();
    while let Some(row) = rows.next()? {
        let (at, note): (Option<u64>, Option<String>) = (row.get(2)?, row.get(3)?);
        let (invocation, entry): (Option<String>, Option<u64>) = (row.get(4)?, row.get(5)?);
        let (entry_at, event): (Option<u64>, Option<String>) = (row.get(6)?, row.get(7)?);
        let item = match (at, note, invocation, entry, entry_at, event) {
            (Some(at), Some(note), None, ..) => ExportedItem::Note { at, note: RawValue::from_string(note)? },
            (None, None, Some(invocation), Some(entry), Some(at), Some(event)) => {
                let first = entry == 0;
                let caller: Option<String> = row.get(9)?;
                ExportedItem::Entry {
                    invocation,
                    entry,
                    at,
                    event: RawValue::from_string(event)?,
                    connection: if first { row.get(8)? } else { None },
                    caller: caller.filter(|_| first).map(RawValue::from_string).transpose()?,
                }
            }
            _ => ExportedItem::Missing,
        };
        links.push(Exported { chain: chain.as_str().into(), seq: row.get(0)?, hash: row.get(1)?, item });
    }
    Ok(links)
}
