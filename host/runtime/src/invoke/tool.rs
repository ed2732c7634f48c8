//! Tool calls: planned, run up to the end or to a write that needs approval, and recorded either way.

use std::sync::Arc;

use async_trait::async_trait;
use sallyport_pack::manifest;
use serde_json::Value;

use crate::audit::Note;
use crate::authority::{Authority, Fence};
use crate::caller::Caller;
use crate::engine::Loaded;
use crate::error::InvokeError;
use crate::grants::Live;
use crate::host::{Bound, State as GuestState, Work};
use crate::ids::{InvocationId, Timestamp, ToolName};
use crate::ports::{Durability, EffectState, End, Event, Hold, Plan, RECORDING, Standing};
use crate::runtime::Runtime;
use crate::tool::{Done, OfferedTool, Outcome, ToolCall, ToolDestination, ToolEffect, Tools, Verdict};

use super::bounds::Bounds;
use super::detached::detached;
use super::execute::{Call, Pace, Returned, end, execute, failure};
use super::gate::Gate;
use super::prepare::{Bench, may_use};
use super::recorded::Recorded;
use super::words::Words;
use super::writer::Writer;
use super::{Stop, Trace};

/// How long an execution may hold its claim: longer than its wall time, so that it never needs renewing.
pub(super) const SPARE: u64 = 30_000;

/// One execution of a tool call, ready to go.
pub(super) struct ToolRun {
    pub(super) at: Authority,
    pub(super) bench: Bench,
    pub(super) live: Arc<Live>,
    pub(super) tool: ToolName,
    /// Canonical JSON.
    pub(super) arguments: String,
    pub(super) seed: [u8; 32],
    pub(super) trace: Trace,
}

/// The record of a tool call that begins: its plan was handed over, and what comes next is added by `writer`.
pub(super) struct Begun {
    pub(super) at: Authority,
    pub(super) plan: Plan,
    pub(super) writer: Writer,
}

#[async_trait]
impl Tools for Runtime {
    async fn offered(&self, caller: &Caller) -> Result<Vec<OfferedTool>, InvokeError> {
        let services = self.services();
        let now = services.clock.now();
        let mut offered = Vec::new();
        for connection in services.directory.connections(&caller.tenant).await? {
            if !may_use(caller, &connection) {
                continue;
            }
            // A connection that does not work offers nothing; asking it by name says why.
            let Ok(bench) = self.bench(connection).await else { continue };
            for declared in &bench.component.manifest.tools {
                let standing = Standing::Tool { tool: declared.name.clone() };
                if let (Some(described), Ok(live)) =
                    (bench.component.tools.get(&declared.name), bench.live(&standing, now))
                {
                    offered.push(OfferedTool {
                        connection: bench.connection.id.clone(),
                        connection_name: bench.connection.name.clone(),
                        connector: bench.connection.connector.clone(),
                        tool: declared.name.clone(),
                        title: described.title.clone(),
                        description: described.description.clone(),
                        input: Arc::clone(&described.input),
                        output: described.output.clone(),
                        effect: effect(declared),
                        setting: live.setting(),
                        destination: destination(declared),
                        control: declared.control.iter().map(ToString::to_string).collect(),
                    });
                }
            }
        }
        Ok(offered)
    }

    async fn call(&self, caller: &Caller, call: ToolCall) -> Result<Outcome, InvokeError> {
        let (runtime, caller) = (self.clone(), caller.clone());
        // A caller who goes away does not cut off a write.
        detached(async move { runtime.call_tool(caller, call).await }).await
    }
}

impl Runtime {
    async fn call_tool(&self, caller: Caller, call: ToolCall) -> Result<Outcome, InvokeError> {
        let what = format!("the tool {} of {}", call.tool, call.connection);
        let planned = self.planned(caller.clone(), call).await;
        match self.noting_refusal(&caller, what, planned).await {
            Ok(run) => self.run_tool(run).await,
            Err(error) => Err(error),
        }
    }

