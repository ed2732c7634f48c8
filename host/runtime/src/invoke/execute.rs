//! Runs one export in a fresh store, within its limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;
use wasmtime::component::Instance;

use crate::blame::Blame;
use crate::engine::exports::sallyport::connector::{account, sync, tools};
use crate::engine::imports::connector::types::Failure;
use crate::engine::{Budget, Engine, Limit, Limits, Loaded, metered};
use crate::error::InvokeError;
use crate::host::{State, Work};
use crate::ports::End;

use super::Stop;

/// Which bounds apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A tool call, `identify`, `streams`, `probe`.
    Short,
    /// A pull.
    Pull,
}

impl Pace {
    pub(crate) fn budget(self, limits: &Limits) -> Budget {
        match self {
            Self::Short => Budget::new(limits, limits.cpu_tool),
            Self::Pull => Budget::new(limits, limits.cpu_pull).unbounded_calls(),
        }
    }

    fn wall(self, limits: &Limits) -> Duration {
        match self {
            Self::Short => limits.wall_tool,
            Self::Pull => limits.wall_pull,
        }
    }
}

/// What an execution took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time of guest code.
    pub(crate) guest: Duration,
    /// CPU time of host calls, in the task that ran the guest.
    pub(crate) host: Duration,
    /// The most linear memory at a time, in bytes.
    pub(crate) peak_memory: usize,
    /// Wall time.
    pub(crate) wall: Duration,
}

/// What came of an execution.
pub(crate) struct Executed<T> {
    pub(crate) result: Result<T, Stop>,
    pub(crate) work: Work,
    pub(crate) usage: Usage,
}

/// Which export, with its arguments.
pub(crate) enum Call {
    Identify,
    Streams,
    Pull(sync::Job),
    Probe(Vec<String>),
    /// A tool's name, and its arguments in JSON.
    Invoke(String, String),
}

/// What an export returned.
pub(crate) enum Returned {
    Identity(Result<account::Identity, Failure>),
    Streams(Result<Vec<sync::StreamInfo>, Failure>),
    Pulled(Result<sync::Outcome, Failure>),
    Probed(Result<Vec<sync::Presence>, Failure>),
    Output(Result<tools::Output, Failure>),
}

/// Runs `call` in a fresh store, where guests run. The store is dropped whatever happens.
pub(crate) async fn execute(
    engine: &Engine,
    component: &Arc<Loaded>,
    state: State,
    pace: Pace,
    call: Call,
) -> Executed<Returned> {
    let _slot = engine.slot(state.at.tenant()).await;
    let (engine, component) = (engine.clone(), Arc::clone(component));
    let (guests, computes) = (engine.guests().clone(), state.budget.computes());
    guests.run(&computes, async move { run_once(&engine, &component, state, pace, call).await }).await
}

async fn run_once(engine: &Engine, component: &Loaded, state: State, pace: Pace, call: Call) -> Executed<Returned> {
    let begun = Instant::now();
    let host = state.host_time.clone();
    let all = host.beside();
    let longest = pace.wall(&state.limits);
    let mut store = engine.store(state);
    let ran = tokio::time::timeout(longest, metered(&all, run(&mut store, component, call))).await;
    let wall = begun.elapsed();
    let state = store.into_data();
    let result = match ran {
        Err(_) => Err(Stop::limit(Limit::Wall, format!("it took longer than {longest:?}"))),
        Ok(Ok(returned)) => Ok(returned),
        Ok(Err(error)) => Err(stop(error, state.budget.denied())),
    };
    let usage = Usage {
        guest: all.total().saturating_sub(host.total()),
        host: host.total(),
        peak_memory: state.budget.peak_memory(),
        wall,
    };
    Executed { result, work: state.work, usage }
}

async fn run(store: &mut Store<State>, component: &Loaded, call: Call) -> wasmtime::Result<Returned> {
    let instance: Instance = component.instance.instantiate_async(&mut *store).await?;
    let exports = &component.exports;
    Ok(match call {
        Call::Identify => {
            let guest = exports.account.load(&mut *store, &instance)?;
            Returned::Identity(guest.call_identify(store).await?)
        }
        Call::Streams => {
            let guest = exported(&exports.sync, "sync")?.load(&mut *store, &instance)?;
            Returned::Streams(guest.call_streams(store).await?)
        }
        Call::Pull(job) => {
            let guest = exported(&exports.sync, "sync")?.load(&mut *store, &instance)?;
            Returned::Pulled(guest.call_pull(store, &job).await?)
        }
        Call::Probe(ids) => {
            let guest = exported(&exports.sync, "sync")?.load(&mut *store, &instance)?;
            Returned::Probed(guest.call_probe(store, &ids).await?)
        }
        Call::Invoke(name, arguments) => {
            let guest = exported(&exports.tools, "tools")?.load(&mut *store, &instance)?;
            Returned::Output(guest.call_invoke(store, &name, &arguments).await?)
        }
    })
}

fn exported<'a, T>(export: &'a Option<T>, name: &str) -> wasmtime::Result<&'a T> {
    export.as_ref().ok_or_else(|| wasmtime::format_err!("the component does not export {name}"))
}

/// The reason in an error that ended an execution. A trap after a denied growth is called by that limit's name: what a
/// guest does when it gets no memory is to abort.
fn stop(error: wasmtime::Error, denied: Option<Limit>) -> Stop {
    match error.downcast::<Stop>() {
        Ok(stop) => stop,
        Err(error) => {
            let limit = denied.unwrap_or(Limit::Trap);
            let cause = error.root_cause().to_string();
            let message = match limit {
                Limit::Trap => cause,
                limit => format!("it asked for more {limit} than it may have, and gave up: {cause}"),
            };
            Stop::Limit { limit, message }
        }
    }
}

/// A guest's own failure as ours.
pub(crate) fn failure(failure: Failure) -> InvokeError {
    match failure {
        Failure::NeedsReauth(why) => InvokeError::NeedsReauth(why),
        Failure::Forbidden(why) => InvokeError::UpstreamForbids(why),
        Failure::NotFound(what) => InvokeError::UpstreamNotFound(what),
        Failure::InvalidInput(why) => InvokeError::InvalidInput(why),
        Failure::Later(delay) => InvokeError::Later { millis: delay.millis, message: delay.message },
        Failure::Other(problem) => InvokeError::Guest { code: problem.code, message: problem.message },
    }
}

/// How an error is kept as the last entry of a record.
pub(crate) fn end(error: &InvokeError) -> End {
    use crate::blame::Fault as _;
    match error {
        InvokeError::Diverged { message } => End::Diverged { message: message.clone(), at: None },
        InvokeError::Unknown { call, .. } => End::Unknown { call: *call },
        other => End::Failed { code: other.code().into(), message: other.to_string(), blame: blame(other) },
    }
}

fn blame(error: &InvokeError) -> Blame {
    crate::blame::Fault::blame(error)
}
