//! Rate tokens, shared by every process on the store.
//!
//! A window is cut into slices, and what was drawn is counted per slice. A drawn token may be used in its slice and in the
//! next, so it counts for a window and two slices from the slice in which it was drawn: no stretch of time as long as the
//! window ever sees more than the rate, wherever it begins. (A token bucket lets twice as many through around a pause,
//! which a provider that counts strictly answers with 429.)
//!
//! A process that asks often draws several tokens at once and keeps them; before they run out it draws the next ones
//! beside the requests, so that a request that finds one waits for no transaction. What a process does not use counts
//! as used. A rate too small for a batch is drawn from one by one, by the request that needs it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sallyport::authority::Authority;
use sallyport::ports::{Bucket, Durability, Limiter, StoreResult};

use crate::Store;
use crate::db::{Outcome, json, unjson};

/// Slices of a window.
const SLICES: u64 = 20;
/// The most tokens that a process draws at once, and the share of a rate that it draws at most.
const KEPT: u32 = 16;
const KEPT_SHARE: u32 = 16;

/// Tokens that this process has drawn and not used yet, by bucket.
#[derive(Default)]
pub(crate) struct Drawn {
    kept: Mutex<HashMap<String, Kept>>,
    /// One draw at a time: of thirty requests that begin together each would draw a batch, and all but one in vain.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    /// Drawn in the last slice and in this one.
    batches: [Batch; 2],
    /// How many were drawn the last time: doubled while this process asks often.
    drew: u32,
    /// The next ones are being drawn.
    drawing: bool,
}

#[derive(Clone, Copy, Default)]
struct Batch {
    slice: u64,
    left: u32,
}

impl Kept {
    /// What may be used in `slice`.
    fn left(&self, slice: u64) -> u32 {
        self.batches.iter().filter(|batch| batch.slice + 1 >= slice).map(|batch| batch.left).sum()
    }

    /// Uses the oldest; gives its slice.
    fn spend(&mut self, slice: u64) -> Option<u64> {
        let usable = |batch: &&mut Batch| batch.slice + 1 >= slice && batch.left > 0;
        let batch = self.batches.iter_mut().filter(usable).min_by_key(|batch| batch.slice)?;
        batch.left -= 1;
        Some(batch.slice)
    }

    fn keep(&mut self, slice: u64, count: u32) {
        match self.batches.iter_mut().find(|batch| batch.slice == slice) {
            Some(batch) => batch.left += count,
            None => {
                let [first, second] = self.batches;
                let newer = if first.slice > second.slice { first } else { second };
                self.batches = [newer, Batch { slice, left: count }];
            }
        }
    }

    /// How many to draw next.
    fn next(&self, bucket: &Bucket) -> u32 {
        (self.drew * 2).clamp(1, (bucket.rate.requests / KEPT_SHARE).clamp(1, KEPT))
    }
}

#[async_trait]
impl Limiter for Store {
    async fn take(&self, _at: &Authority, buckets: &[Bucket]) -> StoreResult<Option<u64>> {
        if self.spend(buckets) {
            return Ok(None);
        }
        let _turn = self.drawn.turn.lock().await;
        // What others drew meanwhile is there now.
        if self.spend(buckets) {
            return Ok(None);
        }
        let now = self.db.now().0;
        let (mut wanted, mut used) = (Vec::new(), Vec::new());
        {
            let mut kept = self.drawn.lock();
            for bucket in buckets {
                let entry = kept.entry(bucket.key.clone()).or_default();
                match entry.spend(now / width(bucket)) {
                    Some(slice) => used.push((bucket, slice)),
                    None => wanted.push((bucket.clone(), entry.next(bucket))),
                }
            }
        }
        let answer = self.draw(wanted, now, 1).await;
        if !matches!(answer, Ok(None)) {
            let mut kept = self.drawn.lock();
            for (bucket, slice) in used {
                kept.entry(bucket.key.clone()).or_default().keep(slice, 1);
            }
        }
        answer
    }

    async fn drained(&self, _at: &Authority, bucket: &Bucket, millis: u64) -> StoreResult<()> {
        // What is being drawn was there before the provider said so: it is thrown away with the rest.
        let _turn = self.drawn.turn.lock().await;
        self.drawn.lock().remove(&bucket.key);
        let (bucket, until) = (bucket.clone(), self.db.now().plus(millis).0);
        let write = self.db.write(Durability::Eventual, move |db| {
            let sql = "INSERT INTO buckets (key, millis, slices, blocked) VALUES (?1, ?2, '[]', ?3)
                ON CONFLICT DO UPDATE SET blocked = max(blocked, ?3)";
            db.prepare_cached(sql)?.execute(params![bucket.key, window(&bucket), until])?;
            Ok(())
        });
        Ok(write.await?)
    }
}

impl Store {
    /// Uses a kept token of every bucket, or none; where few are left, more are drawn beside.
    fn spend(&self, buckets: &[Bucket]) -> bool {
        let now = self.db.now().0;
        let mut low = Vec::new();
        {
            let mut kept = self.drawn.lock();
            let has = |bucket: &Bucket| kept.get(&bucket.key).is_some_and(|it| it.left(now / width(bucket)) > 0);
            if !buckets.iter().all(has) {
                return false;
            }
            for bucket in buckets {
                let slice = now / width(bucket);
                if let Some(entry) = kept.get_mut(&bucket.key) {
                    entry.spend(slice);
                    // Those of the last slice are good for this one only.
                    let fresh: u32 = entry.batches.iter().filter(|it| it.slice >= slice).map(|it| it.left).sum();
                    if !entry.drawing && fresh <= entry.drew / 2 {
                        entry.drawing = true;
                        low.push((bucket.clone(), entry.next(bucket)));
                    }
                }
            }
        }
        if !low.is_empty() {
            tokio::spawn(self.clone().top_up(low));
        }
        true
    }

