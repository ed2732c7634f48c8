//! Asking a token endpoint, in the ways in which providers want to be asked. The crate `oauth2` would do the half of them
//! that post forms and answer as RFC 6749 says; one way for all is less to trust, and it alone is bounded, vetted and zeroed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use sallyport_pack::manifest::{ClientAuth, EndpointUrl, Manifest, OAuthCode, Pointers, Reply, TokenRequest};
use serde_json::Value;
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
    /// The refresh token, or the code, is of no use any more.
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

/// How a provider is asked.
#[derive(Clone, Copy)]
pub(super) struct Manner<'m> {
    pub(super) client_auth: Option<ClientAuth>,
    pub(super) form: TokenRequest,
    /// For what this provider says its own way.
    pub(super) oauth: Option<&'m OAuthCode>,
}

impl<'m> Manner<'m> {
    pub(super) fn of(oauth: &'m OAuthCode) -> Self {
        Self { client_auth: Some(oauth.client_auth), form: oauth.token_request, oauth: Some(oauth) }
    }

    /// As RFC 6749 and RFC 7523 have it, the request itself being the proof.
    pub(super) fn assertion() -> Self {
        Self { client_auth: None, form: TokenRequest::Form, oauth: None }
    }
}

/// A request to one of a provider's endpoints.
pub(super) struct Asked<'a> {
    pub(super) manifest: &'a Manifest,
    /// `token` or `revoke`: what an operator re-points.
    pub(super) which: &'static str,
    pub(super) url: &'a EndpointUrl,
    pub(super) method: Method,
    /// What stands in the URL's path for `{token}`.
    pub(super) token: Option<&'a Secret>,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
}

impl Inner {
    /// Sends `parameters` (beside the client's own) to an endpoint and answers what it says.
    pub(super) async fn ask_token(
        &self,
        manifest: &Manifest,
        url: &EndpointUrl,
        manner: Manner<'_>,
        client: &Fields,
        parameters: &[(&str, &str)],
    ) -> Result<Value, TokenFailure> {
        let asked = Asked { manifest, which: "token", url, method: Method::POST, token: None, header: None };
        let (status, body) = self.ask(asked, manner, client, parameters).await?;
        read(manner.oauth, status, &body)
    }

    /// Sends a request to an endpoint that is the provider's, and only there.
    pub(super) async fn ask(
        &self,
        asked: Asked<'_>,
        manner: Manner<'_>,
        client: &Fields,
        parameters: &[(&str, &str)],
    ) -> Result<(u16, Zeroizing<Vec<u8>>), TokenFailure> {
        let provider = asked.manifest.connector.provider.as_str();
        let known = self.registry.provider(provider);
        if !known.is_some_and(|known| known.auth.contains(asked.url)) {
            return Err(TokenFailure::Ours(CredentialError::Manifest(format!(
                "{} is not an auth endpoint of {provider} in the registry",
                asked.url
            ))));
        }
        let mut target = self.wire.endpoint(asked.manifest.connector.id.as_str(), asked.which, asked.url);
        if let Some(token) = asked.token {
            let segment = percent_encoding::utf8_percent_encode(token.expose(), percent_encoding::NON_ALPHANUMERIC);
            let path = Zeroizing::new(target.url.path().replace("%7Btoken%7D", &segment.to_string()));
            target.url.set_path(&path);
        }
        self.wire.vet(&target).await.map_err(|error| {
            TokenFailure::Nothing(match error {
                NoWay::Private(host, address) => format!("{host} leads to {address}, which is no public address"),
                NoWay::Unreachable(why) => why,
            })
        })?;
        let (all, basic) = identified(provider, manner.client_auth, client, parameters)?;
        let http = self.wire.client(&target).map_err(TokenFailure::Nothing)?;
        let mut request =
            http.request(asked.method, target.url.clone()).timeout(TIMEOUT).header(ACCEPT, "application/json");
        for (name, value) in &asked.manifest.http.fixed {
            request = request.header(name.as_str(), value);
        }
        if let Some(basic) = basic {
            request = request.header(AUTHORIZATION, basic);
        }
        if let Some((name, value)) = asked.header {
            request = request.header(name, value);
        }
        if !all.is_empty() {
            let (media_type, body) = body(manner.form, &all);
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        let mut response = request.send().await.map_err(|error| failure(error.into()))?;
        let status = response.status().as_u16();
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(error.into()))? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(TokenFailure::Lost("the answer is no token answer: it is too large".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((status, bytes))
    }
}

type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// The parameters with the client's, and the header by which it says who it is.
fn identified<'a>(
    provider: &str,
    client_auth: Option<ClientAuth>,
    client: &'a Fields,
    parameters: &[(&'a str, &'a str)],
) -> Result<(Parameters<'a>, Option<HeaderValue>), TokenFailure> {
    let client_of = |field: &str| client.need(provider, field).map_err(TokenFailure::Ours);
    let mut all = parameters.to_vec();
    let mut basic = None;
    match client_auth {
        None => {}
        Some(ClientAuth::Body) => {
            all.push(("client_id", client_of("client_id")?.expose()));
            all.push(("client_secret", client_of("client_secret")?.expose()));
        }
        Some(ClientAuth::None) => all.push(("client_id", client_of("client_id")?.expose())),
        Some(ClientAuth::Basic) => {
            // RFC 6749, 2.3.1: both are form-encoded first.
            let encode =
                |secret: &Secret| form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect::<String>();
            let (id, secret) = (client_of("client_id")?, client_of("client_secret")?);
            let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
            let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
            basic = Some(sensitive(&value)?);
        }
    }
    Ok((all, basic))
}

fn body(form: TokenRequest, all: &[(&str, &str)]) -> (&'static str, String) {
    match form {
        TokenRequest::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(all);
            ("application/x-www-form-urlencoded", form.finish())
        }
        TokenRequest::Json => {
            let object: serde_json::Map<String, Value> =
                all.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
            ("application/json", Value::Object(object).to_string())
        }
    }
}

