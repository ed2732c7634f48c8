//! How links are made. Form 1, for ever: a chain of an older host is verified by every later one.

use crate::ids::{TenantId, Timestamp};

/// BLAKE3, 32 bytes.
pub type Hash = [u8; 32];

/// What the first link follows.
pub const GENESIS: Hash = [0; 32];

/// Whose chain. The host's own has what belongs to no tenant: connectors, master keys, tenants themselves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainName(Option<TenantId>);

impl ChainName {
    /// The host's.
    pub const HOST: Self = Self(None);

    /// A tenant's.
    #[must_use]
    pub fn of(tenant: &TenantId) -> Self {
        Self(Some(tenant.clone()))
    }

    /// Reads [`Self::as_str`]: a tenant's id is never empty.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self((!name.is_empty()).then(|| TenantId::new(name)))
    }

    /// The tenant's id; empty for the host's.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", TenantId::as_str)
    }
}

impl std::fmt::Display for ChainName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_ref().map_or("(host)", TenantId::as_str))
    }
}

/// An entry as it lies in the store.
#[derive(Clone, Copy, Debug)]
pub struct EntryText<'a> {
    /// Its invocation.
    pub invocation: &'a str,
    /// Its place in it.
    pub seq: u64,
    /// When.
    pub at: u64,
    /// The event, as stored.
    pub event: &'a str,
    /// Of the first entry: connection and caller as stored, which its plan does not have.
    pub whose: Option<(&'a str, &'a str)>,
}

/// What a link stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// An entry of the journal, by its digest.
    Entry(Hash),
    /// A note, by its digest.
    Note(Hash),
}

fn part(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// The digest of an entry.
#[must_use]
pub fn entry_digest(entry: EntryText<'_>) -> Hash {
    let mut hasher = blake3::Hasher::new();
    part(&mut hasher, entry.invocation.as_bytes());
    hasher.update(&entry.seq.to_le_bytes());
    hasher.update(&entry.at.to_le_bytes());
    part(&mut hasher, entry.event.as_bytes());
    if let Some((connection, caller)) = entry.whose {
        part(&mut hasher, connection.as_bytes());
        part(&mut hasher, caller.as_bytes());
    }
    hasher.finalize().into()
}

/// The digest of a note, as stored.
#[must_use]
pub fn note_digest(at: Timestamp, note: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&at.0.to_le_bytes());
    part(&mut hasher, note.as_bytes());
    hasher.finalize().into()
}

/// The hash of a link from that of the one before it.
#[must_use]
pub fn extend(before: &Hash, chain: &str, seq: u64, item: Item) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"sallyport audit 1");
    hasher.update(before);
    part(&mut hasher, chain.as_bytes());
    hasher.update(&seq.to_le_bytes());
    let (kind, digest) = match item {
        Item::Entry(digest) => (1, digest),
        Item::Note(digest) => (2, digest),
    };
    hasher.update(&[kind]);
    hasher.update(&digest);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_covers_everything_that_it_stands_for_and_all_before_it() {
        let entry = EntryText { invocation: "i1", seq: 0, at: 7, event: "{}", whose: Some(("c1", "ann")) };
        let variants = [
            entry,
            EntryText { invocation: "i2", ..entry },
            EntryText { seq: 1, ..entry },
            EntryText { at: 8, ..entry },
            EntryText { event: "{ }", ..entry },
            EntryText { whose: Some(("c1", "bob")), ..entry },
            EntryText { whose: Some(("c2", "ann")), ..entry },
            EntryText { whose: None, ..entry },
        ];
        let mut seen: Vec<Hash> =
            variants.iter().map(|entry| extend(&GENESIS, "acme", 1, Item::Entry(entry_digest(*entry)))).collect();
        let digest = entry_digest(entry);
        seen.push(extend(&[1; 32], "acme", 1, Item::Entry(digest)));
        seen.push(extend(&GENESIS, "other", 1, Item::Entry(digest)));
        seen.push(extend(&GENESIS, "acme", 2, Item::Entry(digest)));
        seen.push(extend(&GENESIS, "acme", 1, Item::Note(digest)));
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn form_1_is_what_it_is_for_ever() {
        let entry = EntryText { invocation: "i1", seq: 0, at: 7, event: "{}", whose: Some(("c1", "ann")) };
        let first = extend(&GENESIS, "acme", 1, Item::Entry(entry_digest(entry)));
        let second = extend(&first, "acme", 2, Item::Note(note_digest(Timestamp(9), "{\"kind\":\"x\"}")));
        assert_eq!(hex::encode(second), "11eb17edc398fac7a5647d6659b6171bd747cfcba237c04f9ab3e370760cea4d");
    }
}
