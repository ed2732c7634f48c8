//! Installed connectors: a row each, one more for a version that waits, and `connectors/<digest>.wasm`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sallyport::audit::Note;
use sallyport::ids::{ConnectorId, Digest, Timestamp};
use sallyport::ports::{Catalog, Durability, Installed, StoreResult};

use crate::db::{Fail, Outcome};
use crate::{Store, audit};

#[async_trait]
impl Catalog for Store {
    async fn install(&self, entry: &Installed, bytes: &[u8], over: Option<&Digest>) -> StoreResult<()> {
        self.place(entry, bytes).await?;
        let (entry, over, now) = (entry.clone(), over.cloned(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            let id = entry.connector.as_str();
            let mut live = db.prepare_cached("SELECT digest FROM connectors WHERE id = ?")?;
            let live: Option<String> = live.query_row([id], |row| row.get(0)).optional()?;
            if live.as_deref() != Some(entry.digest.as_str()) {
                if live.as_deref() != over.as_ref().map(Digest::as_str) {
                    return Err(Fail::conflict(format!("connector {id}"), "another version is live by now"));
                }
                put(db, "connectors", &entry)?;
            }
            db.prepare_cached("UPDATE connectors SET removed = 0 WHERE id = ?")?.execute([id])?;
            db.prepare_cached("DELETE FROM waiting_connectors WHERE id = ?")?.execute([id])?;
            let publisher = entry.publisher.map(|publisher| publisher.to_string());
            let Installed { connector, version, digest, .. } = entry;
            audit::note(db, None, now, &Note::ConnectorInstalled { connector, version, digest, publisher })
        });
        Ok(write.await?)
    }

    async fn hold(&self, entry: &Installed, bytes: &[u8]) -> StoreResult<()> {
        self.place(entry, bytes).await?;
        let (entry, now) = (entry.clone(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            put(db, "waiting_connectors", &entry)?;
            let Installed { connector, version, digest, .. } = entry;
            audit::note(db, None, now, &Note::ConnectorWaits { connector, version, digest })
        });
        Ok(write.await?)
    }

    async fn remove(&self, connector: &ConnectorId, digest: &Digest) -> StoreResult<bool> {
        let (id, digest, now) = (connector.clone(), digest.clone(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            let row = [id.as_str(), digest.as_str()];
            db.prepare_cached("DELETE FROM waiting_connectors WHERE id = ? AND digest = ?")?.execute(row)?;
            let sql = "UPDATE connectors SET removed = 1 WHERE id = ? AND digest = ? AND NOT removed";
            let removed = db.prepare_cached(sql)?.execute(row)? > 0;
            if removed {
                audit::note(db, None, now, &Note::ConnectorRemoved { connector: id, digest })?;
            }
            Ok(removed)
        });
        Ok(write.await?)
    }

    async fn last(&self, connector: &ConnectorId) -> StoreResult<Option<Installed>> {
        let id = connector.clone();
        Ok(self.db.look(move |db| find(db, "connectors", &id)).await?)
    }

    async fn live(&self, connector: &ConnectorId) -> StoreResult<Installed> {
        let id = connector.clone();
        let read = self.db.look(move |db| live(db, &id)?.ok_or_else(|| Fail::not_found(format!("connector {id}"))));
        Ok(read.await?)
    }

    async fn waiting(&self, connector: &ConnectorId) -> StoreResult<Option<Installed>> {
        let id = connector.clone();
        Ok(self.db.look(move |db| find(db, "waiting_connectors", &id)).await?)
    }

    async fn list(&self) -> StoreResult<Vec<Installed>> {
        let read = self.db.read(|db| {
            let mut sql = db.prepare_cached(&format!("SELECT {COLUMNS} FROM live_connectors ORDER BY id"))?;
            sql.query_map([], columns)?.map(|row| installed(row?)).collect()
        });
        Ok(read.await?)
    }

