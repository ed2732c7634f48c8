//! The pure part of the gate: what a request is, and which route of a live capability allows it.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use sallyport_pack::manifest::{Access, Capability};
use sallyport_pack::route::{Parameters, Params, Repeat, RepeatKey, Route, RouteTemplate};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::error::Refusal;
use super::request::{Body, Delivery, Request};
use super::url::CheckedUrl;
use super::{headers, multipart};
use crate::grants::Live;
use crate::ids::{CapabilityId, OriginName, SlotName};
use crate::registry::{Provider, Registry};
use crate::tool::ShownWrite;

/// Longer text is shown shortened; the digest covers all of it.
const SHOWN: usize = 64 * 1024;
/// A body of unknown kind that is larger is not read for credential-like parameters.
const READ: usize = 1 << 20;

/// A request that a route of a live capability allows. Only [`super::Egress::authorise`] makes one.
#[derive(Clone, Debug)]
pub struct Authorised {
    live: Live,
    url: CheckedUrl,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    parts: Option<usize>,
    texts: Vec<String>,
    /// Which of the manifest's capabilities, and which of its routes.
    route: (usize, usize),
    params: Params,
    parameters: Parameters,
    capability: CapabilityId,
    access: Access,
    slot: Option<SlotName>,
    delivery: Delivery,
    most: Option<u64>,
}

pub(super) fn authorise(registry: &Registry, live: &Live, request: Request) -> Result<Authorised, Refusal> {
    let manifest = live.manifest();
    let url = CheckedUrl::parse(&request.url, manifest)?;
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| {
        Refusal::Malformed(format!("{:?} is no HTTP method", request.method.escape_default().to_string()))
    })?;

    // Whether any route could match is said before anything about the content: it is the cheaper thing to mend.
    let candidates = candidates(live, method.as_str(), &url)?;

    let mut headers = headers::check(&request.headers, &manifest.http)?;
    let said = headers.iter().find(|(name, _)| *name == CONTENT_TYPE);
    let media_type = said.map(|(_, value)| value.to_str().unwrap_or_default().to_owned());
    let mut parameters = Parameters::from_query(&url.url);
    let read = read_body(&request.body, media_type.as_deref(), &mut parameters)?;
    if let Some(media_type) = read.media_type {
        headers.push((CONTENT_TYPE, media_type));
    }
    if let Some(refusal) =
        credential_like(registry.provider(manifest.connector.provider.as_str()), live, &parameters, &request.body)
    {
        return Err(refusal);
    }

    // A write that matches is taken before a read: a request is never less than what any of its routes says it is.
    let admitted = candidates.iter().find(|(_, route, _)| route.admit(&parameters).is_ok());
    let Some((capability, route, params)) = admitted else {
        let why = candidates.first().and_then(|(_, route, _)| route.admit(&parameters).err());
        return Err(Refusal::Parameters(why.map_or_else(String::new, |why| why.to_string())));
    };
    let slot = slot(capability, route, live, &url.origin, request.slot.as_deref())?;
    let capability_at = manifest.capabilities.iter().position(|own| std::ptr::eq(own, *capability));
    let route_at = capability.routes.iter().position(|own| std::ptr::eq(own, *route));
    let route = capability_at.zip(route_at).expect("the candidates are the manifest's own");
    let texts = texts(&parameters, &read.texts);
    Ok(Authorised {
        live: live.clone(),
        method,
        headers,
        body: read.body,
        parts: read.parts,
        texts,
        route,
        params: params.clone(),
        capability: capability.id.clone(),
        access: capability.access,
        slot,
        delivery: request.delivery,
        most: request.most,
        parameters,
        url,
    })
}

type Candidate<'l> = (&'l Capability, &'l Route, Params);

