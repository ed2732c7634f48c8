//! The journal's storage by itself: writers that share a flush, and a chain that is verified.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use sallyport::Caller;
use sallyport::audit::{ChainName, HostKey};
use sallyport::authority::{Authority, Fence};
use sallyport::clock::{Clock as _, SystemClock};
use sallyport::connection::{Connection, ConnectionState, Owner};
use sallyport::ids::{
    CapabilityId, ConnectionId, ConnectorId, Digest, InvocationId, ProviderId, SourceId, TenantId, ToolName,
};
use sallyport::ports::{BodyRef, Directory as _, Durability, Entry, Event, Journal as _, Plan, RECORDING, Standing};
use sallyport_store::{Options, Store};
use tempfile::TempDir;

use crate::Setup;
use crate::figure::Figure;

/// Writers side by side.
const WRITERS: usize = 64;
/// What a flush takes at least: some disks say at once that they have kept what they have not. A good disk's.
const FLUSH: Duration = Duration::from_millis(1);
/// Entries of an invocation of the chain that is verified, its plan among them.
const LONG: usize = 1_000;
/// Links that are read at once.
const PAGE: usize = 10_000;

/// A store with a connection, and nothing that runs through it.
struct Records {
    store: Store,
    plan: Plan,
    caller: Caller,
    connection: ConnectionId,
    folder: TempDir,
}

impl Records {
    async fn new(options: Options) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let store = tokio::task::spawn_blocking(move || Store::open_with(data, options)).await??;
        let tenant = TenantId::new("bench");
        store.accounts().create_tenant(&tenant, "bench").await?;
        let (connector, now) = (ConnectorId::new("hello")?, SystemClock.now());
        let connection = Connection {
            id: ConnectionId::fresh(),
            tenant: tenant.clone(),
            connector: connector.clone(),
            provider: ProviderId::new("hello")?,
            auth: "token".into(),
            owner: Owner::Workspace,
            name: "Hello".into(),
            account: "u1".into(),
            account_name: "Bench".into(),
            workspace: None,
            source: SourceId::new("hello/u1"),
            audience: Vec::new(),
            settings: BTreeMap::new(),
            state: ConnectionState::Active,
            reason: None,
            checked: None,
            created: now,
        };
        store.put_connection(&connection).await?;
        let plan = Plan {
            standing: Standing::Tool { tool: ToolName::new("read_note")? },
            connector,
            component: Digest::of(b"hello"),
            account: connection.account.clone(),
            capabilities: vec![CapabilityId::new("notes.read")?],
            arguments: None,
            seed: [7; 32],
            started: now,
            recording: RECORDING,
            context: None,
        };
        Ok(Self { store, plan, caller: Caller::system(tenant), connection: connection.id, folder })
    }

    /// An invocation with its first entry.
    async fn opened(&self) -> anyhow::Result<Authority> {
        let mut at = Authority {
            caller: self.caller.clone(),
            connection: self.connection.clone(),
            invocation: InvocationId::fresh(),
            fence: Fence::default(),
        };
        let (plan, when) = (&self.plan, self.plan.started);
        let claim = self.store.open(&at, plan, Vec::new(), when, 60_000, Durability::Eventual).await?;
        at.fence = claim.lease.fence;
        Ok(at)
    }

    /// Adds so many entries, in invocations of [`LONG`] each.
    async fn fill(&self, entries: usize) -> anyhow::Result<()> {
        let body = |byte: u8| BodyRef { hash: hex::encode([byte; 32]), size: 100 };
        let mut left = entries;
        while left > 0 {
            let (at, now) = (self.opened().await?, SystemClock.now());
            let count = left.min(LONG);
            let entry = |call: u32| {
                let (import, arguments, answer) = ("clock.now".into(), body(1), body(2));
                Entry {
                    seq: call.into(),
                    at: now,
                    event: Event::Call { call, import, effect: None, arguments, answer },
                }
            };
            let calls = (1..u32::try_from(count)?).map(entry).collect();
            self.store.append(&at, 1, calls, Vec::new(), Durability::Eventual).await?;
            left -= count;
        }
        Ok(())
    }
}