/// Whether a token endpoint's answer is one, and it as JSON.
pub(super) fn read(oauth: Option<&OAuthCode>, status: u16, body: &[u8]) -> Result<Value, TokenFailure> {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let failed = oauth
        .and_then(|oauth| oauth.failed.as_ref())
        .filter(|failed| failed.pointer.find(&value).is_some_and(|found| failed.equals.equals(found)));
    if failed.is_none() && (200..300).contains(&status) {
        return Ok(value);
    }
    let code = match (failed, oauth.and_then(|oauth| oauth.error_code.as_ref())) {
        (Some(failed), _) => text(failed.code.find(&value)),
        (None, Some(pointers)) => text(pointers.find(&value)),
        (None, None) => text(value.pointer("/error")),
    };
    // Only the code is told: descriptions may quote what was sent.
    Err(match code {
        Some(code) if FINAL.contains(&code.as_str()) => TokenFailure::Final(code),
        _ if status >= 500 || status == 429 => TokenFailure::Nothing(format!("it answers {status}")),
        Some(code) => TokenFailure::Refused(format!("{} ({status})", code.escape_debug())),
        None => TokenFailure::Refused(format!("it answers {status}")),
    })
}

impl Tokens {
    /// What stands in an answer where the manifest says; `None` where no token does.
    pub(super) fn find(reply: &Reply, value: &Value) -> Option<Self> {
        let access = text(reply.token.find(value)).filter(|token| !token.is_empty())?;
        let find = |pointers: &Option<Pointers>| pointers.as_ref().and_then(|pointers| pointers.find(value).cloned());
        let expires_in = find(&reply.expires_in).and_then(|found| match found {
            Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|seconds| seconds.max(0.0) as u64)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        });
        let scopes = find(&reply.scopes).map(|found| match found {
            Value::String(text) => {
                text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
            }
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        });
        let refresh = text(find(&reply.refresh).as_ref()).filter(|token| !token.is_empty()).map(Secret::new);
        Some(Self { access: Secret::new(access), refresh, expires_in, scopes })
    }

    /// As [`Self::find`], where a token has to be there.
    pub(super) fn expect(reply: &Reply, value: &Value) -> Result<Self, TokenFailure> {
        let none = || TokenFailure::Lost("the answer holds no token where the manifest says it stands".to_owned());
        Self::find(reply, value).ok_or_else(none)
    }
}

fn text(found: Option<&Value>) -> Option<String> {
    found.and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn sensitive(value: &str) -> Result<HeaderValue, TokenFailure> {
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
