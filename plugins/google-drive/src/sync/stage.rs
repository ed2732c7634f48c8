//! Staging what a page names: folders as containers, files as documents.

use std::collections::BTreeMap;

use sallyport_sdk::prelude::*;

use super::access::{self, Place};
use super::content::{self, Fetched};
use super::document;
use super::pull::{Pull, Scope};
use crate::api;
use crate::model::{File, Permission, SHORTCUT};

/// Documents whose content is fetched at once.
const BATCH: usize = http::BATCH;

/// Permissions that had to be asked for, by file.
type Asked = BTreeMap<String, Option<Vec<Permission>>>;

/// Stages everything that a page names, as it is now.
pub(super) fn all(pull: &mut Pull<'_>, files: Vec<File>) -> Result<(), Failure> {
    let mut present = Vec::new();
    for file in files {
        if file.trashed {
            gone(pull, &file)?;
        } else if is_ours(pull, &file) {
            present.push(file);
        } else if !is_elsewhere(pull, &file) && file.kind() != SHORTCUT {
            gone(pull, &file)?;
        }
    }
    access::look_up_parents(pull, &present)?;
    let wanted: Vec<String> =
        present.iter().filter(|file| access::must_ask(pull, file)).map(|file| file.id.clone()).collect();
    let asked: Asked = wanted.iter().cloned().zip(api::permissions(&wanted)?).collect();

    let (folders, files): (Vec<File>, Vec<File>) = present.into_iter().partition(File::is_folder);
    for folder in &folders {
        self::folder(pull, folder, &asked)?;
    }
    documents(pull, &files, &asked)
}

/// The top folder of My Drive.
pub(super) fn root(pull: &mut Pull<'_>, root: &File) -> Result<(), Failure> {
    pull.cursor.root.clone_from(&root.id);
    people(pull, root, &Asked::new())?;
    let readers = access::readers(pull, root);
    pull.folders.insert(root.id.clone(), Some(readers));
    let access = access::of_top(pull, root);
    Ok(pull.sink.upsert_container(Container::new(&root.id, "drive", "My Drive").access(access))?)
}

/// Whether a file is for another stream of this connection to tell of.
pub(super) fn is_elsewhere(pull: &Pull<'_>, file: &File) -> bool {
    // What can be fetched by a link alone is told by no stream.
    let mine = file.owned_by_me || file.shared_with_me_time.is_some();
    match (&pull.scope, &file.drive_id) {
        (Scope::Mine, Some(drive)) => pull.drives.contains(drive),
        (Scope::Mine, None) => false,
        (Scope::Drive { id, .. }, Some(drive)) => drive != id && (mine || pull.drives.contains(drive)),
        (Scope::Drive { .. }, None) => mine,
    }
}

fn is_ours(pull: &Pull<'_>, file: &File) -> bool {
    let scope = match &pull.scope {
        Scope::Mine => !is_elsewhere(pull, file),
        Scope::Drive { id, .. } => file.drive_id.as_ref() == Some(id) && file.id != *id,
    };
    scope && file.kind() != SHORTCUT
}

fn gone(pull: &mut Pull<'_>, file: &File) -> Result<(), Failure> {
    if file.is_folder() {
        pull.folders.remove(&file.id);
        pull.sink.delete_container(&file.id)?;
        // What is in a trashed folder is trashed with it.
        pull.cursor.walk(&file.id);
        Ok(())
    } else {
        Ok(pull.sink.delete(&file.id)?)
    }
}

fn folder(pull: &mut Pull<'_>, file: &File, asked: &Asked) -> Result<(), Failure> {
    if file.id == pull.cursor.root {
        return root(pull, file);
    }
    people(pull, file, asked)?;
    let place = access::place(pull, file);
    let access = readers(pull, file, &place, asked);
    let container = Container::new(&file.id, "folder", file.title()).parent(place.container).access(access);
    pull.sink.upsert_container(container)?;
    let readers = access::readers(pull, file);
    pull.folders.insert(file.id.clone(), Some(readers));
    pull.cursor.walk(&file.id);
    Ok(())
}

fn readers(pull: &Pull<'_>, file: &File, place: &Place, asked: &Asked) -> Access {
    match &file.drive_id {
        Some(_) => access::of_shared(pull, file, place, asked.get(&file.id).and_then(|all| all.as_deref())),
        None => access::of_mine(pull, file, place),
    }
}

/// Stages files; those whose stored revision is the same are not fetched again.
fn documents(pull: &mut Pull<'_>, files: &[File], asked: &Asked) -> Result<(), Failure> {
    let stored = pull.sink.revisions(files.iter().map(|file| &file.id))?;
    let mut changed = Vec::new();
    let mut unchanged = Vec::new();
    for (file, stored) in files.iter().zip(stored) {
        people(pull, file, asked)?;
        let place = access::place(pull, file);
        let access = readers(pull, file, &place, asked);
        let document = document::of(file, &place.container).access(access);
        if stored.is_some() && stored == document.revision {
            pull.sink.set_access(&file.id, document.access)?;
            unchanged.push(file.id.clone());
        } else {
            changed.push((file, document));
        }
    }
    pull.sink.seen(unchanged)?;
    let mut changed = changed.into_iter();
    loop {
        let batch: Vec<(&File, Document)> = changed.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(());
        }
        fetched(pull, batch)?;
    }
}

fn fetched(pull: &mut Pull<'_>, batch: Vec<(&File, Document)>) -> Result<(), Failure> {
    let files: Vec<&File> = batch.iter().map(|(file, _)| *file).collect();
    let mut weight = 0;
    let mut later = None;
    for ((file, mut document), fetched) in batch.into_iter().zip(content::fetch(&files)) {
        match fetched {
            Fetched::Content(content, truncated) => {
                weight += content::weight(file, &content);
                document = document.content(content).truncated(truncated);
            }
            // Without a revision it counts as changed whenever it is met again.
            Fetched::Failed => {
                document.revision = None;
                document = document.truncated(true);
            }
            Fetched::Later(failure) => {
                later.get_or_insert(failure);
                continue;
            }
            Fetched::Vanished => continue,
        }
        pull.sink.upsert(document)?;
    }
    // The page is not done, and will be read again: what is kept of it is not fetched twice. Without this, a page of which a
    // rate limit lets only a part be fetched would never be finished.
    if later.is_some() || weight > content::MUCH {
        pull.cursor.part += 1;
        pull.checkpoint()?;
    }
    later.map_or(Ok(()), Err)
}

fn people(pull: &mut Pull<'_>, file: &File, asked: &Asked) -> Result<(), Failure> {
    for owner in &file.owners {
        pull.person(owner)?;
    }
    let asked = asked.get(&file.id).and_then(Option::as_ref);
    for permission in file.permissions.iter().chain(asked).flatten() {
        pull.grantee(permission)?;
    }
    Ok(())
}
