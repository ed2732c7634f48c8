//! Ports behind gates, at which a schedule says who goes next: an order of port calls that follows from a seed.
//!
//! Every port call waits for its turn before it is made and before its answer is given. A turn is given once everybody
//! who takes part stands at a gate, or nobody has come to one for a while: the others wait for a lock, a timer or a
//! socket. All of it runs on one thread, where timers stand still but for what the schedule adds.
//!
//! Only port calls have gates. How many rounds of the thread a socket's answer takes is the operating system's to say,
//! and a guest that has been at it for 10 ms goes on on another thread. So a race in which something is sent may differ
//! a little from another one of its seed; the order that was is printed with what fails.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::audit::Note;
use crate::authority::Authority;
use crate::connection::{Connection, ConnectionState, Grant};
use crate::ids::{ConnectionId, ConnectorId, InvocationId, MasterId, SlotName, TenantId, Timestamp};
use crate::ports::{
    BodyRef, Claim, Decision, Directory, Durability, Entry, Filter, Granted, Journal, KeyScope, Lease, Plan, Record,
    Rewrap, SealedBody, SealedSecret, Settlement, StoreResult, Summary, TenantRules, Vault, WrappedKey,
};

/// Rounds of the thread without anybody coming to a gate, after which those that are elsewhere are taken to wait there.
const QUIET: u32 = 24;
/// Where nobody stands at a gate, time goes on only after so long, so that no timeout overtakes a socket's answer.
const PATIENCE: Duration = Duration::from_millis(1);
/// By how much time goes on: as long as one process waits before it looks what another one does.
const TICK: Duration = Duration::from_millis(15);
/// More turns than any race needs: whoever takes as many goes in circles.
const MOST: usize = 5_000;

tokio::task_local! {
    /// Whose gates a task stands at.
    static WHO: &'static str;
}

/// Gives turns to those who race. Where no race is on, gates are open.
#[derive(Clone)]
pub(super) struct Schedule(Arc<Mutex<Table>>);

struct Table {
    random: ChaCha20Rng,
    racing: bool,
    /// Those who race and have not ended.
    live: usize,
    waiting: Vec<(String, oneshot::Sender<()>)>,
    /// How many came to a gate so far.
    came: usize,
    /// Whose turns there were.
    order: Vec<String>,
}

impl Table {
    fn new(seed: u64, racing: bool) -> Self {
        let random = ChaCha20Rng::seed_from_u64(seed);
        Self { random, racing, live: 0, waiting: Vec::new(), came: 0, order: Vec::new() }
    }
}

/// What follows a look at the gates.
enum Next {
    Ended,
    Wait,
    Time,
}

/// How long nobody came.
struct Pace {
    came: usize,
    rounds: u32,
    since: Instant,
}

impl Pace {
    fn new(came: usize) -> Self {
        Self { came, rounds: 0, since: Instant::now() }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Table::new(0, false))))
    }
}

impl Schedule {
    /// Closes the gates. Needs a runtime of one thread.
    pub(super) fn begin(&self, seed: u64) {
        tokio::time::pause();
        *self.0.lock() = Table::new(seed, true);
    }

    /// Has `work` take part.
    pub(super) fn go<T: Send + 'static>(
        &self,
        who: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.lock().live += 1;
        let (schedule, taking_part) = (self.clone(), TakingPart(self.clone()));
        tokio::spawn(WHO.scope(who, async move {
            let _taking_part = taking_part;
            schedule.gate("begins").await;
            work.await
        }))
    }

    /// Waits for a turn.
    pub(super) async fn gate(&self, at: &str) {
        let (go, turn) = oneshot::channel();
        {
            let mut table = self.0.lock();
            if !table.racing {
                return;
            }
            // What somebody left to a task of its own has no name.
            let who = WHO.try_with(|who| *who).unwrap_or("a task");
            table.came += 1;
            table.waiting.push((format!("{who}: {at}"), go));
        }
        // An error is that the race is over.
        let _ = turn.await;
    }

    /// Gives turns until all who take part have ended, and opens the gates.
    ///
    /// # Panics
    /// Where they go in circles.
    pub(super) async fn run(&self) {
        let mut pace = Pace::new(0);
        loop {
            // Everything else that can go on does so before this does.
            tokio::task::yield_now().await;
            match self.next(&mut pace) {
                Next::Ended => break,
                Next::Wait => {}
                Next::Time => tokio::time::advance(TICK).await,
            }
        }
        tokio::time::resume();
    }

    fn next(&self, pace: &mut Pace) -> Next {
        let mut table = self.0.lock();
        if table.live == 0 {
            table.racing = false;
            table.waiting.clear();
            return Next::Ended;
        }
        if table.came != pace.came {
            *pace = Pace::new(table.came);
        }
        pace.rounds += 1;
        let count = table.waiting.len();
        if count < table.live && pace.rounds < QUIET || count == 0 && pace.since.elapsed() < PATIENCE {
            return Next::Wait;
        }
        *pace = Pace::new(table.came);
        // Now and then a timer is faster than whoever stands at a gate.
        if count == 0 || table.random.random_ratio(1, 16) {
            return Next::Time;
        }
        let chosen = table.random.random_range(0..count);
        let (turn, go) = table.waiting.remove(chosen);
        table.order.push(turn);
        assert!(table.order.len() < MOST, "they go in circles:\n{}", table.order.join("\n"));
        // Whoever gave up waiting needs no turn.
        let _ = go.send(());
        Next::Wait
    }

    /// Whose turns there were in the last race, as `who: what`.
    pub(super) fn order(&self) -> Vec<String> {
        self.0.lock().order.clone()
    }

    /// The last race, for people.
    pub(super) fn told(&self, seed: u64) -> String {
        format!("seed {seed}, turns:\n{}", self.order().join("\n"))
    }
}

