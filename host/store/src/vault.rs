//! Sealed secrets, registered clients and wrapped keys: ciphertext only.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sallyport::audit::Note;
use sallyport::authority::{Authority, Fence};
use sallyport::ids::{ConnectionId, MasterId, SlotName, TenantId, Timestamp};
use sallyport::ports::{
    Durability, KeyScope, Lease, Rewrap, SealedSecret, SecretState, StoreResult, Vault, WrappedKey,
};
use serde::{Deserialize, Serialize};

use crate::db::{Fail, Outcome, json, unjson};
use crate::directory::find;
use crate::keys;
use crate::{Store, audit};

/// How long a refresh may take: longer than the HTTP client's timeout, so that a lease that ended means a holder that died.
const REFRESH_MILLIS: u64 = 60_000;

#[async_trait]
impl Vault for Store {
    async fn secret(&self, at: &Authority, slot: &SlotName) -> StoreResult<Option<SealedSecret>> {
        let (at, slot) = (at.clone(), slot.clone());
        let read = self.db.look(move |db| {
            let sql = "SELECT s.sealed, s.nonce, s.ciphertext, s.generation FROM connections c
                JOIN tenants t ON t.key = c.tenant JOIN secrets s ON s.connection = c.key
                WHERE c.id = ?1 AND t.id = ?2 AND s.slot = ?3";
            let found = one_sealed(db, sql, [at.connection.as_str(), at.tenant().as_str(), slot.as_str()])?;
            if found.is_none() {
                // An empty slot is one thing, a connection that is not there (or not this tenant's) another.
                find(db, at.tenant(), &at.connection)?;
            }
            Ok(found)
        });
        Ok(read.await?)
    }

    async fn slots(&self, at: &Authority) -> StoreResult<Vec<(SlotName, SealedSecret)>> {
        let at = at.clone();
        let read = self.db.read(move |db| {
            let connection = find(db, at.tenant(), &at.connection)?.key;
            let mut sql = db.prepare_cached(&format!("{SECRETS} ORDER BY slot"))?;
            let rows = sql.query_map([connection], |row| Ok((row.get::<_, String>(4)?, columns(row)?)))?;
            rows.map(|row| {
                let (slot, columns) = row?;
                Ok((SlotName::new(slot).map_err(Fail::other)?, sealed(columns)?))
            })
            .collect()
        });
        Ok(read.await?)
    }

    async fn replace(
        &self,
        at: &Authority,
        slot: &SlotName,
        expected: Option<u64>,
        secret: &SealedSecret,
    ) -> StoreResult<u64> {
        let (at, slot, secret) = (at.clone(), slot.clone(), secret.clone());
        let write = self.db.write(Durability::Flushed, move |db| {
            let connection = find(db, at.tenant(), &at.connection)?.key;
            let sql = "SELECT generation FROM secrets WHERE connection = ? AND slot = ?";
            let found: Option<u64> =
                db.prepare_cached(sql)?.query_row(params![connection, slot.as_str()], |row| row.get(0)).optional()?;
            if found != expected {
                let found = found.map_or("empty".into(), |generation| format!("generation {generation}"));
                return Err(Fail::conflict(format!("slot {slot} of connection {}", at.connection), found));
            }
            let generation = expected.unwrap_or(0) + 1;
            let sql = "INSERT INTO secrets (connection, slot, sealed, nonce, ciphertext, generation)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT DO UPDATE SET sealed = ?3, nonce = ?4, ciphertext = ?5, generation = ?6";
            let (public, slot) = (json(&Public::of(&secret))?, slot.as_str());
            let row = params![connection, slot, public, secret.nonce, secret.ciphertext, generation];
            db.prepare_cached(sql)?.execute(row)?;
            Ok(generation)
        });
        Ok(write.await?)
    }

    async fn remove_secrets(&self, at: &Authority) -> StoreResult<()> {
        let at = at.clone();
        let write = self.db.write(Durability::Flushed, move |db| {
            let connection = find(db, at.tenant(), &at.connection)?.key;
            db.prepare_cached("DELETE FROM secrets WHERE connection = ?")?.execute([connection])?;
            Ok(())
        });
        Ok(write.await?)
    }

