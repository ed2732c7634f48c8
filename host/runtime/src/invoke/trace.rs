//! A tool call's host calls: recorded with their answers, or answered from the record.

use std::sync::Arc;

use futures::future::join_all;
use sallyport_pack::route::Repeat;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::authority::Authority;
use crate::connection::Connection;
use crate::constraint::{Constraint, day_before};
use crate::egress::{self, Authorised, Permit, SentRecord};
use crate::grants::Live;
use crate::host::{Answer, Failed, read_authorised};
use crate::ids::Timestamp;
use crate::ports::{BodyRef, Divergence, Durability, Effect, EffectState, End, Event, Plan, WriteSummary};

use super::fetched::Fetched;
use super::gate::{Gate, Ruling};
use super::recorded::{Made, Recorded};
use super::writer::Writer;
use super::{Services, Stop, codec};

/// The record of one execution of a tool call, as it goes on.
pub(crate) struct Trace {
    pub(super) writer: Writer,
    pub(super) gate: Gate,
    pub(super) recorded: Recorded,
    pub(super) writes: Vec<WriteSummary>,
    services: Arc<Services>,
    connection: Arc<Connection>,
    started: Timestamp,
    next: u32,
    in_flight: Option<(u32, String)>,
    /// Whether every call is recorded, or `random` is not: see [`crate::ports::Plan::recording`].
    recording: u32,
    /// Where the replay left its record.
    diverged: Option<Divergence>,
    /// Answers of the record that were fetched before it began.
    pub(super) fetched: Fetched,
}

impl Trace {
    pub(super) fn new(
        services: Arc<Services>,
        connection: Arc<Connection>,
        writer: Writer,
        gate: Gate,
        recorded: Recorded,
        plan: &Plan,
    ) -> Self {
        Self {
            writer,
            gate,
            recorded,
            writes: Vec::new(),
            services,
            connection,
            started: plan.started,
            next: 0,
            in_flight: None,
            recording: plan.recording,
            diverged: None,
            fetched: Fetched::default(),
        }
    }

    /// True while the record still has answers.
    pub(crate) fn replaying(&self) -> bool {
        self.next < self.recorded.len()
    }

    /// A write that was sent when the execution was cut off.
    pub(super) fn in_flight(&self) -> Option<(u32, String)> {
        self.in_flight.clone()
    }

    /// What the record has and this execution did not ask for.
    pub(super) fn left_over(&mut self) -> Option<String> {
        let approved = self.gate.approved.iter().map(|hold| hold.call + 1).max().unwrap_or(0);
        let expected = approved.max(self.recorded.len());
        if self.next >= expected {
            return None;
        }
        self.parts(self.next, None);
        Some(format!("it ended before call {}, which its record has", self.next))
    }

    /// Where this execution left its record, for the last entry.
    pub(super) fn divergence(&mut self) -> Option<Box<Divergence>> {
        self.diverged.take().map(Box::new)
    }

    /// Keeps both requests: the one that the record has as this call, and the one that was made.
    fn parts(&mut self, call: u32, asked: Option<(&str, &[u8])>) {
        let recorded = match self.recorded.call(call) {
            Some(Made::Call { import, arguments, .. }) => Some((import.clone(), arguments.clone())),
            Some(Made::Write { effect, .. }) => Some(("http.send".into(), effect.request.clone())),
            None => self.approved_at(call).map(|request| ("http.send".into(), request.clone())),
        };
        let (recorded_import, recorded) = recorded.unzip();
        let asked = asked.map(|(import, bytes)| (import.to_owned(), self.writer.body(bytes)));
        let (asked_import, asked) = asked.unzip();
        self.diverged = Some(Divergence { call, recorded_import, recorded, asked_import, asked });
    }

    fn differs(&mut self, call: u32, import: &str, asked: &[u8], message: String) -> Stop {
        self.parts(call, Some((import, asked)));
        Stop::Diverged(message)
    }

