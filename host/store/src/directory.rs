//! Connections and grants.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection as Sqlite, OptionalExtension, Row, params};
use sallyport::audit::Note;
use sallyport::connection::{Connection, ConnectionState, Grant, Owner};
use sallyport::ids::{ConnectionId, ConnectorId, ProviderId, SourceId, SubjectId, TenantId, Timestamp};
use sallyport::ports::{Directory, Durability, Granted, StoreResult, TenantRules};

use crate::db::{Fail, Outcome, json, unjson, unword, word};
use crate::events::{self, NewEvent};
use crate::sink::{places, withdraw};
use crate::{Store, audit};

/// Writes of people's doing: rare, and expected to stand.
const KEPT: Durability = Durability::Flushed;

impl Store {
    /// How many documents a connection attests now: what a person is told that it read in.
    pub async fn documents_of(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<u64> {
        let (tenant, id) = (tenant.clone(), id.clone());
        let read = self.db.read(move |db| {
            let key = find(db, &tenant, &id)?.key;
            let mut sql = db.prepare_cached("SELECT count(*) FROM attestations WHERE connection = ?")?;
            let count: i64 = sql.query_row([key], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        });
        Ok(read.await?)
    }
}

#[async_trait]
impl Directory for Store {
    async fn put_connection(&self, connection: &Connection) -> StoreResult<()> {
        let (connection, now) = (connection.clone(), self.db.now());
        let write = self.db.write(KEPT, move |db| {
            put(db, &connection)?;
            let owner = match connection.owner {
                Owner::Workspace => None,
                Owner::Person(subject) => Some(subject),
            };
            let Connection { id, connector, account, tenant, .. } = connection;
            let note = Note::ConnectionKept { connection: id, connector, account, owner };
            audit::note(db, Some(&tenant), now, &note)
        });
        Ok(write.await?)
    }

    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Connection> {
        let (tenant, id) = (tenant.clone(), id.clone());
        let read = self.db.look(move |db| Ok(one(db, &tenant, &id)?.0));
        Ok(read.await?)
    }

    async fn connections(&self, tenant: &TenantId) -> StoreResult<Vec<Connection>> {
        let tenant = tenant.clone();
        let read = self.db.read(move |db| {
            let mut sql = db.prepare_cached(&format!("{SELECT} WHERE t.id = ? ORDER BY c.created, c.key"))?;
            sql.query_map([tenant.as_str()], columns)?.map(|row| connection(&tenant, row?)).collect()
        });
        Ok(read.await?)
    }

    async fn set_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<&str>,
    ) -> StoreResult<()> {
        let (tenant, id, reason, now) = (tenant.clone(), id.clone(), reason.map(str::to_owned), self.db.now());
        let write = self.db.write(KEPT, move |db| {
            let (key, word) = (find(db, &tenant, &id)?.key, word(&state)?);
            let before: String =
                db.prepare_cached("SELECT state FROM connections WHERE key = ?")?.query_row([key], |row| row.get(0))?;
            db.prepare_cached("UPDATE connections SET state = ?, reason = ? WHERE key = ?")?
                .execute(params![word, reason, key])?;
            if before != word {
                let before = unword(&before)?;
                let (connection, why) = (id.clone(), reason.clone());
                let note = Note::ConnectionState { connection, before, state, reason: why };
                audit::note(db, Some(&tenant), now, &note)?;
                let event = NewEvent::ConnectionState { connection: id, before, state, reason };
                events::tell(db, &tenant, now, &event)?;
            }
            Ok(())
        });
        Ok(write.await?)
    }

    async fn set_checked(&self, tenant: &TenantId, id: &ConnectionId, at: Timestamp) -> StoreResult<()> {
        let (tenant, id) = (tenant.clone(), id.clone());
        let write = self.db.write(Durability::Eventual, move |db| {
            let key = find(db, &tenant, &id)?.key;
            db.prepare_cached("UPDATE connections SET checked = ? WHERE key = ?")?.execute(params![at.0, key])?;
            Ok(())
        });
        Ok(write.await?)
    }

    async fn remove_connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<()> {
        let (tenant, id, now) = (tenant.clone(), id.clone(), self.db.now());
        Ok(self.db.write(KEPT, move |db| remove(db, &tenant, &id, now)).await?)
    }

    async fn put_grant(&self, grant: &Grant) -> StoreResult<()> {
        let (grant, now) = (grant.clone(), self.db.now());
        let write = self.db.write(KEPT, move |db| {
            let found = find(db, &grant.tenant, &grant.connection)?;
            let before = containers(db, found.key)?;
            let sql = "INSERT INTO grants (connection, body) VALUES (?1, ?2)
                ON CONFLICT (connection) DO UPDATE SET body = ?2";
            db.prepare_cached(sql)?.execute(params![found.key, json(&grant)?])?;
            let ceiling = &grant.constraints.audience_ceiling;
            let sql = "UPDATE connections SET ceiling = ? WHERE key = ?";
            db.prepare_cached(sql)?.execute(params![ceiling, found.key])?;
            if let Some(allowed) = &grant.constraints.containers {
                places::keep_within(db, &found, allowed)?;
            }
            if grant.constraints.may_keep_more_than(before.as_deref()) {
                stop_pulls(db, found.key)?;
                db.prepare_cached("UPDATE streams SET cursor = NULL WHERE connection = ?")?.execute([found.key])?;
            }
            audit::note(db, Some(&grant.tenant.clone()), now, &Note::Granted { grant })
        });
        Ok(write.await?)
    }

    async fn grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<Option<Grant>> {
        let (tenant, id) = (tenant.clone(), connection.clone());
        let read = self.db.look(move |db| {
            let sql = "SELECT g.body FROM connections c JOIN tenants t ON t.key = c.tenant
                LEFT JOIN grants g ON g.connection = c.key WHERE c.id = ? AND t.id = ?";
            let mut sql = db.prepare_cached(sql)?;
            let row = sql.query_row([id.as_str(), tenant.as_str()], |row| row.get(0)).optional()?;
            let body: Option<String> = row.ok_or_else(|| missing(&id))?;
            body.as_deref().map(unjson).transpose()
        });
        Ok(read.await?)
    }

    async fn granted(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Granted> {
        let (lookups, tenant, id) = (Arc::clone(&self.lookups), tenant.clone(), id.clone());
        let read = self.db.look(move |db| {
            lookups.granted(db, (&tenant, &id), |db| {
                let (connection, body) = one(db, &tenant, &id)?;
                let live = crate::catalog::live(db, &connection.connector)?;
                Ok(Granted { connection, grant: body.as_deref().map(unjson).transpose()?, live })
            })
        });
        Ok(read.await?)
    }

    async fn revoke_grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<()> {
        let (tenant, id, now) = (tenant.clone(), connection.clone(), self.db.now());
        let write = self.db.write(KEPT, move |db| {
            let key = find(db, &tenant, &id)?.key;
            db.prepare_cached("DELETE FROM grants WHERE connection = ?")?.execute([key])?;
            audit::note(db, Some(&tenant), now, &Note::GrantWithdrawn { connection: id })?;
            stop_pulls(db, key)
        });
        Ok(write.await?)
    }

    async fn any_grant(&self, connector: &ConnectorId) -> StoreResult<bool> {
        let id = connector.clone();
        let read = self.db.look(move |db| {
            let sql = "SELECT EXISTS (SELECT 1 FROM connections c JOIN grants g ON g.connection = c.key
                WHERE c.connector = ? AND json_extract(g.body, '$.capabilities') <> '{}')";
            Ok(db.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0))?)
        });
        Ok(read.await?)
    }

    async fn writes_since(&self, tenant: &TenantId, connection: &ConnectionId, from: Timestamp) -> StoreResult<u32> {
        let (tenant, id) = (tenant.clone(), connection.clone());
        let read = self.db.read(move |db| {
            find(db, &tenant, &id)?;
            let mut sql = db.prepare_cached("SELECT count(*) FROM sent WHERE connection = ? AND at >= ?")?;
            Ok(sql.query_row(params![id.as_str(), from.0], |row| row.get(0))?)
        });
        Ok(read.await?)
    }

    async fn tenant_rules(&self, tenant: &TenantId) -> StoreResult<TenantRules> {
        self.accounts().rules(tenant).await
    }
}

