//! Hostile and broken guests: stopped at a limit that has a name, and the next call is well.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::guest::{Guest, Step, text};
use super::tools::created;
use super::{World, admin, connector, done, limits};
use crate::admission::Word;
use crate::connection::{Constraints, Owner, Setting};
use crate::credentials::NewSecret;
use crate::engine::{Cache, Compiler, Engine, Limits, Loaded, Place};
use crate::error::InvokeError;
use crate::ids::{ConnectorId, Digest};
use crate::invoke::Connect;
use crate::keys::Secret;
use crate::ports::Directory as _;
use crate::tool::Verdict;

fn tight() -> Limits {
    Limits {
        cpu_between_calls: Duration::from_millis(50),
        cpu_tool: Duration::from_millis(200),
        wall_tool: Duration::from_secs(20),
        ..limits()
    }
}

async fn stopped(steps: Vec<Step>) -> (&'static str, String) {
    let world = World::of(tight(), &Guest::tool(steps).component(), Setting::Ask, created).await;
    let outcome = world.call("list_items", json!({ "name": "x" }), Verdict::Allow).await;
    let Err(InvokeError::Trapped { limit, message }) = outcome else { panic!("{outcome:?}") };
    let well = Guest::tool(vec![Step::Return(text("{\"well\":true}"))]);
    world.runtime.install(&admin(), connector(&well.component(), "0.1.1"), Word::UNSIGNED).await.unwrap();
    let next = done(world.call("list_items", json!({ "name": "x" }), Verdict::Allow).await.unwrap());
    assert_eq!(next.output, json!({ "well": true }));
    (limit, message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_spins_is_stopped_within_its_time() {
    let begun = Instant::now();
    assert_eq!(stopped(vec![Step::Spin]).await.0, "cpu-between-calls");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn recursion_ends_in_a_trap() {
    let (limit, message) = stopped(vec![Step::Recurse]).await;
    assert_eq!(limit, "trap");
    assert!(message.contains("stack"), "{message}");
}

#[tokio::test]
async fn memory_beyond_the_limit_is_denied_and_named() {
    assert_eq!(stopped(vec![Step::Grow(2_000)]).await.0, "memory");
}

#[tokio::test]
async fn a_trap_says_what_it_was() {
    let (limit, message) = stopped(vec![Step::Trap]).await;
    assert_eq!(limit, "trap");
    assert!(message.contains("unreachable"), "{message}");
}

#[tokio::test]
async fn a_gigabyte_of_random_bytes_is_refused() {
    assert_eq!(stopped(vec![Step::Random(1 << 30)]).await.0, "trap");
}

/// The component with the seal of a good connector, as no packer would write it.
fn sealed_by_hand(component: &[u8]) -> Vec<u8> {
    let bare = Guest::default().component();
    let whole = connector(&bare, "0.2.0");
    [component, &whole[bare.len()..]].concat()
}

#[tokio::test]
async fn a_component_that_imports_more_than_ours_is_refused_with_the_list() {
    let world = World::new(&Guest::default(), Setting::Ask, created).await;
    let foreign = wat::parse_str(
        r#"(component
            (import "wasi:clocks/wall-clock@0.2.0" (instance))
            (import "wasi:sockets/tcp@0.2.0" (instance)))"#,
    )
    .unwrap();
    let refused = world.runtime.install(&admin(), sealed_by_hand(&foreign), Word::UNSIGNED).await;
    let Err(InvokeError::Component(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("wasi:clocks/wall-clock@0.2.0, wasi:sockets/tcp@0.2.0"), "{message}");
    let empty = wat::parse_str("(component)").unwrap();
    let refused = world.runtime.install(&admin(), sealed_by_hand(&empty), Word::UNSIGNED).await;
    assert!(matches!(&refused, Err(InvokeError::Component(message)) if message.contains("account")), "{refused:?}");
    for bytes in [b"not a component".to_vec(), Vec::new(), Guest::default().component()] {
        assert!(matches!(world.runtime.install(&admin(), bytes, Word::UNSIGNED).await, Err(InvokeError::Component(_))));
    }
    let installed = crate::ports::Catalog::list(&*world.store).await.unwrap();
    assert_eq!(installed[0].version, "0.1.0", "what was installed before stays");
}

#[tokio::test]
async fn installing_takes_an_admin() {
    let world = World::new(&Guest::default(), Setting::Ask, created).await;
    let refused =
        world.runtime.install(&super::ann(), connector(&Guest::default().component(), "0.2.0"), Word::UNSIGNED).await;
    assert!(matches!(refused, Err(InvokeError::Forbidden { .. })));
}

fn place(cache: &Cache) -> Place<'_> {
    Place { compiler: &Compiler::Here, cache: Some(cache) }
}

#[test]
fn compiled_code_is_private_and_what_was_touched_is_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("components");
    let engine = Engine::new(&limits().into()).unwrap();
    let bytes = connector(&Guest::default().component(), "0.1.0");
    let digest = Digest::of(&bytes);
    let cache = Cache::open(&folder).unwrap();
    assert!(cache.load(engine.wasmtime(), &digest).is_none());
    Loaded::read(&engine, place(&cache), &bytes).unwrap();

    let again = Cache::open(&folder).unwrap();
    let begun = Instant::now();
    assert!(again.load(engine.wasmtime(), &digest).is_some());
    println!("loading compiled code took {:?}", begun.elapsed());
    assert!(again.load(engine.wasmtime(), &Digest::of(b"another")).is_none());

    let native: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "native"))
        .collect();
    assert_eq!(native.len(), 1);
    let mut code = std::fs::read(&native[0]).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    std::fs::write(&native[0], &code).unwrap();
    assert!(again.load(engine.wasmtime(), &digest).is_none());
    Loaded::read(&engine, place(&again), &bytes).unwrap();
    assert!(again.load(engine.wasmtime(), &digest).is_some(), "it was compiled and kept anew");

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(&native[0]).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// What was verified is what runs, whatever becomes of its file meanwhile.
#[cfg(target_os = "linux")]
#[test]
fn compiled_code_runs_from_a_sealed_copy() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::new(&limits().into()).unwrap();
    let bytes = connector(&Guest::default().component(), "0.1.0");
    let cache = Cache::open(folder.path()).unwrap();
    Loaded::read(&engine, place(&cache), &bytes).unwrap();

    let loaded = cache.load(engine.wasmtime(), &Digest::of(&bytes)).expect("it was kept");
    let code = loaded.image_range().start as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapped = maps.lines().find(|line| {
        let (from, rest) = line.split_once('-').unwrap();
        let at = |text: &str| usize::from_str_radix(text, 16).unwrap();
        (at(from)..at(rest.split(' ').next().unwrap())).contains(&code)
    });
    assert!(mapped.is_some_and(|line| line.contains("memfd:sallyport-native")), "{mapped:?}");
}

