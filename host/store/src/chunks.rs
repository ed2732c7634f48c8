//! Chunks: what waits to be embedded, what was, and what of it a caller may see.

use async_trait::async_trait;
use roaring::RoaringTreemap;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sallyport::ports::Durability;
use sallyport_index::{
    Caller, Changes, ChunkKey, ChunkStore, ContentHash, DocumentChunks, DocumentKey, History, NewChunk,
    PendingDocument, Put, Recipe, ResolvedChunk, Seq, StoreError, StoredChunk, TenantId, Vector,
};

use crate::Store;
use crate::access::{Labels, Readable, Who};
use crate::db::{Fail, Outcome, json, unjson};
use crate::documents::info;
use crate::html;
use crate::sink::withdraw::next_in_history;

#[async_trait]
impl ChunkStore for Store {
    async fn pending(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        limit: usize,
    ) -> Result<Vec<PendingDocument>, StoreError> {
        let recipe = recipe.clone();
        let read = move |db: &Connection, tenant| {
            // Keys first: what is sorted is small, however long the texts are.
            let sql = format!("SELECT d.key FROM documents d WHERE {WAITING} ORDER BY d.changed, d.key LIMIT ?3");
            let mut keys = db.prepare_cached(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let keys = keys.query_map(params![tenant, known(db, &recipe)?, limit], |row| row.get::<_, i64>(0))?;
            let sql = "SELECT d.content, d.title, t.form, t.text FROM documents d
                JOIN texts t ON t.document = d.key WHERE d.key = ?";
            let mut sql = db.prepare_cached(sql)?;
            let mut found = Vec::new();
            for key in keys {
                let key = key?;
                let (hash, title, form, text): (Vec<u8>, String, String, String) =
                    sql.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
                let (format, searched) = html::searchable(&form, &text);
                let (document, text) = (DocumentKey(key.cast_unsigned()), searched.into_owned());
                found.push(PendingDocument { document, content: content(hash)?, title, format, text });
            }
            Ok(found)
        };
        self.in_tenant(tenant, read).await
    }

    async fn pending_count(&self, tenant: &TenantId, recipe: &Recipe) -> Result<u64, StoreError> {
        let recipe = recipe.clone();
        let read = move |db: &Connection, tenant| {
            let sql = format!("SELECT count(*) FROM documents d WHERE {WAITING}");
            let row = params![tenant, known(db, &recipe)?];
            Ok(db.prepare_cached(&sql)?.query_row(row, |row| row.get(0))?)
        };
        self.in_tenant(tenant, read).await
    }

    async fn put_chunks(
        &self,
        tenant: &TenantId,
        document: DocumentKey,
        content: ContentHash,
        recipe: &Recipe,
        chunks: Vec<NewChunk>,
    ) -> Result<Put, StoreError> {
        let (name, recipe) = (tenant.clone(), recipe.clone());
        let write = self.db.write(Durability::Eventual, move |db| {
            let Some(tenant) = tenant_key(db, &name)? else { return Ok(None) };
            let key = document.0.cast_signed();
            let sql = "SELECT 1 FROM documents WHERE key = ? AND tenant = ? AND content = ?";
            if !db.prepare_cached(sql)?.exists(params![key, tenant, &content.0[..]])? {
                return Ok(Some(Put::Superseded));
            }
            replace(db, key, chunks)?;
            let sql = "UPDATE documents SET current = 1, recipe = ? WHERE key = ?";
            db.prepare_cached(sql)?.execute(params![named(db, &recipe)?, key])?;
            Ok(Some(Put::Stored(Seq(next_in_history(db, tenant, key)?))))
        });
        write.await?.ok_or_else(|| StoreError::NoSuchTenant(tenant.clone()))
    }

    async fn history(&self, tenant: &TenantId) -> Result<History, StoreError> {
        let read = |db: &Connection, tenant| {
            let sql = "SELECT history, seq FROM tenants WHERE key = ?";
            let history = |row: &Row<'_>| Ok(History { id: row.get(0)?, end: Seq(row.get(1)?) });
            Ok(db.prepare_cached(sql)?.query_row([tenant], history)?)
        };
        self.in_tenant(tenant, read).await
    }

    async fn changes_since(
        &self,
        tenant: &TenantId,
        recipe: &Recipe,
        since: Seq,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let recipe = recipe.clone();
        let read = move |db: &Connection, tenant| {
            let recipe = known(db, &recipe)?;
            let sql = "SELECT h.document, h.seq, d.title, d.recipe = ? FROM history h
                LEFT JOIN documents d ON d.key = h.document
                WHERE h.tenant = ? AND h.seq > ? ORDER BY h.seq LIMIT ?";
            let mut sql = db.prepare_cached(sql)?;
            // One more than asked for tells whether there is more.
            let mut rows = sql.query(params![
                recipe,
                tenant,
                since.0,
                i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
            ])?;
            let mut changes = Changes { documents: Vec::new(), next: since, more: false };
            while let Some(row) = rows.next()? {
                if changes.documents.len() == limit {
                    changes.more = true;
                    break;
                }
                let (key, title): (i64, Option<String>) = (row.get(0)?, row.get(2)?);
                let of_recipe = row.get::<_, Option<bool>>(3)?.unwrap_or(false);
                let chunks = if of_recipe { stored(db, key)? } else { Vec::new() };
                changes.next = Seq(row.get(1)?);
                changes.documents.push(DocumentChunks {
                    document: DocumentKey(key.cast_unsigned()),
                    seq: changes.next,
                    title: title.unwrap_or_default(),
                    chunks,
                });
            }
            Ok(changes)
        };
        self.in_tenant(tenant, read).await
    }

    async fn readable(&self, caller: &Caller, recipe: &Recipe) -> Result<RoaringTreemap, StoreError> {
        let (who, recipe) = (Who::new(&caller.subject, &caller.emails), recipe.clone());
        let read = move |db: &Connection, tenant| {
            let mut documents = Readable::by(db, tenant, &who)?.documents(db)?;
            let sql = "SELECT key FROM documents WHERE tenant = ? AND current = 1 AND recipe = ?";
            let mut sql = db.prepare_cached(sql)?;
            let mut current = RoaringTreemap::new();
            let mut rows = sql.query(params![tenant, known(db, &recipe)?])?;
            while let Some(row) = rows.next()? {
                current.insert(row.get(0)?);
            }
            documents &= current;
            Ok(documents)
        };
        self.in_tenant(&caller.tenant, read).await
    }

    async fn resolve(&self, caller: &Caller, chunks: &[ChunkKey]) -> Result<Vec<ResolvedChunk>, StoreError> {
        let (who, chunks) = (Who::new(&caller.subject, &caller.emails), chunks.to_vec());
        let read = move |db: &Connection, tenant| {
            let readable = Readable::by(db, tenant, &who)?;
            let mut labels = Labels::new(db, tenant, &readable.live);
            let sql = "SELECT c.document, c.ordinal, c.text, c.heading, c.first, c.last FROM chunks c
                JOIN documents d ON d.key = c.document WHERE c.key = ? AND d.tenant = ? AND d.current = 1";
            let mut sql = db.prepare_cached(sql)?;
            let mut found = Vec::new();
            for chunk in chunks {
                let mut rows = sql.query(params![chunk.0, tenant])?;
                let Some(row) = rows.next()? else { continue };
                let document: i64 = row.get(0)?;
                let Some(document_info) = info::of_document(db, &readable, document)? else { continue };
                found.push(ResolvedChunk {
                    chunk,
                    ordinal: row.get(1)?,
                    text: row.get(2)?,
                    heading: unjson(&row.get::<_, String>(3)?)?,
                    span: row.get(4)?..row.get(5)?,
                    document: document_info,
                    label: labels.of_document(document)?,
                });
            }
            Ok(found)
        };
        self.in_tenant(&caller.tenant, read).await
    }
}

impl Store {
    async fn in_tenant<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        work: impl FnOnce(&Connection, i64) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let name = tenant.clone();
        let read = self.db.read(move |db| tenant_key(db, &name)?.map(|key| work(db, key)).transpose());
        read.await?.ok_or_else(|| StoreError::NoSuchTenant(tenant.clone()))
    }
}

