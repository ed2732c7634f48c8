//! Going on after an approval, or after a crash.

use std::sync::Arc;

use sallyport_pack::route::Repeat;

use crate::authority::Authority;
use crate::caller::Caller;
use crate::decider::Decider;
use crate::error::InvokeError;
use crate::ids::{InvocationId, TenantId};
use crate::ports::{Durability, Event, Plan, Record, Standing, State, StoreError, WriteSummary};
use crate::runtime::Runtime;
use crate::tool::{Done, Outcome};

use super::bounds::Bounds;
use super::decide::not_waiting;
use super::detached::detached;
use super::execute::end;
use super::fetched::Fetched;
use super::gate::Gate;
use super::prepare::Bench;
use super::proposal::state_of;
use super::recorded::{Recorded, plan};
use super::tool::ToolRun;
use super::words::Words;
use super::writer::Writer;
use super::{Stop, Trace};

impl Runtime {
    /// Carries out an approved invocation, up to its end or its next hold; after a crash, goes on with one that was approved.
    ///
    /// Within 15 minutes of the question the guest is replayed from its record. Later, if nothing was written yet, it runs
    /// afresh with the same arguments, seed and start time. Either way the first write is byte for byte what was approved.
    /// An invocation that succeeded answers its result again. The output is for its proposer: to others it is `null`.
    ///
    /// # Errors
    /// [`InvokeError::NotDecider`] if it goes through somebody else's account, [`InvokeError::State`] if it is not
    /// approved, [`InvokeError::Void`] if something that was approved has changed,
    /// [`InvokeError::Diverged`], [`InvokeError::Unknown`], and what a tool call answers.
    pub async fn resume(&self, caller: &Caller, id: &InvocationId) -> Result<Outcome, InvokeError> {
        let record = self.record_for(caller, id).await?;
        let own = record.caller.subject == caller.subject;
        let mut outcome = self.go_on(record).await?;
        if let (Outcome::Done(done), false) = (&mut outcome, own) {
            done.output = serde_json::Value::Null;
            done.documents.clear();
        }
        Ok(outcome)
    }

    /// As [`Runtime::resume`], for the host itself: a scheduler, or a restart.
    ///
    /// # Errors
    /// As [`Runtime::resume`].
    pub async fn resume_as_host(&self, tenant: &TenantId, id: &InvocationId) -> Result<Outcome, InvokeError> {
        self.go_on(self.services().journal.record(tenant, id).await?).await
    }

    async fn go_on(&self, record: Record) -> Result<Outcome, InvokeError> {
        let runtime = self.clone();
        // Whoever asked may go away; a write is not cut off by that.
        detached(async move { runtime.resume_tool(record).await }).await
    }

    async fn resume_tool(&self, mut record: Record) -> Result<Outcome, InvokeError> {
        let services = self.services();
        let (tenant, id) = (record.tenant.clone(), record.invocation.clone());
        let state = state_of(&record);
        if state == State::Succeeded {
            return self.finished(record).await;
        }
        if matches!(state, State::Planned | State::Held) || state.is_final() {
            return Err(not_waiting(state));
        }
        // What a replay will want is looked for, and the record gone through, while the claim is made.
        let claimed = services.journal.claim(&tenant, &id, self.lease());
        let meanwhile = async { (self.fetch(&record).await, Recorded::of(&record)) };
        let (claimed, (fetched, mut recorded)) = tokio::join!(claimed, meanwhile);
        let claim = match claimed {
            Ok(claim) => claim,
            Err(StoreError::Held { millis, .. }) => {
                return Err(InvokeError::Later { millis, message: "it is running in another process".into() });
            }
            Err(StoreError::Conflict { .. }) => {
                let record = services.journal.record(&tenant, &id).await?;
                return Err(not_waiting(state_of(&record)));
            }
            Err(error) => return Err(error.into()),
        };
        // What counts is the record as it was when the claim was made. Entries are only ever added: as many are the same.
        if record.entries.len() as u64 != claim.length {
            record = services.journal.record(&tenant, &id).await?;
            recorded = Recorded::of(&record);
        }
        let at = Authority {
            caller: record.caller.clone(),
            connection: record.connection.clone(),
            invocation: record.invocation.clone(),
            fence: claim.lease.fence,
        };
        match self.prepare_resume(&record, recorded, fetched, &at).await {
            Ok(run) => self.run_tool(run).await,
            Err(error) => {
                self.end_with(&record, &at, &error).await?;
                Err(error)
            }
        }
    }