#[tokio::test]
async fn a_connection_that_cannot_be_identified_leaves_nothing() {
    let world = World::new(&Guest::default(), Setting::Ask, created).await;
    let connect = |owner, capabilities| Connect {
        connector: ConnectorId::new("acme").unwrap(),
        auth: None,
        owner,
        name: None,
        secrets: BTreeMap::from([(
            crate::fixtures::slot("user"),
            NewSecret { access: Secret::new("a-token-of-ours"), refresh: None, expires_in: None, scopes: Vec::new() },
        )]),
        capabilities,
        constraints: Constraints::default(),
        settings: BTreeMap::new(),
        audience: Vec::new(),
    };
    let nothing = Some(BTreeMap::new());
    let refused = world.runtime.connect(&admin(), connect(Owner::Workspace, nothing)).await;
    assert!(matches!(refused, Err(InvokeError::NotGranted { .. })), "{refused:?}");
    let refused = world.runtime.connect(&super::ann(), connect(Owner::Workspace, None)).await;
    assert!(matches!(refused, Err(InvokeError::Forbidden { .. })));
    let unknown = Some(BTreeMap::from([(super::cap("items.burn"), Setting::Auto)]));
    let refused = world.runtime.connect(&admin(), connect(Owner::Workspace, unknown)).await;
    assert!(matches!(&refused, Err(InvokeError::InvalidInput(why)) if why.contains("items.burn")), "{refused:?}");
    let own = Owner::Person(super::ann().subject);
    let made = world.runtime.connect(&super::ann(), connect(own, None)).await.unwrap();
    let all = world.store.connections(&super::ann().tenant).await.unwrap();
    assert_eq!(all.len(), 2, "the first one and the one that was made");
    assert_eq!(made.account, "acc_1");
    assert_eq!(world.runtime.identify(&super::ann(), &made.id).await.unwrap().name, "Ann");
    let stranger = world.runtime.identify(&admin(), &made.id).await;
    assert!(matches!(stranger, Err(InvokeError::NotFound { .. })), "a person's connection is theirs alone");
}
