//! The unit that a source gives, and what holds it.

use serde_json::{Map, Value};

use super::Access;
use crate::blobs::Blob;
use crate::clock::Timestamp;

/// The unit that a source gives: a page, a file, a message, a card.
#[derive(Debug, PartialEq)]
pub struct Document {
    /// Unique in the source, whichever connection saw it.
    pub id: String,
    /// An etag or hash of all but access: what is unchanged under it is not embedded again.
    pub revision: Option<String>,
    /// Such as `page`, `file`, `message`, `card`.
    pub kind: String,
    /// One line.
    pub title: String,
    /// What is indexed.
    pub content: Content,
    /// Whether the content is known to be less than the whole.
    pub truncated: bool,
    /// Where a person can open it.
    pub url: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it last changed.
    pub updated: Option<Timestamp>,
    /// The provider's user ids.
    pub authors: Vec<String>,
    /// The id of the container that holds it.
    pub container: Option<String>,
    /// Who may read it.
    pub access: Access,
    /// Anything else worth keeping.
    pub metadata: Map<String, Value>,
}

/// What a document says.
#[derive(Debug, Default, PartialEq)]
pub enum Content {
    /// Nothing that can be read.
    #[default]
    None,
    /// Plain text. Together with what else one `emit` carries at most 4 MiB; a [`Blob`] may be larger.
    Text(String),
    /// Markdown.
    Markdown(String),
    /// HTML.
    Html(String),
    /// A file that the host holds, of the blob's media type.
    Blob(Blob),
}

/// What holds documents and other containers: a folder, a board, a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Unique in the source.
    pub id: String,
    /// Such as `folder`, `board`, `channel`.
    pub kind: String,
    /// One line.
    pub name: String,
    /// The id of the container that holds it.
    pub parent: Option<String>,
    /// Who may read what inherits from it.
    pub access: Access,
}

impl Document {
    /// A document without content that nobody may read yet.
    pub fn new(id: impl Into<String>, kind: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            revision: None,
            kind: kind.into(),
            title: title.into(),
            content: Content::None,
            truncated: false,
            url: None,
            created: None,
            updated: None,
            authors: Vec::new(),
            container: None,
            access: Access::Unknown,
            metadata: Map::new(),
        }
    }

    /// With an etag or hash of all but access.
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    /// With content of any kind.
    pub fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// With plain text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.content(Content::Text(text.into()))
    }

    /// With Markdown.
    pub fn markdown(self, markdown: impl Into<String>) -> Self {
        self.content(Content::Markdown(markdown.into()))
    }

    /// Marks the content as less than the whole.
    pub fn truncated(mut self, truncated: bool) -> Self {
        self.truncated = truncated;
        self
    }

    /// Where a person can open it.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// When it was made, if known.
    pub fn created(mut self, created: impl Into<Option<Timestamp>>) -> Self {
        self.created = created.into();
        self
    }

    /// When it last changed, if known.
    pub fn updated(mut self, updated: impl Into<Option<Timestamp>>) -> Self {
        self.updated = updated.into();
        self
    }

    /// And this author, by the provider's user id.
    pub fn author(mut self, user: impl Into<String>) -> Self {
        self.authors.push(user.into());
        self
    }

    /// In this container.
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// Readable by these.
    pub fn access(mut self, access: impl Into<Access>) -> Self {
        self.access = access.into();
        self
    }

    /// With a named value.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// The same document, sharing its blob; only a test may have it twice.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn duplicate(&self) -> Self {
        let content = match &self.content {
            Content::None => Content::None,
            Content::Text(text) => Content::Text(text.clone()),
            Content::Markdown(text) => Content::Markdown(text.clone()),
            Content::Html(text) => Content::Html(text.clone()),
            Content::Blob(blob) => Content::Blob(Blob(blob.0.clone())),
        };
        Self {
            id: self.id.clone(),
            revision: self.revision.clone(),
            kind: self.kind.clone(),
            title: self.title.clone(),
            content,
            truncated: self.truncated,
            url: self.url.clone(),
            created: self.created,
            updated: self.updated,
            authors: self.authors.clone(),
            container: self.container.clone(),
            access: self.access.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

impl Container {
    /// A container that nobody may read yet.
    pub fn new(id: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), kind: kind.into(), name: name.into(), parent: None, access: Access::Unknown }
    }

    /// In this container.
    pub fn parent(mut self, parent: impl Into<String>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Readable by these.
    pub fn access(mut self, access: impl Into<Access>) -> Self {
        self.access = access.into();
        self
    }
}
