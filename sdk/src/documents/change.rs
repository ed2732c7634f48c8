//! What a pull says of a source.

use super::{Access, Container, Document, Principal};

/// One thing that a pull says. [`Sink`](super::Sink) has a method for each.
// Nearly all are documents: boxing them would only cost the author a word.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, PartialEq)]
pub enum Change {
    /// A document as it is now.
    Upsert(Document),
    /// Only who may read a document changed; its content is neither fetched nor embedded again.
    SetAccess {
        /// The document's id.
        id: String,
        /// Who may read it now.
        access: Access,
    },
    /// Listed by this sweep, unchanged.
    Seen(Vec<String>),
    /// A document is gone.
    Delete(String),
    /// A container as it is now.
    UpsertContainer(Container),
    /// A container is gone.
    DeleteContainer(String),
    /// Who is in a group.
    Members(Membership),
    /// A group is gone.
    DeleteGroup(String),
    /// Whose user id that is.
    Person(Person),
}

/// A change to who is in a group. Groups nest; what is paged over many changes is seen whole at the
/// checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group's id.
    pub group: String,
    /// Whether to empty it first.
    pub reset: bool,
    /// Who comes in.
    pub add: Vec<Principal>,
    /// Who goes.
    pub remove: Vec<Principal>,
}

impl Membership {
    /// The group holds exactly these.
    pub fn exactly(group: impl Into<String>, members: impl IntoIterator<Item = Principal>) -> Self {
        Self { group: group.into(), reset: true, add: members.into_iter().collect(), remove: Vec::new() }
    }

    /// These come in.
    pub fn add(group: impl Into<String>, members: impl IntoIterator<Item = Principal>) -> Self {
        Self { group: group.into(), reset: false, add: members.into_iter().collect(), remove: Vec::new() }
    }

    /// These go.
    pub fn remove(group: impl Into<String>, members: impl IntoIterator<Item = Principal>) -> Self {
        Self { group: group.into(), reset: false, add: Vec::new(), remove: members.into_iter().collect() }
    }
}

/// Whose user id that is. Counts for this source's documents only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The provider's user id.
    pub user: String,
    /// Their e-mail address, where the provider tells it.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// False for an account that was closed or suspended.
    pub active: bool,
}

impl Person {
    /// An active person.
    pub fn new(user: impl Into<String>) -> Self {
        Self { user: user.into(), email: None, name: None, active: true }
    }

    /// With an e-mail address, if known.
    pub fn email(mut self, email: impl Into<Option<String>>) -> Self {
        self.email = email.into();
        self
    }

    /// With a name, if known.
    pub fn name(mut self, name: impl Into<Option<String>>) -> Self {
        self.name = name.into();
        self
    }

    /// Closed or suspended, unless true.
    pub fn active(mut self, active: bool) -> Self {
        self.active = active;
        self
    }
}

impl Change {
    /// Roughly how many bytes it takes to hand over.
    pub(super) fn weight(&self) -> usize {
        use super::Content;
        const RECORD: usize = 256;
        RECORD
            + match self {
                Self::Upsert(document) => match &document.content {
                    Content::Text(text) | Content::Markdown(text) | Content::Html(text) => text.len(),
                    Content::None | Content::Blob(_) => 0,
                },
                Self::Seen(ids) => ids.iter().map(|id| id.len() + 8).sum(),
                Self::Members(members) => (members.add.len() + members.remove.len()) * 64,
                _ => 0,
            }
    }
}
