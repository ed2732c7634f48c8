//! Drive's objects, as far as they are used (Drive API v3 discovery document). Every field but an
//! id may be absent: the service leaves out what the account may not see.

use sallyport_sdk::prelude::*;

/// The type of a folder.
pub(crate) const FOLDER: &str = "application/vnd.google-apps.folder";
/// The type of a shortcut to another file.
pub(crate) const SHORTCUT: &str = "application/vnd.google-apps.shortcut";
/// The type of a Google Doc.
pub(crate) const DOCUMENT: &str = "application/vnd.google-apps.document";
/// The type of a Google Sheet.
pub(crate) const SPREADSHEET: &str = "application/vnd.google-apps.spreadsheet";
/// The type of a Google Slides presentation.
pub(crate) const PRESENTATION: &str = "application/vnd.google-apps.presentation";

/// A file or folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Stable over renames and moves.
    pub id: String,
    /// Need not be unique in its folder.
    pub name: Option<String>,
    /// A media type, or one of Google's own.
    pub mime_type: Option<String>,
    /// In the trash, itself or with its folder.
    #[serde(default)]
    pub trashed: bool,
    /// The folder that holds it, where the account may see that.
    #[serde(default)]
    pub parents: Vec<String>,
    /// The shared drive that it is in.
    pub drive_id: Option<String>,
    /// RFC 3339.
    pub created_time: Option<String>,
    /// RFC 3339; moving and sharing do not count.
    pub modified_time: Option<String>,
    /// Of the content; Google's own formats have none.
    pub md5_checksum: Option<String>,
    /// Bytes, as decimal digits.
    pub size: Option<String>,
    /// What people wrote about it.
    pub description: Option<String>,
    /// Where a person opens it.
    pub web_view_link: Option<String>,
    /// Who owns it; nobody in a shared drive.
    #[serde(default)]
    pub owners: Vec<User>,
    /// The account is its owner.
    #[serde(default)]
    pub owned_by_me: bool,
    /// When it was shared with the account.
    pub shared_with_me_time: Option<String>,
    /// Ids of everything in `permissions`.
    pub permission_ids: Option<Vec<String>>,
    /// Who may do what, effectively; absent in shared drives and where the account may not share.
    pub permissions: Option<Vec<Permission>>,
    /// In a shared drive: somebody has a permission on this very item.
    pub has_augmented_permissions: Option<bool>,
    /// Permissions from above do not count here ("limited access").
    #[serde(default)]
    pub inherited_permissions_disabled: bool,
    /// What the account may do with it.
    pub capabilities: Option<Capabilities>,
}

/// What the account may do with a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// May have its content.
    pub can_download: Option<bool>,
}

/// Somebody, as owners and `about` name them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The account's id in every permission.
    #[serde(default)]
    pub permission_id: String,
    /// The address, unless hidden.
    pub email_address: Option<String>,
    /// The name.
    pub display_name: Option<String>,
}

/// Somebody's right to a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// The same for the same grantee on every file.
    pub id: String,
    /// `user`, `group`, `domain` or `anyone`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `owner`, `organizer`, `fileOrganizer`, `writer`, `commenter` or `reader`.
    pub role: String,
    /// Of a user or group.
    pub email_address: Option<String>,
    /// Of a domain.
    pub domain: Option<String>,
    /// For people.
    pub display_name: Option<String>,
    /// For a domain or anyone: found by searching, not only by link.
    pub allow_file_discovery: Option<bool>,
    /// When it ends, RFC 3339.
    pub expiration_time: Option<String>,
    /// The account behind it was deleted.
    #[serde(default)]
    pub deleted: bool,
    /// A view of less than the file: `published` or `metadata`.
    pub view: Option<String>,
    /// Where it comes from; one entry a source.
    #[serde(default)]
    pub permission_details: Vec<PermissionDetail>,
}

/// One source of a permission.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermissionDetail {
    /// What this source alone allows.
    pub role: Option<String>,
    /// From a folder or drive above, not from the item itself.
    #[serde(default)]
    pub inherited: bool,
}

/// `about`.
#[derive(Debug, Clone, Deserialize)]
pub struct About {
    /// Whose account it is.
    pub user: User,
}

/// A page of `files`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// Where the next page begins.
    pub next_page_token: Option<String>,
    /// Not everything was searched.
    #[serde(default)]
    pub incomplete_search: bool,
    /// The page.
    #[serde(default)]
    pub files: Vec<File>,
}

/// A page of `files/{id}/permissions`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermissionList {
    /// Where the next page begins.
    pub next_page_token: Option<String>,
    /// The page.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

/// A shared drive.
#[derive(Debug, Clone, Deserialize)]
pub struct Drive {
    /// Also the id of its top folder.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// A page of `drives`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveList {
    /// Where the next page begins.
    pub next_page_token: Option<String>,
    /// The page.
    #[serde(default)]
    pub drives: Vec<Drive>,
}

/// `changes/startPageToken`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartPageToken {
    pub(crate) start_page_token: String,
}

/// A page of `changes`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeList {
    /// Where the next page begins.
    pub next_page_token: Option<String>,
    /// On the last page: where later changes begin.
    pub new_start_page_token: Option<String>,
    /// The page.
    #[serde(default)]
    pub changes: Vec<Change>,
}

/// Something changed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `file` or `drive`.
    pub change_type: Option<String>,
    /// Deleted, or no longer to be seen; trashing is not removal.
    #[serde(default)]
    pub removed: bool,
    /// Which file.
    pub file_id: Option<String>,
    /// The file as it is now.
    pub file: Option<File>,
    /// Which shared drive.
    pub drive_id: Option<String>,
}

/// A page of a group's members (Admin SDK Directory API, members.list).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberList {
    pub(crate) next_page_token: Option<String>,
    #[serde(default)]
    pub(crate) members: Vec<Member>,
}

/// A direct member of a group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Member {
    /// Absent for a whole organisation.
    pub(crate) email: Option<String>,
    /// `USER`, `GROUP`, `CUSTOMER` or `EXTERNAL`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// `ACTIVE`, `SUSPENDED` and the like.
    pub(crate) status: Option<String>,
}

impl File {
    /// The name, or the id where there is none.
    pub fn title(&self) -> &str {
        self.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&self.id)
    }

    /// Its type; empty where it is not told.
    pub fn kind(&self) -> &str {
        self.mime_type.as_deref().unwrap_or_default()
    }

    /// Whether it holds other files.
    pub fn is_folder(&self) -> bool {
        self.kind() == FOLDER
    }

    /// The folder that holds it; there is one at most.
    pub fn parent(&self) -> Option<&String> {
        self.parents.first()
    }
}
