//! Which files come in, and what happens to consent and to running calls when a version replaces another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sallyport_pack::diff::Change;
use sallyport_pack::signature::{self, PublisherKey};
use serde_json::json;
use tokio::sync::Notify;

use super::guest::{Guest, Step, text};
use super::tools::created;
use super::{World, admin, altered, ann, connector, done};
use crate::admission::{Admission, NotAdmitted, Word};
use crate::connection::Setting;
use crate::error::InvokeError;
use crate::fixtures::Answer;
use crate::ids::{ConnectorId, Digest};
use crate::ports::{Catalog as _, Directory as _};
use crate::tool::Verdict;

/// What a wider version asks for: one more write a call.
const WIDER: (&str, &str) = ("max_writes = 3", "max_writes = 4");

/// A guest whose tools read once and say which version answered.
fn saying(version: u32) -> Guest {
    let url = "https://api.acme.example/items";
    Guest::tool(vec![
        Step::Send { method: "GET", url: text(url), body: Vec::new() },
        Step::Return(text(&format!("{{\"version\":{version}}}"))),
    ])
}

fn acme() -> ConnectorId {
    ConnectorId::new("acme").unwrap()
}

fn key(seed: u8) -> PublisherKey {
    PublisherKey::from_seed(&[seed; 32])
}

fn wider(changes: &[Change]) -> Vec<&str> {
    changes.iter().filter(|change| change.wider).map(|change| change.line.as_str()).collect()
}

impl World {
    async fn install(&self, file: Vec<u8>, word: Word) -> Result<Admission, InvokeError> {
        self.runtime.install(&admin(), file, word).await
    }

    /// Which version answers now.
    async fn answering(&self) -> u64 {
        let outcome = self.call("list_items", json!({ "name": "x" }), Verdict::Allow).await.expect("an outcome");
        done(outcome).output["version"].as_u64().expect("a version")
    }

