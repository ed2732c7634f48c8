//! Routes: which requests a capability allows. METHOD, space, `{origin}`, path.
//!
//! A [`RouteTemplate`] says method, origin and path; a [`Route`] adds what a write may carry. Matching is on
//! parsed things only: the caller parses the URL once, splits its path with [`path_segments`] and its parameters with
//! [`Parameters`], and hands both over.

mod parameters;
mod path;
mod rules;
mod template;

pub use parameters::{ParameterError, Parameters};
pub use path::{PathError, path_segments};
pub use rules::{Bind, Body, Bound, Fill, ParameterPath, Refusal, Repeat, RepeatKey, Route};
pub use template::{Params, RouteTemplate, TemplateError};
