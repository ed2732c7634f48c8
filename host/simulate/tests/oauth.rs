//! The authorization server over real HTTP: codes, PKCE, refresh with and without rotation, revocation.

mod common;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{Answer, HOUR, Scene, send};
use sallyport_simulate::{Failure, Fault, Options, Provider, Seed, Service};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, time::Duration};

const ANA: &str = "ana@larkfield.example";
const BACK: &str = "http://127.0.0.1:9/back";
const VERIFIER: &str = "a-verifier-that-is-at-least-forty-three-characters-long";

async fn scene() -> Scene {
    Scene::new(Seed::empty().person(ANA, "Ana")).await
}

async fn authorize(scene: &Scene, path: &str, more: &[(&str, &str)]) -> (Answer, HashMap<String, String>) {
    let fields = [
        ("client_id", "sallyport-demo"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("state", "s-1"),
        ("login_hint", ANA),
    ];
    let url = format!("{}{path}", scene.simulation.urls().oauth);
    let mut all: HashMap<&str, &str> = fields.into();
    all.extend(more.iter().copied());
    let answer = send(scene.http.get(url).query(&all)).await;
    let location = answer.headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
    let query = location.strip_prefix(&format!("{BACK}?")).unwrap_or_default();
    (answer, form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

async fn token(scene: &Scene, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all: HashMap<&str, &str> =
        [("client_id", "sallyport-demo"), ("client_secret", "simulated-client-secret")].into();
    all.extend(fields.iter().copied());
    send(scene.http.post(format!("{}{path}", scene.simulation.urls().oauth)).form(&all)).await
}

fn challenge() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

#[tokio::test]
async fn a_code_is_exchanged_once_with_its_verifier() {
    let scene = scene().await;
    let challenge = challenge();
    let pkce = [
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("scope", "read:board:trello read:member:trello"),
    ];
    let (answer, back) = authorize(&scene, "/authorize", &pkce).await;
    assert_eq!((answer.status, back["state"].as_str()), (302, "s-1"));
    let code = back["code"].as_str();
    let base = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK)];

    let wrong = token(&scene, "/oauth/token", &[&base[..], &[("code_verifier", "wrong")]].concat()).await;
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (400, Some("invalid_grant")));
    let right = [&base[..], &[("code_verifier", VERIFIER)]].concat();
    let issued = token(&scene, "/oauth/token", &right).await.ok();
    assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let mut ana = scene.trello(ANA);
    ana.token = issued["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(ana.get("/members/me").await.ok()["email"], ANA);
    let refused = ana.send(reqwest::Method::POST, "/boards", json!({"name": "x"})).await;
    assert_eq!(refused.status, 401, "reading was granted, not writing");

    // Used again, the code takes back what it gave.
    assert_eq!(token(&scene, "/oauth/token", &right).await.status, 400);
    assert_eq!(ana.get("/members/me").await.text, "invalid token");
}

#[tokio::test]
async fn what_is_wrong_with_an_authorization_is_told_the_right_party() {
    let scene = scene().await;
    let (answer, back) = authorize(&scene, "/authorize", &[("client_id", "stranger")]).await;
    assert_eq!((answer.status, back.len()), (401, 0), "nothing is sent to an unknown client's address");
    for (more, error) in [
        (("state", "s-2"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", "plain-one"), "invalid_request"),
    ] {
        let (_, back) = authorize(&scene, "/authorize", &[more]).await;
        assert_eq!(back["error"], error, "{more:?}");
        assert!(!back.contains_key("code"));
    }
    let (_, back) = authorize(&scene, "/o/oauth2/v2/auth", &[("login_hint", "stranger@x.example")]).await;
    assert_eq!(back["error"], "access_denied");
    let (_, back) = authorize(&scene, "/o/oauth2/v2/auth", &[]).await;
    assert!(back.contains_key("code"), "Google accepts PKCE and does not ask for it");
}

#[tokio::test]
async fn a_rotated_refresh_token_works_once_and_its_reuse_ends_all() {
    let scene = scene().await;
    let first = scene.simulation.token_for(Provider::Trello, ANA, Duration::ZERO);
    let refresh = async |token_: &str| {
        token(&scene, "/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token_)]).await
    };
    let second = refresh(&first.refresh_token).await.ok();
    let next = second["refresh_token"].as_str().expect("rotated").to_owned();
    assert_ne!(next, first.refresh_token);
    let mut ana = scene.trello(ANA);
    ana.token = second["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(ana.get("/members/me").await.status, 200);

    let again = refresh(&first.refresh_token).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (403, Some("invalid_grant")));
    assert_eq!(refresh(&next).await.status, 403, "the whole chain is revoked");
    assert_eq!(ana.get("/members/me").await.status, 401);
    assert_eq!(scene.simulation.refreshes(Provider::Trello), 1);
    assert_eq!(scene.simulation.state()["oauth"]["trello"]["refused_refreshes"], 2);
}

#[tokio::test]
async fn google_keeps_the_refresh_token_and_sends_none() {
    let scene = scene().await;
    let first = scene.simulation.token_for(Provider::Google, ANA, Duration::ZERO);
    for count in 1..=3 {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", first.refresh_token.as_str())];
        let issued = token(&scene, "/token", &fields).await.ok();
        assert!(issued.get("refresh_token").is_none(), "{issued}");
        assert_eq!(scene.simulation.refreshes(Provider::Google), count);
    }
    let elsewhere =
        token(&scene, "/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", &first.refresh_token)])
            .await;
    assert_eq!(elsewhere.status, 403, "another provider's");
    let gone = send(
        scene.http.post(format!("{}/revoke", scene.simulation.urls().oauth)).form(&[("token", &first.refresh_token)]),
    )
    .await;
    assert_eq!(gone.status, 200);
    let refused =
        token(&scene, "/token", &[("grant_type", "refresh_token"), ("refresh_token", &first.refresh_token)]).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("invalid_grant")));
}

