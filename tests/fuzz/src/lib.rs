//! What the targets share: a connector of an invented service, the gate over it, a guest that does as it is told, and the
//! rules once more in other words, to compare with.

// The standard library's own word on addresses, which stable compilers do not give yet.
#![feature(ip)]

pub mod connector;
pub mod gate;
pub mod guest;
pub mod host;
pub mod naive;