    async fn live(&self) -> String {
        self.store.live(&acme()).await.expect("installed").version
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_in_flight_finishes_on_its_version_and_no_call_fails_during_the_swap() {
    let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let world = World::new(&saying(1), Setting::Ask, {
        let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
        move |_, n| {
            if n > 0 {
                return Answer::json(200, "{}");
            }
            // The first call stands in the middle of its only request until the swap is over.
            arrived.notify_one();
            Answer::Once(Arc::clone(&release), Box::new(Answer::json(200, "{}")))
        }
    })
    .await;
    let swapped = AtomicBool::new(false);
    let in_flight = world.answering();
    let others = async {
        arrived.notified().await;
        let calls = async {
            let mut answered = vec![world.answering().await];
            while !swapped.load(Ordering::SeqCst) {
                answered.push(world.answering().await);
            }
            answered
        };
        let swap = async {
            let admitted = world.install(connector(&saying(2).component(), "0.2.0"), Word::UNSIGNED).await.unwrap();
            swapped.store(true, Ordering::SeqCst);
            admitted
        };
        let (answered, admitted) = tokio::join!(calls, swap);
        assert!(admitted.live, "{:?}", admitted.changes);
        assert_eq!(world.answering().await, 2, "a call that begins after the swap");
        release.notify_one();
        answered
    };
    let (first, answered) = tokio::join!(in_flight, others);
    assert_eq!(first, 1, "the call in flight finished on the version that it began with");
    assert_eq!(answered[0], 1);
    assert!(answered.is_sorted(), "none went back: {answered:?}");
}

#[tokio::test]
async fn a_wider_version_waits_for_an_admin_and_the_old_one_serves() {
    let world = World::new(&saying(1), Setting::Ask, created).await;
    let file = altered(&saying(2).component(), "0.2.0", WIDER.0, WIDER.1);
    let admitted = world.install(file, Word::UNSIGNED).await.unwrap();
    assert!(!admitted.live);
    assert_eq!(wider(&admitted.changes), ["~ tool create_item max_writes 3 → 4"]);
    assert_eq!((world.live().await.as_str(), world.answering().await), ("0.1.0", 1));

    let waiting = world.runtime.waiting_version(&acme()).await.unwrap().expect("it waits");
    assert_eq!((waiting.version.version.as_str(), &waiting.changes), ("0.2.0", &admitted.changes));
    let digest = waiting.version.digest;
    let refused = world.runtime.approve_version(&ann(), &acme(), &digest).await;
    assert!(matches!(refused, Err(InvokeError::Forbidden { .. })), "{refused:?}");
    let refused = world.runtime.approve_version(&admin(), &acme(), &Digest::of(b"another")).await;
    assert!(matches!(refused, Err(InvokeError::State { .. })), "{refused:?}");
    assert_eq!(world.answering().await, 1);

    let approved = world.runtime.approve_version(&admin(), &acme(), &digest).await.unwrap();
    assert_eq!(approved.changes, admitted.changes);
    assert_eq!((world.live().await.as_str(), world.answering().await), ("0.2.0", 2));
    assert!(world.runtime.waiting_version(&acme()).await.unwrap().is_none());
    let again = world.runtime.approve_version(&admin(), &acme(), &digest).await;
    assert!(matches!(again, Err(InvokeError::NotFound { .. })), "{again:?}");
}

#[tokio::test]
async fn a_version_that_waits_does_so_across_a_restart_and_an_approval_of_the_old_one_stands_until_then() {
    let mut world = World::new(&super::tools::creator(), Setting::Ask, created).await;
    let (first, second) = (world.held().await, world.held().await);
    let file = altered(&super::tools::creator().component(), "0.2.0", WIDER.0, WIDER.1);
    assert!(!world.install(file, Word::UNSIGNED).await.unwrap().live);
    world.restart();
    done(world.approved(&first.invocation).await.unwrap());
    assert_eq!(world.reached("POST").len(), 1, "what waits has not voided it");

    let waiting = world.runtime.waiting_version(&acme()).await.unwrap().expect("it waits");
    world.runtime.approve_version(&admin(), &acme(), &waiting.version.digest).await.unwrap();
    let void = world.approved(&second.invocation).await;
    assert!(matches!(&void, Err(InvokeError::Void { what }) if what == "the connector"), "{void:?}");
    assert_eq!(world.reached("POST").len(), 1);
}

#[tokio::test]
async fn a_wider_version_goes_live_at_once_where_nothing_is_granted() {
    let world = World::new(&saying(1), Setting::Ask, created).await;
    world.store.revoke_grant(&ann().tenant, &world.connection).await.unwrap();
    let file = altered(&saying(2).component(), "0.2.0", WIDER.0, WIDER.1);
    let admitted = world.install(file, Word::UNSIGNED).await.unwrap();
    assert_eq!((admitted.live, wider(&admitted.changes).len()), (true, 1));
    assert_eq!(world.live().await, "0.2.0");
}

#[tokio::test]
async fn a_narrower_version_goes_live_at_once_and_what_waited_no_longer_does() {
    let world = World::new(&saying(1), Setting::Ask, created).await;
    let file = altered(&saying(2).component(), "0.2.0", WIDER.0, WIDER.1);
    assert!(!world.install(file, Word::UNSIGNED).await.unwrap().live);
    let file = altered(&saying(3).component(), "0.1.1", WIDER.0, "max_writes = 2");
    let admitted = world.install(file, Word::UNSIGNED).await.unwrap();
    assert_eq!((admitted.live, wider(&admitted.changes)), (true, vec![]));
    assert_eq!(world.answering().await, 3);
    assert!(world.runtime.waiting_version(&acme()).await.unwrap().is_none());
    // What was given up is wider when it comes back.
    let admitted = world.install(connector(&saying(1).component(), "0.1.2"), Word::UNSIGNED).await.unwrap();
    assert_eq!((admitted.live, wider(&admitted.changes)), (false, vec!["~ tool create_item max_writes 2 → 3"]));
}

#[tokio::test]
async fn a_connector_stays_its_publishers() {
    let world = World::new(&saying(1), Setting::Ask, created).await;
    let file = |version: &str| connector(&saying(2).component(), version);
    let signed = |version: &str, by: u8| signature::sign(&file(version), &key(by)).unwrap();

    let refused = world.install(file("0.1.1"), Word::default()).await;
    assert!(matches!(refused, Err(InvokeError::Admission(NotAdmitted::Unsigned { .. }))), "{refused:?}");
    let admitted = world.install(signed("0.1.1", 1), Word::default()).await.unwrap();
    assert!(admitted.live, "an unsigned connector may become signed: {:?}", admitted.changes);
    assert_eq!(admitted.installed.publisher, Some(key(1).publisher()));

    for (bytes, word) in
        [(file("0.1.2"), Word::UNSIGNED), (signed("0.1.2", 2), Word::default()), (signed("0.1.2", 2), Word::UNSIGNED)]
    {
        let refused = world.install(bytes, word).await;
        let Err(InvokeError::Admission(error)) = refused else { panic!("{refused:?}") };
        let message = error.to_string();
        assert!(
            matches!(error, NotAdmitted::Publisher { expected, .. } if expected == key(1).publisher()),
            "{message}"
        );
        assert!(message.contains(&key(1).publisher().to_string()) && message.contains("--new-publisher"), "{message}");
    }
    let unsigned = Word { unsigned: false, new_publisher: true };
    let refused = world.install(file("0.1.2"), unsigned).await;
    assert!(matches!(refused, Err(InvokeError::Admission(NotAdmitted::Unsigned { .. }))), "{refused:?}");
    assert_eq!(world.live().await, "0.1.1");
    assert!(world.install(signed("0.1.3", 1), Word::default()).await.unwrap().live);

    // By an operator's word it may be another's; what was granted was granted to the one before.
    let moved = Word { unsigned: false, new_publisher: true };
    let admitted = world.install(signed("0.2.0", 2), moved).await.unwrap();
    assert!(!admitted.live && wider(&admitted.changes)[0].starts_with("~ publisher"), "{:?}", admitted.changes);
    world.runtime.approve_version(&admin(), &acme(), &admitted.installed.digest).await.unwrap();
    let refused = world.install(signed("0.1.3", 1), Word::default()).await;
    assert!(matches!(refused, Err(InvokeError::Admission(NotAdmitted::Publisher { .. }))), "{refused:?}");
}

#[tokio::test]
async fn what_may_not_come_in_is_refused_before_it_is_compiled() {
    let world = World::new(&saying(1), Setting::Ask, created).await;
    // Its code cannot be compiled: whatever else is said of it was said before that was tried.
    let broken = wat::parse_str(
        r#"(component
            (core module (func (result i32)))
            (instance $nothing)
            (export "sallyport:connector/account@0.1.0" (instance $nothing))
            (export "sallyport:connector/sync@0.1.0" (instance $nothing))
            (export "sallyport:connector/tools@0.1.0" (instance $nothing)))"#,
    )
    .unwrap();
    let sealed = |from: &str, to: &str| altered(&broken, "0.2.0", from, to);
    let good = sealed("", "");
    let signed = signature::sign(&good, &key(1)).unwrap();
    let mut touched = signed.clone();
    touched[good.len() / 2] ^= 1;
    let refused = world.install(good.clone(), Word::default()).await;
    assert!(matches!(refused, Err(InvokeError::Admission(_))), "{refused:?}");
    let elsewhere = sealed("https://auth.acme.example/token", "https://evil.example/token");
    // The secrets of a provider that the host knows go to that provider's own origins, whatever a manifest says.
    let origin = sealed("https://api.acme.example", "https://collect.example");
    let google = sealed("provider = \"acme\"", "provider = \"google\"");
    for (bytes, why) in [
        (elsewhere, "evil.example"),
        (origin, "collect.example"),
        (google, "google"),
        (touched, ""),
        ([signed, vec![0, 1, 0]].concat(), "stand after"),
    ] {
        let refused = world.install(bytes, Word::UNSIGNED).await;
        let Err(InvokeError::Component(message)) = refused else { panic!("{refused:?}") };
        assert!(message.contains(why) && !message.contains("compile"), "{message}, wanted {why}");
    }
    let refused = world.install(good, Word::UNSIGNED).await;
    assert!(matches!(&refused, Err(InvokeError::Component(message)) if message.contains("compile")), "{refused:?}");
    assert_eq!((world.live().await.as_str(), world.answering().await), ("0.1.0", 1), "what was installed before stays");
}
