//! What a simulation starts with: people, documents with who may read them, boards.

mod access;
mod demo;
mod folder;
mod synthetic;

pub use access::SeedError;

use crate::{
    clock,
    directory::Directory,
    drive::{DOCUMENT, DriveState, FOLDER, Grantee, NewFile, Permission, Role, mime_of, stable_id},
    trello::{MemberType, NewBoard, Place, TrelloState, Visibility},
};
use bytes::Bytes;
use time::OffsetDateTime;

/// The demo company's domain.
pub const DOMAIN: &str = "larkfield.example";
/// The account that the demo's workspace connection uses: an editor of every top folder and a manager of every
/// shared drive, as an administrator sets one up for a connector.
pub const CONNECTOR_ACCOUNT: &str = "knowledge@larkfield.example";

/// Contents of a simulation before anybody connects. Nothing in it is in a change log yet.
///
/// Ids are made from names and paths: the same seed has the same ids in every run.
#[derive(Debug)]
pub struct Seed {
    pub(crate) directory: Directory,
    pub(crate) drive: DriveState,
    pub(crate) trello: TrelloState,
    at: OffsetDateTime,
}

/// A document to be seeded.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// Folders and name, `Strategy/Q4 strategy`; in a shared drive, below it. Folders are made as needed.
    pub path: &'a str,
    /// The owner's e-mail; in a shared drive, who wrote it.
    pub owner: &'a str,
    /// The shared drive's name.
    pub drive: Option<&'a str>,
    /// Markdown or text.
    pub content: &'a str,
    /// The mime type; from the name's extension if absent, a Google Doc without one.
    pub mime_type: Option<&'a str>,
    /// Permissions of its own, beside the owner's and the folders'.
    pub permissions: Vec<Permission>,
    /// When it was changed last.
    pub modified: Option<OffsetDateTime>,
}

impl<'a> Document<'a> {
    /// A document in a My Drive with no permissions of its own.
    pub fn new(path: &'a str, owner: &'a str, content: &'a str) -> Self {
        Self { path, owner, drive: None, content, mime_type: None, permissions: Vec::new(), modified: None }
    }

    /// In a shared drive instead.
    pub fn in_drive(mut self, drive: &'a str) -> Self {
        self.drive = Some(drive);
        self
    }

    /// Readable by a further grantee.
    pub fn readable_by(mut self, grantee: Grantee) -> Self {
        self.permissions.push(Permission::new(grantee, Role::Reader));
        self
    }
}

/// A board to be seeded, with its lists and cards.
#[derive(Debug, Clone)]
pub struct NewBoardSeed<'a> {
    /// Its name.
    pub name: &'a str,
    /// The e-mail of its admin.
    pub owner: &'a str,
    /// Who sees it beside its members.
    pub visibility: Visibility,
    /// E-mails of normal members.
    pub members: &'a [&'a str],
    /// Lists in order, each with the names of its cards.
    pub lists: &'a [(&'a str, &'a [&'a str])],
}

impl Seed {
    /// Nobody but the connector's account, and nothing.
    pub fn empty() -> Self {
        let directory = Directory::of(DOMAIN);
        let at = clock::parse("2026-09-01").unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut seed = Self { directory, drive: DriveState::default(), trello: TrelloState::default(), at };
        seed.directory.add_person(CONNECTOR_ACCOUNT, "Larkfield Knowledge");
        seed.directory.make_admin(CONNECTOR_ACCOUNT);
        seed
    }

    /// The demo company: its people, its Drive and its Trello.
    pub fn demo() -> Self {
        demo::build(true)
    }

    /// The demo company's people and Trello, and a Drive filled from a folder of Markdown and text files.
    pub fn folder(path: impl AsRef<std::path::Path>) -> Result<Self, SeedError> {
        folder::build(path.as_ref())
    }

    /// The demo company's people, and so many generated documents of a few hundred words each.
    pub fn synthetic(documents: usize) -> Self {
        synthetic::build(documents)
    }

    /// Adds somebody.
    pub fn person(mut self, email: &str, name: &str) -> Self {
        self.directory.add_person(email, name);
        self
    }

    /// Adds a group, or members to one; members are e-mails of people or of groups.
    pub fn group(mut self, email: &str, members: &[&str]) -> Self {
        self.directory.add_group(email, members.iter().map(|member| (*member).to_owned()));
        self
    }

    /// Adds a shared drive. The connector's account manages it too.
    pub fn shared_drive(mut self, name: &str, members: Vec<Permission>) -> Self {
        self.add_shared_drive(name, members);
        self
    }

    /// Adds permissions to a folder of a My Drive, making it if need be.
    pub fn folder_access(mut self, path: &str, owner: &str, permissions: Vec<Permission>) -> Self {
        let folder = self.ensure_folder(path, owner, None);
        permissions.into_iter().for_each(|permission| self.drive.grant(&folder, permission));
        self
    }

