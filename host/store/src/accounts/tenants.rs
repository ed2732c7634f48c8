//! Tenants.

use rusqlite::{OptionalExtension, Row, params};
use sallyport::ids::{TenantId, Timestamp};
use sallyport::ports::{Durability, StoreResult};

use super::Accounts;
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
                return Err(Fail::conflict(format!("tenant {id}"), "there already"));
            }
            Ok(())
        });
        write.await?;
        Ok(tenant)
    }

    /// One tenant.
    pub async fn tenant(&self, id: &TenantId) -> StoreResult<Tenant> {
        let id = id.clone();
        let read = self.db.look(move |db| {
            let sql = "SELECT id, name, created FROM tenants WHERE id = ?";
            let tenant = db.prepare_cached(sql)?.query_row([id.as_str()], tenant).optional()?;
            tenant.ok_or_else(|| Fail::not_found(format!("tenant {id}")))
        });
        Ok(read.await?)
    }

    /// Every tenant, by id.
    pub async fn tenants(&self) -> StoreResult<Vec<Tenant>> {
        let read = self.db.read(|db| {
            let mut sql = db.prepare_cached("SELECT id, name, created FROM tenants ORDER BY id")?;
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
