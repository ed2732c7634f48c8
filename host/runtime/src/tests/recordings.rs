//! Recorded runs, played with nobody at the other end; and what is told of a run that left its record.

use base64::Engine as _;
use serde_json::json;

use super::guest::{Change, Ending, Guest, Part, Step, text};
use super::tools::{ITEMS, created, creator};
use super::{World, admin, ann, boss, caller, connector, done};
use crate::audit::Note;
use crate::caller::Role;
use crate::connection::Setting;
use crate::error::InvokeError;
use crate::fixtures::{self, Answer};
use crate::ids::StreamId;
use crate::ports::{Event, Filter, Journal as _, State};
use crate::recording::{Call, Masks, Parted, Recording, RecordingError, Run};
use crate::tool::Verdict;

/// As [`creator`], and something else in one place.
fn other(method: &'static str, url: &str, result: &str) -> Guest {
    let steps = creator().tool.into_iter().map(|step| match step {
        Step::Send { method: "GET", body, .. } => Step::Send { method, url: text(url), body },
        Step::Return(_) => Step::Return(text(result)),
        step => step,
    });
    Guest::tool(steps.collect())
}

#[tokio::test]
async fn a_run_is_played_again_without_anybody_and_shows_where_another_version_parts() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let proposal = world.held().await;
    let result = done(world.approved(&proposal.invocation).await.unwrap());
    let recording = world.runtime.recording(&ann(), &proposal.invocation).await.unwrap();
    let recording = Recording::read(&recording.text()).expect("a file is read back");
    assert!(matches!(&recording.run, Run::Tool { arguments, .. } if *arguments == json!({ "name": "Q4" })));
    assert_eq!(recording.ended, json!({ "output": result.output }));

    let reached = world.service.seen().len();
    // Another desk: nothing is installed there, nothing is connected, and the clock is another.
    let desk = World::new(&Guest::tool(Vec::new()), Setting::Ask, created).await;
    let same = desk.runtime.replay(&recording, connector(&creator().component(), "0.1.0")).await.unwrap();
    assert_eq!(same.parted, []);
    assert_eq!((same.calls, &same.ended), (recording.calls.len(), &recording.ended));

    let asks = other("GET", "https://api.acme.example/items/other", "{}");
    let parts = desk.runtime.replay(&recording, connector(&asks.component(), "0.2.0")).await.unwrap();
    let [
        Parted::Call {
            call,
            recorded: Some(Call::Send { request: then, .. }),
            asked: Some(Call::Send { request, .. }),
        },
    ] = &parts.parted[..]
    else {
        panic!("{:?}", parts.parted)
    };
    assert_eq!((*call, then.url.as_str()), (1, ITEMS));
    assert_eq!(request.url, "https://api.acme.example/items/other");

    let ends = other("GET", ITEMS, "{\"another\":true}");
    let parts = desk.runtime.replay(&recording, connector(&ends.component(), "0.2.0")).await.unwrap();
    assert!(
        matches!(&parts.parted[..], [Parted::Ended { ended, .. }] if *ended == json!({ "output": { "another": true } }))
    );

    let writes = Guest::tool(vec![Step::Now, Step::Return(text("{}"))]);
    let parts = desk.runtime.replay(&recording, connector(&writes.component(), "0.2.0")).await.unwrap();
    assert!(matches!(&parts.parted[0], Parted::Call { call: 1, asked: None, recorded: Some(_) }), "{:?}", parts.parted);
    assert!(desk.service.seen().is_empty());
    assert_eq!(world.service.seen().len(), reached, "nobody was asked anything");
}

#[tokio::test]
async fn what_waits_for_a_person_plays_up_to_where_it_waits() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let proposal = world.held().await;
    let recording = world.runtime.recording(&ann(), &proposal.invocation).await.unwrap();
    assert!(matches!(recording.calls.last(), Some(Call::Send { answer: None, .. })));
    let played = world.runtime.replay(&recording, connector(&creator().component(), "0.1.0")).await.unwrap();
    assert_eq!((played.parted, played.ended), (Vec::new(), json!("held")));
    assert!(world.reached("POST").is_empty());
}

