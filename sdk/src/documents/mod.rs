//! Documents, what holds them and who may read them.
//!
//! ```
//! use sallyport_sdk::prelude::*;
//!
//! let plan = Document::new("d1", "page", "Launch plan")
//!     .markdown("# Launch\nIn October.")
//!     .url("https://example.com/d1")
//!     .container("folder-7")
//!     .access(Acl::new().reader(Principal::Email("ada@example.com".into())).inherit("folder-7"))
//!     .metadata("status", "draft");
//! assert_eq!(plan.title, "Launch plan");
//! ```

mod access;
mod change;
mod document;
mod sink;

pub use access::{Access, Acl, Entry, Level, Principal};
pub use change::{Change, Membership, Person};
pub use document::{Container, Content, Document};
pub use sink::{Error, Sink};
