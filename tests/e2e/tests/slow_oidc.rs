//! Signing in by an issuer that we did not write, over real HTTP: the program as it is run, its command line, a browser
//! with cookies.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fantoccini::{Client, Locator};
use reqwest::{StatusCode, Url};
use sallyport_e2e::{Browser, Issuer, Serving, block_on, chromium, fails, output, succeeds};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const SECRET: &str = "a-secret-for-tests-only";
/// Where an application of ours gets its codes; nothing listens there.
const APPLICATION: &str = "http://127.0.0.1:9/application";

/// A serving host, and an issuer that knows it.
struct Given {
    host: Serving,
    issuer: Issuer,
    folder: tempfile::TempDir,
}

impl Given {
    fn new() -> Option<Self> {
        // One TLS library for everything; that it is set already is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let host = Serving::start(&path(&folder, "data"));
        let issuer = Issuer::start(&[("REDIRECTS", &format!("{}/signin/callback", host.url))])?;
        let given = Self { host, issuer, folder };
        given.pin("acme", &given.issuer.url);
        Some(given)
    }

    /// Pins an issuer by the command line, while the host serves.
    fn pin(&self, tenant: &str, issuer: &str) -> Value {
        let secret = path(&self.folder, "secret");
        std::fs::write(&secret, format!("{SECRET}\n")).expect("written");
        let data = path(&self.folder, "data");
        output(&[
            "--data",
            &data,
            "--tenant",
            tenant,
            "signin",
            "set",
            "--issuer",
            issuer,
            "--client-id",
            "sallyport",
            "--secret",
            &secret,
            "--roles-claim",
            "groups",
            "--admin",
            "sallyport-admins",
            "--domain",
            "acme.example",
        ])
    }

    fn at(&self, path: &str) -> Url {
        format!("{}{path}", self.host.url).parse().expect("an address")
    }

    /// From the host to the issuer and to the door back: the callback's address, not opened yet.
    async fn to_the_door(&self, browser: &Browser, name: &str) -> Url {
        let begun = browser.get(self.at("/signin/acme")).await;
        let authorize = begun.leads_to().unwrap_or_else(|| panic!("{} {}", begun.status, begun.text));
        self.issuer.sign_in(browser, authorize, name).await
    }

    async fn session(&self, browser: &Browser) -> Option<Value> {
        let page = browser.post_from(&self.host.url, self.at("/v1/session").as_str()).await;
        match page.status {
            StatusCode::OK => Some(serde_json::from_str(&page.text).expect("JSON")),
            StatusCode::UNAUTHORIZED => None,
            other => panic!("{other} {}", page.text),
        }
    }
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("a path in UTF-8").to_owned()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

async fn me(host: &Serving, token: &str) -> Value {
    let request = http().get(format!("{}/v1/me", host.url)).bearer_auth(token);
    request.send().await.expect("an answer").json().await.expect("JSON")
}

#[test]
fn a_person_signs_in_at_an_issuer_and_is_the_caller_that_it_says() {
    let Some(given) = Given::new() else { return };
    block_on(async {
        let browser = Browser::default();
        assert_eq!(given.session(&browser).await, None, "nobody has signed in yet");
        let door = given.to_the_door(&browser, "ana").await;
        assert_eq!((door.origin(), door.path()), (given.at("/").origin(), "/signin/callback"));
        let back = browser.get(door).await;
        assert_eq!(back.leads_to(), Some(given.at("/")), "{}", back.text);

        let session = given.session(&browser).await.expect("a session");
        let me = me(&given.host, session["token"].as_str().expect("a token")).await;
        assert_eq!((&me["tenant"], &me["name"]), (&json!("acme"), &json!("Ana Okafor")));
        assert_eq!((&me["emails"], &me["roles"]), (&json!(["ana@acme.example"]), &json!(["admin", "member"])));
        let subject = me["subject"].as_str().expect("a subject");
        assert!(subject.starts_with("oidc:") && subject.ends_with(":ana"), "{subject}");

        // Another site's page gets no token by the same cookie, nor can it sign the person out.
        for path in ["/v1/session", "/signin/signout"] {
            let page = browser.post_from("https://evil.example", given.at(path).as_str()).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.text);
        }
        let out = browser.post_from(&given.host.url, given.at("/signin/signout").as_str()).await;
        assert_eq!(out.status, StatusCode::NO_CONTENT);
        assert!(!browser.has_cookie("sallyport-"));
        assert_eq!(given.session(&browser).await, None);

        // Ben is no admin: no value of his makes him one.
        let browser = Browser::default();
        let door = given.to_the_door(&browser, "ben").await;
        browser.get(door).await;
        let session = given.session(&browser).await.expect("a session");
        assert_eq!(
            self::me(&given.host, session["token"].as_str().expect("a token")).await["roles"],
            json!(["member"])
        );
    });
}

