//! The one thread that writes. It takes what has queued up, runs it in one transaction and flushes once for all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use sallyport::ports::{Durability, StoreError};
use tokio::sync::oneshot;

use super::fail::{Fail, Outcome};

/// Jobs in a transaction. More would make the first of them wait for the last.
const BATCH: usize = 64;
/// Idle for so long: a good moment to move the log into the database.
const IDLE: Duration = Duration::from_millis(200);

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

/// A closure that nobody waits for.
pub(crate) struct Deferred<F> {
    what: String,
    work: Option<F>,
    failed: Option<Fail>,
    waiting: Arc<AtomicUsize>,
}

impl<F> Deferred<F> {
    /// Counted in `waiting` from now until it is done.
    pub(crate) fn new(what: String, work: F, waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::AcqRel);
        Self { what, work: Some(work), failed: None, waiting: Arc::clone(waiting) }
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
            let error = StoreError::from(error);
            tracing::error!(what = self.what, %error, "a deferred write is not in the store");
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A bug in one caller's work must not take the writer away from all others.
fn caught<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Fail::other("a write panicked and was taken back")))
}

pub(crate) fn run(mut db: Connection, jobs: &Receiver<Box<dyn Job>>) {
    let mut flushing = false;
    let mut dirty = false;
    loop {
        let first = match jobs.recv_timeout(if dirty { IDLE } else { Duration::from_secs(3600) }) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                if std::mem::take(&mut dirty) {
                    // Passive: it waits for nobody; what it cannot move now stays in the log.
                    let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(BATCH - 1));
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
        transact(&mut db, batch);
        dirty = true;
    }
}

/// Runs the jobs in as few transactions as they allow: one, unless SQLite itself takes a transaction back.
fn transact(db: &mut Connection, batch: Vec<Box<dyn Job>>) {
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
        let failed = match lost {
            Some(fail) => Some(fail),
            None => say(db, "COMMIT").err().map(Fail::from),
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
