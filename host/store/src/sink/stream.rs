//! Where a stream stands, and who works on it.

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::authority::{Authority, Fence};
use sallyport::ids::{SourceId, StreamId, Timestamp};
use sallyport::ports::{Lease, PullState};

use crate::db::{Fail, Outcome};
use crate::directory::{Found, find};

/// The authority's connection, if the source is its source.
pub(super) fn connection(db: &Connection, at: &Authority, source: &SourceId) -> Outcome<Found> {
    let found = find(db, at.tenant(), &at.connection)?;
    if found.source_id == source.as_str() {
        Ok(found)
    } else {
        Err(Fail::not_found(format!("source {source} of connection {}", at.connection)))
    }
}

pub(super) fn begin(
    db: &Connection,
    at: &Authority,
    source: &SourceId,
    stream: &StreamId,
    sweep: bool,
    now: Timestamp,
    millis: u64,
) -> Outcome<PullState> {
    let connection = connection(db, at, source)?;
    let name = stream.as_str();
    // One pull at a time per source and stream, whichever connection it runs for.
    let sql = "SELECT max(until) FROM streams WHERE source = ? AND stream = ?";
    let until: Option<u64> = db.prepare_cached(sql)?.query_row(params![connection.source, name], |row| row.get(0))?;
    if let Some(until) = until.filter(|until| *until > now.0) {
        return Err(Fail::held(format!("stream {stream} of {source}"), until - now.0));
    }
    let sql = "INSERT INTO streams (connection, stream, source) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    db.prepare_cached(sql)?.execute(params![connection.key, name, connection.source])?;
    let sql = "UPDATE streams SET fence = fence + 1, until = ?3,
            sweep = sweep + (NOT sweeping AND (?4 OR cursor IS NULL)),
            sweeping = (sweeping OR ?4 OR cursor IS NULL)
        WHERE connection = ?1 AND stream = ?2 RETURNING fence, cursor, generation, sweeping";
    let until = now.plus(millis);
    let begun = db.prepare_cached(sql)?.query_row(params![connection.key, name, until.0, sweep], |row| {
        Ok(PullState {
            lease: Lease { fence: Fence(row.get(0)?), until },
            cursor: row.get(1)?,
            generation: row.get(2)?,
            sweep: row.get(3)?,
            listed: 0,
        })
    })?;
    let sql = "SELECT count(*) FROM attestations a JOIN streams s USING (connection, stream, sweep)
        WHERE s.connection = ? AND s.stream = ? AND s.sweeping";
    let listed = db.prepare_cached(sql)?.query_row(params![connection.key, name], |row| row.get(0))?;
    Ok(PullState { listed, ..begun })
}

/// A stream that the authority's fence holds.
pub(super) struct Place {
    pub(super) connection: Found,
    pub(super) stream: String,
    pub(super) cursor: Option<String>,
    pub(super) generation: u64,
    pub(super) committed: Option<String>,
    pub(super) sweep: i64,
    pub(super) sweeping: bool,
}

/// The stream's row, if nobody else took it over.
pub(super) fn place(db: &Connection, at: &Authority, source: &SourceId, stream: &StreamId) -> Outcome<Place> {
    let connection = connection(db, at, source)?;
    let what = || format!("stream {stream} of {source}");
    let sql = "SELECT cursor, generation, committed, sweep, sweeping, fence FROM streams
        WHERE connection = ? AND stream = ?";
    let found = db.prepare_cached(sql)?.query_row(params![connection.key, stream.as_str()], |row| {
        let place = Place {
            connection: connection.clone(),
            stream: stream.to_string(),
            cursor: row.get(0)?,
            generation: row.get(1)?,
            committed: row.get(2)?,
            sweep: row.get(3)?,
            sweeping: row.get(4)?,
        };
        Ok((place, row.get::<_, u64>(5)?))
    });
    let (place, fence) = found.optional()?.ok_or_else(|| Fail::not_found(what()))?;
    if fence == at.fence.0 {
        Ok(place)
    } else {
        Err(Fail::conflict(what(), format!("pulled by another holder (fence {fence})")))
    }
}

impl Place {
    pub(super) fn set_until(&self, db: &Connection, until: u64) -> Outcome<()> {
        let sql = "UPDATE streams SET until = ? WHERE connection = ? AND stream = ?";
        db.prepare_cached(sql)?.execute(params![until, self.connection.key, self.stream])?;
        Ok(())
    }

    pub(super) fn advance(&self, db: &Connection, cursor: &str, generation: u64, committed: &str) -> Outcome<()> {
        let sql = "UPDATE streams SET cursor = ?, generation = ?, committed = ? WHERE connection = ? AND stream = ?";
        let row = params![cursor, generation, committed, self.connection.key, self.stream];
        db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    pub(super) fn end_sweep(&self, db: &Connection) -> Outcome<()> {
        let sql = "UPDATE streams SET sweeping = 0 WHERE connection = ? AND stream = ?";
        db.prepare_cached(sql)?.execute(params![self.connection.key, self.stream])?;
        Ok(())
    }

    pub(super) fn sweep_anew(&self, db: &Connection) -> Outcome<()> {
        let sql = "UPDATE streams SET sweep = sweep + 1 WHERE connection = ? AND stream = ?";
        db.prepare_cached(sql)?.execute(params![self.connection.key, self.stream])?;
        Ok(())
    }

    /// Documents that this stream listed before its sweep and not since.
    pub(super) fn missing(&self, db: &Connection) -> Outcome<Vec<String>> {
        let sql = "SELECT d.id FROM attestations a JOIN documents d ON d.key = a.document
            WHERE a.connection = ? AND a.stream = ? AND a.sweep < ? ORDER BY d.key";
        let mut sql = db.prepare_cached(sql)?;
        let rows = sql.query_map(params![self.connection.key, self.stream, self.sweep], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
