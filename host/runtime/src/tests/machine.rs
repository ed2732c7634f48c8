//! The states of an invocation, walked at random: whatever people decide, whenever processes die, whatever the service
//! answers, a write goes out as often as somebody said that it may, and no more.
//!
//! [`Model`] is what the design says of states. It knows nothing of journals, replays or guests. [`Hosts`] is the real
//! thing: a guest in wasmtime, a store that outlives each process, an HTTP server that counts what reaches it.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy as _, Union};
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use serde_json::json;
use tokio::sync::oneshot;

use super::tools::creator;
use super::{World, admin, ann, boss, connector, done, limits, runtime};
use crate::admission::Word;
use crate::connection::Setting;
use crate::error::InvokeError;
use crate::fixtures::{Answer, Seen};
use crate::ids::InvocationId;
use crate::ports::{DecisionKind, SettlementKind, State};
use crate::tool::{Outcome, Proposal, Verdict};

/// The most invocations of one walk.
const MOST: usize = 3;
const MINUTE: Duration = Duration::from_secs(60);
/// How long a question waits: the default of [`crate::runtime::Builder::hold`].
const HOLD: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the claim of a process that died lives: a tool call's wall time, and half a minute.
const CLAIM: Duration = Duration::from_secs(90);

/// The guest, encoded once for all walks.
static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| creator().component());

/// Something that happens. Invocations are named by the order in which they were proposed.
#[derive(Clone, Copy, Debug)]
enum Step {
    Propose,
    Approve(usize),
    Deny(usize),
    Resume(usize),
    /// Somebody looked at the service.
    Settle(usize, SettlementKind),
    Advance(Duration),
    /// A process resumes, and dies when the service has the write. Another one takes its place.
    Crash(usize),
    Restart,
    Recover,
    /// Another version of the connector takes the place of the one before.
    Upgrade,
    /// From now on the service takes writes and says nothing, or answers again.
    LoseAnswers(bool),
}

/// What whoever took a step was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Fine,
    /// It is in a state in which this cannot be done.
    State,
    Later,
    Unknown,
    Void,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Held {
        expires: Duration,
    },
    Approved,
    /// The process died after the write had left; its claim ends then.
    CutOff {
        until: Duration,
    },
    Unknown,
    /// For ever.
    Ended(State),
}

impl Stage {
    /// As the runtime calls it.
    fn state(self) -> State {
        match self {
            Self::Held { .. } => State::Held,
            Self::Approved => State::Approved,
            Self::CutOff { .. } => State::Running,
            Self::Unknown => State::Unknown,
            Self::Ended(state) => state,
        }
    }
}

#[derive(Clone, Debug)]
struct Invocation {
    stage: Stage,
    /// The connector's version when it was proposed.
    version: u32,
    /// How often people said that its write may be sent.
    permitted: usize,
    sent: usize,
}

/// What has to be true after each step.
#[derive(Clone, Debug)]
struct Model {
    invocations: Vec<Invocation>,
    /// Since the walk began.
    now: Duration,
    version: u32,
    loses: bool,
    /// What the last step's taker was told.
    told: Told,
}

impl Model {
    /// Whether a resumption would send its write.
    fn would_send(&self, one: usize) -> bool {
        self.invocations.get(one).is_some_and(|own| own.stage == Stage::Approved && own.version == self.version)
    }

    /// A decision counts once, and as long as the question waits.
    fn decide(&mut self, one: usize, decided: Stage) -> Told {
        let now = self.now;
        let own = &mut self.invocations[one];
        let Stage::Held { expires } = own.stage else { return Told::State };
        if expires < now {
            own.stage = Stage::Ended(State::Expired);
            return Told::State;
        }
        own.stage = decided;
        own.permitted += usize::from(decided == Stage::Approved);
        Told::Fine
    }

