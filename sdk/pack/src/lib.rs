//! Manifest types and checks, component encoding and sealing: what turns a crate into one connector file.
//!
//! Nothing here runs a component. [`manifest`] and [`route`] are also what the host reads grants by.

pub mod build;
pub mod describe;
pub mod diff;
pub mod ids;
pub mod manifest;
pub mod route;
pub mod schema;
pub mod sealed;
pub mod signature;

#[cfg(test)]
mod testing;
