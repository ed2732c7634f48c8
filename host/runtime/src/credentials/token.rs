//! Asking a token endpoint, in the ways in which providers want to be asked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use sallyport_pack::manifest::{ClientAuth, Manifest, OAuthCode, Reply, TokenRequest};
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

use super::client::Fields;
use super::{CredentialError, Inner};
use crate::keys::Secret;
use crate::wire::{Broken, NoWay};

/// Well below the lease (60 s), so that a holder that is alive always finishes under it.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Token answers are small; anything larger is none.
const LARGEST: usize = 256 * 1024;

/// Codes by which a token endpoint says that a refresh token is of no use any more (RFC 6749 `invalid_grant`, and the
/// words of Slack's `oauth.v2.access`).
const FINAL: [&str; 6] =
    ["invalid_grant", "invalid_refresh_token", "bad_refresh_token", "token_revoked", "token_expired", "access_denied"];

/// Why a token request brought no token.
#[derive(Debug)]
pub(super) enum TokenFailure {
    /// No byte was written, or the endpoint says that it is out of order: nothing was changed.
    Nothing(String),
    /// The request may have been carried out, and its answer is lost.
    Lost(String),
    /// The refresh token is of no use any more.
    Final(String),
    /// It refuses for another reason, with its code.
    Refused(String),
    /// It was not even asked.
    Ours(CredentialError),
}

/// What a token request brought.
pub(super) struct Tokens {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    pub(super) expires_in: Option<u64>,
    pub(super) scopes: Option<Vec<String>>,
}

impl Inner {
    /// Sends `parameters` (beside the client's own) to the token endpoint and reads the answer.
    pub(super) async fn ask_token(
        &self,
        manifest: &Manifest,
        oauth: &OAuthCode,
        client: &Fields,
        parameters: &[(&str, &str)],
        reply: &Reply,
    ) -> Result<Tokens, TokenFailure> {
        let provider = manifest.connector.provider.as_str();
        let registered = self.registry.provider(provider).is_some_and(|provider| provider.auth.contains(&oauth.token));
        if !registered {
            return Err(TokenFailure::Ours(CredentialError::Manifest(format!(
                "{} is not a token endpoint of {provider} in the registry",
                oauth.token
            ))));
        }
        let target = self.wire.endpoint(manifest.connector.id.as_str(), "token", &oauth.token);
        self.wire.vet(&target).await.map_err(|error| {
            TokenFailure::Nothing(match error {
                NoWay::Private(host, address) => format!("{host} leads to {address}, which is no public address"),
                NoWay::Unreachable(why) => why,
            })
        })?;
        let client_of = |field: &str| client.need(provider, field).map_err(TokenFailure::Ours);
        let mut all: Vec<(&str, &str)> = parameters.to_vec();
        let mut basic = None;
        match oauth.client_auth {
            ClientAuth::Body => {
                all.push(("client_id", client_of("client_id")?.expose()));
                all.push(("client_secret", client_of("client_secret")?.expose()));
            }
            ClientAuth::None => all.push(("client_id", client_of("client_id")?.expose())),
            ClientAuth::Basic => {
                // RFC 6749, 2.3.1: both are form-encoded first.
                let encode =
                    |secret: &Secret| form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect::<String>();
                let pair = Zeroizing::new(format!(
                    "{}:{}",
                    encode(client_of("client_id")?),
                    encode(client_of("client_secret")?)
                ));
                let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
                basic = Some(sensitive(&value)?);
            }
        }
        let (media_type, body) = match oauth.token_request {
            TokenRequest::Form => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(&all);
                ("application/x-www-form-urlencoded", form.finish())
            }
            TokenRequest::Json => {
                let object: serde_json::Map<String, Value> =
                    all.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
                ("application/json", Value::Object(object).to_string())
            }
        };
        let http = self.wire.client(&target).map_err(TokenFailure::Nothing)?;
        let mut request = http
            .post(target.url.clone())
            .timeout(TIMEOUT)
            .header(CONTENT_TYPE, media_type)
            .header(ACCEPT, "application/json");
        for (name, value) in &manifest.http.fixed {
            request = request.header(name.as_str(), value);
        }
        if let Some(basic) = basic {
            request = request.header(AUTHORIZATION, basic);
        }
        let mut response = request.body(body).send().await.map_err(|error| failure(error.into()))?;
        let status = response.status().as_u16();
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(error.into()))? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(TokenFailure::Lost("the answer is no token answer: it is too large".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        read(oauth, reply, status, &bytes)
    }
}

/// Reads a token endpoint's answer.
fn read(oauth: &OAuthCode, reply: &Reply, status: u16, body: &[u8]) -> Result<Tokens, TokenFailure> {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |found: Option<&Value>| found.and_then(Value::as_str).map(str::to_owned);
    let failed = oauth
        .failed
        .as_ref()
        .filter(|failed| failed.pointer.find(&value).is_some_and(|found| failed.equals.equals(found)));
    if failed.is_some() || !(200..300).contains(&status) {
        let code = match (failed, &oauth.error_code) {
            (Some(failed), _) => text(failed.code.find(&value)),
            (None, Some(pointers)) => text(pointers.find(&value)),
            (None, None) => text(value.pointer("/error")),
        };
        // Only the code is told: descriptions may quote what was sent.
        return Err(match code {
            Some(code) if FINAL.contains(&code.as_str()) => TokenFailure::Final(code),
            _ if status >= 500 || status == 429 => TokenFailure::Nothing(format!("it answers {status}")),
            Some(code) => TokenFailure::Refused(format!("{} ({status})", code.escape_debug())),
            None => TokenFailure::Refused(format!("it answers {status}")),
        });
    }
    let Some(access) = text(reply.token.find(&value)).filter(|token| !token.is_empty()) else {
        return Err(TokenFailure::Lost("the answer holds no token where the manifest says it stands".to_owned()));
    };
    let find = |pointers: &Option<sallyport_pack::manifest::Pointers>| {
        pointers.as_ref().and_then(|pointers| pointers.find(&value).cloned())
    };
    let expires_in = find(&reply.expires_in).and_then(|found| match found {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|seconds| seconds.max(0.0) as u64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let scopes = find(&reply.scopes).map(|found| match found {
        Value::String(text) => text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    });
    let refresh = text(find(&reply.refresh).as_ref()).filter(|token| !token.is_empty()).map(Secret::new);
    Ok(Tokens { access: Secret::new(access), refresh, expires_in, scopes })
}

fn sensitive(value: &str) -> Result<HeaderValue, TokenFailure> {
    let bad =
        |_| TokenFailure::Ours(CredentialError::Manifest("the client's fields cannot stand in a header".to_owned()));
    let mut value = HeaderValue::from_str(value).map_err(bad)?;
    value.set_sensitive(true);
    Ok(value)
}

fn failure(broken: Broken) -> TokenFailure {
    match broken {
        Broken::BeforeSending(why) => TokenFailure::Nothing(why),
        Broken::Midway(why) => TokenFailure::Lost(why),
    }
}

fn lost(broken: Broken) -> TokenFailure {
    match broken {
        Broken::BeforeSending(why) | Broken::Midway(why) => TokenFailure::Lost(why),
    }
}
