//! Going through a chain.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use sallyport::audit::{
    Anchor, Bad, ChainName, ChainReport, EntryText, GENESIS, Hash, Item, Place, SignedHead, VerifyingKey, entry_digest,
    extend, note_digest, verify_head,
};
use sallyport::ids::{InvocationId, Timestamp};

use super::link::hash;
use super::seal::{heads, signed};
use crate::db::{Fail, Outcome};

/// Names of invocations that are kept while a chain is gone through: entries of one lie close together.
const NAMES: usize = 4096;

/// What somebody else than the database says of a link.
struct Mark {
    seq: u64,
    hash: Hash,
    who: &'static str,
    matches: bool,
}

/// A chain on the way through it.
pub(super) struct Scan<'a> {
    chain: &'a ChainName,
    key: i64,
    newest: (u64, Hash),
    last: (u64, Hash),
    marks: Vec<Mark>,
    /// Of each invocation the entry that comes next; kept only where the chain is gone through from its beginning.
    next: Option<HashMap<i64, u64>>,
    names: HashMap<i64, Named>,
    pub(super) report: ChainReport,
}

#[derive(Clone)]
struct Named {
    id: String,
    tenant: String,
    connection: String,
    caller: String,
}

/// Every chain from its beginning, and whatever a mark names that is not there.
pub(super) fn all(db: &Connection, by: &VerifyingKey, anchors: &[Anchor]) -> Outcome<Vec<ChainReport>> {
    let mut names: Vec<ChainName> = heads(db)?.into_iter().map(|(name, ..)| name).collect();
    names.extend(anchors.iter().flat_map(|anchor| &anchor.chains).map(|one| ChainName::named(&one.chain)));
    let mut linked = db.prepare_cached("SELECT DISTINCT tenant FROM invocations")?;
    for tenant in linked.query_map([], |row| row.get::<_, String>(0))? {
        names.push(ChainName::named(&tenant?));
    }
    names.sort();
    names.dedup();
    let mut reports = Vec::with_capacity(names.len());
    for name in &names {
        let mut scan = Scan::whole(db, name, by, anchors)?;
        scan.run(db)?;
        reports.push(scan.report);
    }
    Ok(reports)
}

