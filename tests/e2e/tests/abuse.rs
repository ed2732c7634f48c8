//! A connector whose author is hostile (`tests/guests/thief`), in the sandbox, before a service that records every
//! socket and every byte: what it may not send is not sent.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sallyport::connection::{Connection, ConnectionState};
use sallyport::engine::Limits;
use sallyport::ids::TenantId;
use sallyport::invoke::SyncOptions;
use sallyport::ports::Directory as _;
use sallyport::tool::Outcome;
use sallyport_bench::host::{Host, token};
use sallyport_bench::log;
use sallyport_e2e::{block_on, connectors, output};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tracing::instrument::WithSubscriber as _;

const SECRET: &str = "thief-secret-0123456789";

/// A service that keeps what it is sent, and answers everything alike.
#[derive(Clone)]
struct Recorder {
    url: String,
    port: u16,
    sockets: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    /// What it says, and after how long.
    answer: Arc<Mutex<(String, Duration)>>,
}

impl Recorder {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let recorder = Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            sockets: Arc::default(),
            requests: Arc::default(),
            answer: Arc::new(Mutex::new(("{\"id\":\"n1\"}".into(), Duration::ZERO))),
        };
        let own = recorder.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                own.sockets.fetch_add(1, Ordering::SeqCst);
                let requests = Arc::clone(&own.requests);
                let (answer, pause) = own.answer.lock().expect("no panic").clone();
                tokio::spawn(async move {
                    let mut bytes = vec![0; 64 * 1024];
                    // Every request here is small, and comes in one piece over loopback.
                    let read = socket.read(&mut bytes).await.unwrap_or(0);
                    requests.lock().expect("no panic").push(String::from_utf8_lossy(&bytes[..read]).into_owned());
                    tokio::time::sleep(pause).await;
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                    let answer = format!("{head}content-length: {}\r\n\r\n{answer}", answer.len());
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        recorder
    }

    fn says(&self, answer: impl Into<String>, pause: Duration) {
        *self.answer.lock().expect("no panic") = (answer.into(), pause);
    }

    fn sockets(&self) -> usize {
        self.sockets.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

struct World {
    host: Host,
    thief: Connection,
    service: Recorder,
    /// Whoever the thief would like to reach instead.
    elsewhere: Recorder,
}

async fn world() -> World {
    world_within(Limits::default()).await
}

async fn world_within(limits: Limits) -> World {
    let [file] = <[_; 1]>::try_from(connectors(&["tests/guests/thief"])).expect("one");
    let (service, elsewhere) = (Recorder::start().await, Recorder::start().await);
    let registry = "[provider.thief]\nname = \"Thief\"\norigins = [\"https://thief.example\"]\nauth = []\n";
    let host = Host::with(registry, &[("thief.api", &service.url)], limits).await.expect("a host");
    let granted = ["notes.read", "notes.write"];
    let thief = host.connect(&file, "thief", "token", token(SECRET), &granted).await.expect("it is connected");
    assert_eq!(service.sockets(), 0, "it says whose account it is without asking");
    World { host, thief, service, elsewhere }
}

impl World {
    async fn tries(&self, tool: &str, attempt: Value) -> (u64, String) {
        let call = self.host.call(&self.thief.id, tool, attempt.clone());
        match call.await {
            Ok(Outcome::Done(done)) => {
                let text = done.output["text"].as_str().expect("a text").to_owned();
                (done.output["status"].as_u64().expect("a status"), text)
            }
            other => panic!("{attempt}: {other:?}"),
        }
    }

    /// What a call that is ended in the middle is told.
    async fn is_ended(&self, attempt: Value) -> String {
        let call = self.host.call(&self.thief.id, "read", attempt);
        let outcome = call.await;
        outcome.expect_err("it is ended").to_string()
    }

    /// Syncs with a guest that does what it is told, and gives what came of it.
    async fn syncs(&self, order: &str) -> String {
        self.service.says(format!("{{\"order\":\"{order}\"}}"), Duration::ZERO);
        self.synced().await
    }

    async fn synced(&self) -> String {
        let (tenant, id) = (&self.host.caller.tenant, &self.thief.id);
        let report = self.host.runtime.sync(tenant, id, SyncOptions::default(), |_| ()).await;
        format!("{report:?}")
    }

    async fn documents(&self) -> u64 {
        self.host.store.documents_of(&self.host.caller.tenant, &self.thief.id).await.expect("a store")
    }

    /// Tries it, and demands that no byte left for anywhere.
    async fn is_refused(&self, tool: &str, attempt: Value) {
        let before = self.service.sockets();
        let (status, text) = self.tries(tool, attempt.clone()).await;
        assert_eq!(status, 0, "{attempt}: it came back with {text}");
        assert!(text.contains("Denied") || text.contains("Malformed"), "{attempt}: {text}");
        assert_eq!(self.service.sockets(), before, "{attempt}: a socket was opened");
        assert_eq!(self.elsewhere.sockets(), 0, "{attempt}: somebody else was reached");
    }
}

fn get(url: &str) -> Value {
    json!({ "method": "GET", "url": url })
}

#[test]
fn what_is_allowed_is_sent_and_the_guest_never_sees_the_secret() {
    block_on(async {
        let world = world().await;
        let (status, text) = world.tries("read", get("https://thief.example/v1/notes/n1")).await;
        assert_eq!((status, text.as_str()), (200, "{\"id\":\"n1\"}"));
        let requests = world.service.requests();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].starts_with("GET /v1/notes/n1 HTTP/1.1\r\n"), "{}", requests[0]);
        assert!(requests[0].contains(&format!("authorization: Bearer {SECRET}\r\n")), "{}", requests[0]);
    });
}

