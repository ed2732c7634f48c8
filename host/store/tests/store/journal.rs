//! The record of everything that was done.

use std::sync::Arc;

use sallyport::authority::Authority;
use sallyport::connection::Owner;
use sallyport::ids::{CapabilityId, ConnectorId, Digest, InvocationId, SubjectId, TenantId, Timestamp, ToolName};
use sallyport::ports::{
    BodyRef, Decision, DecisionKind, Directory, Durability, Effect, EffectState, End, Entry, Event, Filter, Hold,
    Journal, Plan, SealedBody, Standing, State, StoreError,
};

use crate::given::{Given, authority, tenant};

pub(crate) fn body(name: &str) -> SealedBody {
    let (of, ciphertext) = (BodyRef { hash: name.into(), size: 3 }, name.as_bytes().to_vec());
    SealedBody { of, packed: false, nonce: vec![1; 24], ciphertext }
}

pub(crate) fn plan() -> Plan {
    Plan {
        standing: Standing::Tool { tool: ToolName::new("create_board").unwrap() },
        connector: ConnectorId::new("trello").unwrap(),
        component: Digest::of(b"component"),
        account: "account".into(),
        capabilities: vec![CapabilityId::new("boards.write").unwrap()],
        arguments: Some(body("arguments").of),
        seed: [7; 32],
        started: Timestamp(10),
        recording: sallyport::ports::RECORDING,
        context: None,
    }
}

pub(crate) fn effect(request: &str) -> Effect {
    Effect {
        method: "POST".into(),
        target: "https://api.trello.com/1/boards".into(),
        route: "POST {api}/1/boards".into(),
        capability: CapabilityId::new("boards.write").unwrap(),
        request: body(request).of,
    }
}

pub(crate) fn held(request: &str) -> Event {
    Event::Held(Hold { call: 3, effect: effect(request), reasons: vec!["asks".into()], expires: Timestamp(5_000) })
}

fn entry(seq: u64, event: Event) -> Entry {
    Entry { seq, at: Timestamp(100 + seq), event }
}

fn decision(kind: DecisionKind, request: &str, by: &str) -> Decision {
    Decision { kind, by: SubjectId::new(by), own: false, of: body(request).of, note: None }
}

pub(crate) const STARTED: Event = Event::Started { run: 1, replayed: 0 };

/// An invocation that was opened and claimed.
pub(crate) async fn opened(given: &Given) -> Authority {
    let stream = given.connection("trello", "s1", Owner::Workspace).await;
    reopened(given, &stream.at.connection).await
}

pub(crate) async fn reopened(given: &Given, connection: &sallyport::ids::ConnectionId) -> Authority {
    let mut at = authority(connection);
    at.invocation = InvocationId::fresh();
    let claim = given
        .store
        .open(&at, &plan(), vec![body("arguments")], Timestamp(100), 60_000, Durability::Eventual)
        .await
        .unwrap();
    assert_eq!(claim.state, State::Planned);
    at.fence = claim.lease.fence;
    at
}

pub(crate) async fn append(given: &Given, at: &Authority, first: u64, events: Vec<Event>) -> Result<(), StoreError> {
    let entries = events.into_iter().zip(first..).map(|(event, seq)| entry(seq, event)).collect();
    given.store.append(at, first, entries, vec![body("more")], Durability::Flushed).await
}

async fn state(given: &Given, at: &Authority) -> State {
    given
        .store
        .list(&tenant(), &Filter::default())
        .await
        .unwrap()
        .iter()
        .find(|line| line.invocation == at.invocation)
        .unwrap()
        .state
}

#[tokio::test]
async fn a_record_reads_back_as_it_was_appended() {
    let given = Given::new().await;
    let at = opened(&given).await;
    let events = vec![
        STARTED,
        Event::Call {
            call: 0,
            import: "http.send".into(),
            effect: Some(effect("read")),
            arguments: body("arguments").of,
            answer: body("more").of,
        },
        Event::Write { call: 1, state: EffectState::Sent, effect: Some(effect("write")), answer: None },
        Event::Write { call: 1, state: EffectState::Confirmed, effect: None, answer: Some(body("more").of) },
        Event::Ended(End::Succeeded { output: None }),
    ];
    append(&given, &at, 1, events.clone()).await.unwrap();
    let record = given.another().record(&tenant(), &at.invocation).await.unwrap();
    let mut right = vec![Entry { seq: 0, at: Timestamp(100), event: Event::Planned(Box::new(plan())) }];
    right.extend(events.into_iter().zip(1..).map(|(event, seq)| entry(seq, event)));
    assert_eq!(record.entries, right);
    assert_eq!((&record.caller, &record.connection), (&at.caller, &at.connection));
    assert_eq!(given.store.body(&tenant(), &at.connection, &body("more").of).await.unwrap(), body("more"));
    assert_eq!(state(&given, &at).await, State::Succeeded);

    let foreign = given.store.record(&TenantId::new("other"), &at.invocation).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })));
    let after = append(&given, &at, 6, vec![STARTED]).await;
    assert!(matches!(after, Err(StoreError::Conflict { .. })), "nothing follows the end: {after:?}");
}

