//! Anchors: what had been signed by then, kept where the host's own data cannot be changed with it.

use serde::{Deserialize, Serialize};

use super::chain::{ChainName, Hash};
use super::key::{HostKey, VerifyingKey, verify};
use crate::ids::Timestamp;

/// The form of anchors that this version writes.
const FORMAT: u32 = 1;

/// Chains' newest hashes at a moment, signed as one: a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// 1.
    pub format: u32,
    /// Milliseconds since 1970.
    pub at: u64,
    /// The host's public key, hex.
    pub host: String,
    /// Each chain.
    pub chains: Vec<Anchored>,
    /// Ed25519 over everything above, hex.
    pub signature: String,
}

/// One chain in an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchored {
    /// The tenant's id; empty for the host's own.
    pub chain: String,
    /// How many links it had.
    pub seq: u64,
    /// The hash of the last of them, hex.
    pub hash: String,
}

/// An anchor file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the anchors is not one of this host: {reason}")]
pub struct AnchorError {
    /// Which line, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

impl Anchor {
    /// Signs these heads.
    #[must_use]
    pub fn sign(key: &HostKey, at: Timestamp, heads: &[(ChainName, u64, Hash)]) -> Self {
        let chains = heads.iter().map(|(chain, seq, hash)| Anchored {
            chain: chain.as_str().into(),
            seq: *seq,
            hash: hex::encode(hash),
        });
        let mut anchor = Self {
            format: FORMAT,
            at: at.0,
            host: hex::encode(key.public()),
            chains: chains.collect(),
            signature: String::new(),
        };
        anchor.signature = hex::encode(key.sign(&anchor.message()));
        anchor
    }

    fn message(&self) -> Vec<u8> {
        let mut message = format!("sallyport audit anchor {FORMAT}\n{}\n{}\n", self.at, self.host).into_bytes();
        for one in &self.chains {
            // A tenant's id has no space and no line break.
            message.extend(format!("{} {} {}\n", one.chain, one.seq, one.hash).into_bytes());
        }
        message
    }

    /// Whether it is this host's.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, by: &VerifyingKey) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("it has form {}, this version knows {FORMAT}", self.format));
        }
        if self.host != hex::encode(by) {
            return Err(format!("another host's key made it ({})", self.host));
        }
        let mut signature = [0; 64];
        let read = hex::decode_to_slice(&self.signature, &mut signature);
        if read.is_err() || !verify(by, &self.message(), &signature) {
            return Err("its signature does not fit".into());
        }
        Ok(())
    }

    /// What it says of one chain.
    #[must_use]
    pub fn of(&self, chain: &ChainName) -> Option<(u64, Hash)> {
        let one = self.chains.iter().find(|one| one.chain == chain.as_str())?;
        let mut hash = [0; 32];
        hex::decode_to_slice(&one.hash, &mut hash).ok()?;
        Some((one.seq, hash))
    }
}

/// Reads a file of anchors, one a line, all of which must be this host's, oldest first.
///
/// # Errors
/// The first line that is none.
pub fn read_anchors(text: &str, by: &VerifyingKey) -> Result<Vec<Anchor>, AnchorError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let failed = |reason: String| AnchorError { line: index + 1, reason };
            let anchor: Anchor = serde_json::from_str(line).map_err(|error| failed(error.to_string()))?;
            anchor.verify(by).map_err(failed)?;
            Ok(anchor)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_counts_as_it_was_signed_and_not_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let key = HostKey::open_or_create(&folder.path().join("host.key")).unwrap();
        let other = HostKey::open_or_create(&folder.path().join("other.key")).unwrap();
        let heads = [(ChainName::HOST, 3, [7; 32]), (ChainName::named("acme"), 9, [8; 32])];
        let anchor = Anchor::sign(&key, Timestamp(5), &heads);
        let line = serde_json::to_string(&anchor).unwrap();
        let read = read_anchors(&format!("{line}\n\n{line}\n"), &key.public()).unwrap();
        assert_eq!(read, [anchor.clone(), anchor.clone()]);
        assert_eq!(anchor.of(&ChainName::named("acme")), Some((9, [8; 32])));
        assert!(read_anchors(&line, &other.public()).unwrap_err().reason.contains("another host"));
        let edited = line.replace("\"seq\":9", "\"seq\":8");
        assert_eq!(read_anchors(&format!("{line}\n{edited}"), &key.public()).unwrap_err().line, 2);
    }
}
