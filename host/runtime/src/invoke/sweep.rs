//! What a sweep missed: how much may vanish at once, and what counts as gone.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use crate::engine::exports::sallyport::connector::sync::Presence;
use crate::error::InvokeError;
use crate::ids::{SourceId, StreamId, TenantId};

/// Ids that one `probe` is asked about.
pub(super) const PROBE: usize = 100;
/// So many may always vanish at once.
const MANY: usize = 50;

type Key = (TenantId, SourceId, StreamId);

/// Sweeps that missed too much to be believed at once. Kept by this process only: a restart asks for one sweep more.
#[derive(Default)]
pub(crate) struct Vanished(Mutex<HashMap<Key, HashSet<String>>>);

impl Vanished {
    /// True if more than max(50, 10 %) of what there was is missing and no sweep before missed the same. `listed` is
    /// what this sweep did list.
    pub(super) fn must_wait(&self, key: Key, missing: &[String], listed: u64) -> bool {
        let mut suspects = self.0.lock();
        let all = usize::try_from(listed).unwrap_or(usize::MAX).saturating_add(missing.len());
        if missing.len() <= MANY.max(all / 10) {
            suspects.remove(&key);
            return false;
        }
        let now: HashSet<String> = missing.iter().cloned().collect();
        match suspects.get(&key) {
            Some(before) if now.is_subset(before) => {
                suspects.remove(&key);
                false
            }
            _ => {
                suspects.insert(key, now);
                true
            }
        }
    }
}

/// Whether a sweep of which an earlier sync had listed so many documents began anew instead of going on: where a process was
/// killed after the last checkpoint, the connector's cursor says that the sweep is over, and nobody told the sink. What went
/// since then was listed by this sweep, and so would not be missed. One that goes on lists hardly anything again: what
/// changed meanwhile.
pub(super) fn began_anew(listed: u64, again: u64) -> bool {
    listed > 0 && again >= listed.div_ceil(2)
}

/// Those of `ids` that the provider says are gone. Doubt keeps a document.
pub(super) fn gone(ids: &[String], presence: &[Presence]) -> Result<Vec<String>, InvokeError> {
    if presence.len() != ids.len() {
        let message = format!("probe was asked about {} ids and answered about {}", ids.len(), presence.len());
        return Err(InvokeError::Guest { code: "probe".into(), message });
    }
    let gone = ids.iter().zip(presence).filter(|(_, presence)| **presence == Presence::Gone);
    Ok(gone.map(|(id, _)| id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u32>) -> Vec<String> {
        range.map(|n| n.to_string()).collect()
    }

    fn key() -> Key {
        (TenantId::new("t"), SourceId::new("s"), StreamId::new("x"))
    }

    #[test]
    fn much_that_vanishes_at_once_waits_for_a_second_sweep() {
        let vanished = Vanished::default();
        assert!(!vanished.must_wait(key(), &ids(0..50), 0));
        assert!(!vanished.must_wait(key(), &ids(0..100), 900));
        assert!(vanished.must_wait(key(), &ids(0..101), 899));
        assert!(vanished.must_wait(key(), &ids(0..200), 800), "more is missing than the first time");
        assert!(!vanished.must_wait(key(), &ids(0..200), 800));
        assert!(vanished.must_wait(key(), &ids(0..200), 800), "each time anew");
        assert!(!vanished.must_wait(key(), &ids(0..3), 997));
        assert!(vanished.must_wait(key(), &ids(0..200), 800), "a good sweep clears the suspicion");
    }

    #[test]
    fn a_sweep_that_lists_most_of_what_it_had_listed_began_anew() {
        assert!(!began_anew(0, 0) && !began_anew(100, 0) && !began_anew(100, 49));
        assert!(began_anew(100, 50) && began_anew(1, 1));
    }

    #[test]
    fn only_what_is_said_to_be_gone_is_forgotten() {
        let presence = [Presence::Present, Presence::Gone, Presence::InDoubt];
        assert_eq!(gone(&ids(0..3), &presence).unwrap(), ["1"]);
        assert!(gone(&ids(0..2), &presence).is_err());
    }
}
