//! The record of everything that was done. Every effect is an entry before it is a packet.
//!
//! An invocation's record is one append-only sequence of [`Entry`]; its [`State`] follows from the last entries. Bodies
//! are stored apart, sealed by the runtime under a key of the connection, and named by a keyed hash.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Decision, Effect, EffectState, Entry, Lease, Settlement, State, StoreError, StoreResult};
use crate::audit::Note;
use crate::authority::Authority;
use crate::ids::{
    CapabilityId, ConnectionId, ConnectorId, Digest, InvocationId, SourceId, StreamId, SubjectId, TenantId, Timestamp,
    ToolName,
};

/// What an invocation is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "export")]
pub enum Standing {
    /// `account.identify`.
    Identify,
    /// `sync.streams`, `sync.pull` or `sync.probe` of one stream. Journaled as metadata.
    Sync {
        /// The source.
        source: SourceId,
        /// The stream; empty for `streams`.
        stream: StreamId,
    },
    /// `tools.invoke`.
    Tool {
        /// The tool.
        tool: ToolName,
    },
}

/// Everything that decides what an execution does: a replay starts from the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Which export.
    pub standing: Standing,
    /// Which connector.
    pub connector: ConnectorId,
    /// Which component exactly.
    pub component: Digest,
    /// The account at the provider when this was planned: a switched account voids an approval.
    pub account: String,
    /// Capabilities that are live.
    pub capabilities: Vec<CapabilityId>,
    /// The arguments, canonical (RFC 8785), sealed as a body.
    pub arguments: Option<BodyRef>,
    /// Seed of the guest's random bytes.
    #[serde(with = "seed")]
    pub seed: [u8; 32],
    /// The guest's clock at the start.
    pub started: Timestamp,
    /// Which host calls are recorded: 1 leaves out `random`, whose bytes follow from the seed; 2 has every call.
    #[serde(default = "first_recording")]
    pub recording: u32,
    /// What a person is shown beside the call: the request, the documents it came from, policy's reasons. A JSON object
    /// of whoever proposed the call, sealed as a body; the runtime does not read it.
    pub context: Option<BodyRef>,
}

/// The [`Plan::recording`] of this version.
pub const RECORDING: u32 = 2;

fn first_recording() -> u32 {
    1
}

/// A seed as hex; records from before have it as 32 numbers.
mod seed {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(seed: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(seed))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Hex(String),
            Numbers([u8; 32]),
        }
        match Either::deserialize(from)? {
            Either::Numbers(seed) => Ok(seed),
            Either::Hex(text) => {
                let mut seed = [0; 32];
                hex::decode_to_slice(&text, &mut seed).map_err(serde::de::Error::custom)?;
                Ok(seed)
            }
        }
    }
}

/// A body by its keyed hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BodyRef {
    /// Keyed BLAKE3 over the plain bytes, hex; the key is the connection's. 128 bits of it: who lacks the key can make nothing
    /// that fits, and 10,000 calls that wait are 3 MB smaller. Records from before this have all 256.
    pub hash: String,
    /// Plain bytes.
    pub size: u64,
}

impl BodyRef {
    /// Whether this name, from a record, is that of these bytes as they are named now.
    #[must_use]
    pub fn is(&self, now: &Self) -> bool {
        self.size == now.size && !now.hash.is_empty() && self.hash.starts_with(&now.hash)
    }
}

/// A body as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBody {
    /// Its name.
    pub of: BodyRef,
    /// Whether what was sealed is the plain bytes, or what DEFLATE (RFC 1951) makes of them.
    pub packed: bool,
    /// XChaCha20-Poly1305 nonce, 24 bytes.
    pub nonce: Vec<u8>,
    /// Ciphertext with tag.
    pub ciphertext: Vec<u8>,
}

/// An invocation with all its entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id.
    pub invocation: InvocationId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Who asked for it: subject, e-mails and roles as they were.
    pub caller: crate::caller::Caller,
    /// The connection.
    pub connection: ConnectionId,
    /// The entries, in order; the first is `Planned`.
    pub entries: Vec<Entry>,
}

impl Record {
    /// The write that was sent and of which nobody knows whether it took effect, if there is one.
    #[must_use]
    pub fn in_doubt(&self) -> Option<WriteSummary> {
        crate::invoke::in_doubt(self)
    }
}

/// A line of a list of invocations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its id.
    pub invocation: InvocationId,
    /// Who asked.
    pub subject: SubjectId,
    /// The connection.
    pub connection: ConnectionId,
    /// The connector.
    pub connector: ConnectorId,
    /// The export.
    pub standing: Standing,
    /// Where it stands.
    pub state: State,
    /// When it was planned.
    pub planned: Timestamp,
    /// When the last entry was made.
    pub changed: Timestamp,
    /// When a hold expires.
    pub expires: Option<Timestamp>,
}