/// Every route of a live capability whose template matches, writes first; or the refusal that says what is missing.
fn candidates<'l>(live: &'l Live, method: &str, url: &CheckedUrl) -> Result<Vec<Candidate<'l>>, Refusal> {
    let segments: Vec<&str> = url.segments.iter().map(String::as_str).collect();
    let matching = |capability: &'l Capability| {
        let by = |route: &'l Route| Some((capability, route, route.template.matches(method, &url.origin, &segments)?));
        capability.routes.iter().filter_map(by).collect::<Vec<_>>()
    };
    let mut found: Vec<Candidate<'l>> = live.capabilities().flat_map(matching).collect();
    if !found.is_empty() {
        found.sort_by_key(|(capability, ..)| capability.access == Access::Read);
        return Ok(found);
    }
    let method = method.escape_default();
    let request = format!("{method} {}", url.target());
    let other = live.manifest().capabilities.iter().find(|capability| !matching(capability).is_empty());
    Err(match other {
        None => {
            let template = format!("{method} {{{}}}{}", url.origin, url.url.path());
            Refusal::NoRoute { request, template }
        }
        Some(capability) if !live.is_granted(&capability.id) => {
            Refusal::NotGranted { request, capability: capability.id.to_string(), cure: live.cure(capability) }
        }
        Some(capability) => Refusal::NotLive {
            request,
            capability: capability.id.to_string(),
            standing: live.standing(),
            live: live.ids().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            cure: live.cure(capability),
        },
    })
}

struct ReadBody {
    body: Bytes,
    /// Set where the host encoded the body.
    media_type: Option<HeaderValue>,
    parts: Option<usize>,
    /// Text that is no parameter: file names, a body of another kind.
    texts: Vec<String>,
}

/// Reads the body's parameters, and encodes multipart.
fn read_body(body: &Body, media_type: Option<&str>, parameters: &mut Parameters) -> Result<ReadBody, Refusal> {
    let malformed = |error: &dyn std::fmt::Display| Refusal::Malformed(error.to_string());
    let plain = |body: &Bytes, texts| ReadBody { body: body.clone(), media_type: None, parts: None, texts };
    match body {
        Body::Empty => Ok(plain(&Bytes::new(), Vec::new())),
        Body::Bytes(bytes) if bytes.is_empty() => Ok(plain(bytes, Vec::new())),
        Body::Bytes(bytes) => {
            let kind = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if kind == "application/x-www-form-urlencoded" {
                parameters.add_form(bytes).map_err(|error| malformed(&error))?;
                return Ok(plain(bytes, Vec::new()));
            }
            if kind == "application/json" || kind.ends_with("+json") {
                let value: Value = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
                parameters.add_json(bytes).map_err(|error| malformed(&error))?;
                let mut texts = Vec::new();
                if !value.is_object() {
                    strings(&value, &mut texts);
                }
                return Ok(plain(bytes, texts));
            }
            parameters.set_opaque();
            // What is not text is told by its hash, which stands in nobody's arguments.
            let text = match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => format!("sha256:{}", hex::encode(Sha256::digest(bytes))),
            };
            Ok(plain(bytes, vec![text]))
        }
        Body::Multipart(parts) => {
            if media_type.is_some() {
                return Err(Refusal::Malformed("the host sets the content-type of multipart: leave it out".to_owned()));
            }
            let mut texts = Vec::new();
            for part in parts {
                parameters
                    .add_part(&part.name, part.media_type.as_deref(), &part.body)
                    .map_err(|error| malformed(&error))?;
                texts.extend(part.filename.clone());
                if std::str::from_utf8(&part.body).is_err() {
                    texts.push(format!("sha256:{}", hex::encode(Sha256::digest(&part.body))));
                }
            }
            let (body, media_type) = multipart::encode(parts)?;
            let media_type = HeaderValue::from_str(&media_type).map_err(|error| malformed(&error))?;
            Ok(ReadBody { body, media_type: Some(media_type), parts: Some(parts.len()), texts })
        }
    }
}

/// Parameters that carry credentials at whatever service, beside those that the registry and the manifest list: at a
/// provider that only an operator knows nobody may have listed any. (RFC 6750 names the first; the others are what client
/// libraries call theirs.)
const CREDENTIALS: [&str; 9] = [
    "access_token",
    "oauth_token",
    "auth_token",
    "bearer_token",
    "refresh_token",
    "client_secret",
    "api_key",
    "apikey",
    "authorization",
];

/// And where the registry lists none of a provider's: names that are as often credentials as anything else.
const UNLISTED: [&str; 2] = ["token", "key"];