#[tokio::test]
async fn the_sequence_has_no_gaps_and_no_second_writer() {
    let given = Given::new().await;
    let at = opened(&given).await;
    append(&given, &at, 1, vec![STARTED]).await.unwrap();
    for first in [0, 1, 3] {
        let refused = append(&given, &at, first, vec![STARTED]).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{first}: {refused:?}");
    }
    let held = given.another().claim(&tenant(), &at.invocation, 1000).await;
    assert!(matches!(held, Err(StoreError::Held { .. })), "{held:?}");
    given.clock.forward(60_001);
    let taken = given.another().claim(&tenant(), &at.invocation, 60_000).await.unwrap();
    assert_eq!((taken.state, taken.lease.fence > at.fence), (State::Running, true));
    let late = append(&given, &at, 2, vec![held_none()]).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "an older fence: {late:?}");
    assert!(given.store.renew_claim(&at).await.is_err() && given.store.release_claim(&at).await.is_err());
    let successor = Authority { fence: taken.lease.fence, ..at.clone() };
    append(&given, &successor, 2, vec![STARTED]).await.unwrap();
    assert_eq!(given.store.record(&tenant(), &at.invocation).await.unwrap().entries.len(), 3);

    let decided = Event::Decided(decision(DecisionKind::Approve, "write", "ann"));
    assert!(append(&given, &successor, 3, vec![decided]).await.is_err(), "a decision is made by `decide` only");
}

fn held_none() -> Event {
    held("write")
}

#[tokio::test]
async fn of_a_hundred_deciders_one_decides() {
    let given = Given::new().await;
    let at = opened(&given).await;
    append(&given, &at, 1, vec![STARTED, held("write")]).await.unwrap();
    given.store.release_claim(&at).await.unwrap();
    let (one, two) = (Arc::new(given.store.clone()), Arc::new(given.another()));
    let racers = (0..100).map(|n| {
        let (store, invocation) = (if n % 2 == 0 { one.clone() } else { two.clone() }, at.invocation.clone());
        let kind = if n % 3 == 0 { DecisionKind::Deny } else { DecisionKind::Approve };
        let decision = decision(kind, "write", &format!("racer {n}"));
        tokio::spawn(async move { store.decide(&tenant(), &invocation, &decision, Timestamp(200)).await })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(()) => won += 1,
            Err(StoreError::Conflict { found, .. }) => {
                assert!(["approved", "denied"].contains(&found.as_str()), "{found}")
            }
            Err(other) => panic!("{other}"),
        }
    }
    let record = given.store.record(&tenant(), &at.invocation).await.unwrap();
    assert_eq!((won, record.entries.len()), (1, 4));
    assert!(matches!(record.entries[3].event, Event::Decided(_)));
}

#[tokio::test]
async fn a_decision_is_about_the_hold_that_stands_and_in_time() {
    let given = Given::new().await;
    let at = opened(&given).await;
    let approve = |request| decision(DecisionKind::Approve, request, "ann");
    let early = given.store.decide(&tenant(), &at.invocation, &approve("write"), Timestamp(200)).await;
    assert!(matches!(early, Err(StoreError::Conflict { .. })), "nothing is held yet");
    append(&given, &at, 1, vec![STARTED, held("write")]).await.unwrap();
    let other = given.store.decide(&tenant(), &at.invocation, &approve("another write"), Timestamp(200)).await;
    assert!(matches!(other, Err(StoreError::Conflict { .. })), "another write was decided about");
    let late = given.store.decide(&tenant(), &at.invocation, &approve("write"), Timestamp(5_001)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "the hold has expired");
    let foreign = given.store.decide(&TenantId::new("other"), &at.invocation, &approve("write"), Timestamp(200)).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })));
    assert_eq!(state(&given, &at).await, State::Held);

    let expire = decision(DecisionKind::Expire, "write", "system");
    given.store.decide(&tenant(), &at.invocation, &expire, Timestamp(5_001)).await.unwrap();
    assert_eq!(state(&given, &at).await, State::Expired);
    append(&given, &at, 4, vec![Event::Ended(End::Expired)]).await.unwrap();
}

