//! The access lists that let a caller in. Many documents share one, so that these are few, and documents follow from
//! them by one range of an index each.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use roaring::RoaringTreemap;
use rusqlite::{Connection, params};

use super::Who;
use super::audience::{Live, live};
use super::people::{Column, principals};
use crate::db::Outcome;
use crate::sink::kind;
use crate::sink::places::IS_OUTSIDE;

/// What one caller may read at one moment: valid within the transaction that it was made in.
pub(crate) struct Readable {
    /// Connections that count, by key.
    pub(crate) live: HashMap<i64, Live>,
    /// Lists that let the caller in, with their connection.
    lists: HashMap<i64, i64>,
    containers: HashSet<(i64, String)>,
}

impl Readable {
    pub(crate) fn by(db: &Connection, tenant: i64, who: &Who) -> Outcome<Self> {
        let live = live(db, tenant)?;
        let mut readable = Self { live: HashMap::new(), lists: HashMap::new(), containers: HashSet::new() };
        let mut by_source: HashMap<i64, HashSet<Column>> = HashMap::new();
        for connection in &live {
            let principals = match by_source.entry(connection.source) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(principals(db, who, connection.source, &live)?),
            };
            readable.of_connection(db, connection, who, principals)?;
        }
        readable.live = live.into_iter().map(|connection| (connection.key, connection)).collect();
        Ok(readable)
    }

    /// Whether a list lets the caller in. Its connection is a live one.
    pub(crate) fn admits(&self, acl: i64) -> bool {
        self.lists.contains_key(&acl)
    }

    /// Whether the caller reads a container, as this connection attests it.
    pub(crate) fn has_container(&self, connection: i64, id: &str) -> bool {
        self.containers.contains(&(connection, id.to_owned()))
    }

    /// Keys of all documents that the caller may read.
    pub(crate) fn documents(&self, db: &Connection) -> Outcome<RoaringTreemap> {
        let mut found = RoaringTreemap::new();
        let mut sql = db.prepare_cached("SELECT document FROM attestations WHERE connection = ? AND acl = ?")?;
        for (acl, connection) in &self.lists {
            let mut rows = sql.query(params![connection, acl])?;
            while let Some(row) = rows.next()? {
                found.insert(row.get(0)?);
            }
        }
        Ok(found)
    }

    /// Follows the lists that name one of the principals down through the containers that have them, to the lists that
    /// inherit from those. Each list, and so each container, is entered once, so that a circle ends. Whoever is beyond the
    /// grant's ceiling is let in by none.
    fn of_connection(
        &mut self,
        db: &Connection,
        connection: &Live,
        who: &Who,
        principals: &HashSet<Column>,
    ) -> Outcome<()> {
        if connection.ceiling().is_some_and(|ceiling| !connection.includes(&ceiling, who)) {
            return Ok(());
        }
        let mut by_name =
            db.prepare_cached("SELECT acl FROM acl_entries WHERE connection = ? AND kind = ? AND id = ?")?;
        let mut containers = db.prepare_cached(&format!("SELECT id, {IS_OUTSIDE} FROM containers WHERE acl = ?"))?;
        let mut heirs = db.prepare_cached("SELECT acl FROM acl_inherits WHERE connection = ? AND container = ?")?;

        let mut open: Vec<i64> = Vec::new();
        let mut name = |kind: u8, id: &str| -> Outcome<()> {
            let mut rows = by_name.query(params![connection.key, kind, id])?;
            while let Some(row) = rows.next()? {
                open.push(row.get(0)?);
            }
            Ok(())
        };
        for (kind, id) in principals {
            name(*kind, id)?;
        }
        if connection.includes(&connection.audience(), who) {
            name(kind::AUDIENCE, "")?;
        }
        name(kind::ANYONE, "")?;
        while let Some(acl) = open.pop() {
            if self.lists.insert(acl, connection.key).is_some() {
                continue;
            }
            let mut rows = containers.query([acl])?;
            while let Some(row) = rows.next()? {
                let (id, is_outside): (String, bool) = (row.get(0)?, row.get(1)?);
                let heirs = heirs.query_map(params![connection.key, id], |row| row.get(0))?;
                open.extend(heirs.collect::<Result<Vec<i64>, _>>()?);
                if !is_outside {
                    self.containers.insert((connection.key, id));
                }
            }
        }
        Ok(())
    }
}
