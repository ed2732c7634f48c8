//! Drive's state: looking up, who may see what, and every mutation with its entry in the change log.

use super::model::{Change, DOCUMENT, FOLDER, File, Grantee, Permission, Role, SharedDrive, Subject};
use crate::directory::Directory;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// Sequence number before the first change; the real service's tokens start nowhere near zero either.
const FIRST_SEQUENCE: u64 = 4100;

/// All files, drives and changes.
#[derive(Debug, Default)]
pub(crate) struct DriveState {
    pub files: BTreeMap<String, File>,
    pub drives: BTreeMap<String, SharedDrive>,
    pub changes: Vec<Change>,
}

/// A permission that counts for a file, its own or inherited.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    pub permission: Permission,
    /// Role and the folder or drive that each comes from; `None` is the file itself.
    pub sources: Vec<(Role, Option<String>)>,
}

/// What a new file is made of.
#[derive(Debug, Clone)]
pub(crate) struct NewFile<'a> {
    pub id: Option<String>,
    pub name: &'a str,
    pub mime_type: &'a str,
    pub parent: &'a str,
    pub owner: &'a str,
    pub content: Bytes,
    pub at: OffsetDateTime,
}

impl DriveState {
    pub(crate) fn head(&self) -> u64 {
        self.changes.last().map_or(FIRST_SEQUENCE, |change| change.sequence)
    }

    /// The root folder of somebody's My Drive; made on first use, shared with nobody.
    pub(crate) fn root_of(&mut self, email: &str, at: OffsetDateTime) -> String {
        let id = root_id("my-drive", email);
        if !self.files.contains_key(&id) {
            let root = NewFile {
                id: Some(id.clone()),
                name: "My Drive",
                mime_type: FOLDER,
                parent: "",
                owner: email,
                content: Bytes::new(),
                at,
            };
            self.put(root, None, None);
        }
        id
    }

    pub(crate) fn add_drive(&mut self, name: &str, members: Vec<Permission>, at: OffsetDateTime) -> String {
        let id = root_id("shared-drive", name);
        let drive = SharedDrive { id: id.clone(), name: name.to_owned(), created: at };
        self.drives.insert(id.clone(), drive);
        let root =
            NewFile { id: Some(id.clone()), name, mime_type: FOLDER, parent: "", owner: "", content: Bytes::new(), at };
        self.put(root, None, Some(id.clone()));
        if let Some(root) = self.files.get_mut(&id) {
            root.permissions = members;
        }
        id
    }

    /// Puts a file in place without a change-log entry; answers its id.
    pub(crate) fn insert(&mut self, new: NewFile<'_>) -> String {
        let drive = self.files.get(new.parent).and_then(|parent| parent.drive.clone());
        let parent = new.parent.to_owned();
        self.put(new, Some(parent), drive)
    }

    fn put(&mut self, new: NewFile<'_>, parent: Option<String>, drive: Option<String>) -> String {
        let id = new.id.unwrap_or_else(|| crate::tokens::random_text().replace('_', "-"));
        let owner = drive.is_none().then(|| new.owner.to_owned());
        let permissions =
            owner.iter().map(|owner| Permission::new(Grantee::User(owner.clone()), Role::Owner)).collect();
        let file = File {
            id: id.clone(),
            name: new.name.to_owned(),
            mime_type: new.mime_type.to_owned(),
            parent,
            drive,
            owner,
            content: new.content,
            created: new.at,
            modified: new.at,
            modified_by: new.owner.to_owned(),
            trashed: false,
            permissions,
            limited: false,
            properties: BTreeMap::new(),
            app_properties: BTreeMap::new(),
            description: None,
            comments: Vec::new(),
            version: 1,
        };
        self.files.insert(id.clone(), file);
        id
    }

    /// The file and the folders above it, nearest first.
    pub(crate) fn ancestry<'a>(&'a self, file: &'a File) -> impl Iterator<Item = &'a File> {
        std::iter::successors(Some(file), |file| file.parent.as_ref().and_then(|parent| self.files.get(parent)))
    }

    pub(crate) fn is_trashed(&self, file: &File) -> bool {
        self.ancestry(file).any(|file| file.trashed)
    }

    pub(crate) fn is_within(&self, file: &File, folder: &str) -> bool {
        self.ancestry(file).any(|file| file.id == folder)
    }

    /// Names from the top folder down to the file; the roots of a My Drive and of a shared drive are not named.
    pub(crate) fn path(&self, file: &File) -> String {
        let mut names: Vec<&str> =
            self.ancestry(file).filter(|file| file.parent.is_some()).map(|file| file.name.as_str()).collect();
        names.reverse();
        names.join("/")
    }