    /// `clock.now`: the start, until the first write; then real time.
    pub(crate) async fn now(&mut self, real: Timestamp) -> Result<Timestamp, Stop> {
        let now = if self.gate.made == 0 { self.started } else { real.max(self.started) };
        self.fact("clock.now", now).await
    }

    /// `random.bytes`: the bytes follow from the seed, how many were asked for is recorded.
    pub(crate) async fn random(&mut self, length: u32) -> Result<(), Stop> {
        const IMPORT: &str = "random.bytes";
        if self.recording < 2 {
            return Ok(());
        }
        let (call, asked) = (self.number(), length.to_string());
        match self.replay(call, IMPORT, asked.as_bytes()).await? {
            Some(_) => Ok(()),
            None => self.call(call, IMPORT, asked.as_bytes(), NO_EFFECT, b"").await,
        }
    }

    /// A call whose answer the host gives by itself.
    pub(crate) async fn fact<T: Serialize + DeserializeOwned>(
        &mut self,
        import: &'static str,
        value: T,
    ) -> Result<T, Stop> {
        let call = self.number();
        if let Some(answer) = self.replay(call, import, b"").await? {
            return serde_json::from_slice(&answer).map_err(|_| unreadable(call));
        }
        let answer = serde_json::to_vec(&value).map_err(|error| Stop::Host(error.to_string()))?;
        self.call(call, import, b"", NO_EFFECT, &answer).await?;
        Ok(value)
    }

    /// `http.send`.
    pub(crate) async fn send(&mut self, at: &Authority, live: &Live, request: egress::Request) -> Result<Answer, Stop> {
        const IMPORT: &str = "http.send";
        let call = self.number();
        let asked = codec::request(&request);
        let authorised = match self.recorded.call(call) {
            Some(Made::Call { .. }) => return self.replay_answer(call, IMPORT, &asked).await,
            Some(Made::Write { .. }) | None => match self.services.egress.authorise(live, request) {
                Ok(authorised) => authorised,
                Err(refusal) => {
                    self.expect_nothing(call, IMPORT, &asked, refusal.to_string())?;
                    let answer = Err(refusal.into());
                    self.call(call, IMPORT, &asked, NO_EFFECT, &codec::answer(&answer)).await?;
                    return Ok(answer);
                }
            },
        };
        // What a replay does not do is kept out of its future, which is made anew for each call.
        if authorised.is_write() {
            return Box::pin(self.write(at, call, &asked, authorised)).await;
        }
        self.expect_nothing(call, IMPORT, &asked, "it reads".into())?;
        let effect = outline(&authorised);
        let services = Arc::clone(&self.services);
        let answer = Box::pin(read_authorised(&services.egress, at, &self.connection, authorised)).await?;
        self.call(call, IMPORT, &asked, Some(effect), &codec::answer(&answer)).await?;
        Ok(answer)
    }

    /// What [`Self::send`] records of a read that was answered so.
    pub(super) async fn answered_read(
        &mut self,
        request: &egress::Request,
        authorised: &Authorised,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let call = self.number();
        let asked = codec::request(request);
        let effect = outline(authorised);
        self.call(call, "http.send", &asked, Some(effect), &codec::answer(answer)).await
    }

    /// Records the end of a call that gave this result.
    pub(super) async fn succeed(&mut self, output: &[u8]) -> Result<(), Stop> {
        let output = Some(self.writer.body(output));
        self.writer.push(Event::Ended(End::Succeeded { output }));
        self.writer.flush(Durability::Deferred).await
    }

