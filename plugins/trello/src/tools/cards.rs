//! Making and archiving cards.

use sallyport_sdk::prelude::*;
use serde_json::{Map, Value, json};

use super::input;
use crate::api;
use crate::model::Card;

/// A card in a list that is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCard {
    /// The list's id.
    pub list_id: String,
    /// The card's name: what is to be done.
    #[schemars(length(min = 1, max = 16384))]
    pub name: String,
    /// More about it, Markdown.
    #[schemars(length(max = 16384))]
    pub description: Option<String>,
    /// When it is due: a day such as 2026-10-05, or an instant such as 2026-10-05T12:00:00Z.
    pub due: Option<String>,
}

/// A new card.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CardCreated {
    /// The card's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where a person opens it.
    pub url: Option<String>,
}

/// Adds a card to the end of a list.
#[tool(title = "Create a card")]
pub fn create_card(input: CreateCard) -> Result<CardCreated, Failure> {
    input::id("list_id", &input.list_id)?;
    input::name("name", &input.name)?;
    input::text("description", input.description.as_deref().unwrap_or_default())?;
    input::due("due", input.due.as_deref())?;
    post_card(&input.list_id, &input.name, input.description.as_deref(), input.due.as_deref())
}

/// Trello puts a new card last.
pub(super) fn post_card(
    list: &str,
    name: &str,
    description: Option<&str>,
    due: Option<&str>,
) -> Result<CardCreated, Failure> {
    let mut body = Map::new();
    body.insert("idList".into(), list.into());
    body.insert("name".into(), name.into());
    if let Some(description) = description {
        body.insert("desc".into(), description.into());
    }
    if let Some(due) = due {
        body.insert("due".into(), due.into());
    }
    let card: Card = api::check(api::post(["cards"]).json(&Value::Object(body)).send()?)?.json()?;
    Ok(CardCreated { id: card.id, name: card.name, url: card.url })
}

/// A card to put away.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveCard {
    /// The card's id.
    pub card_id: String,
}

/// The card that was put away.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CardArchived {
    /// The card's id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Archives a card: it leaves its list, and a person can still bring it back.
#[tool(title = "Archive a card", documents = CardArchived::documents)]
pub fn archive_card(input: ArchiveCard) -> Result<CardArchived, Failure> {
    input::id("card_id", &input.card_id)?;
    let request = api::put(["cards", &input.card_id]).json(&json!({ "closed": true }));
    let card: Card = api::check(request.send()?)?.json()?;
    Ok(CardArchived { id: card.id, name: card.name })
}

impl CardArchived {
    fn documents(&self) -> Vec<String> {
        vec![self.id.clone()]
    }
}
