//! The manifest: everything that a connector asks for, readable without running it.
//!
//! `connector.toml` is its written form; sealed in a connector file it is the same as JSON. Both are read by the same
//! code and pass the same checks, so that a sealed manifest is trusted no more than a written one.

mod auth;
mod capability;
mod check;
mod load;
mod problem;
mod service;
mod template;
mod values;
mod webhook;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::ids::{
    AuthId, CapabilityId, ClientField, ConnectorId, OriginName, ProviderId, SettingKey, SlotName, ToolName,
};
pub use auth::{
    Auth, AuthMethod, ClientAuth, Credential, FailedAnswer, Inject, OAuthCode, Owner, Pkce, Reply, Revoke, TokenRequest,
};
pub use capability::{Access, Audience, Capability, Destination, DestinationKind, Effect, Tool};
pub use problem::{ManifestErrors, Problem};
pub use service::{Answer, AnswerCode, AnswerWhen, Condition, Per, RateLimit, SyncAccess, SyncPlan};
pub use template::Template;
pub(crate) use values::as_string;
pub use values::{
    EndpointUrl, HeaderName, OriginUrl, Pointer, Pointers, Rate, Scalar, Span, ValueError, is_forbidden_header,
};
pub use webhook::{
    Confirm, Connections, Dedupe, Fresh, Handshake, Place, Secret, Signature, SignatureAlgorithm, SubscriptionMatch,
    Verify, Webhook,
};

/// The manifest form that this crate reads and writes.
pub const SCHEMA: u32 = 1;

/// A connector's manifest, checked: every name that it uses is one that it declares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    /// The manifest's form: [`SCHEMA`].
    pub schema: u32,
    /// Which connector this is.
    pub connector: Connector,
    /// Where requests may go.
    pub origins: BTreeMap<OriginName, Origin>,
    /// What requests may carry beside their route.
    pub http: HttpRules,
    /// What whoever runs the host registers once at the provider.
    pub client: Client,
    /// Choices made when connecting, shown to the guest.
    #[serde(rename = "setting", skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
    /// The ways in which a connection can be authorised.
    #[serde(rename = "auth", skip_serializing_if = "Vec::is_empty")]
    pub auth: Vec<Auth>,
    /// The permissions that it declares.
    #[serde(rename = "capability")]
    pub capabilities: Vec<Capability>,
    /// What an agent can call.
    #[serde(rename = "tool", skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// How it is synced, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncPlan>,
    /// The service's limits.
    #[serde(rename = "rate_limit", skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// What the service's answers mean where the HTTP status alone does not say.
    #[serde(rename = "answer", skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// How the service announces changes, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// `[connector]`: which connector this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Its id, unique for its publisher.
    pub id: ConnectorId,
    /// The entry of the *host's* provider registry that bounds where secrets may go.
    pub provider: ProviderId,
    /// The name that people see.
    pub name: String,
    /// Its version.
    pub version: semver::Version,
}

/// A value of `[origins]`: a place to which requests may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `https://host[:port]`. An operator may re-point it.
    pub url: OriginUrl,
    /// Whether credentials may be attached to requests that go there.
    pub credentials: bool,
}

/// `[http]`: what requests may carry beside their route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRules {
    /// Headers that the host sets on every origin with credentials and on the token endpoint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed: BTreeMap<HeaderName, String>,
    /// Headers that a guest may set, beyond `accept` and `content-type`.
    #[serde(default)]
    pub headers: Vec<HeaderName>,
    /// Parameters by which this service takes credentials: refused in query, form, multipart and the top level of JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuse_parameters: Vec<String>,
}

/// `[client]`: what whoever runs the host registers once at the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The fields of that registration, as `client_id`.
    #[serde(default)]
    pub fields: Vec<ClientField>,
}

/// A `[[setting]]`: a choice made when connecting, shown to the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name.
    pub key: SettingKey,
    /// What can be chosen.
    pub choices: Vec<String>,
    /// What is chosen if nobody says otherwise.
    pub default: String,
}

impl Manifest {
    /// Reads and checks a `connector.toml`.
    ///
    /// # Errors
    /// [`ManifestErrors`]: everything that is wrong with it, not only the first thing.
    pub fn from_toml(text: &str) -> Result<Self, ManifestErrors> {
        load::from_toml(text)
    }

    /// Reads and checks the JSON form, as it is sealed in a connector file.
    ///
    /// # Errors
    /// As [`Manifest::from_toml`].
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ManifestErrors> {
        load::from_json(value)
    }

    /// The JSON form, which [`Manifest::from_json`] reads.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a manifest has string keys and no value that JSON lacks")
    }

    /// What is allowed and yet deserves a second look, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        check::warnings(self)
    }

    /// A capability by its id.
    #[must_use]
    pub fn capability(&self, id: &str) -> Option<&Capability> {
        self.capabilities.iter().find(|capability| capability.id == *id)
    }

    /// A tool by its name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == *name)
    }

    /// The name of the origin in which a URL lies.
    #[must_use]
    pub fn origin_of(&self, url: &url::Url) -> Option<(&OriginName, &Origin)> {
        self.origins.iter().find(|(_, origin)| origin.url.contains(url))
    }
}
