//! The webhook: what happens reaches whoever embeds the host, signed and in order, until they have it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sallyport_e2e::{Host, Serving, block_on, fails};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Head of marketing, a leader.
const CHIARA: &str = "chiara@larkfield.example";
/// The card that she asks for.
const CARD: &str = "Ask the frost poet for a verse";
const SECRET: [u8; 24] = *b"what we sign events with";

/// An application that is told. It refuses some, and takes the others.
#[derive(Clone)]
struct Receiver {
    heard: UnboundedSender<Heard>,
    refusals: Arc<Mutex<usize>>,
}

/// A delivery as it arrived.
#[derive(Debug)]
struct Heard {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
    taken: bool,
}

impl Receiver {
    /// One that refuses the first `refusals`; where it is, and what it hears.
    async fn start(refusals: usize) -> (String, UnboundedReceiver<Heard>) {
        let (heard, hears) = unbounded_channel();
        let receiver = Self { heard, refusals: Arc::new(Mutex::new(refusals)) };
        let router = Router::new().route("/events", post(hear)).with_state(receiver);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (format!("http://{address}/events"), hears)
    }

    fn takes(&self) -> bool {
        let mut left = self.refusals.lock().expect("no panic");
        let takes = *left == 0;
        *left = left.saturating_sub(1);
        takes
    }
}

async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let taken = receiver.takes();
    let (id, timestamp, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    // Whoever listened may have ended.
    let _ = receiver.heard.send(Heard { id, timestamp, signature, body, taken });
    if taken { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// HMAC-SHA256 (RFC 2104) with a key that is no longer than a block.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let (inner, outer) = (block.map(|byte| byte ^ 0x36), block.map(|byte| byte ^ 0x5c));
    let inner = Sha256::digest([&inner[..], message].concat()).to_vec();
    Sha256::digest([&outer[..], inner.as_slice()].concat()).to_vec()
}

impl Heard {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// That it is signed, and says nothing of what was asked for.
    fn check(&self) {
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        assert_eq!(self.signature, format!("v1,{}", STANDARD.encode(hmac(&SECRET, signed.as_bytes()))));
        assert_eq!(self.id, format!("evt_{}", self.json()["data"]["seq"]));
        for text in [CARD, "Marketing", "Ideas"] {
            assert!(!self.body.contains(text), "{text:?} is in {}", self.body);
        }
    }
}

async fn next(heard: &mut UnboundedReceiver<Heard>) -> Heard {
    let heard = tokio::time::timeout(Duration::from_secs(60), heard.recv()).await.expect("an event is announced");
    let heard = heard.expect("the receiver runs");
    heard.check();
    heard
}

/// A process that serves the directory.
async fn serving(host: &Host) -> Serving {
    let data = host.data().to_owned();
    tokio::task::spawn_blocking(move || Serving::start(&data)).await.expect("it serves")
}

/// Adds a webhook to the configuration of a directory, with its secret beside it.
fn configure(data: &Path, url: &str) {
    let config = std::fs::read_to_string(data.join("config.toml")).expect("a configuration");
    let config = config.replace("scheduled_sync = true", "scheduled_sync = false");
    let webhook = format!("\n[webhook]\nurl = \"{url}\"\nsecret_file = \"webhook.secret\"\n");
    std::fs::write(data.join("config.toml"), config + &webhook).expect("written");
    let secret = format!("whsec_{}\n", STANDARD.encode(SECRET));
    std::fs::write(data.join("webhook.secret"), secret).expect("written");
}

#[test]
fn an_event_is_announced_until_it_is_taken_and_not_again_after_a_restart() {
    block_on(async {
        let (url, mut heard) = Receiver::start(2).await;
        let host = Host::demo().await;
        configure(Path::new(host.data()), &url);
        let announcing = serving(&host).await;

        let request = format!("Create a card \"{CARD}\" in the list \"Ideas\" of the board \"Marketing: autumn\".");
        let answered = host.post(CHIARA, "/v1/ask", &json!({ "request": request })).await.ok();
        let proposal = answered["proposals"][0].clone();
        assert_eq!(proposal["arguments"]["name"], CARD, "{answered:#}");

        let attempts = [next(&mut heard).await, next(&mut heard).await, next(&mut heard).await];
        assert_eq!(attempts.each_ref().map(|attempt| attempt.taken), [false, false, true]);
        let [first, .., last] = &attempts;
        assert!(attempts.iter().all(|attempt| (&attempt.id, &attempt.body) == (&first.id, &first.body)));
        let told = last.json();
        assert_eq!(told["type"], "approval-pending", "{told:#}");
        assert_eq!(told["data"]["tenant"], "demo");
        assert_eq!(told["data"]["tool"], "create_card");
        assert_eq!(told["data"]["invocation"], proposal["invocation"]);

        // Once it is known that the receiver has it.
        let seq = told["data"]["seq"].as_u64().expect("a number");
        for _ in 0..500 {
            if host.app.accounts().webhook_cursor().await.expect("a cursor") >= seq {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(announcing);
        let _again = serving(&host).await;
        let path = format!("/v1/approvals/{}/decision", proposal["invocation"].as_str().expect("an id"));
        let denied = host.post(CHIARA, &path, &json!({ "decision": "deny", "note": CARD })).await.ok();
        assert_eq!(denied["state"], "denied");

        let decided = next(&mut heard).await;
        assert!(decided.taken && decided.id != last.id, "{decided:?}");
        let told = decided.json();
        assert_eq!(told["type"], "approval-decided", "{told:#}");
        assert_eq!(told["data"]["invocation"], proposal["invocation"]);
        assert_eq!(told["data"]["decision"], "deny");
    });
}

#[test]
fn a_webhook_without_its_secret_is_named_before_anything_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let serve = |config: &str| {
        std::fs::write(folder.path().join("config.toml"), config).expect("written");
        fails(&["--data", data, "--listen", "127.0.0.1:0", "serve"])
    };
    let error = serve("[webhook]\nurl = \"https://app.example/events\"\n");
    assert!(error.contains("webhook.secret_file"), "{error}");
    let error = serve("[webhook]\nurl = \"https://app.example/events\"\nsecret_file = \"webhook.secret\"\n");
    assert!(error.contains("webhook.secret"), "{error}");
}