    /// Everything up to the first entries: what is refused here never was an invocation.
    async fn planned(&self, caller: Caller, call: ToolCall) -> Result<ToolRun, InvokeError> {
        let services = Arc::clone(self.services());
        let bench = self.bench_for(&caller, &call.connection).await?;
        let (declared, described) = bench.tool(&call.tool)?;
        let standing = Standing::Tool { tool: call.tool.clone() };
        let now = services.clock.now();
        let live = bench.live(&standing, now)?;
        described.check_input.validate(&call.arguments).map_err(InvokeError::Arguments)?;
        let ask = match call.verdict {
            Verdict::Deny(reasons) => {
                return Err(InvokeError::Forbidden { reason: reasons.join("; ") });
            }
            Verdict::Ask(reasons) => Some(reasons),
            Verdict::Allow => None,
        };
        let arguments = canonical(&call.arguments)?;
        let context = call.context.as_ref().map(canonical).transpose()?;
        let gate = Gate {
            max_writes: declared.max_writes,
            setting: live.setting(),
            writes_per_day: bench.writes_per_day(),
            bounds: Bounds::of(&bench, declared, &call.arguments),
            ask,
            approved: Vec::new(),
            first: None,
            // Judged by a write alone.
            words: if declared.max_writes == 0 {
                Words::default()
            } else {
                Words::new(&call.arguments, &described.input)
            },
            made: 0,
            opened: false,
        };
        let said = (arguments.as_str(), context.as_deref());
        let Begun { at, plan, writer } = self.begin(caller, &bench, &live, standing, now, said).await?;
        let trace =
            Trace::new(Arc::clone(&services), Arc::clone(&bench.connection), writer, gate, Recorded::default(), &plan);
        Ok(ToolRun { at, bench, live, tool: call.tool, arguments, seed: plan.seed, trace })
    }

    /// Opens the record of a call with these arguments and this context, both canonical, and claims it. A read waits for
    /// nothing of its record; the first write waits for all that led to it.
    pub(super) async fn begin(
        &self,
        caller: Caller,
        bench: &Bench,
        live: &Live,
        standing: Standing,
        now: Timestamp,
        (arguments, context): (&str, Option<&str>),
    ) -> Result<Begun, InvokeError> {
        let services = self.services();
        let connection = bench.connection.id.clone();
        let key = services.keyring.journal_key(&caller.tenant, &connection).await.map_err(Stop::from)?;
        let arguments = key.pack(arguments.as_bytes());
        let context = context.map(|context| key.pack(context.as_bytes()));
        let plan = Plan {
            standing,
            connector: bench.connection.connector.clone(),
            component: bench.component.digest.clone(),
            account: bench.connection.account.clone(),
            capabilities: live.ids(),
            arguments: Some(arguments.of.clone()),
            seed: rand::random(),
            started: now,
            recording: RECORDING,
            context: context.as_ref().map(|context| context.of.clone()),
        };
        let mut at = Authority { caller, connection, invocation: InvocationId::fresh(), fence: Fence::default() };
        let bodies = [arguments].into_iter().chain(context).collect();
        let claim = services.journal.open(&at, &plan, bodies, now, self.lease(), Durability::Deferred).await?;
        at.fence = claim.lease.fence;
        let (journal, clock) = (Arc::clone(&services.journal), Arc::clone(&services.clock));
        let mut writer = Writer::new(journal, clock, at.clone(), key, 1);
        writer.push(Event::Started { run: 1, replayed: 0 });
        Ok(Begun { at, plan, writer })
    }

    /// A refusal is in the audit chain, too: it is what was not done.
    pub(super) async fn noting_refusal<T>(
        &self,
        caller: &Caller,
        what: String,
        result: Result<T, InvokeError>,
    ) -> Result<T, InvokeError> {
        use crate::blame::Fault as _;
        if let Err(
            error @ (InvokeError::Forbidden { .. } | InvokeError::NotGranted { .. } | InvokeError::NotDecider(_)),
        ) = &result
        {
            let services = self.services();
            let note = Note::Refused { by: caller.subject.clone(), what, code: error.code().into() };
            services.journal.note(Some(&caller.tenant), &note, services.clock.now()).await?;
        }
        result
    }

    /// Runs to the end, to a hold or to a stop, records which, and gives the claim back.
    pub(super) async fn run_tool(&self, run: ToolRun) -> Result<Outcome, InvokeError> {
        let ToolRun { at, bench, live, tool, arguments, seed, trace } = run;
        let limits = self.limits(&bench.connection);
        let bound = Bound {
            services: Arc::clone(self.services()),
            limits: Arc::clone(&limits),
            at: at.clone(),
            live,
            connection: Arc::clone(&bench.connection),
            seed,
        };
        let state = GuestState::new(bound, Pace::Short.budget(&limits), Work::Tool(Box::new(trace)));
        let call = Call::Invoke(tool.to_string(), arguments);
        let executed = execute(self.engine(), &bench.component, state, Pace::Short, call).await;
        let Work::Tool(mut trace) = executed.work else {
            return Err(InvokeError::Host("a tool call lost its record".into()));
        };
        tracing::debug!(
            invocation = %at.invocation,
            tool = %tool,
            guest_us = executed.usage.guest.as_micros(),
            host_us = executed.usage.host.as_micros(),
            wall_us = executed.usage.wall.as_micros(),
            "a tool call ended"
        );
        let settled = self.record_end(&at, &bench, &tool, &mut trace, executed.result).await;
        // What ends or is held gives its claim back with that entry; where it could not be written, the claim ends by itself.
        match settled? {
            Some(done) => Ok(Outcome::Done(done)),
            None => {
                let record = self.services().journal.record(at.tenant(), &at.invocation).await?;
                Ok(Outcome::Held(Box::new(self.proposal_of(&record).await?)))
            }
        }
    }

