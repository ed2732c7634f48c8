//! Tools as an agent, or any other front, sees them.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::Caller;
use crate::connection::Setting;
use crate::decider::Decider;
use crate::error::InvokeError;
use crate::ids::{ConnectionId, ConnectorId, InvocationId, SubjectId, TenantId, Timestamp, ToolName};
use crate::ports::{State, WriteSummary};

/// What a tool does to the world, as its manifest declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolEffect {
    /// Nothing.
    Read,
    /// Adds or changes something that can be changed back.
    Write,
    /// Cannot be taken back.
    Destructive,
}

/// Where a tool's writes land: whose audience that is decides who will see what it carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum ToolDestination {
    /// The container named by this argument (a JSON pointer).
    Container(String),
    /// The document named by this argument.
    Document(String),
    /// The person or group named by this argument.
    Principal(String),
    /// Something that the tool creates, read by those named here (`owner`, `workspace`, …).
    New(String),
    /// Not declared: policy asks.
    Undeclared,
}

/// A tool that this caller may propose to call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfferedTool {
    /// Through which connection.
    pub connection: ConnectionId,
    /// Its name for people.
    pub connection_name: String,
    /// The connector.
    pub connector: ConnectorId,
    /// The tool's name within the connector.
    pub tool: ToolName,
    /// Title for people.
    pub title: String,
    /// What it does, for the model. A stranger wrote it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub input: Arc<Value>,
    /// JSON Schema of its result.
    pub output: Option<Arc<Value>>,
    /// Declared effect.
    pub effect: ToolEffect,
    /// The strictest setting of the tool's capabilities in the grant.
    pub setting: Setting,
    /// Where its writes land.
    pub destination: ToolDestination,
    /// Arguments (JSON pointers) whose values must come from the user's own words.
    pub control: Vec<String>,
}

/// What policy said about a call before it is made. Stricter wins over the grant's setting, never laxer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "reasons")]
pub enum Verdict {
    /// Writes may go out unasked, where the grant's setting is `auto`.
    Allow,
    /// A person decides; reasons that they can read.
    Ask(Vec<String>),
    /// Not at all.
    Deny(Vec<String>),
}

/// A call to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Through which connection.
    pub connection: ConnectionId,
    /// Which tool.
    pub tool: ToolName,
    /// Its arguments; checked against the tool's schema.
    pub arguments: Value,
    /// What policy said.
    pub verdict: Verdict,
    /// What a person is shown beside it: the request in the user's words, sources, citations. A JSON object.
    pub context: Option<Value>,
}

/// A write as a person is shown it: exactly what will be sent, without the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownWrite {
    /// `POST`, …
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Headers that the connector set.
    pub headers: Vec<(String, String)>,
    /// The body as text where it is text, else its size and hash in words.
    pub body: String,
    /// SHA-256 over method, URL, headers and body bytes: what the approval is about.
    pub digest: String,
}

/// What later writes of the same invocation are bounded by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The tool's write routes.
    pub routes: Vec<String>,
    /// Writes in all, the first included.
    pub max_writes: u32,
    /// Where they land.
    pub destination: ToolDestination,
}

/// An invocation as it waits for, or has had, a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The invocation.
    pub invocation: InvocationId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Who asked for it.
    pub by: SubjectId,
    /// Where it stands.
    pub state: State,
    /// Through which connection, by id and name.
    pub connection: ConnectionId,
    /// The connection's name for people.
    pub connection_name: String,
    /// The account at the provider, by name.
    pub account: String,
    /// The connector.
    pub connector: ConnectorId,
    /// The tool.
    pub tool: ToolName,
    /// The arguments, canonical.
    pub arguments: Value,
    /// The first write, exactly.
    pub first_write: ShownWrite,
    /// What later writes are bounded by.
    pub envelope: Envelope,
    /// Why a person is asked.
    pub reasons: Vec<String>,
    /// The proposer's own context (request, sources).
    pub context: Option<Value>,
    /// When it was proposed.
    pub at: Timestamp,
    /// When the question expires.
    pub expires: Timestamp,
    /// Who decides about it.
    pub decider: Decider,
}

/// A finished call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The invocation.
    pub invocation: InvocationId,
    /// Its result, checked against the tool's output schema. Untrusted, and readable by this caller only.
    pub output: Value,
    /// Ids of documents that it came from, for citation.
    pub documents: Vec<String>,
    /// Its writes, in order.
    pub writes: Vec<WriteSummary>,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// It ran to its end.
    Done(Done),
    /// It reached a write that needs approval. Nothing was sent.
    Held(Box<Proposal>),
}

/// The tools side of the runtime, as agents use it.
#[async_trait]
pub trait Tools: Send + Sync {
    /// Every tool that the caller may propose: of the workspace's connections and their own, as granted.
    async fn offered(&self, caller: &Caller) -> Result<Vec<OfferedTool>, InvokeError>;
    /// Runs a tool up to its end or its first write that needs approval.
    async fn call(&self, caller: &Caller, call: ToolCall) -> Result<Outcome, InvokeError>;
}
