//! Proposals: what a person is shown before a write goes out, and what became of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::{Caller, Role};
use crate::connection::{Connection, Owner};
use crate::decider::{Decider, NotDecider};
use crate::error::InvokeError;
use crate::ids::{ConnectionId, Digest, InvocationId, SubjectId, TenantId, Timestamp};
use crate::ports::{BodyRef, Decision, EffectState, End, Event, Filter, Record, Standing, State, WriteSummary};
use crate::recording::Asked;
use crate::runtime::Runtime;
use crate::tool::{Envelope, Proposal, ShownWrite};

use super::recorded::{Recorded, plan};
use super::tool::destination;
use super::{Stop, codec};

/// An invocation as its proposer, an approver or an admin sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvocationView {
    /// Which.
    pub invocation: InvocationId,
    /// Where it stands.
    pub state: State,
    /// What it is or was to do, for a tool call that was held.
    pub proposal: Option<Proposal>,
    /// The last decision about it.
    pub decided: Option<Decision>,
    /// Its writes, in order.
    pub writes: Vec<WriteSummary>,
    /// Its result; for its proposer only.
    pub output: Option<Value>,
    /// Why it gave none.
    pub error: Option<String>,
    /// The write of which nobody knows whether it took effect, for whoever is to say so.
    pub doubt: Option<DoubtView>,
    /// Where a replay left its record.
    pub diverged: Option<DivergedView>,
}

/// A write in doubt, with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoubtView {
    /// Index of the host call.
    pub call: u32,
    /// When it was sent, or was about to be.
    pub sent: Timestamp,
    /// All of it.
    pub request: ShownWrite,
    /// Who asked for the call.
    pub by: SubjectId,
    /// Who says what became of it.
    pub decider: Decider,
}

/// Both requests, where a replay asked for something else than its record has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DivergedView {
    /// Index of the host call.
    pub call: u32,
    /// What the record has there.
    pub recorded: Option<CallView>,
    /// What was asked for.
    pub asked: Option<CallView>,
}

/// A host call, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallView {
    /// The import, as `interface.function`.
    pub import: String,
    /// What was asked: a request, or the arguments as text.
    pub request: Value,
}

impl Runtime {
    /// Tool calls that were held, newest first: the caller's own; for an approver or admin also the tenant's, but for what
    /// goes through other people's accounts. An empty `filter.states` means those that wait for a decision.
    ///
    /// # Errors
    /// The store's.
    pub async fn proposals(&self, caller: &Caller, filter: Filter) -> Result<Vec<Proposal>, InvokeError> {
        let mut filter = filter;
        if !caller.is(Role::Approver) {
            filter.subject = Some(caller.subject.clone());
        }
        if filter.states.is_empty() {
            filter.states = vec![State::Held];
        }
        let journal = &self.services().journal;
        let connections = self.services().directory.connections(&caller.tenant).await?;
        let personal = |id: &ConnectionId| connections.iter().any(|one| one.id == *id && !is_open_to(caller, one));
        let mut proposals = Vec::new();
        for summary in journal.list(&caller.tenant, &filter).await? {
            let others = summary.subject != caller.subject && personal(&summary.connection);
            if others || !matches!(summary.standing, Standing::Tool { .. }) {
                continue;
            }
            let record = journal.record(&caller.tenant, &summary.invocation).await?;
            if Recorded::of(&record).hold.is_none() {
                continue;
            }
            self.note_reading(caller, &record).await?;
            match self.proposal_of(&record).await {
                Ok(proposal) => proposals.push(proposal),
                // Its connection or connector is gone, and with it what there was to decide.
                Err(InvokeError::NotFound { what }) => {
                    tracing::debug!(invocation = %record.invocation, what, "skipped")
                }
                Err(error) => return Err(error),
            }
        }
        Ok(proposals)
    }

    /// One proposal: the last hold of a tool call.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`] if it is not this caller's to see, or was never held.
    pub async fn proposal(&self, caller: &Caller, id: &InvocationId) -> Result<Proposal, InvokeError> {
        let record = self.record_for(caller, id).await?;
        self.note_reading(caller, &record).await?;
        self.proposal_of(&record).await
    }

