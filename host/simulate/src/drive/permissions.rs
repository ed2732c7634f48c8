//! `files/{id}/permissions`: list (paged), get, create, update, delete.

use super::{
    Caller, Parameters,
    error::DriveError,
    files::reach,
    mask::Mask,
    model::{File, Grantee, Permission, Role},
    render::{PERMISSION_FIELDS, View, permission_id},
    reply::{masked, no_content},
    state::{DriveState, Effective},
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
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Answer = Result<Response, DriveError>;

const LIST_FIELDS: &[&str] = &["kind", "nextPageToken", "permissions"];
const DEFAULT_PERMISSION: &str = "kind,id,type,role,allowFileDiscovery";

pub(crate) async fn list(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path(id): Path<String>,
) -> Answer {
    caller.may_read_metadata()?;
    let default = format!("kind,nextPageToken,permissions({DEFAULT_PERMISSION})");
    let fields = parameters.get("fields").unwrap_or(&default);
    let mask = Mask::parse(fields, LIST_FIELDS, Some(("permissions", PERMISSION_FIELDS)))?;
    let state = world.state.lock();
    let State { directory, drive, .. } = &*state;
    let file = shareable(drive, directory, &id, &caller, &parameters)?;
    // "If unspecified, at most 100 for shared drives, and the entire list for non-shared drive files."
    let size = parameters.page_size(if file.drive.is_some() { 100 } else { usize::MAX }, 100)?;
    let all = drive.effective(file);
    let start =
        parameters.get("pageToken").map_or(Some(0), |token| read_token(token, &id)).filter(|at| *at <= all.len());
    let start = start.ok_or_else(|| DriveError::invalid("pageToken"))?;
    let end = start.saturating_add(size).min(all.len());
    let view = View { state: drive, directory, viewer: &caller.email };
    let mut body = json!({ "kind": "drive#permissionList" });
    if end < all.len() {
        body["nextPageToken"] = format!("~!!~{}", BASE64_URL_SAFE_NO_PAD.encode(format!("{id} {end}"))).into();
    }
    body["permissions"] = all[start..end].iter().map(|each| view.permission(each, file)).collect();
    masked(&body, &mask)
}

fn read_token(token: &str, id: &str) -> Option<usize> {
    let inner = BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix("~!!~")?).ok()?;
    let inner = String::from_utf8(inner).ok()?;
    inner.split_once(' ').filter(|(theirs, _)| *theirs == id)?.1.parse().ok()
}

pub(crate) async fn one(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path((id, permission)): Path<(String, String)>,
) -> Answer {
    caller.may_read_metadata()?;
    let state = world.state.lock();
    let State { directory, drive, .. } = &*state;
    let file = shareable(drive, directory, &id, &caller, &parameters)?;
    let found = find(drive, file, &permission).ok_or_else(|| no_permission(&permission))?;
    answer(&View { state: drive, directory, viewer: &caller.email }, &found, file, &parameters)
}

/// What a caller sends to share.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    email_address: Option<String>,
    domain: Option<String>,
    allow_file_discovery: Option<bool>,
}

impl Body {
    fn role(&self) -> Result<Role, DriveError> {
        let role = self.role.as_deref().ok_or_else(|| DriveError::required("permission.role"))?;
        Role::parse(role).filter(|role| *role != Role::Owner).ok_or_else(|| DriveError::invalid("permission.role"))
    }

    fn grantee(&self) -> Result<Grantee, DriveError> {
        let email = || {
            let email = self.email_address.as_deref().filter(|email| email.contains('@'));
            let missing = "The specified emailAddress is invalid or not applicable for the given permission type.";
            email.map(str::to_lowercase).ok_or_else(|| DriveError::new(400, "invalidSharingRequest", missing))
        };
        match self.kind.as_deref() {
            Some("user") => Ok(Grantee::User(email()?)),
            Some("group") => Ok(Grantee::Group(email()?)),
            Some("domain") => {
                self.domain.clone().map(Grantee::Domain).ok_or_else(|| DriveError::required("permission.domain"))
            }
            Some("anyone") => Ok(Grantee::Anyone),
            Some(_) => Err(DriveError::invalid("permission.type")),
            None => Err(DriveError::required("permission.type")),
        }
    }
}

