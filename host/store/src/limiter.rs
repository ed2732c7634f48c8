//! Rate tokens, shared by every process on the store.
//!
//! A window is cut into ten slices, and what was drawn is counted per slice. A token is to be had while the tokens of the
//! running slice and the ten before it are fewer than the rate: so no stretch of time as long as the window ever sees
//! more, wherever it begins. (A token bucket lets twice as many through around a pause, which a provider that counts
//! strictly answers with 429.)
//!
//! A process that asks often within a slice draws several tokens at once and keeps them until the slice ends; what it
//! does not use counts as used.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sallyport::authority::Authority;
use sallyport::ports::{Bucket, Durability, Limiter, StoreResult};

use crate::Store;
use crate::db::{Outcome, json, unjson};

/// Slices of a window.
const SLICES: u64 = 10;
/// The most tokens that a process keeps, and the share of a rate that it keeps at most.
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
    slice: u64,
    left: u32,
    /// How many were drawn the last time: doubled while the slice lasts.
    drew: u32,
}

#[async_trait]
impl Limiter for Store {
    async fn take(&self, _at: &Authority, buckets: &[Bucket]) -> StoreResult<Option<u64>> {
        if self.drawn.spend(buckets, self.db.now().0) {
            return Ok(None);
        }
        let _turn = self.drawn.turn.lock().await;
        let now = self.db.now().0;
        let mut wanted = Vec::new();
        let mut used = Vec::new();
        {
            let mut kept = self.drawn.lock();
            for bucket in buckets {
                let slice = now / width(bucket);
                let entry = kept.entry(bucket.key.clone()).or_default();
                if entry.slice != slice {
                    *entry = Kept { slice, ..Kept::default() };
                }
                if entry.left > 0 {
                    entry.left -= 1;
                    used.push((bucket.key.clone(), slice));
                } else {
                    let most = (bucket.rate.requests / KEPT_SHARE).clamp(1, KEPT);
                    wanted.push((bucket.clone(), (entry.drew * 2).clamp(1, most)));
                }
            }
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        let asked = wanted.clone();
        // Nobody else's draw changes what this one may do: one transaction for all buckets.
        let answer = self.db.write(Durability::Eventual, move |db| draw(db, &asked, now)).await;
        let mut kept = self.drawn.lock();
        match answer {
            Ok(Drew::Tokens(counts)) => {
                for ((bucket, _), count) in wanted.into_iter().zip(counts) {
                    let slice = now / width(&bucket);
                    let entry = kept.entry(bucket.key).or_default();
                    if entry.slice == slice {
                        entry.left += count - 1;
                        entry.drew = count;
                    }
                }
                Ok(None)
            }
            nothing => {
                for (key, slice) in used {
                    if let Some(entry) = kept.get_mut(&key).filter(|entry| entry.slice == slice) {
                        entry.left += 1;
                    }
                }
                match nothing? {
                    Drew::Wait(millis) => Ok(Some(millis)),
                    Drew::Tokens(_) => Ok(None),
                }
            }
        }
    }

    async fn drained(&self, _at: &Authority, bucket: &Bucket, millis: u64) -> StoreResult<()> {
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

impl Drawn {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        // What a panicking holder left is at worst a token too few.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses a kept token of every bucket, or none.
    fn spend(&self, buckets: &[Bucket], now: u64) -> bool {
        let mut kept = self.lock();
        let has = |bucket: &Bucket| {
            kept.get(&bucket.key).is_some_and(|entry| entry.slice == now / width(bucket) && entry.left > 0)
        };
        if !buckets.iter().all(has) {
            return false;
        }
        for bucket in buckets {
            if let Some(entry) = kept.get_mut(&bucket.key) {
                entry.left = entry.left.saturating_sub(1);
            }
        }
        true
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
        slices.retain(|(slice, _)| slice + SLICES >= now / width(bucket));
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
            return Err(((oldest + SLICES + 1) * width).saturating_sub(now).max(1));
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