#[test]
fn a_url_that_only_looks_right_opens_no_socket() {
    block_on(async {
        let world = world().await;
        let port = world.elsewhere.port;
        let mut urls: Vec<String> = [
            "https://thief.example@evil.example/v1/me",
            "https://thief.example:x@evil.example/v1/me",
            "https://evil.example\\@thief.example/v1/me",
            "https://thief.example.evil.example/v1/me",
            "https://evilthief.example/v1/me",
            "https://thief.example./v1/me",
            "https://THIEF.example/v1/me",
            "https://xn--thief-example-9b.example/v1/me",
            "https://th\u{456}ef.example/v1/me",
            "https://thief\u{ff0e}example/v1/me",
            "https://thief\u{3002}example/v1/me",
            "https://thief.example:444/v1/me",
            "http://thief.example/v1/me",
            "file:///etc/passwd",
            "//thief.example/v1/me",
            "https://thief.example /v1/me",
            "https://thief.example\t/v1/me",
        ]
        .map(str::to_owned)
        .to_vec();
        let hosts = [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001:0:7f00:1::]",
            "0.0.0.0",
            "100.64.0.1",
            "[fd00::1]",
            "[fe80::1]",
            "169.254.169.254",
            "10.0.0.1",
            "192.168.0.1",
            "172.16.0.1",
            "224.0.0.1",
            "255.255.255.255",
        ];
        urls.extend(hosts.map(|host| format!("https://{host}:{port}/v1/me")));
        urls.extend(hosts.map(|host| format!("http://{host}:{port}/v1/me")));
        for url in urls {
            world.is_refused("read", get(&url)).await;
        }
    });
}

#[test]
fn a_path_that_is_no_route_opens_no_socket() {
    block_on(async {
        let world = world().await;
        for path in [
            "/v1/admin",
            "/v1/notes/n1/comments",
            "/v1/notes%2Fn1",
            "/v1/notes/..%2fadmin",
            "/v1/notes/../admin",
            "/v1/notes/%2e%2e/admin",
            "/v1/./me",
            "/v1//me",
            "/v1/me/",
            "/v1/me;x=1",
            "/v1/notes/n1%00",
            "/V1/me",
            "/v1/notes/a%5cb",
        ] {
            world.is_refused("read", get(&format!("https://thief.example{path}"))).await;
        }
    });
}

#[test]
fn a_method_that_is_no_routes_opens_no_socket() {
    block_on(async {
        let world = world().await;
        for method in ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "GET POST", "GET\r\nX: y"] {
            world.is_refused("read", json!({ "method": method, "url": "https://thief.example/v1/notes/n1" })).await;
        }
    });
}