pub(crate) async fn create(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path(id): Path<String>,
    Json(body): Json<Body>,
) -> Answer {
    caller.may_write()?;
    let (grantee, role) = (body.grantee()?, body.role()?);
    // Without the flag, a link that was shared with a domain or anyone is not to be found by searching.
    let discoverable = body.allow_file_discovery.unwrap_or(grantee.is_personal());
    let mut state = world.state.lock();
    let now = world.clock.now();
    let State { directory, drive, .. } = &mut *state;
    shareable(drive, directory, &id, &caller, &parameters)?;
    let permission = Permission { grantee: grantee.clone(), role, discoverable };
    drive.change(directory, &id, now, |drive| drive.grant(&id, permission));
    let file = drive.files.get(&id).ok_or_else(|| DriveError::no_file(&id))?;
    let found = find(drive, file, &permission_id(&grantee, discoverable)).ok_or_else(|| DriveError::no_file(&id))?;
    answer(&View { state: drive, directory, viewer: &caller.email }, &found, file, &parameters)
}

pub(crate) async fn update(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path((id, permission)): Path<(String, String)>,
    Json(body): Json<Body>,
) -> Answer {
    caller.may_write()?;
    let role = body.role()?;
    let mut state = world.state.lock();
    let now = world.clock.now();
    let State { directory, drive, .. } = &mut *state;
    let file = shareable(drive, directory, &id, &caller, &parameters)?;
    let found = own(drive, file, &permission)?;
    let changed = Permission { role, ..found };
    drive.change(directory, &id, now, |drive| drive.grant(&id, changed));
    let file = drive.files.get(&id).ok_or_else(|| DriveError::no_file(&id))?;
    let found = find(drive, file, &permission).ok_or_else(|| no_permission(&permission))?;
    answer(&View { state: drive, directory, viewer: &caller.email }, &found, file, &parameters)
}

pub(crate) async fn delete(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path((id, permission)): Path<(String, String)>,
) -> Answer {
    caller.may_write()?;
    let mut state = world.state.lock();
    let now = world.clock.now();
    let State { directory, drive, .. } = &mut *state;
    let file = shareable(drive, directory, &id, &caller, &parameters)?;
    let found = own(drive, file, &permission)?;
    drive.change(directory, &id, now, |drive| drive.revoke(&id, &found.grantee));
    Ok(no_content())
}

/// The file, if the caller may see who it is shared with: readers of My Drive files may not.
fn shareable<'a>(
    state: &'a DriveState,
    directory: &Directory,
    id: &str,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<&'a File, DriveError> {
    let (file, role) = reach(state, directory, id, caller, parameters)?;
    if role < Role::Writer && file.drive.is_none() { Err(DriveError::no_rights(id)) } else { Ok(file) }
}

fn find(state: &DriveState, file: &File, id: &str) -> Option<Effective> {
    state
        .effective(file)
        .into_iter()
        .find(|each| permission_id(&each.permission.grantee, each.permission.discoverable) == id)
}

/// A permission that stands on the file itself; one that is inherited must be changed where it stands.
fn own(state: &DriveState, file: &File, id: &str) -> Result<Permission, DriveError> {
    let found = find(state, file, id).ok_or_else(|| no_permission(id))?.permission;
    let own = file.permissions.iter().find(|permission| permission.grantee == found.grantee);
    let inherited =
        || DriveError::new(403, "cannotModifyInheritedPermission", "Cannot update or delete an inherited permission.");
    own.filter(|permission| permission.role != Role::Owner).cloned().ok_or_else(inherited)
}

fn no_permission(id: &str) -> DriveError {
    DriveError::new(404, "notFound", format!("Permission not found: {id}."))
}

fn answer(view: &View<'_>, found: &Effective, file: &File, parameters: &Parameters) -> Answer {
    let mask = Mask::parse(parameters.get("fields").unwrap_or(DEFAULT_PERMISSION), PERMISSION_FIELDS, None)?;
    let body: Value = view.permission(found, file);
    masked(&body, &mask)
}
