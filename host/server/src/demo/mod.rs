//! The demo: everything set up, the real path run over simulated services.
//!
//! What is simulated is other people's servers (Drive, Trello, their OAuth provider). The host, its connectors, its store
//! and what they do are the ones that run anywhere else.

mod check;
mod data;
mod effect;
mod host;
mod seed;
mod steps;

pub use check::{Check, check};
pub use data::prepare;
pub use host::folder;
pub use seed::{DRIVE, Seeded, TENANT, TRELLO, seeded};
pub use steps::{Steps, say};

/// The scenario that the demo is about.
pub const SCENARIO: &str =
    "Based on the Q4 strategy doc in Google Drive, create a new Trello board with tasks for the marketing team.";

/// The document that the scenario names.
pub const SOURCE: &str = "Q4 strategy";

/// Who asks, unless somebody else is named: the head of marketing.
pub const ASKER: &str = "chiara@larkfield.example";

/// Requests that the page offers to try.
#[must_use]
pub fn examples() -> Vec<String> {
    [
        SCENARIO,
        "When does Compass 5 launch?",
        "What are the goals for the fourth quarter?",
        "Create a card \"Call the printer about the frost guide\" in the list \"Ideas\" of the board \"Marketing: autumn\".",
    ]
    .map(Into::into)
    .to_vec()
}
