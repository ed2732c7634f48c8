//! A host that answers as it was told to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::sent::fit;
use super::{Host, Reply, Sent, Stored, blob, run};
use crate::Problem;
use crate::blobs::Blob;
use crate::clock::Timestamp;
use crate::credentials::{Facts, Slot};
use crate::documents::{self, Change};
use crate::http::{self, Body, Delivery, Request, Response};
use crate::log::Severity;

/// The real host's limits, because tests should meet them first.
const MOST_INLINE: usize = 4 * 1024 * 1024;
const MOST_CURSOR: usize = 1024 * 1024;

/// A host for tests. Its methods tell it what to answer; [`run`](Self::run) and the methods named
/// after a component's exports run a connector; what it kept can then be looked at.
///
/// The clock stands still at 2026-01-01 and randomness is the same in every run.
#[derive(Clone)]
pub struct FakeHost {
    pub(super) state: Rc<RefCell<State>>,
}

#[derive(Default)]
pub(super) struct State {
    rules: Vec<Rc<Rule>>,
    pub(super) now: Timestamp,
    random: u64,
    facts: Facts,
    blobs: BTreeMap<String, (String, Vec<u8>)>,
    sent: Vec<Sent>,
    pub(super) staged: Vec<Change>,
    committed: Vec<Rc<Change>>,
    pub(super) stored: Stored,
    pub(super) cursors: BTreeMap<String, String>,
    checkpoints: Vec<String>,
    pub(super) stream: String,
    pub(super) listed: BTreeSet<String>,
    log: Vec<String>,
}

struct Rule {
    method: String,
    url: String,
    once: RefCell<Option<bool>>,
    answer: Box<dyn Fn(&Sent) -> Reply>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeHost").field("requests", &self.requests()).finish_non_exhaustive()
    }
}

impl FakeHost {
    /// A host that has an answer to nothing.
    pub fn new() -> Self {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap_or_default();
        Self { state: Rc::new(RefCell::new(State { now, ..State::default() })) }
    }

    /// Answers every request of this method and URL. `{x}` in the URL is any one segment, a last
    /// `**` the rest; query parameters that the URL names must be there, others may be. Of several
    /// that fit, the one that names most query parameters answers, then the one told first.
    pub fn respond(self, method: &str, url: &str, reply: impl Into<Reply>) -> Self {
        let reply = reply.into();
        self.rule(method, url, false, move |_| reply.clone())
    }

    /// As [`respond`](Self::respond), but only to the first such request.
    pub fn respond_once(self, method: &str, url: &str, reply: impl Into<Reply>) -> Self {
        let reply = reply.into();
        self.rule(method, url, true, move |_| reply.clone())
    }

    /// As [`respond`](Self::respond), with an answer made from the request.
    pub fn respond_with(self, method: &str, url: &str, answer: impl Fn(&Sent) -> Reply + 'static) -> Self {
        self.rule(method, url, false, answer)
    }

    fn rule(self, method: &str, url: &str, once: bool, answer: impl Fn(&Sent) -> Reply + 'static) -> Self {
        let once = RefCell::new(once.then_some(false));
        let rule = Rule { method: method.into(), url: url.into(), once, answer: Box::new(answer) };
        self.with(|state| state.rules.push(Rc::new(rule)))
    }

    /// Sets the clock.
    pub fn at(self, now: Timestamp) -> Self {
        self.with(|state| state.now = now)
    }

    /// The account of the connection.
    pub fn account(self, id: &str) -> Self {
        self.with(|state| state.facts.account = id.into())
    }

    /// The workspace of the connection.
    pub fn workspace(self, id: &str) -> Self {
        self.with(|state| state.facts.workspace = Some(id.into()))
    }

    /// A slot of the connection with its scopes.
    pub fn slot(self, name: &str, scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.with(|state| state.facts.slots.push(Slot { name: name.into(), scopes }))
    }

    /// A capability that is live.
    pub fn capability(self, id: &str) -> Self {
        self.with(|state| state.facts.capabilities.push(id.into()))
    }

    /// The value of a setting.
    pub fn setting(self, name: &str, value: &str) -> Self {
        self.with(|state| state.facts.settings.push((name.into(), value.into())))
    }

    /// A file that arguments may name.
    pub fn file(self, id: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(|state| state.blobs.insert(id.into(), (media_type.into(), bytes.into())))
    }

    /// A document that was stored before.
    pub fn document(self, document: documents::Document) -> Self {
        self.with(|state| state.stored.apply(&Change::Upsert(document)))
    }

    fn with<T>(self, change: impl FnOnce(&mut State) -> T) -> Self {
        change(&mut self.state.borrow_mut());
        self
    }

    /// Forgets every answer that it was told, so that the service can change.
    pub fn forget_answers(&self) -> Self {
        self.clone().with(|state| state.rules.clear())
    }