#[tokio::test]
async fn json_basic_and_body_are_ways_to_ask_and_a_wrong_secret_is_none() {
    let options = Options::default();
    let mut options = Options { ..options };
    options.google_issuer.lifetime = Duration::from_secs(5);
    let scene = Scene::with(Seed::empty().person(ANA, "Ana"), options).await;
    let refresh = scene.simulation.token_for(Provider::Google, ANA, HOUR).refresh_token;
    let url = format!("{}/token", scene.simulation.urls().oauth);
    let body = json!({"grant_type": "refresh_token", "refresh_token": refresh});
    let basic = send(scene.http.post(&url).basic_auth("sallyport-demo", Some("simulated-client-secret")).json(&body))
        .await
        .ok();
    assert_eq!(basic["expires_in"], 5);
    let wrong = send(scene.http.post(&url).basic_auth("sallyport-demo", Some("guess")).json(&body)).await;
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (401, Some("invalid_client")));
    let strange = token(&scene, "/token", &[("grant_type", "password")]).await;
    assert_eq!(strange.json()["error"], "unsupported_grant_type");
    let expired = basic["access_token"].as_str().expect("a token").to_owned();
    let mut ana = scene.google(ANA);
    ana.token = expired;
    assert_eq!(ana.get("/about?fields=user").await.status, 200);
    scene.simulation.advance(Duration::from_secs(6));
    assert_eq!(ana.get("/about?fields=user").await.status, 401);
}

#[tokio::test]
async fn a_lost_reply_leaves_the_rotation_done() {
    let scene = scene().await;
    let first = scene.simulation.token_for(Provider::Trello, ANA, Duration::ZERO);
    scene.simulation.faults().add(Fault::new(Failure::LoseReply).on(Service::Oauth).times(1));
    let form = [
        ("client_id", "sallyport-demo"),
        ("client_secret", "simulated-client-secret"),
        ("grant_type", "refresh_token"),
        ("refresh_token", &first.refresh_token),
    ];
    let lost = scene.http.post(format!("{}/oauth/token", scene.simulation.urls().oauth)).form(&form).send().await;
    assert!(lost.is_err(), "the connection closed");
    assert_eq!(scene.simulation.refreshes(Provider::Trello), 1);
    let again: Value = token(&scene, "/oauth/token", &form[2..]).await.json();
    assert_eq!(again["error"], "invalid_grant");
}
