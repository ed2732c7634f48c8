//! `sallyport keys rotate-master`: another master key in place of the one before, while the host serves.

use std::sync::Arc;

use anyhow::ensure;
use sallyport::keys::{MasterFile, Rotated, Rotation};
use sallyport_store::Store;

use super::{Global, session};
use crate::output;

pub(super) async fn run(global: &Global) -> anyhow::Result<()> {
    let data = session::data(global)?;
    let path = data.join("master.key");
    ensure!(path.exists(), "there is no {}: name the data directory with --data, before the command", path.display());
    let masters = Arc::new(MasterFile::open_or_create(&path)?);
    if masters.ids().len() > 1 {
        output::progress("an earlier rotation is not finished: going on with it");
    }
    let store = tokio::task::spawn_blocking(move || Store::open(data)).await??;
    let told = |done: u64| output::progress(&format!("{done} data keys wrapped anew"));
    let rotated = Rotation::new(masters, Arc::new(store)).run(&told).await?;
    output::one(global.output, &rotated, words)?;
    Ok(())
}

fn words(rotated: &Rotated) -> String {
    let Rotated { master, removed, rewrapped } = rotated;
    let removed: Vec<String> = removed.iter().map(ToString::to_string).collect();
    format!(
        "the master key is {master}; {rewrapped} data keys were wrapped anew; taken out: {}\n\
         keep a copy of master.key with each copy of the database that is made from now on",
        if removed.is_empty() { "none".into() } else { removed.join(", ") }
    )
}
