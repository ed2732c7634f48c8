//! What whoever embeds the host is told: written with what it tells of, in the same transaction, and read in order.

use rusqlite::{Connection, params};
use sallyport::connection::ConnectionState;
use sallyport::ids::{ConnectionId, LinkId, TenantId, Timestamp};
use sallyport::ports::{LinkStatus, StoreResult};
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::db::{Outcome, json, unjson};

/// How many are kept for each tenant.
const KEPT: i64 = 10_000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum NewEvent {
    /// A connection is in another state.
    ConnectionState {
        /// Which.
        connection: ConnectionId,
        /// The state before.
        before: ConnectionState,
        /// The state now.
        state: ConnectionState,
        /// Why, for a person who can do something about it.
        reason: Option<String>,
    },
    /// An attempt to connect has come further.
    Link {
        /// Which.
        link: LinkId,
        /// How far.
        #[serde(flatten)]
        status: LinkStatus,
    },
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place: events of a tenant are told in this order, and each place is given once.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub what: NewEvent,
}

impl Accounts {
    /// Events of a tenant after a place, oldest first, at most `limit`. The last 10,000 are kept.
    pub async fn events(&self, tenant: &TenantId, after: u64, limit: usize) -> StoreResult<Vec<Event>> {
        let (tenant, limit) = (tenant.clone(), i64::try_from(limit).unwrap_or(i64::MAX));
        let read = self.db.read(move |db| {
            let sql = "SELECT key, at, body FROM events WHERE tenant = ? AND key > ? ORDER BY key LIMIT ?";
            let mut sql = db.prepare_cached(sql)?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows = sql.query_map(params![tenant.as_str(), after, limit], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })?;
            rows.map(|row| {
                let (seq, at, body) = row?;
                Ok(Event { seq, at: Timestamp(at), what: unjson(&body)? })
            })
            .collect()
        });
        Ok(read.await?)
    }
}

pub(crate) fn tell(db: &Connection, tenant: &TenantId, at: Timestamp, event: &NewEvent) -> Outcome<()> {
    let kind = match event {
        NewEvent::ConnectionState { .. } => "connection-state",
        NewEvent::Link { .. } => "link",
    };
    let sql = "INSERT INTO events (tenant, at, kind, body) VALUES (?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![tenant.as_str(), at.0, kind, json(event)?])?;
    let sql = "DELETE FROM events WHERE tenant = ?1 AND key <= (
        SELECT key FROM events WHERE tenant = ?1 ORDER BY key DESC LIMIT 1 OFFSET ?2)";
    db.prepare_cached(sql)?.execute(params![tenant.as_str(), KEPT])?;
    Ok(())
}
