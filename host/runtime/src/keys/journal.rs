//! Sealing and naming the bodies of a connection's journal.

use std::cell::RefCell;
use std::io::Read as _;
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use zeroize::Zeroizing;

use super::sealing::{bind, bind_on, open_body, seal_body};
use super::{DataKey, KeyError, SEALING};
use crate::ids::{ConnectionId, TenantId};
use crate::ports::{BodyRef, SealedBody};

/// Bytes of a body's name.
const NAME: usize = 16;
/// Smaller bodies are kept as they are: what packing saves of them is less than what unpacking them costs a replay.
const PACKED: usize = 1024;

thread_local! {
    /// A quarter of a megabyte, which is not made anew for each body. Faster levels know fixed codes only, which make little
    /// of text.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(4), false));
}

/// Seals and names the journal bodies of one connection.
#[derive(Clone)]
pub struct JournalKey {
    seal: Zeroizing<[u8; 32]>,
    name: Zeroizing<[u8; 32]>,
    /// What every body is bound to: key, tenant and connection.
    place: Arc<[u8]>,
    packed: Arc<[u8]>,
}

impl JournalKey {
    pub(super) fn of(key: &DataKey, tenant: &TenantId, connection: &ConnectionId) -> Self {
        let (id, tenant, connection) = (key.id.as_bytes(), tenant.as_str().as_bytes(), connection.as_str().as_bytes());
        let place = |form: &[u8]| bind(&[b"body", form, id, tenant, connection]).into();
        Self {
            seal: Zeroizing::new(blake3::derive_key("sallyport 2026 journal body sealing", &*key.key)),
            name: Zeroizing::new(blake3::derive_key("sallyport 2026 journal body naming", &*key.key)),
            place: place(&[SEALING]),
            packed: place(&[SEALING, 1]),
        }
    }

    /// The name of a body: keyed BLAKE3, so that equal bodies of one connection have one name and nobody else can tell
    /// what a name stands for.
    #[must_use]
    pub fn name(&self, plain: &[u8]) -> BodyRef {
        BodyRef { hash: self.hash(plain).to_hex()[..2 * NAME].to_owned(), size: plain.len() as u64 }
    }

    /// Whether this name, from a record, is that of these bytes: [`BodyRef::is`] of [`Self::name`], for less.
    #[must_use]
    pub fn names(&self, of: &BodyRef, plain: &[u8]) -> bool {
        of.size == plain.len() as u64 && of.hash.starts_with(&self.hash(plain).to_hex()[..2 * NAME])
    }

    fn hash(&self, plain: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.name, plain)
    }

    /// Seals a body.
    #[must_use]
    pub fn seal(&self, plain: &[u8]) -> SealedBody {
        self.sealed(self.name(plain), plain, false)
    }

    /// Seals a body that may lie there for long, smaller where that is worth it: some 20 us for 2 KB of text, which becomes
    /// little more than half of it.
    #[must_use]
    pub fn pack(&self, plain: &[u8]) -> SealedBody {
        self.seal_as(self.name(plain), plain, true)
    }

    /// [`Self::seal`] or [`Self::pack`] of a body whose name is known.
    pub(crate) fn seal_as(&self, of: BodyRef, plain: &[u8], pack: bool) -> SealedBody {
        match Some(plain).filter(|_| pack).and_then(packed) {
            Some(smaller) => self.sealed(of, &smaller, true),
            None => self.sealed(of, plain, false),
        }
    }

    /// Opens a body: what was sealed with its name, its length and its connection.
    ///
    /// # Errors
    /// [`KeyError::Authentication`] if it was changed, renamed or belongs to another connection.
    pub fn open(&self, body: &SealedBody) -> Result<Vec<u8>, KeyError> {
        open_body(&self.seal, &body.nonce, &body.ciphertext, &self.bound(&body.of, body.packed))
            .and_then(|opened| if body.packed { unpacked(&opened, body.of.size) } else { Some(opened) })
            .filter(|plain| plain.len() as u64 == body.of.size)
            .ok_or_else(|| KeyError::Authentication { what: format!("the journal body {}", body.of.hash) })
    }

    fn sealed(&self, of: BodyRef, bytes: &[u8], packed: bool) -> SealedBody {
        let (nonce, ciphertext) = seal_body(&self.seal, bytes, &self.bound(&of, packed));
        SealedBody { of, packed, nonce, ciphertext }
    }

    fn bound(&self, of: &BodyRef, packed: bool) -> Vec<u8> {
        let place = if packed { &self.packed } else { &self.place };
        bind_on(place, &[of.hash.as_bytes(), &of.size.to_le_bytes()])
    }
}

/// What DEFLATE makes of it, if that is smaller by an eighth.
fn packed(plain: &[u8]) -> Option<Vec<u8>> {
    if plain.len() < PACKED {
        return None;
    }
    // Room for what does not become smaller, so that it never has to stop in the middle.
    let mut smaller = Vec::with_capacity(plain.len() + plain.len() / 8 + 64);
    let done = PACKER.with_borrow_mut(|packer| {
        packer.reset();
        packer.compress_vec(plain, &mut smaller, FlushCompress::Finish)
    });
    (matches!(done, Ok(Status::StreamEnd)) && smaller.len() < plain.len() - plain.len() / 8).then_some(smaller)
}

/// The reverse. `size` was sealed with the bytes: no more than that is ever made of them.
fn unpacked(bytes: &[u8], size: u64) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(usize::try_from(size).ok()?);
    DeflateDecoder::new(bytes).take(size + 1).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 == size).then_some(plain)
}
