//! Races around an approval and a refresh, in orders that follow from seeds (`super::turns`): whoever comes between
//! whoever else's port calls, one decides, one sends, one refreshes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::tools::creator;
use super::turns::{Schedule, Turns};
use super::{World, ann, caller, cap, done, limits};
use crate::caller::Role;
use crate::connection::{ConnectionState, Setting};
use crate::credentials::{CredentialError, Credentials};
use crate::error::InvokeError;
use crate::fixtures::{self, Answer, Host, Seen, Service};
use crate::ids::ConnectionId;
use crate::keys::{Keyring, MasterKey};
use crate::ports::{DecisionKind, Directory as _, Event, Journal as _, State, StoreError, TenantRules};
use crate::registry::Registry;
use crate::runtime::{Ports, Runtime};
use crate::testing::MemoryStore;
use crate::tool::{Outcome, Proposal, Verdict};
use crate::wire::{Repoint, Wire, WireConfig};

/// Races of each kind.
const SEEDS: u64 = 240;

/// Each item that is created has an id of its own.
fn numbered(seen: &Seen, n: usize) -> Answer {
    match seen.line().split(' ').next() {
        Some("POST") => Answer::json(201, &format!("{{\"id\":\"it_{n}\"}}")),
        _ => Answer::json(200, "[]"),
    }
}

/// Another process on the world's store, whose calls to journal and directory wait for their turns.
fn process(world: &World, schedule: &Schedule) -> Runtime {
    let turns = Turns::new(&world.store, schedule);
    let ports =
        Ports { journal: Arc::clone(&turns) as _, directory: turns as _, ..Ports::all(Arc::clone(&world.store)) };
    let url = world.service.url();
    let repoint = Repoint::new([("acme.api", &url), ("acme.files", &url)]).expect("re-pointing");
    Runtime::builder(ports, MasterKey::from_bytes([7; 32]))
        .registry(Registry::default().extended(fixtures::PROVIDER).expect("the test's provider"))
        .wire(WireConfig { repoint, ..WireConfig::default() })
        .clock(Arc::clone(&world.clock) as _)
        .limits(limits())
        .build()
        .expect("a runtime")
}

/// Calls `create_item` with a name that no other call has, and is held.
async fn held(world: &World, name: String) -> Proposal {
    match world.call("create_item", json!({ "name": name }), Verdict::Allow).await.expect("an outcome") {
        Outcome::Held(proposal) => *proposal,
        Outcome::Done(done) => panic!("not held: {done:?}"),
    }
}

/// How often its write reached the service.
fn sent(world: &World, proposal: &Proposal) -> usize {
    world.reached("POST").iter().filter(|seen| seen.text() == proposal.first_write.body).count()
}

/// Whether a resumption that is not the one that sends may be told this.
fn is_second(error: &InvokeError) -> bool {
    matches!(
        error,
        InvokeError::State { .. }
            | InvokeError::Later { .. }
            | InvokeError::Unknown { .. }
            // The claim was taken over by another one.
            | InvokeError::Store(StoreError::Conflict { .. })
    )
}

