//! Boards, who is on them and what happened there.

use super::{
    Caller, change_board,
    error::TrelloError,
    model::{Action, Board, Member, MemberType, Visibility},
    params::Params,
    render::{self, BOARD_DEFAULT, select},
    see_board,
    state::{NewBoard, TrelloState},
};
use crate::world::World;
use axum::{
    Json,
    extract::{Path, State as Shared},
};
use serde_json::{Value, json};
use std::sync::Arc;

type Answer = Result<Json<Value>, TrelloError>;

pub(crate) async fn of_member(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let trello = &state.trello;
    let whose = super::members::find(trello, &caller, &id)?;
    // Of somebody else only what both may see.
    let theirs = |board: &&Board| board.memberships.iter().any(|each| each.member == whose.id);
    let boards = trello.boards.values().filter(theirs).filter(|board| trello.may_see(board, &caller.member));
    listed(boards, &params)
}

pub(crate) async fn of_organization(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let trello = &state.trello;
    let org = super::members::see_organization(trello, &caller, &id)?.id.clone();
    let boards = trello.boards.values().filter(|board| board.organization.as_ref() == Some(&org));
    listed(boards.filter(|board| trello.may_see(board, &caller.member)), &params)
}

fn listed<'a>(boards: impl Iterator<Item = &'a Board>, params: &Params) -> Answer {
    let filter = params.get("filter").unwrap_or("all");
    let wanted = |board: &&Board| match filter {
        "open" => !board.closed,
        "closed" => board.closed,
        "public" => board.visibility == Visibility::Public,
        "organization" => board.visibility == Visibility::Org,
        "starred" => false,
        _ => true,
    };
    let known = ["all", "open", "closed", "members", "organization", "public", "starred"];
    if !filter.split(',').all(|each| known.contains(&each)) {
        return Err(TrelloError::value("filter"));
    }
    Ok(Json(boards.filter(wanted).map(|board| select(render::board(board), params.get("fields"))).collect()))
}

pub(crate) async fn one(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let trello = &state.trello;
    let board = see_board(trello, &caller, &id)?;
    let mut whole = select(render::board(board), Some(params.get("fields").unwrap_or(BOARD_DEFAULT)));
    if let Some(filter) = params.get("lists").filter(|filter| *filter != "none") {
        whole["lists"] = super::lists::filtered(trello, &board.id, filter)?;
    }
    if let Some(filter) = params.get("cards").filter(|filter| *filter != "none") {
        whole["cards"] = super::cards::filtered(trello, &board.id, filter)?;
    }
    if params.get("memberships").is_some_and(|filter| filter != "none") {
        whole["memberships"] = board.memberships.iter().map(render::membership).collect();
    }
    if params.get("members").is_some_and(|filter| filter != "none" && filter != "false") {
        whole["members"] = members_of(trello, board).map(render::member).collect();
    }
    Ok(Json(whole))
}

pub(crate) async fn create(Shared(world): Shared<Arc<World>>, caller: Caller, params: Params) -> Answer {
    let visibility = match params.get("prefs_permissionLevel").or(params.get("prefs/permissionLevel")) {
        None => Visibility::Private,
        Some(level) => Visibility::parse(level).ok_or_else(|| TrelloError::value("prefs_permissionLevel"))?,
    };
    let (default_lists, default_labels) = (params.flag("defaultLists", true)?, params.flag("defaultLabels", true)?);
    let mut state = world.state.lock();
    let organization = match params.get("idOrganization") {
        Some(key) => {
            let org = state.trello.organization(key).ok_or_else(|| TrelloError::value("idOrganization"))?;
            let id = org.id.clone();
            if !state.trello.in_organization(Some(&id), &caller.member) {
                return Err(TrelloError::Unauthorized("unauthorized org permission requested"));
            }
            Some(id)
        }
        None if visibility == Visibility::Org => return Err(TrelloError::value("prefs_permissionLevel")),
        None => None,
    };
    let new = NewBoard {
        name: params.name()?,
        desc: params.text("desc")?,
        organization,
        visibility,
        creator: &caller.member,
        default_lists,
        default_labels,
    };
    let id = state.trello.add_board(new, world.clock.now());
    let board = see_board(&state.trello, &caller, &id)?;
    Ok(Json(select(render::board(board), Some(&format!("{BOARD_DEFAULT},limits")))))
}

pub(crate) async fn update(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let mut board = change_board(trello, &caller, &id)?.clone();
    let (mut old, mut new) = (json!({}), json!({}));
    if params.raw("name").is_some() {
        old["name"] = board.name.into();
        board.name = params.name()?.to_owned();
        new["name"] = board.name.clone().into();
    }
    if params.raw("desc").is_some() {
        old["desc"] = board.desc.into();
        board.desc = params.text("desc")?.to_owned();
        new["desc"] = board.desc.clone().into();
    }
    if params.get("closed").is_some() {
        old["closed"] = board.closed.into();
        board.closed = params.flag("closed", false)?;
        new["closed"] = board.closed.into();
    }
    if let Some(level) = params.get("prefs/permissionLevel").or(params.get("prefs_permissionLevel")) {
        old["prefs"] = json!({ "permissionLevel": board.visibility.name() });
        board.visibility = Visibility::parse(level).ok_or_else(|| TrelloError::value("prefs/permissionLevel"))?;
        new["prefs"] = json!({ "permissionLevel": level });
    }
    let id = board.id.clone();
    trello.boards.insert(id.clone(), board);
    if old != json!({}) {
        trello.act("updateBoard", &caller.member, &id, None, json!({ "old": old, "board": new }), world.clock.now());
    }
    Ok(Json(select(render::board(see_board(trello, &caller, &id)?), Some(BOARD_DEFAULT))))
}

