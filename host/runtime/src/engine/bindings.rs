//! The WIT package as Rust: generated, in this file only.
//!
//! The widest world is generated; a component is asked which of its exports it has ([`super::Exports`]).

#![allow(missing_docs, unreachable_pub, clippy::all)] // generated
#![allow(unsafe_code)] // wasmtime's derived `ComponentType`, `Lift` and `Lower` are unsafe traits; nothing here is by hand

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "connector-with-subscriptions",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "sallyport:connector/blobs.blob": crate::host::Blob },
    trappable_error_type: {
        "sallyport:connector/types.problem" => crate::host::ProblemOr,
        "sallyport:connector/http.error" => crate::host::HttpErrorOr,
        "sallyport:connector/documents.error" => crate::host::DocumentsErrorOr,
    },
});

use crate::host::State;
use wasmtime::component::{HasSelf, Linker};

/// Offers the worlds' imports, and nothing else.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    ConnectorWithSubscriptions::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}
