//! The one thread that writes. It takes what has queued up, runs it in one transaction and flushes once for all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use sallyport::ports::{Durability, StoreError};
use tokio::sync::oneshot;

use super::fail::{Fail, Outcome};

/// Jobs in a transaction. More would make the first of them wait for the last.
const BATCH: usize = 64;
/// Idle for so long: a good moment to move the log into the database.
const IDLE: Duration = Duration::from_millis(200);

/// How long what nobody waits for is gathered: a transaction for many costs little more than one for each.
const GATHER: Duration = Duration::from_millis(5);

/// What the writer is told.
pub(crate) enum Message {
    /// Somebody waits for this.
    Job(Box<dyn Job>),
    /// There are deferred jobs now, where there were none.
    Deferred,
}

/// Work for the writer.
pub(crate) trait Job: Send {
    /// When its caller may be answered.
    fn durability(&self) -> Durability;
    /// Does the work inside the open transaction; or says why it is to be taken back.
    fn run(&mut self, db: &Connection) -> Result<(), Fail>;
    /// Answers the caller: with what `run` gave, or with why the transaction failed.
    fn settle(self: Box<Self>, failed: Option<Fail>);
}

/// A closure with the caller that waits for it.
pub(crate) struct Task<T, F> {
    pub(crate) durability: Durability,
    pub(crate) work: Option<F>,
    pub(crate) result: Option<Outcome<T>>,
    pub(crate) reply: oneshot::Sender<Outcome<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Outcome<T> + Send> Job for Task<T, F> {
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, db: &Connection) -> Result<(), Fail> {
        let Some(work) = self.work.take() else { return Err(Fail::other("a write was run twice")) };
        let result = caught(|| work(db));
        let told = result.as_ref().map(drop).map_err(Fail::again);
        self.result = Some(result);
        told
    }

    fn settle(self: Box<Self>, failed: Option<Fail>) {
        let result = match (self.result, failed) {
            (Some(Ok(_)) | None, Some(fail)) => Err(fail),
            (Some(result), _) => result,
            (None, None) => Err(Fail::other("the write was not run")),
        };
        // The caller may have gone; what was committed stays committed.
        let _ = self.reply.send(result);
    }
}

/// How it stands with what nobody waits for.
#[derive(Default)]
pub(crate) struct Deferrals {
    /// Handed over and not done yet.
    pub(crate) waiting: AtomicUsize,
    /// Why one was not kept, where none has been since.
    failed: Mutex<Option<StoreError>>,
    jobs: Mutex<Vec<Box<dyn Job>>>,
}

impl Deferrals {
    /// Adds a job; true if it is alone, so that the writer has to be told.
    pub(crate) fn add(&self, job: Box<dyn Job>) -> bool {
        let mut jobs = self.jobs();
        jobs.push(job);
        jobs.len() == 1
    }

