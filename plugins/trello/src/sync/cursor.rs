//! How far the sync has come, board by board.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_sdk::prelude::*;

use crate::model::Card;

/// What a checkpoint keeps: about 400 bytes a board with ten lists, so that some 2,500 boards fit
/// into the 1 MiB that a cursor may be.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The account's own member id.
    #[serde(default)]
    pub(super) me: String,
    /// The boards that were read, by id.
    pub(super) boards: BTreeMap<String, Mark>,
    /// Who was in each workspace, as a digest.
    #[serde(default)]
    pub(super) organizations: BTreeMap<String, u64>,
    /// A board that is being listed, page by page.
    #[serde(default)]
    pub(super) listing: Option<Listing>,
    /// The boards that the running sweep has done.
    #[serde(default)]
    swept: Option<BTreeSet<String>>,
}

/// What was read of a board.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Name, access and the like as a digest.
    #[serde(default)]
    pub(super) shape: Option<u64>,
    /// Its `dateLastActivity` when its cards were read; `None` before that.
    #[serde(default)]
    pub(super) read: Option<String>,
    /// The newest action that was seen.
    #[serde(default)]
    pub(super) action: Option<String>,
    /// Its lists, and whether each is archived.
    #[serde(default)]
    pub(super) lists: BTreeMap<String, bool>,
    /// Whether it is closed.
    #[serde(default)]
    pub(super) closed: bool,
}

/// How far the listing of a board's cards has come, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Listing {
    pub(super) board: String,
    /// What the mark will say once all pages were read.
    pub(super) read: String,
    pub(super) action: Option<String>,
    /// Cards older than this one are left.
    pub(super) before: Option<String>,
}

impl Cursor {
    /// At the start of a pull: a sweep goes on where its last pull ended.
    pub(super) fn begin(&mut self, sweep: bool) {
        if !sweep {
            self.swept = None;
        } else if self.swept.is_none() {
            // A listing that began before the sweep did not tell the sweep what it saw.
            self.listing = None;
            self.swept = Some(BTreeSet::new());
        }
    }

    /// When a pull has done everything.
    pub(super) fn end(&mut self) {
        self.swept = None;
    }

    pub(super) fn is_swept(&self, board: &str) -> bool {
        self.swept.as_ref().is_some_and(|swept| swept.contains(board))
    }

    pub(super) fn sweep_past(&mut self, board: &str) {
        if let Some(swept) = &mut self.swept {
            swept.insert(board.to_owned());
        }
    }

    /// Whether a card, its list or its board is put away.
    pub(super) fn is_archived(&self, card: &Card) -> bool {
        let put_away = |mark: &Mark| mark.closed || mark.lists.get(&card.id_list) == Some(&true);
        card.closed || self.boards.get(&card.id_board).is_some_and(put_away)
    }
}

/// A digest (FNV-1a, 64 bits) of a value as JSON, to notice changes with.
pub(super) fn digest(value: &impl Serialize) -> u64 {
    // Only what serialises without fail is given: strings, numbers, lists of them.
    let json = serde_json::to_vec(value).unwrap_or_default();
    json.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
