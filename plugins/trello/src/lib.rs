//! The Trello connector: boards, lists and cards as documents, board membership as access; tools
//! that read boards and change them. What it reads, writes and leaves out stands in README.md.

mod api;
mod model;
mod sync;
mod tools;

use sallyport_sdk::prelude::*;

pub use model::{Action, Board, Card, List, Member, Membership};
pub use sync::Boards;
pub use tools::{archive_card, create_board, create_card, create_list, get_board, list_boards};

export! {
    account: identify,
    tools: [
        tools::list_boards, tools::get_board,
        tools::create_board, tools::create_list, tools::create_card, tools::archive_card,
    ],
    sync: Boards,
}

fn identify() -> Result<Identity, Failure> {
    let me = api::me()?;
    let identity = Identity::new(me.id.clone(), me.label());
    Ok(match me.email {
        Some(email) => identity.email(email),
        None => identity,
    })
}
