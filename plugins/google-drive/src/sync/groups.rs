//! Who is in a group. Drive tells a group's address only; an organisation's administrator may ask
//! the directory (Admin SDK Directory API, members.list) if the connection was granted that.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_sdk::documents::Membership;
use sallyport_sdk::http::{Error, Response};
use sallyport_sdk::paging::{self, Page};
use sallyport_sdk::prelude::*;

use super::cursor::digest;
use super::pull::Pull;
use crate::api;
use crate::model::{Member, MemberList};

/// The capability that lets a connection ask.
const CAPABILITY: &str = "groups.read";
/// More groups than these are not followed.
const MOST_GROUPS: usize = 10_000;

/// Stages the members of every group that may read something, and of the groups in those, if they
/// changed. Asked in every pull: members come and go without any file's change. A group whose
/// members cannot be seen has none that count.
pub(super) fn refresh(pull: &mut Pull<'_>) -> Result<(), Failure> {
    if !credentials::facts().is_live(CAPABILITY) {
        return forget(pull);
    }
    let mut now: BTreeMap<String, u64> = BTreeMap::new();
    let mut open: BTreeSet<String> = pull.cursor.groups.keys().cloned().collect();
    while !open.is_empty() && now.len() < MOST_GROUPS {
        let batch: Vec<String> = open.iter().take(http::BATCH).cloned().collect();
        let answers = http::send_all(batch.iter().map(|group| api::group_members(group)));
        for (group, answer) in batch.iter().zip(answers) {
            open.remove(group);
            let members = members(group, answer)?;
            let principals: BTreeSet<Principal> = members.iter().flatten().filter_map(principal).collect();
            open.extend(principals.iter().filter_map(|each| match each {
                Principal::Group(inner) if inner != group && !now.contains_key(inner) => Some(inner.clone()),
                _ => None,
            }));
            let names: Vec<String> = principals.iter().map(|each| format!("{each:?}")).collect();
            let known = if members.is_some() { digest(&names) } else { 0 };
            if pull.cursor.groups.get(group).copied().unwrap_or_default() != known {
                pull.sink.members(Membership::exactly(group, principals))?;
            }
            now.insert(group.clone(), known);
        }
    }
    pull.cursor.groups = now;
    Ok(())
}

/// The grant was taken back: what was known of groups does not count any more.
fn forget(pull: &mut Pull<'_>) -> Result<(), Failure> {
    for (group, known) in &mut pull.cursor.groups {
        if *known != 0 {
            pull.sink.members(Membership::exactly(group, []))?;
            *known = 0;
        }
    }
    Ok(())
}

/// All pages of a group's members; `None` if the account may not see them or the group is gone.
fn members(group: &str, first: Result<Response, Error>) -> Result<Option<Vec<Member>>, Failure> {
    let mut first = Some(first);
    let pages = paging::pages(|page: Option<&String>| {
        let answer = match first.take() {
            Some(first) => first,
            None => api::group_members(group).query_opt("pageToken", page).send(),
        };
        let list: MemberList = api::check(answer?)?.json()?;
        Ok(Page::new(list.members, list.next_page_token))
    });
    match pages.collect::<Result<Vec<_>, Failure>>() {
        Ok(pages) => Ok(Some(pages.into_iter().flatten().collect())),
        Err(failure) if api::is_unseen(&failure) => {
            log::write(log::Severity::Warn, "the members of a group cannot be seen", &[("group", &group)]);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// A member that counts: not a whole organisation, which has no address, and nobody suspended.
fn principal(member: &Member) -> Option<Principal> {
    let email = member.email.as_deref().filter(|email| !email.is_empty())?.to_lowercase();
    let active = member.status.as_deref().is_none_or(|status| status == "ACTIVE");
    match member.kind.as_deref() {
        Some("GROUP") => Some(Principal::Group(email)),
        Some("USER" | "EXTERNAL") if active => Some(Principal::Email(email)),
        _ => None,
    }
}
