//! A grant's containers: what stands outside them is not kept.
//!
//! Of a container outside, only where it stands and who reads it is kept, since what is inside may inherit its readers
//! from above. It has neither kind nor name, and nobody is shown it.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::constraint::is_within;
use sallyport::document::Change;

use super::withdraw;
use crate::db::Outcome;
use crate::directory::Found;

/// The kind and the name of a container outside.
pub(super) const OUTSIDE: (&str, &str) = ("", "");
/// Whether a row of `containers` is one outside.
pub(crate) const IS_OUTSIDE: &str = "(kind = '' AND name = '')";

/// What the grant of one connection lets in, as containers stand after a batch.
pub(super) struct Bounds {
    connection: i64,
    allowed: Vec<String>,
    /// Of this batch, by its last word: what holds a container; `None`: nothing, or the container is gone.
    changed: HashMap<String, Option<String>>,
}

impl Bounds {
    pub(super) fn of(connection: i64, allowed: Vec<String>, changes: &[Change]) -> Self {
        let mut changed = HashMap::new();
        for change in changes {
            match change {
                Change::UpsertContainer(container) => changed.insert(container.id.clone(), container.parent.clone()),
                Change::DeleteContainer(id) => changed.insert(id.clone(), None),
                _ => None,
            };
        }
        Self { connection, allowed, changed }
    }

    /// Whether what `container` holds is let in, and so itself.
    pub(super) fn admit(&self, db: &Connection, container: Option<&str>) -> Outcome<bool> {
        is_within(&self.allowed, container, |id| match self.changed.get(id) {
            Some(parent) => Ok(parent.clone()),
            None => parent(db, self.connection, id),
        })
    }

    /// Whether the batch moves or removes a container that is stored: then what stands in it is judged again.
    pub(super) fn move_something(&self, db: &Connection) -> Outcome<bool> {
        let mut sql = db.prepare_cached("SELECT parent FROM containers WHERE connection = ? AND id = ?")?;
        for (id, now) in &self.changed {
            let before: Option<Option<String>> =
                sql.query_row(params![self.connection, id], |row| row.get(0)).optional()?;
            if before.is_some_and(|before| before.as_ref() != now.as_ref()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn allowed(&self) -> &[String] {
        &self.allowed
    }
}

fn parent(db: &Connection, connection: i64, id: &str) -> Outcome<Option<String>> {
    let sql = "SELECT parent FROM containers WHERE connection = ? AND id = ?";
    let mut sql = db.prepare_cached(sql)?;
    Ok(sql.query_row(params![connection, id], |row| row.get(0)).optional()?.flatten())
}

/// Takes back everything of the connection that stands outside.
pub(crate) fn keep_within(db: &Connection, connection: &Found, allowed: &[String]) -> Outcome<()> {
    let sql = "SELECT id, parent FROM containers WHERE connection = ?";
    let rows = db
        .prepare_cached(sql)?
        .query_map([connection.key], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<HashMap<String, Option<String>>, _>>()?;
    let admits = |container: Option<&str>| -> Outcome<bool> {
        is_within(allowed, container, |id| Ok(rows.get(id).cloned().flatten()))
    };
    let sql = "SELECT d.id, d.container FROM attestations a JOIN documents d ON d.key = a.document
        WHERE a.connection = ?";
    let documents = db
        .prepare_cached(sql)?
        .query_map([connection.key], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, Option<String>)>, _>>()?;
    for (id, container) in documents {
        if !admits(container.as_deref())? {
            withdraw::document(db, connection, &id)?;
        }
    }
    let sql = "UPDATE containers SET kind = ?3, name = ?4, folded = ?4 WHERE connection = ?1 AND id = ?2";
    let mut sql = db.prepare_cached(sql)?;
    for id in rows.keys() {
        if !admits(Some(id))? {
            sql.execute(params![connection.key, id, OUTSIDE.0, OUTSIDE.1])?;
        }
    }
    Ok(())
}
