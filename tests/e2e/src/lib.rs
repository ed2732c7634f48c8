//! What the end-to-end tests share: a host with a seeded workspace, the program itself, and HTTP in between.
//!
//! The host is the real one over simulated services: connectors are compiled to WebAssembly and installed, documents
//! are read in, cut and embedded.

mod host;
mod program;

pub use host::{Answer, Host, block_on};
pub use program::{Finished, connectors, fails, output, program, run, succeeds};