    async fn top_up(self, low: Vec<(Bucket, u32)>) {
        let _turn = self.drawn.turn.lock().await;
        for (bucket, count) in low {
            let key = bucket.key.clone();
            // An empty bucket and a store that fails are for the request to meet that finds nothing kept.
            let drew = self.draw(vec![(bucket, count)], self.db.now().0, 0).await;
            if let Err(error) = drew {
                tracing::debug!(%error, "rate tokens could not be drawn ahead");
            }
            if let Some(entry) = self.drawn.lock().get_mut(&key) {
                entry.drawing = false;
            }
        }
    }

    /// Draws from all buckets or from none, in one transaction; uses `used` of each and keeps the rest. `Some` is how
    /// long to wait where nothing is left.
    async fn draw(&self, wanted: Vec<(Bucket, u32)>, now: u64, used: u32) -> StoreResult<Option<u64>> {
        let asked = wanted.clone();
        match self.db.write(Durability::Eventual, move |db| draw(db, &asked, now)).await? {
            Drew::Wait(millis) => Ok(Some(millis)),
            Drew::Tokens(counts) => {
                let mut kept = self.drawn.lock();
                for ((bucket, _), count) in wanted.into_iter().zip(counts) {
                    let slice = now / width(&bucket);
                    let entry = kept.entry(bucket.key).or_default();
                    entry.keep(slice, count.saturating_sub(used));
                    entry.drew = count;
                }
                Ok(None)
            }
        }
    }
}

impl Drawn {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        // What a panicking holder left is at worst a token too few.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of a draw.
enum Drew {
    /// So many of each bucket, one at least.
    Tokens(Vec<u32>),
    /// Nothing; in so many milliseconds there will be one.
    Wait(u64),
}

/// Draws the counts from all buckets, fewer where fewer are left but one at least; or says how long to wait.
fn draw(db: &Connection, wanted: &[(Bucket, u32)], now: u64) -> Outcome<Drew> {
    let mut wait = 0;
    let mut drawn = Vec::new();
    for (bucket, count) in wanted {
        let mut level = Level::read(db, bucket, now)?;
        match level.take(bucket, *count, now) {
            Ok(count) => drawn.push((bucket, level, count)),
            Err(millis) => wait = wait.max(millis),
        }
    }
    if wait > 0 {
        return Ok(Drew::Wait(wait));
    }
    let mut counts = Vec::with_capacity(drawn.len());
    for (bucket, level, count) in drawn {
        level.write(db, bucket)?;
        counts.push(count);
    }
    Ok(Drew::Tokens(counts))
}

/// What was drawn from a bucket in the slices that count.
struct Level {
    slices: Vec<(u64, u32)>,
    blocked: u64,
}

impl Level {
    fn read(db: &Connection, bucket: &Bucket, now: u64) -> Outcome<Self> {
        let sql = "SELECT slices, blocked, millis FROM buckets WHERE key = ?";
        let row: Option<(String, u64, u64)> = db
            .prepare_cached(sql)?
            .query_row([&bucket.key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((slices, blocked, millis)) = row else { return Ok(Self { slices: Vec::new(), blocked: 0 }) };
        // Under another window slices have other numbers; the count begins anew.
        let mut slices: Vec<(u64, u32)> = if millis == window(bucket) { unjson(&slices)? } else { Vec::new() };
        slices.retain(|(slice, _)| slice + SLICES + 1 >= now / width(bucket));
        Ok(Self { slices, blocked })
    }

    /// Takes `count`, or what is left of it; with nothing left, says in how many milliseconds there will be one.
    fn take(&mut self, bucket: &Bucket, count: u32, now: u64) -> Result<u32, u64> {
        if self.blocked > now {
            return Err(self.blocked - now);
        }
        let (width, most) = (width(bucket), bucket.rate.requests.max(1));
        let drawn: u32 = self.slices.iter().fold(0, |sum, (_, drawn)| sum.saturating_add(*drawn));
        let count = count.min(most.saturating_sub(drawn));
        if count == 0 {
            let oldest = self.slices.iter().map(|(slice, _)| *slice).min().unwrap_or(now / width);
            return Err(((oldest + SLICES + 2) * width).saturating_sub(now).max(1));
        }
        let slice = now / width;
        match self.slices.iter_mut().find(|(number, _)| *number == slice) {
            Some((_, drawn)) => *drawn += count,
            None => self.slices.push((slice, count)),
        }
        Ok(count)
    }

    fn write(&self, db: &Connection, bucket: &Bucket) -> Outcome<()> {
        let sql = "INSERT INTO buckets (key, millis, slices, blocked) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET millis = ?2, slices = ?3, blocked = ?4";
        let row = params![bucket.key, window(bucket), json(&self.slices)?, self.blocked];
        db.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }
}

fn window(bucket: &Bucket) -> u64 {
    bucket.rate.millis.max(SLICES)
}

/// Milliseconds of a slice.
fn width(bucket: &Bucket) -> u64 {
    window(bucket).div_ceil(SLICES)
}
