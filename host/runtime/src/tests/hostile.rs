//! The guests of `tests/guests/hostile`: written by hand, as no SDK would let one be. Each is stopped at a limit that has a
//! name, or does nothing; and the next call, of an honest guest, is well.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::guest::componentize;
use super::tools::created;
use super::{World, admin, connector, done, limits};
use crate::admission::Word;
use crate::connection::Setting;
use crate::engine::Limits;
use crate::error::InvokeError;
use crate::fixtures::{Answer, Seen};
use crate::tool::Verdict;

/// A guest's component.
fn hostile(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests/hostile");
    let read = |name: &str| {
        let path = format!("{folder}/{name}.wat");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    componentize(&format!("(module\n{}\n{})", read("common"), read(name)))
}

/// One slot, so that whoever comes next is in the place of the one before.
fn tight() -> Limits {
    Limits {
        instances: 1,
        memories: 1,
        cpu_between_calls: Duration::from_millis(500),
        cpu_tool: Duration::from_secs(1),
        handles: 100,
        ..limits()
    }
}

async fn world(name: &str) -> World {
    World::of(tight(), &hostile(name), Setting::Ask, created).await
}

async fn call(world: &World) -> Result<Value, InvokeError> {
    world.call("list_items", json!({ "name": "x" }), Verdict::Allow).await.map(|outcome| done(outcome).output)
}

/// The limit that stopped the guest, and why, in words; after it an honest guest is well in the same slot.
async fn stopped(name: &str) -> (&'static str, String) {
    let world = world(name).await;
    let outcome = call(&world).await;
    let Err(InvokeError::Trapped { limit, message }) = outcome else { panic!("{name}: {outcome:?}") };
    is_well(&world).await;
    assert!(world.reached("POST").is_empty(), "{name}");
    (limit, message)
}

async fn is_well(world: &World) {
    world.runtime.install(&admin(), connector(&hostile("honest"), "0.1.9"), Word::UNSIGNED).await.expect("installed");
    assert_eq!(call(world).await.expect("an honest guest"), json!({ "ok": true }));
}

#[tokio::test]
async fn a_guest_that_spins_when_called_is_stopped() {
    assert_eq!(stopped("spins").await.0, "cpu-between-calls");
}

/// It cannot even be connected: its first instance never begins.
#[tokio::test]
async fn a_start_function_that_spins_is_stopped() {
    let world = world("honest").await;
    world
        .runtime
        .install(&admin(), connector(&hostile("spins-at-start"), "0.1.1"), Word::UNSIGNED)
        .await
        .expect("installed");
    let outcome = call(&world).await;
    assert!(matches!(outcome, Err(InvokeError::Trapped { limit: "cpu-between-calls", .. })), "{outcome:?}");
    is_well(&world).await;
}

#[tokio::test]
async fn a_guest_that_spins_while_the_host_wants_room_is_stopped() {
    assert_eq!(stopped("spins-in-realloc").await.0, "cpu-between-calls");
}

#[tokio::test]
async fn memory_and_tables_end_at_their_limits() {
    assert_eq!(stopped("grows-memory").await.0, "memory");
    assert_eq!(stopped("grows-tables").await.0, "tables");
}

/// Two gigabytes to copy, in a list of one buffer: the budget of a host call ends first.
#[tokio::test]
async fn a_list_that_is_one_buffer_many_times_costs_no_more_than_a_host_calls_budget() {
    let (limit, message) = stopped("aliases").await;
    assert_eq!(limit, "trap");
    assert!(message.contains("fuel") || message.contains("allocat"), "{message}");
}

#[tokio::test]
async fn a_length_of_four_gigabytes_traps_before_anything_is_taken() {
    let (limit, message) = stopped("four-gigabytes").await;
    assert_eq!(limit, "trap");
    assert!(message.contains("bounds"), "{message}");
}

#[tokio::test]
async fn handles_are_finite_and_cannot_be_made_up_or_given_back_twice() {
    for (name, why) in
        [("handles-for-ever", "handle"), ("forges-a-handle", "unknown handle"), ("drops-twice", "unknown handle")]
    {
        let (limit, message) = stopped(name).await;
        assert_eq!(limit, "trap", "{name}");
        assert!(message.contains(why), "{name}: {message}");
    }
}

#[tokio::test]
async fn nothing_of_a_guest_is_in_the_memory_of_the_next() {
    let world = world("leaves-a-trace").await;
    assert_eq!(call(&world).await.expect("it only writes"), json!({ "ok": true }));
    world
        .runtime
        .install(&admin(), connector(&hostile("looks-for-traces"), "0.1.1"), Word::UNSIGNED)
        .await
        .expect("installed");
    assert_eq!(call(&world).await.expect("it traps where it finds something"), json!({ "ok": true }));
}

#[tokio::test]
async fn ten_megabytes_of_log_are_cut_and_escaped() {
    let lines = Lines::default();
    let _captured = tracing::subscriber::set_default(lines.clone());
    let world = world("floods-the-log").await;
    assert_eq!(call(&world).await.expect("writing a log is allowed"), json!({ "ok": true }));
    let text = lines.0.lock().expect("nobody panicked").clone();
    assert!(text.contains("[2J") && text.contains("the log ends here"), "it was logged");
    assert!(!text.contains('\u{1b}'), "a terminal would have been cleared");
    assert!(text.len() < tight().log + 1000, "{} bytes", text.len());
}

#[tokio::test]
async fn a_component_of_more_instances_than_allowed_is_refused_at_install() {
    let world = world("honest").await;
    let few = world.runtime_within(Limits { core_instances: 1, ..tight() });
    let refused = few.install(&admin(), connector(&hostile("honest"), "0.1.1"), Word::UNSIGNED).await;
    assert!(matches!(&refused, Err(InvokeError::Component(why)) if why.contains("instances")), "{refused:?}");
}

/// Forty side by side; and two of two of two …, four thousand in all, in a file of a kilobyte.
#[tokio::test]
async fn a_component_that_makes_instances_without_end_is_refused_and_what_was_installed_stays() {
    let world = world("honest").await;
    let beside = "(core instance (instantiate $m))".repeat(40);
    let mut nested = "(component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for depth in 1..=12 {
        let below = depth - 1;
        let _ = write!(
            nested,
            "(component $c{depth} (instance (instantiate $c{below})) (instance (instantiate $c{below})))"
        );
    }
    let exports = r#"(instance $nothing)
        (export "sallyport:connector/account@0.1.0" (instance $nothing))
        (export "sallyport:connector/sync@0.1.0" (instance $nothing))
        (export "sallyport:connector/tools@0.1.0" (instance $nothing))"#;
    for text in [
        format!("(component (core module $m) {beside} {exports})"),
        format!("(component {nested} (instance (instantiate $c12)) {exports})"),
    ] {
        let component = wat::parse_str(&text).expect("a component");
        let refused = world.runtime.install(&admin(), connector(&component, "0.2.0"), Word::UNSIGNED).await;
        assert!(matches!(&refused, Err(InvokeError::Component(why)) if why.contains("instances")), "{refused:?}");
    }
    let installed = crate::ports::Catalog::list(&*world.store).await.expect("listed");
    assert_eq!(installed[0].version, "0.1.0");
    is_well(&world).await;
}

