//! The store's ports, each call of which is a step.

use std::sync::Arc;

use async_trait::async_trait;
use sallyport::Ports;
use sallyport::audit::Note;
use sallyport::authority::Authority;
use sallyport::connection::{Connection, ConnectionState, Grant};
use sallyport::ids::{
    ConnectionId, ConnectorId, InvocationId, MasterId, SlotName, SourceId, StreamId, TenantId, Timestamp,
};
use sallyport::ports::{
    Batch, BodyRef, Bucket, Claim, Committed, Decision, Directory, Durability, Entry, Filter, Finish, Granted, Journal,
    KeyScope, Lease, Limiter, Plan, PullState, Record, Rewrap, SealedBody, SealedSecret, Settlement, Sink, StoreResult,
    Summary, TenantRules, Vault, WrappedKey,
};
use sallyport_store::Store;

use super::Steps;

/// A store behind steps.
struct Counted {
    store: Arc<Store>,
    steps: Arc<Steps>,
}

/// The store's ports with steps around them, but for those that a connector's work does not change.
pub(super) fn counted(store: &Arc<Store>, steps: &Arc<Steps>) -> Ports {
    let counted = Arc::new(Counted { store: Arc::clone(store), steps: Arc::clone(steps) });
    Ports {
        directory: Arc::clone(&counted) as _,
        journal: Arc::clone(&counted) as _,
        limiter: Arc::clone(&counted) as _,
        sink: Arc::clone(&counted) as _,
        vault: counted as _,
        ..Ports::all(Arc::clone(store))
    }
}

/// Each method as the store has it, within a step of the method's name.
macro_rules! counted {
    ($port:ident { $($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $port for Counted {
            $(
                async fn $name(&self, $($argument: $type),*) -> StoreResult<$answer> {
                    let work = $port::$name(&*self.store, $($argument),*);
                    self.steps.around(concat!(stringify!($port), "::", stringify!($name)), work).await
                }
            )*
        }
    };
}

counted! { Journal {
    open(at: &Authority, plan: &Plan, bodies: Vec<SealedBody>, when: Timestamp, millis: u64, durability: Durability)
        -> Claim;
    append(at: &Authority, first: u64, entries: Vec<Entry>, bodies: Vec<SealedBody>, durability: Durability) -> ();
    claim(tenant: &TenantId, invocation: &InvocationId, millis: u64) -> Claim;
    renew(at: &Authority, millis: u64) -> Lease;
    release(at: &Authority) -> ();
    decide(tenant: &TenantId, invocation: &InvocationId, decision: &Decision, when: Timestamp) -> ();
    settle(tenant: &TenantId, invocation: &InvocationId, settlement: &Settlement, when: Timestamp) -> ();
    note(tenant: Option<&TenantId>, note: &Note, when: Timestamp) -> ();
    forget_bodies(before: Timestamp) -> u64;
    record(tenant: &TenantId, invocation: &InvocationId) -> Record;
    list(tenant: &TenantId, filter: &Filter) -> Vec<Summary>;
    body(tenant: &TenantId, connection: &ConnectionId, of: &BodyRef) -> SealedBody;
} }

counted! { Sink {
    begin(at: &Authority, source: &SourceId, stream: &StreamId, sweep: bool, millis: u64) -> PullState;
    renew(at: &Authority, source: &SourceId, stream: &StreamId, millis: u64) -> Lease;
    revisions(at: &Authority, source: &SourceId, ids: &[String]) -> Vec<Option<String>>;
    commit(at: &Authority, source: &SourceId, stream: &StreamId, batch: Batch) -> Committed;
    finish(at: &Authority, source: &SourceId, stream: &StreamId, finish: Finish) -> Vec<String>;
    forget(at: &Authority, source: &SourceId, stream: &StreamId, ids: &[String]) -> u64;
} }

counted! { Vault {
    secret(at: &Authority, slot: &SlotName) -> Option<SealedSecret>;
    slots(at: &Authority) -> Vec<(SlotName, SealedSecret)>;
    replace(at: &Authority, slot: &SlotName, expected: Option<u64>, secret: &SealedSecret) -> u64;
    remove_secrets(at: &Authority) -> ();
    lease(at: &Authority, slot: &SlotName, holder: &str) -> Lease;
    release(at: &Authority, slot: &SlotName, lease: &Lease) -> ();
    client(tenant: Option<&TenantId>, provider: &str) -> Option<SealedSecret>;
    put_client(tenant: Option<&TenantId>, provider: &str, sealed: &SealedSecret) -> ();
    data_key(tenant: Option<&TenantId>, connection: Option<&ConnectionId>) -> Option<WrappedKey>;
    put_data_key(tenant: Option<&TenantId>, connection: Option<&ConnectionId>, key: &WrappedKey) -> WrappedKey;
    retire_master(master: &MasterId) -> ();
    wrapped_by(master: &MasterId, after: Option<&KeyScope>, limit: u32) -> Vec<(KeyScope, WrappedKey)>;
    rewrap(batch: &[Rewrap]) -> u64;
} }

counted! { Directory {
    put_connection(connection: &Connection) -> ();
    connection(tenant: &TenantId, id: &ConnectionId) -> Connection;
    connections(tenant: &TenantId) -> Vec<Connection>;
    set_state(tenant: &TenantId, id: &ConnectionId, state: ConnectionState, reason: Option<&str>) -> ();
    set_checked(tenant: &TenantId, id: &ConnectionId, at: Timestamp) -> ();
    remove_connection(tenant: &TenantId, id: &ConnectionId) -> ();
    put_grant(grant: &Grant) -> ();
    grant(tenant: &TenantId, connection: &ConnectionId) -> Option<Grant>;
    granted(tenant: &TenantId, id: &ConnectionId) -> Granted;
    revoke_grant(tenant: &TenantId, connection: &ConnectionId) -> ();
    any_grant(connector: &ConnectorId) -> bool;
    writes_since(tenant: &TenantId, connection: &ConnectionId, from: Timestamp) -> u32;
    tenant_rules(tenant: &TenantId) -> TenantRules;
} }

counted! { Limiter {
    take(at: &Authority, buckets: &[Bucket]) -> Option<u64>;
    drained(at: &Authority, bucket: &Bucket, millis: u64) -> ();
} }