    fn resume(&mut self, one: usize) -> Told {
        let (now, version, loses) = (self.now, self.version, self.loses);
        let own = &mut self.invocations[one];
        match own.stage {
            Stage::Approved if own.version != version => {
                own.stage = Stage::Ended(State::Failed);
                Told::Void
            }
            Stage::Approved if loses => {
                own.sent += 1;
                own.stage = Stage::Unknown;
                Told::Unknown
            }
            Stage::Approved => {
                own.sent += 1;
                own.stage = Stage::Ended(State::Succeeded);
                Told::Fine
            }
            Stage::CutOff { until } if until > now => Told::Later,
            Stage::CutOff { .. } => {
                own.stage = Stage::Unknown;
                Told::Unknown
            }
            // It tells its result again.
            Stage::Ended(State::Succeeded) => Told::Fine,
            Stage::Held { .. } | Stage::Unknown | Stage::Ended(_) => Told::State,
        }
    }

    fn settle(&mut self, one: usize, kind: SettlementKind) -> Told {
        let own = &mut self.invocations[one];
        if own.stage != Stage::Unknown {
            return Told::State;
        }
        match kind {
            SettlementKind::Repeat => {
                own.stage = Stage::Approved;
                own.permitted += 1;
            }
            SettlementKind::TookEffect => own.stage = Stage::Ended(State::Failed),
        }
        Told::Fine
    }

    fn recover(&mut self) -> Told {
        let now = self.now;
        for own in &mut self.invocations {
            match own.stage {
                Stage::Held { expires } if expires < now => own.stage = Stage::Ended(State::Expired),
                Stage::CutOff { until } if until <= now => own.stage = Stage::Unknown,
                Stage::Held { .. } | Stage::CutOff { .. } | Stage::Approved | Stage::Unknown | Stage::Ended(_) => {}
            }
        }
        Told::Fine
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let told = Told::Fine;
        Just(Self { invocations: Vec::new(), now: Duration::ZERO, version: 0, loses: false, told }).boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Step> {
        let count = model.invocations.len();
        let spans = vec![MINUTE, MINUTE, 20 * MINUTE, HOLD + MINUTE];
        let mut steps: Vec<(u32, BoxedStrategy<Step>)> = vec![
            (1, Just(Step::Restart).boxed()),
            (1, Just(Step::Upgrade).boxed()),
            (2, Just(Step::Recover).boxed()),
            (2, select(vec![false, true]).prop_map(Step::LoseAnswers).boxed()),
            (3, select(spans).prop_map(Step::Advance).boxed()),
        ];
        if count < MOST {
            // There is little to walk through before the first.
            steps.push((if count == 0 { 20 } else { 3 }, Just(Step::Propose).boxed()));
        }
        if count > 0 {
            let any = || 0..count;
            let kinds = || select(vec![SettlementKind::Repeat, SettlementKind::TookEffect]);
            steps.push((6, any().prop_map(Step::Approve).boxed()));
            steps.push((1, any().prop_map(Step::Deny).boxed()));
            steps.push((7, any().prop_map(Step::Resume).boxed()));
            steps.push((4, (any(), kinds()).prop_map(|(one, kind)| Step::Settle(one, kind)).boxed()));
        }
        let ready: Vec<usize> = (0..count).filter(|one| model.would_send(*one)).collect();
        if !ready.is_empty() {
            steps.push((4, select(ready).prop_map(Step::Crash).boxed()));
        }
        Union::new_weighted(steps).boxed()
    }

    /// What remains of a walk when a step was taken out still makes sense.
    fn preconditions(model: &Self, step: &Step) -> bool {
        match *step {
            Step::Propose => model.invocations.len() < MOST,
            Step::Approve(one) | Step::Deny(one) | Step::Resume(one) | Step::Settle(one, _) => {
                one < model.invocations.len()
            }
            Step::Crash(one) => model.would_send(one),
            Step::Advance(_) | Step::Restart | Step::Recover | Step::Upgrade | Step::LoseAnswers(_) => true,
        }
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.told = match *step {
            Step::Propose => {
                let stage = Stage::Held { expires: model.now + HOLD };
                model.invocations.push(Invocation { stage, version: model.version, permitted: 0, sent: 0 });
                Told::Fine
            }
            Step::Approve(one) => model.decide(one, Stage::Approved),
            Step::Deny(one) => model.decide(one, Stage::Ended(State::Denied)),
            Step::Resume(one) => model.resume(one),
            Step::Settle(one, kind) => model.settle(one, kind),
            Step::Advance(by) => {
                model.now += by;
                Told::Fine
            }
            Step::Crash(one) => {
                let until = model.now + CLAIM;
                let own = &mut model.invocations[one];
                own.sent += 1;
                own.stage = Stage::CutOff { until };
                Told::Fine
            }
            Step::Restart => Told::Fine,
            Step::Recover => model.recover(),
            Step::Upgrade => {
                model.version += 1;
                Told::Fine
            }
            Step::LoseAnswers(loses) => {
                model.loses = loses;
                Told::Fine
            }
        };
        model
    }
}

/// What the service does with a write.
#[derive(Clone, Copy)]
enum Manner {
    Answers,
    Loses,
    Hangs,
}

impl Manner {
    fn of(model: &Model) -> Self {
        if model.loses { Self::Loses } else { Self::Answers }
    }
}

/// The world, and the thread on which it is asked.
struct Hosts {
    world: World,
    manner: Arc<Mutex<Manner>>,
    /// What was shown when each invocation was proposed.
    proposals: Vec<Proposal>,
    /// Dropped last: the service runs on it.
    thread: tokio::runtime::Runtime,
}

fn thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn told<T>(result: Result<T, InvokeError>) -> Told {
    match result {
        Ok(_) => Told::Fine,
        Err(InvokeError::State { .. }) => Told::State,
        Err(InvokeError::Later { .. }) => Told::Later,
        Err(InvokeError::Unknown { .. }) => Told::Unknown,
        Err(InvokeError::Void { .. }) => Told::Void,
        Err(other) => panic!("{other}"),
    }
}

impl Hosts {
    fn id(&self, one: usize) -> &InvocationId {
        &self.proposals[one].invocation
    }

