//! Files, permissions and drives as the JSON resources of the Drive API v3 discovery document.

use super::{
    mask::Mask,
    model::{DOCUMENT, File, Grantee, Role, SPREADSHEET, SharedDrive},
    state::{DriveState, Effective},
};
use crate::{clock::stamp, directory::Directory};
use md5::Md5;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Names that a mask may select of a file.
pub(crate) const FILE_FIELDS: &[&str] = &[
    "appProperties",
    "capabilities",
    "contentHints",
    "contentRestrictions",
    "copyRequiresWriterPermission",
    "createdTime",
    "description",
    "downloadRestrictions",
    "driveId",
    "explicitlyTrashed",
    "exportLinks",
    "fileExtension",
    "folderColorRgb",
    "fullFileExtension",
    "hasAugmentedPermissions",
    "hasThumbnail",
    "headRevisionId",
    "iconLink",
    "id",
    "imageMediaMetadata",
    "inheritedPermissionsDisabled",
    "isAppAuthorized",
    "kind",
    "labelInfo",
    "lastModifyingUser",
    "linkShareMetadata",
    "md5Checksum",
    "mimeType",
    "modifiedByMe",
    "modifiedByMeTime",
    "modifiedTime",
    "name",
    "originalFilename",
    "ownedByMe",
    "owners",
    "parents",
    "permissionIds",
    "permissions",
    "properties",
    "quotaBytesUsed",
    "resourceKey",
    "sha1Checksum",
    "sha256Checksum",
    "shared",
    "sharedWithMeTime",
    "sharingUser",
    "shortcutDetails",
    "size",
    "spaces",
    "starred",
    "teamDriveId",
    "thumbnailLink",
    "thumbnailVersion",
    "trashed",
    "trashedTime",
    "trashingUser",
    "version",
    "videoMediaMetadata",
    "viewedByMe",
    "viewedByMeTime",
    "viewersCanCopyContent",
    "webContentLink",
    "webViewLink",
    "writersCanShare",
];

/// Names that a mask may select of a permission.
pub(crate) const PERMISSION_FIELDS: &[&str] = &[
    "allowFileDiscovery",
    "deleted",
    "displayName",
    "domain",
    "emailAddress",
    "expirationTime",
    "id",
    "inheritedPermissionsDisabled",
    "kind",
    "pendingOwner",
    "permissionDetails",
    "photoLink",
    "role",
    "teamDrivePermissionDetails",
    "type",
    "view",
];

/// Who is looking at what.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub state: &'a DriveState,
    pub directory: &'a Directory,
    pub viewer: &'a str,
}

