//! What the end-to-end tests share: a host with a seeded workspace, the program itself, and HTTP in between.
//!
//! The host is the real one over simulated services: connectors are compiled to WebAssembly and installed, documents
//! are read in, cut and embedded.

mod browser;
mod chromium;
mod host;
mod issuer;
mod program;

pub use browser::{Browser, Page};
pub use chromium::{Running, chromium};
pub use host::{Answer, Host, block_on};
pub use issuer::Issuer;
pub use program::{Finished, Serving, connectors, fails, output, program, run, succeeds};
