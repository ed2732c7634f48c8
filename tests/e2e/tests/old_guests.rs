//! Guests of earlier versions of the contract load for ever, and the real one among them runs.
//!
//! `tests/guests/0.1` was written by these tests with `SALLYPORT_KEEP_GUESTS=<folder>`: a connector of each world whose
//! functions trap, and the example connector as the SDK of that version built it. For a new version of the contract,
//! keep a folder of its own beside the earlier ones; never write one anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use sallyport::admission::Word;
use sallyport::connection::{Constraints, Owner, Setting};
use sallyport::credentials::NewSecret;
use sallyport::ids::{CapabilityId, ConnectorId, SlotName, SubjectId, TenantId, ToolName};
use sallyport::invoke::{Connect, SyncOptions};
use sallyport::keys::{MasterKey, Secret};
use sallyport::registry::Registry;
use sallyport::tool::{Outcome, ToolCall, Tools as _, Verdict};
use sallyport::wire::{Repoint, WireConfig};
use sallyport::{Caller, Ports, Role, Runtime};
use sallyport_e2e::{block_on, connectors};
use sallyport_pack::describe;
use sallyport_pack::manifest::Manifest;
use sallyport_pack::sealed::{self, Sealed};
use sallyport_store::Store;
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

const WORLDS: [&str; 6] = [
    "base",
    "tool-connector",
    "sync-connector",
    "connector",
    "connector-with-webhooks",
    "connector-with-subscriptions",
];
const PROVIDERS: &str = "[provider.hello]\nname = \"Hello\"\norigins = [\"https://hello.example\"]\nauth = []\n";

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/0.1")
}

/// A manifest that asks for what a world has, and no more.
fn manifest(world: &str) -> Manifest {
    let has = |part: &str| match part {
        "tools" => world != "base" && world != "sync-connector",
        "sync" => world != "base" && world != "tool-connector",
        "webhook" => world.starts_with("connector-with"),
        _ => world == "connector-with-subscriptions",
    };
    let mut text = format!(
        r#"schema = 1
[connector]
id = "{world}"
provider = "hello"
name = "A {world}"
version = "0.1.0"
[origins]
api = {{ url = "https://hello.example", credentials = true }}
[[auth]]
id = "token"
type = "token"
owner = "person"
[[auth.credential]]
slot = "user"
inject = {{ origins = ["api"], header = "authorization", value = "Bearer {{token}}" }}
[[capability]]
id = "notes.read"
access = "read"
summary = "Read notes"
slots = ["user"]
routes = ["GET {{api}}/v1/me"]
"#
    );
    if has("tools") {
        text += "[[tool]]\nname = \"read_note\"\ncapabilities = [\"notes.read\"]\neffect = \"read\"\n";
    }
    if has("sync") {
        text += "[sync]\ncapabilities = [\"notes.read\"]\ninterval = \"5m\"\nsweep = \"24h\"\n";
    }
    if has("webhook") {
        let (verify, connections) = if has("subscriptions") {
            (
                r#"verify = { header = "x-token", equals = "subscription.token" }"#,
                r#"{ header = "x-channel", match = "subscription" }"#,
            )
        } else {
            let signature = r#"signature = { algorithm = "hmac-sha256", key = "client.signing_secret", message = "{body}", header = "x-signature", format = "{hex}" }"#;
            (signature, r#"{ pointer = "/team", match = "workspace" }"#)
        };
        text += &format!("[webhook]\n{verify}\nconnections = {connections}\ndedupe = {{ header = \"x-number\" }}\n");
        text = text.replace("[origins]", "[client]\nfields = [\"signing_secret\"]\n[origins]");
    }
    if has("subscriptions") {
        text = text.replace("[webhook]\n", "[webhook]\nsubscribe = [\"notes.watch\"]\n");
        text += "[[capability]]\nid = \"notes.watch\"\naccess = \"subscribe\"\nsummary = \"Ask for news\"\nslots = [\"user\"]\n\
                 routes = [{ match = \"POST {api}/v1/watch\", keys = [\"id\"], \
                 fill = { address = \"subscription.callback\", token = \"subscription.token\" } }]\n";
    }
    Manifest::from_toml(&text).unwrap_or_else(|error| panic!("{world}: {error}\n{text}"))
}

/// A connector of a world, whose functions trap.
fn guest(world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(wit).expect("the WIT package");
    let id = resolve.select_world(&[package], Some(world)).expect("the world");
    let mut module = dummy_module(&resolve, id, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, id, StringEncoding::UTF8, false).expect("metadata");
    let component = ComponentEncoder::default().module(&module).expect("a module").encode().expect("a component");
    let manifest = manifest(world);
    let described = if manifest.tools.is_empty() {
        json!([])
    } else {
        json!([{ "name": "read_note", "title": "Read", "description": "Reads.", "input": { "type": "object" } }])
    };
    let tools = describe::read(&described.to_string(), &manifest).expect("descriptions");
    sealed::seal(&component, &Sealed { manifest, tools, packer: "0.1.0".into() }).expect("sealed")
}

fn caller() -> Caller {
    let roles = vec![Role::Admin, Role::Approver, Role::Member];
    Caller { tenant: TenantId::new("acme"), subject: SubjectId::new("ann"), emails: Vec::new(), roles }
}

fn runtime(folder: &Path, url: &str) -> (Arc<Store>, Runtime) {
    let store = Arc::new(Store::open(folder).expect("a store"));
    let repoint = Repoint::new([("hello.api", url)]).expect("re-pointing");
    let runtime = Runtime::builder(Ports::all(Arc::clone(&store)), MasterKey::from_bytes([7; 32]))
        .registry(Registry::default().extended(PROVIDERS).expect("a provider"))
        .wire(WireConfig { repoint, ..WireConfig::default() })
        .build()
        .expect("a runtime");
    (store, runtime)
}

#[test]
fn a_guest_of_each_world_loads() {
    if let Some(folder) = std::env::var_os("SALLYPORT_KEEP_GUESTS") {
        let folder = PathBuf::from(folder);
        for world in WORLDS {
            std::fs::write(folder.join(format!("{world}.wasm")), guest(world)).expect("written");
        }
        let hello = connectors(&["sdk/examples/hello"]).remove(0);
        std::fs::copy(hello, folder.join("hello.wasm")).expect("copied");
    }
    block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let (_, runtime) = runtime(dir.path(), "http://127.0.0.1:9");
        for world in WORLDS {
            let file = std::fs::read(kept().join(format!("{world}.wasm"))).expect("a kept guest");
            let admitted = runtime.install(&caller(), file, Word::UNSIGNED).await;
            let admitted = admitted.unwrap_or_else(|error| panic!("{world}: {error}"));
            assert_eq!((admitted.installed.connector.as_str(), admitted.live), (world, true));
        }
    });
}

