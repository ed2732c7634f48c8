//! Access tokens end, are refreshed at the provider, and nobody notices.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sallyport_e2e::{Host, Serving, block_on, connectors, output};
use sallyport_simulate::{Provider, Seed};
use serde_json::{Value, json};

#[test]
fn an_expired_token_is_refreshed_once_and_the_sync_goes_on() {
    block_on(async {
        let host = Host::with(Seed::demo()).await;
        let before = host.simulation.refreshes(Provider::Google);
        host.simulation.advance(Duration::from_secs(2 * 60 * 60));
        let data = host.data().to_owned();
        let sync = move || output(&["--data", &data, "--tenant", "demo", "sync", "Google Drive"]);
        let streams = tokio::task::spawn_blocking(sync).await.expect("it ran");
        assert!(streams.as_array().is_some_and(|all| !all.is_empty()), "{streams}");
        assert_eq!(host.simulation.refreshes(Provider::Google), before + 1);
    });
}

/// A service with a token endpoint whose refresh tokens are good once, and which ends a whole authorisation when one is
/// used again.
#[derive(Clone, Default)]
struct Rotating(Arc<Family>);

#[derive(Default)]
struct Family {
    /// How often it rotated.
    generation: AtomicUsize,
    /// Requests to the token endpoint.
    asked: AtomicUsize,
    /// Whether an old token was used again.
    dead: Mutex<bool>,
    /// A process that is killed after the rotation and before the answer.
    victim: AtomicU32,
}

