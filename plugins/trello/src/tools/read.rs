//! Looking at boards.

use sallyport_sdk::prelude::*;

use super::input;
use crate::api;
use crate::model::{Board, Card, List};

/// A card list is cut at so many cards, the most that Trello gives at once.
const MOST_CARDS: usize = 1000;

/// The open boards.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BoardsListed {
    /// In the order of their names.
    pub boards: Vec<BoardBrief>,
}

/// A board.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BoardBrief {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where a person opens it.
    pub url: Option<String>,
    /// Who may see it: `private`, `org`, `enterprise` or `public`.
    pub visible_to: String,
}

/// Lists the open boards that the connected account is on.
#[tool(title = "List boards")]
pub fn list_boards() -> Result<BoardsListed, Failure> {
    let mut boards: Vec<Board> = api::boards()?.into_iter().filter(|board| !board.closed).collect();
    boards.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(BoardsListed { boards: boards.into_iter().map(brief).collect() })
}

fn brief(board: Board) -> BoardBrief {
    BoardBrief { visible_to: board.level().to_owned(), id: board.id, name: board.name, url: board.url }
}

/// Which board.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetBoard {
    /// The board's id.
    pub board_id: String,
}

/// A board with its open lists and cards.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BoardShown {
    /// The board itself.
    pub board: BoardBrief,
    /// From left to right.
    pub lists: Vec<ListShown>,
    /// Whether there are more cards than the 1,000 that were read.
    pub truncated: bool,
}

/// A list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListShown {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// From top to bottom.
    pub cards: Vec<CardShown>,
}

/// A card.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CardShown {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Where a person opens it.
    pub url: Option<String>,
}

/// Shows a board: its lists from left to right, and in each the cards that are not archived. Gives
/// the ids that other tools take.
#[tool(title = "Show a board", documents = BoardShown::documents)]
pub fn get_board(input: GetBoard) -> Result<BoardShown, Failure> {
    input::id("board_id", &input.board_id)?;
    let board = &input.board_id;
    let answers = http::send_all([
        api::get(["boards", board]).query("fields", api::BOARD_FIELDS),
        api::get(["boards", board, "lists"]).query("filter", "open").query("fields", "name,closed"),
        api::get(["boards", board, "cards"]).query("filter", "visible").query("fields", "name,due,idBoard,idList,url"),
    ]);
    let mut answers = answers.into_iter().map(|answer| api::check(answer?));
    let mut next = || answers.next().unwrap_or_else(|| Err(Failure::other("unexpected-answer", "too few answers")));
    let board: Board = next()?.json()?;
    let lists: Vec<List> = next()?.json()?;
    let cards: Vec<Card> = next()?.json()?;
    let truncated = cards.len() >= MOST_CARDS;
    let mut lists: Vec<ListShown> =
        lists.into_iter().map(|list| ListShown { id: list.id, name: list.name, cards: Vec::new() }).collect();
    for card in cards {
        if let Some(list) = lists.iter_mut().find(|list| list.id == card.id_list) {
            list.cards.push(CardShown { id: card.id, name: card.name, due: card.due, url: card.url });
        }
    }
    Ok(BoardShown { board: brief(board), lists, truncated })
}

impl BoardShown {
    fn documents(&self) -> Vec<String> {
        self.lists.iter().flat_map(|list| &list.cards).map(|card| card.id.clone()).collect()
    }
}
