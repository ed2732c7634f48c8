//! Access lists, kept once for everything of a connection that has the same.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, params};
use sallyport::document::{Access, Level, Principal};

use crate::db::Outcome;

/// A principal's kind as its column has it. On disk: never renumbered.
pub(crate) mod kind {
    pub(crate) const USER: u8 = 1;
    pub(crate) const EMAIL: u8 = 2;
    pub(crate) const GROUP: u8 = 3;
    pub(crate) const DOMAIN: u8 = 4;
    pub(crate) const AUDIENCE: u8 = 5;
    pub(crate) const ANYONE: u8 = 6;
}

/// A principal as two columns. Addresses and domains are compared in lower case.
pub(crate) fn columns(principal: &Principal) -> (u8, String) {
    match principal {
        Principal::User(id) => (kind::USER, id.clone()),
        Principal::Email(address) => (kind::EMAIL, address.trim().to_lowercase()),
        Principal::Group(id) => (kind::GROUP, id.clone()),
        Principal::Domain(domain) => (kind::DOMAIN, domain.trim().to_lowercase()),
        Principal::ConnectionAudience => (kind::AUDIENCE, String::new()),
        Principal::Anyone => (kind::ANYONE, String::new()),
    }
}

/// Finds or adds access lists of one connection; remembers those of a batch.
pub(super) struct Acls {
    connection: i64,
    seen: HashMap<[u8; 32], i64>,
}

impl Acls {
    pub(super) fn of(connection: i64) -> Self {
        Self { connection, seen: HashMap::new() }
    }

    /// The list's key; `None` is unknown access.
    pub(super) fn key(&mut self, db: &Connection, access: &Access) -> Outcome<Option<i64>> {
        let Access::Known { entries, inherit } = access else { return Ok(None) };
        let entries: BTreeSet<(u8, String, u8)> = entries
            .iter()
            .map(|entry| {
                let (kind, id) = columns(&entry.who);
                (kind, id, level(entry.level))
            })
            .collect();
        let inherit: BTreeSet<&str> = inherit.iter().map(String::as_str).collect();
        let hash = hash(&entries, &inherit);
        if let Some(key) = self.seen.get(&hash) {
            return Ok(Some(*key));
        }
        let key = self.find_or_add(db, &hash, &entries, &inherit)?;
        self.seen.insert(hash, key);
        Ok(Some(key))
    }

    fn find_or_add(
        &self,
        db: &Connection,
        hash: &[u8; 32],
        entries: &BTreeSet<(u8, String, u8)>,
        inherit: &BTreeSet<&str>,
    ) -> Outcome<i64> {
        let sql = "INSERT OR IGNORE INTO acls (connection, hash) VALUES (?, ?)";
        let added = db.prepare_cached(sql)?.execute(params![self.connection, &hash[..]])?;
        let sql = "SELECT key FROM acls WHERE connection = ? AND hash = ?";
        let key = db.prepare_cached(sql)?.query_row(params![self.connection, &hash[..]], |row| row.get(0))?;
        if added == 0 {
            return Ok(key);
        }
        // Someone named at two levels has two entries in the set, ascending: the higher one stays.
        let sql = "INSERT OR REPLACE INTO acl_entries (connection, kind, id, acl, level) VALUES (?, ?, ?, ?, ?)";
        let mut sql = db.prepare_cached(sql)?;
        for (kind, id, level) in entries {
            sql.execute(params![self.connection, kind, id, key, level])?;
        }
        let mut sql = db.prepare_cached("INSERT INTO acl_inherits (connection, container, acl) VALUES (?, ?, ?)")?;
        for container in inherit {
            sql.execute(params![self.connection, container, key])?;
        }
        Ok(key)
    }
}

/// Removes lists that nothing has any more.
pub(super) fn collect(db: &Connection, connection: i64) -> Outcome<()> {
    let sql = "DELETE FROM acls WHERE connection = ?1
        AND NOT EXISTS (SELECT 1 FROM attestations a WHERE a.acl = acls.key)
        AND NOT EXISTS (SELECT 1 FROM containers c WHERE c.acl = acls.key)";
    db.prepare_cached(sql)?.execute([connection])?;
    Ok(())
}

fn level(level: Level) -> u8 {
    match level {
        Level::Read => 1,
        Level::Comment => 2,
        Level::Write => 3,
    }
}

fn hash(entries: &BTreeSet<(u8, String, u8)>, inherit: &BTreeSet<&str>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for (kind, id, level) in entries {
        text(&format!("{kind} {level}"));
        text(id);
    }
    text("inherits");
    inherit.iter().for_each(|container| text(container));
    *hasher.finalize().as_bytes()
}
