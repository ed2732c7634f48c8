//! Installed connectors: a row each, and `connectors/<digest>.wasm`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, params};
use sallyport::ids::{ConnectorId, Digest, Timestamp};
use sallyport::ports::{Catalog, Durability, Installed, StoreResult};

use crate::Store;
use crate::db::{Fail, Outcome};

#[async_trait]
impl Catalog for Store {
    async fn install(&self, entry: &Installed, bytes: &[u8]) -> StoreResult<()> {
        if Digest::of(bytes) != entry.digest || bytes.len() as u64 != entry.size {
            return Err(
                Fail::conflict(format!("connector {}", entry.connector), "another file than its entry says").into()
            );
        }
        let (folder, digest, bytes) = (self.db.folder().join("connectors"), entry.digest.clone(), bytes.to_vec());
        // The file first: a row never names a file that is not there.
        off_thread(move || place(&folder, &digest, &bytes)).await?;
        let entry = entry.clone();
        let sql = "INSERT INTO connectors (id, version, digest, size, at) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (id) DO UPDATE SET version = ?2, digest = ?3, size = ?4, at = ?5 WHERE digest <> ?3";
        let write = self.db.write(Durability::Flushed, move |db| {
            let row = params![entry.connector.as_str(), entry.version, entry.digest.as_str(), entry.size, entry.at.0];
            db.prepare_cached(sql)?.execute(row)?;
            Ok(())
        });
        Ok(write.await?)
    }

    async fn live(&self, connector: &ConnectorId) -> StoreResult<Installed> {
        let id = connector.clone();
        let read = self.db.look(move |db| {
            let sql = "SELECT id, version, digest, size, at FROM connectors WHERE id = ?";
            let row = db.prepare_cached(sql)?.query_row([id.as_str()], columns).optional()?;
            row.ok_or_else(|| Fail::not_found(format!("connector {id}"))).and_then(installed)
        });
        Ok(read.await?)
    }

    async fn list(&self) -> StoreResult<Vec<Installed>> {
        let read = self.db.read(|db| {
            let mut sql = db.prepare_cached("SELECT id, version, digest, size, at FROM connectors ORDER BY id")?;
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

type Columns = (String, String, String, u64, u64);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn installed((id, version, digest, size, at): Columns) -> Outcome<Installed> {
    let connector = ConnectorId::new(&id).map_err(Fail::other)?;
    let digest = Digest::parse(&digest).ok_or_else(|| Fail::other(format!("connector {id} has no digest")))?;
    Ok(Installed { connector, version, digest, size, at: Timestamp(at) })
}