    /// Runs `f` with its host calls coming here.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        run(Rc::new(self.clone()), f)
    }

    /// Every request, in the order sent.
    pub fn requests(&self) -> Vec<Sent> {
        self.state.borrow().sent.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.state.borrow_mut().sent.clear();
    }

    /// Every change that a checkpoint made durable, in order.
    pub fn changes(&self) -> Vec<Rc<Change>> {
        self.state.borrow().committed.clone()
    }

    /// The source as the last checkpoint left it.
    pub fn stored(&self) -> Stored {
        self.state.borrow().stored.duplicate()
    }

    /// The cursors of all checkpoints, in order, as JSON.
    pub fn checkpoints(&self) -> Vec<String> {
        self.state.borrow().checkpoints.clone()
    }

    /// The lines of the log.
    pub fn log_lines(&self) -> Vec<String> {
        self.state.borrow().log.clone()
    }

    fn answer(&self, sent: &Sent) -> Reply {
        let rules = self.state.borrow().rules.clone();
        let unused = rules.iter().filter(|rule| *rule.once.borrow() != Some(true));
        let fitting = unused.filter_map(|rule| fit(sent, &rule.method, &rule.url).map(|named| (named, rule)));
        // The last of equals would win; the first is wanted.
        match fitting.rev().max_by_key(|(named, _)| *named) {
            Some((_, rule)) => {
                if let Some(used) = rule.once.borrow_mut().as_mut() {
                    *used = true;
                }
                (rule.answer)(sent)
            }
            None => {
                let message = format!("FakeHost was told no answer to {} {}", sent.method, sent.url);
                Reply::error(http::Error::Denied(Problem::new("no-answer", message)))
            }
        }
    }
}

impl Host for FakeHost {
    fn send(&self, request: Request) -> Result<Response, http::Error> {
        let sent = Sent::new(&request);
        self.state.borrow_mut().sent.push(sent.clone());
        let reply = self.answer(&sent);
        if let Some(error) = reply.error {
            return Err(error);
        }
        let media_type = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let body = match request.delivery {
            Delivery::Blob => Body::Blob(blob(media_type.map(|(_, value)| value.as_str()), reply.body)),
            Delivery::Inline if reply.body.len() > MOST_INLINE => {
                return Err(http::Error::TooLarge(reply.body.len() as u64));
            }
            Delivery::Inline if reply.body.is_empty() => Body::Empty,
            Delivery::Inline => Body::Bytes(reply.body),
        };
        Ok(Response::new(reply.status, reply.headers, body))
    }

    fn open_blob(&self, id: &str) -> Result<Blob, Problem> {
        let state = self.state.borrow();
        let (media_type, bytes) =
            state.blobs.get(id).ok_or_else(|| Problem::new("not-found", "there is no such file"))?;
        Ok(blob(Some(media_type), bytes.clone()))
    }

    fn emit(&self, changes: Vec<Change>) -> Result<(), documents::Error> {
        self.state.borrow_mut().staged.extend(changes);
        Ok(())
    }

    fn checkpoint(&self, cursor: String) -> Result<(), documents::Error> {
        if cursor.len() > MOST_CURSOR {
            let message = format!("a cursor of {} bytes", cursor.len());
            return Err(documents::Error::TooMuch(Problem::new("cursor-too-large", message)));
        }
        let state = &mut *self.state.borrow_mut();
        for change in state.staged.drain(..) {
            match &change {
                Change::Upsert(document) => drop(state.listed.insert(document.id.clone())),
                Change::Seen(ids) => state.listed.extend(ids.iter().cloned()),
                _ => {}
            }
            state.stored.apply(&change);
            state.committed.push(Rc::new(change));
        }
        state.cursors.insert(state.stream.clone(), cursor.clone());
        state.checkpoints.push(cursor);
        Ok(())
    }

    fn revisions(&self, ids: Vec<String>) -> Result<Vec<Option<String>>, documents::Error> {
        let documents = &self.state.borrow().stored.documents;
        Ok(ids.iter().map(|id| documents.get(id)?.revision.clone()).collect())
    }

    fn facts(&self) -> Facts {
        self.state.borrow().facts.clone()
    }

    fn now(&self) -> Timestamp {
        self.state.borrow().now
    }

    fn random(&self, length: u32) -> Vec<u8> {
        let state = &mut *self.state.borrow_mut();
        let mut next = || {
            // SplitMix64.
            state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state.random ^ (state.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn log(&self, severity: Severity, message: &str, fields: Vec<(String, String)>) {
        let mut line = format!("{severity:?}: {message}");
        for (name, value) in fields {
            line.push_str(&format!(" {name}={value}"));
        }
        self.state.borrow_mut().log.push(line);
    }
}
