//! The trust boundary from the outside: compiling in a child, and a folder whose files are connectors.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use sallyport::admission::Word;
use sallyport::engine::{ChildCompiler, Compiler};
use sallyport::keys::MasterKey;
use sallyport::ports::{Catalog as _, StoreError};
use sallyport::registry::Registry;
use sallyport::{InvokeError, Ports, Runtime};
use sallyport_bench::hostile;
use sallyport_e2e::{block_on, connectors, program};
use sallyport_server::app::App;
use sallyport_server::config::Config;
use sallyport_server::watch::Watch;
use sallyport_store::Store;

const HELLO: &str = "[provider.hello]\nname = \"Hello\"\norigins = [\"https://hello.example\"]\nauth = []\n";

fn hello() -> Vec<u8> {
    let [file] = <[_; 1]>::try_from(connectors(&["sdk/examples/hello"])).expect("one");
    std::fs::read(file).expect("it was built")
}

fn compiler() -> ChildCompiler {
    ChildCompiler::new(program(), ["compile".to_owned()])
}

fn runtime(folder: &Path, compiler: ChildCompiler) -> (Runtime, std::sync::Arc<Store>) {
    let store = std::sync::Arc::new(Store::open(folder.join("data")).expect("a store"));
    let runtime = Runtime::builder(Ports::all(store.clone()), MasterKey::from_bytes([7; 32]))
        .registry(Registry::default().extended(HELLO).expect("a registry"))
        .compiler(Compiler::Child(compiler))
        .build()
        .expect("a runtime");
    (runtime, store)
}

#[test]
fn a_connector_is_compiled_in_a_child_and_runs_here() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (runtime, _) = runtime(folder.path(), compiler());
        let admitted = runtime.install_as_host(hello(), Word::UNSIGNED).await.expect("it compiles");
        assert!(admitted.live);
    });
}

/// Eight megabytes of code that is small to write down and long to compile.
fn bomb() -> Vec<u8> {
    let mut wat = hostile::module("honest").expect("an honest guest");
    assert_eq!(wat.pop(), Some(')'));
    let steps = "(local.set 0 (i64.mul (i64.add (local.get 0) (local.get 1)) (i64.rotl (local.get 1) (local.get 0))))"
        .repeat(300);
    for number in 0..1_500 {
        let _ = writeln!(wat, "(func (export \"f{number}\") (param i64 i64) (result i64) {steps} (local.get 0))");
    }
    wat.push(')');
    hostile::sealed(&wat, &hello(), |_| ()).expect("a connector file")
}

#[test]
fn a_compile_bomb_is_refused_within_its_bounds_and_the_host_lives() {
    block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bounded = [
            ("CPU", ChildCompiler { cpu: Duration::from_secs(1), ..compiler() }),
            ("wall", ChildCompiler { wall: Duration::from_millis(700), ..compiler() }),
            ("memory", ChildCompiler { memory: 48 << 20, ..compiler() }),
            ("output", ChildCompiler { output: 100_000, ..compiler() }),
        ];
        let bomb = bomb();
        for (what, compiler) in bounded {
            let (runtime, store) = runtime(&folder.path().join(what), compiler);
            let refused = runtime.install_as_host(bomb.clone(), Word::UNSIGNED).await;
            let Err(InvokeError::Component(why)) = refused else { panic!("{what}: {refused:?}") };
            assert!(why.contains("does not compile"), "{what}: {why}");
            assert!(store.list().await.expect("a store").is_empty(), "{what}: nothing is installed");
        }
    });
}

#[test]
fn a_file_in_the_watched_folder_is_live_and_one_taken_out_is_gone() {
    block_on(async {
        let data = tempfile::tempdir().expect("a folder");
        let watched = data.path().join("connectors-of-ours");
        std::fs::create_dir(&watched).expect("a folder");
        std::fs::write(data.path().join("registry.toml"), HELLO).expect("an operator's registry");
        let config = Config::load(data.path()).expect("a configuration");
        let app = App::open(data.path(), config, None).await.expect("a host");
        let mut watch = Watch::new(&watched, Word::UNSIGNED);
        let live = async || app.store().live(&"hello".parse().expect("an id")).await;

        let file = hello();
        std::fs::write(watched.join("hello.wasm"), &file[..1000]).expect("half of it");
        watch.look(&app).await;
        std::fs::write(watched.join("hello.wasm"), &file).expect("all of it");
        watch.look(&app).await;
        assert!(matches!(live().await, Err(StoreError::NotFound { .. })), "it may still be being copied");
        watch.look(&app).await;
        assert_eq!(live().await.expect("it is live").size, file.len() as u64);

        std::fs::write(watched.join("junk.wasm"), "no component").expect("a file");
        watch.look(&app).await;
        watch.look(&app).await;
        assert!(live().await.is_ok(), "what is wrong with one file harms no other");

        std::fs::remove_file(watched.join("hello.wasm")).expect("it was there");
        watch.look(&app).await;
        assert!(matches!(live().await, Err(StoreError::NotFound { .. })));

        std::fs::write(watched.join("again.wasm"), &file).expect("a file");
        watch.look(&app).await;
        watch.look(&app).await;
        assert!(live().await.is_ok(), "it can come back");
        // A folder that is not there for a moment takes nothing away.
        std::fs::rename(&watched, data.path().join("elsewhere")).expect("moved");
        watch.look(&app).await;
        assert!(live().await.is_ok());
    });
}
