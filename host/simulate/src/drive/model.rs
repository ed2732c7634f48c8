//! What Drive holds: files, permissions, shared drives and the log of changes.

use crate::directory::Directory;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// The mime type of a folder.
pub const FOLDER: &str = "application/vnd.google-apps.folder";
/// The mime type of a Google Doc.
pub const DOCUMENT: &str = "application/vnd.google-apps.document";
/// The mime type of a Google Sheet.
pub const SPREADSHEET: &str = "application/vnd.google-apps.spreadsheet";

/// Who a permission is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// One account, by e-mail.
    User(String),
    /// A group, by e-mail, and whoever is in it.
    Group(String),
    /// Everybody whose address is in this domain.
    Domain(String),
    /// Everybody, signed in or not.
    Anyone,
}

impl Grantee {
    /// Whether the permission reaches a person.
    pub fn includes(&self, directory: &Directory, email: &str) -> bool {
        match self {
            Self::User(user) => user == email,
            Self::Group(group) => directory.is_member(group, email),
            Self::Domain(domain) => email.rsplit_once('@').is_some_and(|(_, theirs)| theirs == domain),
            Self::Anyone => true,
        }
    }

    /// Shared with the person or a group of theirs, not merely findable by everybody.
    pub(crate) fn is_personal(&self) -> bool {
        matches!(self, Self::User(_) | Self::Group(_))
    }
}

/// What a permission allows, least first. `Owner` is of My Drive; `Organizer` and `FileOrganizer` of shared drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// May read.
    Reader,
    /// May read and comment.
    Commenter,
    /// May change and share.
    Writer,
    /// May also organise.
    FileOrganizer,
    /// May also manage members.
    Organizer,
    /// Owns it.
    Owner,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Commenter => "commenter",
            Self::Writer => "writer",
            Self::FileOrganizer => "fileOrganizer",
            Self::Organizer => "organizer",
            Self::Owner => "owner",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Reader, Self::Commenter, Self::Writer, Self::FileOrganizer, Self::Organizer, Self::Owner]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// A permission that stands on one file or shared drive itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Who it is for.
    pub grantee: Grantee,
    /// What they may do.
    pub role: Role,
    /// For a domain or anyone: it can be found by searching, not only by who has the link.
    #[serde(default = "yes")]
    pub discoverable: bool,
}

fn yes() -> bool {
    true
}

impl Permission {
    /// A permission that can be found by searching.
    pub fn new(grantee: Grantee, role: Role) -> Self {
        Self { grantee, role, discoverable: true }
    }
}

/// A comment on a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its author's e-mail.
    pub author: String,
    /// Plain text.
    pub text: String,
}

/// A file or folder.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Drive's id.
    pub id: String,
    /// The name; need not be unique in its folder.
    pub name: String,
    /// The mime type.
    pub mime_type: String,
    /// The folder that it is in; absent for the root of a My Drive or of a shared drive.
    pub parent: Option<String>,
    /// The shared drive that it is in.
    pub drive: Option<String>,
    /// The owner's e-mail; absent in shared drives.
    pub owner: Option<String>,
    /// The bytes of a file; the Markdown of a Google Doc; the CSV of a Google Sheet; empty for a folder.
    pub content: Bytes,
    /// When it was created.
    pub created: OffsetDateTime,
    /// When its content or name last changed. Moving and sharing do not count.
    pub modified: OffsetDateTime,
    /// Who changed it last.
    pub modified_by: String,
    /// It was trashed itself, not with its folder.
    pub trashed: bool,
    /// Permissions that stand on it itself.
    pub permissions: Vec<Permission>,
    /// Permissions of the folders above do not count here.
    pub limited: bool,
    /// Properties visible to every application.
    pub properties: BTreeMap<String, String>,
    /// Properties of the application that set them.
    pub app_properties: BTreeMap<String, String>,
    /// A short description.
    pub description: Option<String>,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// Grows with every change, permissions included.
    pub version: u64,
}

impl File {
    pub(crate) fn is_folder(&self) -> bool {
        self.mime_type == FOLDER
    }

    pub(crate) fn is_native(&self) -> bool {
        self.mime_type.starts_with("application/vnd.google-apps.")
    }
}

/// A shared drive. Its members are the permissions of the file with its id, which is its top folder.
#[derive(Debug, Clone)]
pub(crate) struct SharedDrive {
    /// Its id, and that of its top folder.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: OffsetDateTime,
}

/// What a change was about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Subject {
    File(String),
    Drive(String),
}

/// An entry of the change log. Who could see the subject before or after it learns of it; nobody else does.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub sequence: u64,
    pub at: OffsetDateTime,
    pub subject: Subject,
    /// The shared drive that the subject is or was in.
    pub drive: Option<String>,
    pub audience: BTreeSet<String>,
}
