//! The agent: it answers from documents that a caller may read, and proposes calls of the tools that they were granted.
//!
//! One turn is [`Agent::turn`]: question → retrieve as that caller → model (or the embedded planner) → tool call →
//! validate → [`policy`] → call → continue, within a [`Budget`]. Policy is code, and assumes a model that was taken
//! over: nothing that a model, a document or a tool says can widen what happens.
//!
//! What it needs from the rest of the host it asks of the traits in [`ports`] and of [`sallyport::tool::Tools`].

mod control;
mod error;
mod event;
pub mod model;
pub mod policy;
pub mod ports;
mod schema;
mod text;

pub use error::AgentError;
pub use event::AgentEvent;