/// A parameter by which the service takes credentials: the host alone attaches any, since an allowed host is also an
/// attacker's mailbox.
fn credential_like(provider: Option<&Provider>, live: &Live, parameters: &Parameters, body: &Body) -> Option<Refusal> {
    if !parameters.is_opaque() && parameters.iter().next().is_none() {
        return None;
    }
    let registered = provider.map(|provider| provider.credential_parameters.as_slice()).unwrap_or_default();
    let listed = registered.iter().chain(&live.manifest().http.refuse_parameters).map(String::as_str);
    // Servers differ in whether case counts, and whether `token[]` is `token` and `api-key` is `api_key`.
    let base = |name: &str| name.split('[').next().unwrap_or_default().trim().to_ascii_lowercase().replace('-', "_");
    let unlisted = UNLISTED.into_iter().filter(|_| registered.is_empty());
    let listed: Vec<String> = listed.chain(CREDENTIALS).chain(unlisted).map(base).collect();
    let refused = |name: &str| listed.contains(&base(name));
    let place = match body {
        Body::Multipart(_) => "multipart",
        _ => "body",
    };
    if let Some((name, _)) = parameters.query().find(|(name, _)| refused(name)) {
        return Some(Refusal::Credential { name: name.to_owned(), place: "query" });
    }
    for (name, value) in parameters.iter() {
        // A part, or a form field, may itself hold a JSON object.
        let inner = members(value).into_iter().find(|name| refused(name) && matches!(body, Body::Multipart(_)));
        if let Some(name) = Some(name.to_owned()).filter(|name| refused(name)).or(inner) {
            return Some(Refusal::Credential { name, place });
        }
    }
    // A body that says it is no form and no JSON may be taken for one all the same; so may a JSON array's objects.
    let Body::Bytes(bytes) = body else { return None };
    if !parameters.is_opaque() || bytes.len() > READ {
        return None;
    }
    let mut names: Vec<String> = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Array(items)) => items.iter().flat_map(members).collect(),
        Ok(value) => members(&value),
        Err(_) => Vec::new(),
    };
    names.extend(form_urlencoded::parse(bytes).map(|(name, _)| name.into_owned()));
    names.into_iter().find(|name| refused(name)).map(|name| Refusal::Credential { name, place: "body" })
}

