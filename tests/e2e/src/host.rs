//! A host in this process, over simulated services.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::OnceLock;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use sallyport::engine::Compiler;
use sallyport::ids::TenantId;
use sallyport_server::api;
use sallyport_server::app::App;
use sallyport_server::config::Config;
use sallyport_server::demo::{self, Steps};
use sallyport_simulate::{Seed, Simulation};
use sallyport_store::accounts::Holder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::connectors;

/// Runs a test on a runtime that outlives it: tests of one program share a host, whose tasks must not end with the
/// first test.
pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        // One TLS library for everything; that it is set already is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
    });
    runtime.block_on(test)
}

/// A serving host with the demo's people and connections.
pub struct Host {
    /// The services behind it.
    pub simulation: Simulation,
    /// The host.
    pub app: App,
    /// Where it serves, without a slash at the end.
    pub url: String,
    http: reqwest::Client,
    key: String,
    tokens: Mutex<HashMap<String, String>>,
    data: TempDir,
}

/// What a request came to.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The stable code of an error.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body of a success.
    ///
    /// # Panics
    /// It is none.
    #[must_use]
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json()
    }
}

impl Host {
    /// A host whose services hold the demo's workspace.
    pub async fn demo() -> Self {
        Self::with(Seed::demo()).await
    }

    /// A host whose services hold this. The tenant, its people and its connections are the demo's.
    ///
    /// # Panics
    /// Something cannot be set up.
    pub async fn with(seed: Seed) -> Self {
        Self::configured(seed, |_| {}).await
    }

    /// The same, with a configuration of the test's.
    ///
    /// # Panics
    /// Something cannot be set up.
    pub async fn configured(seed: Seed, configure: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let simulation = Simulation::start(seed).await.expect("simulated services");
        let files = tokio::task::spawn_blocking(|| connectors(&["plugins/google-drive", "plugins/trello"]));
        let files = files.await.expect("connectors");
        demo::seeded(&mut Steps::default(), data.path(), &simulation, &files, Compiler::Here)
            .await
            .expect("a seeded workspace");
        let mut config = Config { scheduled_sync: false, ..Config::load(data.path()).expect("a configuration") };
        configure(&mut config);
        let app = App::open(data.path(), config, None).await.expect("a host");
        let key = app.accounts().create_key(Holder::Service(tenant()), "tests").await.expect("a key");
        let url = serve(app.clone()).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let key = key.reveal().to_owned();
        Self { simulation, app, url, http, key, tokens: Mutex::default(), data }
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &str {
        self.data.path().to_str().expect("a path in UTF-8")
    }

    /// Stops the services and gives the data directory, which lives as long as what is given.
    #[must_use]
    pub fn stop(self) -> TempDir {
        self.data
    }

    /// The tenant's service key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A caller token for one of the demo's people, or for a member of no other role.
    ///
    /// # Panics
    /// None is minted.
    pub async fn token(&self, email: &str) -> String {
        if let Some(token) = self.tokens.lock().await.get(email) {
            return token.clone();
        }
        let users = self.app.accounts().users(&tenant()).await.expect("the users");
        let user = users.into_iter().find(|user| user.emails.iter().any(|known| known == email));
        let (subject, roles) = user.map_or_else(
            || (email.to_owned(), json!(["member"])),
            |user| (user.subject.to_string(), json!(user.roles)),
        );
        let body = json!({ "subject": subject, "emails": [email], "roles": roles, "expires_in": 3600 });
        let minted = self.send("POST", "/v1/callers/token", Some(&self.key), Some(&body)).await.ok();
        let token = minted["token"].as_str().expect("a token").to_owned();
        self.tokens.lock().await.insert(email.to_owned(), token.clone());
        token
    }

    /// Gets as somebody.
    pub async fn get(&self, email: &str, path: &str) -> Answer {
        self.send("GET", path, Some(&self.token(email).await), None).await
    }

    /// Posts as somebody.
    pub async fn post(&self, email: &str, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(&self.token(email).await), Some(body)).await
    }

    /// Sends a request with this bearer token.
    ///
    /// # Panics
    /// The host does not answer.
    pub async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }

    /// Writes that reached the simulated services.
    #[must_use]
    pub fn writes(&self) -> Vec<sallyport_simulate::Request> {
        use sallyport_simulate::Service;
        let log = self.simulation.requests();
        [Service::Trello, Service::Drive].into_iter().flat_map(|service| log.writes(service)).collect()
    }
}

fn tenant() -> TenantId {
    TenantId::new(demo::TENANT)
}

async fn serve(app: App) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    app.origins().listens(address);
    let router = api::router(app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
