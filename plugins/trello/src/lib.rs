//! The Trello connector.