    /// `http.send-all`: each request is a call of its own; those that are not in the record run side by side.
    pub(crate) async fn send_all(
        &mut self,
        at: &Authority,
        live: &Live,
        requests: Vec<egress::Request>,
    ) -> Result<Vec<Answer>, Stop> {
        const IMPORT: &str = "http.send-all";
        let mut answers: Vec<Option<Answer>> = Vec::with_capacity(requests.len());
        let mut going = Vec::new();
        let mut sent = Vec::new();
        for (index, request) in requests.into_iter().enumerate() {
            let call = self.number();
            let asked = codec::request(&request);
            if self.recorded.call(call).is_some() {
                answers.push(Some(self.replay_answer(call, IMPORT, &asked).await?));
                continue;
            }
            let refused = match self.services.egress.authorise(live, request) {
                Ok(authorised) if !authorised.is_write() => {
                    going.push((index, call, asked, outline(&authorised)));
                    sent.push(authorised);
                    answers.push(None);
                    continue;
                }
                Ok(_) => Failed::denied("write-in-send-all", "send-all is for reads: send a write by itself"),
                Err(refusal) => refusal.into(),
            };
            let answer = Err(refused);
            self.call(call, IMPORT, &asked, NO_EFFECT, &codec::answer(&answer)).await?;
            answers.push(Some(answer));
        }
        let services = Arc::clone(&self.services);
        let connection = Arc::clone(&self.connection);
        let came = join_all(sent.into_iter().map(|one| read_authorised(&services.egress, at, &connection, one))).await;
        for ((index, call, asked, effect), answer) in going.into_iter().zip(came) {
            let answer = answer?;
            self.call(call, IMPORT, &asked, Some(effect), &codec::answer(&answer)).await?;
            answers[index] = Some(answer);
        }
        answers.into_iter().map(|answer| answer.ok_or_else(|| Stop::Host("an answer is missing".into()))).collect()
    }

    async fn write(&mut self, at: &Authority, call: u32, asked: &[u8], write: Authorised) -> Result<Answer, Stop> {
        let canonical = write.canonical();
        let name = self.writer.key().name(&canonical);
        if self.approved_at(call).is_some_and(|approved| !approved.is(&name)) {
            let message = format!("call {call} was approved as another write");
            return Err(self.differs(call, "http.send", &canonical, message));
        }
        if let Some(Made::Write { effect, state, answer }) = self.recorded.call(call) {
            let (effect, state, answer) = (effect.clone(), *state, answer.clone());
            if !effect.request.is(&name) {
                let message = format!("call {call} was {}, now it is another write", effect.target);
                return Err(self.differs(call, "http.send", &canonical, message));
            }
            match (state, answer) {
                (EffectState::Confirmed | EffectState::Failed, Some(of)) => {
                    let answer = codec::read_answer(self.open(&of).await?).ok_or_else(|| unreadable(call))?;
                    self.done(call, &name, &write, effect, state, &answer);
                    return Ok(answer);
                }
                // Not sent before, or harmless to send twice: it goes the same way as a first time.
                (EffectState::Intent, _) => {}
                (EffectState::Sent, _) if write.repeat() == Repeat::Safe => {}
                _ => return Err(Stop::Unknown { call, target: effect.target }),
            }
        }
        // What the grant's constraints forbid is no question for a person.
        if let Some(refused) = self.beyond_constraints(at, &write).await? {
            return self.refuse(call, asked, refused).await;
        }
        match self.gate.rule(call, &name, &write) {
            Ruling::Send => self.transmit(at, call, asked, name, write).await,
            Ruling::Hold(reasons) => {
                let effect = Box::new(self.effect(&write));
                Err(Stop::Held { call, effect, reasons })
            }
            Ruling::Refuse(failed) => self.refuse(call, asked, failed).await,
            Ruling::Void(what) => Err(Stop::Void(what)),
        }
    }

    /// Nothing is sent; the guest is told, and may go on.
    async fn refuse(&mut self, call: u32, asked: &[u8], failed: Failed) -> Result<Answer, Stop> {
        let answer = Err(failed);
        self.call(call, "http.send", asked, NO_EFFECT, &codec::answer(&answer)).await?;
        Ok(answer)
    }

