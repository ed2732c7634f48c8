//! What each change does.

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::document::{Access, Change, Container, Content, Document, Membership, Person};
use sallyport::ids::Timestamp;
use sallyport::ports::Committed;
use sallyport_index::ContentHash;

use super::acl::{Acls, columns};
use super::places::{self, Bounds, OUTSIDE};
use super::stream::Place;
use super::withdraw;
use crate::db::{Outcome, json};
use crate::directory::containers;
use crate::html;

/// Applies the changes in order and counts them.
pub(super) fn changes(db: &Connection, place: &Place, changes: &[Change], now: Timestamp) -> Outcome<Committed> {
    let connection = place.connection.key;
    let bounds = containers(db, connection)?.map(|allowed| Bounds::of(connection, allowed, changes));
    let moved = match &bounds {
        Some(bounds) => bounds.move_something(db)?,
        None => false,
    };
    let mut batch = Applying { db, place, now, bounds, acls: Acls::of(connection), done: Committed::default() };
    for change in changes {
        batch.apply(change)?;
    }
    if let (Some(bounds), true) = (&batch.bounds, moved) {
        places::keep_within(db, &place.connection, bounds.allowed())?;
    }
    Ok(batch.done)
}

struct Applying<'a> {
    db: &'a Connection,
    place: &'a Place,
    now: Timestamp,
    bounds: Option<Bounds>,
    acls: Acls,
    done: Committed,
}