#[test]
fn a_header_that_is_the_hosts_to_set_opens_no_socket() {
    block_on(async {
        let world = world().await;
        for (name, value) in [
            ("Authorization", "Bearer of-the-attacker-0123"),
            ("authorization", "x"),
            ("Cookie", "session=1"),
            ("Host", "evil.example"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "0"),
            ("Connection", "upgrade"),
            ("Upgrade", "websocket"),
            ("Proxy-Authorization", "Basic eDp5"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-HTTP-Method", "DELETE"),
            ("X-Method-Override", "DELETE"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Api-Key", "of-the-attacker-0123"),
            ("Accept", "a\r\nX-Smuggled: 1"),
        ] {
            let attempt = json!({ "method": "GET", "url": "https://thief.example/v1/me", "headers": [[name, value]] });
            world.is_refused("read", attempt).await;
        }
    });
}

#[test]
fn the_attackers_own_token_is_sent_nowhere() {
    block_on(async {
        let world = world().await;
        for query in ["access_token=a1b2c3", "api_key=a1b2c3", "token=a1b2c3", "%61ccess_token=a1", "ACCESS_TOKEN=a1"] {
            world.is_refused("read", get(&format!("https://thief.example/v1/notes?{query}"))).await;
        }
        let forms = [
            ("application/x-www-form-urlencoded", "title=a&access_token=a1b2c3"),
            ("application/json", "{\"title\":\"a\",\"access_token\":\"a1b2c3\"}"),
            ("application/json", "{\"title\":\"a\",\"API-Key\":\"a1b2c3\"}"),
            ("text/plain", "title=a&access_token=a1b2c3"),
        ];
        for (media_type, body) in forms {
            let attempt = json!({
                "method": "POST", "url": "https://thief.example/v1/notes", "media_type": media_type, "body": body,
            });
            world.is_refused("write", attempt).await;
        }
    });
}

#[test]
fn a_route_to_rename_cannot_be_used_to_throw_away() {
    block_on(async {
        let world = world().await;
        let patch = |body: &str| {
            json!({
                "method": "PATCH", "url": "https://thief.example/v1/notes/n1",
                "media_type": "application/json", "body": body,
            })
        };
        for body in [
            "{\"trashed\":true}",
            "{\"title\":\"a\",\"trashed\":true}",
            "{\"title\":\"a\",\"title\":\"b\"}",
            "{\"Title\":\"a\"}",
            "{\"title\":\"a\",\"\\u0074rashed\":true}",
            "[{\"trashed\":true}]",
            "not json",
        ] {
            world.is_refused("write", patch(body)).await;
        }
        let query = json!({
            "method": "PATCH", "url": "https://thief.example/v1/notes/n1?trashed=true",
            "media_type": "application/json", "body": "{\"title\":\"a\"}",
        });
        world.is_refused("write", query).await;

        let (status, text) = world.tries("write", patch("{\"title\":\"a\"}")).await;
        assert_eq!(status, 200, "{text}");
        let requests = world.service.requests();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].ends_with("\r\n\r\n{\"title\":\"a\"}"), "{}", requests[0]);
    });
}

#[test]
fn a_right_to_read_writes_nothing_whatever_else_is_granted() {
    block_on(async {
        let world = world().await;
        let attempt = json!({
            "method": "POST", "url": "https://thief.example/v1/notes",
            "media_type": "application/json", "body": "{\"title\":\"a\"}",
        });
        world.is_refused("read", attempt.clone()).await;
        let (status, _) = world.tries("write", attempt).await;
        assert_eq!((status, world.service.sockets()), (200, 1), "the same request with the right to write");
    });
}

#[test]
fn what_is_refused_is_told_to_the_operator_though_the_guest_says_nothing() {
    block_on(async {
        let world = world().await;
        let (log, logs) = log::kept();
        let attempt = json!({ "method": "GET", "url": "https://thief.example/v1/admin", "times": 1 });
        world.tries("read", attempt).with_subscriber(logs.clone()).await;
        let attempt = json!({ "method": "POST", "url": "https://thief.example/v1/notes", "media_type": "application/json", "body": "{}" });
        world.tries("read", attempt).with_subscriber(logs).await;
        let log = String::from_utf8(log.taken()).expect("text");
        let told: Vec<&str> = log.lines().filter(|line| line.contains("WARN") && line.contains("refused: ")).collect();
        assert_eq!(told.len(), 2, "{log}");
        assert!(told[0].contains("/v1/admin") && told[0].contains(world.thief.id.as_str()), "{}", told[0]);
        assert!(told[1].contains("notes.write"), "it names the capability that would allow it: {}", told[1]);
    });
}

