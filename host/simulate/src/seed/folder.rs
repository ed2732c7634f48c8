//! A Drive from a folder of one's own: Markdown and text files, sub-folders, and who may read them.

use super::{
    CONNECTOR_ACCOUNT, Document, Seed, SeedError,
    access::{Access, FILE_NAME},
    demo,
};
use crate::{
    clock,
    drive::{Grantee, Permission, Role},
};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};
use time::OffsetDateTime;

/// Everything belongs to the connector's account, so that the readers are just those that are named.
const OWNER: &str = CONNECTOR_ACCOUNT;
/// The property of a file that holds its path below the folder.
const PATH_PROPERTY: &str = "path";

pub(super) fn build(root: &Path) -> Result<Seed, SeedError> {
    if !root.is_dir() {
        return Err(SeedError::NotAFolder(root.to_owned()));
    }
    let mut seed = demo::build(false);
    let full = root.canonicalize().map_err(|source| unreadable(root, source))?;
    let name = full.file_name().map_or_else(|| "Documents".to_owned(), |name| name.to_string_lossy().into_owned());
    fill(&mut seed, root, &name, "")?;
    match seed.documents() {
        0 => Err(SeedError::Empty(root.to_owned())),
        _ => Ok(seed),
    }
}

fn fill(seed: &mut Seed, folder: &Path, path: &str, relative: &str) -> Result<(), SeedError> {
    let id = seed.ensure_folder(path, OWNER, None);
    let access = folder.join(FILE_NAME);
    let named = match fs::read_to_string(&access) {
        Ok(text) => Some(Access::parse_readers(&access, &text)?.permissions(&access, &mut seed.directory)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&access, error)),
    };
    let top = relative.is_empty();
    // A folder that names its readers means just those, whoever may read the folder above.
    if let Some(file) = seed.drive.files.get_mut(&id).filter(|_| named.is_some() && !top) {
        file.limited = true;
    }
    let whole_tenant = || vec![Permission::new(Grantee::Domain(seed.directory.domain.clone()), Role::Reader)];
    let permissions = named.unwrap_or_else(|| if top { whole_tenant() } else { Vec::new() });
    permissions.into_iter().for_each(|permission| seed.drive.grant(&id, permission));

    let mut entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>())
        .map_err(|error| unreadable(folder, error))?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().and_then(OsStr::to_str);
        let name = name.ok_or_else(|| unreadable(&entry, io::Error::other("its name is not UTF-8")))?;
        if name.starts_with('.') {
            continue;
        }
        let below = if top { name.to_owned() } else { format!("{relative}/{name}") };
        let kind = entry.symlink_metadata().map_err(|error| unreadable(&entry, error))?.file_type();
        if kind.is_dir() {
            fill(seed, &entry, &format!("{path}/{name}"), &below)?;
        } else if is_text(name) && (kind.is_file() || entry.is_file()) {
            add(seed, &entry, &format!("{path}/{name}"), &below)?;
        }
    }
    Ok(())
}

fn add(seed: &mut Seed, file: &Path, path: &str, relative: &str) -> Result<(), SeedError> {
    let bytes = fs::read(file).map_err(|error| unreadable(file, error))?;
    let changed = fs::metadata(file).and_then(|metadata| metadata.modified()).ok().map(OffsetDateTime::from);
    // Drive keeps milliseconds.
    let modified = changed.and_then(|at| clock::parse(&clock::stamp(at)));
    let id = seed.add_document(Document { modified, ..Document::new(path, OWNER, "") });
    if let Some(document) = seed.drive.files.get_mut(&id) {
        document.content = bytes.into();
        document.properties.insert(PATH_PROPERTY.to_owned(), relative.to_owned());
    }
    Ok(())
}

fn is_text(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    matches!(extension.as_deref(), Some("md" | "markdown" | "txt" | "text"))
}

fn unreadable(path: &Path, source: io::Error) -> SeedError {
    SeedError::Unreadable { path: path.to_owned(), source }
}