fn members(value: &Value) -> Vec<String> {
    value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

/// The slot whose secret the request carries.
fn slot(
    capability: &Capability,
    route: &Route,
    live: &Live,
    origin: &OriginName,
    asked: Option<&str>,
) -> Result<Option<SlotName>, Refusal> {
    let chosen = match asked {
        None => capability.slots.first(),
        Some(asked) => {
            Some(capability.slots.iter().find(|slot| slot.as_str() == asked).ok_or_else(|| Refusal::Slot {
                slot: asked.escape_default().to_string(),
                capability: capability.id.to_string(),
                slots: capability.slots.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            })?)
        }
    };
    let carries = route.credentials && live.manifest().origins.get(origin).is_some_and(|origin| origin.credentials);
    Ok(chosen.filter(|_| carries).cloned())
}

/// Every string that a request carries as a value.
fn texts(parameters: &Parameters, beside: &[String]) -> Vec<String> {
    let mut all = beside.to_vec();
    for (_, value) in parameters.iter() {
        strings(value, &mut all);
    }
    all
}

fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|member| strings(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Authorised {
    fn rule(&self) -> &Route {
        let (capability, route) = self.route;
        // They were positions in this very manifest, which nobody can change.
        &self.live.manifest().capabilities[capability].routes[route]
    }

    /// The template of the route that allows it.
    #[must_use]
    pub fn route(&self) -> &str {
        self.rule().template.as_str()
    }

    /// The capability that the route belongs to.
    #[must_use]
    pub fn capability(&self) -> &CapabilityId {
        &self.capability
    }

    /// Whether it is an effect that is recorded before it is sent: everything that is not of a read capability.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.access != Access::Read
    }

    /// Whether it may be sent again when nobody knows if it took effect.
    #[must_use]
    pub fn repeat(&self) -> Repeat {
        let keyed = |key: &RepeatKey| match &key.parameter {
            // Without the key in it, this request is like any other.
            Some(path) => path.find(&self.rule().judged(&self.parameters)).iter().any(|value| !value.is_null()),
            None => key.header.is_some(),
        };
        match self.rule().repeat {
            Repeat::Key if !self.rule().repeat_key.as_ref().is_some_and(keyed) => Repeat::Never,
            repeat => repeat,
        }
    }

    /// What makes a repetition harmless.
    pub(super) fn repeat_key(&self) -> Option<&RepeatKey> {
        self.rule().repeat_key.as_ref().filter(|_| self.rule().repeat == Repeat::Key)
    }

    /// Every value that names a place, with what holds it (`idBoard`, `{id}`): in a later write of an invocation each must
    /// be known already.
    #[must_use]
    pub fn bind_values(&self) -> Vec<(String, String)> {
        self.rule().bound(&self.params, &self.parameters).into_iter().map(|bound| (bound.place, bound.value)).collect()
    }

    /// Every string that query and body carry as values, file names included; bytes that are no text are told by their
    /// hash.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// What query and body carry, by name.
    pub(crate) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The path's `{x}` segments, by name.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter()
    }

    /// `GET`, `POST`, …
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Origin and path as the connector says them, without query: what may stand in a log.
    #[must_use]
    pub fn target(&self) -> String {
        self.url.target()
    }

    /// How the answer is to be given.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// The most bytes of answer that whoever asks may be given.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        self.most
    }

    /// The whole request, the same bytes for the same request: a line of canonical JSON, then the body.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let headers: Vec<[&str; 2]> =
            self.headers.iter().map(|(name, value)| [name.as_str(), value.to_str().unwrap_or_default()]).collect();
        let head = json!({
            "version": 1,
            "method": self.method.as_str(),
            "url": self.url.url.as_str(),
            "headers": headers,
            "slot": self.slot.as_ref().map(SlotName::as_str),
            "body": self.body.len(),
        });
        let mut bytes = serde_json_canonicalizer::to_vec(&head).expect("strings and a length have a canonical form");
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The request as a person is shown it.
    #[must_use]
    pub fn shown(&self) -> ShownWrite {
        let size = self.body.len();
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) if size <= SHOWN => text.to_owned(),
            _ => {
                let parts = self.parts.map_or_else(String::new, |parts| format!(" in {parts} parts"));
                format!("{size} bytes{parts}, SHA-256 {}", hex::encode(Sha256::digest(&self.body)))
            }
        };
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        ShownWrite {
            method: self.method.to_string(),
            url: self.url.url.to_string(),
            headers: self.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body,
            digest: hex::encode(self.fingerprint()),
        }
    }

    /// SHA-256 of [`Self::canonical`].
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.canonical()).into()
    }

    pub(super) fn live(&self) -> &Live {
        &self.live
    }

    pub(super) fn url(&self) -> &::url::Url {
        &self.url.url
    }

    pub(super) fn origin(&self) -> &OriginName {
        &self.url.origin
    }

    pub(super) fn slot(&self) -> Option<&SlotName> {
        self.slot.as_ref()
    }

    /// Goes out without a secret, whatever its route says: a redirect has taken it elsewhere.
    pub(super) fn without_credentials(mut self) -> Self {
        self.slot = None;
        self
    }

    /// Carries what the request that was redirected here carried, where this route's capability has that slot.
    pub(super) fn with_slot_of(mut self, from: &Self) -> Self {
        let own = self.live.capabilities().find(|capability| capability.id == self.capability);
        let has = own.is_some_and(|capability| from.slot.as_ref().is_some_and(|slot| capability.slots.contains(slot)));
        self.slot = if has && self.slot.is_some() { from.slot.clone() } else { None };
        self
    }

    pub(super) fn http_method(&self) -> &Method {
        &self.method
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The first of these templates that matches the request.
    pub(super) fn matching<'t>(&self, templates: &'t [RouteTemplate]) -> Option<&'t str> {
        let segments: Vec<&str> = self.url.segments.iter().map(String::as_str).collect();
        let matches =
            |template: &&RouteTemplate| template.matches(self.method.as_str(), &self.url.origin, &segments).is_some();
        templates.iter().find(matches).map(RouteTemplate::as_str)
    }
}
