//! Audit chains: what is in them, and what they find when somebody has been at the database.

use rusqlite::{Connection as Sqlite, OptionalExtension as _};
use sallyport::audit::{
    Anchor, Bad, ChainName, ChainReport, EntryText, GENESIS, Hash, HostKey, Item, Place, entry_digest, extend,
    note_digest,
};
use sallyport::authority::Authority;
use sallyport::ids::Timestamp;
use sallyport::ports::{Directory, End, Event, Filter, Journal, State};
use sallyport_store::Store;
use sallyport_store::audit::ExportedItem;

use crate::given::{Given, tenant};
use crate::journal::{STARTED, append, body, held, opened};

/// A store with a chain in it, and the host's key.
struct Chained {
    given: Given,
    first: Authority,
    second: Authority,
    key: Vec<u8>,
}

impl Chained {
    /// Two invocations of five and of three entries.
    async fn new() -> Self {
        let given = Given::new().await;
        let first = opened(&given).await;
        append(&given, &first, 1, vec![STARTED, held("write")]).await.unwrap();
        let second = crate::journal::reopened(&given, &first.connection).await;
        append(&given, &second, 1, vec![STARTED, Event::Ended(End::Succeeded { output: None })]).await.unwrap();
        let key = b"sallyport host key 1\n".to_vec();
        let key = [key, "07".repeat(32).into_bytes()].concat();
        let this = Self { given, first, second, key };
        assert_eq!(this.given.store.audit().seal(this.key(), None, Timestamp(500)).await.unwrap(), []);
        this
    }

    fn key(&self) -> HostKey {
        let file = self.given.folder.path().join("host.key");
        if !file.exists() {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::write(&file, &self.key).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        HostKey::open_or_create(&file).unwrap()
    }

    async fn anchor(&self) -> Anchor {
        let heads = self.given.store.audit().heads().await.unwrap();
        Anchor::sign(&self.key(), Timestamp(600), &heads)
    }

    /// What somebody does who can write the file.
    fn tamper(&self, with: impl FnOnce(&Sqlite)) {
        let db = Sqlite::open(self.given.folder.path().join("sallyport.db")).unwrap();
        for trigger in
            ["entries_are_not_changed", "entries_are_not_deleted", "audit_is_not_changed", "audit_is_not_deleted"]
        {
            db.execute_batch(&format!("DROP TRIGGER IF EXISTS {trigger}")).unwrap();
        }
        with(&db);
    }

    async fn verify(&self, anchors: Vec<Anchor>) -> ChainReport {
        verified(&self.given.store, self.key(), anchors).await
    }
}

async fn verified(store: &Store, key: HostKey, anchors: Vec<Anchor>) -> ChainReport {
    let reports = store.audit().verify(key.public(), anchors).await.unwrap();
    let host = reports.iter().find(|report| report.chain.is_empty()).unwrap();
    assert_eq!(host.bad, None);
    reports.into_iter().find(|report| report.chain == tenant().as_str()).unwrap()
}

fn entry(of: &Authority, seq: u64) -> Place {
    Place::Entry { invocation: of.invocation.clone(), seq }
}

/// Makes the whole chain anew over whatever is there now, as somebody can who knows how it is made.
fn remake(db: &Sqlite) {
    let chain: i64 = db.query_row("SELECT key FROM chains WHERE name = 'acme'", [], |row| row.get(0)).unwrap();
    let sql = "SELECT a.seq, a.at, a.note, a.entry, e.at, e.event, i.id, i.connection, i.caller FROM audit a
        LEFT JOIN entries e ON e.invocation = a.invocation AND e.seq = a.entry
        LEFT JOIN invocations i ON i.key = a.invocation WHERE a.chain = ? ORDER BY a.seq";
    let mut sql = db.prepare(sql).unwrap();
    let mut rows = sql.query([chain]).unwrap();
    let (mut last, mut hash): (u64, Hash) = (0, GENESIS);
    let mut made = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        last += 1;
        let note: Option<String> = row.get(2).unwrap();
        let item = match note {
            Some(note) => Item::Note(note_digest(Timestamp(row.get(1).unwrap()), &note)),
            None => {
                let texts: Vec<String> = [5, 6, 7, 8].iter().map(|at| row.get(*at).unwrap()).collect();
                let seq: u64 = row.get(3).unwrap();
                let whose = (seq == 0).then_some((texts[2].as_str(), texts[3].as_str()));
                let (invocation, event, at) = (texts[1].as_str(), texts[0].as_str(), row.get(4).unwrap());
                Item::Entry(entry_digest(EntryText { invocation, seq, at, event, whose }))
            }
        };
        hash = extend(&hash, "acme", last, item);
        made.push((row.get::<_, u64>(0).unwrap(), last, hash));
    }
    for (before, seq, hash) in made {
        db.execute(
            "UPDATE audit SET seq = ?, hash = ? WHERE chain = ? AND seq = ?",
            rusqlite::params![seq, hash, chain, before],
        )
        .unwrap();
    }
    db.execute("UPDATE chains SET seq = ?, hash = ? WHERE key = ?", rusqlite::params![last, hash, chain]).unwrap();
}

