//! The store, by its effects: what its traits answer, and what lies on the disk.

mod given;

mod sink;