    async fn lease(&self, at: &Authority, slot: &SlotName, holder: &str) -> StoreResult<Lease> {
        let (at, slot, holder, now) = (at.clone(), slot.clone(), holder.to_owned(), self.db.now());
        let write = self.db.write(Durability::Eventual, move |db| {
            let connection = find(db, at.tenant(), &at.connection)?.key;
            let sql = "SELECT fence, until FROM refreshes WHERE connection = ? AND slot = ?";
            let found: Option<(u64, u64)> = db
                .prepare_cached(sql)?
                .query_row(params![connection, slot.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (fence, until) = found.unwrap_or_default();
            if until > now.0 {
                return Err(Fail::held(format!("slot {slot} of connection {}", at.connection), until - now.0));
            }
            let lease = Lease { fence: Fence(fence + 1), until: now.plus(REFRESH_MILLIS) };
            let sql = "INSERT INTO refreshes (connection, slot, holder, fence, until) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO UPDATE SET holder = ?3, fence = ?4, until = ?5";
            let row = params![connection, slot.as_str(), holder, lease.fence.0, lease.until.0];
            db.prepare_cached(sql)?.execute(row)?;
            Ok(lease)
        });
        Ok(write.await?)
    }

    async fn release(&self, at: &Authority, slot: &SlotName, lease: &Lease) -> StoreResult<()> {
        let (at, slot, fence) = (at.clone(), slot.clone(), lease.fence.0);
        let write = self.db.write(Durability::Eventual, move |db| {
            let connection = find(db, at.tenant(), &at.connection)?.key;
            // A later holder's lease is not ours to end; ours has ended by itself then.
            let sql = "UPDATE refreshes SET until = 0 WHERE connection = ? AND slot = ? AND fence = ?";
            db.prepare_cached(sql)?.execute(params![connection, slot.as_str(), fence])?;
            Ok(())
        });
        Ok(write.await?)
    }

    async fn client(&self, tenant: Option<&TenantId>, provider: &str) -> StoreResult<Option<SealedSecret>> {
        let (tenant, provider) = (scope(tenant), provider.to_owned());
        let read = self.db.look(move |db| {
            let sql = "SELECT sealed, nonce, ciphertext, generation FROM clients WHERE provider = ?1 AND tenant = ?2";
            one_sealed(db, sql, params![provider, tenant])
        });
        Ok(read.await?)
    }

    async fn put_client(&self, tenant: Option<&TenantId>, provider: &str, sealed: &SealedSecret) -> StoreResult<()> {
        let (whose, tenant, now) = (tenant.cloned(), scope(tenant), self.db.now());
        let (provider, sealed) = (provider.to_owned(), sealed.clone());
        let write = self.db.write(Durability::Flushed, move |db| {
            let sql = "INSERT INTO clients (tenant, provider, sealed, nonce, ciphertext, generation)
                VALUES (?1, ?2, ?3, ?4, ?5, 1)
                ON CONFLICT DO UPDATE SET sealed = ?3, nonce = ?4, ciphertext = ?5, generation = generation + 1";
            let row = params![tenant, provider, json(&Public::of(&sealed))?, sealed.nonce, sealed.ciphertext];
            db.prepare_cached(sql)?.execute(row)?;
            audit::note(db, whose.as_ref(), now, &Note::ClientRegistered { provider })
        });
        Ok(write.await?)
    }

    async fn data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
    ) -> StoreResult<Option<WrappedKey>> {
        let (tenant, connection) = (scope(tenant), connection.map_or(String::new(), ToString::to_string));
        Ok(self.db.look(move |db| keys::wrapped(db, &tenant, &connection)).await?)
    }

    async fn put_data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
        key: &WrappedKey,
    ) -> StoreResult<WrappedKey> {
        let (tenant, connection, key) = (tenant.cloned(), connection.cloned(), key.clone());
        let write = self.db.write(Durability::Flushed, move |db| {
            if let (Some(tenant), Some(connection)) = (&tenant, &connection) {
                // A key made for a connection that was removed meanwhile would bring back what was destroyed.
                find(db, tenant, connection)?;
            }
            let (tenant, connection) = (scope(tenant.as_ref()), connection.map_or(String::new(), |id| id.to_string()));
            keys::put(db, &tenant, &connection, &key)
        });
        Ok(write.await?)
    }

    async fn retire_master(&self, master: &MasterId) -> StoreResult<()> {
        let (master, now) = (master.clone(), self.db.now());
        let write = move |db: &Connection| {
            keys::retire(db, &master)?;
            audit::note(db, None, now, &Note::MasterKeyRetired { master })
        };
        Ok(self.db.write(Durability::Flushed, write).await?)
    }

    async fn wrapped_by(
        &self,
        master: &MasterId,
        after: Option<&KeyScope>,
        limit: u32,
    ) -> StoreResult<Vec<(KeyScope, WrappedKey)>> {
        let (master, after) = (master.clone(), after.cloned());
        Ok(self.db.read(move |db| keys::wrapped_by(db, &master, after.as_ref(), limit)).await?)
    }

    async fn rewrap(&self, batch: &[Rewrap]) -> StoreResult<u64> {
        let (batch, now) = (batch.to_vec(), self.db.now());
        let write = move |db: &Connection| {
            let keys = keys::rewrap(db, &batch)?;
            if keys > 0 {
                audit::note(db, None, now, &Note::KeysRewrapped { keys })?;
            }
            Ok(keys)
        };
        Ok(self.db.write(Durability::Flushed, write).await?)
    }
}

/// What of a secret is no bytes; the generation has a column, because it is compared.
#[derive(Serialize, Deserialize)]
struct Public {
    version: u8,
    key_id: String,
    expires: Option<Timestamp>,
    #[serde(default)]
    lifetime: Option<u64>,
    scopes: Vec<String>,
    state: SecretState,
}

impl Public {
    fn of(secret: &SealedSecret) -> Self {
        let SealedSecret { version, key_id, expires, lifetime, scopes, state, .. } = secret.clone();
        Self { version, key_id, expires, lifetime, scopes, state }
    }
}

const SECRETS: &str = "SELECT sealed, nonce, ciphertext, generation, slot FROM secrets WHERE connection = ?1";

type Columns = (String, Vec<u8>, Vec<u8>, u64);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn sealed((public, nonce, ciphertext, generation): Columns) -> Outcome<SealedSecret> {
    let Public { version, key_id, expires, lifetime, scopes, state } = unjson(&public)?;
    Ok(SealedSecret { version, key_id, nonce, ciphertext, generation, expires, lifetime, scopes, state })
}

fn one_sealed(db: &Connection, sql: &str, values: impl rusqlite::Params) -> Outcome<Option<SealedSecret>> {
    db.prepare_cached(sql)?.query_row(values, columns).optional()?.map(sealed).transpose()
}

/// How a scope stands in a key column: the operator is the empty name.
fn scope(tenant: Option<&TenantId>) -> String {
    tenant.map_or(String::new(), ToString::to_string)
}
