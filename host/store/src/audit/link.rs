//! Adding links.

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::audit::{ChainName, EntryText, GENESIS, Hash, Item, Note, entry_digest, extend, note_digest};
use sallyport::ids::{TenantId, Timestamp};

use crate::db::{Fail, Outcome, json};

/// The newest link of a chain.
struct Head {
    key: i64,
    seq: u64,
    hash: Hash,
}

impl Head {
    /// The head of a chain, which is begun if there is none.
    fn of(db: &Connection, chain: &str) -> Outcome<Self> {
        let sql = "SELECT key, seq, hash FROM chains WHERE name = ?";
        let found = db
            .prepare_cached(sql)?
            .query_row([chain], |row| Ok(Self { key: row.get(0)?, seq: row.get(1)?, hash: row.get(2)? }))
            .optional()?;
        if let Some(head) = found {
            return Ok(head);
        }
        let sql = "INSERT INTO chains (name, seq, hash) VALUES (?, 0, ?)";
        db.prepare_cached(sql)?.execute(params![chain, GENESIS])?;
        Ok(Self { key: db.last_insert_rowid(), seq: 0, hash: GENESIS })
    }

    fn next(&mut self, chain: &str, item: Item) {
        self.seq += 1;
        self.hash = extend(&self.hash, chain, self.seq, item);
    }

    fn keep(&self, db: &Connection) -> Outcome<()> {
        let sql = "UPDATE chains SET seq = ?, hash = ? WHERE key = ?";
        db.prepare_cached(sql)?.execute(params![self.seq, self.hash, self.key])?;
        Ok(())
    }
}

/// An invocation whose entries are linked.
pub(crate) struct Linked<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) key: i64,
    pub(crate) id: &'a str,
    /// Connection and caller as stored; needed for the first entry.
    pub(crate) whose: Option<(&'a str, &'a str)>,
}

/// Links entries, each with its place, its time and its text as stored.
pub(crate) fn entries(db: &Connection, of: &Linked<'_>, texts: &[(u64, Timestamp, String)]) -> Outcome<()> {
    let mut head = Head::of(db, of.tenant)?;
    let mut add =
        db.prepare_cached("INSERT INTO audit (chain, seq, hash, invocation, entry) VALUES (?, ?, ?, ?, ?)")?;
    for (seq, at, event) in texts {
        let whose = if *seq == 0 { of.whose } else { None };
        let text = EntryText { invocation: of.id, seq: *seq, at: at.0, event, whose };
        head.next(of.tenant, Item::Entry(entry_digest(text)));
        add.execute(params![head.key, head.seq, head.hash, of.key, seq])?;
    }
    head.keep(db)
}

/// Links a note, in the tenant's chain or in the host's.
pub(crate) fn note(db: &Connection, tenant: Option<&TenantId>, at: Timestamp, note: &Note) -> Outcome<()> {
    let name = tenant.map_or(ChainName::HOST, ChainName::of);
    let mut head = Head::of(db, name.as_str())?;
    let text = json(note)?;
    head.next(name.as_str(), Item::Note(note_digest(at, &text)));
    let sql = "INSERT INTO audit (chain, seq, hash, at, note) VALUES (?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![head.key, head.seq, head.hash, at.0, text])?;
    head.keep(db)
}

/// Links what an older format had: each tenant's entries, invocation by invocation, after a note that says how many.
pub(crate) fn begin(db: &Connection) -> Outcome<()> {
    let mut tenants = db.prepare("SELECT DISTINCT tenant FROM invocations ORDER BY tenant")?;
    let tenants: Vec<String> = tenants.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for tenant in tenants {
        let sql = "SELECT count(*), coalesce(max(e.at), 0) FROM entries e JOIN invocations i ON i.key = e.invocation
            WHERE i.tenant = ?";
        let (count, last): (u64, u64) = db.query_row(sql, [&tenant], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let id = TenantId::new(tenant.as_str());
        note(db, Some(&id), Timestamp(last), &Note::Begun { entries: count })?;
        let mut all =
            db.prepare("SELECT key, id, connection, caller FROM invocations WHERE tenant = ? ORDER BY key")?;
        let mut rows = all.query([&tenant])?;
        while let Some(row) = rows.next()? {
            let (key, id): (i64, String) = (row.get(0)?, row.get(1)?);
            let (connection, caller): (String, String) = (row.get(2)?, row.get(3)?);
            let mut own = db.prepare_cached("SELECT seq, at, event FROM entries WHERE invocation = ? ORDER BY seq")?;
            let texts = own.query_map([key], |row| Ok((row.get(0)?, Timestamp(row.get(1)?), row.get(2)?)))?;
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            let whose = Some((connection.as_str(), caller.as_str()));
            entries(db, &Linked { tenant: &tenant, key, id: &id, whose }, &texts)?;
        }
    }
    Ok(())
}

/// A hash as stored.
pub(super) fn hash(bytes: Vec<u8>) -> Outcome<Hash> {
    bytes.try_into().map_err(|_| Fail::other("a hash of an audit chain has not 32 bytes"))
}