#[test]
fn a_tool_that_writes_more_often_than_it_may_is_stopped_at_its_number() {
    block_on(async {
        let world = world().await;
        let attempt = json!({
            "method": "POST", "url": "https://thief.example/v1/notes",
            "media_type": "application/json", "body": "{\"title\":\"a\"}", "times": 5,
        });
        let call = world.host.call(&world.thief.id, "write", attempt);
        let outcome = call.await;
        assert_eq!(world.service.requests().len(), 3, "its manifest says three: {outcome:?}");
    });
}

#[test]
fn a_sync_that_tries_every_write_puts_nothing_on_the_wire() {
    block_on(async {
        let world = world().await;
        let said = world.syncs("write").await;
        assert!(said.contains("tried") && !said.contains("it was sent"), "{said}");
        let requests = world.service.requests();
        assert_eq!(requests.len(), 1, "it asked what to do, and nothing else left: {requests:?}");
        assert!(requests[0].starts_with("GET /v1/notes HTTP/1.1\r\n"), "{}", requests[0]);
        assert_eq!(world.elsewhere.sockets(), 0);
    });
}

/// The secret as it is and in the forms in which a service might say it.
fn forms() -> Vec<String> {
    let mut forms = vec![SECRET.to_owned(), hex::encode(SECRET), SECRET.bytes().map(|b| format!("%{b:02X}")).collect()];
    for before in ["", "x", "xy"] {
        forms.push(STANDARD.encode(format!("{before}{SECRET}zz")));
    }
    forms
}

/// Where the secret is found in any form, without the ends of base64, which depend on what stands beside.
fn found(bytes: &[u8]) -> Option<String> {
    let inner = |form: String| form[3..20].to_owned();
    forms().into_iter().map(inner).find(|form| bytes.windows(form.len()).any(|window| window == form.as_bytes()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.expect("it can be read").into_path())
        .filter(|path| path.is_file())
        .collect()
}

#[test]
fn a_secret_that_a_service_gives_back_reaches_no_guest_no_log_and_no_disk() {
    block_on(async {
        let world = world().await;
        let (log, logs) = log::kept();
        let read = get("https://thief.example/v1/notes/n1");
        let write = json!({
            "method": "POST", "url": "https://thief.example/v1/notes",
            "media_type": "application/json", "body": "{\"title\":\"a\"}",
        });
        for form in forms() {
            for (tool, attempt) in [("read", &read), ("write", &write)] {
                world.service.says(format!("{{\"echo\":\"{form}\"}}"), Duration::ZERO);
                let before = world.service.sockets();
                let call = world.host.call(&world.thief.id, tool, attempt.clone());
                let outcome = call.with_subscriber(logs.clone()).await;
                let told = format!("{outcome:?}");
                assert!(told.contains("SecretInResponse") || outcome.is_err(), "{tool}: {told}");
                assert_eq!(found(told.as_bytes()), None, "{tool}: {told}");
                assert_eq!(world.service.sockets(), before + 1, "{tool}: it was asked once");

                let refused = world.is_ended(read.clone()).await;
                assert!(refused.contains("flagged"), "{tool}: {refused}");
                assert_eq!(world.service.sockets(), before + 1, "nothing more is sent before somebody has looked");
                let (tenant, id) = (&world.host.caller.tenant, &world.thief.id);
                world
                    .host
                    .store
                    .set_state(tenant, id, ConnectionState::Active, None)
                    .await
                    .expect("an operator has looked");
            }
        }
        // And one that is well, so that there is a record of an answer too.
        world.service.says("{\"id\":\"n1\"}", Duration::ZERO);
        assert_eq!(world.tries("read", read).with_subscriber(logs).await.0, 200);

        let log = log.taken();
        assert!(String::from_utf8_lossy(&log).contains("an answer held a secret"), "it is told to the operator");
        assert_eq!(found(&log), None);
        let data = world.host.folder.path().join("data");
        let files = files(&data);
        assert!(files.iter().any(|file| file.ends_with("sallyport.db-wal")), "the database is open: {files:?}");
        for file in files {
            assert_eq!(found(&std::fs::read(&file).expect("it can be read")), None, "{}", file.display());
        }
    });
}

#[test]
fn a_secret_that_was_put_in_anothers_place_is_not_used_and_that_is_told() {
    block_on(async {
        let mut world = world().await;
        let [file] = <[_; 1]>::try_from(connectors(&["tests/guests/thief"])).expect("one");
        let own = world.host.caller.tenant.clone();
        for tenant in [own.clone(), TenantId::new("others")] {
            if tenant != own {
                world.host.store.accounts().create_tenant(&tenant, "Others").await.expect("a tenant");
            }
            world.host.caller.tenant = tenant.clone();
            let secret = token("of-somebody-else-0123456789");
            let from = world.host.connect(&file, "thief", "token", secret, &["notes.read"]).await.expect("connected");
            world.host.caller.tenant = own.clone();

            let database = world.host.folder.path().join("data/sallyport.db");
            let db = rusqlite::Connection::open(database).expect("the database");
            let moved = db.execute(
                "UPDATE secrets SET (sealed, nonce, ciphertext) = (SELECT o.sealed, o.nonce, o.ciphertext
                     FROM secrets o JOIN connections c ON c.key = o.connection WHERE c.id = ?1)
                 WHERE connection = (SELECT key FROM connections WHERE id = ?2)",
                [from.id.as_str(), world.thief.id.as_str()],
            );
            assert_eq!(moved, Ok(1));

            let (log, logs) = log::kept();
            let (status, text) = world.tries("read", get("https://thief.example/v1/me")).with_subscriber(logs).await;
            assert!(status == 0 && text.contains("sealed-elsewhere"), "of {tenant}: {text}");
            assert_eq!(world.service.sockets(), 0, "of {tenant}");
            let log = String::from_utf8(log.taken()).expect("text");
            let told = log.lines().find(|line| line.contains("failed authentication")).expect("it is in the log");
            assert!(told.contains("ERROR") && told.contains(world.thief.id.as_str()), "{told}");
        }
    });
}

