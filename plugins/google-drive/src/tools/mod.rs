//! What an agent can do: search, create a document, share a file.
//!
//! A tool that writes depends on its arguments and on Drive's answers alone, so that replaying it
//! makes the same requests.

mod create;
mod input;
mod search;
mod share;

pub use create::create_document;
pub use search::search_files;
pub use share::share_file;
