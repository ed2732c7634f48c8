//! `files.list`: collections, order and page tokens.

use super::{
    Caller, Parameters,
    error::DriveError,
    files::DEFAULT_FILE,
    mask::Mask,
    model::{File, Role},
    query::{Query, Scene},
    render::{FILE_FIELDS, View},
    reply::masked,
    state::DriveState,
};
use crate::{
    clock::stamp,
    directory::Directory,
    world::{State, World},
};
use axum::{extract::State as Shared, response::Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{cmp::Ordering, sync::Arc};

const LIST_FIELDS: &[&str] = &["kind", "nextPageToken", "incompleteSearch", "files"];

pub(crate) async fn list(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, DriveError> {
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
