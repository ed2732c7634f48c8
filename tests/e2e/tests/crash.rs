//! Processes that are killed in the middle of a write, and disks that fill up: never two sends without a recorded
//! decision, and nothing is sent that is not recorded.

mod mortal;

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream::{self, StreamExt as _};
use sallyport::connection::Setting;
use sallyport::ids::{ConnectionId, InvocationId, ToolName};
use sallyport::invoke::Recovered;
use sallyport::ports::{
    DecisionKind, EffectState, Event, Filter, Journal as _, Record, SettlementKind, Standing, State,
};
use sallyport::tool::{Outcome, ToolCall, Tools as _, Verdict};
use sallyport::{Caller, Fault as _, InvokeError, Role};
use sallyport_e2e::block_on;
use serde_json::{Value, json};
use tempfile::TempDir;

use mortal::host::{Ahead, Given, Open, Place, caller, serve, tenant};
use mortal::{End, Fate, Moment, Task, Told, kill, told};

/// After so many milliseconds the claim of a process that is gone has ended: a tool call's 60 s, and 30 s more.
const CLAIM: u64 = 120_000;
/// Cases that run side by side: each waits for a process most of the time.
const AT_A_TIME: usize = 3;

fn ann() -> Caller {
    caller("ann", Role::Member)
}

/// Approves what others ask for.
fn boss() -> Caller {
    caller("boss", Role::Approver)
}

fn create(connection: &ConnectionId, title: &str) -> ToolCall {
    ToolCall {
        connection: connection.clone(),
        tool: ToolName::new("create_note").expect("a tool's name"),
        arguments: json!({ "title": title, "text": "x".repeat(2_000) }),
        verdict: Verdict::Allow,
        context: Some(json!({ "request": "please" })),
    }
}

/// When the service kills whoever posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// As soon as the head of the request is there.
    Head,
    /// It has the whole request, and answers nothing.
    Whole,
    /// It has sent half of its answer.
    Half,
}

/// The example connector's service. It keeps what is posted.
#[derive(Clone, Default)]
struct Service(Arc<Inner>);

#[derive(Default)]
struct Inner {
    posts: Mutex<Vec<String>>,
    point: Mutex<Option<Point>>,
    victim: AtomicU32,
    struck: AtomicBool,
}

impl Service {
    async fn start(&self) -> String {
        let me = || async { axum::Json(json!({ "id": "u1", "name": "Ann", "email": "ann@acme.example" })) };
        let router = Router::new().route("/v1/me", get(me)).route("/v1/notes", post(note)).with_state(self.clone());
        serve(router).await
    }

    /// How many posts reached it, whole.
    fn posts(&self) -> usize {
        self.0.posts.lock().expect("no panic").len()
    }

    /// The next post is its process's end.
    fn arm(&self, point: Point) {
        self.0.victim.store(0, Ordering::SeqCst);
        self.0.struck.store(false, Ordering::SeqCst);
        *self.0.point.lock().expect("no panic") = Some(point);
    }

    fn strike(&self) {
        kill(self.0.victim.load(Ordering::SeqCst));
    }

    fn struck(&self) {
        self.0.struck.store(true, Ordering::SeqCst);
    }

    async fn receive(self, request: Request) -> Response {
        let point = self.0.point.lock().expect("no panic").take();
        while point.is_some() && self.0.victim.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        if point == Some(Point::Head) {
            self.strike();
        }
        if let Ok(body) = to_bytes(request.into_body(), 1 << 20).await {
            self.0.posts.lock().expect("no panic").push(String::from_utf8_lossy(&body).into_owned());
        }
        match point {
            None => axum::Json(json!({ "id": "n2" })).into_response(),
            Some(Point::Half) => self.half().into_response(),
            Some(point) => {
                if point == Point::Whole {
                    self.strike();
                }
                self.struck();
                std::future::pending().await
            }
        }
    }