impl Applying<'_> {
    fn apply(&mut self, change: &Change) -> Outcome<()> {
        match change {
            Change::Upsert(document) => return self.upsert(document),
            Change::Seen(ids) => return self.seen(ids),
            Change::Delete(id) => {
                self.done.deleted += u64::from(withdraw::document(self.db, &self.place.connection, id)?);
                return Ok(());
            }
            Change::SetAccess { id, access } => self.set_access(id, access)?,
            Change::UpsertContainer(container) => self.container(container)?,
            Change::DeleteContainer(id) => {
                let sql = "DELETE FROM containers WHERE connection = ? AND id = ?";
                self.db.prepare_cached(sql)?.execute(params![self.place.connection.key, id])?;
            }
            Change::Members(membership) => self.members(membership)?,
            // Kept, without members: where another connection still knows some, this is the later word.
            Change::DeleteGroup(group) => {
                self.members(&Membership { group: group.clone(), reset: true, add: Vec::new(), remove: Vec::new() })?
            }
            Change::Person(person) => self.person(person)?,
        }
        self.done.access += 1;
        Ok(())
    }

    /// Whether the grant lets in what stands in `container`.
    fn admits(&self, container: Option<&str>) -> Outcome<bool> {
        self.bounds.as_ref().map_or(Ok(true), |bounds| bounds.admit(self.db, container))
    }

    fn upsert(&mut self, document: &Document) -> Outcome<()> {
        if !self.admits(document.container.as_deref())? {
            withdraw::document(self.db, &self.place.connection, &document.id)?;
            self.done.refused += 1;
            return Ok(());
        }
        let (form, text) = form(&document.content);
        let (format, searched) = html::searchable(form, text);
        let content = ContentHash::of(&document.title, format, &searched);
        let source = self.place.connection.source;

        let sql = "SELECT d.key, d.revision, d.content, d.truncated, t.form, d.title FROM documents d
            JOIN texts t ON t.document = d.key WHERE d.source = ? AND d.id = ?";
        let stored: Option<Stored> = self
            .db
            .prepare_cached(sql)?
            .query_row(params![source, document.id], |row| {
                let (key, revision, content) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (truncated, form, title) = (row.get(3)?, row.get(4)?, row.get(5)?);
                Ok(Stored { key, revision, content, truncated, form, title })
            })
            .optional()?;
        let unchanged = stored.as_ref().is_some_and(|stored| stored.is(document, form, &content));
        let key = match &stored {
            Some(stored) => stored.key,
            None => self.add(document)?,
        };
        self.describe(key, document)?;
        if unchanged {
            self.done.unchanged += 1;
        } else {
            self.fill(key, &document.title, &content, form, text)?;
            self.done.documents += 1;
        }
        self.attest(key, &document.access)
    }

    fn add(&self, document: &Document) -> Outcome<i64> {
        let sql =
            "INSERT INTO documents (tenant, source, id, kind, title, folded, truncated, authors, metadata, content,
                changed)
            VALUES (?, ?, ?, '', '', '', 0, '[]', '{}', x'', 0)";
        let (tenant, source) = (self.place.connection.tenant, self.place.connection.source);
        self.db.prepare_cached(sql)?.execute(params![tenant, source, document.id])?;
        Ok(self.db.last_insert_rowid())
    }

    /// All but the content: it costs nothing to take the latest.
    fn describe(&self, key: i64, document: &Document) -> Outcome<()> {
        let sql = "UPDATE documents SET revision = ?2, kind = ?3, truncated = ?4, url = ?5, created = ?6, updated = ?7,
            authors = ?8, container = ?9, metadata = ?10 WHERE key = ?1";
        self.db.prepare_cached(sql)?.execute(params![
            key,
            document.revision,
            document.kind,
            document.truncated,
            document.url,
            document.created.map(|at| at.0),
            document.updated.map(|at| at.0),
            json(&document.authors)?,
            document.container,
            json(&document.metadata)?,
        ])?;
        Ok(())
    }

    /// What is searched, and so embedded again.
    fn fill(&self, key: i64, title: &str, content: &ContentHash, form: &str, text: &str) -> Outcome<()> {
        let sql = "UPDATE documents SET title = ?2, folded = ?3, content = ?4, changed = ?5, current = 0
            WHERE key = ?1";
        self.db.prepare_cached(sql)?.execute(params![key, title, folded(title), &content.0[..], self.now.0])?;
        let sql = "INSERT INTO texts (document, form, text) VALUES (?1, ?2, ?3)
            ON CONFLICT (document) DO UPDATE SET form = ?2, text = ?3";
        self.db.prepare_cached(sql)?.execute(params![key, form, text])?;
        Ok(())
    }

    fn attest(&mut self, document: i64, access: &Access) -> Outcome<()> {
        let acl = self.acls.key(self.db, access)?;
        self.count_again(document)?;
        let sql = "INSERT INTO attestations (document, connection, stream, sweep, acl) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT DO UPDATE SET stream = ?3, sweep = ?4, acl = ?5";
        let row = params![document, self.place.connection.key, self.place.stream, self.place.sweep, acl];
        self.db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    fn seen(&mut self, ids: &[String]) -> Outcome<()> {
        let mut find = self.db.prepare_cached("SELECT key FROM documents WHERE source = ? AND id = ?")?;
        let sql = "UPDATE attestations SET stream = ?3, sweep = ?4 WHERE connection = ?1 AND document = ?2";
        let mut sql = self.db.prepare_cached(sql)?;
        let Place { connection, stream, sweep, .. } = self.place;
        for id in ids {
            let key: Option<i64> = find.query_row(params![connection.source, id], |row| row.get(0)).optional()?;
            let Some(key) = key else { continue };
            self.count_again(key)?;
            sql.execute(params![connection.key, key, stream, sweep])?;
        }
        Ok(())
    }

    /// Counts a document that this sweep has listed before.
    fn count_again(&mut self, document: i64) -> Outcome<()> {
        if self.place.sweeping {
            let sql = "SELECT count(*) FROM attestations
                WHERE document = ? AND connection = ? AND stream = ? AND sweep = ?";
            let row = params![document, self.place.connection.key, self.place.stream, self.place.sweep];
            self.done.again += self.db.prepare_cached(sql)?.query_row(row, |row| row.get::<_, u64>(0))?;
        }
        Ok(())
    }

    /// Of what this connection attests; of anything else it has nothing to say.
    fn set_access(&mut self, id: &str, access: &Access) -> Outcome<()> {
        let acl = self.acls.key(self.db, access)?;
        let connection = &self.place.connection;
        let sql = "UPDATE attestations SET acl = ?4 WHERE connection = ?1
            AND document = (SELECT key FROM documents WHERE source = ?2 AND id = ?3)";
        self.db.prepare_cached(sql)?.execute(params![connection.key, connection.source, id, acl])?;
        let sql = "UPDATE containers SET acl = ?3 WHERE connection = ?1 AND id = ?2";
        self.db.prepare_cached(sql)?.execute(params![connection.key, id, acl])?;
        Ok(())
    }

    fn container(&mut self, container: &Container) -> Outcome<()> {
        let acl = self.acls.key(self.db, &container.access)?;
        let sql = "INSERT INTO containers (connection, id, kind, name, folded, parent, acl)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT DO UPDATE SET kind = ?3, name = ?4, folded = ?5, parent = ?6, acl = ?7";
        let Container { id, kind, name, parent, .. } = container;
        let (kind, name) = if self.admits(Some(id))? { (kind.as_str(), name.as_str()) } else { OUTSIDE };
        let row = params![self.place.connection.key, id, kind, name, folded(name), parent, acl];
        self.db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    fn members(&self, Membership { group, reset, add, remove }: &Membership) -> Outcome<()> {
        let sql = "INSERT INTO groups (source, connection, id, word) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (connection, id) DO UPDATE SET word = ?4 RETURNING key";
        let (source, connection) = (self.place.connection.source, self.place.connection.key);
        let row = params![source, connection, group, self.next_word()?];
        let key: i64 = self.db.prepare_cached(sql)?.query_row(row, |row| row.get(0))?;
        if *reset {
            self.db.prepare_cached("DELETE FROM members WHERE grp = ?")?.execute([key])?;
        }
        let mut sql = self.db.prepare_cached("INSERT OR IGNORE INTO members (kind, id, grp) VALUES (?, ?, ?)")?;
        for (kind, id) in add.iter().map(columns) {
            sql.execute(params![kind, id, key])?;
        }
        let mut sql = self.db.prepare_cached("DELETE FROM members WHERE kind = ? AND id = ? AND grp = ?")?;
        for (kind, id) in remove.iter().map(columns) {
            sql.execute(params![kind, id, key])?;
        }
        Ok(())
    }

    fn person(&self, person: &Person) -> Outcome<()> {
        let sql = "INSERT INTO people (source, connection, user, email, name, active, word)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT DO UPDATE SET email = ?4, name = ?5, active = ?6, word = ?7";
        let (source, connection) = (self.place.connection.source, self.place.connection.key);
        let email = person.email.as_ref().map(|address| address.trim().to_lowercase());
        let row = params![source, connection, person.user, email, person.name, person.active, self.next_word()?];
        self.db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    fn next_word(&self) -> Outcome<i64> {
        let sql = "UPDATE words SET last = last + 1 RETURNING last";
        Ok(self.db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }
}

/// What decides whether a document is what it was.
struct Stored {
    key: i64,
    revision: Option<String>,
    content: Vec<u8>,
    truncated: bool,
    form: String,
    title: String,
}

impl Stored {
    /// The same content, or the same revision of a content that was complete in the same way: a source may render one
    /// revision differently each time.
    fn is(&self, document: &Document, form: &str, content: &ContentHash) -> bool {
        let same_revision = self.revision.is_some() && self.revision == document.revision;
        let same_shape = self.truncated == document.truncated && self.form == form && self.title == document.title;
        self.content == content.0 || same_revision && same_shape
    }
}

/// A name as it is looked up.
pub(crate) fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

fn form(content: &Content) -> (&'static str, &str) {
    match content {
        Content::None => ("none", ""),
        Content::Text(text) => ("text", text),
        Content::Markdown(text) => ("markdown", text),
        Content::Html(text) => ("html", text),
    }
}
