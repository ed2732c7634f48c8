//! Requests to the Drive API v3 and what its answers mean.

use sallyport_sdk::http::{Request, Response};
use sallyport_sdk::paging::{self, Page};
use sallyport_sdk::prelude::*;
use serde::de::DeserializeOwned;

use crate::model::{About, Drive, DriveList, Permission, PermissionList, User};

const API: &str = "https://www.googleapis.com/drive/v3";
const UPLOAD: &str = "https://www.googleapis.com/upload/drive/v3";
const DIRECTORY: &str = "https://admin.googleapis.com/admin/directory/v1";

const PERMISSION_FIELDS: &str = "id,type,role,emailAddress,domain,displayName,allowFileDiscovery,expirationTime,\
                                 deleted,view,permissionDetails";
/// The most permissions a page (permissions.list, `pageSize`).
const PERMISSIONS_PAGE: usize = 100;
/// The most drives a page (drives.list, `pageSize`).
const DRIVES_PAGE: usize = 100;
/// The most that a listing may be, in bytes; above 4 MiB it is read through the host's blob.
const LARGEST_LISTING: usize = 32 * 1024 * 1024;
/// How long to wait when a quota is used up, in milliseconds: Google seldom says.
const QUOTA_DELAY: u64 = 10_000;

/// What is asked of a file. A mask of a list must also name `nextPageToken`: without it the list
/// ends after a page.
pub(crate) fn file_fields() -> String {
    format!(
        "id,name,mimeType,trashed,parents,driveId,createdTime,modifiedTime,md5Checksum,size,description,webViewLink,\
         owners(permissionId,emailAddress,displayName),ownedByMe,sharedWithMeTime,permissionIds,\
         hasAugmentedPermissions,inheritedPermissionsDisabled,capabilities(canDownload),\
         permissions({PERMISSION_FIELDS})"
    )
}

pub(crate) fn get<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Request {
    http::get(http::url(API, segments))
}

pub(crate) fn post<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Request {
    http::post(http::url(API, segments))
}

pub(crate) fn upload() -> Request {
    http::post(http::url(UPLOAD, ["files"])).query("uploadType", "multipart")
}

pub(crate) fn group_members(group: &str) -> Request {
    http::get(http::url(DIRECTORY, ["groups", group, "members"])).query("maxResults", 200)
}

/// One file's facts.
pub(crate) fn file(id: &str) -> Request {
    get(["files", id]).query("supportsAllDrives", true).query("fields", file_fields())
}

/// The account that the connection acts as.
pub(crate) fn me() -> Result<User, Failure> {
    let about = get(["about"]).query("fields", "user(permissionId,emailAddress,displayName)");
    let about: About = check(about.send()?)?.json()?;
    Ok(about.user)
}

/// The shared drives that the account is a member of.
pub(crate) fn drives() -> Result<Vec<Drive>, Failure> {
    let pages = paging::pages(|page: Option<&String>| {
        let request = get(["drives"]).query("pageSize", DRIVES_PAGE).query_opt("pageToken", page);
        let request = request.query("fields", "nextPageToken,drives(id,name)");
        let list: DriveList = check(request.send()?)?.json()?;
        Ok(Page::new(list.drives, list.next_page_token))
    });
    Ok(pages.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Permissions of files or shared drives, in the order asked. `None` where the account may not see
/// them, which must never be taken for "nobody" or "everybody".
pub(crate) fn permissions<S: AsRef<str>>(ids: &[S]) -> Result<Vec<Option<Vec<Permission>>>, Failure> {
    let first = http::send_all(ids.iter().map(|id| permissions_page(id.as_ref(), None)));
    let rest = |(id, answer): (&S, Result<Response, http::Error>)| {
        let mut list: PermissionList = match answer.map_err(Failure::from).and_then(check) {
            Ok(response) => response.json()?,
            Err(failure) if is_unseen(&failure) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let mut all = std::mem::take(&mut list.permissions);
        while let Some(page) = list.next_page_token.take() {
            list = check(permissions_page(id.as_ref(), Some(&page)).send()?)?.json()?;
            all.append(&mut list.permissions);
            if list.next_page_token.as_ref() == Some(&page) {
                return Err(Failure::other("paging-loop", "a file's permissions do not come to an end"));
            }
        }
        Ok(Some(all))
    };
    ids.iter().zip(first).map(rest).collect()
}

fn permissions_page(id: &str, page: Option<&String>) -> Request {
    get(["files", id, "permissions"])
        .query("pageSize", PERMISSIONS_PAGE)
        .query_opt("pageToken", page)
        .query("supportsAllDrives", true)
        .query("fields", format!("nextPageToken,permissions({PERMISSION_FIELDS})"))
}

/// A listing that may be larger than what is given inline.
pub(crate) fn listing<T: DeserializeOwned>(request: impl Fn() -> Request) -> Result<T, Failure> {
    match request().send() {
        Ok(response) => check(response)?.json(),
        Err(http::Error::TooLarge(_)) => {
            let response = check(request().to_blob().send()?)?;
            let Some(blob) = response.into_blob() else {
                return Err(Failure::other("unexpected-answer", "an answer asked for as a blob came without one"));
            };
            let bytes = blob.read_to_end(LARGEST_LISTING)?;
            serde_json::from_slice(&bytes).map_err(|error| Failure::other("unexpected-answer", error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer if it is one. The status alone does not say what is wrong: a 403 may be a quota, so
/// `errors[].reason` decides (Drive API, "Resolve errors").
pub(crate) fn check(response: Response) -> Result<Response, Failure> {
    if response.is_success() {
        return Ok(response);
    }
    let reason = reason(&response);
    match reason.as_str() {
        "rateLimitExceeded" | "userRateLimitExceeded" | "sharingRateLimitExceeded" => {
            let millis = response.retry_after().unwrap_or(QUOTA_DELAY);
            Err(Failure::Later { millis, message: format!("Google Drive answered {}: {reason}", response.status()) })
        }
        "dailyLimitExceeded" | "storageQuotaExceeded" | "exportSizeLimitExceeded" | "fileIdInUse" => {
            let code = match reason.as_str() {
                "dailyLimitExceeded" => "daily-limit-exceeded",
                "storageQuotaExceeded" => "storage-quota-exceeded",
                "exportSizeLimitExceeded" => "export-too-large",
                _ => "file-exists",
            };
            Err(Failure::other(code, message(&response)))
        }
        _ => response.ok(),
    }
}

/// Why the service refused, in its own word; empty where it does not say.
pub(crate) fn reason(response: &Response) -> String {
    first_error(response)["reason"].as_str().unwrap_or_default().to_owned()
}

fn message(response: &Response) -> String {
    let message = first_error(response)["message"].as_str().unwrap_or_default().to_owned();
    format!("Google Drive answered {}: {message}", response.status())
}

fn first_error(response: &Response) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(response.bytes()).unwrap_or_default();
    body["error"]["errors"][0].clone()
}

/// Whether a failure says that this thing is gone, or not for this account to see.
pub(crate) fn is_unseen(failure: &Failure) -> bool {
    matches!(failure, Failure::NotFound(_) | Failure::Forbidden(_))
}

/// Whether a failure says that a page token is no good any more: invalid, of another list, expired.
pub(crate) fn is_refused_token(failure: &Failure) -> bool {
    matches!(failure, Failure::NotFound(_) | Failure::InvalidInput(_))
}
