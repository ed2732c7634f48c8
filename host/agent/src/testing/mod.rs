//! A scripted model endpoint and the ports in memory, for tests here and end to end.

mod memory;
mod scripted;

pub use memory::{Behaviour, Notes, Shelf, Toolbox, hold, offered};
pub use scripted::{Scripted, ScriptedModel};
