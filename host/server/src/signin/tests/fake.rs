//! An issuer that says what a test wants it to say.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

/// The client that it knows.
pub(crate) const CLIENT: &str = "sallyport at acme";
pub(crate) const SECRET: &str = "a secret / that needs: encoding";

/// P-256 keys in PKCS #8, made for these tests: they open nothing.
const KEYS: [(&str, &str, &str); 2] = [
    (
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/Gc7PjjwYqGkyk0iGt09FpUfF8mCMtH5r04w0RrmQ0KhRANCAATs6gFbXSPFtnI1\
         yoCHKklj63MunYTftkxlcpq8+Ykhm8m6w8GtBxCYfScn4VkM1iuF37qMTv0vOkcAdEc2eHv4",
        "7OoBW10jxbZyNcqAhypJY-tzLp2E37ZMZXKavPmJIZs",
        "ybrDwa0HEJh9JyfhWQzWK4XfuoxO_S86RwB0RzZ4e_g",
    ),
    (
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgH30aVr5yhBZt0NqkiZkErx5y1Ji3OgUUhiM+gfX3Ks2hRANCAAT3ky4yKiQ2fmgU\
         rQg4HGmUdUQeo1YjXoxmyXO3Ru1vgVmeWUyH4W/W37XaRuSwByK///tIGXiPUHZhhD4Twf6E",
        "95MuMiokNn5oFK0IOBxplHVEHqNWI16MZslzt0btb4E",
        "WZ5ZTIfhb9bftdpG5LAHIr__-0gZeI9QdmGEPhPB_oQ",
    ),
];

/// How a token is signed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Signed {
    /// By one of [`KEYS`], under its own name.
    By(usize),
    /// By one key, under the other's name.
    Falsely(usize),
    /// By the client secret.
    BySecret,
    /// Not at all.
    Not,
}

/// What it says and what it was asked.
pub(crate) struct Script {
    /// Claims over the usual ones; null takes one out.
    pub claims: Value,
    pub signed: Signed,
    /// Which of its keys it lists.
    pub listed: Vec<usize>,
    /// What its user info says; null: it has none.
    pub info: Value,
    /// What stands in its discovery document over the usual; null takes it out.
    pub document: Value,
    /// What its token endpoint answers in place of tokens.
    pub refusal: Option<(StatusCode, Value)>,
    pub discoveries: usize,
    pub key_reads: usize,
    codes: HashMap<String, (String, String, String)>,
}

/// A running one.
#[derive(Clone)]
pub(crate) struct Fake {
    pub url: String,
    pub script: Arc<Mutex<Script>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Script {
            claims: json!({}),
            signed: Signed::By(0),
            listed: vec![0],
            info: Value::Null,
            document: json!({}),
            refusal: None,
            discoveries: 0,
            key_reads: 0,
            codes: HashMap::new(),
        };
        let fake = Self { url, script: Arc::new(Mutex::new(script)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(info))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    /// What the person's browser brings back after they signed in: `code=…&state=…`.
    pub(crate) fn sign_in(&self, authorize: &Url) -> String {
        let asked: HashMap<String, String> = authorize.query_pairs().into_owned().collect();
        assert_eq!((asked["client_id"].as_str(), asked["response_type"].as_str()), (CLIENT, "code"));
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut script = self.script.lock();
        let code = format!("code-{}", script.codes.len());
        let known = (asked["nonce"].clone(), asked["code_challenge"].clone(), asked["redirect_uri"].clone());
        script.codes.insert(code.clone(), known);
        format!("code={code}&state={}", asked["state"])
    }

    /// An ID token, as the script has it.
    pub(crate) fn id_token(&self, nonce: Option<&str>) -> String {
        let script = self.script.lock();
        let now = super::super::now();
        let usual = json!({
            "iss": self.url, "sub": "248289761001", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce,
            "name": "Ana Okafor", "email": "Ana@Acme.Example", "email_verified": true,
        });
        let claims = over(usual, &script.claims);
        let header = |key: usize| Header { kid: Some(format!("key-{key}")), ..Header::new(Algorithm::ES256) };
        let by = |key: usize| EncodingKey::from_ec_der(&STANDARD.decode(KEYS[key].0).unwrap());
        let signed = match script.signed {
            Signed::By(key) => jsonwebtoken::encode(&header(key), &claims, &by(key)),
            Signed::Falsely(key) => jsonwebtoken::encode(&header(key), &claims, &by(1 - key)),
            Signed::BySecret => {
                jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes()))
            }
            Signed::Not => {
                let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
                Ok(format!("{}.{}.", part(json!({ "alg": "none" })), part(claims)))
            }
        };
        signed.unwrap()
    }
}

fn over(mut usual: Value, other: &Value) -> Value {
    for (name, value) in other.as_object().unwrap() {
        usual[name] = value.clone();
    }
    usual.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    usual
}

async fn document(State(fake): State<Fake>) -> Json<Value> {
    let mut script = fake.script.lock();
    script.discoveries += 1;
    let at = |path: &str| format!("{}/{path}", fake.url);
    let usual = json!({
        "issuer": fake.url, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
        "jwks_uri": at("jwks"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none", "of-tomorrow"],
        "userinfo_endpoint": (!script.info.is_null()).then(|| at("userinfo")),
    });
    Json(over(usual, &script.document))
}

async fn keys(State(fake): State<Fake>) -> Json<Value> {
    let mut script = fake.script.lock();
    script.key_reads += 1;
    let key = |of: &usize| {
        let (_, x, y) = KEYS[*of];
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": format!("key-{of}"), "x": x, "y": y })
    };
    Json(json!({ "keys": script.listed.iter().map(key).collect::<Vec<_>>() }))
}

async fn token(State(fake): State<Fake>, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Response {
    if let Some((status, body)) = fake.script.lock().refusal.clone() {
        return (status, Json(body)).into_response();
    }
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET))));
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    if headers.get(header::AUTHORIZATION).is_none_or(|given| *given != basic) {
        return refused("invalid_client");
    }
    // A code counts once, for the browser that asked and for its own redirect address.
    let Some((nonce, challenge, redirect)) = fake.script.lock().codes.remove(&form["code"]) else {
        return refused("invalid_grant");
    };
    let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier").map_or("", String::as_str)));
    if proof != challenge || form["redirect_uri"] != redirect {
        return refused("invalid_grant");
    }
    let id_token = fake.id_token(Some(&nonce));
    Json(json!({ "access_token": "of-ana", "token_type": "Bearer", "expires_in": 300, "id_token": id_token }))
        .into_response()
}

async fn info(State(fake): State<Fake>, headers: HeaderMap) -> Response {
    match headers.get(header::AUTHORIZATION).is_some_and(|given| given == "Bearer of-ana") {
        true => Json(fake.script.lock().info.clone()).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}
