//! What the tests of the services share: a client, and a running simulation with somebody's tokens.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use reqwest::{Client, Method, RequestBuilder};
use sallyport_simulate::{Options, Provider, Seed, Simulation};
use serde_json::Value;
use std::{sync::Once, time::Duration};

pub const HOUR: Duration = Duration::from_secs(3600);

pub struct Scene {
    pub simulation: Simulation,
    pub http: Client,
}

/// One answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Drive's `errors[0].reason`.
    pub fn reason(&self) -> String {
        self.json()["error"]["errors"][0]["reason"].as_str().unwrap_or_default().to_owned()
    }
}

pub fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .expect("a client without TLS roots of its own")
}

impl Scene {
    pub async fn new(seed: Seed) -> Self {
        Self::with(seed, Options::default()).await
    }

    pub async fn with(seed: Seed, options: Options) -> Self {
        let simulation = Simulation::start_with(seed, options).await.expect("free ports");
        Self { simulation, http: client() }
    }

    pub fn google(&self, email: &str) -> Account<'_> {
        let token = self.simulation.token_for(Provider::Google, email, HOUR).access_token;
        Account { scene: self, base: format!("{}/drive/v3", self.simulation.urls().drive), token }
    }

    pub fn trello(&self, email: &str) -> Account<'_> {
        let token = self.simulation.token_for(Provider::Trello, email, HOUR).access_token;
        Account { scene: self, base: format!("{}/1", self.simulation.urls().trello), token }
    }
}

/// Somebody's access to one service.
pub struct Account<'a> {
    scene: &'a Scene,
    pub base: String,
    pub token: String,
}

impl Account<'_> {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.scene.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        send(self.request(method, path).json(&body)).await
    }

    /// Every item of a paged Drive list.
    pub async fn all(&self, path: &str, list: &str) -> Vec<Value> {
        let (mut items, mut page) = (Vec::new(), String::new());
        loop {
            let mut whole = self.get(&format!("{path}{page}")).await.ok();
            items.append(whole[list].as_array_mut().expect("a list"));
            match whole["nextPageToken"].as_str() {
                Some(token) => page = format!("&pageToken={token}"),
                None => return items,
            }
        }
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    let reply = request.send().await.expect("an answer");
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    Answer { status, kind, headers, text: reply.text().await.expect("a whole body") }
}
