//! What Trello holds: members, workspaces (organizations), boards, lists, cards and the actions upon them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

/// Who may see a board besides its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Members only.
    Private,
    /// Everybody in the workspace.
    Org,
    /// Everybody.
    Public,
}

impl Visibility {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Org => "org",
            Self::Public => "public",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Private, Self::Org, Self::Public].into_iter().find(|level| level.name() == name)
    }
}

/// What a member may do on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberType {
    /// May also manage it.
    Admin,
    /// May change it.
    Normal,
    /// May look and comment.
    Observer,
}

impl MemberType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Normal => "normal",
            Self::Observer => "observer",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Normal, Self::Observer].into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub id: String,
    pub email: String,
    pub username: String,
    pub full_name: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub id: String,
    pub member: String,
    pub kind: MemberType,
}

#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub memberships: Vec<Membership>,
}

#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub id: String,
    pub name: String,
    pub color: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Board {
    pub id: String,
    pub short_link: String,
    pub name: String,
    pub desc: String,
    pub closed: bool,
    pub organization: Option<String>,
    pub visibility: Visibility,
    pub memberships: Vec<Membership>,
    pub labels: Vec<Label>,
    pub last_activity: OffsetDateTime,
    pub cards_made: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct List {
    pub id: String,
    pub board: String,
    pub name: String,
    pub closed: bool,
    pub pos: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub id: String,
    pub short_link: String,
    pub id_short: u64,
    pub board: String,
    pub list: String,
    pub name: String,
    pub desc: String,
    pub closed: bool,
    pub pos: f64,
    pub due: Option<OffsetDateTime>,
    pub start: Option<OffsetDateTime>,
    pub due_complete: bool,
    pub members: Vec<String>,
    pub labels: Vec<String>,
    pub last_activity: OffsetDateTime,
}

#[derive(Debug, Clone)]
pub(crate) struct Action {
    pub id: String,
    pub at: OffsetDateTime,
    pub member: String,
    pub kind: &'static str,
    pub data: Value,
    pub board: Option<String>,
    pub card: Option<String>,
    /// Whom it was done to, for memberships.
    pub subject: Option<String>,
}
