//! `[webhook]`: how the host knows that a delivery is genuine, new, and for whom.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{CapabilityId, ClientField, HeaderName, Pointer, Scalar, Span, Template, ValueError, as_string};

/// What the host does with a delivery before a guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The subscribe capabilities that are live while subscriptions are kept alive. Empty: they are made at the
    /// provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<CapabilityId>,
    /// A header that brings back the token which the host chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// A signature over the delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// How old a delivery may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Fresh>,
    /// What the host answers by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handshake: Vec<Handshake>,
    /// Which connections a delivery is for.
    pub connections: Connections,
    /// What is the same in two deliveries of one event.
    pub dedupe: Dedupe,
}

/// A header that must hold the token of the delivery's subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The header.
    pub header: HeaderName,
    /// What it must equal, compared in constant time.
    pub equals: Secret,
}

/// A signature over a delivery, compared in constant time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// How it is computed.
    pub algorithm: SignatureAlgorithm,
    /// The key.
    pub key: Secret,
    /// What is signed: `{body}`, `{callback_url}` and `{header.x}` stand for parts of the delivery.
    pub message: Template,
    /// The header that brings it.
    pub header: HeaderName,
    /// How it is written there: `{hex}` or `{base64}`, and what stands around it.
    pub format: Template,
}

/// How a signature is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// HMAC with SHA-256.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// HMAC with SHA-1, which Trello still uses.
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
}

/// A secret that the host holds, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Secret {
    /// `client.x`: a field of the client.
    Client(ClientField),
    /// `captured.x`: what a handshake brought.
    Captured(String),
    /// `subscription.token`: what the host chose for this subscription.
    SubscriptionToken,
}

impl FromStr for Secret {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('.') {
            Some(("subscription", "token")) => Ok(Self::SubscriptionToken),
            Some(("client", field)) => {
                ClientField::new(field).map(Self::Client).map_err(|error| ValueError(error.to_string()))
            }
            Some(("captured", name)) if !name.is_empty() => Ok(Self::Captured(name.to_owned())),
            _ => Err(ValueError(format!(
                "{text:?} is no secret: write client.FIELD, captured.NAME or subscription.token"
            ))),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(field) => write!(f, "client.{field}"),
            Self::Captured(name) => write!(f, "captured.{name}"),
            Self::SubscriptionToken => f.write_str("subscription.token"),
        }
    }
}

as_string!(Secret);

/// How old a delivery may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fresh {
    /// The header that holds its time, in Unix seconds.
    pub header: HeaderName,
    /// How far that may lie from now, on either side.
    pub within: Span,
}

/// Something that the host answers by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "HandshakeForm", into = "HandshakeForm")]
pub enum Handshake {
    /// A delivery whose body says so is answered with a part of it.
    Reply {
        /// What is looked at.
        pointer: Pointer,
        /// The value that makes it a handshake.
        equals: Scalar,
        /// What is sent back.
        reply: Pointer,
    },
    /// A delivery that brings a secret, which the host keeps and no guest sees.
    Capture {
        /// Where the secret stands.
        pointer: Pointer,
        /// The name under which it is kept: `captured.NAME`.
        capture: String,
        /// Who says that it is genuine.
        confirm: Confirm,
    },
    /// A request by this method is answered with this status.
    Method {
        /// The method.
        method: String,
        /// The status.
        status: u16,
    },
}

/// Who says that a captured secret is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// Whoever runs the host, at the provider's own page.
    Operator,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HandshakeForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<Pointer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equals: Option<Scalar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Pointer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<Confirm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl TryFrom<HandshakeForm> for Handshake {
    type Error = ValueError;

    fn try_from(form: HandshakeForm) -> Result<Self, ValueError> {
        match form {
            HandshakeForm { pointer: Some(pointer), equals: Some(equals), reply: Some(reply), capture: None, confirm: None, method: None, status: None } => {
                Ok(Self::Reply { pointer, equals, reply })
            }
            HandshakeForm { pointer: Some(pointer), capture: Some(capture), confirm: Some(confirm), equals: None, reply: None, method: None, status: None } => {
                Ok(Self::Capture { pointer, capture, confirm })
            }
            HandshakeForm { method: Some(method), status: Some(status @ 200..=299), pointer: None, equals: None, reply: None, capture: None, confirm: None } => {
                Ok(Self::Method { method, status })
            }
            _ => Err(ValueError(
                "a handshake has one of three forms: pointer, equals, reply; pointer, capture, confirm; method, status (200 to 299)".into(),
            )),
        }
    }
}

impl From<Handshake> for HandshakeForm {
    fn from(handshake: Handshake) -> Self {
        match handshake {
            Handshake::Reply { pointer, equals, reply } => {
                Self { pointer: Some(pointer), equals: Some(equals), reply: Some(reply), ..Self::default() }
            }
            Handshake::Capture { pointer, capture, confirm } => {
                Self { pointer: Some(pointer), capture: Some(capture), confirm: Some(confirm), ..Self::default() }
            }
            Handshake::Method { method, status } => {
                Self { method: Some(method), status: Some(status), ..Self::default() }
            }
        }
    }
}

/// A value in a delivery: `{ header = "x-id" }`, or `{ pointer = "/id" }` into its JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A header.
    Header(HeaderName),
    /// A member of the body.
    Pointer(Pointer),
}

/// Which connections a delivery is for: those whose workspace, account or subscription is this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConnectionsForm", into = "ConnectionsForm")]
pub struct Connections {
    /// Where the value stands.
    pub place: Place,
    /// What it is compared with.
    pub matches: SubscriptionMatch,
}

/// What names a connection in a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscriptionMatch {
    /// The workspace at the provider.
    Workspace,
    /// The account at the provider.
    Account,
    /// A subscription's id or target.
    Subscription,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionsForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<HeaderName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pointer: Option<Pointer>,
    r#match: SubscriptionMatch,
}

fn place(header: Option<HeaderName>, pointer: Option<Pointer>) -> Result<Place, ValueError> {
    match (header, pointer) {
        (Some(header), None) => Ok(Place::Header(header)),
        (None, Some(pointer)) => Ok(Place::Pointer(pointer)),
        _ => Err(ValueError("write where the value stands: header or pointer, one of them".into())),
    }
}

impl TryFrom<ConnectionsForm> for Connections {
    type Error = ValueError;

    fn try_from(form: ConnectionsForm) -> Result<Self, ValueError> {
        Ok(Self { place: place(form.header, form.pointer)?, matches: form.r#match })
    }
}

impl From<Connections> for ConnectionsForm {
    fn from(connections: Connections) -> Self {
        let (header, pointer) = split(connections.place);
        Self { header, pointer, r#match: connections.matches }
    }
}

fn split(place: Place) -> (Option<HeaderName>, Option<Pointer>) {
    match place {
        Place::Header(header) => (Some(header), None),
        Place::Pointer(pointer) => (None, Some(pointer)),
    }
}

/// What is the same in two deliveries of one event: a pointer, or `{ header = "x-id" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe(pub Place);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DedupeForm {
    header: HeaderName,
}

impl Serialize for Dedupe {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Place::Pointer(pointer) => pointer.serialize(serializer),
            Place::Header(header) => DedupeForm { header: header.clone() }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Dedupe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Dedupe;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer, or a table with header")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Dedupe, E> {
                text.parse().map(|pointer| Dedupe(Place::Pointer(pointer))).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Dedupe, A::Error> {
                let form = DedupeForm::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Dedupe(Place::Header(form.header)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
