//! Syncs: what a pull may do, what becomes durable, what a sweep proves.

use std::time::Duration;

use parking_lot::Mutex;
use std::sync::Arc;

use super::guest::{Change, Ending, Guest, Step, text};
use super::{World, admin, ann, connector, limits};
use crate::admission::Word;
use crate::connection::Setting;
use crate::document::{Access, Principal};
use crate::engine::Limits;
use crate::error::InvokeError;
use crate::fixtures::Answer;
use crate::ids::StreamId;
use crate::invoke::{StreamReport, SyncOptions, SyncReport};

fn pages(ids: std::ops::Range<u32>) -> Vec<Change> {
    let page =
        |n| Change::Upsert { id: format!("p{n}"), revision: "r1", text: format!("Page {n}"), unknown_access: n == 0 };
    ids.map(page).collect()
}

async fn syncing(guest: &Guest) -> World {
    World::new(guest, Setting::Auto, |_, _| Answer::json(200, "{}")).await
}

impl World {
    async fn sync(&self, sweep: bool) -> SyncReport {
        let options = SyncOptions { sweep, ..SyncOptions::default() };
        self.runtime.sync(&ann().tenant, &self.connection, options, |_| {}).await.expect("a report")
    }

    async fn replace(&self, guest: &Guest, version: &str) {
        self.runtime
            .install(&admin(), connector(&guest.component(), version), Word::UNSIGNED)
            .await
            .expect("installed");
    }

    fn ids(&self) -> Vec<String> {
        self.store.documents(&ann().tenant, &self.connection).into_iter().map(|kept| kept.document.id).collect()
    }

    fn cursor(&self) -> Option<String> {
        self.store.cursor(&ann().tenant, &self.connection, &StreamId::new("all"))
    }
}

fn one(report: SyncReport) -> StreamReport {
    assert_eq!(report.streams.len(), 1);
    report.streams.into_iter().next().expect("one")
}

#[tokio::test]
async fn sync_cannot_write() {
    let write = |method, url| Step::Send { method, url: text(url), body: text("{\"name\":\"x\"}") };
    let guest = Guest::pull(
        vec![
            write("POST", "https://api.acme.example/items"),
            write("PUT", "https://api.acme.example/items/it_1"),
            write("POST", "https://api.acme.example/keyed"),
            Step::Send { method: "DELETE", url: text("https://api.acme.example/items/it_1"), body: Vec::new() },
            Step::Emit(pages(0..1)),
            Step::Checkpoint("c1"),
        ],
        Ending::Whole,
    );
    let world = syncing(&guest).await;
    let report = one(world.sync(false).await);
    assert_eq!(report.error, None);
    assert_eq!(report.documents, 1, "the guest did go on to the end");
    assert_eq!(world.service.sockets(), 0);
}

#[tokio::test]
async fn a_checkpoint_makes_documents_and_cursor_durable_and_what_follows_it_does_not_count() {
    let guest = Guest::pull(
        vec![
            Step::Emit(pages(0..2)),
            Step::Emit(vec![Change::Delete("p9")]),
            Step::Checkpoint("c1"),
            Step::Emit(pages(2..4)),
            Step::Trap,
        ],
        Ending::Whole,
    );
    let world = syncing(&guest).await;
    let report = one(world.sync(false).await);
    assert_eq!(report.error.as_ref().map(|error| error.code.as_str()), Some("connector-stopped"));
    assert_eq!((world.ids(), world.cursor()), (vec!["p0".into(), "p1".into()], Some("c1".into())));
    let documents = world.store.documents(&ann().tenant, &world.connection);
    assert_eq!(documents[0].document.access, Access::Unknown);
    let Access::Known { entries, .. } = &documents[1].document.access else { panic!("known") };
    assert_eq!(entries[0].who, Principal::Anyone);
    assert_eq!(documents[1].document.content, crate::document::Content::Text("Page 1".into()));
}

#[tokio::test]
async fn progress_is_told_and_use_is_measured() {
    let guest =
        Guest::pull(vec![Step::Emit(pages(0..3)), Step::Checkpoint("c1"), Step::Checkpoint("c2")], Ending::Whole);
    let world = syncing(&guest).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let report = world
        .runtime
        .sync(&ann().tenant, &world.connection, SyncOptions::default(), move |progress| listener.lock().push(progress))
        .await
        .unwrap();
    assert_eq!(told.lock().iter().map(|one| (one.documents, one.checkpoints)).collect::<Vec<_>>(), [(3, 1), (3, 2)]);
    assert_eq!(report.peak_guest_memory, 128 * 65536);
    assert!(report.guest_cpu > Duration::ZERO && report.host_cpu > Duration::ZERO);
    assert!(report.streams[0].swept);
}

#[tokio::test]
async fn what_a_sweep_misses_is_forgotten_only_if_the_provider_says_that_it_is_gone() {
    let world = syncing(&Guest::pull(vec![Step::Emit(pages(0..4)), Step::Checkpoint("c1")], Ending::Whole)).await;
    world.sync(false).await;
    let mut guest = Guest::pull(
        vec![Step::Emit(vec![Change::Seen(vec!["p0".into(), "p1".into()])]), Step::Checkpoint("c2")],
        Ending::Partial,
    );
    guest.presence = 1;
    let mut version = 1;
    for (ending, sweep, presence, left) in [
        (Ending::Partial, true, 1, 4),
        (Ending::Whole, false, 1, 4),
        (Ending::Whole, true, 2, 4),
        (Ending::Whole, true, 0, 4),
        (Ending::Whole, true, 1, 2),
    ] {
        (guest.ending, guest.presence) = (ending, presence);
        version += 1;
        world.replace(&guest, &format!("0.1.{version}")).await;
        let report = one(world.sync(sweep).await);
        assert_eq!(report.error, None);
        assert_eq!(world.ids().len(), left, "{report:?}");
    }
}