/// Entries of several writers that each wait for the disk, in a time.
struct Kept {
    per_second: f64,
    per_flush: f64,
}

/// What writers that come together share.
pub(crate) async fn shared(setup: &Setup) -> anyhow::Result<Figure> {
    let options = Options { flush_delay: Some(FLUSH), ..Options::default() };
    let records = Arc::new(Records::new(options).await?);
    let rounds = setup.rounds.min(2_000);
    keep(&records, WRITERS, 5).await?;
    let alone = keep(&records, 1, rounds).await?;
    let together = keep(&records, WRITERS, rounds / 4 + 1).await?;
    Ok(Figure {
        name: "64 writers that each wait for the disk, side by side: entries kept, in times one writer",
        value: format!(
            "×{:.1} ({:.0} a second, {:.1} a flush)",
            together.per_second / alone.per_second,
            together.per_second,
            together.per_flush
        ),
        beside: format!(
            "one writer: {:.0} a second, {:.1} a flush; a flush takes {} µs at least",
            alone.per_second,
            alone.per_flush,
            FLUSH.as_micros()
        ),
        target: Some("≥ 10 times one writer"),
    })
}

/// So many writers, each with an invocation of its own to which it adds entry after entry.
async fn keep(records: &Arc<Records>, writers: usize, rounds: usize) -> anyhow::Result<Kept> {
    let mut opened = Vec::with_capacity(writers);
    for _ in 0..writers {
        opened.push(records.opened().await?);
    }
    let (flushes, began) = (records.store.flushes(), Instant::now());
    let writing = opened.into_iter().map(|at| {
        let records = Arc::clone(records);
        tokio::spawn(async move {
            for seq in 1..=rounds as u64 {
                let entry = Entry { seq, at: SystemClock.now(), event: Event::Started { run: 1, replayed: 0 } };
                records.store.append(&at, seq, vec![entry], Vec::new(), Durability::Flushed).await?;
            }
            anyhow::Ok(())
        })
    });
    for written in try_join_all(writing).await? {
        written?;
    }
    let (took, count) = (began.elapsed(), (writers * rounds) as f64);
    let flushes = records.store.flushes() - flushes;
    ensure!(flushes > 0, "nothing was flushed");
    Ok(Kept { per_second: count / took.as_secs_f64(), per_flush: count / flushes as f64 })
}

/// A chain gone through from its beginning.
pub(crate) async fn verified(setup: &Setup) -> anyhow::Result<Figure> {
    let records = Records::new(Options::default()).await?;
    records.fill(setup.entries).await?;
    let key = HostKey::open_or_create(&records.folder.path().join("host.key"))?;
    let (audit, chain) = (records.store.audit(), ChainName::of(&records.caller.tenant));
    let began = Instant::now();
    let reports = audit.verify(key.public(), Vec::new()).await?;
    let took = began.elapsed().as_secs_f64();
    let report = reports.iter().find(|report| report.chain == chain.as_str()).context("the tenant's chain")?;
    let links = report.links;
    ensure!(report.bad.is_none() && links >= setup.entries as u64, "it does not verify: {report:?}");

    let began = Instant::now();
    let (mut after, mut read) = (0, 0);
    loop {
        let page = audit.export(&chain, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        (after, read) = (last.seq, read + page.len());
    }
    let given = began.elapsed().as_secs_f64();
    ensure!(read as u64 == links, "{read} links of {links} were given out");
    Ok(Figure {
        name: "an audit chain verified from its beginning, every link hashed anew",
        value: format!("{took:.2} s for {links} links ({:.1} s a million)", took * 1e6 / links as f64),
        beside: format!("the same links read and given out, without hashing: {given:.2} s"),
        target: Some("< 5 s"),
    })
}
