//! An execution that leaves no trace: told again what a recording has, or run against the service and recorded. Nothing is
//! written, and what it stages goes nowhere.

use std::sync::Arc;

use crate::authority::Authority;
use crate::connection::Connection;
use crate::document::Change;
use crate::egress;
use crate::grants::Live;
use crate::host::{Answer, read};
use crate::ids::{SourceId, Timestamp};
use crate::invoke::{Facts, Services, Stop};

use super::form::{Asked, Call, Emitted, Told};

/// What answers.
enum Source {
    /// A recording, from the call that comes next.
    Recorded { calls: Vec<Call>, next: usize },
    /// The service and the store; what they answer is kept.
    Live { source: SourceId, calls: Vec<Call> },
}

/// The execution's side of it.
pub(crate) struct Rehearsal {
    services: Arc<Services>,
    connection: Arc<Connection>,
    from: Source,
    pub(super) emitted: Vec<Emitted>,
    /// The call that was not the recorded one.
    pub(super) parted: Option<(usize, Option<Call>, Call)>,
}

impl Rehearsal {
    pub(super) fn recorded(services: Arc<Services>, connection: Arc<Connection>, calls: Vec<Call>) -> Self {
        let from = Source::Recorded { calls, next: 0 };
        Self { services, connection, from, emitted: Vec::new(), parted: None }
    }

    pub(super) fn live(services: Arc<Services>, connection: Arc<Connection>) -> Self {
        let from = Source::Live { source: connection.source.clone(), calls: Vec::new() };
        Self { services, connection, from, emitted: Vec::new(), parted: None }
    }

    /// Calls that were answered, and what a recording still has.
    pub(super) fn calls(self) -> (Vec<Call>, Vec<Call>) {
        match self.from {
            Source::Recorded { mut calls, next } => {
                let left = calls.split_off(next.min(calls.len()));
                (calls, left)
            }
            Source::Live { calls, .. } => (calls, Vec::new()),
        }
    }

    fn is_recorded(&self) -> bool {
        matches!(self.from, Source::Recorded { .. })
    }

    /// The recorded call that comes next, if there is one.
    fn take(&mut self) -> Option<Call> {
        match &mut self.from {
            Source::Recorded { calls, next } => {
                *next += 1;
                calls.get(*next - 1).cloned()
            }
            Source::Live { .. } => None,
        }
    }

    fn keep(&mut self, call: Call) {
        if let Source::Live { calls, .. } = &mut self.from {
            calls.push(call);
        }
    }

    /// It was not this call that was recorded: from here on nobody knows what it would have been told.
    fn part(&mut self, recorded: Option<Call>, asked: Call) -> Stop {
        let index = match &self.from {
            Source::Recorded { next, .. } => next.saturating_sub(1),
            Source::Live { calls, .. } => calls.len(),
        };
        let message = format!("call {index} is not the one that was recorded");
        self.parted = Some((index, recorded, asked));
        Stop::Diverged(message)
    }

    pub(crate) async fn send(
        &mut self,
        at: &Authority,
        live: &Live,
        request: egress::Request,
        all: bool,
    ) -> Result<Answer, Stop> {
        let call = |request: Asked, answer: Option<Told>| match all {
            true => Call::SendAll { request, answer },
            false => Call::Send { request, answer },
        };
        let said = Asked::of(&request);
        match self.take() {
            None if self.is_recorded() => Err(self.part(None, call(said, None))),
            None => {
                let answer = read(&self.services.egress, at, live, &self.connection, request).await?;
                self.keep(call(said, Some(Told::from(&answer))));
                Ok(answer)
            }
            Some(recorded) => {
                let (asked, answer) = match &recorded {
                    Call::Send { request, answer } if !all => (request, answer),
                    Call::SendAll { request, answer } if all => (request, answer),
                    _ => return Err(self.part(Some(recorded), call(said, None))),
                };
                // A write is compared as the host would send it: that is what was approved and kept.
                let now = match (asked.canonical, self.services.egress.authorise(live, request)) {
                    (true, Ok(authorised)) => Asked::of_canonical(&authorised.canonical()),
                    _ => Some(said.clone()),
                };
                if now.as_ref() != Some(asked) {
                    return Err(self.part(Some(recorded), call(now.unwrap_or(said), None)));
                }
                match answer {
                    Some(told) => told
                        .answer()
                        .ok_or_else(|| Stop::Host("a recorded answer is of no form that this version knows".into())),
                    // It waited for a person when it was recorded, and it does again.
                    None => Err(Stop::Void("the recording ends here: this write waits for a person".into())),
                }
            }
        }
    }

    pub(crate) async fn send_all(
        &mut self,
        at: &Authority,
        live: &Live,
        requests: Vec<egress::Request>,
    ) -> Result<Vec<Answer>, Stop> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            // One after the other: nobody waits for a rehearsal.
            answers.push(self.send(at, live, request, true).await?);
        }
        Ok(answers)
    }

    pub(crate) fn now(&mut self, real: Timestamp) -> Result<Timestamp, Stop> {
        match self.take() {
            Some(Call::Now { answer }) => Ok(answer),
            None if !self.is_recorded() => {
                self.keep(Call::Now { answer: real });
                Ok(real)
            }
            other => Err(self.part(other, Call::Now { answer: real })),
        }
    }

    pub(crate) fn random(&mut self, length: u32) -> Result<(), Stop> {
        match self.take() {
            Some(Call::Random { length: recorded }) if recorded == length => {}
            None if !self.is_recorded() => {}
            other => return Err(self.part(other, Call::Random { length })),
        }
        self.keep(Call::Random { length });
        Ok(())
    }

    /// What was told of the connection; none where it is asked about now.
    pub(crate) fn recorded_facts(&mut self) -> Result<Option<Facts>, Stop> {
        match self.take() {
            Some(Call::Credentials { answer }) => Ok(Some(answer)),
            None if !self.is_recorded() => Ok(None),
            other => {
                let nothing = Facts::default();
                Err(self.part(other, Call::Credentials { answer: nothing }))
            }
        }
    }

    /// What is told of it now.
    pub(crate) fn facts(&mut self, facts: Facts) -> Facts {
        self.keep(Call::Credentials { answer: facts.clone() });
        facts
    }

    pub(crate) async fn revisions(&mut self, at: &Authority, ids: &[String]) -> Result<Vec<Option<String>>, Stop> {
        match self.take() {
            Some(Call::Revisions { ids: recorded, answer }) if recorded == ids => Ok(answer),
            None if !self.is_recorded() => {
                let Source::Live { source, .. } = &self.from else { return Ok(Vec::new()) };
                let answer = self.services.sink.revisions(at, source, ids).await?;
                self.keep(Call::Revisions { ids: ids.to_vec(), answer: answer.clone() });
                Ok(answer)
            }
            other => Err(self.part(other, Call::Revisions { ids: ids.to_vec(), answer: Vec::new() })),
        }
    }

    pub(crate) fn emit(&mut self, changes: Vec<Change>) {
        self.emitted.extend(changes.into_iter().map(Emitted::Change));
    }

    pub(crate) fn checkpoint(&mut self, cursor: String) {
        self.emitted.push(Emitted::Checkpoint(cursor));
    }
}
