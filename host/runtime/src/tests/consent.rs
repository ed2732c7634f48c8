//! Connecting by consent, and the ways in which providers differ: each stand-in here answers as one of them does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::guest::Guest;
use super::{Caller, admin, ann, cap, limits, seal};
use crate::admission::Word;
use crate::authority::{Authority, Fence};
use crate::blame::Fault as _;
use crate::caller::Role;
use crate::connection::{ConnectionState, Constraints, Owner, Setting};
use crate::consent::{AskLink, Choice, Connected, ConsentError, NewLink, Next, Readers, Return, Way, With};
use crate::credentials::Revoked;
use crate::fixtures::{Answer, MANIFEST, PROVIDER, Seen, Service, slot};
use crate::ids::{ConnectionId, ConnectorId, InvocationId, LinkId, SlotName};
use crate::keys::{MasterKey, Secret};
use crate::ports::{Directory as _, LinkStatus, SecretState, Vault as _};
use crate::registry::Registry;
use crate::runtime::{Ports, Runtime};
use crate::testing::{ManualClock, MemoryStore};
use crate::wire::{Repoint, WireConfig};
use sallyport_pack::manifest::Manifest;
use url::Url;

/// The fixture's way by consent, which the quirks take the place of.
fn own_way() -> &'static str {
    let begin = MANIFEST.find("[[auth]]\nid = \"oauth\"").expect("a way");
    let end = MANIFEST[begin..].find("[[auth]]\nid = \"key\"").expect("another") + begin;
    &MANIFEST[begin..end]
}

const SCOPES: (&str, &str) =
    ("summary = \"Read items\"\n", "summary = \"Read items\"\nscopes = { user = [\"read\"] }\n");
const MORE_SCOPES: (&str, &str) = (
    "summary = \"Create and change items\"\n",
    "summary = \"Create and change items\"\nscopes = { user = [\"write\", \"read\"] }\n",
);

/// A host and a provider.
struct Door {
    service: Service,
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    runtime: Runtime,
}

impl Door {
    async fn new(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(None, answer).await
    }

    /// With another way of consenting.
    async fn with(way: Option<&str>, answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let service = Service::new(answer).await;
        let at = service.url();
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        let repoint = Repoint::new([("acme.api", &at), ("acme.files", &at), ("acme.auth", &at)]).expect("re-pointing");
        let mut provider = PROVIDER.replace(
            "\"https://auth.acme.example/token\"]",
            "\"https://auth.acme.example/token\", \"https://auth.acme.example/revoke\",
             \"https://auth.acme.example/tokens/{token}\"]\nassertion = \"https://auth.acme.example/token\"",
        );
        if way.is_some_and(|way| way.contains("pkce = \"off\"")) {
            provider.push_str("pkce = false\n");
        }
        let runtime = Runtime::builder(Ports::all(Arc::clone(&store)), MasterKey::from_bytes([7; 32]))
            .registry(Registry::default().extended(&provider).expect("the test's provider"))
            .wire(WireConfig { repoint, ..WireConfig::default() })
            .clock(Arc::clone(&clock) as _)
            .limits(limits())
            .build()
            .expect("a runtime");
        let door = Self { service, clock, store, runtime };
        door.install(way, "0.1.0", "acc_1").await;
        let fields =
            [("client_id", "the-client-id"), ("client_secret", "the-client-secret/+"), ("key", "the-client-key")];
        let fields = fields.map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
        door.runtime.credentials().put_client(None, "acme", fields).await.expect("a client");
        door
    }

    async fn install(&self, way: Option<&str>, version: &str, account: &'static str) {
        let mut text = MANIFEST.replace("version = \"0.1.0\"", &format!("version = \"{version}\""));
        for (old, new) in [SCOPES, MORE_SCOPES] {
            text = text.replacen(old, new, 1);
        }
        if let Some(way) = way {
            text = text.replace(own_way(), way);
        }
        let manifest = Manifest::from_toml(&text).expect("the test's manifest");
        let text = json!({ "type": "string" });
        let schema = json!({ "type": "object", "properties": { "name": text, "list": text, "id": text } });
        let tool = |name: &str| json!({ "name": name, "title": name, "description": "For tests.", "input": schema, "output": schema });
        let tools = json!(["list_items", "create_item", "trash_item"].map(tool));
        let guest = Guest { account, ..Guest::default() };
        let file = seal(&guest.component(), &manifest, &tools);
        self.runtime.install(&admin(), file, Word::UNSIGNED).await.expect("installed");
    }

    async fn link(&self, caller: &Caller, change: impl FnOnce(&mut AskLink)) -> Result<NewLink, ConsentError> {
        let mut ask = AskLink {
            connector: ConnectorId::new("acme").expect("an id"),
            auth: None,
            owner: None,
            name: None,
            capabilities: None,
            constraints: Constraints::default(),
            settings: BTreeMap::new(),
            audience: Vec::new(),
            connection: None,
            return_to: None,
        };
        change(&mut ask);
        self.runtime.link(caller, ask).await
    }

