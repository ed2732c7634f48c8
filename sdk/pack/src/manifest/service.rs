//! `[sync]`, `[[rate_limit]]` and `[[answer]]`: how the service wants to be asked, and what it says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CapabilityId, OriginName, Pointer, Rate, Scalar, SettingKey, Span, ValueError};
use crate::route::RouteTemplate;

/// How a connection is synced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncPlan {
    /// The read capabilities that are live during a sync, and no others.
    pub capabilities: Vec<CapabilityId>,
    /// The time between two pulls of a stream.
    pub interval: Span,
    /// The time between two sweeps, which list everything.
    pub sweep: Span,
    /// Where it is known who may read a document.
    #[serde(default, skip_serializing_if = "SyncAccess::is_provider")]
    pub access: SyncAccess,
}

/// Where it is known who may read a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncAccess {
    /// The provider says it for each document.
    #[default]
    Provider,
    /// The provider cannot say: the consent asks who may read, for the whole connection.
    ConnectionAudience,
}

impl SyncAccess {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_provider(&self) -> bool {
        *self == Self::Provider
    }
}

/// A limit of the service, kept by the host for all its processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// What has a bucket of its own.
    pub per: Vec<Per>,
    /// The requests that count; `*` is every method.
    pub routes: Vec<RouteTemplate>,
    /// How many in how long.
    pub limit: Rate,
    /// The settings under which it holds. Absent: always.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<SettingKey, Vec<String>>,
}

/// What a bucket belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// The client registered at the provider.
    Client,
    /// The workspace at the provider.
    Workspace,
    /// The connection.
    Connection,
    /// The route.
    Route,
}

/// What a reply means. Every code that is listed says "no effect took place".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The origins that answer so.
    pub origins: Vec<OriginName>,
    /// Which replies are meant.
    pub when: AnswerWhen,
    /// The token has ended: refresh it once and ask again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refresh: Vec<String>,
    /// The authorisation is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reauth: Vec<String>,
    /// Too many requests: wait and ask again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limited: Vec<String>,
    /// The account lacks a right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<String>,
    /// Absent or unseeable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_found: Vec<String>,
}

/// Which replies an [`Answer`] speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WhenForm", into = "WhenForm")]
pub struct AnswerWhen {
    /// The statuses; empty for every status.
    pub status: Vec<u16>,
    /// What the JSON body must say.
    pub condition: Option<Condition>,
    /// Where the code stands.
    pub code: AnswerCode,
}

/// A value that a body must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where.
    pub pointer: Pointer,
    /// What.
    pub equals: Scalar,
}

/// Where an answer's code stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerCode {
    /// In the JSON body, there.
    Pointer(Pointer),
    /// The body itself is the code, as text, without white space around it.
    Text,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    status: Vec<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pointer: Option<Pointer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Scalar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Pointer>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    text: bool,
}

impl TryFrom<WhenForm> for AnswerWhen {
    type Error = ValueError;

    fn try_from(form: WhenForm) -> Result<Self, ValueError> {
        if let Some(status) = form.status.iter().find(|status| !(100..=599).contains(*status)) {
            return Err(ValueError(format!("{status} is no HTTP status: write 100 to 599")));
        }
        let condition = match (form.pointer, form.equals) {
            (None, None) => None,
            (Some(pointer), Some(equals)) => Some(Condition { pointer, equals }),
            _ => return Err(ValueError("pointer and equals go together: write both or neither".into())),
        };
        let code = match (form.code, form.text) {
            (Some(pointer), false) => AnswerCode::Pointer(pointer),
            (None, true) => AnswerCode::Text,
            _ => return Err(ValueError("write where the code stands: code = \"/error\", or text = true".into())),
        };
        if form.status.is_empty() && condition.is_none() {
            return Err(ValueError("write which replies are meant: status = [...], or pointer and equals".into()));
        }
        Ok(Self { status: form.status, condition, code })
    }
}

impl From<AnswerWhen> for WhenForm {
    fn from(when: AnswerWhen) -> Self {
        let (pointer, equals) = when.condition.map(|condition| (condition.pointer, condition.equals)).unzip();
        let (code, text) = match when.code {
            AnswerCode::Pointer(pointer) => (Some(pointer), false),
            AnswerCode::Text => (None, true),
        };
        Self { status: when.status, pointer, equals, code, text }
    }
}
