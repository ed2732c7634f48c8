//! The OAuth 2 authorization server of both providers, at the paths that the real ones use:
//! `/o/oauth2/v2/auth`, `/token`, `/revoke` for Google; `/authorize`, `/oauth/token`, `/oauth/revoke` for Atlassian.
//!
//! Consent is given at once, as the person in `login_hint` or [`Options::consents`](crate::Options::consents).

use crate::{
    clock::unix_ms,
    faults::Failure,
    tokens::{IssuedTokens, Provider, random_text},
    world::World,
};
use axum::{
    Router,
    body::Bytes,
    extract::{Query, State as Shared},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc};
use subtle::ConstantTimeEq;

/// An authorization code is good for this long: ten minutes is what RFC 6749 recommends as the most.
const CODE_LIFETIME_MS: i64 = 600_000;

type Parameters = HashMap<String, String>;

/// Authorization codes that were issued and not yet used.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    codes: HashMap<String, Code>,
}

#[derive(Debug, Clone)]
struct Code {
    provider: Provider,
    redirect_uri: String,
    email: String,
    scopes: Vec<String>,
    challenge: Option<String>,
    issued_ms: i64,
    /// What was issued for it, to be taken back if it is used again (RFC 6749, 4.1.2).
    used_for: Option<String>,
}

pub(crate) fn router(world: Arc<World>) -> Router {
    use Provider::{Google, Trello};
    let authorize = |provider| {
        get(
            move |world: Shared<Arc<World>>, query: Query<Parameters>| async move { authorize(&world, provider, &query) },
        )
    };
    let token = |provider| {
        post(move |world: Shared<Arc<World>>, headers: HeaderMap, body: Bytes| async move {
            token(&world, provider, &headers, &body)
        })
    };
    let revoke = |provider| {
        post(move |world: Shared<Arc<World>>, query: Query<Parameters>, headers: HeaderMap, body: Bytes| async move {
            revoke(&world, provider, query.0, &headers, &body)
        })
    };
    Router::new()
        .route("/o/oauth2/v2/auth", authorize(Google))
        .route("/token", token(Google))
        .route("/revoke", revoke(Google))
        .route("/authorize", authorize(Trello))
        .route("/oauth/token", token(Trello))
        .route("/oauth/revoke", revoke(Trello))
        .with_state(world)
}

fn authorize(world: &World, provider: Provider, query: &Parameters) -> Response {
    let issuer = world.options.issuer(provider);
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    // Before client and redirect are known to belong together nothing may be sent anywhere (RFC 6749, 4.1.2.1).
    if get("client_id") != issuer.client_id {
        return error(StatusCode::UNAUTHORIZED, "invalid_client", "The OAuth client was not found.");
    }
    let Ok(back) = url::Url::parse(get("redirect_uri")) else {
        return error(StatusCode::BAD_REQUEST, "redirect_uri_mismatch", "Missing or malformed redirect_uri.");
    };
    let refuse = |back: url::Url, code: &str, why: &str| {
        redirect(back, &[("error", code), ("error_description", why), ("state", get("state"))])
    };
    if get("response_type") != "code" {
        return refuse(back, "unsupported_response_type", "response_type must be code");
    }
    let challenge = query.get("code_challenge").cloned();
    if challenge.is_some() && get("code_challenge_method") != "S256" {
        return refuse(back, "invalid_request", "code_challenge_method must be S256");
    }
    if challenge.is_none() && issuer.require_pkce {
        return refuse(back, "invalid_request", "code_challenge is required");
    }
    let email = query.get("login_hint").unwrap_or(&world.options.consents).to_lowercase();
    if world.state.lock().directory.person(&email).is_none() {
        return refuse(back, "access_denied", "nobody with this address is signed in");
    }
    let code = format!("4/0A{}", random_text());
    let issued = Code {
        provider,
        redirect_uri: get("redirect_uri").to_owned(),
        email,
        scopes: get("scope").split_whitespace().map(str::to_owned).collect(),
        challenge,
        issued_ms: unix_ms(world.clock.now()),
        used_for: None,
    };
    world.codes.lock().codes.insert(code.clone(), issued);
    redirect(back, &[("state", get("state")), ("code", &code), ("scope", get("scope"))])
}

fn redirect(mut back: url::Url, fields: &[(&str, &str)]) -> Response {
    back.query_pairs_mut().extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
}

fn token(world: &World, provider: Provider, headers: &HeaderMap, body: &[u8]) -> Response {
    let sent = match parameters(headers, body) {
        Ok(sent) => sent,
        Err(reply) => return *reply,
    };
    let issuer = world.options.issuer(provider);
    let (id, secret) = client(headers, &sent);
    if id != issuer.client_id || !bool::from(secret.as_bytes().ct_eq(issuer.client_secret.as_bytes())) {
        return error(StatusCode::UNAUTHORIZED, "invalid_client", "The provided client secret is invalid.");
    }
    match sent.get("grant_type").map(String::as_str) {
        Some("authorization_code") => exchange(world, provider, &id, &sent),
        Some("refresh_token") => refresh(world, provider, &id, &sent),
        _ => error(StatusCode::BAD_REQUEST, "unsupported_grant_type", "Invalid grant_type."),
    }
}

