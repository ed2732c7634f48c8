//! Where host calls go: to the component's imports in a guest, to a native host in a test.

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, rust_2018_idioms, clippy::all)]
pub mod bindings;
#[cfg(target_arch = "wasm32")]
mod convert;
#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;

#[cfg(target_arch = "wasm32")]
pub(crate) use guest::{
    Blob, checkpoint, create_blob, emit, facts, log, now, open_blob, random, revisions, send, send_all,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{
    Blob, checkpoint, create_blob, emit, facts, log, now, open_blob, random, revisions, send, send_all,
};
