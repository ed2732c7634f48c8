//! Writes after the first, and writes that nobody knows the outcome of.

use std::time::Duration;

use serde_json::json;

use super::guest::{Guest, Part, Step, text};
use super::tools::{ITEMS, creator};
use super::{World, admin, ann, boss, connector, done, limits, runtime};
use crate::admission::Word;
use crate::connection::{ConnectionState, Setting};
use crate::error::InvokeError;
use crate::fixtures::{Answer, Seen};
use crate::ports::{DecisionKind, Directory as _, EffectState, Event, State};
use crate::tool::{Outcome, Verdict};

fn post(body: Vec<Part>) -> Step {
    Step::Send { method: "POST", url: text(ITEMS), body }
}

fn part(text: &str) -> Part {
    Part::Text(text.into())
}

/// Creates an item, then one in it, whose other members are `rest`.
fn two(rest: &str) -> Guest {
    Guest::tool(vec![
        post(vec![Part::Arguments]),
        post(vec![part("{\"list\":"), Part::LastBody, part(rest), part("}")]),
        Step::Return(text("{}")),
    ])
}

/// Each item that is created has the next id; the answer is the id.
fn ids(_: &Seen, n: usize) -> Answer {
    Answer::json(201, &format!("\"it_{n}\""))
}

#[tokio::test]
async fn later_writes_inside_the_envelope_go_out_under_the_same_approval() {
    let world = World::new(&two(",\"name\":\"Q4\",\"labels\":[]"), Setting::Ask, ids).await;
    let proposal = world.held().await;
    let result = done(world.approved(&proposal.invocation).await.unwrap());
    assert_eq!(result.writes.len(), 2);
    assert_eq!(world.reached("POST")[1].text(), r#"{"list":"it_0","name":"Q4","labels":[]}"#);
}

#[tokio::test]
async fn a_later_write_with_other_text_or_to_another_place_is_held_anew() {
    for (rest, why) in [(",\"name\":\"the salaries\"", "the salaries"), (",\"labels\":[\"it_99\"]", "it_99")] {
        let world = World::new(&two(rest), Setting::Ask, ids).await;
        let first = world.held().await;
        let Outcome::Held(second) = world.approved(&first.invocation).await.unwrap() else { panic!("{rest}") };
        assert_eq!(second.invocation, first.invocation);
        assert!(second.reasons.iter().any(|reason| reason.contains(why)), "{:?}", second.reasons);
        assert_eq!(world.reached("POST").len(), 1, "{rest}");
        let result = done(world.approved(&second.invocation).await.unwrap());
        assert_eq!(result.writes.len(), 2);
        assert_eq!(world.reached("POST").len(), 2, "the first is not sent again");
    }
}

#[tokio::test]
async fn the_write_after_the_last_that_the_tool_declares_is_held() {
    let step = || post(vec![Part::Arguments]);
    let guest = Guest::tool(vec![step(), step(), step(), step(), Step::Return(text("{}"))]);
    for (setting, asked) in [(Setting::Ask, true), (Setting::Auto, false)] {
        let world = World::new(&guest, setting, ids).await;
        let held = match world.call("create_item", json!({ "name": "Q4" }), Verdict::Allow).await.unwrap() {
            Outcome::Held(proposal) if asked => world.approved(&proposal.invocation).await.unwrap(),
            outcome => outcome,
        };
        let Outcome::Held(fourth) = held else { panic!("{setting:?}") };
        assert!(fourth.reasons[0].contains("write 4"), "{:?}", fourth.reasons);
        assert_eq!(world.reached("POST").len(), 3);
        done(world.approved(&fourth.invocation).await.unwrap());
        assert_eq!(world.reached("POST").len(), 4);
    }
}

/// Approves and resumes in a process of its own, which is killed as soon as the service has the write.
async fn killed_after_sent(world: &World, id: &crate::ids::InvocationId) {
    let (store, clock, url, id) = (world.store.clone(), world.clock.clone(), world.service.url(), id.clone());
    let (kill, killed) = tokio::sync::oneshot::channel::<()>();
    let process = std::thread::spawn(move || {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        threads.block_on(async {
            let runtime = runtime(&url, &store, &clock, limits());
            runtime.decide(&boss(), &id, DecisionKind::Approve, None).await.unwrap();
            let ann = ann();
            tokio::select! {
                ended = runtime.resume(&ann, &id) => panic!("{ended:?}"),
                _ = killed => {}
            }
        });
        threads.shutdown_background();
    });
    while world.reached("POST").is_empty() {
        tokio::task::yield_now().await;
    }
    kill.send(()).unwrap();
    process.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_sent_and_the_answer_it_is_unknown_and_never_sent_again() {
    let mut world = World::new(&creator(), Setting::Ask, |seen, _| match seen.line().split(' ').next() {
        Some("POST") => Answer::Hang,
        _ => Answer::json(200, "[]"),
    })
    .await;
    let proposal = world.held().await;
    let id = proposal.invocation;
    killed_after_sent(&world, &id).await;

    world.restart();
    assert!(matches!(world.runtime.resume(&ann(), &id).await, Err(InvokeError::Later { .. })), "the claim lives");
    world.clock.advance(Duration::from_secs(120));
    let recovered = world.runtime.recover(&ann().tenant).await.unwrap();
    assert_eq!(recovered.unknown, std::slice::from_ref(&id));
    assert!(
        matches!(world.runtime.resume(&ann(), &id).await, Err(InvokeError::State { state, .. }) if state == "unknown")
    );
    assert_eq!(world.reached("POST").len(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_breaks_off_is_unknown() {
    let world = World::new(&creator(), Setting::Auto, |seen, _| match seen.line().split(' ').next() {
        Some("POST") => Answer::Close,
        _ => Answer::json(200, "[]"),
    })
    .await;
    let outcome = world.call("create_item", json!({ "name": "Q4" }), Verdict::Allow).await;
    let Err(InvokeError::Unknown { target, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(target, ITEMS);
    assert_eq!(world.reached("POST").len(), 1);
}

#[tokio::test]
async fn a_write_that_the_service_refuses_has_failed_and_the_guest_goes_on() {
    let guest = Guest::tool(vec![post(vec![Part::Arguments]), Step::Return(vec![Part::LastBody])]);
    let world = World::new(&guest, Setting::Auto, |_, _| Answer::json(422, r#"{"why":"no"}"#)).await;
    let result = done(world.call("create_item", json!({ "name": "Q4" }), Verdict::Allow).await.unwrap());
    assert_eq!(result.output, json!({ "why": "no" }));
    assert_eq!(result.writes[0].state, EffectState::Failed);
}

#[tokio::test]
async fn whatever_the_approval_covered_voids_it_by_changing() {
    type Change = for<'w> fn(&'w World) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'w>>;
    let changes: [(&str, Change); 5] = [
        ("the connector", |world| {
            Box::pin(async {
                let other = connector(&creator().component(), "0.1.1");
                world.runtime.install(&admin(), other, Word::UNSIGNED).await.unwrap();
            })
        }),
        ("the grant", |world| {
            Box::pin(world.grant(|grant| {
                grant.capabilities.remove(&super::cap("items.write"));
            }))
        }),
        ("the grant", |world| {
            Box::pin(world.grant(|grant| {
                grant.capabilities.insert(super::cap("items.write"), Setting::Deny);
            }))
        }),
        ("the account", |world| {
            Box::pin(async {
                let mut connection = world.store.connection(&ann().tenant, &world.connection).await.unwrap();
                connection.account = "acc_2".into();
                world.store.put_connection(&connection).await.unwrap();
            })
        }),
        ("the connection's state", |world| {
            Box::pin(async {
                let flagged = ConnectionState::Flagged;
                world.store.set_state(&ann().tenant, &world.connection, flagged, None).await.unwrap();
            })
        }),
    ];
    for (what, change) in changes {
        let world = World::new(&creator(), Setting::Ask, super::tools::created).await;
        let proposal = world.held().await;
        world.approve(&proposal.invocation).await;
        change(&world).await;
        let resumed = world.runtime.resume(&ann(), &proposal.invocation).await;
        assert!(matches!(&resumed, Err(InvokeError::Void { what: found }) if found == what), "{what}: {resumed:?}");
        assert!(world.reached("POST").is_empty());
        let again = world.runtime.resume(&ann(), &proposal.invocation).await;
        assert!(matches!(again, Err(InvokeError::State { .. })), "it has ended");
    }
}

#[tokio::test]
async fn a_replay_that_differs_from_its_record_is_stopped() {
    let world = World::new(&creator(), Setting::Ask, super::tools::created).await;
    let proposal = world.held().await;
    world.approve(&proposal.invocation).await;
    world.store.tamper(&proposal.invocation, |entries| {
        for entry in entries {
            if let Event::Call { import, arguments, .. } = &mut entry.event
                && import == "http.send"
            {
                arguments.hash = "0".repeat(64);
            }
        }
    });
    let resumed = world.runtime.resume(&ann(), &proposal.invocation).await;
    assert!(matches!(resumed, Err(InvokeError::Diverged { .. })), "{resumed:?}");
    assert!(world.reached("POST").is_empty());
    assert_eq!(world.runtime.invocation(&ann(), &proposal.invocation).await.unwrap().state, State::Diverged);
}

#[tokio::test]
async fn a_held_write_that_was_changed_in_the_store_is_not_sent() {
    let world = World::new(&creator(), Setting::Ask, super::tools::created).await;
    let proposal = world.held().await;
    world.approve(&proposal.invocation).await;
    world.store.tamper(&proposal.invocation, |entries| {
        for entry in entries {
            if let Event::Held(hold) = &mut entry.event {
                hold.effect.request.hash = "0".repeat(64);
            }
        }
    });
    let resumed = world.runtime.resume(&ann(), &proposal.invocation).await;
    assert!(resumed.is_err() || matches!(resumed, Ok(Outcome::Held(_))), "{resumed:?}");
    assert!(world.reached("POST").is_empty());
}
