//! The store, by its effects: what its traits answer, and what lies on the disk.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used)]

mod access;
mod accounts;
mod audit;
mod chunks;
mod constraints;
mod disk;
mod documents;
mod figures;
mod format;
mod given;
mod journal;
mod limiter;
mod ports;
mod sink;