/// What somebody sends to a connector's author: the run that went wrong.
#[tokio::test]
async fn a_run_that_the_host_refused_or_stopped_plays_to_the_same_end_and_a_mended_one_parts_there() {
    let read = || Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() };
    for (wrong, code) in [(Step::Return(text("[1]")), "result-schema-violation"), (Step::Trap, "connector-stopped")] {
        let guest = Guest::tool(vec![read(), wrong]);
        let world = World::new(&guest, Setting::Auto, created).await;
        world.call("list_items", json!({ "name": "Q4" }), Verdict::Allow).await.expect_err("it goes wrong");
        let all = world.store.list(&ann().tenant, &Filter::default()).await.unwrap();
        let recording = world.runtime.recording(&ann(), &all[0].invocation).await.unwrap();
        assert_eq!(recording.ended["failed"]["code"], code);

        let same = world.runtime.replay(&recording, connector(&guest.component(), "0.1.0")).await.unwrap();
        assert_eq!((same.parted, &same.ended), (Vec::new(), &recording.ended));
        let mended = Guest::tool(vec![read(), Step::Return(text("{}"))]);
        let parts = world.runtime.replay(&recording, connector(&mended.component(), "0.2.0")).await.unwrap();
        assert!(
            matches!(&parts.parted[..], [Parted::Ended { ended, .. }] if *ended == json!({ "output": {} })),
            "{parts:?}"
        );
    }
}

#[tokio::test]
async fn a_recording_is_for_whoever_asked_and_admins_and_that_it_was_read_is_on_record() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let id = world.held().await.invocation;
    for nobody in [caller("bob", Role::Member), boss()] {
        let refused = world.runtime.recording(&nobody, &id).await;
        assert!(matches!(refused, Err(RecordingError::Invoke(InvokeError::NotFound { .. }))));
    }
    let read = |notes: Vec<Note>| {
        let by = |note| {
            if let Note::BodyRead { invocation, by, .. } = note { Some((invocation, by.to_string())) } else { None }
        };
        notes.into_iter().filter_map(by).collect::<Vec<_>>()
    };
    assert_eq!(read(world.store.notes()), []);
    for who in [ann(), admin()] {
        world.runtime.recording(&who, &id).await.unwrap();
    }
    assert_eq!(read(world.store.notes()), [(id.clone(), "ann".into()), (id, "root".into())]);
}

#[tokio::test]
async fn a_recording_holds_no_secret_in_any_form() {
    // The service sends the token back in some form; that answer never reaches the guest, so it is in no recording either.
    let token = fixtures::TOKEN;
    let base64 = base64::engine::general_purpose::STANDARD.encode(token);
    for echoed in [token.to_owned(), base64, hex::encode(token)] {
        let answer = json!({ "echo": echoed }).to_string();
        let guest = Guest::tool(vec![
            Step::Now,
            Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() },
            Step::Return(text("{}")),
        ]);
        let world = World::new(&guest, Setting::Auto, move |_, _| Answer::json(200, &answer)).await;
        let result = done(world.call("list_items", json!({ "name": "Q4" }), Verdict::Allow).await.unwrap());
        let recorded = world.runtime.recording(&ann(), &result.invocation).await.unwrap().text();
        assert!(recorded.contains("secret-in-response"), "{recorded}");
        for form in [token.to_owned(), echoed, urlencoded(token)] {
            assert!(!recorded.contains(&form), "{form} stands in {recorded}");
        }
        // And where one got into what was told in spite of everything, nothing is given out.
        let mut leaky = Recording::read(&recorded).unwrap();
        leaky.ended = json!({ "output": { "note": format!("token {token}") } });
        let connection =
            crate::ports::Directory::connection(&*world.store, &ann().tenant, &world.connection).await.unwrap();
        let refused = world.runtime.holds_no_secret(&ann(), &connection, &leaky).await;
        assert!(matches!(refused, Err(RecordingError::Secret)));
    }
}