#[tokio::test]
async fn only_what_is_to_be_executed_can_be_claimed() {
    let given = Given::new().await;
    let at = opened(&given).await;
    append(&given, &at, 1, vec![STARTED, held("write")]).await.unwrap();
    given.store.release_claim(&at).await.unwrap();
    let claim = given.store.claim(&tenant(), &at.invocation, 1000).await;
    assert!(matches!(&claim, Err(StoreError::Conflict { found, .. }) if found == "held"), "{claim:?}");
    let approve = decision(DecisionKind::Approve, "write", "ann");
    given.store.decide(&tenant(), &at.invocation, &approve, Timestamp(200)).await.unwrap();
    let claim = given.store.claim(&tenant(), &at.invocation, 60_000).await.unwrap();
    assert_eq!(claim.state, State::Approved);
    let again = given.another().claim(&tenant(), &at.invocation, 1000).await;
    assert!(matches!(again, Err(StoreError::Held { .. })), "one executes it: {again:?}");
    let at = Authority { fence: claim.lease.fence, ..at };
    append(&given, &at, 4, vec![STARTED, Event::Ended(End::Denied)]).await.unwrap();
    given.store.release_claim(&at).await.unwrap();
    assert!(matches!(given.store.claim(&tenant(), &at.invocation, 1000).await, Err(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn lists_are_filtered_newest_first_and_the_tenants_own() {
    let given = Given::new().await;
    let first = opened(&given).await;
    let mut second = reopened(&given, &first.connection).await;
    append(&given, &second, 1, vec![STARTED, held("write")]).await.unwrap();
    let ids = |lines: Vec<sallyport::ports::Summary>| -> Vec<InvocationId> {
        lines.into_iter().map(|line| line.invocation).collect()
    };
    let all = given.store.list(&tenant(), &Filter::default()).await.unwrap();
    assert_eq!(all[0].expires, Some(Timestamp(5_000)));
    assert_eq!(ids(all), [second.invocation.clone(), first.invocation.clone()]);
    let waiting = Filter { states: vec![State::Held, State::Approved], ..Filter::default() };
    assert_eq!(ids(given.store.list(&tenant(), &waiting).await.unwrap()), [second.invocation.clone()]);
    let one = Filter { limit: 1, ..Filter::default() };
    assert_eq!(given.store.list(&tenant(), &one).await.unwrap().len(), 1);
    let of_ann = Filter { subject: Some(SubjectId::new("ann")), ..Filter::default() };
    assert!(given.store.list(&tenant(), &of_ann).await.unwrap().is_empty());
    assert!(given.store.list(&TenantId::new("other"), &Filter::default()).await.unwrap().is_empty());
    second.caller.tenant = TenantId::new("other");
    let foreign = append(&given, &second, 3, vec![STARTED]).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })), "{foreign:?}");
}

#[tokio::test]
async fn writes_of_a_day_are_counted_once_each() {
    let given = Given::new().await;
    let at = opened(&given).await;
    let sent = |call| Event::Write { call, state: EffectState::Sent, effect: Some(effect("write")), answer: None };
    let confirmed = Event::Write { call: 1, state: EffectState::Confirmed, effect: None, answer: None };
    append(&given, &at, 1, vec![sent(1), confirmed, sent(2), sent(2)]).await.unwrap();
    let count = |from| given.store.writes_since(&at.caller.tenant, &at.connection, Timestamp(from));
    assert_eq!((count(0).await.unwrap(), count(102).await.unwrap(), count(104).await.unwrap()), (2, 1, 0));
}

#[tokio::test]
async fn entries_cannot_be_changed_and_outlive_their_connection_without_bodies() {
    let given = Given::new().await;
    let at = opened(&given).await;
    let db = rusqlite::Connection::open(given.folder.path().join("sallyport.db")).unwrap();
    assert!(db.execute("UPDATE entries SET at = 0", []).is_err());
    assert!(db.execute("DELETE FROM entries", []).is_err());
    given.store.remove_connection(&tenant(), &at.connection).await.unwrap();
    assert_eq!(given.store.record(&tenant(), &at.invocation).await.unwrap().entries.len(), 1);
    assert_eq!(given.rows("bodies"), 0);
    assert!(given.store.body(&tenant(), &at.connection, &body("arguments").of).await.is_err());
}

/// Three ports have a `renew` and a `release`: here the journal's are meant.
trait Claims {
    async fn renew_claim(&self, at: &Authority) -> Result<(), StoreError>;
    async fn release_claim(&self, at: &Authority) -> Result<(), StoreError>;
}

impl Claims for sallyport_store::Store {
    async fn renew_claim(&self, at: &Authority) -> Result<(), StoreError> {
        Journal::renew(self, at, 1000).await.map(drop)
    }

    async fn release_claim(&self, at: &Authority) -> Result<(), StoreError> {
        Journal::release(self, at).await
    }
}

