//! Who may read a board.
//!
//! Trello's rule: the board's members; with the level `org` or `enterprise` the members of its
//! workspace, too; with `public` everyone. A closed board is for its members only. Cards have no
//! access of their own.

use std::collections::BTreeSet;

use sallyport_sdk::documents::Membership as Members;
use sallyport_sdk::prelude::*;

use super::cursor::{Cursor, digest};
use crate::api;
use crate::model::{Board, Membership};

/// Stages the workspaces whose members read some board, if they changed. Asked in every pull: a
/// workspace's members change without any board's activity.
pub(super) fn groups(boards: &[Board], sweep: bool, cursor: &mut Cursor, sink: &mut Sink) -> Result<(), Failure> {
    let organizations: BTreeSet<&String> = boards
        .iter()
        .filter(|board| is_for_organization(board))
        .filter_map(|board| board.id_organization.as_ref())
        .collect();
    for id in &organizations {
        let memberships = match memberships("organizations", id) {
            Ok(memberships) => memberships,
            // A guest on a board may not see who else is in its workspace: then the group stays
            // unknown, and only the board's own members read it.
            Err(failure) if api::is_gone(&failure) => {
                if cursor.organizations.remove(*id).is_some() {
                    sink.delete_group(group(id))?;
                }
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let now = digest(&memberships);
        if sweep || cursor.organizations.get(*id) != Some(&now) {
            people(&memberships, cursor, sink)?;
            let members =
                memberships.iter().filter(|each| is_in(each)).map(|each| Principal::User(each.id_member.clone()));
            sink.members(Members::exactly(group(id), members))?;
            cursor.organizations.insert((*id).clone(), now);
        }
    }
    let unused: Vec<String> = cursor.organizations.keys().filter(|id| !organizations.contains(id)).cloned().collect();
    for id in unused {
        sink.delete_group(group(&id))?;
        cursor.organizations.remove(&id);
    }
    Ok(())
}

/// Who is on a board or in a workspace, with names.
pub(super) fn memberships(kind: &str, id: &str) -> Result<Vec<Membership>, Failure> {
    api::listing(|| api::get([kind, id, "memberships"]).query("member", true))
}

/// Stages the names of other members. Trello tells nobody's e-mail address but one's own, and that
/// one's person is staged with it elsewhere.
pub(super) fn people(memberships: &[Membership], cursor: &Cursor, sink: &mut Sink) -> Result<(), Failure> {
    for membership in memberships {
        if let Some(member) = membership.member.as_ref().filter(|member| member.id != cursor.me) {
            sink.person(Person::new(member.id.clone()).name(member.label()).active(!membership.deactivated))?;
        }
    }
    Ok(())
}

/// Who may read what is on the board.
pub(super) fn of_board(board: &Board, memberships: &[Membership]) -> Acl {
    let members = memberships.iter().filter(|each| is_in(each));
    let mut acl = members.fold(Acl::new(), |acl, each| {
        let level = if each.member_type.as_deref() == Some("observer") { Level::Read } else { Level::Write };
        acl.entry(Principal::User(each.id_member.clone()), level)
    });
    if let (true, Some(organization)) = (is_for_organization(board), &board.id_organization) {
        acl = acl.reader(Principal::Group(group(organization)));
    }
    if board.level() == "public" && !board.closed {
        acl = acl.reader(Principal::Anyone);
    }
    acl
}

/// `public` includes the workspace, which matters where the grant does not let everyone read.
fn is_for_organization(board: &Board) -> bool {
    !board.closed && matches!(board.level(), "org" | "enterprise" | "public")
}

/// An invitation that nobody took up and a suspended account read nothing.
fn is_in(membership: &Membership) -> bool {
    !membership.unconfirmed && !membership.deactivated
}

fn group(organization: &str) -> String {
    format!("org:{organization}")
}
