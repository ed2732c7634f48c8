//! Syncs: every stream pulled until it is up to date, from checkpoint to checkpoint, under a lease.

use std::sync::Arc;
use std::time::Duration;

use crate::authority::{Authority, Fence};
use crate::blame::Fault as _;
use crate::caller::Caller;
use crate::connection::ConnectionState;
use crate::engine::exports::sallyport::connector::sync as wit;
use crate::error::InvokeError;
use crate::grants::Live;
use crate::host::{Bound, State, Work};
use crate::ids::{ConnectionId, InvocationId, StreamId, TenantId};
use crate::ports::{Durability, End, Entry, Event, Finish, Plan, PullState, RECORDING, Standing, StoreError};
use crate::runtime::Runtime;

use super::detached::detached;
use super::execute::{Call, Executed, Pace, Returned, end, execute, failure};
use super::prepare::Bench;
use super::report::{StreamError, StreamReport, SyncOptions, SyncProgress, SyncReport};
use super::staging::{Staging, Tally};
use super::{Stop, sweep};

/// A stream's lease, in milliseconds; renewed at a third of it.
const LEASE: u64 = 60_000;
/// Pulls in a row that end with `more` and have made no checkpoint.
const MAX_FRUITLESS: u32 = 3;

/// One stream of one sync.
pub(super) struct Turn<'a> {
    pub(super) bench: &'a Bench,
    pub(super) live: Arc<Live>,
    pub(super) standing: Standing,
    pub(super) stream: StreamId,
    /// Under the stream's lease.
    pub(super) at: Authority,
    /// Under the claim of the sync's record.
    pub(super) recorded: Authority,
}

type Progress = Arc<dyn Fn(SyncProgress) + Send + Sync>;

impl Runtime {
    /// Brings a connection's streams up to date. A stream that fails does not keep the others from it; its report says why.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`] if the connector does not sync, [`InvokeError::NotGranted`], and what `streams` answers.
    pub async fn sync(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        options: SyncOptions,
        progress: impl Fn(SyncProgress) + Send + Sync + 'static,
    ) -> Result<SyncReport, InvokeError> {
        let (runtime, tenant, connection) = (self.clone(), tenant.clone(), connection.clone());
        let progress: Progress = Arc::new(progress);
        // Whoever asked may go away: a pull then still ends at a checkpoint and gives its lease back.
        detached(async move { runtime.sync_streams(&tenant, &connection, options, progress).await }).await
    }

    async fn sync_streams(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        options: SyncOptions,
        progress: Progress,
    ) -> Result<SyncReport, InvokeError> {
        let begun = std::time::Instant::now();
        let bench = self.bench_of(tenant, connection).await?;
        let source = bench.connection.source.clone();
        let at = |invocation: InvocationId| Authority {
            caller: Caller::system(tenant.clone()),
            connection: connection.clone(),
            invocation,
            fence: Fence::default(),
        };
        let mut report = SyncReport::default();
        let standing = Standing::Sync { source: source.clone(), stream: StreamId::new("") };
        let executed = self.run_plain(&bench, &standing, at(InvocationId::fresh()), Call::Streams).await?;
        report.add(executed.usage);
        let streams = match executed.result? {
            Returned::Streams(Ok(streams)) => streams,
            Returned::Streams(Err(given)) => return Err(failure(given)),
            _ => return Err(InvokeError::Host("another export answered".into())),
        };
        // Each costs a record and a pull.
        let most = self.limits(&bench.connection).streams;
        if streams.len() > most as usize {
            let message = format!("it names {} streams; {most} is the most", streams.len());
            return Err(InvokeError::Guest { code: "too-many-streams".into(), message });
        }
        for info in streams {
            let stream = StreamId::new(info.id);
            if !options.streams.is_empty() && !options.streams.contains(&stream) {
                continue;
            }
            let standing = Standing::Sync { source: source.clone(), stream: stream.clone() };
            let live = bench.live(&standing, self.services().clock.now())?;
            let at = at(InvocationId::fresh());
            let recorded = self.record_sync(&bench, &standing, &live, &at).await?;
            let turn = Turn { bench: &bench, live, standing, stream, at, recorded };
            let one = self.sync_stream(turn, info.name, &options, &progress, &mut report).await?;
            report.streams.push(one);
        }
        report.wall = begun.elapsed();
        Ok(report)
    }

