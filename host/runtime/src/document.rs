//! What a source gives: the WIT package's `documents`, as the host's own types.
//!
//! A store keeps these as they are. Content has been brought to text by the time that a [`Change`] reaches the sink.

use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;

/// Who may read, in the source's own words. Ids of users and groups mean something in their source only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum Principal {
    /// The provider's user id, tied to people by [`Person`] changes and by connections.
    User(String),
    /// An address, compared lower-case.
    Email(String),
    /// The provider's group id; see [`Membership`].
    Group(String),
    /// Everyone with a verified address there, lower-case.
    Domain(String),
    /// Whom the operator gave the connection to.
    ConnectionAudience,
    /// Findable by everybody in the tenant.
    Anyone,
}

/// What a reader may do. Only `Read` and above matter to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Read.
    Read,
    /// Read and comment.
    Comment,
    /// Read and write.
    Write,
}

/// One line of an access list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Who.
    pub who: Principal,
    /// How much.
    pub level: Level,
}

/// Readers = entries ∪ readers of every container inherited from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "access")]
pub enum Access {
    /// Known to the source.
    Known {
        /// Those named here.
        entries: Vec<AccessEntry>,
        /// Containers whose readers read this too.
        inherit: Vec<String>,
    },
    /// Unknown is invisible.
    Unknown,
}

/// Text of a document and how it is marked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "form", content = "text")]
pub enum Content {
    /// Nothing to search but the title.
    None,
    /// Plain text.
    Text(String),
    /// Markdown.
    Markdown(String),
    /// HTML; turned into text by the index.
    Html(String),
}

/// A document, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Unique in the source, whichever connection saw it.
    pub id: String,
    /// An etag or hash of all but access.
    pub revision: Option<String>,
    /// "page", "file", "message", "card".
    pub kind: String,
    /// Title for people.
    pub title: String,
    /// Its text.
    pub content: Content,
    /// Known to be less than the whole.
    pub truncated: bool,
    /// Where a person opens it.
    pub url: Option<String>,
    /// Made.
    pub created: Option<Timestamp>,
    /// Last changed.
    pub updated: Option<Timestamp>,
    /// Provider user ids.
    pub authors: Vec<String>,
    /// The container that holds it.
    pub container: Option<String>,
    /// Who may read it, as this connection attests.
    pub access: Access,
    /// A JSON object of the connector's own.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// What holds documents: folder, board, list, channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Unique in the source.
    pub id: String,
    /// "folder", "board", "list", "drive".
    pub kind: String,
    /// Name for people.
    pub name: String,
    /// The container that holds it.
    pub parent: Option<String>,
    /// Who may read it, as this connection attests.
    pub access: Access,
}

/// A change of a group's members. Groups nest; `reset` empties first; seen whole at the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The group.
    pub group: String,
    /// Empty it first.
    pub reset: bool,
    /// Who comes.
    pub add: Vec<Principal>,
    /// Who goes.
    pub remove: Vec<Principal>,
}

/// A person at the provider. Its claim about an e-mail address counts for this source's documents only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The provider's user id.
    pub user: String,
    /// Their address, where the provider says it.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// False: the account was closed, and reads nothing.
    pub active: bool,
}

/// One staged change, in the order emitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change", content = "of")]
pub enum Change {
    /// A document, whole.
    Upsert(Box<Document>),
    /// Access alone: content is neither fetched nor embedded again.
    SetAccess {
        /// The document or container.
        id: String,
        /// Who may read it now.
        access: Access,
    },
    /// Listed by this sweep, unchanged.
    Seen(Vec<String>),
    /// Gone for this connection; other connections' attestations stay.
    Delete(String),
    /// A container.
    UpsertContainer(Container),
    /// A container is gone for this connection.
    DeleteContainer(String),
    /// A group's members.
    Members(Membership),
    /// A group is gone.
    DeleteGroup(String),
    /// A person.
    Person(Person),
}