    /// Says yes to all of the page.
    async fn agree(&self, link: &NewLink) -> Result<Next, ConsentError> {
        self.paste(link, []).await
    }

    async fn paste<const N: usize>(&self, link: &NewLink, pasted: [(SlotName, &str); N]) -> Result<Next, ConsentError> {
        let page = self.runtime.consent_page(link.token.expose()).await?;
        let choice = Choice {
            component: page.digest,
            capabilities: page.capabilities.into_iter().map(|one| one.id).collect(),
            pasted: pasted.map(|(slot, secret)| (slot, Secret::new(secret))).into(),
            redirect: Url::parse("https://host.example/connect/callback").expect("a URL"),
        };
        self.runtime.consent(link.token.expose(), choice).await
    }

    /// Says yes, and is at the provider.
    async fn away(&self, link: &NewLink) -> Away {
        match self.agree(link).await.expect("consented") {
            Next::Go { url, browser } => Away { query: url.query_pairs().into_owned().collect(), url, browser },
            Next::Done(done) => panic!("connected at once: {done:?}"),
        }
    }

    async fn back(&self, away: &Away, with: With<'_>) -> Result<Connected, ConsentError> {
        let browser = Some(away.browser.expose());
        self.runtime.came_back(Return { state: &away.query["state"], browser, issuer: None, with }).await
    }

    /// All the way, with a code.
    async fn connected(&self, caller: &Caller, change: impl FnOnce(&mut AskLink)) -> Connected {
        let link = self.link(caller, change).await.expect("a link");
        let away = self.away(&link).await;
        self.back(&away, With::Code("the-code")).await.expect("connected")
    }

    async fn status(&self, id: &LinkId) -> LinkStatus {
        self.runtime.link_status(&ann(), id).await.expect("a link").status
    }

    /// What reached the token endpoint, form or JSON.
    fn tokens(&self) -> Vec<HashMap<String, String>> {
        let seen = self.service.seen();
        let own = seen.iter().filter(|seen| seen.line() == "POST /token");
        own.map(|seen| match seen.header("content-type") {
            Some("application/json") => serde_json::from_slice(&seen.body).expect("strings"),
            _ => form_urlencoded::parse(&seen.body).into_owned().collect(),
        })
        .collect()
    }

    async fn attached(&self, connection: &ConnectionId, name: &str) -> String {
        let at = at(connection);
        let found = self.store.connection(&ann().tenant, connection).await.expect("a connection");
        let digest = crate::ports::Catalog::live(&*self.store, &found.connector).await.expect("installed").digest;
        let manifest = self.runtime.component(&digest).await.expect("compiled").manifest.clone();
        let attached = self.runtime.credentials().attach(&at, &found, &manifest, &slot(name)).await;
        match attached {
            Ok(attached) => attached.value.to_str().expect("text").to_owned(),
            Err(error) => error.code().to_owned(),
        }
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(connection: &ConnectionId) -> Authority {
    Authority {
        caller: ann(),
        connection: connection.clone(),
        invocation: InvocationId::fresh(),
        fence: Fence::default(),
    }
}

struct Away {
    url: Url,
    query: HashMap<String, String>,
    browser: Secret,
}

/// A token endpoint as RFC 6749 has it, that grants what it says.
fn granting(scope: &'static str) -> impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static {
    move |seen, n| match seen.line() {
        "POST /token" => Answer::json(
            200,
            &format!(
                r#"{{"access_token":"access-token-{n}","refresh_token":"refresh-token-{n}","expires_in":3600,"scope":"{scope}"}}"#
            ),
        ),
        _ => Answer::json(200, "{}"),
    }
}

fn reads_and_writes(ask: &mut AskLink) {
    ask.capabilities = Some([(cap("items.read"), Setting::Auto), (cap("items.write"), Setting::Ask)].into());
}

#[tokio::test]
async fn somebody_who_consents_is_connected_with_what_they_consented_to_and_the_scopes_of_that() {
    let door = Door::new(granting("read write")).await;
    let link = door.link(&ann(), reads_and_writes).await.expect("a link");
    let page = door.runtime.consent_page(link.token.expose()).await.expect("a page");
    assert_eq!(
        (page.connector.as_str(), page.provider.as_str(), page.by.as_str()),
        ("Acme", "Acme", "ann@acme.example")
    );
    assert_eq!(page.owner, Owner::Person(ann().subject), "as the manifest has it");
    assert_eq!(page.readers, Readers::Provider);
    assert_eq!(page.way, Way::Redirect { host: "auth.acme.example".into() });
    let capabilities: Vec<_> = page.capabilities.iter().map(|one| (one.id.as_str(), one.asks)).collect();
    assert_eq!(capabilities, [("items.read", false), ("items.write", true)]);
    let scopes: Vec<_> = page.scopes.iter().map(|one| (one.scope.as_str(), one.needed_by.len())).collect();
    assert_eq!(scopes, [("read", 2), ("write", 1)], "each once, with the capabilities that need it");
    let origins: Vec<&str> = page.origins.iter().map(|one| one.origin.as_str()).collect();
    assert_eq!(origins, ["https://api.acme.example", "https://files.acme.example", "https://auth.acme.example"]);

    let away = door.away(&link).await;
    assert_eq!(away.url.path(), "/authorize");
    let sent = |name: &str| away.query[name].as_str();
    assert_eq!((sent("response_type"), sent("client_id"), sent("scope")), ("code", "the-client-id", "read write"));
    assert_eq!(
        (sent("redirect_uri"), sent("code_challenge_method")),
        ("https://host.example/connect/callback", "S256")
    );
    assert!(sent("state").len() >= 43, "256 bits");
    assert_eq!(door.status(&link.id).await, LinkStatus::Consenting);

    let connected = door.back(&away, With::Code("the-code")).await.expect("connected");
    let exchange = &door.tokens()[0];
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "the-code"),
        ("redirect_uri", "https://host.example/connect/callback"),
        ("client_id", "the-client-id"),
        ("client_secret", "the-client-secret/+"),
    ];
    assert!(expected.iter().all(|(name, value)| exchange[*name] == *value), "{exchange:?}");
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&exchange["code_verifier"]));
    assert_eq!(challenge, sent("code_challenge"));
    let id = &connected.connection.id;
    assert_eq!(door.status(&link.id).await, LinkStatus::Connected { connection: id.clone() });
    let grant = door.store.grant(&ann().tenant, id).await.unwrap().expect("a grant");
    assert_eq!(grant.capabilities, [(cap("items.read"), Setting::Auto), (cap("items.write"), Setting::Ask)].into());
    assert_eq!(door.attached(id, "user").await, "Bearer access-token-0");
    let gone = door.runtime.consent_page(link.token.expose()).await;
    assert!(matches!(gone, Err(ConsentError::Gone)), "a link is good once");
}

