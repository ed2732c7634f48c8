//! The Sallyport runtime: connectors that nobody has to trust, behind grants, one egress and a journal.
//!
//! A connector is a WebAssembly component that can do nothing but call the host. This crate runs it: it knows no HTTP
//! server, no model, no index and no SQL; what it needs kept it asks of the traits in [`ports`].

pub mod answers;
pub mod authority;
pub mod blame;
pub mod caller;
pub mod clock;
pub mod connection;
pub mod credentials;
pub mod document;
pub mod egress;
pub mod error;
pub mod grants;
pub mod ids;
pub mod keys;
pub mod limiter;
pub mod ports;
pub mod registry;
mod scan;
pub mod schema;
pub mod tool;
pub mod wire;

#[cfg(test)]
mod fixtures;

pub use authority::{Authority, Fence};
pub use blame::{Blame, Fault};
pub use caller::{Caller, Role};
pub use error::{InvokeError, Violation};