#[tokio::test]
async fn an_untouched_chain_is_vouched_for_up_to_where_it_was_signed() {
    let chained = Chained::new().await;
    let report = chained.verify(vec![chained.anchor().await]).await;
    // The connection, and three entries of each invocation.
    assert_eq!(report.bad, None);
    assert_eq!((report.links, report.signed, report.anchored, report.vouched), (7, Some(7), Some(7), 7));
    chained.given.store.remove_connection(&tenant(), &chained.first.connection).await.unwrap();
    let report = chained.verify(Vec::new()).await;
    assert_eq!((report.bad, report.links, report.signed, report.vouched), (None, 8, Some(7), 7));
    assert_eq!(chained.given.store.audit().seal(chained.key(), None, Timestamp(501)).await.unwrap(), []);
    assert_eq!(chained.verify(Vec::new()).await.vouched, 8, "the key of its bodies is gone, and it verifies");
    let gone = chained.given.store.body(&tenant(), &chained.first.connection, &body("more").of).await;
    assert!(gone.is_err());
}

#[tokio::test]
async fn what_was_done_to_the_database_is_found_at_the_right_entry() {
    type Act = fn(&Sqlite);
    /// What is done, where it is found, how far the chain is then vouched for, and what stands there.
    type Case = (&'static str, Act, u64, u64, fn(&Chained) -> Place);
    let acts: [Case; 10] = [
        (
            "an entry is edited",
            |db| run(db, "UPDATE entries SET event = replace(event, 'asks', 'ask') WHERE seq = 2"),
            4,
            3,
            |c| entry(&c.first, 2),
        ),
        (
            "its time is edited",
            |db| run(db, "UPDATE entries SET at = at + 1 WHERE seq = 1"),
            3,
            2,
            |c| entry(&c.first, 1),
        ),
        (
            "who asked is edited",
            |db| run(db, "UPDATE invocations SET caller = caller || ' '"),
            2,
            1,
            |c| entry(&c.first, 0),
        ),
        (
            "an entry is deleted",
            |db| run(db, "DELETE FROM entries WHERE seq = 2 AND event LIKE '%ended%'"),
            7,
            6,
            |c| entry(&c.second, 2),
        ),
        (
            "an entry is added",
            |db| {
                run(
                    db,
                    "INSERT INTO entries SELECT max(invocation), 3, 9, '{\"event\":\"started\",\"run\":2,\"replayed\":0}' FROM entries",
                )
            },
            8,
            7,
            |c| entry(&c.second, 3),
        ),
        (
            "two entries change places",
            |db| {
                run(db, "UPDATE entries SET seq = 9 WHERE seq = 1 AND invocation = (SELECT min(key) FROM invocations)");
                run(db, "UPDATE entries SET seq = 1 WHERE seq = 2 AND invocation = (SELECT min(key) FROM invocations)");
                run(db, "UPDATE entries SET seq = 2 WHERE seq = 9");
            },
            3,
            2,
            |c| entry(&c.first, 1),
        ),
        (
            "a link is deleted",
            |db| run(db, "DELETE FROM audit WHERE seq = 5 AND invocation IS NOT NULL"),
            5,
            4,
            |_| Place::Nothing,
        ),
        (
            "a note is edited",
            |db| run(db, "UPDATE audit SET note = replace(note, 'trello', 'drive') WHERE seq = 1"),
            1,
            0,
            |_| Place::Note,
        ),
        (
            "the end is cut off, and the head with it",
            |db| {
                run(db, "DELETE FROM audit WHERE seq = 7");
                run(db, "DELETE FROM entries WHERE seq = 2 AND event LIKE '%ended%'");
                run(
                    db,
                    "UPDATE chains SET seq = 6, hash = (SELECT hash FROM audit a WHERE a.chain = key AND a.seq = 6) WHERE name = 'acme'",
                );
            },
            7,
            0,
            |_| Place::Nothing,
        ),
        (
            "an entry is edited and every hash made anew",
            |db| {
                run(db, "UPDATE entries SET event = replace(event, 'asks', 'ask') WHERE seq = 2");
                remake(db);
            },
            1,
            0,
            |_| Place::Nothing,
        ),
    ];
    for (what, act, seq, vouched, place) in acts {
        let chained = Chained::new().await;
        chained.tamper(act);
        let report = chained.verify(Vec::new()).await;
        let Some(bad) = report.bad else { panic!("{what}: not found") };
        assert_eq!((bad.seq, report.vouched), (seq, vouched), "{what}: {bad:?}");
        assert_eq!(bad.stands_for, place(&chained), "{what}: {}", bad.what);
        assert!(!bad.what.is_empty());
    }
}

fn run(db: &Sqlite, sql: &str) {
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
}

#[tokio::test]
async fn a_chain_that_was_tampered_with_is_not_signed_again() {
    let chained = Chained::new().await;
    append(&chained.given, &chained.second, 3, vec![STARTED]).await.unwrap_err();
    let third = crate::journal::reopened(&chained.given, &chained.first.connection).await;
    chained.tamper(|db| run(db, "UPDATE entries SET event = replace(event, 'account', 'another') WHERE seq = 0"));
    let refused = chained.given.store.audit().seal(chained.key(), None, Timestamp(501)).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].bad.as_ref().map(|bad| &bad.stands_for), Some(&entry(&third, 0)));
    assert_eq!(chained.verify(Vec::new()).await.signed, Some(7), "what was signed before stays");
}