    /// An answer in the middle of which the process ends.
    fn half(self) -> Body {
        let first = stream::once(async { Ok::<&str, Infallible>("{\"id\":") });
        let rest = stream::once(async move {
            // So that what there is goes out.
            tokio::task::yield_now().await;
            self.strike();
            self.struck();
            Ok::<&str, Infallible>("\"n2\"}")
        });
        Body::from_stream(first.chain(rest))
    }
}

async fn note(Shared(service): Shared<Service>, request: Request) -> Response {
    // Of its own: what is counted here does not depend on whether the client is still there.
    let received = tokio::spawn(service.receive(request));
    received.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// A data directory, and the process that worked on it.
struct Case {
    place: Place,
    service: Service,
    _folder: TempDir,
}

impl Case {
    async fn new(given: &Given) -> Self {
        let service = Service::default();
        let (folder, place) = given.copy(&service.start().await);
        Self { place, service, _folder: folder }
    }

    /// Runs a process that does this, and gives how it ended.
    async fn run(&self, name: &str, ahead: u64, end: Option<End>, point: Option<Point>, with: Value) -> Fate {
        if let Some(point) = point {
            self.service.arm(point);
        }
        let child = Task { name, place: &self.place, ahead, end, room: None, with }.start();
        self.service.0.victim.store(child.id(), Ordering::SeqCst);
        let fate = child.fate().await;
        while point.is_some() && !self.service.0.struck.load(Ordering::SeqCst) {
            assert!(matches!(fate, Fate::Killed(_)), "{point:?}: nothing was posted");
            tokio::task::yield_now().await;
        }
        fate
    }

    async fn open(&self, ahead: u64) -> Open {
        self.place.open(&Ahead::by(ahead), None).await
    }

    /// Proposes, approves and carries out a write from the beginning.
    async fn anew(&self, open: &Open, step: &str) {
        let before = self.service.posts();
        let outcome = open.runtime.call(&ann(), create(&self.place.connection, "Anew")).await;
        let Ok(Outcome::Held(proposal)) = outcome else { panic!("{step}: {outcome:?}") };
        carried_out(open, &proposal.invocation, step).await;
        assert_eq!(self.service.posts(), before + 1, "{step}: a new write goes out once");
    }

    /// Opens the directory after the process is gone, finishes what it left, and holds it to what has to be true.
    async fn settled(&self, step: &str) {
        let open = self.open(CLAIM).await;
        let reached = self.service.posts();
        assert!(reached <= 1, "{step}: it was sent {reached} times");
        let recovered = open.runtime.recover(&tenant()).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(self.service.posts(), reached, "{step}: to recover sends nothing");
        let Some(record) = only_record(&open, step).await else {
            assert_eq!(reached, 0, "{step}: what was sent is recorded");
            return self.anew(&open, step).await;
        };
        let id = record.invocation.clone();
        let (sent, answered, state) = (sent(&record), answered(&record), state(&record));
        assert!(sent || reached == 0, "{step}: it was sent before that was recorded");
        assert_eq!(
            state == State::Unknown,
            sent && !answered,
            "{step}: {state:?}, and without an answer it is unknown"
        );
        match state {
            State::Unknown => {
                assert_eq!(recovered.unknown, std::slice::from_ref(&id), "{step}");
                self.stays_unknown(&open, &id, step).await;
                settle_and_repeat(&open, &id, step).await;
                assert_eq!(self.service.posts(), reached + 1, "{step}: a decision to repeat is for one send");
            }
            State::Held => {
                assert_eq!(reached, 0, "{step}: it waits for a person");
                carried_out(&open, &id, step).await;
                assert_eq!(self.service.posts(), 1, "{step}");
            }
            State::Approved | State::Running => {
                assert_eq!(recovered.resumable, std::slice::from_ref(&id), "{step}: {state:?}");
                resumed(&open, &id, step).await;
                assert_eq!(self.service.posts(), 1, "{step}: approved, it goes out once");
            }
            State::Failed => {
                assert_eq!(recovered.interrupted, std::slice::from_ref(&id), "{step}");
                assert_eq!(reached, 0, "{step}: nobody was asked");
                return self.anew(&open, step).await;
            }
            State::Succeeded => assert_eq!(reached, 1, "{step}: it succeeded"),
            other => panic!("{step}: {other:?}"),
        }
        let total = self.service.posts();
        resumed(&open, &id, step).await;
        let nothing = open.runtime.recover(&tenant()).await.expect("recovered");
        assert_eq!(nothing, Recovered::default(), "{step}: everything is settled");
        assert_eq!(self.service.posts(), total, "{step}: what succeeded is not sent again");
        only_record(&open, step).await;
    }

    /// Neither a resumption nor another recovery sends it.
    async fn stays_unknown(&self, open: &Open, id: &InvocationId, step: &str) {
        let before = self.service.posts();
        for _ in 0..2 {
            let again = open.runtime.resume_as_host(&tenant(), id).await;
            let unknown = matches!(&again, Err(InvokeError::State { state, .. }) if state == "unknown");
            assert!(unknown, "{step}: {again:?}");
            let again = open.runtime.resume(&ann(), id).await;
            assert!(again.is_err(), "{step}: {again:?}");
            let nothing = open.runtime.recover(&tenant()).await.expect("recovered");
            assert_eq!(nothing, Recovered::default(), "{step}: it is settled already");
        }
        assert_eq!(self.service.posts(), before, "{step}: what is unknown is not sent again");
    }
}

/// Approves and resumes.
async fn carried_out(open: &Open, id: &InvocationId, step: &str) {
    let approved = open.runtime.decide(&boss(), id, DecisionKind::Approve, None).await;
    approved.unwrap_or_else(|error| panic!("{step}: {error}"));
    resumed(open, id, step).await;
}

async fn resumed(open: &Open, id: &InvocationId, step: &str) {
    let outcome = open.runtime.resume_as_host(&tenant(), id).await;
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{step}: {outcome:?}");
}

/// A person has looked, and says that it is not there.
async fn settle_and_repeat(open: &Open, id: &InvocationId, step: &str) {
    repeat(open, id, step).await;
    resumed(open, id, step).await;
}

async fn repeat(open: &Open, id: &InvocationId, step: &str) {
    let said = open.runtime.settle(&boss(), id, SettlementKind::Repeat, Some("it is not there".into())).await;
    said.unwrap_or_else(|error| panic!("{step}: {error}"));
}

/// The records of tool calls, each without gaps.
async fn records(open: &Open, step: &str) -> Vec<Record> {
    let filter = Filter { limit: u32::MAX, ..Filter::default() };
    let mut records = Vec::new();
    for summary in open.store.list(&tenant(), &filter).await.expect("a list") {
        if matches!(summary.standing, Standing::Tool { .. }) {
            let record = open.store.record(&tenant(), &summary.invocation).await.expect("a record");
            let numbers: Vec<u64> = record.entries.iter().map(|entry| entry.seq).collect();
            let whole: Vec<u64> = (0..).take(numbers.len()).collect();
            assert_eq!(numbers, whole, "{step}: the record has no gaps");
            records.push(record);
        }
    }
    records
}

async fn only_record(open: &Open, step: &str) -> Option<Record> {
    let mut records = records(open, step).await;
    assert!(records.len() <= 1, "{step}: {} records", records.len());
    records.pop()
}

fn state(record: &Record) -> State {
    record.entries.iter().rev().find_map(|entry| State::after(&entry.event)).expect("it was planned")
}

fn sent(record: &Record) -> bool {
    record.entries.iter().any(|entry| matches!(entry.event, Event::Write { state: EffectState::Sent, .. }))
}

fn answered(record: &Record) -> bool {
    let known =
        |event: &Event| matches!(event, Event::Write { state: EffectState::Confirmed | EffectState::Failed, .. });
    record.entries.iter().any(|entry| known(&entry.event))
}

/// What the test's own processes do; in the test program itself, nothing.
#[test]
fn child() {
    let Some(told) = told() else { return };
    block_on(async {
        let name = told.name.clone();
        match name.as_str() {
            "write" => write(told).await,
            "resume" => resume(told).await,
            "fill" => fill(told).await,
            other => panic!("nothing is known of {other}"),
        }
    });
}

async fn write(told: Told) {
    let steps = &told.steps;
    let open = told.place.open(&told.clock, Some(steps)).await;
    steps.part("proposing");
    let outcome = open.runtime.call(&ann(), create(&told.place.connection, "Milk")).await.expect("an outcome");
    let Outcome::Held(proposal) = outcome else { panic!("not held: {outcome:?}") };
    steps.part("approving");
    open.runtime.decide(&boss(), &proposal.invocation, DecisionKind::Approve, None).await.expect("approved");
    steps.part("resuming");
    let outcome = open.runtime.resume(&ann(), &proposal.invocation).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    steps.say(&steps.names());
}

async fn resume(told: Told) {
    let open = told.place.open(&told.clock, None).await;
    let id = InvocationId::new(told.with["invocation"].as_str().expect("an invocation"));
    let outcome = open.runtime.resume_as_host(&tenant(), &id).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

/// Writes until the disk is full, and says what it was told.
async fn fill(told: Told) {
    let open = told.place.open(&told.clock, None).await;
    let (mut done, mut codes) = (0, Vec::new());
    for number in 0..500 {
        match open.runtime.call(&ann(), create(&told.place.connection, &format!("Note {number}"))).await {
            Ok(Outcome::Done(_)) => done += 1,
            Ok(held) => panic!("{held:?}"),
            Err(error) => codes.push(error.code()),
        }
        if codes.last() == Some(&"disk-full") {
            break;
        }
    }
    told.steps.say(&json!({ "done": done, "codes": codes }).to_string());
}

#[test]
fn killed_before_and_after_every_step_of_a_write_it_is_never_sent_twice_without_a_decision() {
    block_on(async {
        let given = Given::new(&Service::default().start().await, Setting::Ask).await;
        let whole = Case::new(&given).await;
        let Fate::Lived(steps) = whole.run("write", 0, None, None, Value::Null).await else {
            panic!("nobody kills it")
        };
        assert_eq!(whole.service.posts(), 1);
        whole.settled("not killed").await;
        for part in ["proposing Journal::append", "approving Journal::decide", "resuming Journal::append"] {
            assert!(steps.contains(part), "there is no step {part}: {steps}");
        }

        let count = steps.lines().count();
        let ends =
            (1..=count).flat_map(|step| [Moment::Before, Moment::After].map(|moment| End { step, of: None, moment }));
        let killed = AtomicUsize::new(0);
        let (given, killed) = (&given, &killed);
        let cases = stream::iter(ends).for_each_concurrent(AT_A_TIME, |end| async move {
            let case = Case::new(given).await;
            let step = match case.run("write", 0, Some(end), None, Value::Null).await {
                Fate::Killed(words) => {
                    killed.fetch_add(1, Ordering::SeqCst);
                    format!("killed {words}")
                }
                Fate::Lived(_) => format!("not killed, since it has no step {}", end.step),
            };
            case.settled(&step).await;
        });
        cases.await;
        // What is looked up anew after a while makes the number of steps differ a little.
        let killed = killed.load(Ordering::SeqCst);
        assert!(killed * 10 >= count * 2 * 9, "only {killed} of {} were killed", count * 2);
    });
}

#[test]
fn killed_while_the_service_has_the_write_it_is_unknown_and_never_sent_again() {
    block_on(async {
        let given = Given::new(&Service::default().start().await, Setting::Ask).await;
        for point in [Point::Head, Point::Whole, Point::Half] {
            let case = Case::new(&given).await;
            let fate = case.run("write", 0, None, Some(point), Value::Null).await;
            assert!(matches!(fate, Fate::Killed(_)), "{point:?}");
            // The head may come alone, and then there was nothing to take effect.
            assert!(point == Point::Head || case.service.posts() == 1, "{point:?}");
            let step = format!("killed by the service ({point:?})");
            case.settled(&step).await;
        }
    });
}

#[test]
fn a_repetition_that_is_cut_off_is_in_doubt_again_and_waits_for_another_decision() {
    block_on(async {
        let given = Given::new(&Service::default().start().await, Setting::Ask).await;
        let case = Case::new(&given).await;
        case.run("write", 0, None, Some(Point::Whole), Value::Null).await;
        let open = case.open(CLAIM).await;
        let id = open.runtime.recover(&tenant()).await.expect("recovered").unknown.pop().expect("one is in doubt");
        repeat(&open, &id, "the first time").await;
        drop(open);

        let with = json!({ "invocation": id.as_str() });
        case.run("resume", CLAIM, None, Some(Point::Whole), with).await;
        assert_eq!(case.service.posts(), 2, "one decision, one more send");
        let open = case.open(2 * CLAIM).await;
        let recovered = open.runtime.recover(&tenant()).await.expect("recovered");
        assert_eq!(recovered.unknown, std::slice::from_ref(&id), "nobody decided about the second send");
        case.stays_unknown(&open, &id, "the second time").await;
        assert_eq!(case.service.posts(), 2);

        settle_and_repeat(&open, &id, "the second time").await;
        assert_eq!(case.service.posts(), 3);
        only_record(&open, "the second time").await;
    });
}

#[test]
fn with_a_disk_that_fills_up_nothing_is_sent_that_is_not_recorded() {
    block_on(async {
        let given = Given::new(&Service::default().start().await, Setting::Auto).await;
        let given = &given;
        // Every few kilobytes: the disk is full at another point of the write each time.
        let sizes = stream::iter((1..=10).map(|step| step * 5));
        sizes.for_each_concurrent(AT_A_TIME, |kilobytes| filled(given, kilobytes)).await;
    });
}

async fn filled(given: &Given, kilobytes: u64) {
    let case = Case::new(given).await;
    let step = format!("{kilobytes} KB left");
    let present = std::fs::metadata(case.place.database()).expect("a database").len();
    let room = Some(present + kilobytes * 1024);
    let task = Task { name: "fill", place: &case.place, ahead: 0, end: None, room, with: Value::Null };
    let Fate::Lived(words) = task.start().fate().await else { panic!("{step}: nobody kills it") };
    let words: Value = serde_json::from_str(&words).unwrap_or_else(|error| panic!("{step}: {error}: {words}"));
    let codes: Vec<&str> = words["codes"].as_array().expect("codes").iter().filter_map(Value::as_str).collect();
    assert_eq!(codes.last(), Some(&"disk-full"), "{step}: {words}");
    // Also where only what was deferred is lost, and what follows finds no record, or a shorter one.
    assert!(codes.iter().all(|code| *code == "disk-full"), "{step}: {words}");

    let db = rusqlite::Connection::open(case.place.database()).expect("the database");
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok", "{step}");
    drop(db);
    let open = case.open(CLAIM).await;
    let before = records(&open, &step).await;
    let recorded = before.iter().filter(|record| sent(record)).count();
    let reached = case.service.posts();
    assert!(reached <= recorded, "{step}: {reached} were sent, {recorded} are recorded as sent");
    assert!(Some(reached as u64) >= words["done"].as_u64(), "{step}: {reached} were sent, {words}");

    open.runtime.recover(&tenant()).await.expect("recovered");
    assert_eq!(case.service.posts(), reached, "{step}: to recover sends nothing");
    for record in records(&open, &step).await {
        let (id, state) = (&record.invocation, state(&record));
        assert!(state.is_final(), "{step}: {id} is {state:?}");
        assert_eq!(state == State::Unknown, sent(&record) && !answered(&record), "{step}: {id} is {state:?}");
    }
    let outcome = open.runtime.call(&ann(), create(&case.place.connection, "There is room again")).await;
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{step}: {outcome:?}");
    assert_eq!(case.service.posts(), reached + 1, "{step}");
}
