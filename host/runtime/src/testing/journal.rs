//! Records in memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{MemoryStore, conflict, not_found};
use crate::audit::Note;
use crate::authority::{Authority, Fence};
use crate::ids::{ConnectionId, InvocationId, TenantId, Timestamp};
use crate::ports::{
    self, BodyRef, Claim, Decision, Durability, EffectState, Entry, Event, Filter, Lease, Plan, Record, SealedBody,
    Settlement, State, StoreError, StoreResult, Summary,
};

type Bodies = HashMap<(TenantId, ConnectionId, String), (Timestamp, SealedBody)>;

#[derive(Default)]
pub(super) struct Journal {
    records: Mutex<BTreeMap<InvocationId, Kept>>,
    /// Each with when it was kept last.
    bodies: Mutex<Bodies>,
    notes: Mutex<Vec<(Option<TenantId>, Timestamp, Note)>>,
}

struct Kept {
    record: Record,
    state: State,
    fence: Fence,
    until: Option<Timestamp>,
}

impl Kept {
    fn push(&mut self, entry: Entry) {
        self.state = State::after(&entry.event).unwrap_or(self.state);
        self.record.entries.push(entry);
    }

    fn held(&self) -> Option<&ports::Hold> {
        self.record.entries.iter().rev().find_map(|entry| match &entry.event {
            Event::Held(hold) => Some(hold),
            _ => None,
        })
    }

    fn fenced(&mut self, at: &Authority) -> StoreResult<&mut Self> {
        if self.record.tenant != *at.tenant() {
            return Err(absent(&at.invocation));
        }
        if self.fence != at.fence {
            return Err(conflict(format!("invocation {}", at.invocation), "another process has claimed it"));
        }
        Ok(self)
    }
}

fn absent(id: &InvocationId) -> StoreError {
    not_found(format!("invocation {id}"))
}

impl MemoryStore {
    fn keep_bodies(&self, at: &Authority, bodies: Vec<SealedBody>) {
        let mut kept = self.journal.bodies.lock();
        let now = self.clock.now();
        for body in bodies {
            kept.insert((at.tenant().clone(), at.connection.clone(), body.of.hash.clone()), (now, body));
        }
    }

    pub(super) fn sent_since(&self, tenant: &TenantId, connection: &ConnectionId, from: Timestamp) -> u32 {
        let records = self.journal.records.lock();
        let own =
            records.values().filter(|kept| kept.record.tenant == *tenant && kept.record.connection == *connection);
        let sent = own
            .flat_map(|kept| &kept.record.entries)
            .filter(|entry| entry.at >= from && matches!(entry.event, Event::Write { state: EffectState::Sent, .. }));
        u32::try_from(sent.count()).unwrap_or(u32::MAX)
    }

    /// What was noted, oldest first.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        self.journal.notes.lock().iter().map(|(.., note)| note.clone()).collect()
    }

    /// Changes the entries of a record behind the journal's back, as somebody with the store's file could.
    pub fn tamper(&self, invocation: &InvocationId, change: impl FnOnce(&mut Vec<Entry>)) {
        if let Some(kept) = self.journal.records.lock().get_mut(invocation) {
            change(&mut kept.record.entries);
        }
    }
}

#[async_trait]
impl ports::Journal for MemoryStore {
    async fn open(
        &self,
        at: &Authority,
        plan: &Plan,
        bodies: Vec<SealedBody>,
        when: Timestamp,
        millis: u64,
        _: Durability,
    ) -> StoreResult<Claim> {
        self.keep_bodies(at, bodies);
        let (fence, until) = (Fence::FIRST, self.clock.now().plus(millis));
        let record = Record {
            invocation: at.invocation.clone(),
            tenant: at.tenant().clone(),
            caller: at.caller.clone(),
            connection: at.connection.clone(),
            entries: vec![Entry { seq: 0, at: when, event: Event::Planned(Box::new(plan.clone())) }],
        };
        let mut records = self.journal.records.lock();
        if records.contains_key(&at.invocation) {
            return Err(conflict(format!("invocation {}", at.invocation), "it is there already"));
        }
        let kept = Kept { record, state: State::Planned, fence, until: Some(until) };
        records.insert(at.invocation.clone(), kept);
        Ok(Claim { lease: Lease { fence, until }, state: State::Planned, length: 1 })
    }

    async fn append(
        &self,
        at: &Authority,
        first: u64,
        entries: Vec<Entry>,
        bodies: Vec<SealedBody>,
        _: Durability,
    ) -> StoreResult<()> {
        let mut records = self.journal.records.lock();
        let kept = records.get_mut(&at.invocation).ok_or_else(|| absent(&at.invocation))?.fenced(at)?;
        let length = kept.record.entries.len() as u64;
        if length != first {
            return Err(conflict(
                format!("invocation {}", at.invocation),
                format!("it has {length} entries, not {first}"),
            ));
        }
        if entries.iter().any(|entry| matches!(entry.event, Event::Held(_) | Event::Ended(_))) {
            kept.until = None;
        }
        entries.into_iter().for_each(|entry| kept.push(entry));
        drop(records);
        self.keep_bodies(at, bodies);
        Ok(())
    }

