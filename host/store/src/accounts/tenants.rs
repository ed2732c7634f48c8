//! Tenants.

use rusqlite::{OptionalExtension, Row, params};
use sallyport::audit::Note;
use sallyport::ids::{ConnectionId, TenantId, Timestamp};
use sallyport::ports::{Durability, StoreResult};

use super::Accounts;
use crate::audit;
use crate::db::Fail;

/// A customer of whoever hosts the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id: 1 to 64 of `a-z`, `0-9`, `-`, `_`.
    pub id: TenantId,
    /// Its name for people.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
}

impl Accounts {
    /// Makes a tenant. A conflict if there is one of that id, or the id has another form than [`Tenant::id`] says.
    pub async fn create_tenant(&self, id: &TenantId, name: &str) -> StoreResult<Tenant> {
        let tenant = Tenant { id: id.clone(), name: name.into(), created: self.db.now() };
        let kept = tenant.clone();
        let write = self.db.write(Durability::Flushed, move |db| {
            let Tenant { id, name, created } = kept;
            let well_formed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
            if !(1..=64).contains(&id.as_str().len()) || !id.as_str().bytes().all(well_formed) {
                return Err(Fail::conflict("the tenant's id", format!("`{id}`, not 1 to 64 of a-z, 0-9, - and _")));
            }
            let sql = "INSERT OR IGNORE INTO tenants (id, name, created, history) VALUES (?, ?, ?, ?)";
            let history = uuid::Uuid::new_v4().to_string();
            if db.execute(sql, params![id.as_str(), name, created.0, history])? == 0 {
                let sql = "SELECT removed IS NOT NULL FROM tenants WHERE id = ?";
                let removed = db.query_row(sql, [id.as_str()], |row| row.get(0))?;
                // The journal still has what the one of before did: nobody else is to find it as their own.
                let found = if removed { "removed, and its id is never given again" } else { "there already" };
                return Err(Fail::conflict(format!("tenant {id}"), found));
            }
            audit::note(db, None, created, &Note::TenantMade { tenant: id })
        });
        write.await?;
        Ok(tenant)
    }

    /// Removes a tenant: its connections with their documents, secrets and keys, its people, API keys, conversations and
    /// settings. What remains is its journal, whose bodies nobody can open, and its audit chain, which still verifies. The id is
    /// never given again.
    pub async fn remove_tenant(&self, id: &TenantId) -> StoreResult<()> {
        let (id, now) = (id.clone(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            let sql = "UPDATE tenants SET removed = ? WHERE id = ? AND removed IS NULL RETURNING key";
            let key: Option<i64> = db.query_row(sql, params![now.0, id.as_str()], |row| row.get(0)).optional()?;
            let key = key.ok_or_else(|| Fail::not_found(format!("tenant {id}")))?;
            let mut connections = db.prepare("SELECT id FROM connections WHERE tenant = ?")?;
            let connections: Vec<String> = connections.query_map([key], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for connection in connections {
                crate::directory::remove(db, &id, &ConnectionId::new(connection), now)?;
            }
            for table in ["data_keys", "clients", "users", "links", "events", "turns", "api_keys"] {
                db.execute(&format!("DELETE FROM {table} WHERE tenant = ?"), [id.as_str()])?;
            }
            // By name: another tenant's key, or the host's, may end like this one's.
            db.execute("DELETE FROM settings WHERE key IN ('rules/' || ?1, 'signin/' || ?1)", [id.as_str()])?;
            audit::note(db, Some(&id), now, &Note::TenantRemoved { tenant: id.clone() })?;
            audit::note(db, None, now, &Note::TenantRemoved { tenant: id })
        });
        Ok(write.await?)
    }

    /// One tenant.
    pub async fn tenant(&self, id: &TenantId) -> StoreResult<Tenant> {
        let id = id.clone();
        let read = self.db.look(move |db| {
            let sql = "SELECT id, name, created FROM tenants WHERE id = ? AND removed IS NULL";
            let tenant = db.prepare_cached(sql)?.query_row([id.as_str()], tenant).optional()?;
            tenant.ok_or_else(|| Fail::not_found(format!("tenant {id}")))
        });
        Ok(read.await?)
    }

    /// Every tenant, by id.
    pub async fn tenants(&self) -> StoreResult<Vec<Tenant>> {
        let read = self.db.read(|db| {
            let mut sql =
                db.prepare_cached("SELECT id, name, created FROM tenants WHERE removed IS NULL ORDER BY id")?;
            let rows = sql.query_map([], tenant)?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        Ok(read.await?)
    }
}

fn tenant(row: &Row<'_>) -> rusqlite::Result<Tenant> {
    let id: String = row.get(0)?;
    Ok(Tenant { id: TenantId::new(id), name: row.get(1)?, created: Timestamp(row.get(2)?) })
}
