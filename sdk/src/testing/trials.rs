//! Running a connector's exports as the host would.

use serde_json::Value;

use super::FakeHost;
use crate::Failure;
use crate::account::Identity;
use crate::export::{self, Account, Subscriptions, Sync, Tools, Webhooks};
use crate::subscriptions::Subscription;
use crate::sync::{Coverage, Job, Outcome, Presence, Stream};
use crate::tools::Output;
use crate::webhooks::Hint;

/// More pulls than this are taken for a sync that never ends.
const MOST_PULLS: usize = 10_000;

impl FakeHost {
    /// Whose account it is.
    pub fn identify<C: Account>(&self) -> Result<Identity, Failure> {
        self.run(C::identify)
    }

    /// What the packer is told of the tools: an array of name, title, description, input and output.
    pub fn describe<C: Tools>(&self) -> Value {
        self.run(export::describe::<C>)
    }

    /// Calls a tool with arguments as a model would give them.
    pub fn invoke<C: Tools>(&self, name: &str, arguments: Value) -> Result<Output, Failure> {
        self.run(|| export::invoke::<C>(name, &arguments.to_string()))
    }

    /// The streams of the connection.
    pub fn streams<C: Sync>(&self) -> Result<Vec<Stream>, Failure> {
        self.run(C::streams)
    }

    /// One pull. What it staged without a checkpoint is lost, as in the host.
    pub fn pull<C: Sync>(&self, job: &Job) -> Result<Outcome, Failure> {
        self.state.borrow_mut().stream.clone_from(&job.stream);
        let outcome = self.run(|| export::pull::<C>(job));
        self.state.borrow_mut().staged.clear();
        outcome
    }

    /// Pulls a stream from its last cursor until it is complete. The clock goes on where a pull waits.
    pub fn sync<C: Sync>(&self, stream: &str) -> Result<Coverage, Failure> {
        self.pull_to_the_end::<C>(stream, false)
    }

    /// Sweeps a stream. After a whole one the connector is asked about the documents that it did not
    /// list, and those that are gone are deleted. (One stream is supposed: the host knows which
    /// stream gave which document, this one does not.)
    pub fn sweep<C: Sync>(&self, stream: &str) -> Result<Coverage, Failure> {
        self.state.borrow_mut().listed.clear();
        let coverage = self.pull_to_the_end::<C>(stream, true)?;
        if coverage == Coverage::Whole {
            let missed: Vec<String> = {
                let state = self.state.borrow();
                state.stored.documents.keys().filter(|id| !state.listed.contains(*id)).cloned().collect()
            };
            if !missed.is_empty() {
                let presences = self.probe::<C>(&missed)?;
                let gone = missed.iter().zip(presences).filter(|(_, presence)| *presence == Presence::Gone);
                for (id, _) in gone {
                    self.state.borrow_mut().stored.documents.remove(id);
                }
            }
        }
        Ok(coverage)
    }

    /// What became of documents.
    pub fn probe<C: Sync>(&self, ids: &[String]) -> Result<Vec<Presence>, Failure> {
        self.run(|| export::probe::<C>(ids))
    }

    /// What a webhook delivery means.
    pub fn receive<C: Webhooks>(&self, headers: &[(String, String)], body: &[u8]) -> Result<Vec<Hint>, Failure> {
        self.run(|| C::receive(headers, body))
    }

    /// Keeps subscriptions alive.
    pub fn ensure<C: Subscriptions>(
        &self,
        callback: &str,
        known: &[Subscription],
    ) -> Result<Vec<Subscription>, Failure> {
        self.run(|| C::ensure(callback, known))
    }

    /// Removes subscriptions.
    pub fn remove<C: Subscriptions>(&self, known: &[Subscription]) -> Result<(), Failure> {
        self.run(|| C::remove(known))
    }

    fn pull_to_the_end<C: Sync>(&self, stream: &str, sweep: bool) -> Result<Coverage, Failure> {
        for _ in 0..MOST_PULLS {
            let cursor = self.state.borrow().cursors.get(stream).cloned();
            let job = Job { stream: stream.to_owned(), cursor, sweep, hints: Vec::new() };
            match self.pull::<C>(&job)? {
                Outcome::Complete(coverage) => return Ok(coverage),
                Outcome::More => {}
                Outcome::Wait(millis) => self.state.borrow_mut().now.0 += millis,
            }
        }
        Err(Failure::other("endless-sync", format!("{MOST_PULLS} pulls of stream {stream:?} and no end")))
    }
}
