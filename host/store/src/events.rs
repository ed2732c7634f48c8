//! What whoever embeds the host is told: written with what it tells of, in the same transaction, and read in order.

use rusqlite::{Connection, Row, params};
use sallyport::connection::ConnectionState;
use sallyport::ids::{ConnectionId, ConnectorId, InvocationId, LinkId, SubjectId, TenantId, Timestamp, ToolName};
use sallyport::ports::{DecisionKind, Durability, LinkStatus, StoreError, StoreResult};
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::db::{Outcome, json, unjson};

/// How many are kept for each tenant.
const KEPT: i64 = 10_000;
/// The setting that holds the webhook's cursor.
const CURSOR: &str = "webhook/cursor";

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
    /// A write waits for a decision.
    ApprovalPending {
        /// Whose write.
        invocation: InvocationId,
        /// Through which connection.
        connection: ConnectionId,
        /// Of which connector.
        connector: ConnectorId,
        /// By which tool.
        tool: ToolName,
        /// Who asked for it.
        by: SubjectId,
        /// From then on nobody can decide it any more.
        expires: Timestamp,
    },
    /// A write waits no longer.
    ApprovalDecided {
        /// Whose write.
        invocation: InvocationId,
        /// What was said.
        decision: DecisionKind,
        /// Who said it.
        by: SubjectId,
    },
    /// A write was sent, and nobody knows whether it took effect: a person has to look.
    InvocationUnknown {
        /// Whose write.
        invocation: InvocationId,
        /// Through which connection.
        connection: ConnectionId,
    },
}

impl NewEvent {
    /// Its kind, as `kind` has it in JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ConnectionState { .. } => "connection-state",
            Self::Link { .. } => "link",
            Self::ApprovalPending { .. } => "approval-pending",
            Self::ApprovalDecided { .. } => "approval-decided",
            Self::InvocationUnknown { .. } => "invocation-unknown",
        }
    }
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
            let rows = sql.query_and_then(params![tenant.as_str(), after, limit], event)?;
            rows.collect()
        });
        Ok(read.await?)
    }

    /// Events of every tenant after a place, oldest first, at most `limit`. What is written later comes later: there is
    /// one writer at a time, and a place is given in its transaction.
    pub async fn events_of_all(&self, after: u64, limit: usize) -> StoreResult<Vec<(TenantId, Event)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = self.db.read(move |db| {
            let sql = "SELECT key, at, body, tenant FROM events WHERE key > ? ORDER BY key LIMIT ?";
            let mut sql = db.prepare_cached(sql)?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows = sql.query_and_then(params![after, limit], |row| -> Outcome<(TenantId, Event)> {
                let tenant: String = row.get(3)?;
                Ok((TenantId::new(tenant), event(row)?))
            })?;
            rows.collect()
        });
        Ok(read.await?)
    }

    /// The last event that the webhook's receiver has. Who asks first begins with the newest: what was before then
    /// stays in the feed, and is not announced.
    pub async fn webhook_cursor(&self) -> StoreResult<u64> {
        let mut kept = self.setting(CURSOR).await?;
        if kept.is_none() {
            let write = self.db.write(Durability::Flushed, |db| {
                let sql = "INSERT OR IGNORE INTO settings (key, value)
                    SELECT ?, CAST(COALESCE(MAX(key), 0) AS TEXT) FROM events";
                db.execute(sql, [CURSOR])?;
                Ok(())
            });
            write.await?;
            kept = self.setting(CURSOR).await?;
        }
        let kept = kept.unwrap_or_default();
        kept.parse().map_err(|_| StoreError::Other(format!("the webhook's cursor is {kept:?}, which is no number")))
    }

    /// The webhook's receiver has this event and those before it. It never goes back, whichever process says it last.
    pub async fn set_webhook_cursor(&self, seq: u64) -> StoreResult<()> {
        let write = self.db.write(Durability::Flushed, move |db| {
            let sql = "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2
                WHERE CAST(value AS INTEGER) < CAST(?2 AS INTEGER)";
            db.execute(sql, params![CURSOR, seq.to_string()])?;
            Ok(())
        });
        Ok(write.await?)
    }
}

/// A row that begins with `key`, `at` and `body`.
fn event(row: &Row<'_>) -> Outcome<Event> {
    let body: String = row.get(2)?;
    Ok(Event { seq: row.get(0)?, at: Timestamp(row.get(1)?), what: unjson(&body)? })
}

pub(crate) fn tell(db: &Connection, tenant: &TenantId, at: Timestamp, event: &NewEvent) -> Outcome<()> {
    let sql = "INSERT INTO events (tenant, at, kind, body) VALUES (?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![tenant.as_str(), at.0, event.kind(), json(event)?])?;
    let sql = "DELETE FROM events WHERE tenant = ?1 AND key <= (
        SELECT key FROM events WHERE tenant = ?1 ORDER BY key DESC LIMIT 1 OFFSET ?2)";
    db.prepare_cached(sql)?.execute(params![tenant.as_str(), KEPT])?;
    Ok(())
}