    /// One stream: recorded as metadata, pulled, swept.
    async fn sync_stream(
        &self,
        mut turn: Turn<'_>,
        name: String,
        options: &SyncOptions,
        progress: &Progress,
        totals: &mut SyncReport,
    ) -> Result<StreamReport, InvokeError> {
        let services = self.services();
        let mut report =
            StreamReport { stream: turn.stream.to_string(), name: name.clone(), ..StreamReport::default() };
        let on_commit = {
            let (progress, connection, stream) =
                (Arc::clone(progress), turn.bench.connection.id.clone(), turn.stream.clone());
            Arc::new(move |tally: &Tally| {
                progress(SyncProgress {
                    connection: connection.clone(),
                    stream: stream.clone(),
                    name: name.clone(),
                    documents: tally.documents,
                    unchanged: tally.unchanged + tally.seen,
                    deleted: tally.deleted,
                    checkpoints: tally.checkpoints,
                });
            })
        };
        let source = turn.bench.connection.source.clone();
        let most = self.limits(&turn.bench.connection).idle_checkpoints;
        let staging = Staging::new(source, turn.stream.clone(), most, on_commit);
        let (staging, pulled) = self.pull_all(&mut turn, staging, options, totals, &mut report).await;
        if let Some(staging) = staging {
            let tally = staging.tally;
            report.checkpoints = tally.checkpoints;
            report.documents = tally.documents;
            report.unchanged = tally.unchanged + tally.seen;
            report.deleted = tally.deleted;
            report.access = tally.access;
            report.refused = tally.refused;
        }
        let swept = match pulled {
            // A pull that is no sweep says nothing of what is missing, not even that nothing is.
            Ok(_) if !report.swept => Ok(()),
            Ok(missing) => {
                let any = !missing.is_empty();
                let settled = self.settle_missing(&turn, missing, totals, &mut report).await;
                // Also where asking failed: the next sweep asks again.
                if any { self.end_sweep(&turn).await.and(settled) } else { settled }
            }
            Err(error) => Err(error),
        };
        let ended = match swept {
            Ok(()) => End::Succeeded { output: None },
            Err(error) => {
                let ended = end(&error);
                report.error = Some(StreamError {
                    code: error.code().into(),
                    message: error.to_string(),
                    retryable: error.retryable(),
                });
                if let InvokeError::NeedsReauth(why) = &error {
                    let (tenant, id) = (turn.at.tenant(), &turn.at.connection);
                    services.directory.set_state(tenant, id, ConnectionState::NeedsReauth, Some(why)).await?;
                }
                ended
            }
        };
        let entry = Entry { seq: 2, at: services.clock.now(), event: Event::Ended(ended) };
        let journal = &services.journal;
        let kept = journal.append(&turn.recorded, 2, vec![entry], Vec::new(), Durability::Eventual).await;
        if let Err(error) = kept {
            tracing::warn!(stream = %turn.stream, %error, "the end of a sync is not recorded");
        }
        Ok(report)
    }

    /// Opens the sync's record: metadata only.
    async fn record_sync(
        &self,
        bench: &Bench,
        standing: &Standing,
        live: &Live,
        at: &Authority,
    ) -> Result<Authority, InvokeError> {
        let services = self.services();
        let now = services.clock.now();
        let plan = Plan {
            standing: standing.clone(),
            connector: bench.connection.connector.clone(),
            component: bench.component.digest.clone(),
            account: bench.connection.account.clone(),
            capabilities: live.ids(),
            arguments: None,
            seed: [0; 32],
            started: now,
            recording: RECORDING,
            context: None,
        };
        let mut at = at.clone();
        at.fence = services
            .journal
            .open(&at, &plan, Vec::new(), now, self.sync_claim(), Durability::Eventual)
            .await?
            .lease
            .fence;
        let entry = Entry { seq: 1, at: now, event: Event::Started { run: 1, replayed: 0 } };
        services.journal.append(&at, 1, vec![entry], Vec::new(), Durability::Eventual).await?;
        Ok(at)
    }