#[test]
fn the_example_connector_of_0_1_still_runs() {
    block_on(async {
        let note = json!({
            "id": "n1", "title": "Milk", "text": "And bread.", "etag": "1", "updated": "2026-01-01T00:00:00Z",
            "readers": ["ann@example.com"],
        });
        let (one, list) = (note.clone(), json!({ "notes": [note], "next": null }));
        let me = json!({ "id": "u1", "name": "Ann", "email": "ann@example.com" });
        let router = Router::new()
            .route("/v1/me", get(move || async move { Json(me) }))
            .route("/v1/notes", get(move || async move { Json(list) }))
            .route("/v1/notes/n1", get(move || async move { Json(one) }));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let dir = tempfile::tempdir().expect("a folder");
        let (store, runtime) = runtime(dir.path(), &url);
        store.accounts().create_tenant(&caller().tenant, "Acme").await.expect("a tenant");
        let file = std::fs::read(kept().join("hello.wasm")).expect("the kept guest");
        runtime.install(&caller(), file, Word::UNSIGNED).await.expect("it installs");
        let secret =
            NewSecret { access: Secret::new("a-token-of-hello"), refresh: None, expires_in: None, scopes: vec![] };
        let connect = Connect {
            connector: ConnectorId::new("hello").expect("an id"),
            auth: None,
            owner: Owner::Workspace,
            name: None,
            secrets: BTreeMap::from([(SlotName::new("user").expect("a slot"), secret)]),
            capabilities: Some(BTreeMap::from([(CapabilityId::new("notes.read").expect("an id"), Setting::Auto)])),
            constraints: Constraints::default(),
            settings: BTreeMap::new(),
            audience: Vec::new(),
        };
        let connection = runtime.connect(&caller(), connect).await.expect("it connects");
        assert_eq!(connection.account, "u1");
        let report =
            runtime.sync(&caller().tenant, &connection.id, SyncOptions::default(), |_| {}).await.expect("it syncs");
        assert_eq!(report.streams[0].documents, 1, "{report:?}");
        let call = ToolCall {
            connection: connection.id,
            tool: ToolName::new("read_note").expect("a name"),
            arguments: json!({ "id": "n1" }),
            verdict: Verdict::Allow,
            context: None,
        };
        let Outcome::Done(done) = runtime.call(&caller(), call).await.expect("it runs") else { panic!("it was held") };
        assert_eq!(done.output, json!({ "title": "Milk", "text": "And bread." }));
    });
}