#[test]
fn on_the_page_a_person_names_their_workspace_signs_in_and_out() {
    let Some(given) = Given::new() else { return };
    block_on(async {
        let (_driver, page) = chromium(&path(&given.folder, "profile")).await;
        let outcome = on_the_page(&page, &given).await;
        page.close().await.expect("closed");
        outcome.unwrap_or_else(|error| panic!("{error:#}"));
    });
}

async fn on_the_page(page: &Client, given: &Given) -> anyhow::Result<()> {
    let wait = || page.wait().at_most(Duration::from_secs(30));
    page.goto(&given.host.url).await?;
    wait().for_element(Locator::Css("#signin:not([hidden])")).await?;
    // The keyboard alone: the field has the focus.
    page.active_element().await?.send_keys("acme\u{e007}").await?;
    wait().for_element(Locator::Css("input[name=login]")).await?.send_keys("ana").await?;
    page.find(Locator::Css("input[name=password]")).await?.send_keys("anything\u{e007}").await?;
    wait().for_element(Locator::Css("input[name=prompt][value=consent]")).await?;
    page.find(Locator::Css("button[type=submit]")).await?.click().await?;
    wait().for_element(Locator::Css("#signout:not([hidden])")).await?;
    anyhow::ensure!(page.current_url().await? == given.at("/"), "{}", page.current_url().await?);
    let shown = page.find(Locator::Css("#me")).await?.text().await?;
    anyhow::ensure!(shown == "Ana Okafor", "the page says {shown:?}");

    // Opened again, the page knows them; signed out, it does not.
    page.refresh().await?;
    wait().for_element(Locator::Css("#signout:not([hidden])")).await?.click().await?;
    wait().for_element(Locator::Css("#signin:not([hidden])")).await?;
    let cookies = page.get_all_cookies().await?;
    anyhow::ensure!(!cookies.iter().any(|cookie| cookie.name().starts_with("sallyport")), "{cookies:?}");

    page.goto(given.at("/signin/nobody").as_str()).await?;
    let text = wait().for_element(Locator::Css("[role=alert]")).await?.text().await?;
    anyhow::ensure!(text.contains("no sign-in is set up"), "{text}");
    Ok(())
}

#[test]
fn an_answer_is_used_once_and_in_the_browser_that_asked() {
    let Some(given) = Given::new() else { return };
    block_on(async {
        let (browser, other) = (Browser::default(), Browser::default());
        let door = given.to_the_door(&browser, "ana").await;
        // Another browser, without a sign-in and with one of its own.
        for _ in 0..2 {
            let refused = other.get(door.clone()).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
            assert!(refused.text.contains("begin again") && !refused.text.contains("<script"), "{}", refused.text);
            assert_eq!(given.session(&other).await, None);
            other.get(given.at("/signin/acme")).await;
        }
        assert_eq!(browser.get(door.clone()).await.leads_to(), Some(given.at("/")));
        let again = browser.get(door).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.text);
        assert!(given.session(&browser).await.is_some(), "who has signed in stays signed in");
    });
}

#[test]
fn somebody_whose_address_the_issuer_has_not_verified_is_not_let_in() {
    let Some(given) = Given::new() else { return };
    block_on(async {
        let browser = Browser::default();
        let door = given.to_the_door(&browser, "eve").await;
        let refused = browser.get(door).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
        assert!(refused.text.contains("verified e-mail addresses of acme.example"), "{}", refused.text);
        assert_eq!(given.session(&browser).await, None);
    });
}