#[tokio::test]
async fn a_chain_that_was_made_anew_is_not_signed_where_what_was_signed_is_known_outside_the_database() {
    let chained = Chained::new().await;
    let last = chained.anchor().await;
    chained.tamper(|db| {
        run(db, "UPDATE entries SET event = replace(event, 'asks', 'ask') WHERE seq = 2");
        remake(db);
        run(db, "DELETE FROM heads");
    });
    let refused = chained.given.store.audit().seal(chained.key(), Some(last), Timestamp(501)).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(chained.verify(Vec::new()).await.signed, None);
}

#[tokio::test]
async fn with_the_hosts_key_in_hand_truncation_restamping_and_rollback_are_found_by_the_anchor_alone() {
    let chained = Chained::new().await;
    let before = chained.anchor().await;
    let old = chained.given.folder.path().join("old.db");
    Sqlite::open(chained.given.folder.path().join("sallyport.db"))
        .unwrap()
        .execute("VACUUM INTO ?", [old.to_str().unwrap()])
        .unwrap();
    crate::journal::reopened(&chained.given, &chained.first.connection).await;
    assert_eq!(chained.given.store.audit().seal(chained.key(), None, Timestamp(501)).await.unwrap(), []);
    let after = chained.anchor().await;
    assert_eq!(chained.verify(vec![before.clone(), after.clone()]).await.vouched, 8);

    // Restamped: an entry after the first anchor is another, all hashes fit, the host's own key has signed.
    chained.tamper(|db| {
        run(db, "UPDATE entries SET event = replace(event, 'account', 'another') WHERE invocation = (SELECT max(key) FROM invocations)");
        remake(db);
        run(db, "DELETE FROM heads");
    });
    assert_eq!(chained.given.store.audit().seal(chained.key(), None, Timestamp(502)).await.unwrap(), []);
    assert_eq!(chained.verify(Vec::new()).await.bad, None, "without an anchor nobody can tell");
    let report = chained.verify(vec![before.clone(), after.clone()]).await;
    let bad = report.bad.unwrap();
    assert_eq!((bad.seq, report.vouched), (8, 7), "{bad:?}: after the last anchor that fits");

    // Rolled back: the whole directory is an older one.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&old, folder.path().join("sallyport.db")).unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(verified(&store, chained.key(), vec![before.clone()]).await.bad, None);
    let report = verified(&store, chained.key(), vec![before, after]).await;
    assert_eq!(report.bad.as_ref().map(|bad| (bad.seq, &bad.stands_for)), Some((8, &Place::Nothing)), "{report:?}");
    assert!(report.bad.as_ref().is_some_and(|Bad { what, .. }| what.contains("missing")), "{report:?}");
    assert_eq!(report.vouched, 7);
}