    /// Every permission that counts for a file. An owner above is a writer below; a folder with limited access
    /// lets only owners and organizers through from above.
    pub(crate) fn effective(&self, file: &File) -> Vec<Effective> {
        let mut all: Vec<Effective> = Vec::new();
        let mut limited = false;
        for level in self.ancestry(file) {
            let own = level.id == file.id;
            for permission in &level.permissions {
                if limited && !matches!(permission.role, Role::Owner | Role::Organizer) {
                    continue;
                }
                let inherits = !own && permission.role == Role::Owner;
                let role = if inherits { Role::Writer } else { permission.role };
                let source = (role, (!own).then(|| level.id.clone()));
                match all.iter_mut().find(|known| known.permission.grantee == permission.grantee) {
                    Some(known) => {
                        known.permission.role = known.permission.role.max(role);
                        known.permission.discoverable |= permission.discoverable;
                        known.sources.push(source);
                    }
                    None => {
                        let permission = Permission { role, ..permission.clone() };
                        all.push(Effective { permission, sources: vec![source] });
                    }
                }
            }
            limited |= level.limited;
        }
        all
    }

    /// What a person may do with a file, if anything.
    pub(crate) fn role(&self, directory: &Directory, file: &File, email: &str) -> Option<Role> {
        let reaches = |each: &Effective| each.permission.grantee.includes(directory, email);
        self.effective(file).iter().filter(|each| reaches(each)).map(|each| each.permission.role).max()
    }

    /// A file that a person may see; one that they may not see is as if it were not there.
    pub(crate) fn visible(&self, directory: &Directory, id: &str, email: &str) -> Option<(&File, Role)> {
        let file = self.files.get(id)?;
        Some((file, self.role(directory, file, email)?))
    }

    pub(crate) fn is_drive_member(&self, directory: &Directory, drive: &str, email: &str) -> bool {
        self.files
            .get(drive)
            .is_some_and(|root| root.permissions.iter().any(|permission| permission.grantee.includes(directory, email)))
    }

    /// Everybody in the directory who may see the file, in the sense of the change log.
    pub(crate) fn audience(&self, directory: &Directory, id: &str) -> BTreeSet<String> {
        let Some(file) = self.files.get(id) else { return BTreeSet::new() };
        let effective = self.effective(file);
        let reached = |email: &str| effective.iter().any(|each| each.permission.grantee.includes(directory, email));
        directory.people().filter(|person| reached(&person.email)).map(|person| person.email.clone()).collect()
    }

    /// Whose own log a change belongs in: of files in a shared drive only those with whom they are shared beside
    /// membership; members learn of them from the drive's log.
    fn own_audience(&self, directory: &Directory, id: &str) -> BTreeSet<String> {
        let mut audience = self.audience(directory, id);
        let drive = self.files.get(id).and_then(|file| file.drive.as_deref()).filter(|drive| *drive != id);
        if let Some(drive) = drive {
            audience.retain(|email| !self.is_drive_member(directory, drive, email));
        }
        audience
    }

    /// Runs a mutation of one file and logs it for whoever could see the file before or can after.
    pub(crate) fn change<T>(
        &mut self,
        directory: &Directory,
        id: &str,
        at: OffsetDateTime,
        mutate: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut audience = self.own_audience(directory, id);
        let drive = self.files.get(id).and_then(|file| file.drive.clone());
        let subject = match self.drives.contains_key(id) {
            true => Subject::Drive(id.to_owned()),
            false => Subject::File(id.to_owned()),
        };
        let done = mutate(self);
        audience.extend(self.own_audience(directory, id));
        if let Some(file) = self.files.get_mut(id) {
            file.version += 1;
        }
        let drive = drive.or_else(|| self.files.get(id).and_then(|file| file.drive.clone()));
        let sequence = self.head() + 1;
        self.changes.push(Change { sequence, at, subject, drive, audience });
        done
    }

    /// A change of one file's own fields.
    pub(crate) fn edit(&mut self, directory: &Directory, id: &str, at: OffsetDateTime, edit: impl FnOnce(&mut File)) {
        self.change(directory, id, at, |state| state.files.get_mut(id).map(edit));
    }

    /// Sets what a grantee may do with a file; a second grant replaces the first. An owner stays owner.
    pub(crate) fn grant(&mut self, id: &str, permission: Permission) {
        let Some(file) = self.files.get_mut(id) else { return };
        match file.permissions.iter_mut().find(|known| known.grantee == permission.grantee) {
            Some(known) if known.role == Role::Owner => {}
            Some(known) => *known = permission,
            None => file.permissions.push(permission),
        }
    }

