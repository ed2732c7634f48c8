//! Tool calls: held before the first write, replayed after the approval.

use std::time::Duration;

use serde_json::json;

use super::guest::{Guest, Part, Step, text};
use super::{World, admin, ann, caller, cap, connector, done};
use crate::admission::Word;
use crate::caller::Role;
use crate::connection::Setting;
use crate::error::InvokeError;
use crate::fixtures::Answer;
use crate::ports::{Directory as _, EffectState, Event, Filter, Journal as _, State};
use crate::tool::{Outcome, Tools as _, Verdict};

pub(super) const ITEMS: &str = "https://api.acme.example/items";

/// Reads, then creates what the arguments say, then returns the answer.
pub(super) fn creator() -> Guest {
    Guest::tool(vec![
        Step::Now,
        Step::Log("reading"),
        Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() },
        Step::Random(16),
        Step::Send { method: "POST", url: text(ITEMS), body: vec![Part::Arguments] },
        Step::Return(vec![Part::LastBody]),
    ])
}

pub(super) fn created(seen: &crate::fixtures::Seen, _: usize) -> Answer {
    match seen.line().split(' ').next() {
        Some("POST") => Answer::json(201, r#"{"id":"it_1"}"#),
        _ => Answer::json(200, r#"{"items":[]}"#),
    }
}

#[tokio::test]
async fn nothing_is_written_before_the_approval_and_once_after_it_across_a_restart() {
    let mut world = World::new(&creator(), Setting::Ask, created).await;
    let proposal = world.held().await;
    assert_eq!((world.reached("GET").len(), world.reached("POST").len()), (1, 0));
    assert_eq!(proposal.first_write.method, "POST");
    assert_eq!(proposal.first_write.url, ITEMS);
    assert_eq!(proposal.first_write.body, r#"{"name":"Q4"}"#);
    assert_eq!(proposal.arguments, json!({ "name": "Q4" }));
    assert_eq!(proposal.context, Some(json!({ "request": "please" })));
    assert_eq!(proposal.envelope.max_writes, 3);

    world.restart();
    assert_eq!(world.runtime.proposals(&ann(), Filter::default()).await.unwrap(), std::slice::from_ref(&proposal));
    assert!(matches!(world.runtime.resume(&ann(), &proposal.invocation).await, Err(InvokeError::State { .. })));
    world.approve(&proposal.invocation).await;
    assert!(world.reached("POST").is_empty(), "approving sends nothing");

    world.restart();
    let result = done(world.runtime.resume(&ann(), &proposal.invocation).await.unwrap());
    assert_eq!(result.output, json!({ "id": "it_1" }));
    assert_eq!(result.writes.iter().map(|write| write.state).collect::<Vec<_>>(), [EffectState::Confirmed]);
    let posts = world.reached("POST");
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].text(), proposal.first_write.body);
    assert_eq!(posts[0].header("authorization"), Some(format!("Bearer {}", crate::fixtures::TOKEN).as_str()));
    assert_eq!(world.reached("GET").len(), 1, "the read is answered from the record");

    let again = done(world.runtime.resume(&ann(), &proposal.invocation).await.unwrap());
    assert_eq!(again.output, result.output);
    assert_eq!(world.reached("POST").len(), 1);
}

#[tokio::test]
async fn the_record_has_every_call_in_order_and_no_plain_text() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let proposal = world.held().await;
    done(world.approved(&proposal.invocation).await.unwrap());
    let record = world.store.record(&ann().tenant, &proposal.invocation).await.unwrap();
    let events: Vec<String> = record
        .entries
        .iter()
        .map(|entry| match &entry.event {
            Event::Planned(_) => "planned".into(),
            Event::Started { run, replayed } => format!("started {run} {replayed}"),
            Event::Call { call, import, .. } => format!("{call} {import}"),
            Event::Write { call, state, .. } => format!("{call} {state:?}"),
            Event::Held(hold) => format!("held {}", hold.call),
            Event::Decided(decision) => format!("{:?}", decision.kind),
            Event::Settled(_) => "settled".to_owned(),
            Event::Ended(_) => "ended".into(),
        })
        .collect();
    let expected = [
        "planned",
        "started 1 0",
        "0 clock.now",
        "1 http.send",
        "2 random.bytes",
        "held 3",
        "Approve",
        "started 2 3",
        "3 Intent",
        "3 Sent",
        "3 Confirmed",
        "ended",
    ];
    assert_eq!(events, expected);
    let kept = serde_json::to_string(&record.entries).unwrap();
    assert!(!kept.contains("Q4") && !kept.contains(crate::fixtures::TOKEN), "{kept}");
}

