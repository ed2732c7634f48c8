//! What a host function says when it cannot: a typed value for the guest, or the end of the execution. `?` on a typed
//! value gives the former, on a [`Stop`] the latter.

use wasmtime::component::ResourceTableError;

use crate::engine::imports::connector::{documents, http, types};
use crate::invoke::Stop;

/// A typed value for the guest, or a trap.
#[allow(unreachable_pub)] // the generated traits name it, and compilers from 1.97 on refuse a private type there
pub enum Or<E> {
    /// The guest may go on.
    Typed(E),
    /// It may not.
    Trap(wasmtime::Error),
}

pub(crate) type ProblemOr = Or<types::Problem>;
pub(crate) type HttpErrorOr = Or<http::Error>;
pub(crate) type DocumentsErrorOr = Or<documents::Error>;

impl<E> Or<E> {
    pub(super) fn into_typed(self) -> wasmtime::Result<E> {
        match self {
            Self::Typed(error) => Ok(error),
            Self::Trap(trap) => Err(trap),
        }
    }
}

impl<E> From<wasmtime::Error> for Or<E> {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl<E> From<Stop> for Or<E> {
    fn from(stop: Stop) -> Self {
        Self::Trap(stop.into())
    }
}

/// A handle that does not exist is the guest's own mistake.
impl<E> From<ResourceTableError> for Or<E> {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

pub(super) fn problem(code: &str, message: impl Into<String>) -> types::Problem {
    types::Problem { code: code.into(), message: message.into() }
}
