//! `files`: get, create, update, delete; `list` has a module of its own.

use super::{
    Caller, Parameters, content,
    error::DriveError,
    mask::Mask,
    model::{DOCUMENT, FOLDER, File, Role},
    render::{FILE_FIELDS, View},
    reply::{json_reply, masked, no_content},
    state::{DriveState, NewFile},
};
use crate::{
    directory::Directory,
    world::{State, World},
};
use axum::{
    Json,
    extract::{Path, State as Shared},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

type Answer = Result<Response, DriveError>;

pub(crate) const DEFAULT_FILE: &str = "kind,id,name,mimeType,driveId,teamDriveId";

pub(crate) fn file_mask(parameters: &Parameters) -> Result<Mask, DriveError> {
    Mask::parse(parameters.get("fields").unwrap_or(DEFAULT_FILE), FILE_FIELDS, None)
}

/// A file that the caller may see, as far as `supportsAllDrives` lets them.
pub(crate) fn reach<'a>(
    state: &'a DriveState,
    directory: &Directory,
    id: &str,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<(&'a File, Role), DriveError> {
    let all_drives = parameters.flag("supportsAllDrives") || parameters.flag("supportsTeamDrives");
    let found = state.visible(directory, id, &caller.email);
    found.filter(|(file, _)| all_drives || file.drive.is_none()).ok_or_else(|| DriveError::no_file(id))
}

pub(crate) async fn one(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let media = parameters.get("alt") == Some("media");
    if media {
        caller.may_read()?
    } else {
        caller.may_read_metadata()?
    }
    let mask = file_mask(&parameters)?;
    let mut state = world.state.lock();
    let id = resolve(&mut state, &world, &id, &caller);
    let State { directory, drive, .. } = &*state;
    let (file, role) = reach(drive, directory, &id, &caller, &parameters)?;
    if media {
        return content::media(file, &headers);
    }
    let view = View { state: drive, directory, viewer: &caller.email };
    masked(&view.file(file, role, &mask), &mask)
}

/// `root` is the caller's own.
pub(crate) fn resolve(state: &mut State, world: &World, id: &str, caller: &Caller) -> String {
    let now = world.clock.now();
    if id == "root" { state.drive.root_of(&caller.email, now) } else { id.to_owned() }
}

/// What a create or update may set.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    pub id: Option<String>,
    pub name: Option<String>,
    pub mime_type: Option<String>,
    pub parents: Option<Vec<String>>,
    pub description: Option<String>,
    pub trashed: Option<bool>,
    pub properties: BTreeMap<String, Option<String>>,
    pub app_properties: BTreeMap<String, Option<String>>,
}

pub(crate) async fn create(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    metadata: Option<Json<Metadata>>,
) -> Answer {
    let metadata = metadata.map(|Json(metadata)| metadata).unwrap_or_default();
    place(&world, &caller, &parameters, metadata, None)
}

/// Creates a file with content (its type and bytes) or without.
pub(crate) fn place(
    world: &World,
    caller: &Caller,
    parameters: &Parameters,
    metadata: Metadata,
    media: Option<(String, Bytes)>,
) -> Answer {
    caller.may_write()?;
    let mask = file_mask(parameters)?;
    let mut state = world.state.lock();
    let now = world.clock.now();
    let parent = match metadata.parents.as_deref() {
        Some([parent]) => parent.clone(),
        None | Some([]) => "root".to_owned(),
        Some(_) => {
            return Err(DriveError::new(403, "cannotAddParent", "Increasing the number of parents is not allowed"));
        }
    };
    let parent = resolve(&mut state, world, &parent, caller);
    let State { directory, drive, .. } = &mut *state;
    let (folder, role) = reach(drive, directory, &parent, caller, parameters)?;
    if role < Role::Writer || !folder.is_folder() {
        return Err(DriveError::no_rights(&parent));
    }
    if metadata.id.as_ref().is_some_and(|id| drive.files.contains_key(id)) {
        return Err(DriveError::new(409, "fileIdInUse", "A file already exists with the provided ID."));
    }
    let (media_type, bytes) = media.unwrap_or_default();
    let mime_type = metadata.mime_type.unwrap_or_else(|| match media_type.split(';').next() {
        Some("") | None => "application/octet-stream".to_owned(),
        Some(kind) => kind.trim().to_owned(),
    });
    let content = if mime_type == DOCUMENT { content::to_markdown(&media_type, bytes) } else { bytes };
    let id = metadata.id.unwrap_or_else(|| format!("1{}", crate::tokens::random_text()));
    let new = NewFile {
        id: Some(id.clone()),
        name: metadata.name.as_deref().unwrap_or("Untitled"),
        mime_type: &mime_type,
        parent: &parent,
        owner: &caller.email,
        content: if mime_type == FOLDER { Bytes::new() } else { content },
        at: now,
    };
    drive.change(directory, &id, now, |drive| {
        drive.insert(new);
        if let Some(file) = drive.files.get_mut(&id) {
            file.description = metadata.description;
            merge(&mut file.properties, metadata.properties);
            merge(&mut file.app_properties, metadata.app_properties);
        }
    });
    answer(drive, directory, caller, &id, &mask)
}

