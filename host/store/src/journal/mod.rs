//! The record of everything that was done.

mod append;
mod opening;
mod retain;
mod show;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sallyport::audit::Note;
use sallyport::authority::{Authority, Fence};
use sallyport::ids::{ConnectionId, InvocationId, TenantId, Timestamp};
use sallyport::ports::{
    BodyRef, Claim, Decision, DecisionKind, Durability, Entry, Event, Filter, Journal, Lease, Plan, Record, SealedBody,
    Settlement, State, StoreResult, Summary,
};

pub(crate) use opening::Openings;

use crate::db::{Fail, Outcome, unword, word};
use crate::{Store, audit};
use opening::Opening;

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
        let lease = Lease { fence: Fence::FIRST, until: self.db.now().plus(millis) };
        let claim = Claim { lease: lease.clone(), state: State::Planned, length: 1 };
        let what = format!("the beginning of invocation {}", at.invocation);
        let (openings, id) = (Arc::clone(&self.openings), at.invocation.clone());
        openings.add(Opening { at: at.clone(), plan: plan.clone(), when, lease, bodies, entries: Vec::new() })?;
        let work = move |db: &Connection| match openings.take(&id) {
            Some(opening) => opening.write(db),
            None => Err(Fail::other("an invocation's beginning was lost")),
        };
        match self.db.keep(durability, what, work).await {
            Ok(()) => Ok(claim),
            Err(fail) => {
                // Where it was not even tried, it is still there.
                drop(self.openings.take(&at.invocation));
                Err(fail.into())
            }
        }
    }

    async fn append(
        &self,
        at: &Authority,
        first: u64,
        entries: Vec<Entry>,
        bodies: Vec<SealedBody>,
        durability: Durability,
    ) -> StoreResult<()> {
        let (entries, bodies) = match durability {
            Durability::Deferred => match self.openings.extend(at, first, entries, bodies)? {
                Some(given_back) => given_back,
                None => return Ok(()),
            },
            Durability::Eventual | Durability::Flushed => (entries, bodies),
        };
        let (at, now) = (at.clone(), self.db.now());
        let what = format!("entries of invocation {} from {first}", at.invocation);
        let work = move |db: &Connection| {
            let row = row(db, at.tenant(), &at.invocation)?;
            row.fenced(&at)?;
            row.takes(first, &entries)?;
            append::bodies(db, row.place, now, &bodies)?;
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
            Ok(Claim { lease, state: row.state, length: row.length })
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

    async fn settle(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        settlement: &Settlement,
        when: Timestamp,
    ) -> StoreResult<()> {
        let (tenant, invocation, settlement) = (tenant.clone(), invocation.clone(), settlement.clone());
        let write = self.db.write(Durability::Flushed, move |db| {
            let row = row(db, &tenant, &invocation)?;
            if row.state != State::Unknown {
                return Err(Fail::conflict(row.name(), word(&row.state)?));
            }
            let doubt = show::record(db, &tenant, &invocation)?.in_doubt();
            if doubt.is_none_or(|write| write.call != settlement.call || write.effect.request != settlement.of) {
                return Err(Fail::conflict(row.name(), "in doubt about another write"));
            }
            let entry = Entry { seq: row.length, at: when, event: Event::Settled(settlement) };
            append::entries(db, &row, &[entry])
        });
        Ok(write.await?)
    }

    async fn note(&self, tenant: Option<&TenantId>, note: &Note, when: Timestamp) -> StoreResult<()> {
        let (tenant, note) = (tenant.cloned(), note.clone());
        let write = move |db: &Connection| audit::note(db, tenant.as_ref(), when, &note);
        Ok(self.db.write(Durability::Eventual, write).await?)
    }

    async fn forget_bodies(&self, before: Timestamp) -> StoreResult<u64> {
        let now = self.db.now();
        Ok(self.db.write(Durability::Flushed, move |db| retain::forget(db, before, now)).await?)
    }

    async fn record(&self, tenant: &TenantId, invocation: &InvocationId) -> StoreResult<Record> {
        self.db.caught_up().await?;
        let (own, id) = (tenant.clone(), invocation.clone());
        if let Some(short) = self.db.look(move |db| show::short_record(db, &own, &id)).await? {
            return Ok(short);
        }
        let (tenant, invocation) = (tenant.clone(), invocation.clone());
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
        // A replay asks for one after the other: where it is asked, not by way of another thread.
        Ok(self.db.look(move |db| show::body(db, &tenant, &connection, &of)).await?)
    }

    async fn bodies(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        of: &[BodyRef],
    ) -> StoreResult<Vec<SealedBody>> {
        let (tenant, connection, of) = (tenant.clone(), connection.clone(), of.to_vec());
        self.db.caught_up().await?;
        let few = of.len() <= show::FEW && of.iter().map(|of| of.size).sum::<u64>() <= show::SMALL;
        let find = move |db: &Connection| show::bodies(db, &tenant, &connection, &of);
        Ok(if few { self.db.look(find).await? } else { self.db.read(find).await? })
    }
}

/// An invocation's columns that decide what may happen to it.
struct Row {
    key: i64,
    id: InvocationId,
    tenant: TenantId,
    connection: String,
    /// The connection's key, while there is one.
    place: Option<i64>,
    /// The caller as stored, where the first entry is still to come.
    whose: Option<String>,
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

    fn connection_id(&self) -> ConnectionId {
        ConnectionId::new(self.connection.as_str())
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
        let ours = |entry: &Entry| matches!(entry.event, Event::Planned(_) | Event::Decided(_) | Event::Settled(_));
        if entries.iter().any(ours) {
            return Err(Fail::other(
                "an invocation is planned by `open`, decided by `decide` and settled by `settle` only",
            ));
        }
        Ok(())
    }
}

fn row(db: &Connection, tenant: &TenantId, id: &InvocationId) -> Outcome<Row> {
    let sql = "SELECT i.key, i.connection, i.length, i.state, i.ended, i.hold, i.expires, i.fence, i.until, c.key
        FROM invocations i LEFT JOIN connections c ON c.id = i.connection WHERE i.id = ? AND i.tenant = ?";
    let found = db.prepare_cached(sql)?.query_row([id.as_str(), tenant.as_str()], |row| {
        let state: String = row.get(3)?;
        let found = Row {
            key: row.get(0)?,
            id: id.clone(),
            tenant: tenant.clone(),
            connection: row.get(1)?,
            place: row.get(9)?,
            whose: None,
            length: row.get(2)?,
            state: State::Planned,
            ended: row.get(4)?,
            hold: row.get(5)?,
            expires: row.get(6)?,
            fence: row.get(7)?,
            until: row.get(8)?,
        };
        Ok((state, found))
    });
    let (state, row) = found.optional()?.ok_or_else(|| Fail::not_found(format!("invocation {id}")))?;
    Ok(Row { state: unword(&state)?, ..row })
}