#[tokio::test]
async fn of_those_who_decide_and_the_end_of_the_question_one_counts_and_one_write_goes_out() {
    use DecisionKind::{Approve, Deny, Expire};
    let world = World::new(&creator(), Setting::Ask, numbered).await;
    let schedule = Schedule::default();
    let (one, other) = (process(&world, &schedule), process(&world, &schedule));
    let tenant = ann().tenant;
    let mut counted = Vec::new();
    for seed in 0..SEEDS {
        let proposal = held(&world, format!("item {seed}")).await;
        let id = &proposal.invocation;
        for runtime in [&one, &other] {
            // The component is compiled on another thread, once.
            runtime.proposal(&ann(), id).await.expect("the proposal");
        }

        schedule.begin(seed);
        let decide = |who: &'static str, runtime: &Runtime, kind: DecisionKind| {
            let (runtime, id) = (runtime.clone(), id.clone());
            schedule.go(who, async move { runtime.decide(&caller(who, Role::Approver), &id, kind, None).await })
        };
        let deciding = [decide("boss", &one, Approve), decide("chief", &other, Approve), decide("dean", &one, Deny)];
        let resume = |who: &'static str, runtime: &Runtime| {
            let (runtime, id) = (runtime.clone(), id.clone());
            schedule.go(who, async move { runtime.resume(&ann(), &id).await.map(done) })
        };
        let resuming = [resume("first", &one), resume("second", &other)];
        // In every other race the question ends, at another moment each time. Claims that were made before end with it.
        let expiring = seed.is_multiple_of(2).then(|| {
            let (runtime, clock, gates) = (other.clone(), Arc::clone(&world.clock), schedule.clone());
            schedule.go("time", async move {
                for _ in 0..seed / 2 % 24 {
                    gates.gate("waits").await;
                }
                clock.advance(Duration::from_secs(25 * 60 * 60));
                runtime.recover(&ann().tenant).await
            })
        });
        schedule.run().await;
        let race = schedule.told(seed);

        let mut decided = Vec::new();
        for deciding in deciding {
            decided.push(deciding.await.expect("no panic"));
        }
        let mut resumed = Vec::new();
        for resuming in resuming {
            resumed.push(resuming.await.expect("no panic"));
        }
        if let Some(expiring) = expiring {
            expiring.await.expect("no panic").expect("recovered");
        }
        let entries = world.store.record(&tenant, id).await.expect("a record").entries;
        let decisions: Vec<DecisionKind> = entries
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Decided(decision) => Some(decision.kind),
                _ => None,
            })
            .collect();
        let &[decision] = &decisions[..] else { panic!("{decisions:?} were recorded; {race}") };
        let won = decided.iter().filter(|decided| decided.is_ok()).count();
        assert_eq!(won, usize::from(decision != Expire), "{decided:?}; {race}");
        for lost in decided.iter().filter_map(|decided| decided.as_ref().err()) {
            assert!(matches!(lost, InvokeError::State { .. }), "{lost:?}; {race}");
        }

        // Somebody who comes when all is quiet finishes what nobody has finished.
        resumed.push(world.runtime.resume(&ann(), id).await.map(done));
        assert_eq!(sent(&world, &proposal), usize::from(decision == Approve), "{resumed:?}; {race}");
        for lost in resumed.iter().filter_map(|resumed| resumed.as_ref().err()) {
            assert!(is_second(lost), "{lost:?}; {race}");
        }
        let outputs: Vec<_> =
            resumed.iter().filter_map(|resumed| resumed.as_ref().ok()).map(|done| &done.output).collect();
        assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]), "{outputs:?}; {race}");
        let state = world.runtime.invocation(&ann(), id).await.expect("a view").state;
        let expected = match decision {
            // The claim ended while the write was on its way.
            Approve if outputs.is_empty() => State::Unknown,
            Approve => State::Succeeded,
            Deny => State::Denied,
            Expire => State::Expired,
        };
        assert_eq!(state, expected, "{resumed:?}; {race}");
        counted.push(decision);
    }
    for kind in [Approve, Deny, Expire] {
        assert!(counted.contains(&kind), "{kind:?} never came first: the races are too much alike");
    }
}

/// What becomes of a refresh at the provider.
#[derive(Clone, Copy, Debug)]
enum Provider {
    Answers,
    Refuses,
    /// It takes the token and closes the connection.
    Loses,
}

impl Provider {
    const ALL: [Self; 3] = [Self::Answers, Self::Refuses, Self::Loses];

    /// Its token endpoint. The refresh token can be used once.
    async fn service(self) -> Service {
        let refused = || Answer::json(400, r#"{"error":"invalid_grant"}"#);
        let token = r#"{"access_token":"access-1","refresh_token":"refreshing-2","expires_in":3600}"#;
        Service::new(move |_, n| match self {
            Self::Answers if n == 0 => Answer::json(200, token),
            Self::Loses => Answer::Close,
            Self::Answers | Self::Refuses => refused(),
        })
        .await
    }
}

/// The credentials of another process on the host's ports, whose calls to vault and directory wait for their turns.
fn credentials(host: &Host, service: &Service, schedule: &Schedule) -> Credentials {
    let turns = Turns::new(&host.ports, schedule);
    let repoint = Repoint::new([("acme.auth", service.url())]).expect("re-pointing");
    let wire = Arc::new(Wire::new(WireConfig { repoint, ..WireConfig::default() }));
    let keyring = Arc::new(Keyring::new(Arc::new(MasterKey::from_bytes([7; 32])), turns.clone()));
    Credentials::new(keyring, turns.clone(), turns, fixtures::registry(), wire, host.clock.clone())
}

#[test]
fn four_in_two_processes_who_meet_an_ended_token_ask_for_another_once() {
    for (seed, provider) in (0..SEEDS).zip(Provider::ALL.into_iter().cycle()) {
        // Its own each time: the service's sockets end with it.
        let thread = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
        thread.block_on(refresh(seed, provider));
    }
}

async fn refresh(seed: u64, provider: Provider) {
    let service = provider.service().await;
    let host = Host::new(&service).await;
    host.clock.advance(3_600_000);
    let schedule = Schedule::default();
    let (one, other) = (credentials(&host, &service, &schedule), credentials(&host, &service, &schedule));

    schedule.begin(seed);
    let callers = [("ann", &one), ("bob", &other), ("cid", &one), ("dee", &other)].map(|(who, credentials)| {
        let credentials = credentials.clone();
        schedule.go(who, async move {
            let (at, connection, manifest) = (fixtures::authority(), fixtures::connection(), fixtures::manifest());
            let attached = credentials.attach(&at, &connection, &manifest, &fixtures::slot("user")).await;
            attached.map(|attached| attached.value.to_str().expect("text").to_owned())
        })
    });
    schedule.run().await;
    let race = schedule.told(seed);

    for caller in callers {
        let got = caller.await.expect("no panic");
        let as_it_should = match provider {
            Provider::Answers => matches!(&got, Ok(value) if value == "Bearer access-1"),
            // The token is refused, or may be spent: a person has to come, and nobody tries it again.
            Provider::Refuses | Provider::Loses => matches!(&got, Err(CredentialError::NeedsReauth(_))),
        };
        assert!(as_it_should, "{provider:?}: {got:?}; {race}");
    }
    assert_eq!(service.seen().len(), 1, "{provider:?}; {race}");
}

/// Something that takes back what an approval rests on.
#[derive(Clone, Copy, Debug)]
enum Change {
    Revoked,
    Denied,
    /// Whoever asked may no longer be the one who approves.
    Stricter,
    Flagged,
}

impl Change {
    const ALL: [Self; 4] = [Self::Revoked, Self::Denied, Self::Stricter, Self::Flagged];