/// With a read's durability a call may be over before its beginning is written.
#[tokio::test]
async fn what_follows_a_beginning_is_judged_before_that_is_written() {
    let given = Given::new().await;
    let mut at = authority(&given.connection("trello", "s1", Owner::Workspace).await.at.connection);
    at.invocation = InvocationId::fresh();
    let links = given.rows("audit");
    // The writer does not get its turn.
    let other = rusqlite::Connection::open(given.folder.path().join("sallyport.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let bodies = vec![body("arguments")];
    let claim = given.store.open(&at, &plan(), bodies, Timestamp(100), 60_000, Durability::Deferred).await.unwrap();
    at.fence = claim.lease.fence;
    let append = async |at: &Authority, seq, event, bodies| {
        given.store.append(at, seq, vec![entry(seq, event)], bodies, Durability::Deferred).await
    };
    let end = || Event::Ended(End::Succeeded { output: None });
    let older = Authority { fence: Default::default(), ..at.clone() };
    let mut theirs = at.clone();
    theirs.caller.tenant = TenantId::new("other");
    append(&at, 1, STARTED, vec![body("asked")]).await.unwrap();
    assert!(matches!(append(&at, 1, end(), Vec::new()).await, Err(StoreError::Conflict { .. })), "again");
    assert!(matches!(append(&at, 3, end(), Vec::new()).await, Err(StoreError::Conflict { .. })), "a gap");
    assert!(matches!(append(&older, 2, end(), Vec::new()).await, Err(StoreError::Conflict { .. })), "an older fence");
    assert!(matches!(append(&theirs, 2, end(), Vec::new()).await, Err(StoreError::NotFound { .. })));
    append(&at, 2, end(), vec![body("answer")]).await.unwrap();
    assert!(matches!(append(&at, 3, end(), Vec::new()).await, Err(StoreError::Conflict { .. })), "it has ended");
    let opened = given.store.open(&at, &plan(), Vec::new(), Timestamp(100), 60_000, Durability::Deferred).await;
    assert!(matches!(opened, Err(StoreError::Conflict { .. })), "opened before");
    assert_eq!((given.rows("invocations"), given.rows("entries")), (0, 0), "nothing is written yet");
    other.execute_batch("ROLLBACK").unwrap();

    let record = given.store.record(&tenant(), &at.invocation).await.unwrap();
    let events: Vec<_> = record.entries.iter().map(|entry| (entry.seq, State::after(&entry.event))).collect();
    assert_eq!(events, [(0, Some(State::Planned)), (1, Some(State::Running)), (2, Some(State::Succeeded))]);
    assert_eq!(record.caller, at.caller);
    assert_eq!(given.rows("audit") - links, 3, "each entry has its link");
    for name in ["arguments", "asked", "answer"] {
        given.store.body(&tenant(), &at.connection, &body(name).of).await.unwrap();
    }
    let again = given.store.open(&at, &plan(), Vec::new(), Timestamp(100), 60_000, Durability::Eventual).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "opened before");
}

#[tokio::test]
async fn bodies_are_found_together_wherever_they_lie() {
    let given = Given::new().await;
    let at = opened(&given).await;
    let own = |from: u32, to: u32| (from..to).map(|number| body(&format!("b{number}"))).collect::<Vec<_>>();
    let keep = async |at: &Authority, seq, bodies| {
        given.store.append(at, seq, vec![entry(seq, STARTED)], bodies, Durability::Eventual).await.unwrap();
    };
    keep(&at, 1, own(0, 20)).await;
    let stream = given.connection("other", "s2", Owner::Workspace).await;
    let theirs = reopened(&given, &stream.at.connection).await;
    // Another connection's, one of which has a name of ours.
    keep(&theirs, 1, own(15, 40)).await;
    keep(&at, 2, own(20, 60)).await;

    let asked: Vec<BodyRef> = [55, 3, 4, 21, 0, 99, 15, 3].map(|number| body(&format!("b{number}")).of).into();
    let mut found = given.store.bodies(&tenant(), &at.connection, &asked).await.unwrap();
    found.sort_by(|a, b| a.of.hash.cmp(&b.of.hash));
    assert_eq!(found, ["b0", "b15", "b21", "b3", "b4", "b55"].map(body), "each once, and not what is not there");
    let all: Vec<BodyRef> = own(0, 60).into_iter().map(|body| body.of).collect();
    assert_eq!(given.store.bodies(&tenant(), &at.connection, &all).await.unwrap().len(), 60);
    assert_eq!(given.store.bodies(&tenant(), &theirs.connection, &all).await.unwrap().len(), 25);
    let absent = given.store.bodies(&TenantId::new("elsewhere"), &at.connection, &all).await;
    assert!(matches!(absent, Err(StoreError::NotFound { .. })), "another tenant's connection");
}