    /// How long a sync's claim lasts, in milliseconds: a pull and what comes after it. Renewed with each pull.
    fn sync_claim(&self) -> u64 {
        u64::try_from(self.longest().1.as_millis()).unwrap_or(u64::MAX / 2).saturating_add(LEASE)
    }

    /// Pull after pull until the stream is complete; ids that a whole sweep missed.
    async fn pull_all(
        &self,
        turn: &mut Turn<'_>,
        staging: Staging,
        options: &SyncOptions,
        totals: &mut SyncReport,
        report: &mut StreamReport,
    ) -> (Option<Staging>, Result<Vec<String>, InvokeError>) {
        let mut staging = staging;
        let mut fruitless = 0;
        let mut waited = Duration::ZERO;
        // What a sweep that an earlier sync left had listed.
        let mut left = None;
        let limits = self.limits(&turn.bench.connection);
        for pull in 0..limits.pulls {
            // A sync may outlast its grant: each pull is begun under it anew.
            if let Err(error) = turn.bench.live(&turn.standing, self.services().clock.now()) {
                return (Some(staging), Err(error));
            }
            let sink = &self.services().sink;
            let source = turn.bench.connection.source.clone();
            let begun = sink.begin(&turn.at, &source, &turn.stream, options.sweep && pull == 0, LEASE).await;
            let state = match begun {
                Ok(state) => state,
                Err(StoreError::Held { millis, .. }) => {
                    let error = InvokeError::Later { millis, message: "the stream is being synced already".into() };
                    return (Some(staging), Err(error));
                }
                Err(error) => return (Some(staging), Err(error.into())),
            };
            turn.at.fence = state.lease.fence;
            let listed = *left.get_or_insert(state.listed);
            if let Err(error) = self.services().journal.renew(&turn.recorded, self.sync_claim()).await {
                tracing::warn!(stream = %turn.stream, %error, "a sync's claim is not renewed");
            }
            staging.begin(state.generation);
            let before = staging.tally.checkpoints;
            let executed = self.pull(turn, &state, staging, &options.hints).await;
            report.pulls += 1;
            totals.add(executed.usage);
            let Work::Pull(back) = executed.work else {
                return (None, Err(InvokeError::Host("a pull lost its staging".into())));
            };
            staging = *back;
            let (finish, outcome) = match executed.result {
                Ok(Returned::Pulled(Ok(outcome))) => (finish_of(outcome), Ok(outcome)),
                Ok(Returned::Pulled(Err(given))) => (Finish::Failed, Err(failure(given))),
                Ok(_) => (Finish::Failed, Err(InvokeError::Host("another export answered".into()))),
                Err(Stop::Overtaken) => return (Some(staging), Err(Stop::Overtaken.into())),
                Err(stop) => (Finish::Failed, Err(stop.into())),
            };
            let finish = match finish {
                Finish::Whole if state.sweep && sweep::began_anew(listed, staging.tally.again) => Finish::Anew,
                finish => finish,
            };
            let missing = match sink.finish(&turn.at, &source, &turn.stream, finish).await {
                Ok(missing) => missing,
                Err(error) => return (Some(staging), Err(error.into())),
            };
            if finish == Finish::Anew {
                tracing::info!(stream = %turn.stream, "a sweep that was cut off began anew: another one makes sure");
                staging.begin_anew();
                left = Some(0);
                continue;
            }
            let wait = match outcome {
                Ok(wit::Outcome::Complete(coverage)) => {
                    report.swept = state.sweep && coverage == wit::Coverage::Whole;
                    return (Some(staging), Ok(missing));
                }
                Ok(wit::Outcome::More) => 0,
                Ok(wit::Outcome::Wait(millis)) => millis,
                Err(InvokeError::Later { millis, .. }) => millis,
                Err(error) => return (Some(staging), Err(error)),
            };
            fruitless = if staging.tally.checkpoints > before || wait > 0 { 0 } else { fruitless + 1 };
            if fruitless >= MAX_FRUITLESS {
                let message = format!("{MAX_FRUITLESS} pulls in a row asked for more and made no checkpoint");
                return (Some(staging), Err(InvokeError::Trapped { limit: "progress", message }));
            }
            if wait > 0 {
                let pause = Duration::from_millis(wait);
                // A rate limit that is waited out again and again is no reason to stop as long as there is progress.
                waited = if staging.tally.checkpoints > before { pause } else { waited.saturating_add(pause) };
                if waited > options.patience {
                    report.wait_millis = Some(wait);
                    return (Some(staging), Ok(Vec::new()));
                }
                tokio::time::sleep(pause).await;
            }
        }
        let message = format!("the stream asked for more than {} pulls", limits.pulls);
        (Some(staging), Err(InvokeError::Trapped { limit: "pulls", message }))
    }