    async fn claim(&self, tenant: &TenantId, invocation: &InvocationId, millis: u64) -> StoreResult<Claim> {
        let now = self.clock.now();
        let mut records = self.journal.records.lock();
        let kept = records.get_mut(invocation).filter(|kept| kept.record.tenant == *tenant);
        let kept = kept.ok_or_else(|| absent(invocation))?;
        if let Some(until) = kept.until.filter(|until| *until > now) {
            let what = format!("invocation {invocation}");
            return Err(StoreError::Held { what, millis: until.0 - now.0 });
        }
        if !matches!(kept.state, State::Approved | State::Planned | State::Running) {
            return Err(conflict(format!("invocation {invocation}"), format!("it is {:?}", kept.state)));
        }
        kept.fence = Fence(kept.fence.0 + 1);
        let until = now.plus(millis);
        kept.until = Some(until);
        let length = kept.record.entries.len() as u64;
        Ok(Claim { lease: Lease { fence: kept.fence, until }, state: kept.state, length })
    }

    async fn renew(&self, at: &Authority, millis: u64) -> StoreResult<Lease> {
        let until = self.clock.now().plus(millis);
        let mut records = self.journal.records.lock();
        let kept = records.get_mut(&at.invocation).ok_or_else(|| absent(&at.invocation))?.fenced(at)?;
        kept.until = Some(until);
        Ok(Lease { fence: at.fence, until })
    }

    async fn release(&self, at: &Authority) -> StoreResult<()> {
        let mut records = self.journal.records.lock();
        records.get_mut(&at.invocation).ok_or_else(|| absent(&at.invocation))?.fenced(at)?.until = None;
        Ok(())
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        decision: &Decision,
        when: Timestamp,
    ) -> StoreResult<()> {
        let mut records = self.journal.records.lock();
        let kept = records.get_mut(invocation).filter(|kept| kept.record.tenant == *tenant);
        let kept = kept.ok_or_else(|| absent(invocation))?;
        let shown = kept.held().is_some_and(|hold| hold.effect.request == decision.of);
        if kept.state != State::Held || !shown {
            return Err(conflict(format!("invocation {invocation}"), format!("it is {:?}", kept.state)));
        }
        let seq = kept.record.entries.len() as u64;
        kept.push(Entry { seq, at: when, event: Event::Decided(decision.clone()) });
        Ok(())
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        settlement: &Settlement,
        when: Timestamp,
    ) -> StoreResult<()> {
        let mut records = self.journal.records.lock();
        let kept = records.get_mut(invocation).filter(|kept| kept.record.tenant == *tenant);
        let kept = kept.ok_or_else(|| absent(invocation))?;
        let doubt = kept.record.in_doubt();
        let same = doubt.is_some_and(|one| one.call == settlement.call && one.effect.request == settlement.of);
        if kept.state != State::Unknown || !same {
            return Err(conflict(format!("invocation {invocation}"), format!("it is {:?}", kept.state)));
        }
        let seq = kept.record.entries.len() as u64;
        kept.push(Entry { seq, at: when, event: Event::Settled(settlement.clone()) });
        Ok(())
    }

    async fn note(&self, tenant: Option<&TenantId>, note: &Note, when: Timestamp) -> StoreResult<()> {
        self.journal.notes.lock().push((tenant.cloned(), when, note.clone()));
        Ok(())
    }

    async fn forget_bodies(&self, before: Timestamp) -> StoreResult<u64> {
        let records = self.journal.records.lock();
        let open = records.values().filter(|kept| !kept.state.is_final() || kept.state == State::Unknown);
        let needed: HashSet<String> = open
            .flat_map(|kept| &kept.record.entries)
            .flat_map(|entry| entry.event.bodies())
            .map(|of| of.hash.clone())
            .collect();
        let mut bodies = self.journal.bodies.lock();
        let all = bodies.len();
        bodies.retain(|(_, _, hash), (kept, _)| *kept >= before || needed.contains(hash));
        Ok((all - bodies.len()) as u64)
    }

    async fn record(&self, tenant: &TenantId, invocation: &InvocationId) -> StoreResult<Record> {
        let records = self.journal.records.lock();
        let kept = records.get(invocation).filter(|kept| kept.record.tenant == *tenant);
        kept.map(|kept| kept.record.clone()).ok_or_else(|| absent(invocation))
    }

    async fn list(&self, tenant: &TenantId, filter: &Filter) -> StoreResult<Vec<Summary>> {
        let records = self.journal.records.lock();
        let limit = if filter.limit == 0 { 100 } else { filter.limit as usize };
        let wanted = |kept: &&Kept| {
            kept.record.tenant == *tenant
                && (filter.states.is_empty() || filter.states.contains(&kept.state))
                && filter.subject.as_ref().is_none_or(|subject| kept.record.caller.subject == *subject)
        };
        Ok(records.values().rev().filter(wanted).filter_map(summary).take(limit).collect())
    }

    async fn body(&self, tenant: &TenantId, connection: &ConnectionId, of: &BodyRef) -> StoreResult<SealedBody> {
        let key = (tenant.clone(), connection.clone(), of.hash.clone());
        let found = self.journal.bodies.lock().get(&key).map(|(_, body)| body.clone());
        found.ok_or_else(|| not_found(format!("journal body {}", of.hash)))
    }
}

fn summary(kept: &Kept) -> Option<Summary> {
    let (first, last) = (kept.record.entries.first()?, kept.record.entries.last()?);
    let Event::Planned(plan) = &first.event else { return None };
    Some(Summary {
        invocation: kept.record.invocation.clone(),
        subject: kept.record.caller.subject.clone(),
        connection: kept.record.connection.clone(),
        connector: plan.connector.clone(),
        standing: plan.standing.clone(),
        state: kept.state,
        planned: first.at,
        changed: last.at,
        expires: kept.held().filter(|_| kept.state == State::Held).map(|hold| hold.expires),
    })
}
