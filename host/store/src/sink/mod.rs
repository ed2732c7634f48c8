//! Documents, access and cursor in one transaction.

mod acl;
mod apply;
pub(crate) mod places;
mod stream;
pub(crate) mod withdraw;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use sallyport::authority::Authority;
use sallyport::ids::{SourceId, StreamId};
use sallyport::ports::{Batch, Committed, Durability, Finish, Lease, PullState, Sink, StoreResult};

use crate::Store;
use crate::db::{Fail, json, unjson};
use stream::{Place, place};

pub(crate) use acl::kind;
pub(crate) use apply::folded;

/// A checkpoint that a power failure takes back takes its cursor with it, so nothing is lost by not waiting for the disk.
const WHOLE: Durability = Durability::Eventual;

#[async_trait]
impl Sink for Store {
    async fn begin(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        sweep: bool,
        millis: u64,
    ) -> StoreResult<PullState> {
        let (at, source, stream, now) = (at.clone(), source.clone(), stream.clone(), self.db.now());
        Ok(self.db.write(WHOLE, move |db| stream::begin(db, &at, &source, &stream, sweep, now, millis)).await?)
    }

    async fn renew(&self, at: &Authority, source: &SourceId, stream: &StreamId, millis: u64) -> StoreResult<Lease> {
        let (at, source, stream, until) = (at.clone(), source.clone(), stream.clone(), self.db.now().plus(millis));
        let write = self.db.write(WHOLE, move |db| {
            let place = place(db, &at, &source, &stream)?;
            place.set_until(db, until.0)?;
            Ok(Lease { fence: at.fence, until })
        });
        Ok(write.await?)
    }

    async fn revisions(&self, at: &Authority, source: &SourceId, ids: &[String]) -> StoreResult<Vec<Option<String>>> {
        let (at, source, ids) = (at.clone(), source.clone(), ids.to_vec());
        let read = self.db.read(move |db| {
            let connection = stream::connection(db, &at, &source)?;
            let mut sql = db.prepare_cached(
                "SELECT d.revision FROM documents d JOIN attestations a ON a.document = d.key AND a.connection = ?1
                WHERE d.source = ?2 AND d.id = ?3",
            )?;
            let mut revision = |id: &String| {
                let row = sql.query_row(params![connection.key, connection.source, id], |row| row.get(0)).optional()?;
                Ok(row.flatten())
            };
            ids.iter().map(&mut revision).collect()
        });
        Ok(read.await?)
    }

    async fn commit(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        batch: Batch,
    ) -> StoreResult<Committed> {
        let (at, source, stream, now) = (at.clone(), source.clone(), stream.clone(), self.db.now());
        let write = self.db.write(WHOLE, move |db| {
            let place = place(db, &at, &source, &stream)?;
            let again = place.generation == batch.after + 1 && place.cursor.as_ref() == Some(&batch.cursor);
            if let (true, Some(committed)) = (again, &place.committed) {
                return unjson(committed);
            }
            if place.generation != batch.after {
                let found = format!("at checkpoint {}", place.generation);
                return Err(Fail::conflict(format!("stream {stream} of {source}"), found));
            }
            let mut committed = apply::changes(db, &place, &batch.changes, now)?;
            committed.generation = place.generation + 1;
            place.advance(db, &batch.cursor, committed.generation, &json(&committed)?)?;
            Ok(committed)
        });
        Ok(write.await?)
    }

    async fn finish(
        &self,
        at: &Authority,
        source: &SourceId,
        stream: &StreamId,
        finish: Finish,
    ) -> StoreResult<Vec<String>> {
        let (at, source, stream) = (at.clone(), source.clone(), stream.clone());
        let write = self.db.write(WHOLE, move |db| {
            let place = place(db, &at, &source, &stream)?;
            place.set_until(db, 0)?;
            let mut missing = Vec::new();
            match finish {
                _ if !place.sweeping => return Ok(missing),
                Finish::Whole => missing = place.missing(db)?,
                Finish::Partial | Finish::Settled => {}
                Finish::Anew => place.sweep_anew(db)?,
                Finish::More | Finish::Wait | Finish::Failed => return Ok(missing),
            }
            if missing.is_empty() && finish != Finish::Anew {
                place.end_sweep(db)?;
            }
            acl::collect(db, place.connection.key)?;
            Ok(missing)
        });
        Ok(write.await?)
    }

    async fn forget(&self, at: &Authority, source: &SourceId, stream: &StreamId, ids: &[String]) -> StoreResult<u64> {
        let (at, source, stream, ids) = (at.clone(), source.clone(), stream.clone(), ids.to_vec());
        let write = self.db.write(WHOLE, move |db| {
            let Place { connection, .. } = place(db, &at, &source, &stream)?;
            let mut forgotten = 0;
            for id in &ids {
                forgotten += u64::from(withdraw::document(db, &connection, id)?);
            }
            Ok(forgotten)
        });
        Ok(write.await?)
    }
}