/// Documents of tenant ?1 without current chunks of recipe ?2, as far as a live connection attests them. The three
/// alternatives are ranges of an index each, so that asking costs nothing while nothing waits.
const WAITING: &str = "d.tenant = ?1
    AND (d.current = 0 OR (d.current = 1 AND d.recipe < ?2) OR (d.current = 1 AND d.recipe > ?2))
    AND EXISTS (SELECT 1 FROM attestations a JOIN connections c ON c.key = a.connection
        WHERE a.document = d.key AND c.state <> 'flagged')";

fn tenant_key(db: &Connection, tenant: &TenantId) -> Outcome<Option<i64>> {
    let sql = "SELECT key FROM tenants WHERE id = ?";
    Ok(db.prepare_cached(sql)?.query_row([tenant.as_str()], |row| row.get(0)).optional()?)
}

/// The recipe's number; 0, which is nobody's, if nothing was ever made with it.
fn known(db: &Connection, recipe: &Recipe) -> Outcome<i64> {
    let sql = "SELECT key FROM recipes WHERE name = ?";
    let key = db.prepare_cached(sql)?.query_row([recipe.as_str()], |row| row.get(0)).optional()?;
    Ok(key.unwrap_or(0))
}

fn named(db: &Connection, recipe: &Recipe) -> Outcome<i64> {
    db.prepare_cached("INSERT OR IGNORE INTO recipes (name) VALUES (?)")?.execute([recipe.as_str()])?;
    known(db, recipe)
}

fn replace(db: &Connection, document: i64, mut chunks: Vec<NewChunk>) -> Outcome<()> {
    db.prepare_cached("DELETE FROM chunks WHERE document = ?")?.execute([document])?;
    let sql = "INSERT INTO chunks (document, ordinal, first, last, scale, heading, text, vector)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let mut sql = db.prepare_cached(sql)?;
    chunks.sort_by_key(|chunk| chunk.ordinal);
    for NewChunk { ordinal, text, heading, span, vector } in chunks {
        let values: Vec<u8> = vector.values.iter().map(|value| value.cast_unsigned()).collect();
        let row = params![document, ordinal, span.start, span.end, vector.scale, json(&heading)?, text, values];
        sql.execute(row)?;
    }
    Ok(())
}

fn stored(db: &Connection, document: i64) -> Outcome<Vec<StoredChunk>> {
    let sql = "SELECT key, ordinal, text, heading, scale, vector FROM chunks WHERE document = ? ORDER BY ordinal";
    let mut sql = db.prepare_cached(sql)?;
    let mut rows = sql.query([document])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let values = row.get_ref(5)?.as_blob().map_err(Fail::other)?;
        let vector = Vector { values: values.iter().map(|value| value.cast_signed()).collect(), scale: row.get(4)? };
        found.push(StoredChunk {
            key: ChunkKey(row.get(0)?),
            ordinal: row.get(1)?,
            text: row.get(2)?,
            heading: unjson(&row.get::<_, String>(3)?)?,
            vector,
        });
    }
    Ok(found)
}

fn content(bytes: Vec<u8>) -> Outcome<ContentHash> {
    bytes.try_into().map(ContentHash).map_err(|_| Fail::other("a content hash is not 32 bytes long"))
}
