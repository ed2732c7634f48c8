//! Who may read a file, a folder or a shared drive.
//!
//! A permission on the item itself is an entry; one that comes from above is expressed by inheriting
//! from the folder that holds the item, so that a folder's change reaches everything in it at once.
//! A link alone makes no reader, and where the account may not see who reads, only it does.

use std::collections::BTreeSet;

use sallyport_sdk::prelude::*;

use super::pull::{Pull, SHARED_WITH_ME, Scope};
use crate::api;
use crate::model::{File, Permission};

/// Ids of the permissions that make readers of a folder; `None` where the account may not see them.
pub(super) type Readers = Option<BTreeSet<String>>;

/// Whether a permission lets somebody read now.
pub(super) fn reads(permission: &Permission, now: Timestamp) -> bool {
    let expired = match permission.expiration_time.as_deref() {
        // A time that cannot be read is not taken for one that is to come.
        Some(time) => Timestamp::parse(time).is_none_or(|end| end <= now),
        None => false,
    };
    !permission.deleted && permission.view.is_none() && !expired && principal(permission).is_some()
}

/// Whom a permission names. What is for whoever has the link, in a domain or anywhere, is for nobody.
fn principal(permission: &Permission) -> Option<Principal> {
    let email = || permission.email_address.as_deref().filter(|email| !email.is_empty()).map(str::to_lowercase);
    let findable = permission.allow_file_discovery == Some(true);
    match permission.kind.as_str() {
        "user" => email().map(Principal::Email),
        "group" => email().map(Principal::Group),
        "domain" if findable => permission.domain.as_deref().map(|domain| Principal::Domain(domain.to_lowercase())),
        "anyone" if findable => Some(Principal::Anyone),
        _ => None,
    }
}

fn level(role: &str) -> Level {
    match role {
        "reader" => Level::Read,
        "commenter" => Level::Comment,
        _ => Level::Write,
    }
}

/// Ids of those that make readers.
pub(super) fn reading(permissions: &[Permission], now: Timestamp) -> BTreeSet<String> {
    permissions.iter().filter(|each| reads(each, now)).map(|each| each.id.clone()).collect()
}

fn entries<'a>(permissions: impl IntoIterator<Item = &'a Permission>, now: Timestamp) -> Acl {
    let readers = permissions.into_iter().filter(|each| reads(each, now));
    readers.fold(Acl::new(), |acl, each| match principal(each) {
        Some(who) => acl.entry(who, level(&each.role)),
        None => acl,
    })
}

/// Only the account that asks.
fn only_me(pull: &Pull<'_>) -> Access {
    if pull.cursor.me.is_empty() {
        return Access::Unknown;
    }
    Acl::new().reader(Principal::Email(pull.cursor.me.clone())).into()
}

/// The group of a drive's organizers: they reach what is limited to few.
pub(super) fn organizers_of(drive: &str) -> String {
    format!("organizers:{drive}")
}

/// Who is in that group.
pub(super) fn organizers(permissions: Option<&[Permission]>, now: Timestamp) -> Vec<Principal> {
    let all = permissions.unwrap_or_default().iter();
    all.filter(|each| each.role == "organizer" && reads(each, now)).filter_map(principal).collect()
}

/// Who is a member of a shared drive.
pub(super) fn of_drive(pull: &Pull<'_>, permissions: Option<&[Permission]>) -> Access {
    permissions.map_or_else(|| only_me(pull), |all| entries(all, pull.now).into())
}

/// Where an item lies, as far as the account sees.
pub(super) struct Place {
    /// The container that holds it.
    pub(super) container: String,
    /// The folder to inherit from, and its readers; `None` if it is not to be seen.
    parent: Option<(String, Readers)>,
}

/// The place of an item whose parent was looked up before.
pub(super) fn place(pull: &Pull<'_>, file: &File) -> Place {
    let parent = file.parent().and_then(|id| match &pull.scope {
        // A member of a shared drive sees the folders that are named.
        Scope::Drive { .. } => Some((id.clone(), None)),
        Scope::Mine => pull.folders.get(id).cloned().flatten().map(|readers| (id.clone(), readers)),
    });
    let container = match (&parent, &pull.scope) {
        (Some((id, _)), _) => id.clone(),
        (None, Scope::Drive { id, .. }) => id.clone(),
        (None, Scope::Mine) => SHARED_WITH_ME.to_owned(),
    };
    Place { container, parent }
}

/// Whether an item's permissions must be asked for: those of items in shared drives are never
/// listed, and most have none but what comes from above.
pub(super) fn must_ask(pull: &Pull<'_>, file: &File) -> bool {
    file.drive_id.is_some() && !inherits_all(pull, file)
}

