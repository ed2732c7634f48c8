//! Members, workspaces and tokens.

use super::{
    Caller,
    error::TrelloError,
    missing,
    model::{Member, Organization},
    params::Params,
    render::{self, select},
    state::TrelloState,
};
use crate::world::World;
use axum::{
    Json,
    extract::{Path, State as Shared},
};
use serde_json::{Value, json};
use std::sync::Arc;

type Answer = Result<Json<Value>, TrelloError>;

pub(crate) async fn one(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let member = find(&state.trello, &caller, &id)?;
    let own = member.id == caller.member;
    Ok(Json(select(render::profile(&state.trello, member, own), params.get("fields"))))
}

pub(crate) async fn organizations(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let member = find(&state.trello, &caller, &id)?.id.clone();
    let shared = |org: &&Organization| {
        [&member, &caller.member].iter().all(|id| org.memberships.iter().any(|each| each.member == **id))
    };
    let mine = state.trello.organizations.values().filter(shared);
    Ok(Json(mine.map(|org| select(render::organization(org), params.get("fields"))).collect()))
}

pub(crate) async fn organization(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let org = see_organization(&state.trello, &caller, &id)?;
    Ok(Json(select(render::organization(org), params.get("fields"))))
}

pub(crate) async fn of_organization(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let state = world.state.lock();
    let org = see_organization(&state.trello, &caller, &id)?;
    let members = org.memberships.iter().filter_map(|each| state.trello.members.get(&each.member));
    Ok(Json(members.map(render::member).collect()))
}

pub(crate) async fn organization_memberships(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let with_member = params.flag("member", false)?;
    let state = world.state.lock();
    let org = see_organization(&state.trello, &caller, &id)?;
    let each = |membership: &super::model::Membership| {
        let mut whole = render::membership(membership);
        if with_member && let Some(member) = state.trello.members.get(&membership.member) {
            whole["member"] = render::member(member);
        }
        whole
    };
    Ok(Json(org.memberships.iter().map(each).collect()))
}

/// Deleting a token revokes it; a caller may delete their own.
pub(crate) async fn revoke_token(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(token): Path<String>,
) -> Answer {
    let mut tokens = world.tokens.lock();
    if tokens.owner(&token) != Some(&caller.email) || !tokens.revoke(&token) {
        return Err(TrelloError::NotFound);
    }
    Ok(Json(json!({ "_value": null })))
}

/// `me`, an id or a username.
pub(crate) fn find<'a>(state: &'a TrelloState, caller: &Caller, key: &str) -> Result<&'a Member, TrelloError> {
    state.member(if key == "me" { &caller.member } else { key }).ok_or(TrelloError::NotFound)
}

/// A workspace is seen by who is in it.
pub(crate) fn see_organization<'a>(
    state: &'a TrelloState,
    caller: &Caller,
    key: &str,
) -> Result<&'a Organization, TrelloError> {
    let org = state.organization(key).ok_or_else(|| missing(key))?;
    match state.in_organization(Some(&org.id), &caller.member) {
        true => Ok(org),
        false => Err(TrelloError::Unauthorized("unauthorized org permission requested")),
    }
}