impl Store {
    /// Says whether an admin trusts what the connection's documents say: their label tells the action policy. Off for a
    /// new connection.
    pub async fn set_trusted(&self, tenant: &TenantId, connection: &ConnectionId, trusted: bool) -> StoreResult<()> {
        let (tenant, id) = (tenant.clone(), connection.clone());
        let write = self.db.write(KEPT, move |db| {
            let key = find(db, &tenant, &id)?.key;
            db.execute("UPDATE connections SET trusted = ? WHERE key = ?", params![trusted, key])?;
            Ok(())
        });
        Ok(write.await?)
    }
}

/// A connection's place in the database.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) key: i64,
    pub(crate) tenant: i64,
    pub(crate) source: i64,
    pub(crate) source_id: String,
}

/// Every port that is told a connection begins here: another tenant's is not found.
pub(crate) fn find(db: &Sqlite, tenant: &TenantId, id: &ConnectionId) -> Outcome<Found> {
    let sql = "SELECT c.key, c.tenant, c.source, s.id FROM connections c JOIN tenants t ON t.key = c.tenant
        JOIN sources s ON s.key = c.source WHERE c.id = ? AND t.id = ?";
    let found = db.prepare_cached(sql)?.query_row([id.as_str(), tenant.as_str()], |row| {
        Ok(Found { key: row.get(0)?, tenant: row.get(1)?, source: row.get(2)?, source_id: row.get(3)? })
    });
    found.optional()?.ok_or_else(|| missing(id))
}