/// Only an admin may, and only for good.
pub(crate) async fn delete(Shared(world): Shared<Arc<World>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let board = change_board(trello, &caller, &id)?;
    if !board.memberships.iter().any(|each| each.member == caller.member && each.kind == MemberType::Admin) {
        return Err(TrelloError::BOARD);
    }
    let id = board.id.clone();
    trello.remove_board(&id);
    Ok(Json(json!({ "_value": null })))
}

pub(crate) async fn labels(Shared(world): Shared<Arc<World>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let state = world.state.lock();
    let board = see_board(&state.trello, &caller, &id)?;
    Ok(Json(board.labels.iter().map(|label| render::label(label, &board.id)).collect()))
}

pub(crate) async fn members(Shared(world): Shared<Arc<World>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let state = world.state.lock();
    let board = see_board(&state.trello, &caller, &id)?;
    let brief = |member: &Member| json!({ "id": member.id, "username": member.username, "fullName": member.full_name });
    Ok(Json(members_of(&state.trello, board).map(brief).collect()))
}

pub(crate) async fn memberships(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let with_member = params.flag("member", false)?;
    let state = world.state.lock();
    let board = see_board(&state.trello, &caller, &id)?;
    let each = |membership: &super::model::Membership| {
        let mut whole = render::membership(membership);
        if with_member && let Some(member) = state.trello.members.get(&membership.member) {
            whole["member"] = render::member(member);
        }
        whole
    };
    Ok(Json(board.memberships.iter().map(each).collect()))
}

pub(crate) async fn put_member(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
    params: Params,
) -> Answer {
    let kind = params.get("type").unwrap_or("normal");
    let kind = MemberType::parse(kind).ok_or_else(|| TrelloError::value("type"))?;
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let id = change_board(trello, &caller, &id)?.id.clone();
    let member = trello.member(&member).ok_or(TrelloError::NotFound)?.id.clone();
    trello.join_board(&id, &member, kind, &caller.member, world.clock.now());
    let board = see_board(trello, &caller, &id)?;
    let memberships: Vec<Value> = board.memberships.iter().map(render::membership).collect();
    let members: Vec<Value> = members_of(trello, board).map(render::member).collect();
    Ok(Json(json!({ "id": id, "members": members, "memberships": memberships })))
}

pub(crate) async fn remove_member(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path((id, member)): Path<(String, String)>,
) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let id = change_board(trello, &caller, &id)?.id.clone();
    let member = trello.member(&member).ok_or(TrelloError::NotFound)?.id.clone();
    let whole = select(render::board(see_board(trello, &caller, &id)?), Some(BOARD_DEFAULT));
    if !trello.leave_board(&id, &member, &caller.member, world.clock.now()) {
        return Err(TrelloError::NotFound);
    }
    Ok(Json(whole))
}

pub(crate) async fn actions(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let board = see_board(&state.trello, &caller, &id)?;
    page_of_actions(&state.trello, &params, |action| action.board.as_ref() == Some(&board.id))
}

/// Newest first, 50 unless more are asked, between `since` and `before`, both excluded.
pub(crate) fn page_of_actions(state: &TrelloState, params: &Params, of: impl Fn(&Action) -> bool) -> Answer {
    let filter = params.get("filter").filter(|filter| *filter != "all");
    let wanted = |action: &Action| {
        filter.is_none_or(|filter| {
            filter.split(',').any(|each| match each.split_once(':') {
                // `updateCard:idList` is an update of that field.
                Some((kind, field)) => action.kind == kind && action.data["old"].get(field).is_some(),
                None => action.kind == each,
            })
        })
    };
    let (before, since, limit) = (params.bound("before")?, params.bound("since")?, params.limit(50)?);
    let mut found: Vec<&Action> = state
        .actions
        .iter()
        .filter(|action| of(action) && wanted(action))
        .filter(|action| before.as_ref().is_none_or(|before| action.id < *before))
        .filter(|action| since.as_ref().is_none_or(|since| action.id > *since))
        .collect();
    found.sort_by(|a, b| b.id.cmp(&a.id));
    let fields = params.get("fields");
    Ok(Json(found.into_iter().take(limit).map(|action| select(render::action(state, action), fields)).collect()))
}

fn members_of<'a>(state: &'a TrelloState, board: &'a Board) -> impl Iterator<Item = &'a Member> {
    board.memberships.iter().filter_map(|each| state.members.get(&each.member))
}