impl Rotating {
    async fn start(&self) -> String {
        let router =
            Router::new().route("/oauth/token", post(token)).route("/1/members/me", get(me)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn access(&self) -> String {
        format!("access-token-{}", self.0.generation.load(Ordering::SeqCst))
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

async fn token(State(service): State<Rotating>, body: String) -> Response {
    let family = &service.0;
    family.asked.fetch_add(1, Ordering::SeqCst);
    let sent: HashMap<String, String> = serde_json::from_str(&body).expect("Trello's token endpoint takes JSON");
    let current = family.generation.load(Ordering::SeqCst);
    if *family.dead.lock().expect("no panic") || sent["refresh_token"] != format!("refresh-token-{current}") {
        *family.dead.lock().expect("no panic") = true;
        return (StatusCode::FORBIDDEN, axum::Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    family.generation.store(current + 1, Ordering::SeqCst);
    let victim = family.victim.load(Ordering::SeqCst);
    if victim != 0 {
        let killed = std::process::Command::new("kill").args(["-9", &victim.to_string()]).status();
        assert!(killed.expect("kill runs").success(), "the process is there to be killed");
    }
    // Long enough for everybody to have met the ended token.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let next = current + 1;
    let answer = json!({
        "access_token": format!("access-token-{next}"),
        "refresh_token": format!("refresh-token-{next}"),
        "expires_in": 3600,
    });
    axum::Json(answer).into_response()
}

async fn me(State(service): State<Rotating>, headers: HeaderMap) -> Response {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let good = !*service.0.dead.lock().expect("no panic") && given == format!("Bearer {}", service.access());
    match good {
        true => axum::Json(json!({ "id": "m1", "username": "ana", "fullName": "Ana" })).into_response(),
        false => (StatusCode::UNAUTHORIZED, "invalid token").into_response(),
    }
}

/// A data directory with a connection to that service, whose access token has ended.
struct Given {
    service: Rotating,
    folder: tempfile::TempDir,
    connection: String,
    token: String,
}

impl Given {
    async fn new() -> Self {
        let service = Rotating::default();
        let url = service.start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        let repoint = format!("[repoint]\n\"trello.api\" = \"{url}\"\n\"trello.auth\" = \"{url}\"\n");
        std::fs::create_dir_all(at("data")).expect("made");
        std::fs::write(at("data/config.toml"), format!("scheduled_sync = false\n{repoint}")).expect("written");
        let client = json!({ "client_id": "a-client", "client_secret": "a-client-secret", "key": "a-client-key" });
        std::fs::write(at("client"), client.to_string()).expect("written");
        // Good for so short a time that it has ended when it is used next.
        let secret = json!({ "access_token": service.access(), "refresh_token": "refresh-token-0", "expires_in": 1 });
        std::fs::write(at("secret"), secret.to_string()).expect("written");
        let (data, client, secret) = (at("data"), at("client"), at("secret"));
        let made = tokio::task::spawn_blocking(move || {
            let [file] = <[_; 1]>::try_from(connectors(&["plugins/trello"])).expect("one");
            let run = |arguments: &[&str]| output(&[&["--data", &data, "--tenant", "acme"], arguments].concat());
            let file = file.to_str().expect("UTF-8");
            let _ = run(&["plugin", "install", file, "--unsigned"]);
            let connected = run(&["connect", "trello", "--auth", "oauth", "--secret", &secret, "--client", &client]);
            let key = run(&["keys", "create", "test"]);
            (connected, key)
        });
        let (connected, key) = made.await.expect("it ran");
        let connection = connected[0]["id"].as_str().unwrap_or_else(|| panic!("{connected}")).to_owned();
        let token = key["key"].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        Self { service, folder, connection, token }
    }

    async fn serving(&self) -> Serving {
        let data = self.folder.path().join("data").to_str().expect("UTF-8").to_owned();
        tokio::task::spawn_blocking(move || Serving::start(&data)).await.expect("it serves")
    }

    /// Asks a host to ask the service whose account it is, as an admin.
    async fn checks(&self, host: &str) -> Option<Value> {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let body = json!({ "subject": "root", "emails": [], "roles": ["admin"] });
        let minted =
            http.post(format!("{host}/v1/callers/token")).bearer_auth(&self.token).json(&body).send().await.ok()?;
        let minted: Value = minted.json().await.ok()?;
        let url = format!("{host}/v1/connections/{}/check", self.connection);
        let answer = http.post(url).bearer_auth(minted["token"].as_str().expect("a token")).send().await.ok()?;
        assert!(answer.status().is_success(), "{answer:?}");
        answer.json().await.ok()
    }
}

#[test]
fn sixty_four_callers_of_four_processes_meet_an_ended_token_and_refresh_it_once() {
    block_on(async {
        let given = Given::new().await;
        let mut hosts = Vec::new();
        for _ in 0..4 {
            hosts.push(given.serving().await);
        }
        let calls = (0..64).map(|number| given.checks(&hosts[number % 4].url));
        for checked in futures::future::join_all(calls).await {
            let checked = checked.expect("an answer");
            assert_eq!(checked["state"], "active", "{checked}");
        }
        assert_eq!(given.service.asked(), 1, "one refresh");
        assert!(!*given.service.0.dead.lock().expect("no panic"));
    });
}

#[test]
fn killed_between_the_providers_rotation_and_our_commit_it_asks_for_a_person_and_never_loops() {
    block_on(async {
        let given = Given::new().await;
        let host = given.serving().await;
        given.service.0.victim.store(host.id(), Ordering::SeqCst);
        assert!(given.checks(&host.url).await.is_none(), "the process is killed in the middle");
        given.service.0.victim.store(0, Ordering::SeqCst);
        assert_eq!(given.service.asked(), 1);

        let next = given.serving().await;
        // Whoever was killed had the lease: for a minute nobody can tell it from one that is at work.
        let data = given.folder.path().join("data");
        let ended = rusqlite::Connection::open(data.join("sallyport.db")).expect("the database");
        ended.execute("UPDATE refreshes SET until = 0", []).expect("a minute goes by");
        for _ in 0..3 {
            let checked = given.checks(&next.url).await.expect("an answer");
            assert_eq!(checked["state"], "needs-reauth", "{checked}");
            assert!(checked["reason"].as_str().is_some_and(|why| why.contains("connect again")), "{checked}");
        }
        assert_eq!(given.service.asked(), 1, "a token that may be spent is not sent again");
        assert!(!*given.service.0.dead.lock().expect("no panic"), "so the authorisation is not ended by us");
    });
}
