//! The record of everything that was done.

mod append;
mod show;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sallyport::authority::{Authority, Fence};
use sallyport::ids::{ConnectionId, InvocationId, TenantId, Timestamp};
use sallyport::ports::{
    BodyRef, Claim, Decision, DecisionKind, Durability, Entry, Event, Filter, Journal, Lease, Plan, Record, SealedBody,
    State, StoreResult, Summary,
};

use crate::Store;
use crate::db::{Fail, Outcome, json, unword, word};
use crate::directory::find;

#[async_trait]
impl Journal for Store {
    async fn open(
        &self,
        at: &Authority,
        plan: &Plan,
        bodies: Vec<SealedBody>,
        when: Timestamp,
        millis: u64,
        durability: Durability,
    ) -> StoreResult<Claim> {
        let (at, plan) = (at.clone(), plan.clone());
        let lease = Lease { fence: Fence::FIRST, until: self.db.now().plus(millis) };
        let claim = Claim { lease: lease.clone(), state: State::Planned };
        let what = format!("the beginning of invocation {}", at.invocation);
        let work = move |db: &Connection| {
            find(db, at.tenant(), &at.connection)?;
            let sql = "INSERT INTO invocations (id, tenant, connection, caller, subject, connector, standing, length,
                    state, planned, changed, fence, until)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING";
            let added = db.prepare_cached(sql)?.execute(params![
                at.invocation.as_str(),
                at.tenant().as_str(),
                at.connection.as_str(),
                json(&at.caller)?,
                at.caller.subject.as_str(),
                plan.connector.as_str(),
                json(&plan.standing)?,
                word(&State::Planned)?,
                when.0,
                lease.fence.0,
                lease.until.0,
            ])?;
            if added == 0 {
                return Err(Fail::conflict(format!("invocation {}", at.invocation), "opened before"));
            }
            let row = row(db, at.tenant(), &at.invocation)?;
            let planned = Entry { seq: 0, at: when, event: Event::Planned(Box::new(plan)) };
            append::bodies(db, &at.connection, &bodies)?;
            append::entries(db, &row, &[planned])
        };
        self.db.keep(durability, what, work).await?;
        Ok(claim)
    }

    async fn append(
        &self,
        at: &Authority,
        first: u64,
        entries: Vec<Entry>,
        bodies: Vec<SealedBody>,
        durability: Durability,
    ) -> StoreResult<()> {
        let at = at.clone();
        let what = format!("entries of invocation {} from {first}", at.invocation);
        let work = move |db: &Connection| {
            let row = row(db, at.tenant(), &at.invocation)?;
            row.fenced(&at)?;
            row.takes(first, &entries)?;
            append::bodies(db, &at.connection, &bodies)?;
            append::entries(db, &row, &entries)
        };
        Ok(self.db.keep(durability, what, work).await?)
    }

    async fn claim(&self, tenant: &TenantId, invocation: &InvocationId, millis: u64) -> StoreResult<Claim> {
        let (tenant, invocation, now) = (tenant.clone(), invocation.clone(), self.db.now());
        let write = self.db.write(Durability::Eventual, move |db| {
            let row = row(db, &tenant, &invocation)?;
            if row.ended || !matches!(row.state, State::Approved | State::Planned | State::Running) {
                return Err(Fail::conflict(row.name(), word(&row.state)?));
            }
            if row.until > now.0 {
                return Err(Fail::held(row.name(), row.until - now.0));
            }
            let lease = Lease { fence: Fence(row.fence + 1), until: now.plus(millis) };
            let sql = "UPDATE invocations SET fence = ?, until = ? WHERE key = ?";
            db.prepare_cached(sql)?.execute(params![lease.fence.0, lease.until.0, row.key])?;
            Ok(Claim { lease, state: row.state })
        });
        Ok(write.await?)
    }

    async fn renew(&self, at: &Authority, millis: u64) -> StoreResult<Lease> {
        let (at, until) = (at.clone(), self.db.now().plus(millis));
        let write = self.db.write(Durability::Eventual, move |db| {
            let row = row(db, at.tenant(), &at.invocation)?;
            row.fenced(&at)?;
            let sql = "UPDATE invocations SET until = ? WHERE key = ?";
            db.prepare_cached(sql)?.execute(params![until.0, row.key])?;
            Ok(Lease { fence: at.fence, until })
        });
        Ok(write.await?)
    }

    async fn release(&self, at: &Authority) -> StoreResult<()> {
        let at = at.clone();
        let write = self.db.write(Durability::Eventual, move |db| {
            let row = row(db, at.tenant(), &at.invocation)?;
            row.fenced(&at)?;
            db.prepare_cached("UPDATE invocations SET until = 0 WHERE key = ?")?.execute([row.key])?;
            Ok(())
        });
        Ok(write.await?)
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        decision: &Decision,
        when: Timestamp,
    ) -> StoreResult<()> {
        let (tenant, invocation, decision) = (tenant.clone(), invocation.clone(), decision.clone());
        let write = self.db.write(Durability::Flushed, move |db| {
            let row = row(db, &tenant, &invocation)?;
            if row.state != State::Held {
                return Err(Fail::conflict(row.name(), word(&row.state)?));
            }
            if row.hold.as_deref() != Some(decision.of.hash.as_str()) {
                return Err(Fail::conflict(row.name(), "held at another write than was decided about"));
            }
            let late = row.expires.is_some_and(|expires| when.0 > expires);
            if late && decision.kind != DecisionKind::Expire {
                return Err(Fail::conflict(row.name(), "held for longer than a decision counts"));
            }
            let entry = Entry { seq: row.length, at: when, event: Event::Decided(decision) };
            append::entries(db, &row, &[entry])
        });
        Ok(write.await?)
    }

    async fn record(&self, tenant: &TenantId, invocation: &InvocationId) -> StoreResult<Record> {
        let (tenant, invocation) = (tenant.clone(), invocation.clone());
        self.db.caught_up().await?;
        Ok(self.db.read(move |db| show::record(db, &tenant, &invocation)).await?)
    }

    async fn list(&self, tenant: &TenantId, filter: &Filter) -> StoreResult<Vec<Summary>> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        self.db.caught_up().await?;
        Ok(self.db.read(move |db| show::list(db, &tenant, &filter)).await?)
    }

    async fn body(&self, tenant: &TenantId, connection: &ConnectionId, of: &BodyRef) -> StoreResult<SealedBody> {
        let (tenant, connection, of) = (tenant.clone(), connection.clone(), of.clone());
        self.db.caught_up().await?;
        Ok(self.db.read(move |db| show::body(db, &tenant, &connection, of)).await?)
    }
}

