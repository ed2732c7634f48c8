//! Live connections, and the two audiences that a connection itself decides: its own, and the widest that it may have.

use rusqlite::Connection;

use super::Who;
use crate::db::{Outcome, unjson};

/// A connection whose attestations count.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) key: i64,
    pub(crate) source: i64,
    pub(crate) source_id: String,
    pub(crate) owner: Option<String>,
    pub(crate) account: String,
    pub(crate) trusted: bool,
    audience: Vec<String>,
    ceiling: Option<String>,
}

/// The tenant's live connections.
pub(crate) fn live(db: &Connection, tenant: i64) -> Outcome<Vec<Live>> {
    let sql = "SELECT c.key, c.source, s.id, c.owner, c.account, c.trusted, c.audience, c.ceiling
        FROM connections c JOIN sources s ON s.key = c.source WHERE c.tenant = ? AND c.state <> 'flagged'";
    let mut sql = db.prepare_cached(sql)?;
    let mut rows = sql.query([tenant])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Live {
            key: row.get(0)?,
            source: row.get(1)?,
            source_id: row.get(2)?,
            owner: row.get(3)?,
            account: row.get(4)?,
            trusted: row.get(5)?,
            audience: unjson(&row.get::<_, String>(6)?)?,
            ceiling: row.get(7)?,
        });
    }
    Ok(found)
}

/// Whom a setting names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Domain(String),
    Email(String),
    /// The subject that owns the connection.
    Owner,
}

impl Live {
    /// Whom `connection-audience` stands for: the addresses and domains that the operator listed; else the person who owns
    /// the connection. A workspace's connection without a list has nobody.
    pub(crate) fn audience(&self) -> Vec<Named> {
        if self.audience.is_empty() {
            return self.owner.iter().map(|_| Named::Owner).collect();
        }
        self.audience.iter().map(|entry| named(entry)).collect()
    }

    /// The widest audience that the last grant leaves to anything of the connection; `None`: any. A word that is not
    /// known leaves nobody.
    pub(crate) fn ceiling(&self) -> Option<Vec<Named>> {
        match self.ceiling.as_deref() {
            None | Some("anyone") => None,
            Some("connection-audience") => Some(self.audience()),
            Some(entry) if entry.starts_with("domain:") || entry.contains('@') => Some(vec![named(entry)]),
            Some(_) => Some(Vec::new()),
        }
    }

    /// Whether the caller is among those named.
    pub(crate) fn includes(&self, named: &[Named], who: &Who) -> bool {
        named.iter().any(|named| match named {
            Named::Domain(domain) => who.domains().any(|own| own == domain),
            Named::Email(email) => who.has_email(email),
            Named::Owner => self.owner.as_deref() == Some(&who.subject),
        })
    }
}

fn named(entry: &str) -> Named {
    let entry = entry.trim().to_lowercase();
    match entry.strip_prefix("domain:") {
        Some(domain) => Named::Domain(domain.into()),
        None => Named::Email(entry),
    }
}