    /// How often the service got the write that was shown.
    fn sent(&self, one: usize) -> usize {
        let shown = &self.proposals[one].first_write.body;
        self.world.reached("POST").iter().filter(|seen| seen.text() == *shown).count()
    }

    fn take(&mut self, model: &Model, step: Step) -> Told {
        match step {
            Step::Propose => self.propose(),
            Step::Approve(one) => self.decide(one, DecisionKind::Approve),
            Step::Deny(one) => self.decide(one, DecisionKind::Deny),
            Step::Resume(one) => {
                let resumed = self.thread.block_on(self.world.runtime.resume(&ann(), self.id(one)));
                told(resumed.map(done))
            }
            Step::Settle(one, kind) => {
                told(self.thread.block_on(self.world.runtime.settle(&boss(), self.id(one), kind, None)))
            }
            Step::Advance(by) => {
                self.world.clock.advance(by);
                Told::Fine
            }
            Step::Crash(one) => {
                self.crash(one);
                *self.manner.lock() = Manner::of(model);
                self.restart();
                Told::Fine
            }
            Step::Restart => {
                self.restart();
                Told::Fine
            }
            Step::Recover => self.recover(model),
            Step::Upgrade => {
                let file = connector(&COMPONENT, &format!("0.1.{}", model.version));
                let installed = self.thread.block_on(self.world.runtime.install(&admin(), file, Word::UNSIGNED));
                assert!(installed.unwrap().live);
                Told::Fine
            }
            Step::LoseAnswers(_) => {
                *self.manner.lock() = Manner::of(model);
                Told::Fine
            }
        }
    }

    /// Each invocation has arguments of its own, so that its write is told from others'.
    fn propose(&mut self) -> Told {
        let arguments = json!({ "name": format!("item {}", self.proposals.len()) });
        let called = self.thread.block_on(self.world.call("create_item", arguments, Verdict::Allow));
        let Outcome::Held(proposal) = called.unwrap() else { panic!("it was not held") };
        self.proposals.push(*proposal);
        Told::Fine
    }