    /// Why the last one was not kept, where none has been since.
    pub(crate) fn failure(&self) -> Option<Fail> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map(|error| match error {
            StoreError::Full { reason } => StoreError::Full { reason: reason.clone() }.into(),
            other => Fail::other(other.to_string()),
        })
    }

    /// One was kept: from here on they may be deferred again.
    pub(crate) fn recovered(&self) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn take(&self) -> Vec<Box<dyn Job>> {
        std::mem::take(&mut *self.jobs())
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<Box<dyn Job>>> {
        // A list of jobs is whole whatever its last user did.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Flushes of the log since the database was opened: each is a transaction that was committed with `synchronous=FULL`,
/// and one fsync. What moving the log into the database flushes is not among them.
pub(crate) struct Flushes {
    made: AtomicU64,
    /// Each takes at least so long.
    least: Option<Duration>,
}

impl Flushes {
    pub(crate) fn of_at_least(least: Option<Duration>) -> Self {
        Self { made: AtomicU64::new(0), least }
    }

    /// How many there were.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Commits with one.
    fn commit(&self, db: &Connection) -> rusqlite::Result<()> {
        let began = Instant::now();
        say(db, "COMMIT")?;
        self.made.fetch_add(1, Ordering::Relaxed);
        if let Some(least) = self.least {
            std::thread::sleep(least.saturating_sub(began.elapsed()));
        }
        Ok(())
    }
}

/// A closure that nobody waits for.
pub(crate) struct Deferred<F> {
    what: String,
    work: Option<F>,
    failed: Option<Fail>,
    all: Arc<Deferrals>,
}

impl<F> Deferred<F> {
    /// Counted as waiting from now until it is done.
    pub(crate) fn new(what: String, work: F, all: &Arc<Deferrals>) -> Self {
        all.waiting.fetch_add(1, Ordering::AcqRel);
        Self { what, work: Some(work), failed: None, all: Arc::clone(all) }
    }
}

impl<F: FnOnce(&Connection) -> Outcome<()> + Send> Job for Deferred<F> {
    fn durability(&self) -> Durability {
        Durability::Deferred
    }

    fn run(&mut self, db: &Connection) -> Result<(), Fail> {
        let Some(work) = self.work.take() else { return Err(Fail::other("a write was run twice")) };
        let result = caught(|| work(db));
        self.failed = result.as_ref().err().map(Fail::again);
        result
    }

    fn settle(self: Box<Self>, failed: Option<Fail>) {
        if let Some(error) = failed.or(self.failed) {
            let told = StoreError::from(error.again());
            let error = StoreError::from(error);
            *self.all.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
            tracing::error!(what = self.what, %error, "a deferred write is not in the store");
        }
        self.all.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A bug in one caller's work must not take the writer away from all others.
fn caught<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Fail::other("a write panicked and was taken back")))
}

pub(crate) fn run(mut db: Connection, messages: &Receiver<Message>, deferrals: &Deferrals, flushes: &Flushes) {
    let mut flushing = false;
    let mut dirty = false;
    loop {
        let first = match messages.recv_timeout(if dirty { IDLE } else { Duration::from_secs(3600) }) {
            Ok(Message::Job(job)) => Some(job),
            Ok(Message::Deferred) => gathered(messages),
            Err(RecvTimeoutError::Timeout) => {
                if std::mem::take(&mut dirty) {
                    // Passive: it waits for nobody; what it cannot move now stays in the log.
                    let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let jobs = messages.try_iter().take(BATCH).filter_map(|message| match message {
            Message::Job(job) => Some(job),
            Message::Deferred => None,
        });
        let jobs: Vec<_> = first.into_iter().chain(jobs).collect();
        // Taken last and done first: whatever its caller deferred before it sent a job is in here.
        let mut batch = deferrals.take();
        batch.extend(jobs);
        let wanted = batch.iter().any(|job| job.durability() == Durability::Flushed);
        if wanted != flushing {
            let level = if wanted { "FULL" } else { "NORMAL" };
            if let Err(error) = db.pragma_update(None, "synchronous", level) {
                let fail = Fail::from(error);
                batch.into_iter().for_each(|job| job.settle(Some(fail.again())));
                continue;
            }
            flushing = wanted;
        }
        transact(&mut db, batch, wanted.then_some(flushes));
        dirty = true;
    }
}

/// Lets deferred jobs come together, until somebody waits or it has been long enough.
fn gathered(messages: &Receiver<Message>) -> Option<Box<dyn Job>> {
    let until = Instant::now() + GATHER;
    loop {
        match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Job(job)) => return Some(job),
            Ok(Message::Deferred) => {}
            Err(_) => return None,
        }
    }
}

/// Runs the jobs in as few transactions as they allow: one, unless SQLite itself takes a transaction back. With `flushes`
/// each is on the disk before its jobs are settled.
fn transact(db: &mut Connection, batch: Vec<Box<dyn Job>>, flushes: Option<&Flushes>) {
    let mut waiting = batch.into_iter().peekable();
    while waiting.peek().is_some() {
        if let Err(error) = say(db, "BEGIN IMMEDIATE") {
            let fail = Fail::from(error);
            waiting.by_ref().for_each(|job| job.settle(Some(fail.again())));
            return;
        }
        let mut ran = Vec::new();
        let mut lost = None;
        for mut job in waiting.by_ref() {
            let done = match say(db, "SAVEPOINT job") {
                Ok(()) => job.run(db),
                Err(error) => {
                    job.settle(Some(error.into()));
                    continue;
                }
            };
            ran.push(job);
            // A full disk makes SQLite roll the whole transaction back: what ran before in it is lost, too.
            if db.is_autocommit() {
                lost = Some(done.err().unwrap_or_else(|| Fail::other("SQLite ended the transaction")));
                break;
            }
            let undone = if done.is_ok() { Ok(()) } else { say(db, "ROLLBACK TO job") };
            if let Err(error) = undone.and_then(|()| say(db, "RELEASE job")) {
                lost = Some(error.into());
                break;
            }
        }
        let failed = match (lost, flushes) {
            (Some(fail), _) => Some(fail),
            (None, Some(flushes)) => flushes.commit(db).err().map(Fail::from),
            (None, None) => say(db, "COMMIT").err().map(Fail::from),
        };
        if failed.is_some() && !db.is_autocommit() {
            // Fails only where SQLite has rolled back by itself.
            let _ = say(db, "ROLLBACK");
        }
        for job in ran {
            job.settle(failed.as_ref().map(Fail::again));
        }
    }
}

/// A statement of the transaction itself, kept ready like any other.
fn say(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}