#[tokio::test]
async fn a_return_that_is_foreign_replayed_late_or_from_another_browser_is_refused() {
    let door = Door::new(granting("read")).await;
    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let away = door.away(&link).await;
    let state = away.query["state"].clone();
    let come = |state: String, browser: Option<String>| {
        let runtime = door.runtime.clone();
        async move {
            let (with, browser) = (With::Code("the-code"), browser.as_deref());
            runtime
                .came_back(Return { state: &state, browser, issuer: None, with })
                .await
                .err()
                .map(|error| error.code())
        }
    };
    let own = || Some(away.browser.expose().to_owned());
    assert_eq!(come("made-up".into(), own()).await, Some("state-unknown"));
    assert_eq!(come(state.clone(), None).await, Some("other-browser"));
    assert_eq!(come(state.clone(), Some("another".into())).await, Some("other-browser"));
    assert!(door.tokens().is_empty(), "no code is spent on them");

    assert_eq!(come(state.clone(), own()).await, None, "they did not use it up");
    assert_eq!(come(state, own()).await, Some("state-unknown"), "replayed");
    assert_eq!(door.tokens().len(), 1, "the code is exchanged once");

    let late = door.link(&ann(), |_| {}).await.expect("a link");
    let away = door.away(&late).await;
    door.clock.advance(millis(11 * 60 * 1000));
    let refused = door.back(&away, With::Code("the-code")).await;
    assert!(matches!(refused, Err(ConsentError::StateExpired)), "{refused:?}");
    let old = door.link(&ann(), |_| {}).await.expect("a link");
    door.clock.advance(millis(16 * 60 * 1000));
    assert!(matches!(door.agree(&old).await, Err(ConsentError::Gone)));
    assert_eq!(door.tokens().len(), 1);
}