    /// Records how an execution ended; `None` is a hold.
    async fn record_end(
        &self,
        at: &Authority,
        bench: &Bench,
        tool: &ToolName,
        trace: &mut Trace,
        result: Result<Returned, Stop>,
    ) -> Result<Option<Done>, InvokeError> {
        let judged = match (trace.in_flight(), result) {
            // Cut off between `sent` and the answer: whatever else happened, this is what has to be known.
            (Some((call, target)), _) => {
                trace.writer.push(Event::Write { call, state: EffectState::Unknown, effect: None, answer: None });
                Err(InvokeError::Unknown { call, target })
            }
            (None, Ok(Returned::Output(Ok(output)))) => match (trace.left_over(), trace.gate.first.is_some()) {
                (Some(message), _) => Err(InvokeError::Diverged { message }),
                (None, true) => Err(InvokeError::Void { what: "the first write (it is no longer made)".into() }),
                (None, false) => checked(&bench.component, tool, &output.json).map(|value| (value, output.documents)),
            },
            (None, Ok(Returned::Output(Err(given)))) => match trace.left_over() {
                Some(message) => Err(InvokeError::Diverged { message }),
                None => Err(failure(given)),
            },
            (None, Ok(_)) => Err(InvokeError::Host("another export answered".into())),
            (None, Err(Stop::Held { call, effect, reasons })) => {
                let expires = self.services().clock.now().plus(self.hold_millis());
                trace.writer.push(Event::Held(Hold { call, effect: *effect, reasons, expires }));
                trace.writer.flush(Durability::Flushed).await?;
                return Ok(None);
            }
            (None, Err(stop)) => Err(stop.into()),
        };
        match judged {
            Ok((output, documents)) => {
                trace.succeed(output.to_string().as_bytes()).await?;
                let writes = std::mem::take(&mut trace.writes);
                Ok(Some(Done { invocation: at.invocation.clone(), output, documents, writes }))
            }
            Err(error) => {
                let mut ended = end(&error);
                if let End::Diverged { at, .. } = &mut ended {
                    *at = trace.divergence();
                }
                trace.writer.push(Event::Ended(ended));
                // The caller is told the reason, not that it could not be written down; `recover` finds what is open.
                if let Err(stop) = trace.writer.flush(Durability::Flushed).await {
                    tracing::error!(invocation = %at.invocation, %stop, "the end of an invocation is not recorded");
                }
                Err(error)
            }
        }
    }

    /// How long a claim of a tool call lasts, in milliseconds.
    pub(super) fn lease(&self) -> u64 {
        u64::try_from(self.longest().0.as_millis()).unwrap_or(u64::MAX / 2).saturating_add(SPARE)
    }
}

/// A tool's result, if it is what the tool's schema says.
pub(crate) fn checked(component: &Loaded, tool: &ToolName, json: &str) -> Result<Value, InvokeError> {
    let whole = |message: String| InvokeError::Result(vec![crate::Violation { at: String::new(), message }]);
    let value: Value = serde_json::from_str(json).map_err(|error| whole(format!("it is no JSON: {error}")))?;
    if let Some(schema) = component.tools.get(tool).and_then(|described| described.check_output.as_ref()) {
        schema.validate(&value).map_err(InvokeError::Result)?;
    }
    Ok(value)
}

/// RFC 8785.
pub(super) fn canonical(value: &Value) -> Result<String, InvokeError> {
    serde_json_canonicalizer::to_string(value).map_err(|error| InvokeError::InvalidInput(error.to_string()))
}

fn effect(tool: &manifest::Tool) -> ToolEffect {
    match tool.effect {
        manifest::Effect::Read => ToolEffect::Read,
        manifest::Effect::Write => ToolEffect::Write,
        manifest::Effect::Destructive => ToolEffect::Destructive,
    }
}

pub(super) fn destination(tool: &manifest::Tool) -> ToolDestination {
    use manifest::{Audience, Destination, DestinationKind};
    match &tool.destination {
        None => ToolDestination::Undeclared,
        Some(Destination::New { audience: Audience::Owner }) => ToolDestination::New("owner".into()),
        Some(Destination::Argument { argument, kind }) => {
            let argument = argument.to_string();
            match kind {
                DestinationKind::Container => ToolDestination::Container(argument),
                DestinationKind::Document => ToolDestination::Document(argument),
                DestinationKind::Principal => ToolDestination::Principal(argument),
            }
        }
    }
}
