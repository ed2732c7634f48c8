//! What may be sent: a read at once, a write only after its `sent` is durable.

use super::Ready;

/// Proof that the journal holds `sent` for exactly this write. Only the journal's driver makes one, after the flush.
#[derive(Debug)]
pub struct SentRecord {
    request: [u8; 32],
}

impl SentRecord {
    /// To be called after the flush that made `sent` durable, and from nowhere else.
    pub(crate) fn after_flush(ready: &Ready) -> Self {
        Self { request: ready.authorised().fingerprint() }
    }

    /// Whether this is the record of that request.
    pub(super) fn is_of(&self, ready: &Ready) -> bool {
        self.request == ready.authorised().fingerprint()
    }
}

/// With what right a request is sent. A write without its record cannot be expressed.
#[derive(Debug)]
pub enum Permit {
    /// A read. A write under it is refused before a socket is opened.
    Read,
    /// A write, with its record.
    Write(SentRecord),
}