/// What to list. Empty: everything of the tenant, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these states.
    pub states: Vec<State>,
    /// Only what this subject asked for.
    pub subject: Option<SubjectId>,
    /// At most so many; 0 is 100.
    pub limit: u32,
}

/// A write and how far it got, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteSummary {
    /// Index of the host call.
    pub call: u32,
    /// What it is.
    pub effect: Effect,
    /// How far it got.
    pub state: EffectState,
}

/// When an append may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Handed over, in order: whoever asks this process's journal from now on sees it, and a crash may lose it and
    /// everything after it. For what is true without its record: that a read was answered, that a write was confirmed.
    /// What then goes wrong with it (a full disk) the next one is told instead: nothing is deferred again until
    /// something was kept.
    Deferred,
    /// In the store, and on the disk with the next flush: a power failure may lose it, and everything after it.
    Eventual,
    /// On the disk. What precedes it in the same invocation is, too.
    Flushed,
}

/// The right to execute an invocation, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The lease; its fence goes into the [`Authority`].
    pub lease: Lease,
    /// The record when the claim was made.
    pub state: State,
    /// Its entries then: who read as many has read them all.
    pub length: u64,
}

/// The journal's storage.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Opens an invocation with its `Planned` entry, and claims it for `millis`, under [`Fence::FIRST`].
    async fn open(
        &self,
        at: &Authority,
        plan: &Plan,
        bodies: Vec<SealedBody>,
        when: Timestamp,
        millis: u64,
        durability: Durability,
    ) -> StoreResult<Claim>;
    /// Appends entries in order with their bodies, in one transaction. `first` is the sequence number of the first: if the
    /// record is longer already, that is a conflict. An older fence is a conflict. With a `Held` or an `Ended` the claim
    /// is given back.
    async fn append(
        &self,
        at: &Authority,
        first: u64,
        entries: Vec<Entry>,
        bodies: Vec<SealedBody>,
        durability: Durability,
    ) -> StoreResult<()>;
    /// Claims an invocation for execution: `Approved` ones, and `Planned`/`Running` ones whose lease has ended.
    /// [`super::StoreError::Held`] while another holder lives; a conflict where there is nothing to execute.
    async fn claim(&self, tenant: &TenantId, invocation: &InvocationId, millis: u64) -> StoreResult<Claim>;
    /// Renews the claim under the authority's fence.
    async fn renew(&self, at: &Authority, millis: u64) -> StoreResult<Lease>;
    /// Gives the claim back; the invocation may be held, approved or ended.
    async fn release(&self, at: &Authority) -> StoreResult<()>;
    /// Records a decision, once: only while the invocation is `Held` and its last hold's request is `decision.of`. Of a
    /// hundred racers one succeeds; the others get a conflict that names the state. Durable before it returns.
    async fn decide(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        decision: &Decision,
        when: Timestamp,
    ) -> StoreResult<()>;
    /// Records what a person says of a write in doubt, once: only while the invocation is `Unknown` and its last write in
    /// doubt is `settlement.of`, at `settlement.call`. Durable before it returns.
    async fn settle(
        &self,
        tenant: &TenantId,
        invocation: &InvocationId,
        settlement: &Settlement,
        when: Timestamp,
    ) -> StoreResult<()>;
    /// Records what is no invocation's: in the tenant's audit chain, or in the host's own. Durable with the next flush.
    async fn note(&self, tenant: Option<&TenantId>, note: &Note, when: Timestamp) -> StoreResult<()>;
    /// Forgets bodies that were last kept before then, but for those of invocations that may go on: running ones, those that
    /// wait for a person. Their hashes stay in the record. Tells how many were forgotten.
    async fn forget_bodies(&self, before: Timestamp) -> StoreResult<u64>;
    /// One invocation. Another tenant's is "not found".
    async fn record(&self, tenant: &TenantId, invocation: &InvocationId) -> StoreResult<Record>;
    /// Many, in short.
    async fn list(&self, tenant: &TenantId, filter: &Filter) -> StoreResult<Vec<Summary>>;
    /// A sealed body of the connection.
    async fn body(&self, tenant: &TenantId, connection: &ConnectionId, of: &BodyRef) -> StoreResult<SealedBody>;
    /// Many of them, without those that are not there: what a replay needs, at once.
    async fn bodies(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        of: &[BodyRef],
    ) -> StoreResult<Vec<SealedBody>> {
        let mut found = Vec::with_capacity(of.len());
        for of in of {
            match self.body(tenant, connection, of).await {
                Ok(body) => found.push(body),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}
