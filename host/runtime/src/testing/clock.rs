//! A clock that moves when it is told to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::ids::Timestamp;

/// Stands still until it is advanced.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl Default for ManualClock {
    /// Some moment in 2026.
    fn default() -> Self {
        Self(AtomicU64::new(1_780_000_000_000))
    }
}

impl ManualClock {
    /// Goes on by so much.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX / 2);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}
