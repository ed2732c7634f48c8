//! `files`: list, get, create, update, delete.

use super::{
    Caller, Parameters, content,
    error::DriveError,
    mask::Mask,
    model::{DOCUMENT, FOLDER, File, Role},
    query::{Query, Scene},
    render::{FILE_FIELDS, View},
    reply::{json_reply, masked, no_content},
    state::{DriveState, NewFile},
};
use crate::{
    clock::stamp,
    directory::Directory,
    world::{State, World},
};
use axum::{
    Json,
    extract::{Path, State as Shared},
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

type Answer = Result<Response, DriveError>;

const LIST_FIELDS: &[&str] = &["kind", "nextPageToken", "incompleteSearch", "files"];
const DEFAULT_FILE: &str = "kind,id,name,mimeType,driveId,teamDriveId";

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

pub(crate) async fn list(Shared(world): Shared<Arc<World>>, caller: Caller, parameters: Parameters) -> Answer {
    caller.may_read_metadata()?;
    let default = format!("kind,nextPageToken,incompleteSearch,files({DEFAULT_FILE})");
    let mask = Mask::parse(parameters.get("fields").unwrap_or(&default), LIST_FIELDS, Some(("files", FILE_FIELDS)))?;
    let query = Query::parse(parameters.get("q").unwrap_or_default())?;
    let order = Order::parse(parameters.get("orderBy").unwrap_or_default())?;
    if query.has_full_text() && !order.0.is_empty() {
        let why = "Sorting is not supported for queries with fullText terms. Results are always in descending relevance order.";
        return Err(DriveError::new(403, "forbidden", why));
    }
    let size = parameters.page_size(100, 1000)?;

    let mut state = world.state.lock();
    let now = world.clock.now();
    let State { directory, drive, .. } = &mut *state;
    let root = drive.root_of(&caller.email, now);
    let corpus = Corpus::of(&parameters, drive, directory, &caller)?;
    let scene = Scene { state: drive, directory, viewer: &caller.email, root: &root };
    let mut found: Vec<(Vec<String>, &File, Role)> = drive
        .files
        .values()
        .filter(|file| file.parent.is_some())
        .filter_map(|file| Some((file, corpus.includes(drive, directory, file, &caller.email)?)))
        .filter(|(file, _)| query.matches(file, &scene))
        .map(|(file, role)| (order.keys(file), file, role))
        .collect();
    found.sort_by(|a, b| order.compare(&a.0, &b.0));

    let fingerprint = fingerprint(&caller, &parameters);
    let after = parameters.get("pageToken").map(|token| Token::read(token, &fingerprint)).transpose()?;
    let start = after.map_or(0, |after| found.partition_point(|found| order.compare(&found.0, &after).is_le()));
    let page = &found[start..found.len().min(start + size)];
    let view = View { state: drive, directory, viewer: &caller.email };
    let inner = mask.inside("files").cloned().unwrap_or_default();
    let files: Vec<Value> = page.iter().map(|(_, file, role)| view.file(file, *role, &inner)).collect();
    let mut body = json!({ "kind": "drive#fileList" });
    if start + size < found.len() {
        body["nextPageToken"] = Token::write(&page[page.len() - 1].0, &fingerprint).into();
    }
    body["incompleteSearch"] = false.into();
    body["files"] = files.into();
    masked(&body, &mask)
}

/// Which collection a list is of.
enum Corpus {
    /// What the person owns or is shared with them; with the flag, also items of shared drives that are.
    User {
        shared_items: bool,
    },
    /// Also what their domain and everybody can find.
    Domain,
    Drive(String),
    AllDrives,
}

impl Corpus {
    fn of(
        parameters: &Parameters,
        state: &DriveState,
        directory: &Directory,
        caller: &Caller,
    ) -> Result<Self, DriveError> {
        let items = parameters.flag("includeItemsFromAllDrives") || parameters.flag("includeTeamDriveItems");
        let supported = parameters.flag("supportsAllDrives") || parameters.flag("supportsTeamDrives");
        let drive = parameters.get("driveId").or(parameters.get("teamDriveId"));
        let only_with = |message: &str| Err(DriveError::new(400, "invalid", message));
        match (parameters.get("corpora").or(parameters.get("corpus")).unwrap_or("user"), drive) {
            ("drive" | "teamDrive", None) | ("user" | "domain" | "allDrives", Some(_)) => {
                only_with("The driveId parameter must be specified if and only if corpora is set to drive.")
            }
            ("drive" | "teamDrive" | "allDrives", _) if !(items && supported) => only_with(
                "The supportsAllDrives and includeItemsFromAllDrives parameters must be set to true to list shared drive items.",
            ),
            ("drive" | "teamDrive", Some(drive)) => match state.is_drive_member(directory, drive, &caller.email) {
                true => Ok(Self::Drive(drive.to_owned())),
                false => Err(DriveError::no_drive(drive)),
            },
            ("user", None) => Ok(Self::User { shared_items: items && supported }),
            ("domain", None) => Ok(Self::Domain),
            ("allDrives", None) => Ok(Self::AllDrives),
            _ => Err(DriveError::invalid("corpora")),
        }
    }

    fn includes(&self, state: &DriveState, directory: &Directory, file: &File, email: &str) -> Option<Role> {
        if let Self::Drive(drive) = self {
            return (file.drive.as_ref() == Some(drive)).then(|| state.role(directory, file, email)).flatten();
        }
        let effective = state.effective(file);
        let mine: Vec<_> = effective.iter().filter(|each| each.permission.grantee.includes(directory, email)).collect();
        let role = mine.iter().map(|each| each.permission.role).max()?;
        let in_drive = file.drive.is_some();
        let member = file.drive.as_deref().is_some_and(|drive| state.is_drive_member(directory, drive, email));
        let personal = mine.iter().any(|each| each.permission.grantee.is_personal());
        let found = match self {
            Self::User { shared_items } => personal && (!in_drive || (*shared_items && !member)),
            Self::Domain => !in_drive && mine.iter().any(|each| personal || each.permission.discoverable),
            _ => personal || member,
        };
        found.then_some(role)
    }
}

/// `orderBy`: keys, each perhaps descending; last of all the id, so that the order is total.
struct Order(Vec<(String, bool)>);

impl Order {
    fn parse(text: &str) -> Result<Self, DriveError> {
        const KEYS: [&str; 8] = [
            "createdTime",
            "folder",
            "modifiedByMeTime",
            "modifiedTime",
            "name",
            "name_natural",
            "quotaBytesUsed",
            "recency",
        ];
        let each = |part: &str| {
            let (key, descending) = match part.trim().split_once(' ') {
                Some((key, "desc")) => (key, true),
                Some(_) => return Err(DriveError::invalid("orderBy")),
                None => (part.trim(), false),
            };
            KEYS.contains(&key).then(|| (key.to_owned(), descending)).ok_or_else(|| DriveError::invalid("orderBy"))
        };
        text.split(',').filter(|part| !part.trim().is_empty()).map(each).collect::<Result<_, _>>().map(Self)
    }

    fn keys(&self, file: &File) -> Vec<String> {
        let key = |(key, _): &(String, bool)| match key.as_str() {
            "createdTime" => stamp(file.created),
            "folder" => u8::from(!file.is_folder()).to_string(),
            "name" | "name_natural" => file.name.to_lowercase(),
            "quotaBytesUsed" => format!("{:020}", file.content.len()),
            _ => stamp(file.modified),
        };
        self.0.iter().map(key).chain([file.id.clone()]).collect()
    }

    fn compare(&self, a: &[String], b: &[String]) -> Ordering {
        let directions = self.0.iter().map(|(_, descending)| *descending).chain([false]);
        let each = a.iter().zip(b).zip(directions).map(|((a, b), down)| if down { b.cmp(a) } else { a.cmp(b) });
        each.fold(Ordering::Equal, Ordering::then)
    }
}

/// A page token names the last file of its page, and works only for the list that it came from.
struct Token;

impl Token {
    fn write(keys: &[String], fingerprint: &str) -> String {
        format!("~!!~{}", BASE64_URL_SAFE_NO_PAD.encode(json!([fingerprint, keys]).to_string()))
    }

    fn read(token: &str, fingerprint: &str) -> Result<Vec<String>, DriveError> {
        let inner = token.strip_prefix("~!!~").and_then(|token| BASE64_URL_SAFE_NO_PAD.decode(token).ok());
        let inner = inner.and_then(|inner| serde_json::from_slice::<(String, Vec<String>)>(&inner).ok());
        inner
            .filter(|(theirs, _)| theirs == fingerprint)
            .map(|(_, keys)| keys)
            .ok_or_else(|| DriveError::invalid("pageToken"))
    }
}

fn fingerprint(caller: &Caller, parameters: &Parameters) -> String {
    let named = ["q", "corpora", "driveId", "orderBy"].map(|name| parameters.get(name).unwrap_or_default());
    hex::encode(&Sha256::digest(format!("{} {named:?}", caller.email))[..8])
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
    let id = metadata.id.unwrap_or_else(|| format!("1{}", &crate::tokens::random_text()[..43.min(43)]));
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