    /// An invocation and how far it got. Its output is for its proposer only.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`] if it is not this caller's to see.
    pub async fn invocation(&self, caller: &Caller, id: &InvocationId) -> Result<InvocationView, InvokeError> {
        let record = self.record_for(caller, id).await?;
        self.note_reading(caller, &record).await?;
        let recorded = Recorded::of(&record);
        let (mut output, mut error) = (None, None);
        if let Some(Event::Ended(end)) = record.entries.last().map(|entry| &entry.event) {
            match end {
                End::Succeeded { output: Some(of) } if record.caller.subject == caller.subject => {
                    output = match self.json(&record, of).await {
                        Err(InvokeError::NotFound { .. }) => None,
                        output => output?,
                    };
                }
                End::Succeeded { .. } | End::Denied | End::Expired => {}
                End::Failed { message, .. } | End::Diverged { message, .. } => error = Some(message.clone()),
                End::Unknown { call } => {
                    error = Some(format!("nobody knows whether the write of call {call} took effect"))
                }
            }
        }
        let proposal = match recorded.hold {
            Some(_) => match self.proposal_of(&record).await {
                Ok(proposal) => Some(proposal),
                // What was shown then is older than the retention: the record still says what became of it.
                Err(InvokeError::NotFound { .. }) if state_of(&record).is_final() => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        let state = state_of(&record);
        if let (State::Failed, Some(Event::Settled(settled))) = (state, record.entries.last().map(|entry| &entry.event))
        {
            error = Some(format!("{} says that the write in doubt took effect; nothing followed it", settled.by));
        }
        let doubt = match record.in_doubt().filter(|_| state == State::Unknown) {
            Some(write) => self.doubt(&record, &write).await?,
            None => None,
        };
        let diverged = match record.entries.last().map(|entry| &entry.event) {
            Some(Event::Ended(End::Diverged { at: Some(at), .. })) => Some(DivergedView {
                call: at.call,
                recorded: self.call_view(&record, at.recorded_import.as_ref(), at.recorded.as_ref()).await?,
                asked: self.call_view(&record, at.asked_import.as_ref(), at.asked.as_ref()).await?,
            }),
            _ => None,
        };
        let writes = recorded.writes();
        let decided = recorded.decision;
        let invocation = record.invocation;
        Ok(InvocationView { invocation, state, proposal, decided, writes, output, error, doubt, diverged })
    }

    /// The record, if the caller proposed it or decides for the tenant. Anybody else's is absent; what goes through somebody
    /// else's account is refused.
    pub(super) async fn record_for(&self, caller: &Caller, id: &InvocationId) -> Result<Record, InvokeError> {
        let record = self.services().journal.record(&caller.tenant, id).await?;
        if record.caller.subject != caller.subject && !caller.is(Role::Approver) {
            return Err(InvokeError::NotFound { what: format!("invocation {id}") });
        }
        if record.caller.subject != caller.subject {
            let connection = self.services().directory.connection(&record.tenant, &record.connection).await?;
            if !is_open_to(caller, &connection) {
                return Err(NotDecider::Personal.into());
            }
        }
        Ok(record)
    }

    pub(super) async fn proposal_of(&self, record: &Record) -> Result<Proposal, InvokeError> {
        let absent = || InvokeError::NotFound { what: format!("proposal {}", record.invocation) };
        let plan = plan(record).ok_or_else(absent)?;
        let hold = Recorded::of(record).hold.ok_or_else(absent)?;
        let Standing::Tool { tool } = &plan.standing else { return Err(absent()) };
        let component = self.component(&plan.component).await?;
        let declared = component.manifest.tool(tool.as_str()).ok_or_else(absent)?;
        let connection = self.services().directory.connection(&record.tenant, &record.connection).await?;
        let arguments = match &plan.arguments {
            Some(of) => self.json(record, of).await?.unwrap_or_default(),
            None => Value::Null,
        };
        let context = match &plan.context {
            Some(of) => self.json(record, of).await?,
            None => None,
        };
        let decider = Decider::of(&connection, self.services().directory.tenant_rules(&record.tenant).await?);
        let canonical = self.open(record, &hold.effect.request).await?;
        let first_write = shown(&canonical)
            .ok_or_else(|| InvokeError::Host("the held write cannot be read by this version".into()))?;
        Ok(Proposal {
            invocation: record.invocation.clone(),
            tenant: record.tenant.clone(),
            by: record.caller.subject.clone(),
            state: state_of(record),
            connection: connection.id,
            connection_name: connection.name,
            account: connection.account_name,
            connector: plan.connector.clone(),
            tool: tool.clone(),
            arguments,
            first_write,
            envelope: Envelope {
                routes: write_routes(&component.manifest, declared),
                max_writes: declared.max_writes,
                destination: destination(declared),
            },
            reasons: hold.reasons,
            context,
            at: record.entries.first().map_or_else(Default::default, |entry| entry.at),
            expires: hold.expires,
            decider,
        })
    }

    /// Writes in doubt that nobody was asked about before: beside [`Runtime::proposals`] what waits for a person. As the caller may
    /// see them, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn doubts(&self, caller: &Caller) -> Result<Vec<InvocationId>, InvokeError> {
        let subject = (!caller.is(Role::Approver)).then(|| caller.subject.clone());
        let filter = Filter { states: vec![State::Unknown], subject, limit: 0 };
        let mut doubts = Vec::new();
        for summary in self.services().journal.list(&caller.tenant, &filter).await? {
            let Ok(record) = self.record_for(caller, &summary.invocation).await else { continue };
            if Recorded::of(&record).hold.is_none() {
                doubts.push(summary.invocation);
            }
        }
        Ok(doubts)
    }

    pub(super) async fn doubt(&self, record: &Record, write: &WriteSummary) -> Result<Option<DoubtView>, InvokeError> {
        let sent = record.entries.iter().rev().find(
            |entry| matches!(entry.event, Event::Write { call, state: EffectState::Sent, .. } if call == write.call),
        );
        let canonical = self.open(record, &write.effect.request).await?;
        let (decider, by) = (self.decider_of(record).await?, record.caller.subject.clone());
        let sent = sent.map_or_else(Timestamp::default, |sent| sent.at);
        Ok(shown(&canonical).map(|request| DoubtView { call: write.call, sent, request, by, decider }))
    }

    async fn call_view(
        &self,
        record: &Record,
        import: Option<&String>,
        of: Option<&BodyRef>,
    ) -> Result<Option<CallView>, InvokeError> {
        let (Some(import), Some(of)) = (import, of) else { return Ok(None) };
        let bytes = match self.open(record, of).await {
            Ok(bytes) => bytes,
            // Forgotten meanwhile: that it differed stays known.
            Err(InvokeError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let asked = codec::read_request(&bytes).or_else(|| Asked::of_canonical(&bytes));
        let request = match asked {
            Some(asked) => serde_json::to_value(asked).map_err(|error| InvokeError::Host(error.to_string()))?,
            None => String::from_utf8_lossy(&bytes).into_owned().into(),
        };
        Ok(Some(CallView { import: import.clone(), request }))
    }

    /// Opens a body of the record's connection.
    pub(crate) async fn open(&self, record: &Record, of: &BodyRef) -> Result<Vec<u8>, InvokeError> {
        if of.size == 0 {
            return Ok(Vec::new());
        }
        let services = self.services();
        let body = services.journal.body(&record.tenant, &record.connection, of).await?;
        let opened = services.keyring.open_body(&record.tenant, &record.connection, &body).await;
        Ok(opened.map_err(Stop::from)?)
    }

    async fn json(&self, record: &Record, of: &BodyRef) -> Result<Option<Value>, InvokeError> {
        Ok(serde_json::from_slice(&self.open(record, of).await?).ok())
    }

    /// Expires what nobody decided in time. Idempotent.
    pub(super) async fn expire(&self, tenant: &TenantId, id: &InvocationId, of: BodyRef) -> Result<(), InvokeError> {
        let decision = crate::ports::Decision {
            kind: crate::ports::DecisionKind::Expire,
            by: Caller::system(tenant.clone()).subject,
            own: false,
            of,
            note: None,
        };
        let services = self.services();
        match services.journal.decide(tenant, id, &decision, services.clock.now()).await {
            Ok(()) | Err(crate::ports::StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether what others asked for through the connection is for approvers to see: not through a person's own account.
fn is_open_to(caller: &Caller, connection: &Connection) -> bool {
    match &connection.owner {
        Owner::Person(subject) => *subject == caller.subject,
        Owner::Workspace => true,
    }
}

/// Where a record stands: what its last telling entry leads to.
pub(super) fn state_of(record: &Record) -> State {
    record.entries.iter().rev().find_map(|entry| State::after(&entry.event)).unwrap_or(State::Planned)
}

/// Longer text is shown shortened; the digest covers all of it.
const SHOWN: usize = 64 << 10;

/// A recorded canonical request (a line of JSON, then the body) as a person is shown it.
fn shown(canonical: &[u8]) -> Option<ShownWrite> {
    #[derive(Deserialize)]
    struct Head {
        method: String,
        url: String,
        headers: Vec<(String, String)>,
    }
    let end = canonical.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = (&canonical[..end], &canonical[end + 1..]);
    let head: Head = serde_json::from_slice(head).ok()?;
    let body = match std::str::from_utf8(body) {
        Ok(text) if text.len() <= SHOWN => text.to_owned(),
        _ => format!("{} bytes, SHA-256 {}", body.len(), Digest::of(body)),
    };
    let digest = Digest::of(canonical).to_string();
    Some(ShownWrite { method: head.method, url: head.url, headers: head.headers, body, digest })
}

fn write_routes(manifest: &sallyport_pack::manifest::Manifest, tool: &sallyport_pack::manifest::Tool) -> Vec<String> {
    tool.capabilities
        .iter()
        .filter_map(|id| manifest.capability(id.as_str()))
        .filter(|capability| capability.access == sallyport_pack::manifest::Access::Write)
        .flat_map(|capability| capability.routes.iter().map(|route| route.template.to_string()))
        .collect()
}
