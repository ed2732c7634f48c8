//! Trello's objects, as far as they are used. Everything that recordings show to be absent or null
//! somewhere is optional here.

use sallyport_sdk::prelude::*;

/// A board, from `members/me/boards`, `boards/{id}` or the answer to its creation.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    /// An object id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it was closed.
    #[serde(default)]
    pub closed: bool,
    /// When something last happened on it; null on a new board.
    pub date_last_activity: Option<String>,
    /// The workspace that it belongs to.
    pub id_organization: Option<String>,
    /// Where a person opens it.
    pub url: Option<String>,
    /// Who may see it, among other things.
    pub prefs: Option<Prefs>,
    /// Who is on it, where the answer says so.
    pub memberships: Option<Vec<Membership>>,
}

/// A board's preferences.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prefs {
    /// `private`, `org`, `enterprise` or `public`.
    pub permission_level: Option<String>,
}

impl Board {
    /// `private`, `org`, `enterprise` or `public`; what is not told counts as private.
    pub fn level(&self) -> &str {
        self.prefs.as_ref().and_then(|prefs| prefs.permission_level.as_deref()).unwrap_or("private")
    }
}

/// Someone on a board or in a workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// The member.
    pub id_member: String,
    /// `admin`, `normal` or `observer`.
    pub member_type: Option<String>,
    /// Invited, but the account was never confirmed.
    #[serde(default)]
    pub unconfirmed: bool,
    /// Suspended there.
    #[serde(default)]
    pub deactivated: bool,
    /// Who that is, where it was asked for.
    #[serde(skip_serializing)]
    pub member: Option<Member>,
}

/// A Trello account. The e-mail is told of the own account only.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// An object id.
    pub id: String,
    /// The account's short name.
    pub username: Option<String>,
    /// The person's name.
    pub full_name: Option<String>,
    /// The own account's e-mail address.
    pub email: Option<String>,
}

impl Member {
    /// A name for people: the full one, else the short one, else the id.
    pub fn label(&self) -> String {
        let names = [&self.full_name, &self.username];
        let named = names.into_iter().flatten().find(|name| !name.trim().is_empty());
        named.unwrap_or(&self.id).clone()
    }
}

/// A list on a board.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// An object id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it was archived.
    #[serde(default)]
    pub closed: bool,
}

/// A card.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// An object id; its first eight digits are the second in which the card was made.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description, Markdown.
    pub desc: Option<String>,
    /// Whether it was archived.
    #[serde(default)]
    pub closed: bool,
    /// When something last happened to it.
    pub date_last_activity: Option<String>,
    /// When it is due.
    pub due: Option<String>,
    /// Whether what is due is done.
    #[serde(default)]
    pub due_complete: bool,
    /// The board that it is on.
    pub id_board: String,
    /// The list that it is in.
    pub id_list: String,
    /// Who works on it.
    #[serde(default)]
    pub id_members: Vec<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Where a person opens it.
    pub url: Option<String>,
    /// Its checklists, where they were asked for.
    #[serde(default)]
    pub checklists: Vec<Checklist>,
}

/// A label on a card.
#[derive(Debug, Clone, Deserialize)]
pub struct Label {
    /// Its name; empty for one that is only a colour.
    pub name: Option<String>,
    /// Its colour.
    pub color: Option<String>,
}

impl Label {
    /// The name, else the colour.
    pub fn text(&self) -> Option<&str> {
        [&self.name, &self.color].into_iter().flatten().map(String::as_str).find(|text| !text.is_empty())
    }
}

/// A checklist on a card.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checklist {
    /// Its name.
    pub name: String,
    /// Its place among the card's checklists.
    #[serde(default)]
    pub pos: f64,
    /// Its items.
    #[serde(default)]
    pub check_items: Vec<CheckItem>,
}

/// An item of a checklist.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckItem {
    /// What is to be done.
    pub name: String,
    /// `complete` or `incomplete`.
    pub state: String,
    /// Its place in the checklist.
    #[serde(default)]
    pub pos: f64,
}

/// Something that happened on a board: an event, not a state.
#[derive(Debug, Clone, Deserialize)]
pub struct Action {
    /// An object id; later actions have greater ones.
    pub id: String,
    /// Such as `updateCard`; absent where it was not asked for.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// What it is about.
    #[serde(default)]
    pub data: ActionData,
}

/// What an action is about.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ActionData {
    /// The card, for actions on cards.
    pub card: Option<Reference>,
}

/// The id of something that an action names.
#[derive(Debug, Clone, Deserialize)]
pub struct Reference {
    /// An object id; absent where the thing is gone.
    pub id: Option<String>,
}

/// When something was made, from its object id.
pub(crate) fn made(id: &str) -> Option<Timestamp> {
    let seconds = u32::from_str_radix(id.get(..8)?, 16).ok()?;
    (id.len() == 24).then(|| Timestamp::from_seconds(seconds.into()))
}
