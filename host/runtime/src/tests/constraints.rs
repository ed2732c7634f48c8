//! A grant's constraints: what they forbid does not reach the wire, and is not kept.

use std::time::Duration;

use serde_json::{Value, json};

use super::guest::{Change, Ending, Guest, Part, Step, text};
use super::tools::ITEMS;
use super::{World, admin, ann, connector, done};
use crate::blame::Fault as _;
use crate::clock::Clock as _;
use crate::connection::Setting;
use crate::constraint::Constraint;
use crate::error::InvokeError;
use crate::fixtures::{Answer, Seen};
use crate::invoke::{StreamReport, SyncOptions};
use crate::tool::{Outcome, Verdict};

fn part(text: &str) -> Part {
    Part::Text(text.into())
}

/// Sends each write, then answers with the code of what the last was refused with.
fn writing(writes: &[(&'static str, &str, &str)]) -> Guest {
    let send = |&(method, path, body): &(&'static str, &str, &str)| Step::Send {
        method,
        url: text(&format!("https://api.acme.example{path}")),
        body: if body.is_empty() { Vec::new() } else { text(body) },
    };
    let mut steps: Vec<Step> = writes.iter().map(send).collect();
    steps.push(Step::Return(vec![part("{\"code\":\""), Part::ErrorCode, part("\"}")]));
    Guest::tool(steps)
}

fn created(_: &Seen, n: usize) -> Answer {
    Answer::json(201, &format!(r#"{{"id":"it_{n}","list":"elsewhere","echo":"it_9"}}"#))
}

impl World {
    async fn constrain(&self, constraints: &[&str]) {
        let all: Vec<Constraint> = constraints.iter().map(|text| text.parse().expect("a constraint")).collect();
        self.grant(|grant| all.into_iter().for_each(|constraint| grant.constraints.set(constraint))).await;
    }

    async fn create(&self) -> Value {
        done(self.call("create_item", json!({ "name": "Q4" }), Verdict::Allow).await.expect("an outcome")).output
    }
}

fn writes(world: &World) -> usize {
    world.service.seen().iter().filter(|seen| !seen.line().starts_with("GET")).count()
}

/// A method, a URL's path and a body.
type Case<'a> = (&'static str, &'a str, &'a str);

#[tokio::test]
async fn a_write_outside_the_grants_containers_is_not_sent() {
    let table: [(&[Case<'_>], usize, &str); 9] = [
        (&[("POST", "/items", r#"{"name":"a","list":"L1"}"#)], 1, ""),
        (&[("POST", "/items", r#"{"name":"a","list":"L9"}"#)], 0, "containers"),
        // One that is allowed beside one that is not.
        (&[("POST", "/items", r#"{"name":"a","list":"L1","labels":["L9"]}"#)], 0, "containers"),
        // No container at all, whether the route has a place for one or not.
        (&[("POST", "/items", r#"{"name":"a"}"#)], 0, "containers"),
        (&[("POST", "/keyed", r#"{"id":"L1","name":"a"}"#)], 0, "containers"),
        (&[("PUT", "/items/L9", r#"{"name":"a"}"#)], 0, "containers"),
        // What this call made is its own; what an answer says besides is not.
        (&[("POST", "/items", r#"{"name":"a","list":"L1"}"#), ("PUT", "/items/it_0", r#"{"name":"b"}"#)], 2, ""),
        (
            &[("POST", "/items", r#"{"name":"a","list":"L1"}"#), ("PUT", "/items/elsewhere", r#"{"name":"b"}"#)],
            1,
            "containers",
        ),
        (
            &[("POST", "/items", r#"{"name":"a","list":"L1"}"#), ("PUT", "/items/it_9", r#"{"name":"b"}"#)],
            1,
            "containers",
        ),
    ];
    for (sent, reach, code) in table {
        let world = World::new(&writing(sent), Setting::Auto, created).await;
        world.constrain(&["containers=L1"]).await;
        assert_eq!(world.create().await, json!({ "code": code }), "{sent:?}");
        assert_eq!(writes(&world), reach, "{sent:?}");
    }
}

#[tokio::test]
async fn a_write_that_did_not_take_effect_made_nothing() {
    let sent = [("POST", "/items", r#"{"name":"a","list":"L1"}"#), ("PUT", "/items/it_0", r#"{"name":"b"}"#)];
    let world = World::new(&writing(&sent), Setting::Auto, |_, _| Answer::json(422, r#"{"id":"it_0"}"#)).await;
    world.constrain(&["containers=L1"]).await;
    assert_eq!(world.create().await, json!({ "code": "containers" }));
    assert_eq!(writes(&world), 1);
}

#[tokio::test]
async fn no_person_is_asked_about_a_write_outside_the_containers_and_an_approval_does_not_help() {
    let guest = writing(&[("POST", "/items", r#"{"name":"a","list":"L9"}"#)]);
    let world = World::new(&guest, Setting::Ask, created).await;
    let held = world.held().await;
    world.approve(&held.invocation).await;
    world.constrain(&["containers=L1"]).await;
    let resumed = world.runtime.resume(&ann(), &held.invocation).await;
    assert!(!matches!(resumed, Ok(Outcome::Held(_))), "{resumed:?}");
    assert_eq!(world.service.sockets(), 0);
    assert_eq!(world.create().await, json!({ "code": "containers" }), "it is not held");
    assert_eq!(world.service.sockets(), 0);
}

#[tokio::test]
async fn a_refusal_names_the_constraint_and_the_command_that_would_widen_it() {
    let refused = |constraint: &'static str, sent: &'static [(&'static str, &'static str, &'static str)]| async move {
        let mut guest = writing(sent);
        guest.tool.pop();
        guest.tool.push(Step::Return(vec![part("{\"why\":\""), Part::ErrorMessage, part("\"}")]));
        let world = World::new(&guest, Setting::Auto, created).await;
        world.constrain(&[constraint]).await;
        (world.create().await["why"].as_str().expect("words").to_owned(), world.connection.clone())
    };
    let (why, id) = refused("containers=L1", &[("PUT", "/items/L9", r#"{"name":"b"}"#)]).await;
    assert!(why.contains("the constraint containers=L1"), "{why}");
    assert!(why.ends_with(&format!("sallyport grant {id} --constraint 'containers=L1,L9'")), "{why}");
    let (why, id) = refused("containers=L1", &[("POST", "/items", r#"{"name":"b"}"#)]).await;
    assert!(why.ends_with(&format!("sallyport grant {id} --unconstrain containers")), "{why}");
    let (why, id) = refused("writes<=0/day", &[("POST", "/items", r#"{"name":"b"}"#)]).await;
    assert!(why.contains("the constraint writes<=0/day"), "{why}");
    assert!(why.ends_with(&format!("sallyport grant {id} --constraint 'writes<=N/day'")), "{why}");
}

#[tokio::test]
async fn a_destructive_tool_is_held_to_the_containers_too() {
    for (path, reach) in [("/items/L1", 1), ("/items/L9", 0)] {
        let world = World::new(&writing(&[("DELETE", path, "")]), Setting::Auto, created).await;
        world.constrain(&["containers=L1"]).await;
        done(world.call("trash_item", json!({ "name": "x" }), Verdict::Allow).await.expect("an outcome"));
        assert_eq!(writes(&world), reach, "{path}");
    }
}

#[tokio::test]
async fn of_many_writes_at_once_those_that_a_day_allows_reach_the_wire() {
    let guest = writing(&[("POST", "/items", r#"{"name":"a"}"#)]);
    let world = World::new(&guest, Setting::Auto, created).await;
    world.constrain(&["writes<=3/day"]).await;
    let all = futures::future::join_all((0..8).map(|_| world.create())).await;
    assert_eq!(all.iter().filter(|output| **output == json!({ "code": "" })).count(), 3, "{all:?}");
    assert_eq!(all.iter().filter(|output| **output == json!({ "code": "writes-per-day" })).count(), 5, "{all:?}");
    assert_eq!(writes(&world), 3);

    world.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    assert_eq!(world.create().await, json!({ "code": "" }), "a day later there are three more");
    assert_eq!(writes(&world), 4);
}

/// Ten seconds from now.
async fn expiring(world: &World) {
    let end = world.clock.now().plus(10_000);
    world.grant(|grant| grant.constraints.set(Constraint::Until(end))).await;
}

#[tokio::test]
async fn a_write_that_was_approved_before_the_grants_end_is_not_sent_after_it() {
    let guest = writing(&[("POST", "/items", r#"{"name":"a"}"#)]);
    let world = World::new(&guest, Setting::Ask, created).await;
    expiring(&world).await;
    let held = world.held().await;
    world.approve(&held.invocation).await;
    world.clock.advance(Duration::from_secs(10));
    let resumed = world.runtime.resume(&ann(), &held.invocation).await;
    assert!(matches!(&resumed, Err(InvokeError::Void { what }) if what == "the grant"), "{resumed:?}");
    let called = world.call("create_item", json!({ "name": "Q4" }), Verdict::Allow).await;
    let Err(error @ InvokeError::NotGranted { .. }) = called else { panic!("{called:?}") };
    assert!(error.to_string().ends_with("--constraint until=DATE"), "{error}");
    assert_eq!(world.service.sockets(), 0);
}

fn pulling(steps: Vec<Step>) -> Guest {
    Guest::pull(steps, Ending::Whole)
}

async fn sync(world: &World) -> Result<StreamReport, InvokeError> {
    let report = world.runtime.sync(&ann().tenant, &world.connection, SyncOptions::default(), |_| {}).await?;
    Ok(report.streams.into_iter().next().expect("one"))
}

fn page(id: &str) -> Change {
    Change::Upsert { id: id.into(), revision: "r1", text: "Text.".into(), unknown_access: false }
}

#[tokio::test]
async fn a_sync_reads_nothing_after_the_grants_end() {
    let get = || Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() };
    let guest = pulling(vec![get(), get(), Step::Emit(vec![page("p1")]), Step::Checkpoint("c1")]);
    let world = World::new(&guest, Setting::Auto, |_, _| Answer::json(200, "{}")).await;
    expiring(&world).await;
    assert_eq!(sync(&world).await.expect("a report").error, None);
    assert_eq!(world.reached("GET").len(), 2);

    world.clock.advance(Duration::from_secs(10));
    let refused = sync(&world).await.expect_err("it has ended");
    assert_eq!(refused.code(), "not-granted");
    assert_eq!(world.reached("GET").len(), 2);
}

#[tokio::test]
async fn a_sync_that_outlasts_its_grant_sends_nothing_more() {
    let get = || Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() };
    let guest = pulling(vec![get(), get(), get(), Step::Emit(vec![page("p1")]), Step::Checkpoint("c1")]);
    let clock = std::sync::Arc::new(parking_lot::Mutex::new(None::<std::sync::Arc<crate::testing::ManualClock>>));
    let hands = std::sync::Arc::clone(&clock);
    // The grant ends while the first request is being answered.
    let world = World::new(&guest, Setting::Auto, move |_, _| {
        if let Some(clock) = &*hands.lock() {
            clock.advance(Duration::from_secs(10));
        }
        Answer::json(200, "{}")
    })
    .await;
    expiring(&world).await;
    *clock.lock() = Some(std::sync::Arc::clone(&world.clock));
    sync(&world).await.expect("a report");
    assert_eq!(world.reached("GET").len(), 1);
}

#[tokio::test]
async fn what_a_sync_emits_outside_the_containers_is_counted_and_not_kept() {
    let guest = pulling(vec![Step::Emit(vec![page("p1"), page("p2")]), Step::Checkpoint("c1")]);
    let world = World::new(&guest, Setting::Auto, |_, _| Answer::json(200, "{}")).await;
    let kept = |world: &World| world.store.documents(&ann().tenant, &world.connection).len();
    let before = sync(&world).await.expect("a report");
    assert_eq!((before.documents, before.refused, kept(&world)), (2, 0, 2));

    // These documents are in no container that anybody knows.
    world.constrain(&["containers=L1"]).await;
    assert_eq!(kept(&world), 0, "from the moment that it is set");
    let bounded = sync(&world).await.expect("a report");
    assert_eq!((bounded.error, bounded.documents, bounded.refused, kept(&world)), (None, 0, 2, 0));

    world.grant(|grant| grant.constraints.containers = None).await;
    let other = pulling(vec![Step::Emit(vec![page("p1"), page("p2")]), Step::Checkpoint("c2")]);
    world
        .runtime
        .install(&admin(), connector(&other.component(), "0.1.1"), crate::admission::Word::UNSIGNED)
        .await
        .expect("installed");
    let wide = sync(&world).await.expect("a report");
    assert!(wide.swept, "everything is listed again by itself");
    assert_eq!((wide.refused, kept(&world)), (0, 2));
}
