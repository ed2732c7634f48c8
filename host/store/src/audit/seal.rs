//! Signing the newest hashes.

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::audit::{Anchor, ChainName, ChainReport, Hash, HostKey, SignedHead};
use sallyport::ids::Timestamp;

use super::link::hash;
use super::verify::Scan;
use crate::db::Outcome;

/// Every chain with its newest hash.
pub(super) fn heads(db: &Connection) -> Outcome<Vec<(ChainName, u64, Hash)>> {
    let mut sql = db.prepare_cached("SELECT name, seq, hash FROM chains ORDER BY name")?;
    let rows = sql.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)))?;
    rows.map(|row| {
        let (name, seq, bytes) = row?;
        Ok((ChainName::named(&name), seq, hash(bytes)?))
    })
    .collect()
}

/// What was signed last of a chain.
pub(super) fn signed(db: &Connection, chain: &ChainName) -> Outcome<Option<SignedHead>> {
    let sql = "SELECT h.seq, h.hash, h.at, h.public, h.signature FROM heads h JOIN chains c ON c.key = h.chain
        WHERE c.name = ?";
    let found = db.prepare_cached(sql)?.query_row([chain.as_str()], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, u64>(2)?, row.get(3)?, row.get(4)?))
    });
    let Some((seq, bytes, at, key, signature)) = found.optional()? else { return Ok(None) };
    Ok(Some(SignedHead { chain: chain.clone(), seq, hash: hash(bytes)?, at: Timestamp(at), key, signature }))
}

/// Signs every chain that has grown; gives reports of those that could not be.
pub(super) fn seal(db: &Connection, key: &HostKey, last: Option<&Anchor>, at: Timestamp) -> Outcome<Vec<ChainReport>> {
    let mut refused = Vec::new();
    for (chain, seq, newest) in heads(db)? {
        let before = signed(db, &chain)?;
        if before.as_ref().is_some_and(|before| before.seq == seq && before.hash == newest) {
            continue;
        }
        let mut scan = Scan::from(db, &chain, before.as_ref(), &key.public())?;
        if let Some((seq, hash)) = last.and_then(|last| last.of(&chain)) {
            scan.mark(db, seq, hash, "an anchor")?;
        }
        scan.run(db)?;
        if scan.report.bad.is_some() {
            refused.push(scan.report);
            continue;
        }
        let head = key.sign_head(&chain, seq, &newest, at);
        let sql = "INSERT INTO heads (chain, seq, hash, at, public, signature)
            SELECT key, ?2, ?3, ?4, ?5, ?6 FROM chains WHERE name = ?1
            ON CONFLICT (chain) DO UPDATE SET seq = ?2, hash = ?3, at = ?4, public = ?5, signature = ?6";
        let row = params![chain.as_str(), seq, newest, at.0, head.key, head.signature];
        db.prepare_cached(sql)?.execute(row)?;
    }
    Ok(refused)
}
