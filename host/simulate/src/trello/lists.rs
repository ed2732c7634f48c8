//! Lists.

use super::{
    Caller, change_board,
    error::TrelloError,
    missing,
    model::List,
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
    let mut lists = filtered(&state.trello, &board.id, params.get("filter").unwrap_or("open"))?;
    for list in lists.as_array_mut().into_iter().flatten() {
        if params.get("cards").is_some_and(|cards| cards == "open" || cards == "all") {
            let of = |card: &&&super::model::Card| list["id"] == card.list;
            let cards = state.trello.cards_of(&board.id);
            list["cards"] = cards.iter().filter(of).map(|card| render::card(&state.trello, card)).collect();
        }
        *list = select(list.take(), params.get("fields"));
    }
    Ok(Json(lists))
}

pub(crate) fn filtered(state: &TrelloState, board: &str, filter: &str) -> Result<Value, TrelloError> {
    let wanted = |list: &&List| match filter {
        "open" => !list.closed,
        "closed" => list.closed,
        _ => true,
    };
    if !["all", "open", "closed"].contains(&filter) {
        return Err(TrelloError::value("filter"));
    }
    Ok(state.lists_of(board).into_iter().filter(wanted).map(render::listed).collect())
}

pub(crate) async fn create(Shared(world): Shared<Arc<World>>, caller: Caller, params: Params) -> Answer {
    let board = params.get("idBoard").ok_or_else(|| TrelloError::value("idBoard"))?.to_owned();
    place(&world, &caller, &board, &params)
}

pub(crate) async fn create_on(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    place(&world, &caller, &id, &params)
}

/// A new list goes to the top unless told otherwise.
fn place(world: &World, caller: &Caller, board: &str, params: &Params) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let board = change_board(trello, caller, board)?.id.clone();
    let id = trello.add_list(&board, params.name()?, params.place(Place::Top)?, &caller.member, world.clock.now());
    let list = trello.lists.get(&id).ok_or(TrelloError::NotFound)?;
    let mut whole = render::list(list);
    whole["limits"] = json!({});
    Ok(Json(whole))
}

pub(crate) async fn one(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let state = world.state.lock();
    Ok(Json(select(render::list(see_list(&state.trello, &caller, &id)?), params.get("fields"))))
}

pub(crate) async fn update(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let mut state = world.state.lock();
    let trello = &mut state.trello;
    let mut list = see_list(trello, &caller, &id)?.clone();
    change_board(trello, &caller, &list.board)?;
    let mut old = json!({});
    if params.raw("name").is_some() {
        old["name"] = list.name.into();
        list.name = params.name()?.to_owned();
    }
    if params.get("closed").is_some() {
        old["closed"] = list.closed.into();
        list.closed = params.flag("closed", false)?;
    }
    if params.get("pos").is_some() {
        old["pos"] = list.pos.into();
        list.pos = trello.list_pos(&list.board, params.place(Place::Bottom)?);
    }
    let (whole, board) = (render::list(&list), list.board.clone());
    let about = json!({ "id": list.id, "name": list.name, "closed": list.closed });
    trello.lists.insert(list.id.clone(), list);
    if old != json!({}) {
        trello.act("updateList", &caller.member, &board, None, json!({ "old": old, "list": about }), world.clock.now());
    }
    Ok(Json(whole))
}

pub(crate) fn see_list<'a>(state: &'a TrelloState, caller: &Caller, id: &str) -> Result<&'a List, TrelloError> {
    let list = state.lists.get(id).ok_or_else(|| missing(id))?;
    see_board(state, caller, &list.board)?;
    Ok(list)
}
