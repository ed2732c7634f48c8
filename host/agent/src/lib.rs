//! The agent: it answers from documents that a caller may read, and proposes calls of the tools that they were granted.
//!
//! One turn is [`Agent::turn`]: question → retrieve as that caller → model (or the embedded planner) → tool call →
//! validate → [`policy`] → call → continue, within a [`Budget`]. Policy is code, and assumes a model that was taken
//! over: nothing that a model, a document or a tool says can widen what happens.
//!
//! What it needs from the rest of the host it asks of the traits in [`ports`] and of [`sallyport::tool::Tools`].

mod agent;
mod context;
mod control;
mod converse;
mod error;
mod event;
mod inert;
pub mod model;
mod planner;
pub mod policy;
pub mod ports;
mod provenance;
mod schema;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
mod turn;

pub use agent::{Agent, Ask, Budget, Decided, DecidedEnd, Mind};
pub use error::AgentError;
pub use event::{AgentEvent, ToolResult};
pub use provenance::Provenance;
