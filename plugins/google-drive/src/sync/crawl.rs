//! Listing everything: folders first, so that what holds a file is there before the file.

use sallyport_sdk::http::Request;
use sallyport_sdk::prelude::*;

use super::cursor::Phase;
use super::pull::{self, Pull, Refused, SHARED_WITH_ME, Scope, Step};
use super::stage;
use crate::api;
use crate::model::{File, FileList, StartPageToken};

/// Entries a page. The service gives up to 1,000; but a page that asks for everybody's permissions one by one has to fit
/// the rate limit (200 requests in 10 s) with room for content, or a pull that is throttled would never get beyond it.
const PAGE: usize = 100;

const FOLDERS: &str = "mimeType = 'application/vnd.google-apps.folder' and trashed = false";
const FILES: &str = "mimeType != 'application/vnd.google-apps.folder' and \
                     mimeType != 'application/vnd.google-apps.shortcut' and trashed = false";

/// Takes the token first: what changes while the pages are read is among the changes.
pub(super) fn begin(pull: &mut Pull<'_>) -> Result<Step, Refused> {
    let request = pull.scoped(api::get(["changes", "startPageToken"]));
    let token: StartPageToken = api::check(request.send().map_err(Failure::from)?)?.json()?;
    if let Scope::Mine = &pull.scope {
        let root: File = api::check(api::file("root").send().map_err(Failure::from)?)?.json()?;
        stage::root(pull, &root)?;
        let orphans = Container::new(SHARED_WITH_ME, "drive", "Shared with me").access(Acl::new());
        pull.sink.upsert_container(orphans).map_err(Failure::from)?;
    }
    pull.cursor.list_again();
    pull.cursor.token = token.start_page_token;
    pull.cursor.phase = Phase::Folders;
    Ok(Step::On)
}

/// The next page of folders or files.
pub(super) fn page(pull: &mut Pull<'_>) -> Result<Step, Refused> {
    let folders = pull.cursor.phase == Phase::Folders;
    let list = list(pull, if folders { FOLDERS } else { FILES })?;
    pull.cursor.incomplete |= list.incomplete_search;
    stage::all(pull, list.files)?;
    pull.cursor.page = list.next_page_token;
    pull.cursor.part = 0;
    if pull.cursor.page.is_none() {
        pull.cursor.phase = if folders { Phase::Files } else { Phase::Changes };
    }
    Ok(Step::On)
}

/// The next page of what a query finds in this stream.
pub(super) fn list(pull: &Pull<'_>, query: &str) -> Result<FileList, Refused> {
    let corpora = if matches!(pull.scope, Scope::Drive { .. }) { "drive" } else { "user" };
    let request = || -> Request {
        pull.scoped(api::get(["files"]))
            .query("corpora", corpora)
            .query("q", query)
            .query("pageSize", PAGE)
            .query("fields", format!("nextPageToken,incompleteSearch,files({})", api::file_fields()))
    };
    pull::page(pull.cursor.page.as_ref(), request)
}
