//! How far a stream's sync has come.

use std::collections::BTreeMap;

use sallyport_sdk::prelude::*;

/// More folders than these are not walked one after the other: everything is listed again. At 50
/// bytes each they stay well under the 1 MiB that a cursor may be.
const MOST_WALKS: usize = 5_000;

/// What a checkpoint keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// Where the stream stands.
    pub(super) phase: Phase,
    /// Where the next page begins, within a listing.
    pub(super) page: Option<String>,
    /// How many parts of that page were made durable: each checkpoint differs from the one before.
    pub(super) part: u32,
    /// Where changes are to be read from; taken before anything is listed, so that what happens
    /// meanwhile is among them.
    pub(super) token: String,
    /// The listing belongs to the host's sweep.
    pub(super) sweep: bool,
    /// The service said that it had not searched everything.
    pub(super) incomplete: bool,
    /// How often the listing began again because a page token was refused.
    pub(super) restarts: u32,
    /// Folders that changed, so that what is in them must be looked at.
    pub(super) walks: Vec<String>,
    /// Those that are being listed; the page belongs to them.
    pub(super) walking: Vec<String>,
    /// Who is in each group that somewhere may read, as a digest; 0 before that was asked.
    pub(super) groups: BTreeMap<String, u64>,
    /// The account's address.
    pub(super) me: String,
    /// The top folder of My Drive.
    pub(super) root: String,
    /// The drive itself as a digest.
    pub(super) shape: u64,
}

/// Where a stream stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// Nothing was read yet, or everything is to be read again.
    #[default]
    New,
    /// Folders are being listed.
    Folders,
    /// Files are being listed.
    Files,
    /// All was listed; changes are read.
    Changes,
    /// The shared drive is gone, or not for this account to see.
    Lost,
}

impl Cursor {
    /// At the start of a pull: a new sweep lists everything, one under way goes on.
    pub(super) fn begin(&mut self, sweep: bool) {
        if sweep && !self.sweep {
            self.list_again();
        }
        self.sweep = sweep;
    }

    /// Everything is to be listed.
    pub(super) fn list_again(&mut self) {
        self.phase = Phase::New;
        self.page = None;
        self.incomplete = false;
        self.walks.clear();
        self.walking.clear();
    }

    /// When a pull has done everything.
    pub(super) fn end(&mut self) {
        self.sweep = false;
        self.incomplete = false;
        self.restarts = 0;
    }

    /// What is in this folder must be looked at.
    pub(super) fn walk(&mut self, folder: &str) {
        if self.phase != Phase::Changes || self.walks.iter().any(|known| known == folder) {
            return;
        }
        self.walks.push(folder.to_owned());
        if self.walks.len() > MOST_WALKS {
            self.list_again();
        }
    }
}

/// A digest (FNV-1a, 64 bits) of a value as JSON, to notice changes with.
pub(super) fn digest(value: &impl Serialize) -> u64 {
    // Only what serialises without fail is given: strings, numbers, lists of them.
    let json = serde_json::to_vec(value).unwrap_or_default();
    json.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
