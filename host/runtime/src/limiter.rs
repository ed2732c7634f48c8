//! Rate tokens in memory: for one process, and for tests. Processes that share a store share its limiter instead.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::authority::Authority;
use crate::ports::{Bucket, Limiter, StoreResult};

/// An exact sliding window for each bucket: in no stretch of time as long as the rate's are there more requests than it
/// allows, whichever way the service counts.
#[derive(Debug, Default)]
pub struct MemoryLimiter {
    windows: Mutex<HashMap<String, Window>>,
}

#[derive(Debug, Default)]
struct Window {
    taken: VecDeque<Instant>,
    drained_until: Option<Instant>,
}

impl Window {
    /// How long until this bucket has a token; zero: it has one.
    fn wait(&mut self, bucket: &Bucket, now: Instant) -> Duration {
        let length = Duration::from_millis(bucket.rate.millis);
        while self.taken.front().is_some_and(|at| now.duration_since(*at) >= length) {
            self.taken.pop_front();
        }
        let drained = self.drained_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        // The token that has to come back first, if requests were made under a larger rate of the same name.
        let over = (self.taken.len() + 1).saturating_sub(bucket.rate.requests.max(1) as usize);
        let full = over.checked_sub(1).and_then(|index| self.taken.get(index));
        drained.max(full.map_or(Duration::ZERO, |at| (*at + length).saturating_duration_since(now)))
    }
}

impl MemoryLimiter {
    fn take_at(&self, buckets: &[Bucket], now: Instant) -> Option<u64> {
        let mut windows = self.windows.lock();
        let mut longest = Duration::ZERO;
        for bucket in buckets {
            longest = longest.max(windows.entry(bucket.key.clone()).or_default().wait(bucket, now));
        }
        if !longest.is_zero() {
            // Rounded up: to come back a fraction too early is to come back twice.
            return Some(longest.as_micros().div_ceil(1000).try_into().unwrap_or(u64::MAX));
        }
        for bucket in buckets {
            windows.entry(bucket.key.clone()).or_default().taken.push_back(now);
        }
        None
    }

    fn drained_until(&self, bucket: &Bucket, until: Instant) {
        let mut windows = self.windows.lock();
        let window = windows.entry(bucket.key.clone()).or_default();
        window.drained_until = window.drained_until.max(Some(until));
    }
}

#[async_trait]
impl Limiter for MemoryLimiter {
    async fn take(&self, _: &Authority, buckets: &[Bucket]) -> StoreResult<Option<u64>> {
        Ok(self.take_at(buckets, Instant::now()))
    }

    async fn drained(&self, _: &Authority, bucket: &Bucket, millis: u64) -> StoreResult<()> {
        self.drained_until(bucket, Instant::now() + Duration::from_millis(millis));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Rate;

    fn bucket(key: &str, requests: u32, millis: u64) -> Bucket {
        Bucket { key: key.into(), rate: Rate { requests, millis } }
    }

    #[test]
    fn no_window_holds_more_than_the_rate() {
        let limiter = MemoryLimiter::default();
        let buckets = [bucket("a", 5, 1000)];
        let (mut now, mut sent) = (Instant::now(), Vec::new());
        while sent.len() < 40 {
            match limiter.take_at(&buckets, now) {
                None => sent.push(now),
                Some(millis) => now += Duration::from_millis(millis),
            }
            now += Duration::from_millis(37);
        }
        for pair in sent.windows(6) {
            assert!(pair[5] - pair[0] >= Duration::from_millis(1000));
        }
        // And it is used: 40 requests at 5 a second take about 7 windows.
        assert!(sent[39] - sent[0] < Duration::from_millis(8_500), "{:?}", sent[39] - sent[0]);
    }

    #[test]
    fn all_buckets_are_drawn_from_or_none() {
        let limiter = MemoryLimiter::default();
        let now = Instant::now();
        let (wide, narrow) = (bucket("wide", 2, 1000), bucket("narrow", 1, 60_000));
        let both = [wide.clone(), narrow];
        assert_eq!(limiter.take_at(&both, now), None);
        assert_eq!(limiter.take_at(&both, now), Some(60_000));
        assert_eq!(limiter.take_at(std::slice::from_ref(&wide), now), None, "the refused draw took nothing");
        assert_eq!(limiter.take_at(&[wide], now), Some(1000));
    }

    #[test]
    fn what_the_provider_says_is_empty_stays_so() {
        let limiter = MemoryLimiter::default();
        let (now, buckets) = (Instant::now(), [bucket("a", 100, 1000)]);
        limiter.drained_until(&buckets[0], now + Duration::from_millis(3000));
        limiter.drained_until(&buckets[0], now + Duration::from_millis(1000));
        assert_eq!(limiter.take_at(&buckets, now), Some(3000));
        assert_eq!(limiter.take_at(&buckets, now + Duration::from_millis(3000)), None);
    }
}
