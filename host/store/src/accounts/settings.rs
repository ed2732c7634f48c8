//! The host's token signing key, and single values that a server keeps.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;

use rusqlite::{OptionalExtension, params};
use sallyport::ids::Timestamp;
use sallyport::ports::{Durability, StoreResult};

use super::Accounts;
use crate::db::{Fail, Outcome};

/// Its file in the data directory, mode 0600. Beside the database: a copy of that alone signs nothing.
const KEY_FILE: &str = "token.key";
/// Its first line, with the version of its format; the second is the key in hex.
const KEY_HEADER: &str = "sallyport token key 1";

impl Accounts {
    /// The key that signs callers' tokens: made at first use, the same for every process on the directory.
    pub async fn signing_key(&self) -> StoreResult<[u8; 32]> {
        let folder = self.db.folder().to_owned();
        let key = tokio::task::spawn_blocking(move || signing_key(&folder));
        Ok(key.await.unwrap_or_else(|error| Err(Fail::other(error)))?)
    }

    /// A value, if there is one.
    pub async fn setting(&self, key: &str) -> StoreResult<Option<String>> {
        let key = key.to_owned();
        let read = self.db.look(move |db| {
            let mut sql = db.prepare_cached("SELECT value FROM settings WHERE key = ?")?;
            Ok(sql.query_row([&key], |row| row.get(0)).optional()?)
        });
        Ok(read.await?)
    }

    /// Keeps a value in place of the one before.
    pub async fn put_setting(&self, key: &str, value: &str) -> StoreResult<()> {
        let row = [key.to_owned(), value.to_owned()];
        let write = self.db.write(Durability::Flushed, move |db| {
            let sql = "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
            db.execute(sql, row)?;
            Ok(())
        });
        Ok(write.await?)
    }

    /// Removes a value; tells whether there was one.
    pub async fn remove_setting(&self, key: &str) -> StoreResult<bool> {
        let key = key.to_owned();
        let write = self
            .db
            .write(Durability::Flushed, move |db| Ok(db.execute("DELETE FROM settings WHERE key = ?", [key])? > 0));
        Ok(write.await?)
    }

    /// Uses up something of a kind that counts once, as the state of a sign-in: `false` if it was used before, by
    /// whichever process. It is remembered until `until`, and has to be refused by its age from then on.
    pub async fn use_once(&self, kind: &str, id: &str, until: Timestamp) -> StoreResult<bool> {
        let (prefix, now) = (format!("used/{kind}/"), self.db.now());
        let key = format!("{prefix}{id}");
        let write = self.db.write(Durability::Flushed, move |db| {
            // `0` is what follows `/`: the range is what begins with the prefix.
            let past = format!("{}0", prefix.trim_end_matches('/'));
            let sql = "DELETE FROM settings WHERE key > ? AND key < ? AND CAST(value AS INTEGER) < ?";
            db.execute(sql, params![prefix, past, now.0])?;
            let sql = "INSERT OR IGNORE INTO settings (key, value) VALUES (?, ?)";
            Ok(db.execute(sql, params![key, until.0.to_string()])? > 0)
        });
        Ok(write.await?)
    }
}

fn signing_key(folder: &std::path::Path) -> Outcome<[u8; 32]> {
    let file = folder.join(KEY_FILE);
    let failed = |error: std::io::Error| Fail::file(&error, &file.display().to_string());
    if !file.exists() {
        // Written whole and then linked: of two processes one key wins, and nobody reads half of one.
        let temporary = folder.join(format!(".{KEY_FILE}.{}", uuid::Uuid::new_v4().simple()));
        let options = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary);
        let linked = options.and_then(|mut made| {
            made.write_all(format!("{KEY_HEADER}\n{}\n", hex::encode(rand::random::<[u8; 32]>())).as_bytes())?;
            made.sync_all()?;
            fs::hard_link(&temporary, &file)
        });
        // A hidden file that stays holds a key that nobody uses.
        let _ = fs::remove_file(&temporary);
        linked.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(failed(error)) })?;
    }
    let text = fs::read_to_string(&file).map_err(failed)?;
    let mut key = [0; 32];
    let read = text.strip_prefix(KEY_HEADER).map(|rest| hex::decode_to_slice(rest.trim(), &mut key));
    match read {
        Some(Ok(())) => Ok(key),
        _ => Err(Fail::other(format!(
            "{} is no token key that this version knows: remove it, and callers ask for new tokens",
            file.display()
        ))),
    }
}
