//! All of Trello in one value, for `/_control/state` and for checks of what a run has left there.

use super::{
    model::{Board, Card, List, Organization},
    state::TrelloState,
};
use serde_json::{Value, json};

impl TrelloState {
    /// Everything held, boards with their lists and cards inside: what a check asks for the effect of a run.
    pub(crate) fn snapshot(&self) -> Value {
        let email = |id: &String| self.members.get(id).map(|member| member.email.clone());
        let card = |card: &Card| {
            let label = |id: &String| {
                self.boards
                    .get(&card.board)?
                    .labels
                    .iter()
                    .find(|label| label.id == *id)
                    .map(|label| label.color.clone())
            };
            let comments = self
                .actions
                .iter()
                .filter(|action| action.kind == "commentCard" && action.card.as_ref() == Some(&card.id));
            json!({
                "id": card.id, "name": card.name, "desc": card.desc, "closed": card.closed, "pos": card.pos,
                "due": card.due.map(crate::clock::stamp), "dueComplete": card.due_complete,
                "members": card.members.iter().filter_map(email).collect::<Vec<_>>(),
                "labels": card.labels.iter().filter_map(label).collect::<Vec<_>>(),
                "comments": comments.map(|action| action.data["text"].clone()).collect::<Vec<_>>(),
                "shortUrl": format!("https://trello.com/c/{}", card.short_link),
            })
        };
        let list = |list: &List| {
            let mut cards: Vec<&Card> = self.cards.values().filter(|card| card.list == list.id).collect();
            cards.sort_by(|a, b| a.pos.total_cmp(&b.pos));
            json!({
                "id": list.id, "name": list.name, "closed": list.closed, "pos": list.pos,
                "cards": cards.into_iter().map(card).collect::<Vec<_>>(),
            })
        };
        let board = |board: &Board| {
            json!({
                "id": board.id, "name": board.name, "desc": board.desc, "closed": board.closed,
                "visibility": board.visibility, "organization": board.organization,
                "shortUrl": format!("https://trello.com/b/{}", board.short_link),
                "members": board.memberships.iter().map(|each| json!({ "email": email(&each.member), "type": each.kind })).collect::<Vec<_>>(),
                "lists": self.lists_of(&board.id).into_iter().map(list).collect::<Vec<_>>(),
            })
        };
        let organization = |org: &Organization| {
            let members: Vec<_> = org.memberships.iter().filter_map(|each| email(&each.member)).collect();
            json!({ "id": org.id, "name": org.name, "displayName": org.display_name, "members": members })
        };
        json!({
            "boards": self.boards.values().map(board).collect::<Vec<_>>(),
            "organizations": self.organizations.values().map(organization).collect::<Vec<_>>(),
            "actions": self.actions.len(),
        })
    }
}