    async fn beyond_constraints(&self, at: &Authority, write: &Authorised) -> Result<Option<Failed>, Stop> {
        match self.gate.bounds.as_ref().and_then(|bounds| bounds.refuse(&self.connection, write)) {
            Some(outside) => Ok(Some(outside)),
            None => self.over_daily_budget(at).await,
        }
    }

    /// `intent` and `sent` in one flush, then the bytes, then the answer.
    async fn transmit(
        &mut self,
        at: &Authority,
        call: u32,
        asked: &[u8],
        name: BodyRef,
        write: Authorised,
    ) -> Result<Answer, Stop> {
        let services = Arc::clone(&self.services);
        let connection = Arc::clone(&self.connection);
        let effect = self.effect(&write);
        let ready = match services.egress.prepare(at, &connection, write.clone()).await {
            Ok(ready) => ready,
            Err(error) => {
                let answer = Err(Failed::of(error)?);
                self.answered(call, EffectState::Failed, Some(effect.clone()), &answer).await?;
                self.done(call, &name, &write, effect, EffectState::Failed, &answer);
                return Ok(answer);
            }
        };
        let state = |state, effect| Event::Write { call, state, effect, answer: None };
        let counting = self.gate.writes_per_day.map(|_| services.counting.of(&at.connection));
        let alone = match &counting {
            Some(counting) => Some(counting.lock().await),
            None => None,
        };
        // Others may have written since it was asked first; from here to the record nobody does.
        if let Some(refused) = self.over_daily_budget(at).await? {
            return self.refuse(call, asked, refused).await;
        }
        self.writer.push(state(EffectState::Intent, Some(effect.clone())));
        self.writer.push(state(EffectState::Sent, None));
        self.writer.flush(Durability::Flushed).await?;
        drop(alone);
        self.in_flight = Some((call, effect.target.clone()));
        let permit = Permit::Write(SentRecord::after_flush(&ready));
        let (how, answer) = match services.egress.transmit(at, ready, permit).await {
            Ok(response) if response.had_no_effect() => (EffectState::Failed, Ok(response.into())),
            Ok(response) => (EffectState::Confirmed, Ok(response.into())),
            Err(egress::EgressError::InDoubt(_)) => {
                self.writer.push(state(EffectState::Unknown, None));
                self.writes.push(WriteSummary { call, effect: effect.clone(), state: EffectState::Unknown });
                self.in_flight = None;
                return Err(Stop::Unknown { call, target: effect.target });
            }
            Err(error) => {
                let answered =
                    matches!(error, egress::EgressError::TooLarge { .. } | egress::EgressError::SecretInResponse);
                let how = if answered { EffectState::Confirmed } else { EffectState::Failed };
                (how, Err(Failed::of(error)?))
            }
        };
        self.answered(call, how, None, &answer).await?;
        self.in_flight = None;
        self.done(call, &name, &write, effect, how, &answer);
        Ok(answer)
    }

    async fn answered(
        &mut self,
        call: u32,
        state: EffectState,
        effect: Option<Effect>,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let answer = Some(self.writer.body(&codec::answer(answer)));
        self.writer.push(Event::Write { call, state, effect, answer });
        // May wait for the next flush: after a crash the write counts as unknown, which is true.
        self.writer.flush(Durability::Deferred).await
    }

    fn done(
        &mut self,
        call: u32,
        name: &BodyRef,
        write: &Authorised,
        effect: Effect,
        state: EffectState,
        answer: &Answer,
    ) {
        self.gate.made(call, name, write, answer);
        self.writes.push(WriteSummary { call, effect, state });
    }

    async fn over_daily_budget(&self, at: &Authority) -> Result<Option<Failed>, Stop> {
        let Some(most) = self.gate.writes_per_day else { return Ok(None) };
        let since = day_before(self.services.clock.now());
        let made = self.services.directory.writes_since(at.tenant(), &at.connection, since).await?;
        Ok((made >= most).then(|| {
            let (id, now) = (&at.connection, Constraint::Writes(most));
            let message = format!(
                "the grant has the constraint {now}, and {made} were made in the last 24 hours; an admin can allow \
                 more: sallyport grant {id} --constraint 'writes<=N/day'"
            );
            Failed::denied("writes-per-day", message)
        }))
    }

