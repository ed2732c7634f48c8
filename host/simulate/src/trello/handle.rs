//! The simulated Trello, seen by its keeper.

use super::{
    model::{MemberType, Visibility},
    state::{NewBoard, Place},
};
use crate::world::{State, World};
use serde_json::Value;
use std::sync::Arc;

/// Reads and changes Trello from outside; each change leaves its action, as a member's own would.
#[derive(Debug, Clone)]
pub struct Trello {
    pub(crate) world: Arc<World>,
}

impl Trello {
    /// Everything held: boards with their lists, cards, comments and members, and workspaces.
    pub fn state(&self) -> Value {
        self.world.state.lock().trello.snapshot()
    }

    /// One board with its lists and cards, as in [`Trello::state`]; the newest if several have the name.
    pub fn board(&self, name: &str) -> Option<Value> {
        let mut state = self.state();
        let boards = state["boards"].as_array_mut()?;
        let at = boards.iter().rposition(|board| board["name"] == name)?;
        Some(boards.swap_remove(at))
    }

    /// Adds a board without lists; answers its id. `owner` is an e-mail.
    pub fn add_board(&self, name: &str, owner: &str, visibility: Visibility) -> String {
        self.with(owner, |state, member, now| {
            let organization = state.trello.organizations.keys().next().cloned();
            let visibility =
                if organization.is_none() && visibility == Visibility::Org { Visibility::Private } else { visibility };
            let new = NewBoard {
                name,
                desc: "",
                organization,
                visibility,
                creator: member,
                default_lists: false,
                default_labels: true,
            };
            state.trello.add_board(new, now)
        })
    }

    /// Adds a list at the end of a board; answers its id.
    pub fn add_list(&self, board: &str, name: &str, by: &str) -> String {
        self.with(by, |state, member, now| state.trello.add_list(board, name, Place::Bottom, member, now))
    }

    /// Adds a card at the end of a list; answers its id.
    pub fn add_card(&self, list: &str, name: &str, desc: &str, by: &str) -> String {
        self.with(by, |state, member, now| state.trello.add_card(list, name, desc, Place::Bottom, member, now))
    }

    /// Puts somebody on a board. All are e-mails but the board's id.
    pub fn add_member(&self, board: &str, email: &str, kind: MemberType, by: &str) {
        let whom = self.with(email, |_, member, _| member.to_owned());
        self.with(by, |state, member, now| state.trello.join_board(board, &whom, kind, member, now));
    }

    /// Takes somebody off a board. False if they were not on it.
    pub fn remove_member(&self, board: &str, email: &str, by: &str) -> bool {
        let whom = self.with(email, |_, member, _| member.to_owned());
        self.with(by, |state, member, now| state.trello.leave_board(board, &whom, member, now))
    }

    /// Deletes a board for good.
    pub fn delete_board(&self, board: &str) {
        self.world.state.lock().trello.remove_board(board);
    }

    fn with<T>(&self, email: &str, act: impl FnOnce(&mut State, &str, time::OffsetDateTime) -> T) -> T {
        let now = self.world.clock.now();
        let mut state = self.world.state.lock();
        state.directory.ensure_person(email);
        let name = state.directory.name_of(email);
        let member = state.trello.member_of(email, &name, now);
        act(&mut state, &member, now)
    }
}