/// Ends with its task, also where that panics.
struct TakingPart(Schedule);

impl Drop for TakingPart {
    fn drop(&mut self) {
        self.0.0.lock().live -= 1;
    }
}

/// A port whose calls wait for their turns.
pub(super) struct Turns<P> {
    port: Arc<P>,
    schedule: Schedule,
}

impl<P> Turns<P> {
    pub(super) fn new(port: &Arc<P>, schedule: &Schedule) -> Arc<Self> {
        Arc::new(Self { port: Arc::clone(port), schedule: schedule.clone() })
    }

    async fn turn<T>(&self, call: &str, work: impl Future<Output = T>) -> T {
        self.schedule.gate(&format!("to {call}")).await;
        let answer = work.await;
        self.schedule.gate(&format!("from {call}")).await;
        answer
    }
}

#[async_trait]
impl<P: Journal> Journal for Turns<P> {
    async fn open(
        &self,
        at: &Authority,
        plan: &Plan,
        bodies: Vec<SealedBody>,
        when: Timestamp,
        millis: u64,
        durability: Durability,
    ) -> StoreResult<Claim> {
        self.turn("journal.open", self.port.open(at, plan, bodies, when, millis, durability)).await
    }

    async fn append(
        &self,
        at: &Authority,
        first: u64,
        entries: Vec<Entry>,
        bodies: Vec<SealedBody>,
        durability: Durability,
    ) -> StoreResult<()> {
        self.turn("journal.append", self.port.append(at, first, entries, bodies, durability)).await
    }

    async fn claim(&self, tenant: &TenantId, invocation: &InvocationId, millis: u64) -> StoreResult<Claim> {
        self.turn("journal.claim", self.port.claim(tenant, invocation, millis)).await
    }

    async fn renew(&self, at: &Authority, millis: u64) -> StoreResult<Lease> {
        self.turn("journal.renew", self.port.renew(at, millis)).await
    }

    async fn release(&self, at: &Authority) -> StoreResult<()> {
        self.turn("journal.release", self.port.release(at)).await
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        decision: &Decision,
        when: Timestamp,
    ) -> StoreResult<()> {
        self.turn("journal.decide", self.port.decide(tenant, invocation, decision, when)).await
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        settlement: &Settlement,
        when: Timestamp,
    ) -> StoreResult<()> {
        self.turn("journal.settle", self.port.settle(tenant, invocation, settlement, when)).await
    }

    async fn note(&self, tenant: Option<&TenantId>, note: &Note, when: Timestamp) -> StoreResult<()> {
        self.turn("journal.note", self.port.note(tenant, note, when)).await
    }

    async fn forget_bodies(&self, before: Timestamp) -> StoreResult<u64> {
        self.turn("journal.forget_bodies", self.port.forget_bodies(before)).await
    }

    async fn record(&self, tenant: &TenantId, invocation: &InvocationId) -> StoreResult<Record> {
        self.turn("journal.record", self.port.record(tenant, invocation)).await
    }

    async fn list(&self, tenant: &TenantId, filter: &Filter) -> StoreResult<Vec<Summary>> {
        self.turn("journal.list", self.port.list(tenant, filter)).await
    }

    async fn body(&self, tenant: &TenantId, connection: &ConnectionId, of: &BodyRef) -> StoreResult<SealedBody> {
        self.turn("journal.body", self.port.body(tenant, connection, of)).await
    }
}

#[async_trait]
impl<P: Directory> Directory for Turns<P> {
    async fn put_connection(&self, connection: &Connection) -> StoreResult<()> {
        self.turn("directory.put_connection", self.port.put_connection(connection)).await
    }

    async fn connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Connection> {
        self.turn("directory.connection", self.port.connection(tenant, id)).await
    }

    async fn connections(&self, tenant: &TenantId) -> StoreResult<Vec<Connection>> {
        self.turn("directory.connections", self.port.connections(tenant)).await
    }

    async fn set_state(
        &self,
        tenant: &TenantId,
        id: &ConnectionId,
        state: ConnectionState,
        reason: Option<&str>,
    ) -> StoreResult<()> {
        self.turn("directory.set_state", self.port.set_state(tenant, id, state, reason)).await
    }