#[tokio::test]
async fn an_export_has_all_that_is_needed_to_verify_it_elsewhere() {
    let chained = Chained::new().await;
    let links = chained.given.store.audit().export(&ChainName::of(&tenant()), 0, 100).await.unwrap();
    let mut hash = GENESIS;
    for link in &links {
        let item = match &link.item {
            ExportedItem::Note { at, note } => Item::Note(note_digest(Timestamp(*at), note.get())),
            ExportedItem::Entry { invocation, entry, at, event, connection, caller } => {
                let whose = connection.as_deref().zip(caller.as_deref().map(|caller| caller.get()));
                let event = event.get();
                Item::Entry(entry_digest(EntryText { invocation, seq: *entry, at: *at, event, whose }))
            }
            ExportedItem::Missing => panic!("{link:?}"),
        };
        hash = extend(&hash, "acme", link.seq, item);
        assert_eq!(link.hash, hex::encode(hash));
    }
    assert_eq!(links.len(), 7);
    let heads = chained.given.store.audit().heads().await.unwrap();
    assert!(heads.contains(&(ChainName::of(&tenant()), 7, hash)));
    let more = chained.given.store.audit().export(&ChainName::of(&tenant()), 5, 1).await.unwrap();
    assert_eq!(more.iter().map(|link| link.seq).collect::<Vec<_>>(), [6]);
}

#[tokio::test]
async fn old_bodies_are_forgotten_but_for_what_may_still_go_on_and_the_chain_verifies() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let chained = Chained::new().await;
    let store = &chained.given.store;
    let third = crate::journal::reopened(&chained.given, &chained.first.connection).await;
    let entries = vec![sallyport::ports::Entry {
        seq: 1,
        at: Timestamp(101),
        event: Event::Ended(End::Succeeded { output: None }),
    }];
    let own = vec![body("of the third")];
    store.append(&third, 1, entries, own, sallyport::ports::Durability::Flushed).await.unwrap();
    chained.given.clock.forward(31 * DAY);
    let before = Timestamp(1_790_000_000_000 + DAY);
    // `arguments` belongs to the first invocation, which waits for a person; `more` and the third's to nobody that goes on.
    assert_eq!(store.forget_bodies(before).await.unwrap(), 2);
    let there = async |name: &str| store.body(&tenant(), &third.connection, &body(name).of).await.is_ok();
    assert_eq!((there("arguments").await, there("more").await, there("of the third").await), (true, false, false));
    let report = chained.verify(Vec::new()).await;
    assert_eq!((report.bad, report.links), (None, 10), "the forgetting is a link of its own");
    assert_eq!(store.forget_bodies(before).await.unwrap(), 0);
}

#[tokio::test]
async fn a_removed_tenant_leaves_a_chain_that_verifies_and_nothing_that_opens_it() {
    let chained = Chained::new().await;
    let store = &chained.given.store;
    let settings = ["rules/acme", "signin/acme", "webhook/acme", "rules/not/acme", "rules/acmf"];
    for key in settings {
        store.accounts().put_setting(key, "{}").await.unwrap();
    }
    store.accounts().remove_tenant(&tenant()).await.unwrap();
    for (key, stays) in settings.into_iter().zip([false, false, true, true, true]) {
        assert_eq!(store.accounts().setting(key).await.unwrap().is_some(), stays, "{key}");
    }
    let db = Sqlite::open(chained.given.folder.path().join("sallyport.db")).unwrap();
    for table in ["data_keys", "bodies", "secrets", "connections", "grants", "users", "documents"] {
        let rows: i64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    assert!(db.query_row("SELECT 1 FROM tenants WHERE removed IS NULL", [], |_| Ok(())).optional().unwrap().is_none());
    assert_eq!(chained.verify(vec![]).await.bad, None);
    let again = store.accounts().create_tenant(&tenant(), "Acme").await.unwrap_err().to_string();
    assert!(again.contains("never given again"), "{again}");
    let filter = Filter { states: vec![State::Held], ..Filter::default() };
    assert_eq!(store.list(&tenant(), &filter).await.unwrap().len(), 1, "what was done stays on record");
}
