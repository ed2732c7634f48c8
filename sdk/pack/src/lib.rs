//! Manifest types and checks, component encoding and sealing: what turns a crate into one connector file.

pub mod ids;