#[tokio::test]
async fn a_sweep_that_was_cut_off_at_its_end_and_began_anew_is_made_once_more() {
    // All is listed and durable, and nobody learns that the sweep is over.
    let cut_off = vec![Step::Emit(pages(0..4)), Step::Checkpoint("c1"), Step::Trap];
    let world = syncing(&Guest::pull(cut_off.clone(), Ending::Whole)).await;
    assert!(one(world.sync(false).await).error.is_some());
    // Meanwhile one goes; the connector knows of no sweep under way and lists everything.
    let seen = Change::Seen(vec!["p0".into(), "p1".into(), "p2".into()]);
    let mut guest = Guest::pull(vec![Step::Emit(vec![seen]), Step::Checkpoint("c2")], Ending::Whole);
    guest.presence = 1;
    world.replace(&guest, "0.1.1").await;
    let report = one(world.sync(false).await);
    assert_eq!((report.pulls, report.gone, report.error), (2, 1, None));
    assert_eq!(world.ids(), ["p0", "p1", "p2"]);
    assert_eq!(one(world.sync(false).await).pulls, 1, "that sweep is over");

    // One that goes on where it was is made once.
    let world = syncing(&Guest::pull(cut_off, Ending::Whole)).await;
    world.sync(false).await;
    let rest = Guest::pull(vec![Step::Emit(pages(3..6)), Step::Checkpoint("c2")], Ending::Whole);
    world.replace(&rest, "0.1.1").await;
    let report = one(world.sync(false).await);
    assert_eq!((report.pulls, report.missing, report.error), (1, 0, None));
    assert_eq!(world.ids().len(), 6);
}

#[tokio::test]
async fn a_listing_that_drops_to_nothing_deletes_nothing_before_a_second_sweep() {
    let world = syncing(&Guest::pull(vec![Step::Emit(pages(0..60)), Step::Checkpoint("c1")], Ending::Whole)).await;
    world.sync(false).await;
    let mut empty = Guest::pull(vec![Step::Checkpoint("c2")], Ending::Whole);
    empty.presence = 1;
    world.replace(&empty, "0.1.1").await;
    let first = one(world.sync(true).await);
    assert_eq!((first.missing, first.waiting, first.gone, world.ids().len()), (60, 60, 0, 60));
    // What comes in between and is no sweep leaves the suspicion as it is.
    assert!(!one(world.sync(false).await).swept);
    let second = one(world.sync(true).await);
    assert_eq!((second.waiting, second.gone, world.ids().len()), (0, 60, 0));
}

#[tokio::test]
async fn a_stream_that_never_ends_is_bounded() {
    let few = Limits { pulls: 5, idle_checkpoints: 3, ..limits() };
    for (guest, code) in [
        (Guest::pull(Vec::new(), Ending::More), "3 pulls in a row"),
        (Guest::pull(vec![Step::Emit(pages(0..1)), Step::Checkpoint("same")], Ending::More), "round in circles"),
    ] {
        let world = World::of(few.clone(), &guest.component(), Setting::Auto, |_, _| Answer::json(200, "{}")).await;
        let error = one(world.sync(false).await).error.expect("an error");
        assert!(error.message.contains(code), "{error:?}");
    }
}

#[tokio::test]
async fn a_connector_that_names_more_streams_than_it_may_is_not_pulled() {
    let guest = Guest::pull(vec![Step::Emit(pages(0..1)), Step::Checkpoint("c1")], Ending::Whole);
    let none = Limits { streams: 0, ..limits() };
    let world = World::of(none, &guest.component(), Setting::Auto, |_, _| Answer::json(200, "{}")).await;
    let refused = world.runtime.sync(&ann().tenant, &world.connection, SyncOptions::default(), |_| ()).await;
    assert!(
        matches!(&refused, Err(InvokeError::Guest { code, .. }) if code == "too-many-streams"),
        "one is more than none: {refused:?}"
    );
    assert!(world.ids().is_empty() && world.cursor().is_none());
}

#[tokio::test]
async fn a_service_that_asks_to_wait_long_ends_the_turn() {
    let guest = Guest::pull(vec![Step::Emit(pages(0..1)), Step::Checkpoint("c1")], Ending::Wait(1_000_000_000));
    let world = syncing(&guest).await;
    let report = one(world.sync(false).await);
    assert_eq!((report.wait_millis, report.error), (Some(1_000_000_000), None));
    assert_eq!(world.cursor().as_deref(), Some("c1"));
}

#[tokio::test]
async fn a_tool_stages_no_documents() {
    let guest = Guest::tool(vec![Step::Emit(pages(0..1)), Step::Checkpoint("c1"), Step::Return(text("{}"))]);
    let world = syncing(&guest).await;
    let arguments = serde_json::json!({ "name": "x" });
    super::done(world.call("list_items", arguments, crate::tool::Verdict::Allow).await.unwrap());
    assert!(world.ids().is_empty() && world.cursor().is_none());
}
