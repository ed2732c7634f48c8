//! Audit chains: what is linked, in the transaction of what it tells of; signing, verifying and giving them out.

mod export;
mod link;
mod seal;
mod verify;

pub use export::{Exported, ExportedItem};

pub(crate) use link::{Linked, begin, entries, note};

use sallyport::audit::{Anchor, ChainName, ChainReport, Hash, HostKey, VerifyingKey};
use sallyport::ids::Timestamp;
use sallyport::ports::{Durability, StoreResult};

use crate::Store;
use crate::db::Db;

/// The audit chains of one store; [`Store::audit`] gives it.
#[derive(Clone, Debug)]
pub struct Audit {
    db: Db,
}

impl Store {
    /// The audit chains: one for each tenant, one for the host.
    #[must_use]
    pub fn audit(&self) -> Audit {
        Audit { db: self.db.clone() }
    }
}

impl Audit {
    /// Signs the newest hash of every chain that has grown, after making sure that it follows from what was signed before: by
    /// the database, and by `last`, which is kept outside it. A chain that does not is not signed, and told.
    pub async fn seal(&self, key: HostKey, last: Option<Anchor>, at: Timestamp) -> StoreResult<Vec<ChainReport>> {
        self.db.caught_up().await?;
        Ok(self.db.write(Durability::Flushed, move |db| seal::seal(db, &key, last.as_ref(), at)).await?)
    }

    /// The newest hash of every chain: what an anchor holds.
    pub async fn heads(&self) -> StoreResult<Vec<(ChainName, u64, Hash)>> {
        self.db.caught_up().await?;
        Ok(self.db.read(seal::heads).await?)
    }

    /// Goes through every chain: each link against what it stands for, the host's signature, what anchors say, and whether any
    /// entry is in no link.
    pub async fn verify(&self, by: VerifyingKey, anchors: Vec<Anchor>) -> StoreResult<Vec<ChainReport>> {
        self.db.caught_up().await?;
        Ok(self.db.read(move |db| verify::all(db, &by, &anchors)).await?)
    }

    /// Links of a chain after a place, in order, at most `limit`, with all that is needed to verify them elsewhere.
    pub async fn export(&self, chain: &ChainName, after: u64, limit: usize) -> StoreResult<Vec<Exported>> {
        let chain = chain.clone();
        self.db.caught_up().await?;
        Ok(self.db.read(move |db| export::export(db, &chain, after, limit)).await?)
    }
}
