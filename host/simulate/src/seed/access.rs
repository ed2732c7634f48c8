//! Who may read: the forms in which a seed says it, and what can be wrong with them.

use crate::{
    directory::Directory,
    drive::{Grantee, Permission, Role},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// The file in a folder that names its readers.
pub(crate) const FILE_NAME: &str = ".access.json";

/// Why a folder cannot become a Drive. All are for whoever wrote the folder to mend; trying again as it is does not
/// help, and nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The path is not a folder.
    #[error("{} is not a folder: name a folder that holds .md or .txt files", .0.display())]
    NotAFolder(PathBuf),
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}. Make it readable, or take it out of the folder", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing to read.
    #[error("{} holds no .md or .txt file: nothing could be found in it", .0.display())]
    Empty(PathBuf),
    /// An access file is not what it must be.
    #[error(r#"{}: {why}. It must be like {{"readers": ["ana@larkfield.example", "group:engineering@larkfield.example", "domain", "anyone"]}}"#, path.display())]
    BadAccess {
        /// The access file.
        path: PathBuf,
        /// Where it goes wrong.
        why: String,
    },
    /// A reader is of no known form.
    #[error(r#"{}: {reader:?} is no reader. Write an e-mail address, "group:" and a group's address, "domain", "domain:" and a domain, or "anyone""#, path.display())]
    UnknownReader {
        /// The access file.
        path: PathBuf,
        /// What it says.
        reader: String,
    },
    /// A group that has no members would hide its documents from everybody.
    #[error(r#"{}: there is no group {group:?}. Known are {known}; define one with "groups": {{"{group}": ["ana@larkfield.example"]}}"#, path.display())]
    UnknownGroup {
        /// The access file.
        path: PathBuf,
        /// The group.
        group: String,
        /// The groups that there are.
        known: String,
    },
}

/// An access file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Access {
    pub readers: Option<Vec<String>>,
    /// Groups defined here, with their members.
    pub groups: BTreeMap<String, Vec<String>>,
    /// In the demo's seed only: whose folder it is, and who may do more than read.
    pub owner: Option<String>,
    pub writers: Vec<String>,
    pub organizers: Vec<String>,
}

impl Access {
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, SeedError> {
        serde_json::from_str(text)
            .map_err(|error| SeedError::BadAccess { path: path.to_owned(), why: error.to_string() })
    }

    /// As [`Access::parse`], for a file that an outsider wrote: it names readers and groups, and nothing else.
    pub(crate) fn parse_readers(path: &Path, text: &str) -> Result<Self, SeedError> {
        let access = Self::parse(path, text)?;
        let more = access.owner.is_some() || !access.writers.is_empty() || !access.organizers.is_empty();
        if more || access.readers.is_none() {
            let why = if more { "only readers and groups can be named" } else { "\"readers\" is missing" };
            return Err(SeedError::BadAccess { path: path.to_owned(), why: why.to_owned() });
        }
        Ok(access)
    }

    /// The permissions that it means.
    pub(crate) fn permissions(&self, path: &Path, directory: &mut Directory) -> Result<Vec<Permission>, SeedError> {
        for (group, members) in &self.groups {
            members.iter().filter(|member| member.contains('@')).for_each(|member| directory.ensure_person(member));
            directory.add_group(group, members.clone());
        }
        let readers = self.readers.iter().flatten().map(|name| (name, Role::Reader));
        let writers = self.writers.iter().map(|name| (name, Role::Writer));
        let organizers = self.organizers.iter().map(|name| (name, Role::Organizer));
        readers.chain(writers).chain(organizers).map(|(name, role)| reader(path, name, role, directory)).collect()
    }
}

/// One reader as written.
pub(crate) fn reader(path: &Path, text: &str, role: Role, directory: &mut Directory) -> Result<Permission, SeedError> {
    let unknown = || SeedError::UnknownReader { path: path.to_owned(), reader: text.to_owned() };
    let lower = text.trim().to_lowercase();
    let grantee = match lower.split_once(':') {
        Some(("group", group)) if is_email(group) => {
            if directory.members(group).is_none() {
                let known = directory.groups().map(|(group, _)| group).collect::<Vec<_>>().join(", ");
                return Err(SeedError::UnknownGroup { path: path.to_owned(), group: group.to_owned(), known });
            }
            Grantee::Group(group.to_owned())
        }
        Some(("domain", domain)) if domain.contains('.') && !domain.contains('@') => Grantee::Domain(domain.to_owned()),
        Some(("user", email)) if is_email(email) => Grantee::User(email.to_owned()),
        None if lower == "domain" => Grantee::Domain(directory.domain.clone()),
        None if lower == "anyone" => Grantee::Anyone,
        None if lower == "anyone-with-link" => {
            return Ok(Permission { grantee: Grantee::Anyone, role, discoverable: false });
        }
        None if is_email(&lower) => match directory.members(&lower) {
            Some(_) => Grantee::Group(lower),
            None => Grantee::User(lower),
        },
        _ => return Err(unknown()),
    };
    if let Grantee::User(email) = &grantee {
        directory.ensure_person(email);
    }
    Ok(Permission::new(grantee, role))
}

/// Something, an at sign, something; no spaces.
fn is_email(text: &str) -> bool {
    let plain = !text.contains(char::is_whitespace);
    text.split_once('@')
        .is_some_and(|(local, domain)| plain && !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}
