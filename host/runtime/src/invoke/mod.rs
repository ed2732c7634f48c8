//! Invocations: one execution of one export for one connection, and its record.
//!
//! A tool call's execution is deterministic: what it is told is recorded and told again. It never sleeps waiting for a
//! person: the first write that needs approval ends it ([`Stop::Held`]); once approved, a fresh store is answered from
//! the record up to that write and goes on.

mod bounds;
pub(crate) mod codec;
mod connect;
mod decide;
mod detached;
mod execute;
mod fetched;
mod gate;
mod health;
mod identify;
mod measure;
mod prepare;
mod proposal;
mod readers;
mod recorded;
mod recover;
mod report;
mod resume;
mod services;
mod settle;
mod staging;
mod stop;
mod sweep;
mod sync;
mod tool;
mod trace;
mod weight;
mod words;
mod writer;

pub use connect::Connect;
pub use identify::Identity;
pub use measure::{CallFigures, LoadFigures, ScanFigures, measure_scan};
pub use proposal::{CallView, DivergedView, DoubtView, InvocationView};
pub use recover::Recovered;
pub use report::{StreamError, StreamReport, SyncOptions, SyncProgress, SyncReport};

pub(crate) use connect::{capabilities, may_own, settings};
pub(crate) use execute::{Call as Ran, Returned, failure};
pub(crate) use prepare::Bench;
pub(crate) use readers::Readers;
pub(crate) use recorded::{Made, Recorded, in_doubt, plan};
pub use services::Facts;
pub(crate) use services::{Counting, Services};
pub(crate) use staging::Staging;
pub(crate) use stop::Stop;
pub(crate) use sweep::Vanished;
pub(crate) use tool::checked;
pub(crate) use trace::Trace;
