//! Making boards and lists.

use sallyport_sdk::prelude::*;
use serde_json::{Map, Value, json};

use super::{cards, input};
use crate::api;
use crate::model::{Board, List};

/// The most writes of one invocation; the manifest says the same.
const MOST_WRITES: usize = 120;

/// A board with its lists and cards.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBoard {
    /// The board's name.
    #[schemars(length(min = 1, max = 16384))]
    pub name: String,
    /// What the board is for, Markdown.
    #[schemars(length(max = 16384))]
    pub description: Option<String>,
    /// The lists, from left to right. Together with their cards at most 119.
    #[serde(default)]
    pub lists: Vec<NewList>,
    /// The workspace to make it in; without one Trello takes the account's own.
    pub organization_id: Option<String>,
}

/// A list with its cards.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewList {
    /// The list's name.
    #[schemars(length(min = 1, max = 16384))]
    pub name: String,
    /// The cards, from top to bottom.
    #[serde(default)]
    pub cards: Vec<NewCard>,
}

/// A card.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCard {
    /// The card's name: what is to be done.
    #[schemars(length(min = 1, max = 16384))]
    pub name: String,
    /// More about it, Markdown.
    #[schemars(length(max = 16384))]
    pub description: Option<String>,
    /// When it is due: a day such as 2026-10-05, or an instant such as 2026-10-05T12:00:00Z.
    pub due: Option<String>,
}

/// The new board.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BoardCreated {
    /// The board's id.
    pub id: String,
    /// Where a person opens it.
    pub url: Option<String>,
    /// Its lists, from left to right.
    pub lists: Vec<ListCreated>,
}

/// A new list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListCreated {
    /// The list's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its cards, from top to bottom.
    pub cards: Vec<cards::CardCreated>,
}

/// Creates a private board with its lists and cards, all in one call. The lists stand in the order
/// given, the cards, too. Nothing else is put on the board.
#[tool(title = "Create a board")]
pub fn create_board(input: CreateBoard) -> Result<BoardCreated, Failure> {
    check(&input)?;
    let mut body = Map::new();
    body.insert("name".into(), input.name.as_str().into());
    if let Some(description) = &input.description {
        body.insert("desc".into(), description.as_str().into());
    }
    // Otherwise Trello adds three lists of its own.
    body.insert("defaultLists".into(), false.into());
    if let Some(organization) = &input.organization_id {
        body.insert("idOrganization".into(), organization.as_str().into());
    }
    body.insert("prefs_permissionLevel".into(), "private".into());
    let board: Board = api::check(api::post(["boards"]).json(&Value::Object(body)).send()?)?.json()?;

    let mut created = BoardCreated { id: board.id, url: board.url, lists: Vec::new() };
    for (index, list) in input.lists.iter().enumerate() {
        fill(&mut created, index, list).map_err(|failure| incomplete(&created, &failure))?;
    }
    Ok(created)
}

fn check(input: &CreateBoard) -> Result<(), Failure> {
    input::name("name", &input.name)?;
    input::text("description", input.description.as_deref().unwrap_or_default())?;
    if let Some(organization) = &input.organization_id {
        input::id("organization_id", organization)?;
    }
    let mut writes = 1;
    for (l, list) in input.lists.iter().enumerate() {
        input::name(&format!("lists[{l}].name"), &list.name)?;
        writes += 1 + list.cards.len();
        for (c, card) in list.cards.iter().enumerate() {
            let place = format!("lists[{l}].cards[{c}]");
            input::name(&format!("{place}.name"), &card.name)?;
            input::text(&format!("{place}.description"), card.description.as_deref().unwrap_or_default())?;
            input::due(&format!("{place}.due"), card.due.as_deref())?;
        }
    }
    if writes > MOST_WRITES {
        let message =
            format!("lists: {} lists and cards are more than the {} of one call", writes - 1, MOST_WRITES - 1);
        return Err(Failure::invalid_input(message));
    }
    Ok(())
}

fn fill(created: &mut BoardCreated, index: usize, list: &NewList) -> Result<(), Failure> {
    // Without a position Trello puts a new list first.
    let made = post_list(&created.id, &list.name, json!(index + 1))?;
    created.lists.push(ListCreated { id: made.id.clone(), name: made.name, cards: Vec::new() });
    for card in &list.cards {
        let card = cards::post_card(&made.id, &card.name, card.description.as_deref(), card.due.as_deref())?;
        if let Some(list) = created.lists.last_mut() {
            list.cards.push(card);
        }
    }
    Ok(())
}

/// Says what there is already: calling again would make a second board.
fn incomplete(created: &BoardCreated, failure: &Failure) -> Failure {
    let cards: usize = created.lists.iter().map(|list| list.cards.len()).sum();
    let place = created.url.as_deref().unwrap_or(&created.id);
    let message =
        format!("the board {place} was made with {} lists and {cards} cards, then: {failure}", created.lists.len());
    Failure::other("incomplete-board", message)
}

/// A list on a board that is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateList {
    /// The board's id.
    pub board_id: String,
    /// The list's name.
    #[schemars(length(min = 1, max = 16384))]
    pub name: String,
}

/// The new list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NewListCreated {
    /// The list's id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Adds a list to a board, to the right of the others.
#[tool(title = "Create a list")]
pub fn create_list(input: CreateList) -> Result<NewListCreated, Failure> {
    input::id("board_id", &input.board_id)?;
    input::name("name", &input.name)?;
    let list = post_list(&input.board_id, &input.name, json!("bottom"))?;
    Ok(NewListCreated { id: list.id, name: list.name })
}

fn post_list(board: &str, name: &str, pos: Value) -> Result<List, Failure> {
    let body = json!({ "name": name, "idBoard": board, "pos": pos });
    api::check(api::post(["lists"]).json(&body).send()?)?.json()
}