    /// Adds a document.
    pub fn document(mut self, document: Document<'_>) -> Self {
        self.add_document(document);
        self
    }

    /// Adds a board, in the first workspace if there is one.
    pub fn board(mut self, board: NewBoardSeed<'_>) -> Self {
        let at = self.at;
        let owner = self.member(board.owner);
        let organization = self.trello.organizations.keys().next().cloned();
        let new = NewBoard {
            name: board.name,
            desc: "",
            organization,
            visibility: board.visibility,
            creator: &owner,
            default_lists: false,
            default_labels: true,
        };
        let id = self.trello.add_board(new, at);
        for email in board.members {
            let member = self.member(email);
            self.trello.join_board(&id, &member, MemberType::Normal, &owner, at);
        }
        for (name, cards) in board.lists {
            let list = self.trello.add_list(&id, name, Place::Bottom, &owner, at);
            for card in *cards {
                self.trello.add_card(&list, card, "", Place::Bottom, &owner, at);
            }
        }
        self
    }

    /// Adds a Trello workspace of everybody known so far.
    pub fn workspace(mut self, name: &str, admin: &str) -> Self {
        let at = self.at;
        let admin = self.member(admin);
        let organization = self.trello.add_organization(name, &admin, at);
        let everybody: Vec<String> = self.directory.people().map(|person| person.email.clone()).collect();
        for email in everybody {
            let member = self.member(&email);
            self.trello.join_organization(&organization, &member, MemberType::Normal, at);
        }
        self
    }

    /// How many documents it holds, folders not counted.
    pub fn documents(&self) -> usize {
        self.drive.files.values().filter(|file| !file.is_folder()).count()
    }

    pub(crate) fn add_shared_drive(&mut self, name: &str, mut members: Vec<Permission>) -> String {
        members.push(Permission::new(Grantee::User(CONNECTOR_ACCOUNT.to_owned()), Role::Organizer));
        self.drive.add_drive(name, members, self.at)
    }

    pub(crate) fn add_document(&mut self, document: Document<'_>) -> String {
        let (folder, name) = document.path.rsplit_once('/').unwrap_or(("", document.path));
        let parent = self.ensure_folder(folder, document.owner, document.drive);
        let id = stable_id(&format!("{parent}/{name}"));
        self.directory.ensure_person(document.owner);
        self.drive.insert(NewFile {
            id: Some(id.clone()),
            name,
            mime_type: document.mime_type.unwrap_or_else(|| mime_of(name)),
            parent: &parent,
            owner: document.owner,
            content: Bytes::from(document.content.to_owned()),
            at: document.modified.unwrap_or(self.at),
        });
        document.permissions.into_iter().for_each(|permission| self.drive.grant(&id, permission));
        id
    }

    /// The folder at a path, made with everything above it as needed. The top folder's first mention owns it.
    pub(crate) fn ensure_folder(&mut self, path: &str, owner: &str, drive: Option<&str>) -> String {
        self.directory.ensure_person(owner);
        let top = path.split('/').next().unwrap_or_default();
        let existing = self.drive.files.values().find(|file| {
            drive.is_none()
                && file.is_folder()
                && file.name == top
                && file.drive.is_none()
                && file.parent.is_some()
                && file
                    .parent
                    .as_ref()
                    .and_then(|parent| self.drive.files.get(parent))
                    .is_some_and(|root| root.parent.is_none())
        });
        let root = match (drive, existing) {
            (Some(name), _) => {
                self.drive.drives.values().find(|drive| drive.name == name).map(|drive| drive.id.clone())
            }
            (None, Some(folder)) => folder.parent.clone(),
            (None, None) => None,
        };
        let mut parent = match (root, drive) {
            (Some(root), _) => root,
            (None, Some(name)) => self.add_shared_drive(name, Vec::new()),
            (None, None) => self.drive.root_of(owner, self.at),
        };
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let id = stable_id(&format!("{parent}/{name}/"));
            if !self.drive.files.contains_key(&id) {
                let new = NewFile {
                    id: Some(id.clone()),
                    name,
                    mime_type: FOLDER,
                    parent: &parent,
                    owner,
                    content: Bytes::new(),
                    at: self.at,
                };
                self.drive.insert(new);
            }
            parent = id;
        }
        parent
    }

    pub(crate) fn member(&mut self, email: &str) -> String {
        self.directory.ensure_person(email);
        let name = self.directory.name_of(email);
        self.trello.member_of(email, &name, self.at)
    }
}

/// The mime type that a seed file's `kind` means.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    match name {
        "doc" => Some(DOCUMENT),
        "sheet" => Some(crate::drive::SPREADSHEET),
        _ => None,
    }
}
