//! API keys. A key is shown once; what is kept is its hash.

use rusqlite::{OptionalExtension, Row, params};
use sallyport::audit::Note;
use sallyport::ids::{TenantId, Timestamp};
use sallyport::ports::{Durability, StoreResult};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Accounts;
use crate::audit;
use crate::db::Fail;

/// Whose key it is, and so what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Whoever runs the host: tenants, connectors, everything.
    Operator,
    /// A tenant's own service: mints callers' tokens and manages connections, in that tenant only.
    Service(TenantId),
}

/// An API key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public part, by which it is listed and revoked.
    pub id: String,
    /// Whose it is.
    pub holder: Holder,
    /// What it is for, for people.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// A key that was just made, with the only copy of its text.
pub struct NewKey {
    /// What is kept of it.
    pub key: ApiKey,
    text: String,
}

impl NewKey {
    /// The key itself, `sp_<id>_<64 hex digits>`: to be shown once. It has no `Debug`.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl Accounts {
    /// Makes a key with 256 random bits. A service key needs its tenant to exist.
    pub async fn create_key(&self, holder: Holder, label: &str) -> StoreResult<NewKey> {
        let id = hex::encode(rand::random::<[u8; 6]>());
        let secret = hex::encode(rand::random::<[u8; 32]>());
        let text = format!("sp_{id}_{secret}");
        let key = ApiKey { id, holder, label: label.into(), created: self.db.now(), revoked: None };
        let kept = key.clone();
        let write = self.db.write(Durability::Flushed, move |db| {
            let tenant = match &kept.holder {
                Holder::Operator => None,
                Holder::Service(tenant) => Some(tenant.as_str()),
            };
            if let Some(tenant) = tenant
                && !db.prepare_cached("SELECT 1 FROM tenants WHERE id = ? AND removed IS NULL")?.exists([tenant])?
            {
                return Err(Fail::not_found(format!("tenant {tenant}")));
            }
            let sql = "INSERT INTO api_keys (id, hash, tenant, label, created) VALUES (?, ?, ?, ?, ?)";
            db.execute(sql, params![kept.id, &hash(&secret)[..], tenant, kept.label, kept.created.0])?;
            let whose = tenant.map(TenantId::new);
            audit::note(db, whose.as_ref(), kept.created, &Note::ApiKeyMade { key: kept.id, label: kept.label })
        });
        write.await?;
        Ok(NewKey { key, text })
    }

    /// The key that this text is, unless it was revoked. Any other text is `None`, and takes as long.
    pub async fn verify_key(&self, text: &str) -> StoreResult<Option<ApiKey>> {
        let (id, secret) = text.strip_prefix("sp_").and_then(|rest| rest.split_once('_')).unwrap_or_default();
        let (id, given) = (id.to_owned(), hash(secret));
        let read = self.db.look(move |db| {
            let sql = "SELECT id, tenant, label, created, revoked, hash FROM api_keys WHERE id = ?";
            let found = db.prepare_cached(sql)?.query_row([&id], |row| Ok((key(row)?, row.get::<_, Vec<u8>>(5)?)));
            let (key, kept) = found.optional()?.map_or((None, vec![0; 32]), |(key, kept)| (Some(key), kept));
            let same = bool::from(kept.as_slice().ct_eq(&given));
            Ok(key.filter(|key| same && key.revoked.is_none()))
        });
        Ok(read.await?)
    }

    /// Keys of a tenant, or the operator's (`None`), oldest first; revoked ones too.
    pub async fn keys(&self, tenant: Option<&TenantId>) -> StoreResult<Vec<ApiKey>> {
        let tenant = tenant.map(ToString::to_string);
        let read = self.db.read(move |db| {
            let sql = "SELECT id, tenant, label, created, revoked FROM api_keys WHERE tenant IS ? ORDER BY created, id";
            let mut sql = db.prepare_cached(sql)?;
            let rows = sql.query_map([tenant], key)?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        Ok(read.await?)
    }

    /// Revokes a key of a tenant, or of the operator. Again: no change.
    pub async fn revoke_key(&self, tenant: Option<&TenantId>, id: &str) -> StoreResult<()> {
        let whose = tenant.cloned();
        let (tenant, id, now) = (tenant.map(ToString::to_string), id.to_owned(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            let sql = "UPDATE api_keys SET revoked = coalesce(revoked, ?) WHERE id = ? AND tenant IS ?";
            match db.execute(sql, params![now.0, id, tenant])? {
                0 => Err(Fail::not_found(format!("API key {id}"))),
                _ => audit::note(db, whose.as_ref(), now, &Note::ApiKeyRevoked { key: id }),
            }
        });
        Ok(write.await?)
    }
}

/// A plain hash is right for 256 random bits: there is nothing to guess.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let tenant: Option<String> = row.get(1)?;
    Ok(ApiKey {
        id: row.get(0)?,
        holder: tenant.map_or(Holder::Operator, |tenant| Holder::Service(TenantId::new(tenant))),
        label: row.get(2)?,
        created: Timestamp(row.get(3)?),
        revoked: row.get::<_, Option<u64>>(4)?.map(Timestamp),
    })
}
