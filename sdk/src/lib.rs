//! Write a Sallyport connector in Rust: a sync function, tool functions, one file.
//!
//! A connector is a WebAssembly component that can do nothing but call the host. It asks for HTTP
//! requests ([`http`]), gives documents ([`documents`]) and answers tools; credentials, storage and
//! permission are the host's. An author writes ordinary functions over ordinary types:
//!
//! ```
//! use sallyport_sdk::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Me {
//!     id: String,
//!     name: String,
//! }
//!
//! /// Whose account this is.
//! fn identify() -> Result<Identity, Failure> {
//!     let me: Me = http::get("https://api.example.com/me").send()?.ok()?.json()?;
//!     Ok(Identity::new(me.id, me.name))
//! }
//!
//! /// What to call the new note.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! pub struct CreateNote {
//!     /// The note's title, one line.
//!     pub title: String,
//! }
//!
//! /// The note as the service made it.
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! pub struct NoteCreated {
//!     /// The service's id.
//!     pub id: String,
//! }
//!
//! /// Creates a note. This sentence is what a model reads.
//! #[tool(title = "Create a note")]
//! pub fn create_note(input: CreateNote) -> Result<NoteCreated, Failure> {
//!     http::post("https://api.example.com/notes").json(&serde_json::json!({ "title": input.title })).send()?.ok()?.json()
//! }
//!
//! export! {
//!     account: identify,
//!     tools: [create_note],
//! }
//!
//! // The same connector runs natively against a fake host, in an ordinary unit test.
//! use sallyport_sdk::testing::FakeHost;
//!
//! let host = FakeHost::new().respond("POST", "https://api.example.com/notes", serde_json::json!({ "id": "n1" }));
//! let note = host.invoke::<Connector>("create_note", serde_json::json!({ "title": "Milk" })).unwrap();
//! assert_eq!(note.json, serde_json::json!({ "id": "n1" }));
//! assert_eq!(host.requests()[0].json(), serde_json::json!({ "title": "Milk" }));
//! ```
//!
//! The guide in `sdk/docs/` goes from an empty crate to a tested file.

// Generated bindings call across the component boundary, and a guest has an allocator; nothing else here may be unsafe.
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

mod backend;
mod export;
mod failure;
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)]
mod heap;

pub mod account;
pub mod blobs;
pub mod clock;
pub mod credentials;
pub mod documents;
pub mod http;
pub mod log;
pub mod paging;
pub mod random;
pub mod subscriptions;
pub mod sync;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod tools;
pub mod webhooks;

pub use failure::{Failure, Problem};
pub use sallyport_sdk_macros::{export, tool};

/// What nearly every connector file needs: `use sallyport_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::account::Identity;
    pub use crate::clock::Timestamp;
    pub use crate::documents::{Access, Acl, Change, Container, Content, Document, Level, Person, Principal, Sink};
    pub use crate::sync::{Coverage, Job, Outcome, Presence, Stream};
    pub use crate::{Failure, blobs, clock, credentials, export, http, log, paging, random, sync, tool};
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
}

/// What the macros expand to. Not part of the API: it may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::export::{Account, Entry, Subscriptions, Sync, Tool, ToolResult, Tools, Webhooks};
    pub use crate::tools::NoInput;

    #[cfg(target_arch = "wasm32")]
    pub use crate::backend::bindings::{account, subscriptions, sync, tools, webhooks};
}
