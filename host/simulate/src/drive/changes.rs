//! `changes`: a log per person, and one per shared drive. A token of one log is refused by another.

use super::{
    Caller, Parameters,
    error::DriveError,
    mask::Mask,
    model::{Change, Role, Subject},
    render::{View, drive as drive_resource},
    reply::{json_reply, masked},
    state::DriveState,
};
use crate::{
    clock::stamp,
    directory::Directory,
    world::{State, World},
};
use axum::{extract::State as Shared, response::Response};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

type Answer = Result<Response, DriveError>;

const LIST_FIELDS: &[&str] = &["kind", "nextPageToken", "newStartPageToken", "changes"];
const CHANGE_FIELDS: &[&str] = &[
    "kind",
    "changeType",
    "type",
    "time",
    "removed",
    "fileId",
    "file",
    "driveId",
    "drive",
    "teamDriveId",
    "teamDrive",
];
const DEFAULT_CHANGE: &str =
    "kind,changeType,type,time,removed,fileId,driveId,file(kind,id,name,mimeType,driveId),drive(kind,id,name)";

pub(crate) async fn start(Shared(world): Shared<Arc<World>>, caller: Caller, parameters: Parameters) -> Answer {
    caller.may_read_metadata()?;
    let state = world.state.lock();
    let log = log(&state, &caller, &parameters)?;
    let token = write_token(log, state.drive.head());
    Ok(json_reply(StatusCode::OK, &json!({ "kind": "drive#startPageToken", "startPageToken": token })))
}

pub(crate) async fn list(Shared(world): Shared<Arc<World>>, caller: Caller, parameters: Parameters) -> Answer {
    caller.may_read_metadata()?;
    let default = format!("kind,nextPageToken,newStartPageToken,changes({DEFAULT_CHANGE})");
    let mask =
        Mask::parse(parameters.get("fields").unwrap_or(&default), LIST_FIELDS, Some(("changes", CHANGE_FIELDS)))?;
    let inner = mask.inside("changes").cloned().unwrap_or_default();
    let size = parameters.page_size(100, 1000)?;
    let token = parameters.get("pageToken").ok_or_else(|| DriveError::required("pageToken"))?;
    let state = world.state.lock();
    let State { directory, drive, .. } = &*state;
    let log = log(&state, &caller, &parameters)?;
    let since = read_token(token, log)
        .filter(|since| *since <= drive.head())
        .ok_or_else(|| DriveError::invalid("pageToken"))?;

    let removals = parameters.get("includeRemoved") != Some("false");
    let page = Page { state: drive, directory, caller: &caller, log, mask: &inner };
    let entries: Vec<(u64, Value)> = latest(drive, log, &caller, since)
        .into_iter()
        .map(|change| (change.sequence, page.entry(change)))
        .filter(|(_, entry)| removals || entry["removed"] == false)
        .collect();
    let mut body = json!({ "kind": "drive#changeList" });
    match entries.get(size) {
        Some(_) => body["nextPageToken"] = write_token(log, entries[size - 1].0).into(),
        None => body["newStartPageToken"] = write_token(log, drive.head()).into(),
    }
    body["changes"] = entries.into_iter().take(size).map(|(_, entry)| entry).collect();
    masked(&body, &mask)
}

/// The shared drive whose log is meant; `None` is the caller's own.
fn log<'a>(state: &State, caller: &Caller, parameters: &'a Parameters) -> Result<Option<&'a str>, DriveError> {
    let Some(drive) = parameters.get("driveId").or(parameters.get("teamDriveId")) else { return Ok(None) };
    let supported = parameters.flag("supportsAllDrives") || parameters.flag("supportsTeamDrives");
    let member = state.drive.is_drive_member(&state.directory, drive, &caller.email);
    if member && supported { Ok(Some(drive)) } else { Err(DriveError::no_drive(drive)) }
}

/// Of each file only its last change is listed, at that change's place.
fn latest<'a>(state: &'a DriveState, log: Option<&str>, caller: &Caller, since: u64) -> Vec<&'a Change> {
    let mine = |change: &&Change| match log {
        Some(drive) => change.drive.as_deref() == Some(drive),
        None => change.audience.contains(&caller.email),
    };
    let start = state.changes.partition_point(|change| change.sequence <= since);
    let last: BTreeMap<&Subject, &Change> =
        state.changes[start..].iter().filter(mine).map(|change| (&change.subject, change)).collect();
    let mut last: Vec<&Change> = last.into_values().collect();
    last.sort_by_key(|change| change.sequence);
    last
}

struct Page<'a> {
    state: &'a DriveState,
    directory: &'a Directory,
    caller: &'a Caller,
    log: Option<&'a str>,
    mask: &'a Mask,
}

impl Page<'_> {
    fn entry(&self, change: &Change) -> Value {
        let mut entry = json!({ "kind": "drive#change", "time": stamp(change.at), "removed": false });
        match &change.subject {
            Subject::Drive(id) => {
                entry["changeType"] = "drive".into();
                entry["type"] = "teamDrive".into();
                entry["driveId"] = id.clone().into();
                let member = self.state.is_drive_member(self.directory, id, &self.caller.email);
                match self.state.drives.get(id).filter(|_| member) {
                    Some(drive) => entry["drive"] = drive_resource(drive),
                    None => entry["removed"] = true.into(),
                }
            }
            Subject::File(id) => {
                entry["changeType"] = "file".into();
                entry["type"] = "file".into();
                entry["fileId"] = id.clone().into();
                match self.visible(id) {
                    Some((file, role)) => {
                        let view = View { state: self.state, directory: self.directory, viewer: &self.caller.email };
                        let inner = self.mask.inside("file").cloned().unwrap_or_default();
                        entry["file"] = view.file(file, role, &inner);
                    }
                    None => entry["removed"] = true.into(),
                }
            }
        }
        entry
    }

    /// In a shared drive's log, a file that was moved to elsewhere is removed from it.
    fn visible(&self, id: &str) -> Option<(&super::model::File, Role)> {
        let found = self.state.visible(self.directory, id, &self.caller.email)?;
        (self.log.is_none() || found.0.drive.as_deref() == self.log).then_some(found)
    }
}

fn write_token(log: Option<&str>, sequence: u64) -> String {
    match log {
        None => sequence.to_string(),
        Some(drive) => format!("~!!~{}", BASE64_URL_SAFE_NO_PAD.encode(format!("{drive} {sequence}"))),
    }
}

fn read_token(token: &str, log: Option<&str>) -> Option<u64> {
    match (log, token.strip_prefix("~!!~")) {
        (None, None) => token.parse().ok(),
        (Some(drive), Some(inner)) => {
            let inner = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(inner).ok()?).ok()?;
            inner.split_once(' ').filter(|(theirs, _)| *theirs == drive)?.1.parse().ok()
        }
        _ => None,
    }
}
