//! Tokens of a provider that we did not write (npm `oidc-provider`): PKCE that it insists on, tokens of five seconds,
//! rotation, and the end of a whole authorisation when an old refresh token comes again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use reqwest::Url;
use sallyport::admission::Word;
use sallyport::connection::{ConnectionState, Constraints, Owner};
use sallyport::consent::{AskLink, Choice, ConsentError, Next, Return, With};
use sallyport::engine::Limits;
use sallyport::ids::{ConnectionId, ConnectorId};
use sallyport::keys::Secret;
use sallyport::ports::Directory as _;
use sallyport::tool::Outcome;
use sallyport_bench::host::Host;
use sallyport_e2e::{Browser, Issuer, block_on, connectors};
use serde_json::json;

const REDIRECT: &str = "http://127.0.0.1:9/connect/callback";
const SECRET: &str = "a-secret-for-tests-only";

/// Between the host and the issuer: keeps what the token endpoint is asked.
#[derive(Clone)]
struct Between {
    issuer: String,
    asked: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

impl Between {
    async fn start(issuer: &str) -> (Self, String) {
        let between = Self { issuer: issuer.to_owned(), asked: Arc::default() };
        let router = Router::new()
            .route("/token", post(token))
            .route("/token/revocation", post(revocation))
            .route("/v1/notes", get(notes))
            .with_state(between.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (between, url)
    }

    /// What was asked with this grant type.
    fn asked(&self, grant: &str) -> Vec<HashMap<String, String>> {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().filter(|form| form.get("grant_type").is_some_and(|own| own == grant)).cloned().collect()
    }

    async fn forward(&self, path: &str, headers: &HeaderMap, body: String) -> Response {
        let mut request = http().post(format!("{}{path}", self.issuer)).body(body);
        for name in ["authorization", "content-type"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        (status, [("content-type", "application/json")], answer.bytes().await.expect("a body")).into_response()
    }
}

async fn token(State(between): State<Between>, headers: HeaderMap, body: String) -> Response {
    let form = form(&body);
    between.asked.lock().expect("no panic").push(form);
    between.forward("/token", &headers, body).await
}

async fn revocation(State(between): State<Between>, headers: HeaderMap, body: String) -> Response {
    between.forward("/token/revocation", &headers, body).await
}

/// The service: takes the tokens that the issuer takes.
async fn notes(State(between): State<Between>, headers: HeaderMap) -> Response {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = http().get(format!("{}/me", between.issuer)).header("authorization", given).send().await;
    match asked.expect("an answer").status() {
        StatusCode::OK => axum::Json(json!({ "notes": [] })).into_response(),
        other => (other, "no").into_response(),
    }
}

fn form(body: &str) -> HashMap<String, String> {
    Url::parse(&format!("http://x/?{body}")).expect("a form").query_pairs().into_owned().collect()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

struct Given {
    host: Host,
    issuer: Issuer,
    between: Between,
}

impl Given {
    async fn new(settings: &[(&str, &str)]) -> Option<Self> {
        let all = [&[("REDIRECTS", REDIRECT), ("SCOPES", "notes")], settings].concat();
        let issuer = tokio::task::block_in_place(|| Issuer::start(&all))?;
        let (between, url) = Between::start(&issuer.url).await;
        let registry = format!(
            r#"
            [provider.thief]
            name = "Thief"
            issuer = "{}"
            origins = ["https://thief.example"]
            auth = ["https://auth.thief.example/auth", "https://auth.thief.example/token", "https://auth.thief.example/token/revocation"]
            "#,
            issuer.url
        );
        let repoint = [
            ("thief.api", url.as_str()),
            ("thief.authorize", &issuer.url),
            ("thief.token", &url),
            ("thief.revoke", &url),
        ];
        let host = Host::with(&registry, &repoint, Limits::default()).await.expect("a host");
        let [file] =
            <[_; 1]>::try_from(tokio::task::block_in_place(|| connectors(&["tests/guests/thief"]))).expect("one");
        let bytes = std::fs::read(file).expect("a file");
        host.runtime.install(&host.caller, bytes, Word::UNSIGNED).await.expect("installed");
        let client = [("client_id", "sallyport"), ("client_secret", SECRET)];
        let client = client.map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
        host.runtime.credentials().put_client(None, "thief", client).await.expect("a client");
        Some(Self { host, issuer, between })
    }

    async fn connected(&self) -> Result<ConnectionId, ConsentError> {
        let ask = AskLink {
            connector: ConnectorId::new("thief").expect("an id"),
            auth: Some("oauth".into()),
            owner: Some(Owner::Workspace),
            name: None,
            capabilities: None,
            constraints: Constraints::default(),
            settings: BTreeMap::new(),
            audience: Vec::new(),
            connection: None,
            return_to: None,
        };
        let runtime = &self.host.runtime;
        let link = runtime.link(&self.host.caller, ask).await?;
        let page = runtime.consent_page(link.token.expose()).await?;
        let choice = Choice {
            component: page.digest,
            capabilities: page.capabilities.into_iter().map(|one| one.id).collect(),
            pasted: BTreeMap::new(),
            redirect: REDIRECT.parse().expect("an address"),
        };
        let Next::Go { url, browser } = runtime.consent(link.token.expose(), choice).await? else {
            panic!("connected without the issuer")
        };
        let back = self.issuer.sign_in(&Browser::default(), url, "ana").await;
        let query: HashMap<String, String> = back.query_pairs().into_owned().collect();
        assert_eq!(query.get("iss"), Some(&self.issuer.url), "it says who it is");
        let issuer = query.get("iss").map(String::as_str);
        let browser = Some(browser.expose());
        let with = With::Code(query.get("code").unwrap_or_else(|| panic!("no code: {query:?}")));
        let connected = runtime.came_back(Return { state: &query["state"], browser, issuer, with }).await?;
        Ok(connected.connection.id)
    }

    async fn reads(&self, connection: &ConnectionId) -> Option<u64> {
        let attempt = json!({ "method": "GET", "url": "https://thief.example/v1/notes" });
        match self.host.call(connection, "read", attempt).await {
            Ok(Outcome::Done(done)) => done.output["status"].as_u64(),
            _ => None,
        }
    }

    async fn state(&self, connection: &ConnectionId) -> ConnectionState {
        self.host.store.connection(&self.host.caller.tenant, connection).await.expect("a connection").state
    }
}

#[test]
fn tokens_of_five_seconds_are_refreshed_once_each_time_and_an_old_one_that_comes_again_ends_it() {
    block_on(async {
        let Some(given) = Given::new(&[("ACCESS_SECONDS", "5"), ("ROTATE", "on")]).await else { return };
        let connection = given.connected().await.expect("connected");
        let exchange = &given.between.asked("authorization_code")[0];
        assert!(
            exchange.get("code_verifier").is_some_and(|verifier| verifier.len() >= 43),
            "the issuer insists on PKCE"
        );
        assert_eq!(given.reads(&connection).await, Some(200));
        for round in 1..=2 {
            tokio::time::sleep(Duration::from_millis(5_500)).await;
            let calls = (0..16).map(|_| given.reads(&connection));
            let statuses = futures::future::join_all(calls).await;
            assert!(statuses.iter().all(|status| *status == Some(200)), "{statuses:?}");
            assert_eq!(given.between.asked("refresh_token").len(), round, "once, whoever waits");
        }
        let sent: Vec<String> =
            given.between.asked("refresh_token").into_iter().map(|form| form["refresh_token"].clone()).collect();
        assert_ne!(sent[0], sent[1], "each is used once");

        // Somebody has stolen an old one and uses it: the issuer ends the whole authorisation.
        let stolen = [("grant_type", "refresh_token"), ("refresh_token", sent[0].as_str())];
        let request = http().post(format!("{}/token", given.issuer.url)).basic_auth("sallyport", Some(SECRET));
        let refused = request.form(&stolen).send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        tokio::time::sleep(Duration::from_millis(5_500)).await;
        for _ in 0..3 {
            assert_ne!(given.reads(&connection).await, Some(200));
        }
        assert_eq!(given.state(&connection).await, ConnectionState::NeedsReauth);
        assert_eq!(given.between.asked("refresh_token").len(), 3, "asked once more, and then a person is");
    });
}

#[test]
fn disconnecting_ends_the_token_at_the_issuer() {
    block_on(async {
        let Some(given) = Given::new(&[("ROTATE", "on")]).await else { return };
        let connection = given.connected().await.expect("connected");
        assert_eq!(given.reads(&connection).await, Some(200));
        let revoked = given.host.runtime.disconnect(&given.host.caller, &connection).await.expect("disconnected");
        assert_eq!(revoked, sallyport::credentials::Revoked::AtProvider);
        assert_eq!(given.state(&connection).await, ConnectionState::Revoked);
        assert_eq!(given.reads(&connection).await, None);
        let again = given.connected().await.expect("connected anew");
        assert_eq!(given.reads(&again).await, Some(200));
    });
}