impl View<'_> {
    /// The file as its viewer sees it; costly fields only where the mask selects them.
    pub(crate) fn file(&self, file: &File, role: Role, mask: &Mask) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| {
            if mask.wants(name) {
                out.insert(name.to_owned(), value);
            }
        };
        let in_drive = file.drive.is_some();
        let mine = file.owner.as_deref() == Some(self.viewer);
        put("kind", "drive#file".into());
        put("id", file.id.clone().into());
        put("name", file.name.clone().into());
        put("mimeType", file.mime_type.clone().into());
        put("starred", false.into());
        put("trashed", self.state.is_trashed(file).into());
        put("explicitlyTrashed", file.trashed.into());
        // A parent that the viewer may not see is not named: that is how most shared files look.
        let parent = file.parent.as_deref();
        if let Some(parent) = parent.filter(|parent| self.state.visible(self.directory, parent, self.viewer).is_some())
        {
            put("parents", json!([parent]));
        }
        put("spaces", json!(["drive"]));
        put("version", file.version.to_string().into());
        put("webViewLink", web_link(file).into());
        put("iconLink", format!("https://drive-thirdparty.googleusercontent.com/16/type/{}", file.mime_type).into());
        put("hasThumbnail", false.into());
        put("viewedByMe", mine.into());
        put("createdTime", stamp(file.created).into());
        put("modifiedTime", stamp(file.modified).into());
        put("modifiedByMe", (file.modified_by == self.viewer).into());
        put("lastModifyingUser", self.user(&file.modified_by));
        put("copyRequiresWriterPermission", false.into());
        put("viewersCanCopyContent", true.into());
        put("isAppAuthorized", true.into());
        put("inheritedPermissionsDisabled", file.limited.into());
        put("capabilities", capabilities(file, role));
        if let Some(description) = &file.description {
            put("description", description.clone().into());
        }
        for (name, properties) in [("properties", &file.properties), ("appProperties", &file.app_properties)] {
            if !properties.is_empty() {
                put(name, json!(properties));
            }
        }
        if mask.wants("permissions") || mask.wants("permissionIds") || mask.wants("shared") {
            let effective = self.state.effective(file);
            put(
                "permissionIds",
                effective
                    .iter()
                    .map(|each| permission_id(&each.permission.grantee, each.permission.discoverable))
                    .collect(),
            );
            if !in_drive {
                put("shared", (effective.len() > 1).into());
                // Only for who may share; never for items in shared drives.
                if role >= Role::Writer {
                    put("permissions", effective.iter().map(|each| self.permission(each, file)).collect());
                }
            }
        }
        match &file.drive {
            Some(drive) => {
                put("driveId", drive.clone().into());
                put("teamDriveId", drive.clone().into());
                put("hasAugmentedPermissions", (!file.permissions.is_empty() && file.id != *drive).into());
            }
            None => {
                put("ownedByMe", mine.into());
                put("owners", file.owner.iter().map(|owner| self.user(owner)).collect());
                put("writersCanShare", true.into());
                if !mine {
                    put("sharedWithMeTime", stamp(file.created).into());
                }
            }
        }
        if !file.is_folder() {
            self.content_fields(file, mask, &mut put);
        }
        Value::Object(out)
    }

    fn content_fields(&self, file: &File, mask: &Mask, put: &mut dyn FnMut(&str, Value)) {
        put("size", file.content.len().to_string().into());
        put("quotaBytesUsed", file.content.len().to_string().into());
        if file.is_native() {
            let links = |types: &[&str]| {
                let base = format!("https://www.googleapis.com/drive/v3/files/{}/export?mimeType=", file.id);
                types
                    .iter()
                    .map(|mime| ((*mime).to_owned(), Value::from(format!("{base}{mime}"))))
                    .collect::<Map<_, _>>()
            };
            put("exportLinks", Value::Object(links(super::content::export_types(&file.mime_type))));
            return;
        }
        if mask.wants("md5Checksum") {
            put("md5Checksum", hex::encode(Md5::digest(&file.content)).into());
        }
        if mask.wants("sha256Checksum") {
            put("sha256Checksum", hex::encode(Sha256::digest(&file.content)).into());
        }
        put(
            "headRevisionId",
            format!("0B{}", &hex::encode(Sha256::digest(format!("{}{}", file.id, file.version)))[..40]).into(),
        );
        put("originalFilename", file.name.clone().into());
        let extension = file.name.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
        put("fileExtension", extension.into());
        put("fullFileExtension", extension.into());
        put("webContentLink", format!("https://drive.google.com/uc?id={}&export=download", file.id).into());
    }

    /// A permission with where it comes from; `permissionDetails` tells inherited from direct.
    pub(crate) fn permission(&self, effective: &Effective, file: &File) -> Value {
        let permission = &effective.permission;
        let mut out = Map::new();
        out.insert("kind".into(), "drive#permission".into());
        out.insert("id".into(), permission_id(&permission.grantee, permission.discoverable).into());
        match &permission.grantee {
            Grantee::User(email) | Grantee::Group(email) => {
                let kind = if matches!(permission.grantee, Grantee::User(_)) { "user" } else { "group" };
                out.insert("type".into(), kind.into());
                out.insert("emailAddress".into(), email.clone().into());
                out.insert("displayName".into(), self.directory.name_of(email).into());
                out.insert("deleted".into(), false.into());
                if kind == "user" {
                    out.insert("pendingOwner".into(), false.into());
                }
            }
            Grantee::Domain(domain) => {
                out.insert("type".into(), "domain".into());
                out.insert("domain".into(), domain.clone().into());
                out.insert("displayName".into(), domain.clone().into());
                out.insert("allowFileDiscovery".into(), permission.discoverable.into());
            }
            Grantee::Anyone => {
                out.insert("type".into(), "anyone".into());
                out.insert("allowFileDiscovery".into(), permission.discoverable.into());
            }
        }
        out.insert("role".into(), permission.role.name().into());
        let member = file.drive.is_some();
        let details = effective.sources.iter().map(|(role, from)| {
            let of_drive = member && *from == file.drive;
            let mut detail = json!({
                "permissionType": if of_drive { "member" } else { "file" },
                "role": role.name(),
                "inherited": from.is_some(),
            });
            if let Some(from) = from {
                detail["inheritedFrom"] = from.clone().into();
            }
            detail
        });
        out.insert("permissionDetails".into(), details.collect());
        Value::Object(out)
    }

    /// A `User` resource.
    pub(crate) fn user(&self, email: &str) -> Value {
        json!({
            "kind": "drive#user",
            "displayName": self.directory.name_of(email),
            "me": email == self.viewer,
            "permissionId": permission_id(&Grantee::User(email.to_owned()), true),
            "emailAddress": email,
        })
    }
}

pub(crate) fn drive(drive: &SharedDrive) -> Value {
    json!({
        "kind": "drive#drive",
        "id": drive.id,
        "name": drive.name,
        "colorRgb": "#0f9d58",
        "createdTime": stamp(drive.created),
        "hidden": false,
        "restrictions": { "adminManagedRestrictions": false, "domainUsersOnly": false, "driveMembersOnly": false },
    })
}

/// Twenty digits for an account or a domain; fixed words for everybody. The same for the same grantee on every file.
pub(crate) fn permission_id(grantee: &Grantee, discoverable: bool) -> String {
    let digits = |text: &str| {
        let hash = Sha256::digest(text.as_bytes());
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{number:020}")
    };
    match grantee {
        Grantee::User(email) | Grantee::Group(email) => digits(email),
        Grantee::Domain(domain) => format!("{}k", digits(domain)),
        Grantee::Anyone if discoverable => "anyone".to_owned(),
        Grantee::Anyone => "anyoneWithLink".to_owned(),
    }
}

fn web_link(file: &File) -> String {
    let id = &file.id;
    match file.mime_type.as_str() {
        super::model::FOLDER => format!("https://drive.google.com/drive/folders/{id}"),
        DOCUMENT => format!("https://docs.google.com/document/d/{id}/edit?usp=drivesdk"),
        SPREADSHEET => format!("https://docs.google.com/spreadsheets/d/{id}/edit?usp=drivesdk"),
        _ => format!("https://drive.google.com/file/d/{id}/view?usp=drivesdk"),
    }
}

fn capabilities(file: &File, role: Role) -> Value {
    let write = role >= Role::Writer;
    let own = role >= Role::Organizer;
    json!({
        "canEdit": write, "canRename": write, "canShare": write, "canComment": role >= Role::Commenter,
        "canDownload": true, "canCopy": !file.is_folder(), "canDelete": own, "canTrash": own || (write && file.drive.is_some()),
        "canAddChildren": write && file.is_folder(), "canListChildren": file.is_folder(), "canReadRevisions": write,
    })
}
