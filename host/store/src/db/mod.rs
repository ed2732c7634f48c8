//! The database: one writer thread, a few readers, and the files around it.

mod fail;
mod json;
mod schema;
mod writer;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use sallyport::clock::{Clock, SystemClock};
use sallyport::ids::Timestamp;
use sallyport::ports::{Durability, StoreError};
use tokio::sync::oneshot;

pub(crate) use fail::{Fail, Outcome};
pub(crate) use json::{json, unjson, unword, word};

use crate::{OpenError, Options};
use writer::{Deferrals, Deferred, Flushes, Message, Task};

/// Readers in a process. Queries are short; more would only fight over the processor.
const READERS: usize = 4;
/// Connections for [`Db::look`]. When all are taken, a look is a read like any other.
const LOOKERS: usize = 8;
/// How often emptying the log is tried.
const CHECKPOINTS: usize = 5;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The open database. Its threads end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Db(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    writes: Writes,
    reads: Sender<Read>,
    looks: Mutex<Vec<Connection>>,
    deferred: Arc<Deferrals>,
    flushes: Arc<Flushes>,
    clock: Arc<dyn Clock>,
}

/// The way to the writer. When it is dropped, the writer does what it still has, and has ended.
struct Writes {
    sender: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl Writes {
    fn send(&self, message: Message) -> Outcome<()> {
        let sent = self.sender.as_ref().map(|sender| sender.send(message));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(gone()) }
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // It ended by a panic or by itself: either way it has.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({})", self.0.folder.display())
    }
}

impl Db {
    pub(crate) fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        let failed = |reason: std::io::Error| OpenError::Folder { path: folder.into(), reason: reason.to_string() };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let file = folder.join("sallyport.db");
        // Made by us, so that the log files, which take its mode, are private as well.
        fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file).map_err(failed)?;

        let mut db = connect(&file, Access::Write).map_err(StoreError::from)?;
        schema::bring_up_to_date(&mut db).map_err(StoreError::from)?;
        if let Some(pages) = options.max_pages {
            let limited = db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()));
            limited.map_err(|error| StoreError::from(Fail::from(error)))?;
        }

        let deferred = Arc::<Deferrals>::default();
        let flushes = Arc::new(Flushes::of_at_least(options.flush_delay));
        let (waiting, counted) = (Arc::clone(&deferred), Arc::clone(&flushes));
        let (writes, jobs) = channel::<Message>();
        let thread = spawn("sallyport-write", move || writer::run(db, &jobs, &waiting, &counted)).map_err(failed)?;
        let writes = Writes { sender: Some(writes), thread: Some(thread) };
        let (reads, queue) = channel::<Read>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..READERS {
            let (db, queue) = (connect(&file, Access::Read).map_err(StoreError::from)?, queue.clone());
            spawn("sallyport-read", move || read_all(&db, &queue)).map_err(failed)?;
        }
        let looks = (0..LOOKERS).map(|_| connect(&file, Access::Look)).collect::<Outcome<_>>();
        let looks = Mutex::new(looks.map_err(StoreError::from)?);
        let clock = options.clock.unwrap_or_else(|| Arc::new(SystemClock));
        Ok(Self(Arc::new(Shared { folder: folder.into(), writes, reads, looks, deferred, flushes, clock })))
    }

    /// The data directory.
    pub(crate) fn folder(&self) -> &Path {
        &self.0.folder
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Flushes of the log so far.
    pub(crate) fn flushes(&self) -> u64 {
        self.0.flushes.made()
    }

    /// Moves the log into the database and empties its file, waiting for whoever writes or reads.
    pub(crate) fn checkpoint(&self) -> Outcome<()> {
        let db = connect(&self.0.folder.join("sallyport.db"), Access::Write)?;
        for _ in 0..CHECKPOINTS {
            let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if !busy {
                return Ok(());
            }
            // The writer's own, if it is under way: SQLite waits for readers and writers, not for that.
            thread::sleep(Duration::from_millis(20));
        }
        Err(Fail::held("the database", fail::BUSY_MILLIS))
    }

    /// Runs `work` in a transaction that sees one state of the database.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |db| {
            let _ = reply.send(one_state(db, work));
        });
        self.0.reads.send(read).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Runs `work`, which finds a few rows by their keys, where it is called: to hand it to another thread and back takes
    /// longer than to do it. Each of its statements sees a state of its own. It is `Fn`, because it is run again by a
    /// reader when it would have to wait here.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let free = self.looks().pop();
        if let Some(db) = free {
            let result = work(&db);
            self.looks().push(db);
            match result {
                Err(Fail::Sql(error)) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
                result => return result,
            }
        }
        self.read(work).await
    }

    /// As [`Self::write`]; with [`Durability::Deferred`] it hands the work over and does not wait. It comes after every
    /// write before it, and before every later one. Should it fail, the log says so of `what`, and until one is kept
    /// again the callers wait, to be told.
    pub(crate) async fn keep(
        &self,
        durability: Durability,
        what: String,
        work: impl FnOnce(&Connection) -> Outcome<()> + Send + 'static,
    ) -> Outcome<()> {
        let deferred = &self.0.deferred;
        if durability == Durability::Deferred && deferred.failure().is_none() {
            let first = deferred.add(Box::new(Deferred::new(what, work, deferred)));
            return if first { self.0.writes.send(Message::Deferred) } else { Ok(()) };
        }
        match self.write(durability.max(Durability::Eventual), work).await {
            Ok(()) => {
                deferred.recovered();
                Ok(())
            }
            // What it follows was handed over and is not there: why it is not is what the caller has to know.
            Err(Fail::Said(StoreError::NotFound { .. } | StoreError::Conflict { .. }))
                if deferred.failure().is_some() =>
            {
                Err(deferred.failure().unwrap_or_else(gone))
            }
            Err(fail) => Err(fail),
        }
    }

    /// Waits until everything that was deferred before is done.
    pub(crate) async fn caught_up(&self) -> Outcome<()> {
        if self.0.deferred.waiting.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        self.write(Durability::Eventual, |_| Ok(())).await
    }

    fn looks(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A vector of free connections is whole whatever its last user did.
        self.0.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a transaction of the writer; on an error nothing of it is kept.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (reply, answer) = oneshot::channel();
        let task = Task { durability, work: Some(work), result: None, reply };
        self.0.writes.send(Message::Job(Box::new(task)))?;
        answer.await.map_err(|_| gone())?
    }
}