    /// The call by which a resumption learns of it.
    fn learnt_by(self) -> &'static str {
        match self {
            Self::Revoked | Self::Denied | Self::Flagged => "directory.granted",
            Self::Stricter => "directory.tenant_rules",
        }
    }

    /// Makes it, in the store itself.
    async fn make(self, store: &MemoryStore, connection: &ConnectionId) {
        let tenant = ann().tenant;
        match self {
            Self::Revoked => store.revoke_grant(&tenant, connection).await.expect("revoked"),
            Self::Denied => {
                let mut grant = store.grant(&tenant, connection).await.expect("a store").expect("a grant");
                grant.capabilities.insert(cap("items.write"), Setting::Deny);
                store.put_grant(&grant).await.expect("put");
            }
            Self::Stricter => store.put_tenant_rules(&tenant, TenantRules { self_approval: false }),
            Self::Flagged => {
                store.set_state(&tenant, connection, ConnectionState::Flagged, None).await.expect("flagged");
            }
        }
    }
}

/// Held, and approved by whoever asked.
async fn approved(world: &World, name: String) -> Proposal {
    let proposal = held(world, name).await;
    let own = caller("ann", Role::Approver);
    world.runtime.decide(&own, &proposal.invocation, DecisionKind::Approve, None).await.expect("approved");
    proposal
}

/// What a resumption has read it goes by; what was changed before it read holds for it, and for all that come later.
#[tokio::test]
async fn a_write_was_permitted_before_the_change_or_is_not_sent() {
    let world = World::new(&creator(), Setting::Ask, numbered).await;
    let tenant = ann().tenant;
    let self_approval = || world.store.put_tenant_rules(&tenant, TenantRules { self_approval: true });
    self_approval();
    let grant = world.store.grant(&tenant, &world.connection).await.expect("a store").expect("a grant");
    let schedule = Schedule::default();
    let runtime = process(&world, &schedule);
    let mut permitted = 0;
    for (seed, change) in (0..SEEDS).zip(Change::ALL.into_iter().cycle()) {
        let racing = approved(&world, format!("item {seed}")).await;
        let late = approved(&world, format!("item {seed}, late")).await;
        // The component is compiled on another thread, once.
        runtime.proposal(&ann(), &racing.invocation).await.expect("the proposal");

        schedule.begin(seed);
        let resuming = {
            let (runtime, id) = (runtime.clone(), racing.invocation.clone());
            schedule.go("resume", async move { runtime.resume(&ann(), &id).await.map(done) })
        };
        let changing = {
            let (store, connection, gates) = (Arc::clone(&world.store), world.connection.clone(), schedule.clone());
            schedule.go("change", async move {
                for _ in 0..seed / 4 % 24 {
                    gates.gate("waits").await;
                }
                gates.gate("is made").await;
                change.make(&store, &connection).await;
            })
        };
        schedule.run().await;
        let race = schedule.told(seed);
        changing.await.expect("no panic");
        let resumed = resuming.await.expect("no panic");

        // A call is made in its turn, and so is the change: what comes first in this list came first.
        let order = schedule.order();
        let turn = |of: &str| order.iter().position(|turn| turn == of);
        let made = turn("change: is made").expect("its turn");
        let learnt = turn(&format!("resume: to {}", change.learnt_by()));
        let before = learnt.is_some_and(|learnt| learnt < made);
        let sent_now = sent(&world, &racing);
        assert!(sent_now <= usize::from(before), "{change:?}: {resumed:?}; {race}");
        assert_eq!(resumed.is_ok(), sent_now == 1, "{change:?}: {resumed:?}; {race}");
        assert!(before || matches!(resumed, Err(InvokeError::Void { .. })), "{change:?}: {resumed:?}; {race}");
        permitted += u64::from(before);

        let resumed = runtime.resume(&ann(), &late.invocation).await.map(done);
        assert!(matches!(resumed, Err(InvokeError::Void { .. })), "{change:?}, later: {resumed:?}");
        assert_eq!(sent(&world, &late), 0, "{change:?}, later");

        world.store.put_grant(&grant).await.expect("put");
        world.store.set_state(&tenant, &world.connection, ConnectionState::Active, None).await.expect("active");
        self_approval();
    }
    assert!(0 < permitted && permitted < SEEDS, "{permitted} of {SEEDS}: the races are too much alike");
}