    fn decide(&mut self, one: usize, kind: DecisionKind) -> Told {
        told(self.thread.block_on(self.world.runtime.decide(&boss(), self.id(one), kind, None)))
    }

    fn restart(&mut self) {
        let _inside = self.thread.enter();
        self.world.restart();
    }

    /// Resumes in a process of its own, which is killed as soon as the service has the write.
    fn crash(&mut self, one: usize) {
        let before = self.sent(one);
        *self.manner.lock() = Manner::Hangs;
        let (store, clock) = (Arc::clone(&self.world.store), Arc::clone(&self.world.clock));
        let (url, id) = (self.world.service.url(), self.id(one).clone());
        let (kill, killed) = oneshot::channel::<()>();
        let process = std::thread::spawn(move || {
            let thread = thread();
            thread.block_on(async {
                let runtime = runtime(&url, &store, &clock, limits());
                let ann = ann();
                tokio::select! {
                    ended = runtime.resume(&ann, &id) => panic!("{ended:?}"),
                    _ = killed => {}
                }
            });
            thread.shutdown_background();
        });
        self.thread.block_on(async {
            while self.sent(one) == before {
                assert!(!process.is_finished(), "it ended before its write");
                tokio::task::yield_now().await;
            }
        });
        kill.send(()).unwrap();
        process.join().unwrap();
    }

    fn recover(&mut self, model: &Model) -> Told {
        let recovered = self.thread.block_on(self.world.runtime.recover(&ann().tenant)).unwrap();
        let approved = model.invocations.iter().zip(&self.proposals).filter(|(own, _)| own.stage == Stage::Approved);
        let mut approved: Vec<InvocationId> = approved.map(|(_, proposal)| proposal.invocation.clone()).collect();
        let mut resumable = recovered.resumable;
        approved.sort();
        resumable.sort();
        assert_eq!(resumable, approved);
        assert!(recovered.interrupted.is_empty(), "{:?}", recovered.interrupted);
        Told::Fine
    }
}

impl StateMachineTest for Hosts {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(model: &Model) -> Self {
        let manner = Arc::new(Mutex::new(Manner::of(model)));
        let how = Arc::clone(&manner);
        let answer = move |seen: &Seen, _: usize| match *how.lock() {
            _ if seen.line().starts_with("GET") => Answer::json(200, "[]"),
            Manner::Answers => Answer::json(201, r#"{"id":"it_1"}"#),
            Manner::Loses => Answer::Close,
            Manner::Hangs => Answer::Hang,
        };
        let thread = thread();
        let world = thread.block_on(World::of(limits(), &COMPONENT, Setting::Ask, answer));
        Self { world, manner, proposals: Vec::new(), thread }
    }

    fn apply(mut hosts: Self, model: &Model, step: Step) -> Self {
        let told = hosts.take(model, step);
        assert_eq!(told, model.told, "{step:?}");
        hosts
    }

    /// That what has ended stays ended follows: the model never leaves [`Stage::Ended`].
    fn check_invariants(hosts: &Self, model: &Model) {
        for (one, expected) in model.invocations.iter().enumerate() {
            let sent = hosts.sent(one);
            assert!(sent <= expected.permitted, "item {one}: sent {sent} times, permitted {}", expected.permitted);
            assert_eq!(sent, expected.sent, "item {one}: how often it was sent");
            let view = hosts.thread.block_on(hosts.world.runtime.invocation(&ann(), hosts.id(one))).unwrap();
            assert_eq!(view.state, expected.stage.state(), "item {one}: its state");
        }
        let all: usize = model.invocations.iter().map(|own| own.sent).sum();
        assert_eq!(hosts.world.reached("POST").len(), all, "no write was other bytes than were shown");
    }
}

/// Walks cost a process each, and more where one dies: few, and nothing of them is kept beside the code.
fn walks() -> Config {
    Config { cases: 48, max_shrink_iters: 128, failure_persistence: None, ..Config::default() }
}

prop_state_machine! {
    #![proptest_config(walks())]

    #[test]
    fn a_write_goes_out_as_often_as_somebody_said_and_no_more(sequential 1..=14 => Hosts);
}
