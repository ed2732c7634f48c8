//! Changing the simulated Drive from outside, as its people would: each change leaves its entry in the log.

use super::{
    model::{Comment, Grantee, Permission, Role},
    state::{NewFile, mime_of},
};
use crate::world::{State, World};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// One change. A file is named by its id, its path from the top folder down, or a name that only it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum DriveChange {
    /// Adds a file with text, in a folder or at the top of the owner's My Drive.
    AddFile {
        /// Its name; the extension gives its type, no extension makes it a Google Doc.
        name: String,
        /// The owner's e-mail.
        owner: String,
        /// The folder that it goes into.
        #[serde(default)]
        folder: Option<String>,
        /// The text; Markdown for a Google Doc.
        content: String,
        /// The mime type, if the name's is not meant.
        #[serde(default)]
        mime_type: Option<String>,
    },
    /// Replaces the content.
    Edit {
        /// Which file.
        file: String,
        /// The new text.
        content: String,
    },
    /// Gives somebody a permission, or another role.
    Share {
        /// Which file, folder or shared drive.
        file: String,
        /// For whom.
        grantee: Grantee,
        /// What they may do.
        role: Role,
        /// It can be found by searching.
        #[serde(default = "yes")]
        discoverable: bool,
    },
    /// Takes a permission back.
    Unshare {
        /// Which file, folder or shared drive.
        file: String,
        /// From whom.
        grantee: Grantee,
    },
    /// Lets permissions from above count no longer, or again.
    Limit {
        /// Which file or folder.
        file: String,
        /// No longer.
        limited: bool,
    },
    /// Renames.
    Rename {
        /// Which file.
        file: String,
        /// The new name.
        name: String,
    },
    /// Moves into another folder.
    Move {
        /// Which file.
        file: String,
        /// Where to.
        folder: String,
    },
    /// Trashes, with everything inside.
    Trash {
        /// Which file.
        file: String,
    },
    /// Takes out of the trash.
    Untrash {
        /// Which file.
        file: String,
    },
    /// Deletes for good, with everything inside; a shared drive too.
    Delete {
        /// Which file or shared drive.
        file: String,
    },
    /// Comments.
    Comment {
        /// Which file.
        file: String,
        /// Whose comment.
        author: String,
        /// What it says.
        text: String,
    },
}

fn yes() -> bool {
    true
}

/// Why a change could not be made. The caller's mistake; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriveProblem {
    /// Nothing has this id, path or name, or several files have this name.
    #[error("no file is called {0:?}, or several are: name it by id or by its whole path")]
    NoFile(String),
    /// The folder to put it in is no folder.
    #[error("{0:?} is not a folder")]
    NotAFolder(String),
    /// A folder cannot go into itself.
    #[error("{0:?} cannot be moved into itself")]
    IntoItself(String),
}

/// The simulated Drive, seen by its keeper: everything is visible and may be changed.
#[derive(Debug, Clone)]
pub struct Drive {
    pub(crate) world: Arc<World>,
}

impl Drive {
    /// Makes a change; answers the file's id.
    pub fn apply(&self, change: DriveChange) -> Result<String, DriveProblem> {
        let now = self.world.clock.now();
        let mut state = self.world.state.lock();
        let State { directory, drive, .. } = &mut *state;
        let id = |drive: &super::DriveState, key: &str| {
            drive.find(key).map(|file| file.id.clone()).ok_or_else(|| DriveProblem::NoFile(key.to_owned()))
        };
        match change {
            DriveChange::AddFile { name, owner, folder, content, mime_type } => {
                directory.ensure_person(&owner);
                let parent = match folder {
                    Some(folder) => id(drive, &folder)?,
                    None => drive.root_of(&owner, now),
                };
                if !drive.files.get(&parent).is_some_and(super::model::File::is_folder) {
                    return Err(DriveProblem::NotAFolder(parent));
                }
                let mime = mime_type.unwrap_or_else(|| mime_of(&name).to_owned());
                let new = crate::tokens::random_text();
                drive.change(directory, &new, now, |drive| {
                    drive.insert(NewFile {
                        id: Some(new.clone()),
                        name: &name,
                        mime_type: &mime,
                        parent: &parent,
                        owner: &owner,
                        content: Bytes::from(content),
                        at: now,
                    })
                });
                Ok(new)
            }
            DriveChange::Edit { file, content } => {
                let file = id(drive, &file)?;
                drive.edit(directory, &file, now, |file| {
                    file.content = Bytes::from(content);
                    file.modified = now;
                });
                Ok(file)
            }
            DriveChange::Share { file, grantee, role, discoverable } => {
                let file = id(drive, &file)?;
                if let Grantee::User(email) = &grantee {
                    directory.ensure_person(email);
                }
                let permission = Permission { grantee, role, discoverable };
                drive.change(directory, &file, now, |drive| drive.grant(&file, permission));
                Ok(file)
            }
            DriveChange::Unshare { file, grantee } => {
                let file = id(drive, &file)?;
                drive.change(directory, &file, now, |drive| drive.revoke(&file, &grantee));
                Ok(file)
            }
            DriveChange::Limit { file, limited } => {
                let file = id(drive, &file)?;
                drive.edit(directory, &file, now, |file| file.limited = limited);
                Ok(file)
            }
            DriveChange::Rename { file, name } => {
                let file = id(drive, &file)?;
                drive.edit(directory, &file, now, |file| {
                    file.name = name;
                    file.modified = now;
                });
                Ok(file)
            }
            DriveChange::Move { file, folder } => {
                let (file, folder) = (id(drive, &file)?, id(drive, &folder)?);
                let Some(target) = drive.files.get(&folder).filter(|target| target.is_folder()) else {
                    return Err(DriveProblem::NotAFolder(folder));
                };
                if drive.is_within(target, &file) {
                    return Err(DriveProblem::IntoItself(file));
                }
                drive.change(directory, &file, now, |drive| drive.move_to(&file, &folder));
                Ok(file)
            }
            DriveChange::Trash { file } => {
                let file = id(drive, &file)?;
                drive.set_trashed(directory, &file, true, now);
                Ok(file)
            }
            DriveChange::Untrash { file } => {
                let file = id(drive, &file)?;
                drive.set_trashed(directory, &file, false, now);
                Ok(file)
            }
            DriveChange::Delete { file } => {
                let file = id(drive, &file)?;
                drive.delete(directory, &file, now);
                Ok(file)
            }
            DriveChange::Comment { file, author, text } => {
                let file = id(drive, &file)?;
                drive.edit(directory, &file, now, |file| file.comments.push(Comment { author, text }));
                Ok(file)
            }
        }
    }

    /// The id of a file by its path from the top or its name.
    pub fn find(&self, key: &str) -> Option<String> {
        self.world.state.lock().drive.find(key).map(|file| file.id.clone())
    }

    /// The e-mails of everybody who may read a file, the directory's people considered.
    pub fn readers(&self, key: &str) -> Option<Vec<String>> {
        let state = self.world.state.lock();
        let id = state.drive.find(key)?.id.clone();
        Some(state.drive.audience(&state.directory, &id).into_iter().collect())
    }

    /// How many files there are, folders not counted.
    pub fn count(&self) -> usize {
        self.world.state.lock().drive.files.values().filter(|file| !file.is_folder()).count()
    }

    /// Everything held: files with their permissions and content, and shared drives.
    pub fn state(&self) -> Value {
        self.world.state.lock().drive.snapshot()
    }
}
