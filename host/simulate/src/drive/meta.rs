//! `about`, `drives`, `comments`, and the Admin SDK's groups.

use super::{
    Caller, Parameters,
    error::DriveError,
    files::reach,
    mask::Mask,
    model::Grantee,
    render::{View, drive as drive_resource, permission_id},
    reply::{json_reply, masked},
};
use crate::{
    clock::stamp,
    world::{State, World},
};
use axum::{
    extract::{Path, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

type Answer = Result<Response, DriveError>;

const ABOUT_FIELDS: &[&str] =
    &["kind", "user", "storageQuota", "canCreateDrives", "maxUploadSize", "exportFormats", "importFormats"];
const DRIVE_FIELDS: &[&str] =
    &["kind", "id", "name", "colorRgb", "createdTime", "hidden", "restrictions", "capabilities", "themeId"];

pub(crate) async fn about(Shared(world): Shared<Arc<World>>, caller: Caller, parameters: Parameters) -> Answer {
    caller.may_read_metadata()?;
    let fields = parameters.get("fields").ok_or_else(|| DriveError::required("fields"))?;
    let mask = Mask::parse(fields, ABOUT_FIELDS, None)?;
    let state = world.state.lock();
    let view = View { state: &state.drive, directory: &state.directory, viewer: &caller.email };
    let body = json!({
        "kind": "drive#about",
        "user": view.user(&caller.email),
        "storageQuota": { "limit": "2199023255552", "usage": "1048576", "usageInDrive": "1048576", "usageInDriveTrash": "0" },
        "maxUploadSize": "5242880000000",
        "canCreateDrives": true,
    });
    masked(&body, &mask)
}

pub(crate) async fn drives(Shared(world): Shared<Arc<World>>, caller: Caller, parameters: Parameters) -> Answer {
    caller.may_read_metadata()?;
    let default = "kind,nextPageToken,drives(kind,id,name)";
    let fields = parameters.get("fields").unwrap_or(default);
    let mask = Mask::parse(fields, &["kind", "nextPageToken", "drives"], Some(("drives", DRIVE_FIELDS)))?;
    let size = parameters.page_size(10, 100)?;
    let state = world.state.lock();
    let State { directory, drive, .. } = &*state;
    // The token is the id of the last drive that was sent.
    let after = parameters
        .get("pageToken")
        .map(|token| token.strip_prefix("~!!~").ok_or_else(|| DriveError::invalid("pageToken")));
    let after = after.transpose()?.unwrap_or_default();
    let mine: Vec<_> = drive
        .drives
        .values()
        .filter(|each| each.id.as_str() > after && drive.is_drive_member(directory, &each.id, &caller.email))
        .collect();
    let mut body = json!({ "kind": "drive#driveList" });
    if mine.len() > size {
        body["nextPageToken"] = format!("~!!~{}", mine[size - 1].id).into();
    }
    body["drives"] = mine.into_iter().take(size).map(drive_resource).collect();
    masked(&body, &mask)
}

pub(crate) async fn one_drive(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path(id): Path<String>,
) -> Answer {
    caller.may_read_metadata()?;
    let mask = Mask::parse(parameters.get("fields").unwrap_or("kind,id,name"), DRIVE_FIELDS, None)?;
    let state = world.state.lock();
    let member = state.drive.is_drive_member(&state.directory, &id, &caller.email);
    let drive = state.drive.drives.get(&id).filter(|_| member).ok_or_else(|| DriveError::no_drive(&id))?;
    masked(&drive_resource(drive), &mask)
}

pub(crate) async fn comments(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path(id): Path<String>,
) -> Answer {
    caller.may_read()?;
    let fields = parameters.get("fields").ok_or_else(|| DriveError::required("fields"))?;
    let mask = Mask::parse(fields, &["kind", "nextPageToken", "comments"], None)?;
    let size = parameters.page_size(20, 100)?;
    let state = world.state.lock();
    let State { directory, drive, .. } = &*state;
    let everywhere = Parameters([("supportsAllDrives".to_owned(), "true".to_owned())].into());
    let (file, _) = reach(drive, directory, &id, &caller, &everywhere)?;
    let start = parameters.get("pageToken").map_or(Some(0), |token| token.strip_prefix("~!!~")?.parse::<usize>().ok());
    let start = start.filter(|at| *at <= file.comments.len()).ok_or_else(|| DriveError::invalid("pageToken"))?;
    let end = (start + size).min(file.comments.len());
    let view = View { state: drive, directory, viewer: &caller.email };
    let comment = |(at, comment): (usize, &super::model::Comment)| {
        json!({
            "kind": "drive#comment", "id": format!("AAAB{}{at:04}", &file.id[..8.min(file.id.len())]),
            "createdTime": stamp(file.modified), "modifiedTime": stamp(file.modified),
            "author": { "kind": "drive#user", "displayName": view.user(&comment.author)["displayName"], "me": comment.author == caller.email },
            "content": comment.text, "htmlContent": comment.text, "deleted": false, "resolved": false, "replies": [],
        })
    };
    let mut body = json!({ "kind": "drive#commentList" });
    if end < file.comments.len() {
        body["nextPageToken"] = format!("~!!~{end}").into();
    }
    body["comments"] = file.comments[start..end].iter().enumerate().map(comment).collect();
    masked(&body, &mask)
}

/// Admin SDK Directory API: groups of the domain. Administrators only.
pub(crate) async fn groups(Shared(world): Shared<Arc<World>>, caller: Caller, parameters: Parameters) -> Answer {
    let state = world.state.lock();
    administrator(&state, &caller)?;
    let directory = &state.directory;
    let of = parameters.get("userKey");
    let found = directory.groups().filter(|(_, members)| of.is_none_or(|user| members.contains(user)));
    let groups: Vec<Value> = found
        .map(|(email, members)| {
            json!({
                "kind": "admin#directory#group", "id": permission_id(&Grantee::Group(email.to_owned()), true), "email": email,
                "name": email.split('@').next(), "directMembersCount": members.len().to_string(),
            })
        })
        .collect();
    Ok(json_reply(StatusCode::OK, &json!({ "kind": "admin#directory#groups", "groups": groups })))
}

/// Admin SDK Directory API: direct members of a group, which may be groups.
pub(crate) async fn members(Shared(world): Shared<Arc<World>>, caller: Caller, Path(group): Path<String>) -> Answer {
    let state = world.state.lock();
    administrator(&state, &caller)?;
    let directory = &state.directory;
    let members =
        directory.members(&group).ok_or_else(|| DriveError::new(404, "notFound", "Resource Not Found: groupKey"))?;
    let member = |email: &String| {
        let kind = if directory.members(email).is_some() { "GROUP" } else { "USER" };
        json!({
            "kind": "admin#directory#member", "id": permission_id(&Grantee::User(email.clone()), true), "email": email,
            "role": "MEMBER", "type": kind, "status": "ACTIVE",
        })
    };
    let members: Vec<Value> = members.iter().map(member).collect();
    Ok(json_reply(StatusCode::OK, &json!({ "kind": "admin#directory#members", "members": members })))
}

fn administrator(state: &State, caller: &Caller) -> Result<(), DriveError> {
    let admin = state.directory.person(&caller.email).is_some_and(|person| person.admin);
    if admin { Ok(()) } else { Err(DriveError::new(403, "forbidden", "Not Authorized to access this resource/api")) }
}