#[tokio::test]
async fn writes_go_out_unasked_only_where_grant_and_policy_allow_it() {
    let world = World::new(&creator(), Setting::Auto, created).await;
    let arguments = json!({ "name": "Q4" });
    let outcome =
        world.call("create_item", arguments.clone(), Verdict::Ask(vec!["untrusted text".into()])).await.unwrap();
    let Outcome::Held(proposal) = outcome else { panic!("policy asks") };
    assert_eq!(proposal.reasons, ["untrusted text"]);
    let denied = world.call("create_item", arguments.clone(), Verdict::Deny(vec!["no".into()])).await;
    assert!(matches!(denied, Err(InvokeError::Forbidden { reason }) if reason == "no"));
    assert!(world.reached("POST").is_empty());
    done(world.call("create_item", arguments.clone(), Verdict::Allow).await.unwrap());
    assert_eq!(world.reached("POST").len(), 1);

    world.grant(|grant| grant.constraints.writes_per_day = Some(1)).await;
    let guest = Guest::tool(vec![
        Step::Send { method: "POST", url: text(ITEMS), body: vec![Part::Arguments] },
        Step::Return(vec![Part::Text("{\"code\":\"".into()), Part::ErrorCode, Part::Text("\"}".into())]),
    ]);
    world.runtime.install(&admin(), connector(&guest.component(), "0.1.1"), Word::UNSIGNED).await.unwrap();
    let refused = done(world.call("create_item", arguments.clone(), Verdict::Allow).await.unwrap());
    assert_eq!(refused.output, json!({ "code": "writes-per-day" }));

    world
        .grant(|grant| {
            grant.capabilities.insert(cap("items.write"), Setting::Deny);
        })
        .await;
    assert!(matches!(world.call("create_item", arguments, Verdict::Allow).await, Err(InvokeError::Forbidden { .. })));
    assert_eq!(world.reached("POST").len(), 1);
}

#[tokio::test]
async fn arguments_and_results_fit_their_schemas_or_say_how_they_do_not() {
    let guest = Guest::tool(vec![Step::Return(text("[1]"))]);
    let world = World::new(&guest, Setting::Ask, created).await;
    let call = |arguments| world.call("create_item", arguments, Verdict::Allow);
    let Err(InvokeError::Arguments(violations)) = call(json!({ "nam": 1 })).await else { panic!("a violation") };
    assert!(violations.iter().any(|violation| violation.message.contains("name")), "{violations:?}");
    assert!(matches!(call(json!({ "name": 1 })).await, Err(InvokeError::Arguments(v)) if v[0].at == "/name"));
    assert!(matches!(call(json!({ "name": "x" })).await, Err(InvokeError::Result(_))));
    assert_eq!(world.service.seen(), []);
}

#[tokio::test]
async fn a_tool_has_its_own_capabilities_and_no_other() {
    let guest = Guest::tool(vec![
        Step::Send { method: "DELETE", url: text("https://api.acme.example/items/it_1"), body: Vec::new() },
        Step::Return(vec![Part::Text("{\"code\":\"".into()), Part::ErrorCode, Part::Text("\"}".into())]),
    ]);
    let world = World::new(&guest, Setting::Auto, created).await;
    for tool in ["create_item", "list_items"] {
        let refused = done(world.call(tool, json!({ "name": "x" }), Verdict::Allow).await.unwrap());
        assert_eq!(refused.output, json!({ "code": "not-live" }), "{tool}");
    }
    assert_eq!(world.service.sockets(), 0);
    done(world.call("trash_item", json!({ "name": "x" }), Verdict::Allow).await.unwrap());
    assert_eq!(world.reached("DELETE").len(), 1);
}