pub(crate) fn remove(db: &Sqlite, tenant: &TenantId, id: &ConnectionId, now: Timestamp) -> Outcome<()> {
    let found = find(db, tenant, id)?;
    withdraw::everything(db, &found)?;
    // The journal stays; without the key its bodies are noise, and noise is not kept.
    db.execute("DELETE FROM data_keys WHERE connection = ?", [id.as_str()])?;
    db.execute("DELETE FROM bodies WHERE connection = ?", [found.key])?;
    db.execute("DELETE FROM connections WHERE key = ?", [found.key])?;
    audit::note(db, Some(tenant), now, &Note::ConnectionRemoved { connection: id.clone() })
}

/// The containers that the connection's grant names.
pub(crate) fn containers(db: &Sqlite, connection: i64) -> Outcome<Option<Vec<String>>> {
    let mut sql = db.prepare_cached("SELECT body FROM grants WHERE connection = ?")?;
    let body: Option<String> = sql.query_row([connection], |row| row.get(0)).optional()?;
    let grant: Option<Grant> = body.as_deref().map(unjson).transpose()?;
    Ok(grant.and_then(|grant| grant.constraints.containers))
}

/// A pull that is under way can no longer commit.
fn stop_pulls(db: &Sqlite, connection: i64) -> Outcome<()> {
    let sql = "UPDATE streams SET fence = fence + 1, until = 0 WHERE connection = ?";
    db.prepare_cached(sql)?.execute([connection])?;
    Ok(())
}

fn missing(id: &ConnectionId) -> Fail {
    Fail::not_found(format!("connection {id}"))
}

