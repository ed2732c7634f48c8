//! Following the change log, and looking into folders that changed.
//!
//! A folder's change says nothing of what is in it: whoever is given a folder, or moves one, sees
//! one change. So a changed folder is walked, and what is in it is looked at like a change.

use sallyport_sdk::prelude::*;

use super::crawl;
use super::pull::{self, Pull, Refused, Scope, Step};
use super::stage;
use crate::api;
use crate::model::{Change, ChangeList, File};

/// Changes a page (the service gives up to 1,000).
const PAGE: usize = 250;
/// Folders whose content is asked for at once.
const WALKED_AT_ONCE: usize = 20;

pub(super) fn step(pull: &mut Pull<'_>) -> Result<Step, Refused> {
    if !pull.caught_up {
        return catch_up(pull);
    }
    if pull.cursor.walking.is_empty() {
        let from = pull.cursor.walks.len().saturating_sub(WALKED_AT_ONCE);
        pull.cursor.walking = pull.cursor.walks.split_off(from);
    }
    if pull.cursor.walking.is_empty() { Ok(Step::Done) } else { walk(pull) }
}

/// The next page of changes.
fn catch_up(pull: &mut Pull<'_>) -> Result<Step, Refused> {
    let token = pull.cursor.token.clone();
    let fields = format!(
        "nextPageToken,newStartPageToken,changes(changeType,removed,fileId,driveId,file({}))",
        api::file_fields()
    );
    let list: ChangeList = pull::page(Some(&token), || {
        pull.scoped(api::get(["changes"]))
            .query("includeRemoved", true)
            .query("pageSize", PAGE)
            .query("fields", &fields)
    })?;
    apply(pull, list.changes)?;
    // Only the last page says where later changes begin.
    match (list.next_page_token, list.new_start_page_token) {
        (Some(next), _) if next == token => {
            return Err(Failure::other("paging-loop", "the changes do not come to an end").into());
        }
        (Some(next), _) => pull.cursor.token = next,
        (None, Some(new)) => {
            pull.cursor.token = new;
            pull.caught_up = true;
        }
        (None, None) => {
            return Err(
                Failure::other("unexpected-answer", "a page of changes names neither a next page nor a token").into()
            );
        }
    }
    Ok(Step::On)
}

fn apply(pull: &mut Pull<'_>, changes: Vec<Change>) -> Result<(), Failure> {
    // The last word on a file counts.
    let mut removed: Vec<String> = Vec::new();
    let mut present: Vec<File> = Vec::new();
    for change in changes {
        if change.change_type.as_deref() == Some("drive") {
            if let Some(drive) = change.drive_id {
                drive_changed(pull, &drive, change.removed)?;
            }
            continue;
        }
        let Some(id) = change.file_id.or_else(|| change.file.as_ref().map(|file| file.id.clone())) else { continue };
        present.retain(|file| file.id != id);
        removed.retain(|known| *known != id);
        match change.file.filter(|_| !change.removed) {
            Some(file) => present.push(file),
            None if change.removed => removed.push(id),
            None => {}
        }
    }
    drop_removed(pull, &removed)?;
    stage::all(pull, present)
}

/// A drive's own stream looks at it in every pull; here its loss is told to what was shared from it.
fn drive_changed(pull: &mut Pull<'_>, drive: &str, removed: bool) -> Result<(), Failure> {
    if removed && matches!(pull.scope, Scope::Mine) {
        pull.sink.delete_container(drive)?;
    }
    Ok(())
}

/// Deletes what was removed, unless it has only moved to where another stream finds it: that one
/// may have given it already, and streams are not in step.
fn drop_removed(pull: &mut Pull<'_>, ids: &[String]) -> Result<(), Failure> {
    let answers = http::send_all(ids.iter().map(|id| api::file(id)));
    for (id, answer) in ids.iter().zip(answers) {
        let found = answer.map_err(Failure::from).and_then(api::check).and_then(|response| response.json::<File>());
        match found {
            Ok(file) if !file.trashed && stage::is_elsewhere(pull, &file) => {}
            Err(failure @ (Failure::NeedsReauth(_) | Failure::Later { .. })) => return Err(failure),
            // Also what can still be fetched by whoever has the link: that makes no reader.
            _ => {
                pull.folders.remove(id);
                pull.sink.delete(id)?;
                pull.sink.delete_container(id)?;
            }
        }
    }
    Ok(())
}

/// The next page of what is in the folders that are being walked, trashed or not.
fn walk(pull: &mut Pull<'_>) -> Result<Step, Refused> {
    let folders: Vec<String> = pull.cursor.walking.iter().map(|id| format!("'{id}' in parents")).collect();
    let list = crawl::list(pull, &folders.join(" or "))?;
    stage::all(pull, list.files)?;
    pull.cursor.page = list.next_page_token;
    if pull.cursor.page.is_none() {
        pull.cursor.walking.clear();
    }
    Ok(Step::On)
}
