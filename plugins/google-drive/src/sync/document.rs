//! A file as a document.

use sallyport_sdk::prelude::*;

use super::cursor::digest;
use crate::model::File;

/// A file without its content and readers.
pub(super) fn of(file: &File, container: &str) -> Document {
    let mut document = Document::new(&file.id, "file", file.title())
        .revision(revision(file, container))
        .created(file.created_time.as_deref().and_then(Timestamp::parse))
        .updated(file.modified_time.as_deref().and_then(Timestamp::parse))
        .container(container)
        .metadata("mime_type", file.kind());
    if let Some(url) = &file.web_view_link {
        document = document.url(url);
    }
    if let Some(size) = file.size.as_deref().and_then(|size| size.parse::<u64>().ok()) {
        document = document.metadata("size", size);
    }
    if let Some(description) = file.description.as_deref().filter(|text| !text.is_empty()) {
        document = document.metadata("description", description);
    }
    let owners = file.owners.iter().filter(|owner| !owner.permission_id.is_empty());
    owners.fold(document, |document, owner| document.author(owner.permission_id.clone()))
}

/// What changes with the file's content, name and place, and with nothing else: `version` and
/// `headRevisionId` also change where sharing does. The container counts by its id, not its name.
fn revision(file: &File, container: &str) -> String {
    let content = file.md5_checksum.as_ref().or(file.modified_time.as_ref());
    let all = (file.title(), file.kind(), content, &file.description, &file.web_view_link, container);
    format!("{:016x}", digest(&all))
}