fn put(db: &Sqlite, connection: &Connection) -> Outcome<()> {
    let id = connection.id.as_str();
    let tenant: Option<i64> = db
        .query_row("SELECT key FROM tenants WHERE id = ?", [connection.tenant.as_str()], |row| row.get(0))
        .optional()?;
    let tenant = tenant.ok_or_else(|| Fail::not_found(format!("tenant {}", connection.tenant)))?;
    let source = source(db, tenant, &connection.source)?;
    let there: Option<i64> =
        db.query_row("SELECT key FROM connections WHERE id = ?", [id], |row| row.get(0)).optional()?;
    if there.is_some() {
        let before = find(db, &connection.tenant, &connection.id)?;
        if before.source != source {
            // Another account or workspace: what was attested and where pulls stood belongs to the one before.
            withdraw::everything(db, &before)?;
        }
    }
    let owner = match &connection.owner {
        Owner::Workspace => None,
        Owner::Person(subject) => Some(subject.as_str()),
    };
    let sql = "INSERT INTO connections (id, tenant, connector, provider, auth, owner, name, account, account_name,
            workspace, source, audience, settings, state, created, reason, checked)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
        ON CONFLICT (id) DO UPDATE SET connector = ?3, provider = ?4, auth = ?5, owner = ?6, name = ?7, account = ?8,
            account_name = ?9, workspace = ?10, source = ?11, audience = ?12, settings = ?13, state = ?14, created = ?15,
            reason = ?16, checked = ?17";
    db.prepare_cached(sql)?.execute(params![
        id,
        tenant,
        connection.connector.as_str(),
        connection.provider.as_str(),
        connection.auth,
        owner,
        connection.name,
        connection.account,
        connection.account_name,
        connection.workspace,
        source,
        json(&connection.audience)?,
        json(&connection.settings)?,
        word(&connection.state)?,
        connection.created.0,
        connection.reason,
        connection.checked.map(|at| at.0),
    ])?;
    Ok(())
}

fn source(db: &Sqlite, tenant: i64, id: &SourceId) -> Outcome<i64> {
    db.execute("INSERT OR IGNORE INTO sources (tenant, id) VALUES (?, ?)", params![tenant, id.as_str()])?;
    let sql = "SELECT key FROM sources WHERE tenant = ? AND id = ?";
    Ok(db.query_row(sql, params![tenant, id.as_str()], |row| row.get(0))?)
}

const SELECT: &str = "SELECT c.id, c.connector, c.provider, c.auth, c.owner, c.name, c.account, c.account_name,
    c.workspace, s.id, c.audience, c.settings, c.state, c.created, g.body, c.reason, c.checked
    FROM connections c JOIN tenants t ON t.key = c.tenant JOIN sources s ON s.key = c.source
    LEFT JOIN grants g ON g.connection = c.key";

/// A connection, and its grant's body.
fn one(db: &Sqlite, tenant: &TenantId, id: &ConnectionId) -> Outcome<(Connection, Option<String>)> {
    let row = db
        .prepare_cached(&format!("{SELECT} WHERE t.id = ? AND c.id = ?"))?
        .query_row([tenant.as_str(), id.as_str()], |row| Ok((columns(row)?, row.get(14)?)))
        .optional()?;
    let (row, grant) = row.ok_or_else(|| missing(id))?;
    Ok((connection(tenant, row)?, grant))
}

/// A connection before its words and JSON are read.
struct Columns {
    texts: [String; 11],
    owner: Option<String>,
    workspace: Option<String>,
    created: u64,
    reason: Option<String>,
    checked: Option<u64>,
}

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    let text = |at: usize| row.get::<_, String>(at);
    Ok(Columns {
        texts: [
            text(0)?,
            text(1)?,
            text(2)?,
            text(3)?,
            text(5)?,
            text(6)?,
            text(7)?,
            text(9)?,
            text(10)?,
            text(11)?,
            text(12)?,
        ],
        owner: row.get(4)?,
        workspace: row.get(8)?,
        created: row.get(13)?,
        reason: row.get(15)?,
        checked: row.get(16)?,
    })
}

fn connection(tenant: &TenantId, columns: Columns) -> Outcome<Connection> {
    let [id, connector, provider, auth, name, account, account_name, source, audience, settings, state] = columns.texts;
    Ok(Connection {
        id: ConnectionId::new(id),
        tenant: tenant.clone(),
        connector: ConnectorId::new(&connector).map_err(Fail::other)?,
        provider: ProviderId::new(&provider).map_err(Fail::other)?,
        auth,
        owner: columns.owner.map_or(Owner::Workspace, |subject| Owner::Person(SubjectId::new(subject))),
        name,
        account,
        account_name,
        workspace: columns.workspace,
        source: SourceId::new(source),
        audience: unjson(&audience)?,
        settings: unjson(&settings)?,
        state: unword(&state)?,
        reason: columns.reason,
        checked: columns.checked.map(Timestamp),
        created: Timestamp(columns.created),
    })
}
