//! Changing a card: `PUT /cards/{id}` with any of its fields, or `PUT /cards/{id}/{field}` with one.

use super::{
    Caller,
    cards::{change_card, known_labels, known_members, see_card},
    change_board,
    error::TrelloError,
    lists::see_list,
    params::Params,
    render,
    state::Place,
};
use crate::world::World;
use axum::{
    Json,
    extract::{Path, State as Shared},
};
use serde_json::{Value, json};
use std::sync::Arc;

type Answer = Result<Json<Value>, TrelloError>;

pub(crate) async fn update(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    change(&world, &caller, &id, &params)
}

/// `PUT /cards/{id}/{field}?value=…`
pub(crate) async fn update_field(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path((id, field)): Path<(String, String)>,
    mut params: Params,
) -> Answer {
    let known =
        ["name", "desc", "closed", "due", "dueComplete", "idList", "idBoard", "pos", "idMembers", "idLabels", "start"];
    if !known.contains(&field.as_str()) {
        return Err(TrelloError::NotFound);
    }
    let value = params.raw("value").unwrap_or_default().to_owned();
    params.set(&field, value);
    change(&world, &caller, &id, &params)
}

fn change(world: &World, caller: &Caller, id: &str, params: &Params) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let before = change_card(trello, caller, id)?.clone();
    let mut card = before.clone();
    let (mut old, mut new, mut data) = (json!({}), json!({}), json!({}));
    if params.raw("name").is_some() {
        card.name = params.name()?.to_owned();
        (old["name"], new["name"]) = (before.name.clone().into(), card.name.clone().into());
    }
    if params.raw("desc").is_some() {
        card.desc = params.text("desc")?.to_owned();
        (old["desc"], new["desc"]) = (before.desc.clone().into(), card.desc.clone().into());
    }
    if params.get("closed").is_some() {
        card.closed = params.flag("closed", false)?;
        (old["closed"], new["closed"]) = (before.closed.into(), card.closed.into());
    }
    if let Some(due) = params.date("due")? {
        card.due = due;
        (old["due"], new["due"]) = (json!(before.due.map(crate::clock::stamp)), json!(due.map(crate::clock::stamp)));
    }
    if let Some(start) = params.date("start")? {
        card.start = start;
        (old["start"], new["start"]) =
            (json!(before.start.map(crate::clock::stamp)), json!(start.map(crate::clock::stamp)));
    }
    if params.get("dueComplete").is_some() {
        card.due_complete = params.flag("dueComplete", false)?;
        (old["dueComplete"], new["dueComplete"]) = (before.due_complete.into(), card.due_complete.into());
    }
    if let Some(board) = params.get("idBoard").filter(|board| *board != before.board) {
        let board = change_board(trello, caller, board)?.id.clone();
        let first = trello
            .lists_of(&board)
            .into_iter()
            .find(|list| !list.closed)
            .ok_or_else(|| TrelloError::value("idBoard"))?;
        (card.list, card.board) = (first.id.clone(), board);
    }
    if let Some(list) = params.get("idList").filter(|list| *list != before.list) {
        let list = see_list(trello, caller, list)?;
        change_board(trello, caller, &list.board)?;
        if list.board == before.board {
            let from = trello.lists.get(&before.list).map(|list| list.name.clone());
            data["listBefore"] = json!({ "id": before.list, "name": from });
            data["listAfter"] = json!({ "id": list.id, "name": list.name });
            (old["idList"], new["idList"]) = (before.list.clone().into(), list.id.clone().into());
        }
        (card.list, card.board) = (list.id.clone(), list.board.clone());
    }
    if params.get("pos").is_some() || card.list != before.list {
        card.pos = trello.card_pos(&card.list, params.place(Place::Bottom)?);
        if card.list == before.list {
            (old["pos"], new["pos"]) = (before.pos.into(), card.pos.into());
        }
    }
    if let Some(ids) = params.ids("idMembers") {
        card.members = known_members(trello, &card.board, ids)?;
    }
    if let Some(ids) = params.ids("idLabels") {
        card.labels = known_labels(trello, &card.board, ids)?;
    }
    let (id, board, now) = (card.id.clone(), card.board.clone(), world.clock.now());
    let moved = (board != before.board).then(|| before.board.clone());
    trello.cards.insert(id.clone(), card);
    if let Some(from) = moved {
        trello.act(
            "moveCardFromBoard",
            &caller.member,
            &from,
            Some(&id),
            json!({ "boardTarget": { "id": board } }),
            now,
        );
        trello.act("moveCardToBoard", &caller.member, &board, Some(&id), json!({ "boardSource": { "id": from } }), now);
    }
    if old != json!({}) {
        (data["old"], data["card"]) = (old, new);
        trello.act("updateCard", &caller.member, &board, Some(&id), data, now);
    }
    Ok(Json(render::card(trello, see_card(trello, caller, &id)?)))
}
