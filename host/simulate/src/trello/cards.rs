//! Cards, their comments and what happened to them; changing a card's fields has a module of its own.

use super::{
    Caller,
    boards::page_of_actions,
    change_board,
    error::TrelloError,
    lists::see_list,
    missing,
    model::Card,
    params::Params,
    render::{self, select},
    see_board,
    state::{Place, TrelloState},
};
use crate::world::World;
use axum::{
    Json,
    extract::{Path, State as Shared},
};
use serde_json::{Value, json};
use std::sync::Arc;

type Answer = Result<Json<Value>, TrelloError>;

pub(crate) async fn of_board(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let board = see_board(&state.trello, &caller, &id)?;
    page(&state.trello, state.trello.cards_of(&board.id), params.get("filter").unwrap_or("visible"), &params)
}

/// `/boards/{id}/cards/{which}`: a filter, or a card of the board.
pub(crate) async fn of_board_by(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path((id, which)): Path<(String, String)>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let board = see_board(&state.trello, &caller, &id)?;
    if ["all", "open", "closed", "visible", "none"].contains(&which.as_str()) {
        return page(&state.trello, state.trello.cards_of(&board.id), &which, &params);
    }
    let card = state.trello.card(&which).filter(|card| card.board == board.id).ok_or_else(|| missing(&which))?;
    Ok(Json(select(render::card(&state.trello, card), params.get("fields"))))
}

pub(crate) async fn of_list(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let list = see_list(&state.trello, &caller, &id)?;
    let cards = state.trello.cards_of(&list.board).into_iter().filter(|card| card.list == list.id).collect();
    page(&state.trello, cards, params.get("filter").unwrap_or("open"), &params)
}

/// By position; once a page is asked for, newest first. Never more than 1000.
fn page(state: &TrelloState, mut cards: Vec<&Card>, filter: &str, params: &Params) -> Answer {
    let (before, since, limit) = (params.bound("before")?, params.bound("since")?, params.limit(1000)?);
    if before.is_some() || since.is_some() || params.get("limit").is_some() {
        cards.sort_by(|a, b| b.id.cmp(&a.id));
    }
    let with_members = params.flag("members", false)?;
    let each = |card: &Card| {
        let mut whole = select(render::card(state, card), params.get("fields"));
        if with_members {
            whole["members"] = card.members.iter().filter_map(|id| state.members.get(id)).map(render::member).collect();
        }
        for (name, asked) in [("checklists", "all"), ("attachments", "true"), ("customFieldItems", "true")] {
            if params.get(name) == Some(asked) {
                whole[name] = json!([]);
            }
        }
        whole
    };
    let shown = shown(state, filter)?;
    Ok(Json(
        cards
            .into_iter()
            .filter(|card| shown(card))
            .filter(|card| before.as_ref().is_none_or(|before| card.id < *before))
            .filter(|card| since.as_ref().is_none_or(|since| card.id > *since))
            .take(limit)
            .map(each)
            .collect(),
    ))
}

pub(crate) fn filtered(state: &TrelloState, board: &str, filter: &str) -> Result<Value, TrelloError> {
    let shown = shown(state, filter)?;
    Ok(state.cards_of(board).into_iter().filter(|card| shown(card)).map(|card| render::card(state, card)).collect())
}

/// `open` are cards that are not archived; `visible` also stand in a list that is not.
fn shown<'a>(state: &'a TrelloState, filter: &'a str) -> Result<impl Fn(&Card) -> bool + 'a, TrelloError> {
    if !["all", "open", "closed", "visible", "none"].contains(&filter) {
        return Err(TrelloError::value("filter"));
    }
    Ok(move |card: &Card| match filter {
        "open" => !card.closed,
        "closed" => card.closed,
        "visible" => !card.closed && state.lists.get(&card.list).is_some_and(|list| !list.closed),
        "none" => false,
        _ => true,
    })
}

pub(crate) async fn create(Shared(world): Shared<Arc<World>>, caller: Caller, params: Params) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let list = params.get("idList").ok_or_else(|| TrelloError::value("idList"))?;
    let list = see_list(trello, &caller, list)?.clone();
    change_board(trello, &caller, &list.board)?;
    // Nothing is made before everything is known to be valid.
    let (place, desc, due, start) =
        (params.place(Place::Bottom)?, params.text("desc")?, params.date("due")?, params.date("start")?);
    let members = known_members(trello, &list.board, params.ids("idMembers").unwrap_or_default())?;
    let labels = known_labels(trello, &list.board, params.ids("idLabels").unwrap_or_default())?;
    let due_complete = params.flag("dueComplete", false)?;
    let name = params.raw("name").unwrap_or_default();
    let id = trello.add_card(&list.id, name, desc, place, &caller.member, world.clock.now());
    if let Some(card) = trello.cards.get_mut(&id) {
        (card.due, card.start) = (due.flatten(), start.flatten());
        (card.members, card.labels, card.due_complete) = (members, labels, due_complete);
    }
    let mut whole = render::card(trello, see_card(trello, &caller, &id)?);
    for (name, empty) in [("attachments", json!([])), ("stickers", json!([])), ("limits", json!({}))] {
        whole[name] = empty;
    }
    Ok(Json(whole))
}