    async fn set_checked(&self, tenant: &TenantId, id: &ConnectionId, at: Timestamp) -> StoreResult<()> {
        self.turn("directory.set_checked", self.port.set_checked(tenant, id, at)).await
    }

    async fn remove_connection(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<()> {
        self.turn("directory.remove_connection", self.port.remove_connection(tenant, id)).await
    }

    async fn put_grant(&self, grant: &Grant) -> StoreResult<()> {
        self.turn("directory.put_grant", self.port.put_grant(grant)).await
    }

    async fn grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<Option<Grant>> {
        self.turn("directory.grant", self.port.grant(tenant, connection)).await
    }

    async fn granted(&self, tenant: &TenantId, id: &ConnectionId) -> StoreResult<Granted> {
        self.turn("directory.granted", self.port.granted(tenant, id)).await
    }

    async fn revoke_grant(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<()> {
        self.turn("directory.revoke_grant", self.port.revoke_grant(tenant, connection)).await
    }

    async fn any_grant(&self, connector: &ConnectorId) -> StoreResult<bool> {
        self.turn("directory.any_grant", self.port.any_grant(connector)).await
    }

    async fn writes_since(&self, tenant: &TenantId, connection: &ConnectionId, from: Timestamp) -> StoreResult<u32> {
        self.turn("directory.writes_since", self.port.writes_since(tenant, connection, from)).await
    }

    async fn tenant_rules(&self, tenant: &TenantId) -> StoreResult<TenantRules> {
        self.turn("directory.tenant_rules", self.port.tenant_rules(tenant)).await
    }
}

#[async_trait]
impl<P: Vault> Vault for Turns<P> {
    async fn secret(&self, at: &Authority, slot: &SlotName) -> StoreResult<Option<SealedSecret>> {
        self.turn("vault.secret", self.port.secret(at, slot)).await
    }

    async fn slots(&self, at: &Authority) -> StoreResult<Vec<(SlotName, SealedSecret)>> {
        self.turn("vault.slots", self.port.slots(at)).await
    }

    async fn replace(
        &self,
        at: &Authority,
        slot: &SlotName,
        expected: Option<u64>,
        secret: &SealedSecret,
    ) -> StoreResult<u64> {
        self.turn("vault.replace", self.port.replace(at, slot, expected, secret)).await
    }

    async fn remove_secrets(&self, at: &Authority) -> StoreResult<()> {
        self.turn("vault.remove_secrets", self.port.remove_secrets(at)).await
    }

    async fn lease(&self, at: &Authority, slot: &SlotName, holder: &str) -> StoreResult<Lease> {
        self.turn("vault.lease", self.port.lease(at, slot, holder)).await
    }

    async fn release(&self, at: &Authority, slot: &SlotName, lease: &Lease) -> StoreResult<()> {
        self.turn("vault.release", self.port.release(at, slot, lease)).await
    }

    async fn client(&self, tenant: Option<&TenantId>, provider: &str) -> StoreResult<Option<SealedSecret>> {
        self.turn("vault.client", self.port.client(tenant, provider)).await
    }

    async fn put_client(&self, tenant: Option<&TenantId>, provider: &str, sealed: &SealedSecret) -> StoreResult<()> {
        self.turn("vault.put_client", self.port.put_client(tenant, provider, sealed)).await
    }

    async fn data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
    ) -> StoreResult<Option<WrappedKey>> {
        self.turn("vault.data_key", self.port.data_key(tenant, connection)).await
    }

    async fn put_data_key(
        &self,
        tenant: Option<&TenantId>,
        connection: Option<&ConnectionId>,
        key: &WrappedKey,
    ) -> StoreResult<WrappedKey> {
        self.turn("vault.put_data_key", self.port.put_data_key(tenant, connection, key)).await
    }

    async fn retire_master(&self, master: &MasterId) -> StoreResult<()> {
        self.turn("vault.retire_master", self.port.retire_master(master)).await
    }

    async fn wrapped_by(
        &self,
        master: &MasterId,
        after: Option<&KeyScope>,
        limit: u32,
    ) -> StoreResult<Vec<(KeyScope, WrappedKey)>> {
        self.turn("vault.wrapped_by", self.port.wrapped_by(master, after, limit)).await
    }

    async fn rewrap(&self, batch: &[Rewrap]) -> StoreResult<u64> {
        self.turn("vault.rewrap", self.port.rewrap(batch)).await
    }
}

#[tokio::test]
async fn the_order_of_turns_follows_from_the_seed() {
    async fn race(seed: u64) -> Vec<String> {
        let schedule = Schedule::default();
        schedule.begin(seed);
        for who in ["ann", "bob", "cid"] {
            let gates = schedule.clone();
            schedule.go(who, async move {
                for step in ["one", "two"] {
                    gates.gate(step).await;
                }
            });
        }
        schedule.run().await;
        schedule.order()
    }
    let first = race(1).await;
    assert_eq!(first.len(), 9, "{first:?}");
    assert_eq!(race(1).await, first);
    let mut others = Vec::new();
    for seed in 2..12 {
        others.push(race(seed).await);
    }
    assert!(others.iter().any(|other| *other != first));
}
