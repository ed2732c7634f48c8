//! A data directory of an earlier version in the middle of its work: a write that waits for a person, a write that was cut
//! off between `sent` and its answer, and an access token that has ended. A newer version opens it and finishes.
//!
//! `tests/e2e/data/0.1-pending` was written by this test with `SALLYPORT_KEEP_PENDING=<an empty folder>`. For a new version keep
//! a folder of its own beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sallyport::admission::Word;
use sallyport::connection::{Constraints, Owner};
use sallyport::credentials::NewSecret;
use sallyport::ids::{ConnectionId, ConnectorId, SlotName, TenantId, ToolName};
use sallyport::invoke::Connect;
use sallyport::keys::Secret;
use sallyport::ports::{DecisionKind, Filter, Journal as _, SettlementKind, State, TenantRules};
use sallyport::tool::{Outcome, ToolCall, Tools as _, Verdict};
use sallyport_e2e::{block_on, connectors, program};
use sallyport_server::app::App;
use sallyport_server::audit;
use sallyport_server::cli::connect::register;
use sallyport_server::cli::session;
use sallyport_server::config::Config;
use sallyport_server::grants;
use serde_json::{Value, json};

const BOARD: &str = "5f1a0000000000000000b0a7";

/// Trello, as far as a new list needs it. Its first access token ends at once; a refreshed one is good.
#[derive(Clone, Default)]
struct Boards(Arc<Inner>);

#[derive(Default)]
struct Inner {
    lists: Mutex<Vec<Value>>,
    bodies: Mutex<Vec<Vec<u8>>>,
    refreshed: AtomicUsize,
    hangs: AtomicBool,
}

