//! What an agent can do: read boards, and make and change them.
//!
//! A tool that writes depends on its arguments and on Trello's answers alone, so that replaying it
//! makes the same requests. Bodies are JSON: Trello's limit of 8 KB for a query would cut long text.

mod boards;
mod cards;
mod input;
mod read;

pub use boards::{create_board, create_list};
pub use cards::{archive_card, create_card};
pub use read::{get_board, list_boards};
