//! The Sallyport runtime: connectors that nobody has to trust, behind grants, one egress and a journal.
//!
//! A connector is a WebAssembly component that can do nothing but call the host. This crate runs it: it knows no HTTP
//! server, no model, no index and no SQL; what it needs kept it asks of the traits in [`ports`].
//!
//! # Embedding
//!
//! A store implements the ports (`sallyport-store` does; `testing::MemoryStore` does for tests, with the feature `testing`).
//! A connector file is installed, connected to an account, synced, and its tools are called. A write that needs
//! approval comes back as a proposal, and nothing has been sent:
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use sallyport::admission::Word;
//! use sallyport::connection::{Constraints, Owner};
//! use sallyport::credentials::NewSecret;
//! use sallyport::ids::{ConnectorId, SlotName, ToolName};
//! use sallyport::invoke::{Connect, SyncOptions};
//! use sallyport::keys::{MasterFile, Secret};
//! use sallyport::ports::{Catalog, DecisionKind, Directory, Journal, Limiter, Links, Sink, Vault};
//! use sallyport::tool::{Outcome, ToolCall, Tools, Verdict};
//! use sallyport::{Caller, Ports, Runtime};
//!
//! async fn embed<S>(
//!     store: Arc<S>,
//!     file: Vec<u8>,
//!     (admin, approver): (Caller, Caller),
//!     token: String,
//! ) -> Result<(), Box<dyn std::error::Error>>
//! where
//!     S: Catalog + Directory + Journal + Limiter + Links + Sink + Vault + 'static,
//! {
//!     let runtime = Runtime::builder(Ports::all(store), MasterFile::open_or_create("data/master.key".as_ref())?)
//!         .component_cache("data/components")
//!         .build()?;
//!     runtime.install(&admin, file, Word::default()).await?; // signed by its publisher
//!
//!     let secret = NewSecret { access: Secret::new(token), refresh: None, expires_in: None, scopes: Vec::new() };
//!     let connection = runtime
//!         .connect(&admin, Connect {
//!             connector: ConnectorId::new("trello")?,
//!             auth: None,
//!             owner: Owner::Workspace,
//!             name: None,
//!             secrets: BTreeMap::from([(SlotName::new("user")?, secret)]),
//!             capabilities: None, // everything that reads
//!             constraints: Constraints::default(),
//!             settings: BTreeMap::new(),
//!             audience: Vec::new(),
//!         })
//!         .await?;
//!     let told = |progress: sallyport::invoke::SyncProgress| println!("{} documents", progress.documents);
//!     runtime.sync(&admin.tenant, &connection.id, SyncOptions::default(), told).await?;
//!
//!     let call = ToolCall {
//!         connection: connection.id,
//!         tool: ToolName::new("create_board")?,
//!         arguments: serde_json::json!({ "name": "Q4" }),
//!         verdict: Verdict::Ask(vec!["a document asks for it".into()]),
//!         context: None,
//!     };
//!     if let Outcome::Held(proposal) = runtime.call(&admin, call).await? {
//!         println!("{} {}\n{}", proposal.first_write.method, proposal.first_write.url, proposal.first_write.body);
//!         // Whoever asked does not approve, unless the tenant's rules say so.
//!         runtime.decide(&approver, &proposal.invocation, DecisionKind::Approve, None).await?;
//!         runtime.resume(&admin, &proposal.invocation).await?;
//!     }
//!     Ok(())
//! }
//! ```

pub mod admission;
pub mod answers;
pub mod audit;
pub mod authority;
pub mod blame;
pub mod caller;
pub mod clock;
pub mod connection;
pub mod consent;
pub mod constraint;
pub mod credentials;
pub mod decider;
pub mod document;
pub mod egress;
pub mod engine;
pub mod error;
pub mod grants;
mod host;
pub mod ids;
pub mod invoke;
pub mod keys;
pub mod limiter;
pub mod ports;
pub mod recording;
pub mod registry;
pub mod runtime;
mod scan;
pub mod schema;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tool;
pub mod wire;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use authority::{Authority, Fence};
pub use blame::{Blame, Fault};
pub use caller::{Caller, Role};
pub use error::{InvokeError, Violation};
pub use runtime::{Builder, Ports, Runtime};