fn exchange(world: &World, provider: Provider, client: &str, sent: &Parameters) -> Response {
    let now = world.clock.now();
    let mut codes = world.codes.lock();
    let bad = || error(StatusCode::BAD_REQUEST, "invalid_grant", "Malformed auth code.");
    let Some(code) = sent.get("code").and_then(|code| codes.codes.get_mut(code)) else { return bad() };
    if let Some(issued) = &code.used_for {
        world.tokens.lock().revoke(issued);
        return bad();
    }
    let verifier = sent.get("code_verifier").map(String::as_str).unwrap_or_default();
    let proven = code
        .challenge
        .as_ref()
        .is_none_or(|challenge| *challenge == BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())));
    let expired = unix_ms(now) - code.issued_ms > CODE_LIFETIME_MS;
    if code.provider != provider || expired || !proven || sent.get("redirect_uri") != Some(&code.redirect_uri) {
        return bad();
    }
    let lifetime = world.options.issuer(provider).lifetime;
    let issued = world.tokens.lock().issue(provider, client, &code.email, &code.scopes, lifetime, now);
    code.used_for = Some(issued.access_token.clone());
    reply(&issued, true)
}

fn refresh(world: &World, provider: Provider, client: &str, sent: &Parameters) -> Response {
    let issuer = world.options.issuer(provider);
    let token = sent.get("refresh_token").map(String::as_str).unwrap_or_default();
    let issued =
        world.tokens.lock().refresh(provider, client, token, issuer.rotate, issuer.lifetime, world.clock.now());
    match (issued, provider) {
        // A provider that does not rotate sends no refresh token here: the old one stays good.
        (Some(issued), _) => reply(&issued, issuer.rotate),
        (None, Provider::Google) => {
            error(StatusCode::BAD_REQUEST, "invalid_grant", "Token has been expired or revoked.")
        }
        (None, Provider::Trello) => error(StatusCode::FORBIDDEN, "invalid_grant", "Unknown or invalid refresh token."),
    }
}

fn revoke(world: &World, provider: Provider, query: Parameters, headers: &HeaderMap, body: &[u8]) -> Response {
    let sent = match parameters(headers, body) {
        Ok(sent) => sent,
        Err(reply) => return *reply,
    };
    let token = sent.get("token").or_else(|| query.get("token")).map(String::as_str).unwrap_or_default();
    match (world.tokens.lock().revoke(token), provider) {
        // RFC 7009 answers 200 for a token that nobody knows; Google does not.
        (false, Provider::Google) => error(StatusCode::BAD_REQUEST, "invalid_token", "Token expired or revoked"),
        _ => json_reply(StatusCode::OK, &json!({})),
    }
}

/// The body as form or JSON, whichever its content type says.
fn parameters(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, Box<Response>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Ok(form_urlencoded::parse(body).into_owned().collect());
    }
    serde_json::from_slice(body).map_err(|_| {
        Box::new(error(StatusCode::BAD_REQUEST, "invalid_request", "The body is not a JSON object of strings."))
    })
}

/// Client id and secret, by HTTP Basic (both percent-encoded, RFC 6749 2.3.1) or in the body.
fn client(headers: &HeaderMap, sent: &Parameters) -> (String, String) {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|encoded| String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok());
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    if let Some((id, secret)) = basic.as_deref().and_then(|both| both.split_once(':')) {
        return (plain(id), plain(secret));
    }
    let field = |name: &str| sent.get(name).cloned().unwrap_or_default();
    (field("client_id"), field("client_secret"))
}

fn reply(issued: &IssuedTokens, with_refresh: bool) -> Response {
    let mut body = json!({
        "access_token": issued.access_token,
        "expires_in": issued.expires_in,
        "scope": issued.scope,
        "token_type": "Bearer",
    });
    if with_refresh {
        body["refresh_token"] = Value::from(issued.refresh_token.clone());
    }
    json_reply(StatusCode::OK, &body)
}

fn error(status: StatusCode, code: &str, description: &str) -> Response {
    json_reply(status, &json!({ "error": code, "error_description": description }))
}

fn json_reply(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

pub(crate) fn failure_reply(failure: &Failure) -> Response {
    match failure {
        Failure::ServerError { status } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            error(status, "server_error", "The server encountered a temporary error.")
        }
        Failure::TooManyRequests { retry_after } => {
            let mut reply = error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", "Too many requests.");
            if let Some(seconds) = retry_after {
                reply.headers_mut().insert(header::RETRY_AFTER, (*seconds).into());
            }
            reply
        }
        _ => error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", "Too many requests."),
    }
}
