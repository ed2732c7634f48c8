//! `[[capability]]` and `[[tool]]`: what is asked for, and what an agent can do with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CapabilityId, Pointer, SlotName, ToolName, ValueError};
use crate::route::Route;

/// A named permission that a connector declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// Its id.
    pub id: CapabilityId,
    /// What it is for.
    pub access: Access,
    /// What a person consents to, in a sentence of theirs.
    pub summary: String,
    /// The slots whose secrets its requests may carry; the first is taken if a request names none.
    #[serde(default)]
    pub slots: Vec<SlotName>,
    /// The scopes at the provider that it needs, by slot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<SlotName, Vec<String>>,
    /// The requests that it allows.
    pub routes: Vec<Route>,
}

/// What a capability is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Reading: nothing changes at the service.
    Read,
    /// Writing: every request is an effect that is journaled before it is sent.
    Write,
    /// Keeping webhook subscriptions alive, by the host's scheduler only.
    Subscribe,
}

/// An operation that an agent can call. Title, description and schemas come from the component's `describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: ToolName,
    /// The capabilities that are live during a call, and no others.
    pub capabilities: Vec<CapabilityId>,
    /// What it does at the service.
    pub effect: Effect,
    /// How many writes one call may make; 0 for a tool that reads.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_writes: u32,
    /// Where what it writes can be seen. Absent: unknown, so a person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// Arguments whose values must come from the person's own words, or a person is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control: Vec<Pointer>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a tool does at the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing changes.
    Read,
    /// Something is added or changed.
    Write,
    /// Something is changed that cannot be taken back.
    Destructive,
}

/// Where what a tool writes can be seen: whose access is its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "DestinationForm", into = "DestinationForm")]
pub enum Destination {
    /// What an argument names.
    Argument {
        /// The argument.
        argument: Pointer,
        /// What it names.
        kind: DestinationKind,
    },
    /// Something that the call creates.
    New {
        /// Who can see it.
        audience: Audience,
    },
}

/// What an argument that says where to write names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DestinationKind {
    /// A container: its readers.
    Container,
    /// A document: its readers.
    Document,
    /// A principal: that one.
    Principal,
}

/// Who can see what a call creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// The connection's owner.
    Owner,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argument: Option<Pointer>,
    is: DestinationIs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<Audience>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DestinationIs {
    Container,
    Document,
    Principal,
    New,
}

impl TryFrom<DestinationForm> for Destination {
    type Error = ValueError;

    fn try_from(form: DestinationForm) -> Result<Self, ValueError> {
        let kind = match (form.is, form.argument, form.audience) {
            (DestinationIs::New, None, Some(audience)) => return Ok(Self::New { audience }),
            (DestinationIs::New, ..) => {
                return Err(ValueError(
                    "a new destination has an audience and no argument: write { is = \"new\", audience = \"owner\" }"
                        .into(),
                ));
            }
            (DestinationIs::Container, Some(argument), None) => (DestinationKind::Container, argument),
            (DestinationIs::Document, Some(argument), None) => (DestinationKind::Document, argument),
            (DestinationIs::Principal, Some(argument), None) => (DestinationKind::Principal, argument),
            _ => {
                return Err(ValueError(
                    "the argument names the destination: write { argument = \"/list_id\", is = \"container\" }".into(),
                ));
            }
        };
        Ok(Self::Argument { kind: kind.0, argument: kind.1 })
    }
}

impl From<Destination> for DestinationForm {
    fn from(destination: Destination) -> Self {
        match destination {
            Destination::New { audience } => Self { argument: None, is: DestinationIs::New, audience: Some(audience) },
            Destination::Argument { argument, kind } => {
                let is = match kind {
                    DestinationKind::Container => DestinationIs::Container,
                    DestinationKind::Document => DestinationIs::Document,
                    DestinationKind::Principal => DestinationIs::Principal,
                };
                Self { argument: Some(argument), is, audience: None }
            }
        }
    }
}