impl<'a> Scan<'a> {
    fn of(db: &Connection, chain: &'a ChainName) -> Outcome<Self> {
        let sql = "SELECT key, seq, hash FROM chains WHERE name = ?";
        let found = db
            .prepare_cached(sql)?
            .query_row([chain.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)))
            .optional()?;
        let (key, seq, bytes) = found.unwrap_or((0, 0, GENESIS.to_vec()));
        let newest = (seq, hash(bytes)?);
        let report = ChainReport {
            chain: chain.as_str().into(),
            links: seq,
            signed: None,
            anchored: None,
            vouched: 0,
            bad: None,
        };
        Ok(Self {
            chain,
            key,
            newest,
            last: (0, GENESIS),
            marks: Vec::new(),
            next: None,
            names: HashMap::new(),
            report,
        })
    }

    /// From the beginning, against the signature and the anchors.
    fn whole(db: &Connection, chain: &'a ChainName, by: &VerifyingKey, anchors: &[Anchor]) -> Outcome<Self> {
        let mut scan = Self::of(db, chain)?;
        scan.next = Some(HashMap::new());
        for (seq, hash) in anchors.iter().filter_map(|anchor| anchor.of(chain)) {
            scan.mark(db, seq, hash, "an anchor")?;
            scan.report.anchored = scan.report.anchored.max(Some(seq));
        }
        match signed(db, chain)? {
            Some(head) if verify_head(&head, by) => {
                scan.report.signed = Some(head.seq);
                scan.mark(db, head.seq, head.hash, "the host")?;
            }
            Some(head) => scan.bad(head.seq, Place::Nothing, "its signature is not this host's".into()),
            None => {}
        }
        scan.marks.sort_by_key(|mark| mark.seq);
        Ok(scan)
    }

    /// From where it was signed last.
    pub(super) fn from(
        db: &Connection,
        chain: &'a ChainName,
        before: Option<&SignedHead>,
        by: &VerifyingKey,
    ) -> Outcome<Self> {
        let mut scan = Self::of(db, chain)?;
        if let Some(head) = before {
            if !verify_head(head, by) {
                scan.bad(head.seq, Place::Nothing, "what was signed last was not signed by this host".into());
            }
            scan.mark(db, head.seq, head.hash, "the host")?;
            scan.last = (head.seq, head.hash);
        }
        Ok(scan)
    }

    pub(super) fn mark(&mut self, db: &Connection, seq: u64, hash: Hash, who: &'static str) -> Outcome<()> {
        let sql = "SELECT hash FROM audit WHERE chain = ? AND seq = ?";
        let stored: Option<Vec<u8>> =
            db.prepare_cached(sql)?.query_row(params![self.key, seq], |row| row.get(0)).optional()?;
        let matches = seq == 0 || stored.is_some_and(|stored| stored == hash);
        self.marks.push(Mark { seq, hash, who, matches });
        Ok(())
    }

    /// The first thing that is wrong counts.
    fn bad(&mut self, seq: u64, stands_for: Place, what: String) {
        if self.report.bad.as_ref().is_none_or(|bad| seq < bad.seq) {
            self.report.bad = Some(Bad { seq, stands_for, what });
        }
    }

    /// Goes through it, and says in the report what came of it.
    pub(super) fn run(&mut self, db: &Connection) -> Outcome<()> {
        self.links(db)?;
        if self.report.bad.is_none() {
            self.ends();
        }
        if self.report.bad.is_none() {
            self.unlinked(db)?;
        }
        let remade = self.marks.iter().any(|mark| !mark.matches);
        let sound = self.marks.iter().filter(|mark| mark.matches).map(|mark| mark.seq);
        let before = |seq: &u64| self.report.bad.as_ref().is_none_or(|bad| *seq < bad.seq);
        let marked = sound.filter(before).max().unwrap_or(0);
        self.report.vouched = match &self.report.bad {
            // Its hashes lead to one that was signed: what comes before the bad link is as it was.
            Some(bad) if !remade && self.marks.iter().any(|mark| mark.seq >= bad.seq) => bad.seq - 1,
            _ => marked,
        };
        Ok(())
    }

    fn links(&mut self, db: &Connection) -> Outcome<()> {
        let sql = "SELECT a.seq, a.hash, a.invocation, a.entry, a.at, a.note, e.at, e.event FROM audit a
            LEFT JOIN entries e ON e.invocation = a.invocation AND e.seq = a.entry
            WHERE a.chain = ? AND a.seq > ? ORDER BY a.seq";
        let mut sql = db.prepare_cached(sql)?;
        let mut rows = sql.query(params![self.key, self.last.0])?;
        let mut named = db.prepare_cached("SELECT id, tenant, connection, caller FROM invocations WHERE key = ?")?;
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            if seq != self.last.0 + 1 {
                self.bad(self.last.0 + 1, Place::Nothing, "the link is missing".into());
                return Ok(());
            }
            let stored = hash(row.get(1)?)?;
            let (item, place) = match self.item(row, &mut named)? {
                Ok(found) => found,
                Err((place, what)) => {
                    self.bad(seq, place, what);
                    return Ok(());
                }
            };
            if extend(&self.last.1, self.chain.as_str(), seq, item) != stored {
                self.bad(seq, place, "it is not what was recorded".into());
                return Ok(());
            }
            self.last = (seq, stored);
        }
        Ok(())
    }

    /// What a link stands for, or why that cannot be.
    #[allow(clippy::type_complexity)] // a digest with its place, or a place with what is wrong there
    fn item(
        &mut self,
        row: &Row<'_>,
        named: &mut CachedStatement<'_>,
    ) -> Outcome<Result<(Item, Place), (Place, String)>> {
        let Some(invocation) = row.get::<_, Option<i64>>(2)? else {
            let (Some(at), Some(note)) =
                (row.get::<_, Option<u64>>(4)?, row.get_ref(5)?.as_str_or_null().map_err(Fail::other)?)
            else {
                return Ok(Err((Place::Nothing, "it stands for nothing".into())));
            };
            return Ok(Ok((Item::Note(note_digest(Timestamp(at), note)), Place::Note)));
        };
        let entry: u64 = row.get::<_, Option<u64>>(3)?.unwrap_or(u64::MAX);
        let Some(of) = self.named(invocation, named)? else {
            return Ok(Err((Place::Nothing, "its invocation is missing".into())));
        };
        let place = Place::Entry { invocation: InvocationId::new(of.id.as_str()), seq: entry };
        if of.tenant != self.chain.as_str() {
            return Ok(Err((place, "its invocation is in another tenant".into())));
        }
        let (Some(at), Some(event)) =
            (row.get::<_, Option<u64>>(6)?, row.get_ref(7)?.as_str_or_null().map_err(Fail::other)?)
        else {
            return Ok(Err((place, "the entry is missing".into())));
        };
        if let Some(next) = &mut self.next {
            let expected = next.entry(invocation).or_default();
            if *expected != entry {
                let what = format!("entry {expected} of its invocation comes first");
                return Ok(Err((place, what)));
            }
            *expected += 1;
        }
        let whose = (entry == 0).then_some((of.connection.as_str(), of.caller.as_str()));
        let text = EntryText { invocation: &of.id, seq: entry, at, event, whose };
        Ok(Ok((Item::Entry(entry_digest(text)), place)))
    }

    fn named(&mut self, key: i64, named: &mut CachedStatement<'_>) -> Outcome<Option<Named>> {
        if let Some(known) = self.names.get(&key) {
            return Ok(Some(known.clone()));
        }
        let found = named
            .query_row([key], |row| {
                Ok(Named { id: row.get(0)?, tenant: row.get(1)?, connection: row.get(2)?, caller: row.get(3)? })
            })
            .optional()?;
        if let Some(found) = &found {
            if self.names.len() >= NAMES {
                self.names.clear();
            }
            self.names.insert(key, found.clone());
        }
        Ok(found)
    }

    /// Where it ends, against what is said of it elsewhere.
    fn ends(&mut self) {
        let (links, newest) = (self.last, self.newest);
        if links != newest {
            let what = format!("the chain ends with link {}, and its head says {}", links.0, newest.0);
            self.bad(links.0 + 1, Place::Nothing, what);
        }
        let mut sound = 0;
        let mut found = None;
        for mark in &self.marks {
            if mark.matches {
                sound = mark.seq;
                continue;
            }
            let (seq, who) = (mark.seq, mark.who);
            found = Some(if seq > links.0 {
                (links.0 + 1, format!("{who} vouched for {seq} links: {} are missing", seq - links.0))
            } else {
                (sound + 1, format!("the chain was made anew between here and link {seq}, for which {who} vouched"))
            });
            debug_assert_ne!(mark.hash, GENESIS);
            break;
        }
        if let Some((seq, what)) = found {
            self.bad(seq, Place::Nothing, what);
        }
    }

    /// Entries that are in no link.
    fn unlinked(&mut self, db: &Connection) -> Outcome<()> {
        let Some(next) = &self.next else { return Ok(()) };
        let sql = "SELECT i.key, i.id, (SELECT count(*) FROM entries e WHERE e.invocation = i.key)
            FROM invocations i WHERE i.tenant = ? ORDER BY i.key";
        let mut sql = db.prepare_cached(sql)?;
        let mut rows = sql.query([self.chain.as_str()])?;
        while let Some(row) = rows.next()? {
            let (key, entries): (i64, u64) = (row.get(0)?, row.get(2)?);
            let linked = next.get(&key).copied().unwrap_or(0);
            if linked != entries {
                let place = Place::Entry { invocation: InvocationId::new(row.get::<_, String>(1)?), seq: linked };
                let links = self.last.0;
                self.bad(links + 1, place, format!("{} of its entries are in no link", entries - linked.min(entries)));
                return Ok(());
            }
        }
        Ok(())
    }
}