    pub(crate) fn revoke(&mut self, id: &str, grantee: &Grantee) {
        if let Some(file) = self.files.get_mut(id) {
            file.permissions.retain(|known| known.grantee != *grantee || known.role == Role::Owner);
        }
    }

    /// Moves a file, and what is in it, to another folder; into a shared drive, it loses its owner.
    pub(crate) fn move_to(&mut self, id: &str, folder: &str) {
        let drive = self.files.get(folder).and_then(|folder| folder.drive.clone());
        if let Some(file) = self.files.get_mut(id) {
            file.parent = Some(folder.to_owned());
        }
        for each in self.subtree(id) {
            let Some(file) = self.files.get_mut(&each) else { continue };
            if file.drive == drive {
                continue;
            }
            match &drive {
                Some(_) => {
                    file.owner = None;
                    file.permissions.retain(|permission| permission.role != Role::Owner);
                }
                None => {
                    let owner = file.modified_by.clone();
                    file.permissions.push(Permission::new(Grantee::User(owner.clone()), Role::Owner));
                    file.owner = Some(owner);
                }
            }
            file.drive.clone_from(&drive);
        }
    }

    /// Trashes a file or takes it out of the trash. Everything in a folder changes with it, each with its entry:
    /// `trashed` is part of every one of them.
    pub(crate) fn set_trashed(&mut self, directory: &Directory, id: &str, trashed: bool, at: OffsetDateTime) {
        for each in self.subtree(id) {
            self.change(directory, &each, at, |state| {
                if let Some(file) = state.files.get_mut(id) {
                    file.trashed = trashed;
                }
            });
        }
    }

    /// Deletes a file for good, and what is in it.
    pub(crate) fn delete(&mut self, directory: &Directory, id: &str, at: OffsetDateTime) {
        for each in self.subtree(id).into_iter().rev() {
            self.change(directory, &each, at, |state| {
                state.files.remove(&each);
                state.drives.remove(&each);
            });
        }
    }

    /// The file and everything below it, top first.
    pub(crate) fn subtree(&self, id: &str) -> Vec<String> {
        let mut all = vec![id.to_owned()];
        let mut at = 0;
        while let Some(folder) = all.get(at).cloned() {
            let inside = self.files.values().filter(|file| file.parent.as_deref() == Some(&folder));
            all.extend(inside.map(|file| file.id.clone()));
            at += 1;
        }
        all
    }

    /// Finds a file by id, by its path from the top, or by a name that only one file has.
    pub(crate) fn find(&self, key: &str) -> Option<&File> {
        if let Some(file) = self.files.get(key) {
            return Some(file);
        }
        if let Some(file) = self.files.values().find(|file| file.parent.is_some() && self.path(file) == key) {
            return Some(file);
        }
        let mut named = self.files.values().filter(|file| file.name == key);
        named.next().filter(|_| named.next().is_none())
    }

    /// Everything held, for `/_control/state`.
    pub(crate) fn snapshot(&self) -> Value {
        let file = |file: &File| {
            json!({
                "id": file.id, "name": file.name, "mimeType": file.mime_type, "path": self.path(file),
                "owner": file.owner, "driveId": file.drive, "trashed": self.is_trashed(file),
                "modifiedTime": crate::clock::stamp(file.modified), "version": file.version,
                "permissions": file.permissions, "limited": file.limited,
                "content": if file.is_folder() { Value::Null } else { String::from_utf8_lossy(&file.content).into() },
            })
        };
        let drive = |drive: &SharedDrive| json!({ "id": drive.id, "name": drive.name });
        json!({
            "files": self.files.values().map(file).collect::<Vec<_>>(),
            "drives": self.drives.values().map(drive).collect::<Vec<_>>(),
            "changes": self.head(),
        })
    }
}

/// A stable id of 44 characters as Docs have, so that a restarted demo keeps its documents' identities.
pub(crate) fn stable_id(seed: &str) -> String {
    format!("1{}", &BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(seed.as_bytes()))[..43])
}

/// An id of 19 characters as the roots of My Drives and shared drives have.
fn root_id(kind: &str, name: &str) -> String {
    let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{kind}/{name}").as_bytes()));
    format!("0A{}UkPVA", hash[..12].replace(['-', '_'], "x"))
}

/// The mime type that Drive gives to an uploaded file of this name.
pub(crate) fn mime_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("md" | "markdown") => "text/markdown",
        Some("txt" | "text") => "text/plain",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        Some(_) => "application/octet-stream",
        None => DOCUMENT,
    }
}