/// Small, so that a test goes over them in no time.
fn tight() -> Limits {
    Limits {
        calls: 10,
        inline: 1000,
        inline_all: 2000,
        send_all: 4,
        blob: 3000,
        emit: 100_000,
        staged: 50_000,
        cursor: 1000,
        pulls: 3,
        idle_checkpoints: 3,
        blobs: 5000,
        cpu_tool: Duration::from_millis(300),
        wall_tool: Duration::from_millis(2500),
        wall_pull: Duration::from_millis(700),
        ..Limits::default()
    }
}

#[test]
fn requests_without_end_end_at_their_number() {
    block_on(async {
        let world = world_within(tight()).await;
        let many = json!({ "method": "GET", "url": "https://thief.example/v1/me", "times": 1000 });
        let why = world.is_ended(many).await;
        assert!(why.contains("calls"), "{why}");
        assert_eq!(world.service.requests().len(), 10);

        let together = json!({ "method": "GET", "url": "https://thief.example/v1/me", "together": 5 });
        let (status, text) = world.tries("read", together).await;
        assert!(status == 0 && text.contains("too-many"), "{status} {text}");
        assert_eq!(world.service.requests().len(), 10, "none of them was sent");
        let together = json!({ "method": "GET", "url": "https://thief.example/v1/me", "together": 4 });
        assert_eq!(world.tries("read", together).await.0, 200);
        assert_eq!(world.service.requests().len(), 14);
    });
}

#[test]
fn a_guest_that_computes_a_little_for_ever_ends_at_its_sum() {
    block_on(async {
        let world = world_within(Limits { calls: 10_000, wall_tool: Duration::from_secs(60), ..tight() }).await;
        let attempt = json!({
            "method": "GET", "url": "https://thief.example/v1/me", "times": 10_000, "steps": 20_000_000,
        });
        let why = world.is_ended(attempt).await;
        assert!(why.contains("cpu") && !why.contains("between"), "{why}");
        assert!(world.service.requests().len() > 1, "no single stretch was too long");

        let pull = Limits { cpu_pull: Duration::from_millis(300), wall_pull: Duration::from_secs(60), ..tight() };
        let world = world_within(pull).await;
        let said = world.syncs("compute a little for ever").await;
        assert!(said.contains("cpu") && !said.contains("between"), "{said}");
    });
}

