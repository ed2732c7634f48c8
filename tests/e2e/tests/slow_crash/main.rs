//! Processes that are killed in the middle of a sync: afterwards the documents and the index over them are what the
//! source has.

mod drive;
mod indexed;
#[path = "../mortal/mod.rs"]
mod mortal;
mod notes;

use std::sync::Arc;

use sallyport_e2e::block_on;

use indexed::{Counted, index, sync};
use mortal::{Told, told};

/// Longer than a sync's claim, in milliseconds: a pull's 15 minutes and one more.
const CLAIM: u64 = 20 * 60 * 1000;

/// A number that the environment may set.
fn set(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What the test's own processes do; in the test program itself, nothing.
#[test]
fn child() {
    let Some(told) = told() else { return };
    assert_eq!(told.name, "sync");
    block_on(synced(told));
}

async fn synced(told: Told) {
    let Told { place, clock, steps, with, .. } = told;
    let open = place.open(&clock, Some(&steps)).await;
    steps.part("syncing");
    let counted = Counted { store: Arc::clone(&open.store), steps: Arc::clone(&steps) };
    let index = index(&place, Arc::new(counted));
    let sweep = with["sweep"].as_bool().expect("whether it sweeps");
    sync(&open, &index, &place, sweep, "in the process that may be killed").await;
    steps.say(&steps.names());
}
