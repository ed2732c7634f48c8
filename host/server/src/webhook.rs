//! The webhook: what `/v1/events` tells is announced, too, at an address of whoever embeds the host.
//!
//! Form and signature are those of [Standard Webhooks 1.0.0](https://www.standardwebhooks.com): an event is
//! `{"type", "timestamp", "data"}`, and `data` is what the feed has of it, with its tenant. There is nothing of
//! documents, arguments or bodies in it. Events of all tenants go out in one order, one at a time, each until its
//! receiver answered with a 2xx: a receiver gets each at least once, and knows by `webhook-id` what it has had. The feed
//! keeps 10,000 for each tenant: what a receiver has not taken by then is not announced any more.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use sallyport::ids::{TenantId, Timestamp};
use sallyport::ports::StoreError;
use sallyport::wire::chain;
use sallyport_store::accounts::Accounts;
use sallyport_store::events::{Event, NewEvent};
use serde::Serialize;
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;
use zeroize::Zeroizing;

use crate::app::App;
use crate::config::ConfigError;
use crate::error::HostError;
use crate::{outward, syncs};

/// How often it is looked whether something happened.
pub const LOOK: Duration = Duration::from_secs(1);
/// How long a receiver may take to answer; the specification advises 15 to 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long after a first failure it is tried again. Each further one doubles it,
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
/// The shortest secret, in bytes, as the specification has it.
const SHORTEST: usize = 24;

/// Announces events to one receiver.
pub struct Webhook {
    accounts: Accounts,
    url: Url,
    key: Key,
    http: reqwest::Client,
}

/// Why an event was not announced.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the event has no form in JSON: {0}")]
    Form(#[from] serde_json::Error),
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(String),
    #[error("the receiver answered {0}")]
    Refused(StatusCode),
    #[error("the receiver answered 410, which says that it wants no more")]
    Gone,
}

impl Webhook {
    /// The webhook that is configured, if one is. Of what happens after the first time that one is opened on a data
    /// directory, everything is announced.
    ///
    /// # Errors
    /// The configuration is wrong, the secret's file cannot be used, or the store failed.
    pub async fn open(app: &App) -> Result<Option<Self>, HostError> {
        let Some((url, file)) = app.config().webhook(app.data())? else { return Ok(None) };
        let (key, http, accounts) =
            (Key::read(&file)?, outward::client(TIMEOUT).map_err(HostError::Config)?, app.accounts());
        accounts.webhook_cursor().await?;
        Ok(Some(Self { accounts, url, key, http }))
    }

    /// Announces for ever; until a receiver says that it is gone (410), which holds until the host is started again.
    pub async fn run(self) {
        let mut wait = FIRST_WAIT;
        loop {
            let pause = match self.next().await {
                Ok(true) => {
                    wait = FIRST_WAIT;
                    continue;
                }
                Ok(false) => LOOK,
                Err(error @ Failed::Gone) => {
                    tracing::error!(%error, "nothing is announced until the host is started again");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, again_seconds = wait.as_secs(), "an event is not announced");
                    let pause = wait;
                    wait = longer(wait);
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Announces the next event; `false` if there is none.
    async fn next(&self) -> Result<bool, Failed> {
        // Asked each time: another process on the directory may have announced it.
        let after = self.accounts.webhook_cursor().await?;
        let Some((tenant, event)) = self.accounts.events_of_all(after, 1).await?.pop() else { return Ok(false) };
        let delivery = Delivery::of(&self.key, &tenant, &event, Timestamp(syncs::now()))?;
        send(&self.http, &self.url, delivery).await?;
        self.accounts.set_webhook_cursor(event.seq).await?;
        Ok(true)
    }
}

fn longer(wait: Duration) -> Duration {
    wait.saturating_mul(2).min(LONGEST_WAIT)
}

async fn send(http: &reqwest::Client, url: &Url, delivery: Delivery) -> Result<(), Failed> {
    let request = http
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", delivery.id)
        .header("webhook-timestamp", delivery.timestamp)
        .header("webhook-signature", delivery.signature)
        .body(delivery.body);
    // The address may be a secret of the receiver's: it is not for the log.
    let answer = request.send().await.map_err(|error| Failed::Unreachable(chain(&error.without_url())))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failed::Gone),
        status => Err(Failed::Refused(status)),
    }
}

/// One event as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `webhook-id`: the same at each attempt.
    pub id: String,
    /// `webhook-timestamp`: when it is attempted, in seconds since 1970.
    pub timestamp: u64,
    /// `webhook-signature`.
    pub signature: String,
    /// The event, in JSON.
    pub body: String,
}

#[derive(Serialize)]
struct Body<'e> {
    r#type: &'static str,
    /// When it happened.
    timestamp: String,
    data: Data<'e>,
}

#[derive(Serialize)]
struct Data<'e> {
    tenant: &'e TenantId,
    seq: u64,
    #[serde(flatten)]
    what: &'e NewEvent,
}