pub(crate) async fn update(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path(id): Path<String>,
    metadata: Option<Json<Metadata>>,
) -> Answer {
    caller.may_write()?;
    let mask = file_mask(&parameters)?;
    let metadata = metadata.map(|Json(metadata)| metadata).unwrap_or_default();
    let now = world.clock.now();
    let mut state = world.state.lock();
    let State { directory, drive, .. } = &mut *state;
    let (file, role) = reach(drive, directory, &id, &caller, &parameters)?;
    let may_trash = role >= Role::Organizer || file.drive.is_some();
    if role < Role::Writer || (metadata.trashed.is_some() && !may_trash) {
        return Err(DriveError::no_rights(&id));
    }
    if let Some(folder) = parameters.get("addParents") {
        let (_, role) = reach(drive, directory, folder, &caller, &parameters)?;
        if role < Role::Writer || drive.files.get(folder).is_some_and(|folder| drive.is_within(folder, &id)) {
            return Err(DriveError::no_rights(folder));
        }
        drive.change(directory, &id, now, |drive| drive.move_to(&id, folder));
    }
    if let Some(trashed) = metadata.trashed {
        drive.set_trashed(directory, &id, trashed, now);
    }
    let renamed = metadata.name.is_some() || metadata.description.is_some();
    if renamed || !metadata.properties.is_empty() || !metadata.app_properties.is_empty() {
        drive.change(directory, &id, now, |drive| {
            let Some(file) = drive.files.get_mut(&id) else { return };
            if renamed {
                (file.modified, file.modified_by) = (now, caller.email.clone());
            }
            file.name = metadata.name.unwrap_or_else(|| file.name.clone());
            file.description = metadata.description.or(file.description.take());
            merge(&mut file.properties, metadata.properties);
            merge(&mut file.app_properties, metadata.app_properties);
        });
    }
    answer(drive, directory, &caller, &id, &mask)
}

pub(crate) async fn delete(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path(id): Path<String>,
) -> Answer {
    caller.may_write()?;
    let mut state = world.state.lock();
    let State { directory, drive, .. } = &mut *state;
    let (_, role) = reach(drive, directory, &id, &caller, &parameters)?;
    if role < Role::Organizer {
        return Err(DriveError::no_rights(&id));
    }
    drive.delete(directory, &id, world.clock.now());
    Ok(no_content())
}

/// Ids to create files with, so that a create can be repeated: the second try is answered 409.
pub(crate) async fn generate_ids(caller: Caller, parameters: Parameters) -> Answer {
    caller.may_write()?;
    let count = parameters.get("count").map_or(Ok(10), |count| count.parse::<usize>());
    let count = count.ok().filter(|count| (1..=1000).contains(count)).ok_or_else(|| DriveError::invalid("count"))?;
    let ids: Vec<String> = (0..count).map(|_| format!("1{}", &crate::tokens::random_text()[..32])).collect();
    Ok(json_reply(StatusCode::OK, &json!({ "kind": "drive#generatedIds", "space": "drive", "ids": ids })))
}

fn answer(drive: &DriveState, directory: &Directory, caller: &Caller, id: &str, mask: &Mask) -> Answer {
    let (file, role) = drive.visible(directory, id, &caller.email).ok_or_else(|| DriveError::no_file(id))?;
    masked(&View { state: drive, directory, viewer: &caller.email }.file(file, role, mask), mask)
}

fn merge(into: &mut BTreeMap<String, String>, from: BTreeMap<String, Option<String>>) {
    for (key, value) in from {
        match value {
            Some(value) => into.insert(key, value),
            None => into.remove(&key),
        };
    }
}