#[tokio::test]
async fn of_a_hundred_returns_with_one_code_one_counts() {
    let door = Door::new(granting("read")).await;
    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let away = door.away(&link).await;
    let returns = (0..100).map(|_| door.back(&away, With::Code("the-code")));
    let outcomes = futures::future::join_all(returns).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(door.tokens().len(), 1);
    assert_eq!(door.store.connections(&ann().tenant).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused_before_the_code_is_sent_anywhere() {
    let door = Door::new(granting("read")).await;
    for (issuer, refused) in [("https://evil.example", true), ("https://auth.acme.example", false)] {
        let link = door.link(&ann(), |_| {}).await.expect("a link");
        let away = door.away(&link).await;
        let (browser, issuer) = (Some(away.browser.expose()), Some(issuer));
        let back = Return { state: &away.query["state"], browser, issuer, with: With::Code("the-code") };
        let outcome = door.runtime.came_back(back).await;
        assert_eq!(matches!(outcome, Err(ConsentError::Issuer { .. })), refused, "{outcome:?}");
        assert_eq!(door.tokens().is_empty(), refused);
    }
}

#[tokio::test]
async fn who_says_no_is_not_asked_again_and_what_fails_can_be_tried_again() {
    let door = Door::new(granting("read")).await;
    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let away = door.away(&link).await;
    assert!(matches!(door.back(&away, With::Error("access_denied")).await, Err(ConsentError::Declined)));
    assert_eq!(door.status(&link.id).await, LinkStatus::Declined);
    assert!(matches!(door.agree(&link).await, Err(ConsentError::Gone)));

    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let away = door.away(&link).await;
    let failed = door.back(&away, With::Error("temporarily_unavailable")).await;
    assert!(matches!(&failed, Err(ConsentError::Provider { code, .. }) if code == "temporarily_unavailable"));
    assert!(matches!(door.status(&link.id).await, LinkStatus::Failed { code, .. } if code == "provider-refused"));
    let away = door.away(&link).await;
    door.back(&away, With::Code("the-code")).await.expect("at the second try");

    let link = door.link(&ann(), |_| {}).await.expect("a link");
    door.runtime.decline(link.token.expose()).await.expect("declined");
    assert_eq!(door.status(&link.id).await, LinkStatus::Declined);
}

#[tokio::test]
async fn fewer_scopes_grant_less_and_more_scopes_grant_no_more() {
    let door = Door::new(granting("read")).await;
    let fewer = door.connected(&ann(), reads_and_writes).await;
    assert_eq!(fewer.left_out, [cap("items.write")]);
    let grant = door.store.grant(&ann().tenant, &fewer.connection.id).await.unwrap().expect("a grant");
    assert_eq!(grant.capabilities.keys().collect::<Vec<_>>(), [&cap("items.read")]);

    let door = Door::new(granting("read write admin")).await;
    let more = door.connected(&ann(), |_| {}).await;
    assert_eq!(more.left_out, [cap("search")], "what goes by a slot that brought nothing");
    let grant = door.store.grant(&ann().tenant, &more.connection.id).await.unwrap().expect("a grant");
    let reads: BTreeSet<_> = [cap("items.read")].into();
    assert_eq!(grant.capabilities.into_keys().collect::<BTreeSet<_>>(), reads);
    let rows = door.store.slots(&at(&more.connection.id)).await.unwrap();
    assert_eq!(rows[0].1.scopes, ["read", "write", "admin"], "stored as granted");

    let door = Door::new(granting("profile")).await;
    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let away = door.away(&link).await;
    let nothing = door.back(&away, With::Code("the-code")).await;
    assert!(matches!(nothing, Err(ConsentError::NothingGranted { .. })), "{nothing:?}");
}

/// As Slack: scopes by comma, two parameters of them, two tokens of one consent, errors with status 200.
const SLACK: &str = r#"
[[auth]]
id = "oauth"
type = "oauth2-code"
owner = "workspace"
authorize = "https://auth.acme.example/authorize"
token = "https://auth.acme.example/token"
client_auth = "body"
token_request = "form"
pkce = "off"
scope_separator = ","
failed = { pointer = "/ok", equals = false, code = "/error" }
[[auth.credential]]
slot = "user"
scope_parameter = "user_scope"
code_reply = { token = "/authed_user/access_token", refresh = "/authed_user/refresh_token", expires_in = "/authed_user/expires_in", scopes = "/authed_user/scope" }
refresh_reply = { token = ["/authed_user/access_token", "/access_token"], refresh = ["/authed_user/refresh_token", "/refresh_token"], expires_in = ["/authed_user/expires_in", "/expires_in"] }
rotates = true
inject = { origins = ["api"], header = "authorization", value = "Bearer {token}" }
[[auth.credential]]
slot = "bot"
scope_parameter = "scope"
code_reply = { token = "/access_token", refresh = "/refresh_token", expires_in = "/expires_in", scopes = "/scope" }
refresh_reply = { token = "/access_token", refresh = "/refresh_token", expires_in = "/expires_in", scopes = "/scope" }
rotates = true
inject = { origins = ["api", "files"], header = "authorization", value = "Bearer {token}" }
"#;

#[tokio::test]
async fn two_tokens_of_one_consent_are_kept_and_refreshed_each_by_itself() {
    let door = Door::with(Some(SLACK), |seen, _| match seen.line() {
        "POST /token" => {
            let form: HashMap<_, _> = form_urlencoded::parse(&seen.body).into_owned().collect();
            match form.get("refresh_token").map(String::as_str) {
                None => Answer::json(200, r#"{"ok":true,"access_token":"xoxb-the-bot-token","refresh_token":"xoxe-bot-refresh","expires_in":43200,"scope":"chat:write","authed_user":{"id":"U1","access_token":"xoxp-the-users-token","refresh_token":"xoxe-user-refresh","expires_in":43200,"scope":"read,write"}}"#),
                Some("xoxe-bot-refresh") => Answer::json(200, r#"{"ok":true,"access_token":"xoxb-the-next-token","refresh_token":"xoxe-bot-refresh-2","expires_in":43200}"#),
                Some(_) => Answer::json(200, r#"{"ok":false,"error":"invalid_refresh_token"}"#),
            }
        }
        _ => Answer::json(200, "{}"),
    })
    .await;
    let link = door.link(&admin(), reads_and_writes).await.expect("a link");
    let away = door.away(&link).await;
    assert_eq!(away.query["user_scope"], "read,write");
    assert!(!away.query.contains_key("scope") && !away.query.contains_key("code_challenge"), "{:?}", away.query);
    let connected = door.back(&away, With::Code("the-code")).await.expect("connected");
    let id = &connected.connection.id;
    assert_eq!(connected.connection.owner, Owner::Workspace);
    assert_eq!(door.attached(id, "user").await, "Bearer xoxp-the-users-token");
    assert_eq!(door.attached(id, "bot").await, "Bearer xoxb-the-bot-token");

    door.clock.advance(millis(43_200_000));
    assert_eq!(door.attached(id, "bot").await, "Bearer xoxb-the-next-token");
    assert_eq!(door.attached(id, "user").await, "needs-reauth", "200 and `ok: false` is no token");
    assert_eq!(door.attached(id, "bot").await, "Bearer xoxb-the-next-token", "that one is the other's");
    let connection = door.store.connection(&ann().tenant, id).await.unwrap();
    assert_eq!(connection.state, ConnectionState::NeedsReauth);
    assert!(connection.reason.as_deref().is_some_and(|why| why.contains("invalid_refresh_token")), "{connection:?}");
}

/// As Notion: JSON and Basic, nothing said of how long, rotation, errors of another form; it has no PKCE.
const NOTION: &str = r#"
[[auth]]
id = "oauth"
type = "oauth2-code"
owner = "person"
authorize = "https://auth.acme.example/authorize"
authorize_parameters = { owner = "user" }
token = "https://auth.acme.example/token"
revoke = "https://auth.acme.example/revoke"
client_auth = "basic"
token_request = "json"
pkce = "off"
error_code = ["/code", "/error"]
[[auth.credential]]
slot = "user"
code_reply = { token = "/access_token", refresh = "/refresh_token" }
refresh_reply = { token = "/access_token", refresh = "/refresh_token" }
rotates = true
inject = { origins = ["api"], header = "authorization", value = "Bearer {token}" }
"#;

#[tokio::test]
async fn json_with_basic_and_no_word_of_how_long_is_refreshed_when_the_service_refuses() {
    let door = Door::with(Some(NOTION), |seen, n| match seen.line() {
        "POST /token" => {
            let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
            match body["grant_type"].as_str() {
                Some("authorization_code") => Answer::json(
                    200,
                    r#"{"access_token":"ntn_first_token","refresh_token":"nrt_first_refresh","bot_id":"b"}"#,
                ),
                Some("refresh_token") if body["refresh_token"] == "nrt_first_refresh" => {
                    Answer::json(200, r#"{"access_token":"ntn_second_token","refresh_token":"nrt_second_refresh"}"#)
                }
                _ => Answer::json(400, r#"{"object":"error","code":"invalid_grant","message":"nrt_second_refresh"}"#),
            }
        }
        "POST /revoke" => Answer::json(200, "{}"),
        _ if seen.header("authorization") == Some("Bearer ntn_first_token") => {
            let _ = n;
            Answer::json(401, r#"{"error":{"errors":[{"reason":"authError"}]}}"#)
        }
        _ => Answer::json(200, "{}"),
    })
    .await;
    let link = door.link(&ann(), |ask| ask.capabilities = Some([(cap("items.read"), Setting::Auto)].into())).await;
    let away = door.away(&link.expect("a link")).await;
    assert_eq!(away.query["owner"], "user");
    let connected = door.back(&away, With::Code("the-code")).await.expect("connected");
    let exchange = door.service.seen().into_iter().find(|seen| seen.line() == "POST /token").expect("asked");
    let basic = BASE64_STANDARD.encode("the-client-id:the-client-secret%2F%2B");
    assert_eq!(exchange.header("authorization"), Some(format!("Basic {basic}").as_str()), "form-encoded first");
    assert_eq!(exchange.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_slice(&exchange.body).expect("JSON");
    assert_eq!(
        body,
        json!({ "grant_type": "authorization_code", "code": "the-code", "redirect_uri": "https://host.example/connect/callback" })
    );

    let id = &connected.connection.id;
    door.clock.advance(millis(90 * 24 * 3_600_000));
    assert_eq!(door.attached(id, "user").await, "Bearer ntn_first_token", "nobody said that it ends");
    let found = door.store.connection(&ann().tenant, id).await.unwrap();
    let digest = crate::ports::Catalog::live(&*door.store, &found.connector).await.unwrap().digest;
    let manifest = door.runtime.component(&digest).await.unwrap().manifest.clone();
    let credentials = door.runtime.credentials();
    let stale = credentials.attach(&at(id), &found, &manifest, &slot("user")).await.unwrap();
    let renewed = credentials.renew(&at(id), &found, &manifest, &slot("user"), &stale).await.unwrap();
    assert_eq!(renewed.value.to_str().unwrap(), "Bearer ntn_second_token");

    let revoked = door.runtime.disconnect(&ann(), id).await.expect("disconnected");
    assert_eq!(revoked, Revoked::AtProvider);
    let told = door.service.seen().into_iter().find(|seen| seen.line() == "POST /revoke").expect("told");
    assert_eq!(told.text(), r#"{"token":"nrt_second_refresh"}"#);
    assert!(told.header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    let after = door.store.connection(&ann().tenant, id).await.unwrap();
    assert_eq!(after.state, ConnectionState::Revoked);
    assert!(door.store.slots(&at(id)).await.unwrap().is_empty(), "nothing is left of the secret");
    assert_eq!(door.attached(id, "user").await, "needs-reauth");
}

/// As Trello's older way: the token comes behind the `#`, goes out beside the client's key, and is deleted by its own name.
const TRELLO: &str = r#"
[[auth]]
id = "oauth"
type = "token-fragment"
owner = "person"
authorize = "https://auth.acme.example/authorize"
authorize_parameters = { key = "{client.key}", scope = "read,write", response_type = "token", callback_method = "fragment" }
return_parameter = "return_url"
fragment_parameter = "token"
revoke = "DELETE https://auth.acme.example/tokens/{token}"
[[auth.credential]]
slot = "user"
inject = { origins = ["api"], header = "authorization", value = 'OAuth oauth_consumer_key="{client.key}", oauth_token="{token}"' }
"#;

#[tokio::test]
async fn a_token_behind_the_hash_comes_back_with_the_state_and_is_taken_back_by_name() {
    let door = Door::with(Some(TRELLO), |_, _| Answer::json(200, "{}")).await;
    let link = door.link(&ann(), reads_and_writes).await.expect("a link");
    assert!(door.runtime.consent_by_fragment(link.token.expose()).await.unwrap());
    let away = door.away(&link).await;
    assert_eq!((away.query["key"].as_str(), away.query["scope"].as_str()), ("the-client-key", "read,write"));
    let back = Url::parse(&away.query["return_url"]).expect("a URL");
    let state = back.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    assert_eq!(door.runtime.fragment_parameter(&state).await.unwrap(), "token");
    let browser = Some(away.browser.expose());
    let with = With::Token(Secret::new("ATTA0123456789abcdef"));
    let connected = door.runtime.came_back(Return { state: &state, browser, issuer: None, with }).await.unwrap();
    let id = &connected.connection.id;
    let value = "OAuth oauth_consumer_key=\"the-client-key\", oauth_token=\"ATTA0123456789abcdef\"";
    assert_eq!(door.attached(id, "user").await, value);

    assert_eq!(door.runtime.remove(&ann(), id).await.expect("removed"), Revoked::AtProvider);
    let told = door.service.seen().pop().expect("told");
    assert_eq!((told.line(), told.header("authorization")), ("DELETE /tokens/ATTA0123456789abcdef", Some(value)));
    assert!(door.store.connection(&ann().tenant, id).await.is_err());
}

/// As an API that is used with something pasted.
const PASTED: &str = r#"
[[auth]]
id = "oauth"
type = "token"
owner = "person"
label = "Internal secret"
pattern = "ntn_[A-Za-z0-9]+"
[[auth.credential]]
slot = "user"
inject = { origins = ["api"], header = "authorization", value = "Bearer {token}" }
"#;

#[tokio::test]
async fn what_is_pasted_has_to_look_like_a_token_and_connects_at_once() {
    let door = Door::with(Some(PASTED), |_, _| Answer::json(200, "{}")).await;
    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let page = door.runtime.consent_page(link.token.expose()).await.expect("a page");
    assert!(matches!(&page.way, Way::Paste(fields) if fields[0].label == "Internal secret"), "{:?}", page.way);
    for wrong in ["hunter2hunter2", ""] {
        let refused = door.paste(&link, [(slot("user"), wrong)]).await.err().expect("refused");
        assert!(refused.code() == "invalid-choice" && !refused.to_string().contains("hunter2"), "{refused}");
    }
    let done = door.paste(&link, [(slot("user"), " ntn_0123456789abc\n")]).await.expect("connected");
    let Next::Done(connected) = done else { panic!("sent elsewhere") };
    assert_eq!(door.attached(&connected.connection.id, "user").await, "Bearer ntn_0123456789abc");
}

/// As Google's service accounts.
const SERVICE: &str = r#"
[[auth]]
id = "oauth"
type = "service-account"
owner = "workspace"
[[auth.credential]]
slot = "user"
inject = { origins = ["api"], header = "authorization", value = "Bearer {token}" }
"#;

#[tokio::test]
async fn a_service_accounts_assertions_are_signed_here_and_go_where_the_registry_says() {
    let door = Door::with(Some(SERVICE), |seen, n| match seen.line() {
        "POST /token" => Answer::json(
            200,
            &format!(r#"{{"access_token":"ya29.token-{n}","expires_in":3599,"token_type":"Bearer"}}"#),
        ),
        _ => Answer::json(200, "{}"),
    })
    .await;
    let link = door.link(&admin(), reads_and_writes).await.expect("a link");
    let refused = door.paste(&link, [(slot("user"), "{\"client_email\":\"x\"}")]).await.err().expect("refused");
    assert_eq!(refused.code(), "secret-malformed");
    let key_file = json!({
        "type": "service_account",
        "client_email": "robot@project.example",
        "private_key_id": "key-1",
        "private_key": include_str!("../fixtures/rsa.pem"),
        "token_uri": "https://evil.example/token",
    });
    let done = door.paste(&link, [(slot("user"), &key_file.to_string())]).await.expect("connected");
    let Next::Done(connected) = done else { panic!("sent elsewhere") };
    let asked = &door.tokens()[0];
    assert_eq!(asked["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let key = jsonwebtoken::DecodingKey::from_rsa_pem(include_bytes!("../fixtures/rsa.pub.pem")).expect("a key");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&["https://auth.acme.example/token"]);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(&asked["assertion"], &key, &validation).expect("signed").claims;
    assert_eq!((claims["iss"].as_str(), claims["scope"].as_str()), (Some("robot@project.example"), Some("read write")));
    assert_eq!(claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(exp, iat)| exp - iat), Some(3600));

    let id = &connected.connection.id;
    assert_eq!(door.attached(id, "user").await, "Bearer ya29.token-0");
    door.clock.advance(millis(3_600_000));
    assert_eq!(door.attached(id, "user").await, "Bearer ya29.token-1", "by another assertion");
    assert_eq!(door.tokens().len(), 2);
}

/// As Google: a second consent adds to the first; refresh answers bring no new refresh token.
fn google() -> String {
    own_way()
        .replace("pkce = \"required\"\n", "pkce = \"required\"\nincremental = true\n")
        .replace("rotates = true\n", "")
}

#[tokio::test]
async fn enabling_more_later_asks_for_what_is_missing_and_keeps_what_there_is() {
    let way = google();
    let door = Door::with(Some(&way), |seen, n| {
        let form: HashMap<_, _> = form_urlencoded::parse(&seen.body).into_owned().collect();
        match (seen.line(), form.get("code").map(String::as_str), form.get("refresh_token").map(String::as_str)) {
            ("POST /token", Some("the-code"), _) => Answer::json(200, r#"{"access_token":"first-access-token","refresh_token":"the-refresh-token","expires_in":3600,"scope":"read"}"#),
            ("POST /token", Some(_), _) => Answer::json(200, r#"{"access_token":"second-access-token","refresh_token":"next-refresh-token","expires_in":3600,"scope":"read write"}"#),
            ("POST /token", None, Some("next-refresh-token")) => Answer::json(200, &format!(r#"{{"access_token":"refreshed-token-{n}","expires_in":3600}}"#)),
            ("POST /token", ..) => Answer::json(400, r#"{"error":"invalid_grant"}"#),
            _ => Answer::json(200, "{}"),
        }
    })
    .await;
    let first = door.connected(&ann(), |_| {}).await;
    let id = first.connection.id.clone();
    let more = |ask: &mut AskLink| {
        ask.connection = Some(id.clone());
        ask.capabilities = Some([(cap("items.write"), Setting::Ask)].into());
    };
    let link = door.link(&ann(), more).await.expect("a link");
    let page = door.runtime.consent_page(link.token.expose()).await.expect("a page");
    assert_eq!(page.again.as_deref(), Some(first.connection.name.as_str()));
    let scopes: Vec<_> = page.scopes.iter().map(|one| one.scope.as_str()).collect();
    assert_eq!(scopes, ["write"]);
    assert_eq!(page.capabilities.iter().map(|one| one.granted).collect::<Vec<_>>(), [true, false]);
    let away = door.away(&link).await;
    assert_eq!(away.query["scope"], "write", "only what is missing");
    let again = door.back(&away, With::Code("the-second-code")).await.expect("connected");
    assert_eq!((&again.connection.id, &again.connection.source), (&id, &first.connection.source));
    let grant = door.store.grant(&ann().tenant, &id).await.unwrap().expect("a grant");
    assert_eq!(grant.capabilities.len(), 2);
    for _ in 0..2 {
        door.clock.advance(millis(3_600_000));
        assert!(door.attached(&id, "user").await.starts_with("Bearer refreshed-token-"), "the old one stays good");
    }
    let link = door.link(&ann(), more).await.expect("a link");
    assert!(matches!(door.agree(&link).await, Ok(Next::Done(_))), "nothing is missing: nobody is sent anywhere");
}

#[tokio::test]
async fn connecting_again_brings_a_connection_back_and_never_another_account() {
    let door = Door::new(granting("read")).await;
    let first = door.connected(&ann(), |_| {}).await;
    let id = first.connection.id.clone();
    door.runtime.disconnect(&ann(), &id).await.expect("disconnected");
    let again = |ask: &mut AskLink| ask.connection = Some(id.clone());
    let back = door.connected(&ann(), again).await;
    assert_eq!((&back.connection.id, back.connection.state), (&id, ConnectionState::Active));
    let kept = door.attached(&id, "user").await;
    assert!(kept.starts_with("Bearer access-token-"), "{kept}");

    // The same connector, and now the account that answers is another.
    door.install(None, "0.1.1", "acc_2").await;
    let link = door.link(&ann(), again).await.expect("a link");
    let refused = match door.agree(&link).await.expect("consented") {
        Next::Go { url, browser } => {
            let query = url.query_pairs().into_owned().collect();
            door.back(&Away { query, url, browser }, With::Code("the-code")).await
        }
        Next::Done(_) => {
            // Nothing was missing: the connection works, and a new secret has to be asked for by taking the old one back.
            door.runtime.disconnect(&ann(), &id).await.expect("disconnected");
            let link = door.link(&ann(), again).await.expect("a link");
            let away = door.away(&link).await;
            door.back(&away, With::Code("the-code")).await
        }
    };
    assert!(matches!(refused, Err(ConsentError::OtherAccount { .. })), "{refused:?}");
    let after = door.store.connection(&ann().tenant, &id).await.unwrap();
    assert_eq!((after.account.as_str(), after.state), ("acc_1", ConnectionState::Revoked));
    assert_eq!(door.attached(&id, "user").await, "needs-reauth", "the other account's token is not kept");
}

#[tokio::test]
async fn a_link_is_for_who_may_own_what_it_makes_and_is_theirs_to_ask_about() {
    let door = Door::new(granting("read")).await;
    let refused = door.link(&ann(), |ask| ask.owner = Some(Owner::Workspace)).await.err().expect("refused");
    assert_eq!(refused.code(), "forbidden");
    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let bob = super::caller("bob", Role::Member);
    assert!(matches!(door.runtime.link_status(&bob, &link.id).await, Err(ConsentError::Gone)));
    door.runtime.link_status(&admin(), &link.id).await.expect("an admin sees it");
    let mine = door.connected(&ann(), |_| {}).await.connection.id;
    let stolen = door.link(&bob, |ask| ask.connection = Some(mine.clone())).await.err().expect("refused");
    assert_eq!(stolen.code(), "not-found");
    assert_eq!(door.runtime.disconnect(&bob, &mine).await.err().map(|error| error.code()), Some("not-found"));

    let id_is_no_way_in = door.runtime.consent_page(link.id.as_str()).await;
    assert!(matches!(id_is_no_way_in, Err(ConsentError::Gone)));
    // The connector on the page is the one that is consented to.
    let page = door.runtime.consent_page(link.token.expose()).await.expect("a page");
    door.install(None, "0.1.1", "acc_1").await;
    let choice = Choice {
        component: page.digest,
        capabilities: [cap("items.read")].into(),
        pasted: BTreeMap::new(),
        redirect: Url::parse("https://host.example/connect/callback").unwrap(),
    };
    assert!(matches!(door.runtime.consent(link.token.expose(), choice).await, Err(ConsentError::Changed)));
}

#[tokio::test]
async fn no_secret_of_a_consent_is_kept_in_plain() {
    let door = Door::new(granting("read")).await;
    let link = door.link(&ann(), |_| {}).await.expect("a link");
    let away = door.away(&link).await;
    let kept = serde_json::to_string(&door.runtime.link_status(&ann(), &link.id).await.unwrap()).unwrap();
    door.back(&away, With::Code("the-code")).await.expect("connected");
    let verifier = &door.tokens()[0]["code_verifier"];
    for secret in [link.token.expose(), away.browser.expose(), &away.query["state"], verifier] {
        assert!(!kept.contains(secret), "{kept}");
    }
}

#[tokio::test]
async fn a_check_says_whether_a_connection_works_and_why_not() {
    let door = Door::new(granting("read")).await;
    let id = door.connected(&ann(), |_| {}).await.connection.id;
    let tenant = ann().tenant;
    assert!(door.runtime.unchecked(&tenant, 60_000).await.unwrap().is_empty(), "connecting asked");
    door.clock.advance(millis(61_000));
    assert_eq!(door.runtime.unchecked(&tenant, 60_000).await.unwrap(), std::slice::from_ref(&id));
    let checked = door.runtime.check(&tenant, &id).await.unwrap();
    assert_eq!((checked.state, checked.reason.as_deref()), (ConnectionState::Active, None));
    assert!(door.runtime.unchecked(&tenant, 60_000).await.unwrap().is_empty());

    door.install(None, "0.1.1", "acc_2").await;
    let checked = door.runtime.check(&tenant, &id).await.unwrap();
    assert_eq!(checked.state, ConnectionState::NeedsReauth);
    assert!(checked.reason.is_some_and(|why| why.contains("connect it again")));
    let rows = door.store.slots(&at(&id)).await.unwrap();
    assert_eq!(rows[0].1.state, SecretState::Live, "the secret itself is what it was");
}