#[tokio::test]
async fn a_tool_is_offered_to_those_who_may_use_it_as_far_as_it_is_granted() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let names = |offered: Vec<crate::tool::OfferedTool>| -> Vec<String> {
        offered.into_iter().map(|tool| format!("{} {:?}", tool.tool, tool.setting)).collect()
    };
    let all = names(world.runtime.offered(&ann()).await.unwrap());
    assert_eq!(all, ["list_items Auto", "create_item Ask", "trash_item Ask"]);
    let mut stranger = caller("eve", Role::Member);
    stranger.roles.clear();
    assert!(world.runtime.offered(&stranger).await.unwrap().is_empty());
    let mut elsewhere = ann();
    elsewhere.tenant = crate::ids::TenantId::new("other");
    assert!(world.runtime.offered(&elsewhere).await.unwrap().is_empty());
    world
        .grant(|grant| {
            grant.capabilities.remove(&cap("items.write"));
        })
        .await;
    assert_eq!(names(world.runtime.offered(&ann()).await.unwrap()), ["list_items Auto", "trash_item Ask"]);
    let refused = world.call("create_item", json!({ "name": "x" }), Verdict::Allow).await;
    assert!(matches!(refused, Err(InvokeError::NotGranted { what, .. }) if what == "items.write"));
    world.store.revoke_grant(&ann().tenant, &world.connection).await.unwrap();
    assert!(world.runtime.offered(&ann()).await.unwrap().is_empty());
}

#[tokio::test]
async fn reads_side_by_side_are_each_recorded_and_replayed() {
    let urls = vec![ITEMS, "https://api.acme.example/items/it_1", "https://api.acme.example/nothing"];
    let guest = Guest::tool(vec![
        Step::SendAll(urls),
        Step::Send { method: "POST", url: text(ITEMS), body: vec![Part::Arguments] },
        Step::Return(vec![Part::LastBody]),
    ]);
    let world = World::new(&guest, Setting::Ask, created).await;
    let proposal = world.held().await;
    assert_eq!(world.reached("GET").len(), 2, "what no route allows does not leave");
    done(world.approved(&proposal.invocation).await.unwrap());
    assert_eq!((world.reached("GET").len(), world.reached("POST").len()), (2, 1));
}

#[tokio::test]
async fn approved_late_it_runs_afresh_and_the_first_write_is_still_what_was_approved() {
    let guest = Guest::tool(vec![
        Step::Now,
        Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() },
        Step::Send {
            method: "POST",
            url: text(ITEMS),
            body: vec![Part::Text("{\"name\":\"Q4\",\"note\":".into()), Part::LastBody, Part::Text("}".into())],
        },
        Step::Return(vec![Part::LastBody]),
    ]);
    let late = Duration::from_secs(16 * 60);
    // The third read, which is the second call's late run, finds something else.
    let answer = |seen: &crate::fixtures::Seen, n: usize| match seen.line().split(' ').next() {
        Some("POST") => Answer::json(201, r#"{"id":"it_1"}"#),
        _ => Answer::json(200, if n < 3 { "\"as before\"" } else { "\"otherwise\"" }),
    };
    let world = World::new(&guest, Setting::Ask, answer).await;
    let first = world.held().await;
    world.clock.advance(late);
    done(world.approved(&first.invocation).await.unwrap());
    assert_eq!((world.reached("GET").len(), world.reached("POST").len()), (2, 1));
    assert_eq!(world.reached("POST")[0].text(), first.first_write.body);

    let second = world.held().await;
    assert!(second.first_write.body.contains("otherwise"), "{}", second.first_write.body);
}

#[tokio::test]
async fn approved_late_it_is_void_if_it_would_write_something_else() {
    let guest = Guest::tool(vec![
        Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() },
        Step::Send {
            method: "POST",
            url: text(ITEMS),
            body: vec![Part::Text("{\"name\":\"Q4\",\"note\":".into()), Part::LastBody, Part::Text("}".into())],
        },
        Step::Return(vec![Part::LastBody]),
    ]);
    let world = World::new(&guest, Setting::Ask, |_, n| Answer::json(200, &format!("\"{n}\""))).await;
    let proposal = world.held().await;
    world.clock.advance(Duration::from_secs(16 * 60));
    assert!(matches!(world.approved(&proposal.invocation).await, Err(InvokeError::Void { .. })));
    assert!(world.reached("POST").is_empty());
    assert_eq!(world.runtime.invocation(&ann(), &proposal.invocation).await.unwrap().state, State::Failed);
}