#[test]
fn every_limit_is_shown_before_a_connector_is_installed() {
    let [file] = <[_; 1]>::try_from(connectors(&["tests/guests/thief"])).expect("one");
    let data = tempfile::tempdir().expect("a folder");
    std::fs::write(data.path().join("config.toml"), "[limits]\ncalls = 7\n").expect("an operator's limit");
    let shown = output(&["--data", text(data.path()), "plugin", "inspect", text(&file)]);
    let limits = shown["limits"].as_object().expect("limits");
    let all = serde_json::to_value(Limits::default()).expect("they are JSON");
    for name in all.as_object().expect("an object").keys() {
        assert!(limits.contains_key(name), "{name} is not shown: {limits:?}");
    }
    assert_eq!(limits["calls"], 7);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn an_answer_that_is_too_large_never_reaches_the_guest() {
    block_on(async {
        let world = world_within(tight()).await;
        let asks = |more: Value| {
            let mut attempt = json!({ "method": "GET", "url": "https://thief.example/v1/me" });
            attempt.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            attempt
        };
        world.service.says("x".repeat(1001), Duration::ZERO);
        let (status, text) = world.tries("read", asks(json!({}))).await;
        assert!(status == 0 && text.contains("TooLarge(1000)"), "{text}");
        assert_eq!(world.tries("read", asks(json!({ "to_blob": true }))).await.0, 200, "the host keeps what is larger");
        world.service.says("x".repeat(3001), Duration::ZERO);
        let (status, text) = world.tries("read", asks(json!({ "to_blob": true }))).await;
        assert!(status == 0 && text.contains("TooLarge(3000)"), "{text}");
        world.service.says("x".repeat(2000), Duration::ZERO);
        let (status, text) = world.tries("read", asks(json!({ "to_blob": true, "times": 3 }))).await;
        assert!(
            status == 0 && text.contains("TooLarge(5000)"),
            "two are kept, and there is no room for a third: {text}"
        );
        world.service.says("x".repeat(900), Duration::ZERO);
        let (status, text) = world.tries("read", asks(json!({ "together": 3 }))).await;
        assert!(status == 0 && text.contains("TooLarge(2000)"), "each is small enough, all are not: {text}");
    });
}

#[test]
fn a_guest_that_waits_for_ever_is_ended_and_the_next_call_is_well() {
    block_on(async {
        let world = world_within(tight()).await;
        world.service.says("{}", Duration::from_secs(60));
        let why = world.is_ended(get("https://thief.example/v1/me")).await;
        assert!(why.contains("longer than 2.5s"), "{why}");
        let said = world.synced().await;
        assert!(said.contains("longer than 700ms"), "{said}");
        world.service.says("{}", Duration::ZERO);
        assert_eq!(world.tries("read", get("https://thief.example/v1/me")).await, (200, "{}".into()));
    });
}

#[test]
fn a_sync_that_wants_to_keep_too_much_keeps_nothing() {
    block_on(async {
        let world = world_within(tight()).await;
        for (order, why) in [
            ("emit a lot at once", "emit"),
            ("emit without end", "checkpoint"),
            ("readers without end", "checkpoint"),
            ("a long cursor", "cursor"),
            ("checkpoints without end", "progress"),
        ] {
            let said = world.syncs(order).await;
            assert!(said.contains(why), "{order}: {said}");
            assert_eq!(world.documents().await, 0, "{order}");
        }
        let before = world.service.requests().len();
        let said = world.syncs("pulls without end").await;
        assert!(said.contains("more than 3 pulls"), "{said}");
        assert_eq!(world.service.requests().len(), before + 3);
        assert_eq!(world.documents().await, 1, "what was checkpointed stays");
    });
}

#[test]
fn proxy_variables_of_the_hosts_environment_are_ignored() {
    const PROXY: &str = "SALLYPORT_TEST_PROXY";
    if std::env::var_os(PROXY).is_some() {
        return block_on(async {
            let world = world().await;
            let (status, _) = world.tries("read", get("https://thief.example/v1/me")).await;
            assert_eq!((status, world.service.sockets()), (200, 1));
        });
    }
    block_on(async {
        let proxy = Recorder::start().await;
        // Built before, so that nothing but the host itself would ask a proxy.
        let _ = connectors(&["tests/guests/thief"]);
        let mut child = Command::new(std::env::current_exe().expect("a test has a path"));
        child.args(["--exact", "proxy_variables_of_the_hosts_environment_are_ignored"]).env(PROXY, "1");
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            child.env(name, &proxy.url).env(name.to_uppercase(), &proxy.url);
        }
        let ran = tokio::task::spawn_blocking(move || child.output()).await.expect("no panic").expect("it starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
        assert_eq!(proxy.sockets(), 0, "something went through the proxy");
    });
}