impl Delivery {
    /// An event of a tenant's, signed for an attempt at `now`.
    ///
    /// # Errors
    /// The event has no form in JSON, which none of today's kinds does.
    pub fn of(key: &Key, tenant: &TenantId, event: &Event, now: Timestamp) -> Result<Self, serde_json::Error> {
        let data = Data { tenant, seq: event.seq, what: &event.what };
        let body = Body { r#type: event.what.kind(), timestamp: date(event.at), data };
        let (id, timestamp, body) = (format!("evt_{}", event.seq), now.0 / 1000, serde_json::to_string(&body)?);
        Ok(Self { signature: key.sign(&id, timestamp, &body), id, timestamp, body })
    }
}

/// In RFC 3339. Only what is no date, as a clock that is ten thousand years ahead gives it, has no text.
fn date(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// What deliveries are signed with. It has no `Debug`.
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Reads a secret: `whsec_` and base64, or any other text as it stands. `None` where it is shorter than 24 bytes,
    /// or no base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).ok()?,
            None => text.as_bytes().to_vec(),
        };
        let key = Self(Zeroizing::new(bytes));
        (key.0.len() >= SHORTEST).then_some(key)
    }

    fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(file).map_err(|source| ConfigError::Read { path: file.into(), source })?;
        let text = Zeroizing::new(text);
        if fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
            tracing::warn!(file = %file.display(), "the webhook's secret can be read by others: chmod 600");
        }
        Self::parse(&text).ok_or_else(|| ConfigError::Secret {
            key: "webhook.secret_file",
            path: file.into(),
            wanted: "whsec_ and base64, or another text, of at least 24 bytes",
        })
    }

    /// The signature of a delivery, with the version of its form.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Path as At;
    use axum::http::HeaderMap;
    use axum::routing::post;
    use sallyport::ids::{ConnectionId, ConnectorId, InvocationId, SubjectId, ToolName};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn delivery() -> Delivery {
        let what = NewEvent::ApprovalPending {
            invocation: InvocationId::new("an-invocation"),
            connection: ConnectionId::new("con_1"),
            connector: ConnectorId::new("trello").unwrap(),
            tool: ToolName::new("create_card").unwrap(),
            by: SubjectId::new("chiara"),
            expires: Timestamp(1_790_000_060_000),
        };
        let event = Event { seq: 7, at: Timestamp(1_790_000_000_500), what };
        let key = Key::parse(SECRET).unwrap();
        Delivery::of(&key, &TenantId::new("acme"), &event, Timestamp(1_790_000_009_999)).unwrap()
    }

    /// The vector of the specification's own libraries.
    #[test]
    fn a_signature_is_the_specifications() {
        let key = Key::parse(SECRET).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_delivery_says_what_happened_where_and_when() {
        let delivery = delivery();
        assert_eq!((delivery.id.as_str(), delivery.timestamp), ("evt_7", 1_790_000_009));
        let expected = json!({
            "type": "approval-pending",
            "timestamp": "2026-09-21T14:13:20.5Z",
            "data": {
                "tenant": "acme",
                "seq": 7,
                "kind": "approval-pending",
                "invocation": "an-invocation",
                "connection": "con_1",
                "connector": "trello",
                "tool": "create_card",
                "by": "chiara",
                "expires": 1_790_000_060_000_u64,
            },
        });
        assert_eq!(serde_json::from_str::<Value>(&delivery.body).unwrap(), expected);
        let key = Key::parse(&format!("{SECRET}\n")).unwrap();
        assert_eq!(delivery.signature, key.sign("evt_7", 1_790_000_009, &delivery.body));
    }

    #[test]
    fn a_secret_is_of_24_bytes_at_least() {
        let text = "a text of 24 bytes: 1234";
        let (raw, encoded) = (Key::parse(text), Key::parse(&format!("whsec_{}", STANDARD.encode(text))));
        let (raw, encoded) = (raw.unwrap(), encoded.unwrap());
        assert_eq!(raw.sign("id", 1, "body"), encoded.sign("id", 1, "body"));
        for bad in ["", "whsec_", "whsec_MfKQ9r8GKYo=", "whsec_no base64, though long enough", &text[1..]] {
            assert!(Key::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_file_that_holds_no_secret_is_named_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("webhook.secret");
        assert!(matches!(Key::read(&file), Err(ConfigError::Read { .. })));
        fs::write(&file, "short").unwrap();
        let message = Key::read(&file).err().unwrap().to_string();
        assert!(message.contains("webhook.secret_file") && message.contains("24 bytes"), "{message}");
    }

    #[test]
    fn the_wait_doubles_up_to_five_minutes() {
        let waits = std::iter::successors(Some(FIRST_WAIT), |wait| Some(longer(*wait))).take(11);
        let seconds: Vec<u64> = waits.map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    /// Answers what it is asked for, to whoever sends the three headers; a redirect leads to a good answer.
    async fn answer(
        At(status): At<u16>,
        headers: HeaderMap,
        body: String,
    ) -> (StatusCode, [(&'static str, &'static str); 1]) {
        let sent =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].iter().all(|name| headers.contains_key(*name));
        let whole = sent && headers["content-type"] == "application/json" && body == delivery().body;
        let status = if whole { status } else { 400 };
        (StatusCode::from_u16(status).unwrap(), [("location", "/204")])
    }

    #[tokio::test]
    async fn only_a_2xx_counts_and_nobody_is_followed() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/{status}", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = outward::client(TIMEOUT).unwrap();
        let sent = async |path: &str| {
            let url = Url::parse(&format!("http://{address}/{path}")).unwrap();
            send(&http, &url, delivery()).await
        };
        assert!(sent("200").await.is_ok() && sent("204").await.is_ok());
        assert!(matches!(sent("410").await, Err(Failed::Gone)));
        for status in [302_u16, 307, 404, 429, 503] {
            let answered = sent(&status.to_string()).await;
            assert!(matches!(answered, Err(Failed::Refused(refused)) if refused.as_u16() == status), "{answered:?}");
        }
        let nobody = Url::parse("http://127.0.0.1:1/a-path-that-is-a-secret").unwrap();
        let error = send(&http, &nobody, delivery()).await.unwrap_err();
        assert!(matches!(error, Failed::Unreachable(_)) && !error.to_string().contains("a-path"), "{error}");
    }
}
