//! The record that proves itself: one hash chain for each tenant, and one for the host.
//!
//! Every entry of the journal and every administrative act is a link, made in the transaction of what it tells of. A link's
//! hash covers the one before it, so whoever changes, adds, takes out or moves one has to make all later hashes anew; the
//! host signs the newest hash now and then with a key that is not in the database; and an anchor, kept where whoever
//! could change both cannot reach, says what had been signed by then. The chain is over digests: bodies are not in it, so that
//! they can be forgotten and the chain still verifies.

mod anchor;
mod chain;
mod key;
mod note;
mod report;

pub use anchor::{Anchor, AnchorError, Anchored, read_anchors};
pub use chain::{ChainName, EntryText, GENESIS, Hash, Item, entry_digest, extend, note_digest};
pub use key::{HostKey, HostKeyError, Signature, SignedHead, VerifyingKey, verify_head};
pub use note::Note;
pub use report::{Bad, ChainReport, Place};