/// Whether everything that an item in a shared drive has comes from above.
fn inherits_all(pull: &Pull<'_>, file: &File) -> bool {
    let Scope::Drive { members, .. } = &pull.scope else { return false };
    if file.inherited_permissions_disabled || file.parents.is_empty() {
        return false;
    }
    let ids = file.permission_ids.as_ref().map(|ids| ids.iter().cloned().collect::<BTreeSet<_>>());
    file.has_augmented_permissions == Some(false) || (ids.is_some() && ids == *members)
}

/// Who may read an item of a shared drive, from the permissions that were asked for.
pub(super) fn of_shared(pull: &Pull<'_>, file: &File, place: &Place, asked: Option<&[Permission]>) -> Access {
    let parent = place.parent.as_ref().map(|(id, _)| id);
    if let (true, Some(parent)) = (inherits_all(pull, file), parent) {
        return Access::inherit(parent);
    }
    let Some(all) = asked else { return only_me(pull) };
    if file.inherited_permissions_disabled {
        return limited(pull, file, all).into();
    }
    match parent {
        Some(parent) => entries(all.iter().filter(|each| is_direct(each)), pull.now).inherit(parent).into(),
        None => entries(all, pull.now).into(),
    }
}

/// A folder of limited access lets only the drive's organizers through from above. Their group
/// stands for them, so that one who ceases to be one is out at once.
fn limited(pull: &Pull<'_>, file: &File, all: &[Permission]) -> Acl {
    let Scope::Drive { id, .. } = &pull.scope else { return entries(all, pull.now) };
    let from_drive = |each: &&Permission| !is_direct(each) && each.role == "organizer";
    let acl = entries(all.iter().filter(|each| !from_drive(each)), pull.now);
    let through = file.drive_id.as_ref() == Some(id) && all.iter().any(|each| from_drive(&each));
    if through { acl.entry(Principal::Group(organizers_of(id)), Level::Write) } else { acl }
}

/// Who may read My Drive's top folder.
pub(super) fn of_top(pull: &Pull<'_>, root: &File) -> Access {
    root.permissions.as_deref().map_or_else(|| only_me(pull), |all| entries(all, pull.now).into())
}

/// Who may read an item of My Drive. What is listed is effective; the folder above is inherited from
/// only if each of its readers is among them, so that inheriting widens nothing.
pub(super) fn of_mine(pull: &Pull<'_>, file: &File, place: &Place) -> Access {
    let parent = place.parent.as_ref().filter(|_| !file.inherited_permissions_disabled);
    match (&file.permissions, parent) {
        (Some(all), Some((parent, Some(above)))) if above.is_subset(&reading(all, pull.now)) => {
            let own = all.iter().filter(|each| is_own(each) || !above.contains(&each.id));
            entries(own, pull.now).inherit(parent).into()
        }
        (Some(all), _) => entries(all, pull.now).into(),
        // Neither's readers are to be seen: the folder, too, is for the account alone.
        (None, Some((parent, None))) => Access::inherit(parent),
        (None, _) => only_me(pull),
    }
}

/// Whether a permission says that it stands on the item itself.
fn is_own(permission: &Permission) -> bool {
    permission.permission_details.iter().any(|each| !each.inherited)
}

/// Whether it does not come from above alone. One that does not say is taken for the item's own.
fn is_direct(permission: &Permission) -> bool {
    permission.permission_details.is_empty() || is_own(permission)
}

/// Looks up the folders that these items lie in, where that matters and is not known.
pub(super) fn look_up_parents(pull: &mut Pull<'_>, files: &[File]) -> Result<(), Failure> {
    if matches!(pull.scope, Scope::Drive { .. }) {
        return Ok(());
    }
    let unknown: BTreeSet<&String> =
        files.iter().filter_map(File::parent).filter(|id| !pull.folders.contains_key(*id)).collect();
    let answers = http::send_all(unknown.iter().map(|id| api::file(id)));
    let mut found = Vec::new();
    for (id, answer) in unknown.into_iter().zip(answers) {
        match answer.map_err(Failure::from).and_then(api::check) {
            Ok(response) => found.push((id.clone(), Some(response.json::<File>()?))),
            Err(failure) if api::is_unseen(&failure) => found.push((id.clone(), None)),
            Err(failure) => return Err(failure),
        }
    }
    for (id, folder) in found {
        let readers = folder.filter(|folder| !folder.trashed).map(|folder| readers(pull, &folder));
        pull.folders.insert(id, readers);
    }
    Ok(())
}

/// The readers of a folder of My Drive.
pub(super) fn readers(pull: &Pull<'_>, folder: &File) -> Readers {
    folder.permissions.as_deref().map(|all| reading(all, pull.now))
}