pub(crate) async fn one(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    let card = see_card(&state.trello, &caller, &id)?;
    let mut whole = select(render::card(&state.trello, card), params.get("fields"));
    if params.flag("members", false)? {
        let members = card.members.iter().filter_map(|id| state.trello.members.get(id));
        whole["members"] = members.map(render::member).collect();
    }
    for (name, asked) in [("checklists", "all"), ("attachments", "true"), ("customFieldItems", "true")] {
        if params.get(name) == Some(asked) {
            whole[name] = json!([]);
        }
    }
    Ok(Json(whole))
}

pub(crate) async fn delete(Shared(world): Shared<Arc<World>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let card = change_card(trello, &caller, &id)?.clone();
    trello.cards.remove(&card.id);
    let list = trello.lists.get(&card.list).map(|list| json!({ "id": list.id, "name": list.name }));
    let about = json!({ "id": card.id, "idShort": card.id_short, "shortLink": card.short_link });
    let data = json!({ "card": about, "list": list });
    trello.act("deleteCard", &caller.member, &card.board, None, data, world.clock.now());
    if let Some(action) = trello.actions.last_mut() {
        action.card = Some(card.id);
    }
    Ok(Json(json!({ "limits": {} })))
}

pub(crate) async fn actions(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Answer {
    let state = world.state.lock();
    let card = see_card(&state.trello, &caller, &id)?;
    // Of a card, unless told otherwise, only these (Trello REST docs, get actions on a card).
    if params.get("filter").is_none() {
        params.set("filter", "commentCard,updateCard:idList".to_owned());
    }
    page_of_actions(&state.trello, &params, |action| action.card.as_ref() == Some(&card.id))
}

/// Observers may comment too.
pub(crate) async fn comment(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let text = params.text("text")?;
    if text.is_empty() {
        return Err(TrelloError::value("text"));
    }
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let card = see_card(trello, &caller, &id)?.clone();
    let board = see_board(trello, &caller, &card.board)?;
    if !board.memberships.iter().any(|each| each.member == caller.member) {
        return Err(TrelloError::CARD);
    }
    let action = trello.comment(&card.id, text, &caller.member, world.clock.now());
    let action = trello.actions.iter().rev().find(|each| each.id == action).ok_or(TrelloError::NotFound)?;
    Ok(Json(render::action(trello, action)))
}

pub(crate) async fn add_member(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let member = params.get("value").ok_or_else(|| TrelloError::value("value"))?.to_owned();
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let card = change_card(trello, &caller, &id)?.clone();
    known_members(trello, &card.board, vec![member.clone()])?;
    if card.members.contains(&member) {
        return Err(TrelloError::InvalidValue("member is already on the card".to_owned()));
    }
    trello.cards.entry(card.id.clone()).and_modify(|card| card.members.push(member.clone()));
    trello.act(
        "addMemberToCard",
        &caller.member,
        &card.board,
        Some(&card.id),
        json!({ "idMember": member }),
        world.clock.now(),
    );
    let card = see_card(trello, &caller, &card.id)?;
    Ok(Json(card.members.iter().filter_map(|id| trello.members.get(id)).map(render::member).collect()))
}

pub(crate) async fn add_label(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let label = params.get("value").ok_or_else(|| TrelloError::value("value"))?.to_owned();
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let card = change_card(trello, &caller, &id)?.clone();
    known_labels(trello, &card.board, vec![label.clone()])?;
    if card.labels.contains(&label) {
        return Err(TrelloError::InvalidValue("that label is already on the card".to_owned()));
    }
    let labels = [card.labels, vec![label]].concat();
    trello.cards.entry(card.id).and_modify(|card| card.labels.clone_from(&labels));
    Ok(Json(json!(labels)))
}

pub(crate) async fn one_action(Shared(world): Shared<Arc<World>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let state = world.state.lock();
    let action = state.trello.actions.iter().find(|action| action.id == id).ok_or_else(|| missing(&id))?;
    see_board(&state.trello, &caller, action.board.as_deref().unwrap_or_default())?;
    Ok(Json(render::action(&state.trello, action)))
}

pub(crate) fn see_card<'a>(state: &'a TrelloState, caller: &Caller, id: &str) -> Result<&'a Card, TrelloError> {
    let card = state.card(id).ok_or_else(|| missing(id))?;
    see_board(state, caller, &card.board).map_err(|_| TrelloError::CARD)?;
    Ok(card)
}

pub(crate) fn change_card<'a>(state: &'a TrelloState, caller: &Caller, id: &str) -> Result<&'a Card, TrelloError> {
    let card = see_card(state, caller, id)?;
    change_board(state, caller, &card.board).map_err(|_| TrelloError::CARD)?;
    Ok(card)
}

/// Only members of the board can be put on its cards.
pub(crate) fn known_members(state: &TrelloState, board: &str, ids: Vec<String>) -> Result<Vec<String>, TrelloError> {
    let on_board = |id: &String| {
        state.boards.get(board).is_some_and(|board| board.memberships.iter().any(|each| each.member == *id))
    };
    if ids.iter().all(on_board) { Ok(ids) } else { Err(TrelloError::value("idMembers")) }
}

pub(crate) fn known_labels(state: &TrelloState, board: &str, ids: Vec<String>) -> Result<Vec<String>, TrelloError> {
    let of_board =
        |id: &String| state.boards.get(board).is_some_and(|board| board.labels.iter().any(|label| label.id == *id));
    if ids.iter().all(of_board) { Ok(ids) } else { Err(TrelloError::value("idLabels")) }
}