    async fn bytes(&self, digest: &Digest) -> StoreResult<Vec<u8>> {
        let (file, digest) = (self.db.folder().join("connectors").join(format!("{digest}.wasm")), digest.clone());
        let read = off_thread(move || {
            let bytes = fs::read(&file).map_err(|error| match error.kind() {
                ErrorKind::NotFound => Fail::not_found(format!("connector file {digest}")),
                _ => Fail::file(&error, &file.display().to_string()),
            })?;
            if Digest::of(&bytes) == digest {
                Ok(bytes)
            } else {
                Err(Fail::other(format!("{} was changed on disk: install the connector again", file.display())))
            }
        });
        Ok(read.await?)
    }
}

impl Store {
    /// Keeps a connector's file. Before its row: a row never names a file that is not there.
    async fn place(&self, entry: &Installed, bytes: &[u8]) -> StoreResult<()> {
        if Digest::of(bytes) != entry.digest || bytes.len() as u64 != entry.size {
            return Err(
                Fail::conflict(format!("connector {}", entry.connector), "another file than its entry says").into()
            );
        }
        let (folder, digest, bytes) = (self.db.folder().join("connectors"), entry.digest.clone(), bytes.to_vec());
        Ok(off_thread(move || place(&folder, &digest, &bytes)).await?)
    }
}

/// Files are not the database's threads' business.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Fail::other(error)))
}

fn place(folder: &Path, digest: &Digest, bytes: &[u8]) -> Outcome<()> {
    let failed = |error: std::io::Error| Fail::file(&error, &folder.display().to_string());
    fs::create_dir_all(folder).map_err(failed)?;
    let target = folder.join(format!("{digest}.wasm"));
    if fs::read(&target).is_ok_and(|there| Digest::of(&there) == *digest) {
        return Ok(());
    }
    // Of this process and call: two that install the same file do not write into each other's.
    let temporary = folder.join(format!(".{digest}.{}", uuid::Uuid::new_v4().simple()));
    let written =
        fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &target)?;
            fs::File::open(folder)?.sync_all()
        });
    written.map_err(|error| {
        // What is left of it is of no use; if it cannot be removed either, it stays as a hidden file.
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}

const COLUMNS: &str = "id, version, digest, size, at, publisher";

type Columns = (String, String, String, u64, u64, Option<String>);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn installed((id, version, digest, size, at, publisher): Columns) -> Outcome<Installed> {
    let connector = ConnectorId::new(&id).map_err(Fail::other)?;
    let digest = Digest::parse(&digest).ok_or_else(|| Fail::other(format!("connector {id} has no digest")))?;
    let publisher = publisher.map(|publisher| publisher.parse()).transpose().map_err(Fail::other)?;
    Ok(Installed { connector, version, publisher, digest, size, at: Timestamp(at) })
}

pub(crate) fn live(db: &Connection, id: &ConnectorId) -> Outcome<Option<Installed>> {
    find(db, "live_connectors", id)
}

/// The row of a connector in one of the two tables.
fn find(db: &Connection, table: &str, id: &ConnectorId) -> Outcome<Option<Installed>> {
    let mut sql = db.prepare_cached(&format!("SELECT {COLUMNS} FROM {table} WHERE id = ?"))?;
    sql.query_row([id.as_str()], columns).optional()?.map(installed).transpose()
}

fn put(db: &Connection, table: &str, entry: &Installed) -> Outcome<()> {
    let sql = format!(
        "INSERT INTO {table} ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE SET version = ?2, digest = ?3, size = ?4, at = ?5, publisher = ?6"
    );
    let publisher = entry.publisher.map(|publisher| publisher.to_string());
    let id = entry.connector.as_str();
    db.prepare_cached(&sql)?.execute(params![
        id,
        entry.version,
        entry.digest.as_str(),
        entry.size,
        entry.at.0,
        publisher
    ])?;
    Ok(())
}