fn urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_pull_is_recorded_without_keeping_anything_and_its_changes_are_compared() {
    let page =
        |title: &str| Change::Upsert { id: "p1".into(), revision: "r1", text: title.into(), unknown_access: false };
    let pull = |title: &str| {
        let steps = vec![
            Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() },
            Step::Emit(vec![page(title)]),
            Step::Checkpoint("c1"),
        ];
        Guest::pull(steps, Ending::Whole)
    };
    let world = World::new(&pull("Page 1"), Setting::Auto, |_, _| Answer::json(200, "{}")).await;
    let run = Run::Pull { stream: StreamId::new("all"), cursor: None, sweep: true };
    let recording = world.runtime.record(&ann().tenant, &world.connection, run).await.unwrap();
    assert_eq!((recording.calls.len(), recording.emitted.len()), (1, 2));
    assert_eq!(recording.ended, json!({ "pulled": "whole" }));
    assert!(world.store.documents(&ann().tenant, &world.connection).is_empty(), "a rehearsal keeps nothing");

    let same = world.runtime.replay(&recording, connector(&pull("Page 1").component(), "0.1.0")).await.unwrap();
    assert_eq!(same.parted, []);
    let parts = world.runtime.replay(&recording, connector(&pull("Another").component(), "0.2.0")).await.unwrap();
    assert!(
        matches!(&parts.parted[..], [Parted::Emitted { index: 0, recorded: Some(_), emitted: Some(_) }]),
        "{parts:?}"
    );
    assert_eq!(world.service.seen().len(), 1, "only the recording asked the service");
}

#[tokio::test]
async fn personal_data_is_masked_and_the_recording_still_plays() {
    let answer = r#"{"owner":"Ada.Lovelace@mail.example.org","name":"Ada Lovelace"}"#;
    let guest = Guest::tool(vec![
        Step::Send { method: "GET", url: text(ITEMS), body: Vec::new() },
        Step::Return(vec![Part::LastBody]),
    ]);
    let world = World::new(&guest, Setting::Auto, move |_, _| Answer::json(200, answer)).await;
    let result = done(
        world.call("list_items", json!({ "name": "ada.lovelace@mail.example.org" }), Verdict::Allow).await.unwrap(),
    );
    let recording = world.runtime.recording(&ann(), &result.invocation).await.unwrap();
    let masks = Masks::new(["Ada Lovelace".to_owned()]).unwrap();
    let masked = masks.apply(&recording).unwrap();
    let shown = masked.text().to_lowercase();
    assert!(
        !shown.contains("lovelace") && shown.contains("person-001@example.com") && shown.contains("masked-001"),
        "{shown}"
    );
    let played = world.runtime.replay(&masked, connector(&guest.component(), "0.1.0")).await.unwrap();
    assert_eq!(played.parted, []);
}

#[tokio::test]
async fn a_run_that_left_its_record_shows_both_requests() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let id = world.held().await.invocation;
    world.approve(&id).await;
    // As if the component had asked for something else the first time.
    let asked = world.store.record(&ann().tenant, &id).await.unwrap();
    let clock = asked.entries.iter().find_map(|entry| match &entry.event {
        Event::Call { import, arguments, .. } if import == "clock.now" => Some(arguments.clone()),
        _ => None,
    });
    let clock = clock.expect("a call of the clock");
    world.store.tamper(&id, |entries| {
        for entry in entries {
            if let Event::Call { import, arguments, .. } = &mut entry.event
                && import == "http.send"
            {
                *arguments = clock.clone();
            }
        }
    });
    assert!(matches!(world.runtime.resume(&ann(), &id).await, Err(InvokeError::Diverged { .. })));
    let view = world.runtime.invocation(&ann(), &id).await.unwrap();
    assert_eq!(view.state, State::Diverged);
    let diverged = view.diverged.expect("both sides");
    assert_eq!(diverged.call, 1);
    assert_eq!(diverged.asked.expect("what was asked").request["url"], ITEMS);
    assert_eq!(diverged.recorded.expect("what was recorded").import, "http.send");
}