    /// Everything that the approval covers must be as it was.
    async fn prepare_resume(
        &self,
        record: &Record,
        recorded: Recorded,
        mut fetched: Fetched,
        at: &Authority,
    ) -> Result<ToolRun, InvokeError> {
        let services = self.services();
        let planned = plan(record).ok_or_else(|| InvokeError::Host("the record has no plan".into()))?;
        let Standing::Tool { tool } = &planned.standing else {
            return Err(InvokeError::Host("only tool calls are resumed".into()));
        };
        if let Some(write) = recorded.in_doubt()
            && !self.may_repeat(planned, &write).await
        {
            return Err(InvokeError::Unknown { call: write.call, target: write.effect.target });
        }
        // Where nobody was asked, only a person's word about a write in doubt lets it go on.
        if recorded.approved.is_empty() && recorded.settlement.is_none() {
            return Err(InvokeError::Host("it was cut off before anybody was asked; propose it anew".into()));
        }
        let bench = self.unchanged(record, planned).await?;
        let decider = Decider::of(&bench.connection, services.directory.tenant_rules(&record.tenant).await?);
        if !recorded.open_approvals().all(|decision| decider.still_admits(decision, &record.caller)) {
            return Err(void("who may approve"));
        }
        let now = services.clock.now();
        let live = bench.live(&planned.standing, now).map_err(|_| void("the grant"))?;
        if live.ids() != planned.capabilities {
            return Err(void("the tool's capabilities"));
        }
        let key = services.keyring.journal_key(at.tenant(), &at.connection).await.map_err(Stop::from)?;
        let of = planned.arguments.as_ref().ok_or_else(|| void("the arguments"))?;
        let arguments = match fetched.get(of).await {
            Some(plain) => plain,
            None => self.open(record, of).await?,
        };
        let arguments = String::from_utf8(arguments).map_err(|_| void("the arguments"))?;
        let value = serde_json::from_str(&arguments).map_err(|_| void("the arguments"))?;
        let (declared, described) = bench.tool(tool)?;

        let late = now.0.saturating_sub(recorded.held_at.0) > self.replay_millis();
        // Once something was written, running afresh would write it again: then there is only the record.
        let afresh = late && !recorded.wrote() && !recorded.approved.is_empty();
        let next = record.entries.last().map_or(0, |entry| entry.seq + 1);
        let run = recorded.runs + 1;
        let (clock, journal) = (Arc::clone(&services.clock), Arc::clone(&services.journal));
        let mut writer = Writer::new(journal, clock, at.clone(), key, next);
        let first = recorded.approved.first().map(|hold| hold.effect.request.clone());
        let gate = Gate {
            max_writes: declared.max_writes,
            setting: live.setting(),
            writes_per_day: bench.writes_per_day(),
            bounds: Bounds::of(&bench, declared, &value),
            ask: recorded.hold.as_ref().map(|hold| hold.reasons.clone()),
            approved: if afresh { Vec::new() } else { recorded.approved.clone() },
            first: first.filter(|_| afresh),
            words: Words::new(&value, &described.input),
            made: 0,
            opened: false,
        };
        let recorded = if afresh { Recorded::default() } else { recorded };
        writer.push(Event::Started { run, replayed: recorded.len() });
        let mut trace =
            Trace::new(Arc::clone(services), Arc::clone(&bench.connection), writer, gate, recorded, planned);
        trace.fetched = fetched;
        Ok(ToolRun { at: at.clone(), bench, live, tool: tool.clone(), arguments, seed: planned.seed, trace })
    }

    /// Connection, account and component as they were planned.
    async fn unchanged(&self, record: &Record, planned: &Plan) -> Result<Bench, InvokeError> {
        let services = self.services();
        let granted = match services.directory.granted(&record.tenant, &record.connection).await {
            Ok(granted) => granted,
            Err(StoreError::NotFound { .. }) => return Err(void("the connection")),
            Err(error) => return Err(error.into()),
        };
        if !granted.connection.state.is_usable() {
            return Err(void("the connection's state"));
        }
        if granted.connection.account != planned.account {
            return Err(void("the account"));
        }
        if granted.live.as_ref().is_none_or(|live| live.digest != planned.component) {
            return Err(void("the connector"));
        }
        self.bench_with(granted).await
    }

    /// Whether the write's route says that twice is as once.
    pub(super) async fn may_repeat(&self, planned: &Plan, write: &WriteSummary) -> bool {
        let Ok(component) = self.component(&planned.component).await else { return false };
        let capability = component.manifest.capability(write.effect.capability.as_str());
        let mut routes = capability.iter().flat_map(|capability| &capability.routes);
        routes.any(|route| route.template.as_str() == write.effect.route && route.repeat == Repeat::Safe)
    }

    /// Records the end of an invocation that does not run.
    pub(super) async fn end_with(
        &self,
        record: &Record,
        at: &Authority,
        error: &InvokeError,
    ) -> Result<(), InvokeError> {
        let services = self.services();
        let seq = record.entries.last().map_or(0, |entry| entry.seq + 1);
        let entry = crate::ports::Entry { seq, at: services.clock.now(), event: Event::Ended(end(error)) };
        services.journal.append(at, seq, vec![entry], Vec::new(), Durability::Flushed).await?;
        Ok(())
    }

    async fn finished(&self, record: Record) -> Result<Outcome, InvokeError> {
        let Some(Event::Ended(crate::ports::End::Succeeded { output: Some(of) })) =
            record.entries.last().map(|entry| &entry.event)
        else {
            return Err(not_waiting(state_of(&record)));
        };
        let output = serde_json::from_slice(&self.open(&record, of).await?)
            .map_err(|error| InvokeError::Host(format!("the recorded result cannot be read: {error}")))?;
        let writes = Recorded::of(&record).writes();
        Ok(Outcome::Done(Done { invocation: record.invocation, output, documents: Vec::new(), writes }))
    }
}

fn void(what: &str) -> InvokeError {
    InvokeError::Void { what: what.into() }
}