/// An invocation's columns that decide what may happen to it.
struct Row {
    key: i64,
    id: InvocationId,
    connection: String,
    length: u64,
    state: State,
    ended: bool,
    hold: Option<String>,
    expires: Option<u64>,
    fence: u64,
    until: u64,
}

impl Row {
    fn name(&self) -> String {
        format!("invocation {}", self.id)
    }

    /// Refuses a holder that has a successor, and one that acts for another connection.
    fn fenced(&self, at: &Authority) -> Outcome<()> {
        if self.connection != at.connection.as_str() {
            return Err(Fail::not_found(self.name()));
        }
        if self.fence != at.fence.0 {
            return Err(Fail::conflict(self.name(), format!("claimed again (fence {})", self.fence)));
        }
        Ok(())
    }

    /// Refuses entries that do not follow the last one.
    fn takes(&self, first: u64, entries: &[Entry]) -> Outcome<()> {
        if self.ended {
            return Err(Fail::conflict(self.name(), format!("ended: {}", word(&self.state)?)));
        }
        let follows = entries.iter().zip(first..).all(|(entry, seq)| entry.seq == seq);
        if self.length != first || !follows {
            return Err(Fail::conflict(self.name(), format!("{} entries long", self.length)));
        }
        let ours = |entry: &Entry| matches!(entry.event, Event::Planned(_) | Event::Decided(_));
        if entries.iter().any(ours) {
            return Err(Fail::other("an invocation is planned by `open` and decided by `decide` only"));
        }
        Ok(())
    }
}

fn row(db: &Connection, tenant: &TenantId, id: &InvocationId) -> Outcome<Row> {
    let sql = "SELECT key, connection, length, state, ended, hold, expires, fence, until FROM invocations
        WHERE id = ? AND tenant = ?";
    let found = db.prepare_cached(sql)?.query_row([id.as_str(), tenant.as_str()], |row| {
        let state: String = row.get(3)?;
        let (id, state_so_far) = (id.clone(), State::Planned);
        let (key, connection, length) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (ended, hold, expires) = (row.get(4)?, row.get(5)?, row.get(6)?);
        let (fence, until) = (row.get(7)?, row.get(8)?);
        Ok((state, Row { key, id, connection, length, state: state_so_far, ended, hold, expires, fence, until }))
    });
    let (state, row) = found.optional()?.ok_or_else(|| Fail::not_found(format!("invocation {id}")))?;
    Ok(Row { state: unword(&state)?, ..row })
}
