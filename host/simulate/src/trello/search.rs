//! `GET /search`: boards and cards that the caller may see, by words.

use super::{
    Caller,
    error::TrelloError,
    params::Params,
    render::{self, select},
};
use crate::world::World;
use axum::{Json, extract::State as Shared};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) async fn search(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    params: Params,
) -> Result<Json<Value>, TrelloError> {
    let query = params.get("query").ok_or_else(|| TrelloError::value("query"))?.to_lowercase();
    let kinds: Vec<&str> = params.get("modelTypes").unwrap_or("all").split(',').collect();
    let wants = |kind: &str| kinds.contains(&"all") || kinds.contains(&kind);
    let most = |name: &str| {
        params.get(name).map_or(Ok(10), |text| text.parse::<usize>().map_err(|_| TrelloError::value(name)))
    };
    let (boards_limit, cards_limit) = (most("boards_limit")?.min(1000), most("cards_limit")?.min(1000));
    let partial = params.flag("partial", false)?;
    let words: Vec<&str> = query.split_whitespace().collect();
    let matches = |text: &str| {
        let text = text.to_lowercase();
        let known: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
        words.iter().all(|word| known.iter().any(|known| if partial { known.starts_with(word) } else { known == word }))
    };

    let state = world.state.lock();
    let trello = &state.trello;
    let mut found = json!({
        "options": { "terms": [{ "text": query }], "modifiers": [], "modelTypes": kinds, "partial": partial },
    });
    if wants("boards") {
        let boards = trello.boards.values().filter(|board| trello.may_see(board, &caller.member));
        let boards = boards.filter(|board| matches(&format!("{} {}", board.name, board.desc))).take(boards_limit);
        let fields = params.get("board_fields").unwrap_or("name,idOrganization");
        found["boards"] = boards.map(|board| select(render::board(board), Some(fields))).collect();
    }
    if wants("cards") {
        let visible = |board: &str| trello.boards.get(board).is_some_and(|board| trello.may_see(board, &caller.member));
        let cards = trello.cards.values().filter(|card| !card.closed && visible(&card.board));
        let cards = cards.filter(|card| matches(&format!("{} {}", card.name, card.desc))).take(cards_limit);
        found["cards"] = cards.map(|card| select(render::card(trello, card), params.get("card_fields"))).collect();
    }
    Ok(Json(found))
}