    /// One pull in a fresh store, its lease renewed while it runs.
    async fn pull(&self, turn: &Turn<'_>, state: &PullState, staging: Staging, hints: &[String]) -> Executed<Returned> {
        let services = self.services();
        let limits = self.limits(&turn.bench.connection);
        let bound = Bound {
            services: Arc::clone(services),
            limits: Arc::clone(&limits),
            at: turn.at.clone(),
            live: Arc::clone(&turn.live),
            connection: Arc::clone(&turn.bench.connection),
            seed: rand::random(),
        };
        let job = wit::Job {
            stream: turn.stream.to_string(),
            cursor: state.cursor.clone(),
            sweep: state.sweep,
            hints: hints.to_vec(),
        };
        let guest = State::new(bound, Pace::Pull.budget(&limits), Work::Pull(Box::new(staging)));
        let running = execute(self.engine(), &turn.bench.component, guest, Pace::Pull, Call::Pull(job));
        let renewing = async {
            loop {
                tokio::time::sleep(Duration::from_millis(LEASE / 3)).await;
                let source = &turn.bench.connection.source;
                if let Err(error) = services.sink.renew(&turn.at, source, &turn.stream, LEASE).await {
                    // The next commit finds out and ends the pull; nothing of it becomes visible.
                    tracing::warn!(stream = %turn.stream, %error, "a lease is not renewed");
                }
            }
        };
        tokio::select! {
            executed = running => executed,
            never = renewing => never,
        }
    }

    /// What a sweep missed was seen to.
    async fn end_sweep(&self, turn: &Turn<'_>) -> Result<(), InvokeError> {
        let source = &turn.bench.connection.source;
        match self.services().sink.finish(&turn.at, source, &turn.stream, Finish::Settled).await {
            // Somebody else pulls the stream by now, and sweeps.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What a whole sweep missed: asked about, and forgotten where the provider says that it is gone.
    async fn settle_missing(
        &self,
        turn: &Turn<'_>,
        missing: Vec<String>,
        totals: &mut SyncReport,
        report: &mut StreamReport,
    ) -> Result<(), InvokeError> {
        report.missing = missing.len() as u64;
        let listed = report.documents + report.unchanged;
        let key = (turn.at.tenant().clone(), turn.bench.connection.source.clone(), turn.stream.clone());
        if self.vanished().must_wait(key, &missing, listed) {
            report.waiting = report.missing;
            return Ok(());
        }
        for ids in missing.chunks(sweep::PROBE) {
            let executed =
                self.run_plain(turn.bench, &turn.standing, turn.at.clone(), Call::Probe(ids.to_vec())).await?;
            totals.add(executed.usage);
            let presence = match executed.result? {
                Returned::Probed(Ok(presence)) => presence,
                Returned::Probed(Err(given)) => return Err(failure(given)),
                _ => return Err(InvokeError::Host("another export answered".into())),
            };
            let gone = sweep::gone(ids, &presence)?;
            if !gone.is_empty() {
                let source = &turn.bench.connection.source;
                report.gone += self.services().sink.forget(&turn.at, source, &turn.stream, &gone).await?;
            }
        }
        Ok(())
    }
}

fn finish_of(outcome: wit::Outcome) -> Finish {
    match outcome {
        wit::Outcome::Complete(wit::Coverage::Whole) => Finish::Whole,
        wit::Outcome::Complete(wit::Coverage::Partial) => Finish::Partial,
        wit::Outcome::More => Finish::More,
        wit::Outcome::Wait(_) => Finish::Wait,
    }
}
