//! What a guest may call, one file an interface: each import checks, does, and answers with a typed error or a trap.

mod blobs;
mod clock;
mod convert;
mod credentials;
mod documents;
mod error;
mod http;
mod log;
mod random;

use std::sync::Arc;

use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use wasmtime::component::ResourceTable;

use crate::authority::Authority;
use crate::connection::Connection;
use crate::engine::{Budget, Limits, Meter};
use crate::grants::Live;
use crate::invoke::{Services, Staging, Stop, Trace};
use crate::recording::Rehearsal;

#[allow(unreachable_pub)] // the generated bindings re-export it
pub use blobs::Blob;
pub(crate) use error::{DocumentsErrorOr, HttpErrorOr, ProblemOr};
#[allow(unreachable_pub)] // a recording has it
pub use http::Failed;
pub(crate) use http::{Answer, Got, read, read_authorised};

/// What the host holds for one execution. Never used for a second one.
pub(crate) struct State {
    pub(crate) budget: Budget,
    pub(crate) limits: Arc<Limits>,
    pub(crate) host_time: Meter,
    pub(crate) services: Arc<Services>,
    pub(crate) at: Authority,
    pub(crate) live: Arc<Live>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) work: Work,
    table: ResourceTable,
    blob_bytes: usize,
    random: ChaCha20Rng,
    log_left: usize,
}

/// What an execution is part of.
pub(crate) enum Work {
    /// `identify`, `streams`, `probe`: nothing is staged, and nothing is recorded but that it ran.
    Plain,
    /// A tool call: every host call is recorded, or answered from the record.
    Tool(Box<Trace>),
    /// A pull: changes are staged.
    Pull(Box<Staging>),
    /// Played from a recording, or recorded: nothing of it is kept by the host.
    Rehearsal(Box<Rehearsal>),
}

/// Everything that an execution is bound to.
pub(crate) struct Bound {
    pub(crate) services: Arc<Services>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) at: Authority,
    pub(crate) live: Arc<Live>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) seed: [u8; 32],
}

impl State {
    pub(crate) fn new(bound: Bound, budget: Budget, work: Work) -> Self {
        Self {
            budget,
            // Nobody is told what a tool call took but the log.
            host_time: Meter::counting(!matches!(work, Work::Tool(_)) || tracing::enabled!(tracing::Level::DEBUG)),
            services: bound.services,
            at: bound.at,
            live: bound.live,
            connection: bound.connection,
            work,
            table: ResourceTable::new(),
            blob_bytes: 0,
            random: ChaCha20Rng::from_seed(bound.seed),
            log_left: bound.limits.log,
            limits: bound.limits,
        }
    }

    /// To be called first by every import.
    fn called(&mut self) -> Result<(), Stop> {
        self.budget.host_call()
    }

    /// Whether the record still has answers: what is said meanwhile was logged then.
    fn is_told_again(&self) -> bool {
        match &self.work {
            Work::Tool(trace) => trace.replaying(),
            Work::Rehearsal(_) => true,
            Work::Plain | Work::Pull(_) => false,
        }
    }
}