fn gone() -> Fail {
    Fail::other("a thread of the store has ended")
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(work)
}

fn read_all(db: &Connection, queue: &Mutex<Receiver<Read>>) {
    loop {
        // Held while waiting: one reader waits for the queue, the others for the lock.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        // A bug in one caller's query must not cost a reader; its transaction ends with the unwinding.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(db)));
    }
}

/// Everything that `work` reads is of one state of the database.
fn one_state<T>(db: &Connection, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
    db.prepare_cached("BEGIN")?.execute([])?;
    let result = work(db);
    // Nothing was changed: what matters is that it ends. Where this fails, SQLite has ended it by itself.
    let _ = db.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
    result
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Read,
    /// As `Read`, on a thread that must not wait.
    Look,
}

fn connect(file: &Path, access: Access) -> Outcome<Connection> {
    let writer = access == Access::Write;
    let flags = if writer { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let db = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let patience = if access == Access::Look { 0 } else { fail::BUSY_MILLIS };
    db.busy_timeout(Duration::from_millis(patience))?;
    db.set_prepared_statement_cache_capacity(256);
    // Without this, a kept statement that joins tables is planned anew each time it is used: SQLite wants to see whether
    // other values would make another plan better, and takes clearing the last ones for other values.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if writer {
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        // The writer moves the log when it is idle; this is for when it never is.
        db.pragma_update(None, "wal_autocheckpoint", 8000)?;
        // What is deleted is overwritten where that costs no further write: keys and secrets lie in small rows.
        db.pragma_update(None, "secure_delete", "FAST")?;
    }
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "cache_size", if access == Access::Look { -2_000 } else { -16_000 })?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}