#[test]
fn an_id_token_counts_for_the_tenant_that_pins_its_issuer_and_for_no_other() {
    let Some(given) = Given::new() else { return };
    let settings = [("REDIRECTS", APPLICATION), ("CLAIMS_IN", "id-token")];
    let Some(theirs) = Issuer::start(&settings) else { return };
    given.pin("other", &theirs.url);
    block_on(async {
        let tokens = code_flow(&theirs, "ana", "openid email profile").await;
        let exchange = async |tenant: &str, token: &Value| {
            let body = json!({ "tenant": tenant, "id_token": token });
            let request = http().post(given.at("/v1/callers/oidc")).json(&body);
            let answer = request.send().await.expect("an answer");
            (answer.status(), answer.json::<Value>().await.expect("JSON"))
        };
        let (status, answer) = exchange("other", &tokens["id_token"]).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let me = me(&given.host, answer["token"].as_str().expect("a token")).await;
        assert_eq!((&me["tenant"], &me["emails"]), (&json!("other"), &json!(["ana@acme.example"])));

        let (status, answer) = exchange("acme", &tokens["id_token"]).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("id-token")), "{answer}");
        let (status, _) = exchange("other", &tokens["access_token"]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn the_command_line_pins_shows_and_takes_back_an_issuer_without_its_secret() {
    let Some(given) = Given::new() else { return };
    let data = path(&given.folder, "data");
    let shown = given.pin("acme", &given.issuer.url);
    assert_eq!((&shown[0]["issuer"], &shown[0]["client_id"]), (&json!(given.issuer.url), &json!("sallyport")));
    let acme = ["--data", &data, "--tenant", "acme", "signin"];
    let text = succeeds(&[&acme[..], &["show"]].concat()).stdout;
    assert!(text.contains("sallyport-admins") && !text.contains(SECRET), "{text}");

    let secret = path(&given.folder, "secret");
    let set = |issuer: &str| {
        fails(&[&acme[..], &["set", "--issuer", issuer, "--client-id", "x", "--secret", &secret]].concat())
    };
    assert!(set("http://issuer.example").contains("https"), "an issuer without TLS");
    assert!(set("http://127.0.0.1:9").contains("cannot be reached"), "an issuer that is not there");

    succeeds(&[&acme[..], &["remove"]].concat());
    assert!(fails(&[&acme[..], &["show"]].concat()).contains("signin set"));
    block_on(async {
        let gone = Browser::default().get(given.at("/signin/acme")).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND, "the host that serves knows it at once: {}", gone.text);
    });
}

/// What tests of OAuth tokens build on: that this issuer ends them and rotates them.
#[test]
fn the_issuer_ends_access_tokens_and_revokes_a_grant_whose_old_refresh_token_comes_again() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = [("REDIRECTS", APPLICATION), ("ACCESS_SECONDS", "2"), ("ROTATE", "on")];
    let Some(issuer) = Issuer::start(&settings) else { return };
    block_on(async {
        let first = code_flow(&issuer, "ben", "openid email").await;
        assert_eq!(first["expires_in"], 2);
        let refresh = async |token: &Value| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str().expect("a token"))];
            token_endpoint(&issuer, &form).await
        };
        let info = async |token: &Value| {
            let request = http().get(format!("{}/me", issuer.url));
            request.bearer_auth(token.as_str().expect("a token")).send().await.expect("an answer").status()
        };
        while info(&first["access_token"]).await == StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let second = refresh(&first["refresh_token"]).await;
        assert_ne!(second["refresh_token"], first["refresh_token"], "{second}");
        assert_eq!(info(&second["access_token"]).await, StatusCode::OK);
        assert_eq!(refresh(&first["refresh_token"]).await["error"], "invalid_grant");
        assert_eq!(refresh(&second["refresh_token"]).await["error"], "invalid_grant", "the whole grant is revoked");
    });
}

/// The authorization code flow as an application does it: tokens of an issuer.
async fn code_flow(issuer: &Issuer, name: &str, scope: &str) -> Value {
    let verifier = "a-verifier-that-is-long-enough-for-the-standard-to-be-content";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let fields = [
        ("client_id", "sallyport"),
        ("response_type", "code"),
        ("redirect_uri", APPLICATION),
        ("scope", scope),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let authorize = Url::parse_with_params(&format!("{}/auth", issuer.url), fields).expect("an address");
    let door = issuer.sign_in(&Browser::default(), authorize, name).await;
    let answer: HashMap<String, String> = door.query_pairs().into_owned().collect();
    let code = answer.get("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", APPLICATION),
        ("code_verifier", verifier),
    ];
    token_endpoint(issuer, &form).await
}

async fn token_endpoint(issuer: &Issuer, form: &[(&str, &str)]) -> Value {
    let request = http().post(format!("{}/token", issuer.url));
    let request = request.basic_auth("sallyport", Some(SECRET)).form(form);
    request.send().await.expect("an answer").json().await.expect("JSON")
}