impl Boards {
    async fn start(&self) -> String {
        let router = Router::new()
            .route("/oauth/token", post(token))
            .route("/1/members/me", get(me))
            .route("/1/lists", post(list))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    /// Names of the lists that were made.
    fn lists(&self) -> Vec<String> {
        let lists = self.0.lists.lock().expect("no panic");
        lists.iter().map(|list| list["name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

async fn token(Shared(boards): Shared<Boards>) -> Response {
    boards.0.refreshed.fetch_add(1, Ordering::SeqCst);
    axum::Json(json!({ "access_token": "access-token-1", "refresh_token": "refresh-token-1", "expires_in": 3600 }))
        .into_response()
}

async fn me() -> Response {
    axum::Json(json!({ "id": "m1", "username": "ana", "fullName": "Ana" })).into_response()
}

async fn list(Shared(boards): Shared<Boards>, headers: HeaderMap, sent: axum::body::Bytes) -> Response {
    let body: Value = serde_json::from_slice(&sent).expect("JSON");
    boards.0.bodies.lock().expect("no panic").push(sent.to_vec());
    boards.0.lists.lock().expect("no panic").push(body.clone());
    if boards.0.hangs.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.contains("access-token-0") {
        return (StatusCode::UNAUTHORIZED, "expired token").into_response();
    }
    axum::Json(json!({ "id": "5f1a00000000000000001157", "name": body["name"], "idBoard": BOARD, "closed": false }))
        .into_response()
}

fn tenant() -> TenantId {
    TenantId::new("acme")
}

fn configured(data: &Path, url: &str) -> Config {
    // A question of then has to be open whenever this test runs: a hundred years are enough.
    let text = format!(
        "scheduled_sync = false\napproval_minutes = 52560000\n[repoint]\n\"trello.api\" = \"{url}\"\n\"trello.auth\" = \"{url}\"\n"
    );
    std::fs::write(data.join("config.toml"), text).expect("written");
    Config::load(data).expect("a configuration")
}

async fn propose(app: &App, connection: &ConnectionId, name: &str) -> String {
    let call = ToolCall {
        connection: connection.clone(),
        tool: ToolName::new("create_list").expect("a name"),
        arguments: json!({ "board_id": BOARD, "name": name }),
        verdict: Verdict::Ask(vec!["a document asks for it".into()]),
        context: Some(json!({ "request": format!("make a list {name}") })),
    };
    match app.runtime().call(&session::operator(&tenant()), call).await.expect("an outcome") {
        Outcome::Held(proposal) => proposal.invocation.to_string(),
        Outcome::Done(done) => panic!("{done:?}"),
    }
}

/// Makes a directory in the middle of its work.
async fn keep(folder: &Path) {
    let boards = Boards::default();
    let url = boards.start().await;
    let scratch = tempfile::tempdir().expect("a folder");
    let data = scratch.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let config = configured(&data, &url);
    let app = App::open(&data, config, None).await.expect("a host");
    let tenant = session::tenant(&app, "acme").await.expect("a tenant");
    app.accounts().put_rules(&tenant, TenantRules { self_approval: true }).await.expect("rules");
    let [file] = <[_; 1]>::try_from(connectors(&["plugins/trello"])).expect("one");
    app.runtime().install_as_host(std::fs::read(file).expect("a file"), Word::UNSIGNED).await.expect("installed");
    let connector = ConnectorId::new("trello").expect("an id");
    let client = json!({ "client_id": "a-client", "client_secret": "a-client-secret", "key": "a-client-key" });
    register(&app, &tenant, &connector, &client.to_string()).await.expect("registered");
    let secret = NewSecret {
        access: Secret::new("access-token-0"),
        refresh: Some(Secret::new("refresh-token-0")),
        expires_in: Some(20),
        scopes: vec!["read".into(), "write".into()],
    };
    let every = grants::every(&app, &connector).await.expect("capabilities");
    let connect = Connect {
        connector,
        auth: Some("oauth".into()),
        owner: Owner::Workspace,
        name: Some("Trello".into()),
        secrets: BTreeMap::from([(SlotName::new("user").expect("a slot"), secret)]),
        capabilities: Some(every),
        constraints: Constraints::default(),
        settings: BTreeMap::new(),
        audience: Vec::new(),
    };
    let connection = app.runtime().connect(&session::operator(&tenant), connect).await.expect("connected").id;
    let _ = propose(&app, &connection, "Waiting").await;
    let cut_off = propose(&app, &connection, "Cut off").await;
    drop(app);

    boards.0.hangs.store(true, Ordering::SeqCst);
    let at = data.to_str().expect("UTF-8").to_owned();
    let mut child = std::process::Command::new(program())
        .args(["--data", &at, "--tenant", "acme", "approvals", "approve", &cut_off])
        .spawn()
        .expect("the program starts");
    for _ in 0..500 {
        if !boards.lists().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(boards.lists(), ["Cut off"]);
    child.kill().expect("killed");
    child.wait().expect("it ended");

    let db = rusqlite::Connection::open(data.join("sallyport.db")).expect("the database");
    db.execute("VACUUM INTO ?", [folder.join("sallyport.db").to_str().expect("UTF-8")]).expect("a copy");
    std::fs::copy(data.join("master.key"), folder.join("master.key")).expect("copied");
    std::fs::create_dir_all(folder.join("connectors")).expect("made");
    for entry in std::fs::read_dir(data.join("connectors")).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), folder.join("connectors").join(entry.file_name())).expect("copied");
    }
}

#[test]
fn a_directory_in_the_middle_of_its_work_is_finished_by_this_version() {
    block_on(async {
        if let Some(folder) = std::env::var_os("SALLYPORT_KEEP_PENDING") {
            keep(&PathBuf::from(folder)).await;
        }
        let boards = Boards::default();
        let url = boards.start().await;
        let scratch = tempfile::tempdir().expect("a folder");
        let data = scratch.path().join("data");
        kept(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/0.1-pending"), &data);
        let config = configured(&data, &url);
        let app = App::open(&data, config, None).await.expect("this version opens it");
        let (tenant, operator) = (tenant(), session::operator(&tenant()));
        let id = async |state: State| {
            let filter = Filter { states: vec![state], ..Filter::default() };
            let listed = app.store().list(&tenant, &filter).await.expect("a list");
            assert_eq!(listed.len(), 1, "{state:?}");
            listed[0].invocation.clone()
        };

        // Cut off after `sent`: nobody knows, and nothing is sent, until a person has looked.
        let cut_off = id(State::Running).await;
        let recovered = app.runtime().recover(&tenant).await.expect("recovered");
        assert_eq!(recovered.unknown, std::slice::from_ref(&cut_off));
        assert!(app.runtime().resume_as_host(&tenant, &cut_off).await.is_err());
        assert!(boards.lists().is_empty());
        app.runtime().settle(&operator, &cut_off, SettlementKind::Repeat, None).await.expect("settled");
        // Its token has ended long ago.
        app.runtime().resume_as_host(&tenant, &cut_off).await.expect("it goes on");
        assert_eq!(boards.lists(), ["Cut off"]);
        assert_eq!(boards.0.refreshed.load(Ordering::SeqCst), 1);

        // Held under the old version, approved under the new one: the first write is byte for byte what was shown.
        let waiting = id(State::Held).await;
        let shown = app.runtime().proposal(&operator, &waiting).await.expect("a proposal").first_write;
        app.runtime().decide(&operator, &waiting, DecisionKind::Approve, None).await.expect("approved");
        app.runtime().resume_as_host(&tenant, &waiting).await.expect("it goes on");
        assert_eq!(boards.lists(), ["Cut off", "Waiting"]);
        let sent = boards.0.bodies.lock().expect("no panic").last().cloned().expect("a body");
        assert_eq!(sent, shown.body.as_bytes());

        // What was done under both versions is one chain, from the first entry of the old one on.
        audit::seal(&app).await.expect("signed");
        let key = app.host_key().expect("a key").public();
        let reports = app.store().audit().verify(key, Vec::new()).await.expect("reports");
        let own = reports.iter().find(|report| report.chain == "acme").expect("the tenant's");
        assert_eq!((&own.bad, own.vouched), (&None, own.links));
        assert!(own.links > 12, "{own:?}");
    });
}

/// As the host makes its files; a clone of the repository has other modes.
fn kept(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            kept(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        }
    }
}