/// The store of a call that was given up is not used again: the next one has its own, in the same slot.
#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_leaves_the_next_one_well() {
    use super::guest::{Guest, Step, text};
    let asks = Guest::tool(vec![Step::Send { method: "GET", url: text(super::tools::ITEMS), body: Vec::new() }]);
    let answer = |_: &Seen, count: usize| if count == 0 { Answer::Hang } else { Answer::json(200, "{}") };
    let limits = Limits { wall_tool: Duration::from_millis(300), ..tight() };
    let world = World::of(limits, &asks.component(), Setting::Ask, answer).await;
    let asked = world.call("list_items", json!({ "name": "x" }), Verdict::Allow);
    // Whoever asked goes away; the call goes on without them, to the end of its time.
    assert!(tokio::time::timeout(Duration::from_millis(50), asked).await.is_err(), "it waits for the service");
    is_well(&world).await;
    assert_eq!(world.reached("GET").len(), 1);
}

#[tokio::test]
async fn a_guest_that_computes_holds_up_nobody_else() {
    let spinning = World::of(
        Limits { cpu_between_calls: Duration::from_secs(3), cpu_tool: Duration::from_secs(3), ..limits() },
        &hostile("spins"),
        Setting::Ask,
        created,
    )
    .await;
    // All of this test's own tasks are on one thread: the guest has to leave it to let anything else run.
    let spin = spinning.call("list_items", json!({ "name": "x" }), Verdict::Allow);
    let mut turns = 0_u32;
    let count = async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            turns += 1;
        }
    };
    tokio::select! {
        outcome = spin => assert!(matches!(outcome, Err(InvokeError::Trapped { .. })), "{outcome:?}"),
        () = count => {}
    }
    assert!(turns > 100, "{turns} turns while a guest computed");
}

/// What is logged of guests.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0.lock().expect("nobody panicked"), "{value:?}");
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sallyport::guest"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
