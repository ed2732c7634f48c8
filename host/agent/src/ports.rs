//! What the agent asks of the rest of the host: search, whole documents, a memory of conversations.
//!
//! Every call says for whom. An implementation gives what that caller may read at that moment and nothing else; what
//! they may not read looks like what does not exist.

use async_trait::async_trait;
use sallyport::document::Content;
use sallyport::ids::{ConnectionId, InvocationId, Timestamp};
use sallyport::tool::OfferedTool;
use sallyport::{Blame, Caller, Fault};
use sallyport_index::{DocumentInfo, DocumentKey, Label, Readers};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Search over the documents that a caller may read. The server adapts the index to it.
#[async_trait]
pub trait Retriever: Send + Sync {
    /// Up to `limit` passages, best first. An empty list is an answer.
    async fn search(&self, caller: &Caller, query: &str, limit: usize) -> Result<Vec<Hit>, PortError>;
}

/// A passage that answers a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The document that it stands in.
    pub document: DocumentInfo,
    /// Headings above it, outermost first; not the document's title.
    pub heading: Vec<String>,
    /// Its text, as it stands in the document.
    pub text: String,
    /// How well it answers; comparable within one search only.
    pub score: f32,
    /// Who may read it, and whether its source is trusted.
    pub label: Label,
}

/// Documents and places by name or id. The store implements it.
#[async_trait]
pub trait Documents: Send + Sync {
    /// One document, whole. `None` if there is none or this caller may not read it.
    async fn read(&self, caller: &Caller, document: DocumentKey) -> Result<Option<WholeDocument>, PortError>;

    /// Documents and containers whose title or name is `name`, up to case and surrounding space, at most `limit`.
    async fn named(&self, caller: &Caller, name: &str, limit: usize) -> Result<Vec<Place>, PortError>;

    /// The document or container that has this id at the service behind `connection`.
    async fn with_id(&self, caller: &Caller, connection: &ConnectionId, id: &str) -> Result<Option<Place>, PortError>;

    /// Who will be able to read what `tool` writes when called with `arguments`. An implementation that does not know
    /// keeps this answer, and policy asks a person.
    async fn audience(&self, caller: &Caller, tool: &OfferedTool, arguments: &Value) -> Result<Audience, PortError> {
        let _ = (caller, tool, arguments);
        Ok(Audience::Unknown)
    }
}

/// A document with all of its text.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeDocument {
    /// As it is cited.
    pub info: DocumentInfo,
    /// Its text.
    pub content: Content,
    /// Who may read it, and whether its source is trusted.
    pub label: Label,
}

/// A thing at a service that has a name for people and an id for its API: a board, a list, a channel, a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its id at the service.
    pub id: String,
    /// "board", "list", "card", "folder", as its connector says.
    pub kind: String,
    /// Its name or title.
    pub name: String,
    /// Names of what holds it, outermost first.
    pub path: Vec<String>,
    /// Live connections that attest it.
    pub connections: Vec<ConnectionId>,
    /// Where a person can open it.
    pub url: Option<String>,
}

/// Who will see what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// These people, surely.
    Known {
        /// The destination's name for people (`#general`).
        name: String,
        /// Who reads there.
        readers: Readers,
    },
    /// Nobody can tell.
    Unknown,
}

/// The memory of conversations. The store implements it.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Keeps a turn, with its caller. A conversation begins with its first turn and belongs to that turn's caller.
    async fn record(&self, caller: &Caller, turn: &Turn) -> Result<(), PortError>;

    /// The caller's own turns of a conversation, oldest first, at most the last `limit`. Of another's conversation, or
    /// of one that does not exist, there are none.
    async fn turns(&self, caller: &Caller, conversation: &str, limit: usize) -> Result<Vec<Turn>, PortError>;
}

/// One request with what came of it, as it is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The conversation's id, any text of at most 64 bytes.
    pub conversation: String,
    /// When the request came.
    pub at: Timestamp,
    /// The user's own words. Empty where the turn only carried on after a decision.
    pub request: String,
    /// What was in front of the model, in the order of the citation numbers.
    pub cited: Vec<Citation>,
    /// The invocation that waits for, or had, a decision.
    pub proposed: Option<InvocationId>,
    /// What came of it.
    pub outcome: TurnOutcome,
    /// `embedded`, or the model's id.
    pub planner: String,
}

/// What came of a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum TurnOutcome {
    /// It ended with an answer.
    Answered {
        /// The answer, in Markdown whose links are inert.
        text: String,
    },
    /// It ended with a proposal that a person decides; nothing was written.
    Held {
        /// What was said beside it.
        text: String,
        /// The invocation that waits.
        invocation: InvocationId,
    },
    /// It ended with an error.
    Failed {
        /// The error's code.
        code: String,
        /// The error in words.
        message: String,
    },
}

/// A document as a turn cites it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// The number that the answer uses: `[1]`.
    pub number: u32,
    /// Its title.
    pub title: String,
    /// Where a person can open it.
    pub url: Option<String>,
    /// The document's id at its source.
    pub document: String,
    /// The source that the id is unique in.
    pub source: String,
    /// Whether an admin trusts where it comes from.
    pub trusted: bool,
}

/// A port could not answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PortError {
    /// What happened, in words.
    pub message: String,
    /// A stable kebab-case code.
    pub code: &'static str,
    /// Who is at fault.
    pub blame: Blame,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

impl PortError {
    /// An error of this host that time does not heal.
    pub fn host(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: "internal", blame: Blame::Host, retryable: false }
    }
}

impl Fault for PortError {
    fn blame(&self) -> Blame {
        self.blame
    }

    fn retryable(&self) -> bool {
        self.retryable
    }

    fn code(&self) -> &'static str {
        self.code
    }
}

impl From<sallyport::ports::StoreError> for PortError {
    fn from(error: sallyport::ports::StoreError) -> Self {
        Self { message: error.to_string(), code: error.code(), blame: error.blame(), retryable: error.retryable() }
    }
}

impl From<sallyport_index::IndexError> for PortError {
    fn from(error: sallyport_index::IndexError) -> Self {
        let blame = match error.blame() {
            sallyport_index::Blame::Host => Blame::Host,
            sallyport_index::Blame::Upstream => Blame::Upstream,
            sallyport_index::Blame::Caller => Blame::Caller,
        };
        Self { message: error.to_string(), code: "search-failed", blame, retryable: error.retry_helps() }
    }
}