    /// A write, in the form that is approved.
    fn effect(&mut self, authorised: &Authorised) -> Effect {
        let request = self.writer.body(&authorised.canonical());
        outline(authorised)(request)
    }

    fn number(&mut self) -> u32 {
        let call = self.next;
        self.next += 1;
        call
    }

    /// Records a call that is no write.
    async fn call(
        &mut self,
        call: u32,
        import: &'static str,
        arguments: &[u8],
        effect: Option<impl FnOnce(BodyRef) -> Effect>,
        answer: &[u8],
    ) -> Result<(), Stop> {
        let arguments = self.writer.body(arguments);
        // A read is named by what was asked: it is kept once.
        let effect = effect.map(|effect| effect(arguments.clone()));
        let answer = self.writer.body(answer);
        self.writer.push(Event::Call { call, import: import.into(), effect, arguments, answer });
        self.writer.relieve().await
    }

    /// The recorded answer, if the record has this call; a stop if it has another one there.
    async fn replay(&mut self, call: u32, import: &str, arguments: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        let message = match self.recorded.call(call) {
            None => {
                self.expect_nothing(call, import, arguments, import.into())?;
                return Ok(None);
            }
            Some(Made::Call { import: own, arguments: asked, answer })
                if own == import && self.writer.key().names(asked, arguments) =>
            {
                let answer = answer.clone();
                return self.open(&answer).await.map(Some);
            }
            Some(Made::Call { import: own, .. }) if own == import => {
                format!("call {call} is {import} with other arguments")
            }
            Some(Made::Call { import: own, .. }) => format!("call {call} was {own}, now it is {import}"),
            Some(Made::Write { effect, .. }) => {
                format!("call {call} was the write {}, now it is {import}", effect.target)
            }
        };
        Err(self.differs(call, import, arguments, message))
    }

    async fn replay_answer(&mut self, call: u32, import: &str, arguments: &[u8]) -> Result<Answer, Stop> {
        let answer = self.replay(call, import, arguments).await?;
        answer.and_then(codec::read_answer).ok_or_else(|| unreadable(call))
    }

    /// The write that was approved as this call.
    fn approved_at(&self, call: u32) -> Option<&BodyRef> {
        self.gate.approved.iter().find(|hold| hold.call == call).map(|hold| &hold.effect.request)
    }

    /// The call must not be a write in the record, nor one that was approved.
    fn expect_nothing(&mut self, call: u32, import: &str, asked: &[u8], now: String) -> Result<(), Stop> {
        let written = matches!(self.recorded.call(call), Some(Made::Write { .. }));
        if written || self.approved_at(call).is_some() {
            return Err(self.differs(call, import, asked, format!("call {call} was a write, now: {now}")));
        }
        Ok(())
    }

    async fn open(&mut self, of: &BodyRef) -> Result<Vec<u8>, Stop> {
        if let Some(plain) = self.fetched.get(of).await {
            return Ok(plain);
        }
        let (tenant, connection) = (&self.connection.tenant, &self.connection.id);
        let body = self.services.journal.body(tenant, connection, of).await?;
        Ok(self.writer.key().open(&body)?)
    }
}

/// What a request is, but for its bytes.
fn outline(authorised: &Authorised) -> impl FnOnce(BodyRef) -> Effect + use<> {
    let (method, target) = (authorised.method().to_owned(), authorised.target());
    let (route, capability) = (authorised.route().to_string(), authorised.capability().clone());
    |request| Effect { method, target, route, capability, request }
}

/// No request.
const NO_EFFECT: Option<fn(BodyRef) -> Effect> = None;

fn unreadable(call: u32) -> Stop {
    Stop::Host(format!("the recorded answer of call {call} cannot be read by this version"))
}
