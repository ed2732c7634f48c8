//! Playing a recording: the component is told what was told then, and where it does something else is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::authority::{Authority, Fence};
use crate::caller::Caller;
use crate::connection::{Connection, ConnectionState, Constraints, Grant, Owner, Setting};
use crate::engine::Loaded;
use crate::engine::exports::sallyport::connector::sync as wit;
use crate::error::InvokeError;
use crate::grants;
use crate::host::{Bound, Work};
use crate::ids::{ConnectionId, Digest, GrantId, InvocationId, SourceId, StreamId, SubjectId, TenantId, Timestamp};
use crate::invoke::{Ran, Returned, Stop, checked};
use crate::ports::Standing;
use crate::runtime::Runtime;

use super::form::{Call, Emitted, Recording, Run};
use super::{RecordingError, Rehearsal};

/// What came of playing a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Calls that were answered from it.
    pub calls: usize,
    /// Where the component does something else; empty: nowhere.
    pub parted: Vec<Parted>,
    /// What came of it this time.
    pub ended: Value,
}

/// Something else than was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
#[allow(clippy::large_enum_variant)] // there are three of a run at most
pub enum Parted {
    /// It asked for something else, and was stopped: nobody knows what it would have been told.
    Call {
        /// Which call, from 0.
        call: usize,
        /// What was recorded there; none: nothing more.
        recorded: Option<Call>,
        /// What it asked for; none: it ended before.
        asked: Option<Call>,
    },
    /// It staged something else.
    Emitted {
        /// Which change or checkpoint, from 0.
        index: usize,
        /// What was recorded there.
        recorded: Option<Emitted>,
        /// What it staged.
        emitted: Option<Emitted>,
    },
    /// It ended otherwise.
    Ended {
        /// What was recorded.
        recorded: Value,
        /// What came of it.
        ended: Value,
    },
}

impl Runtime {
    /// Plays a recording by the component in `file`: the one that made it, or another. Nothing is asked of anybody, and nothing
    /// is kept.
    ///
    /// # Errors
    /// The file is no connector, or lacks the export; [`RecordingError::Form`].
    pub async fn replay(&self, recording: &Recording, file: Vec<u8>) -> Result<Replayed, RecordingError> {
        let seed = recording.seed()?;
        let component = self.component_in(file).await?;
        let connection = Arc::new(nobodys(recording));
        let standing = standing(&recording.run, &connection.source);
        let grant = everything(&component, &connection);
        let live = grants::live(&component.manifest, &connection.id, Some(&grant), &standing, recording.started)
            .map_err(InvokeError::from)?;
        let work = Rehearsal::recorded(Arc::clone(self.services()), Arc::clone(&connection), recording.calls.clone());
        let (result, rehearsal) =
            self.rehearse(&component, connection, live, recording.run.clone(), seed, work).await?;

        let ended = ended(&component, &recording.run, Some(&recording.ended), result);
        let mut parted = Vec::new();
        let emitted = rehearsal.emitted.clone();
        if let Some((call, recorded, asked)) = rehearsal.parted.clone() {
            parted.push(Parted::Call { call, recorded, asked: Some(asked) });
        }
        let (answered, left) = rehearsal.calls();
        let stopped = !parted.is_empty();
        if !stopped && let Some(next) = left.into_iter().next() {
            parted.push(Parted::Call { call: answered.len(), recorded: Some(next), asked: None });
        }
        // What was staged up to where it was stopped is compared all the same.
        let most = if stopped { emitted.len() } else { emitted.len().max(recording.emitted.len()) };
        let differs = (0..most).find(|index| emitted.get(*index) != recording.emitted.get(*index));
        if let Some(index) = differs {
            let (recorded, emitted) = (recording.emitted.get(index).cloned(), emitted.get(index).cloned());
            parted.push(Parted::Emitted { index, recorded, emitted });
        }
        if !stopped && ended != recording.ended {
            parted.push(Parted::Ended { recorded: recording.ended.clone(), ended: ended.clone() });
        }
        Ok(Replayed { calls: answered.len() - usize::from(stopped && !answered.is_empty()), parted, ended })
    }

    /// A component that is not installed: to be run offline, where no secret can reach it.
    async fn component_in(&self, file: Vec<u8>) -> Result<Arc<Loaded>, InvokeError> {
        if let Some(loaded) = self.loaded(&Digest::of(&file)) {
            return Ok(loaded);
        }
        self.load_unlisted(file).await.map_err(|error| InvokeError::Component(error.to_string()))
    }

    pub(super) async fn rehearse(
        &self,
        component: &Arc<Loaded>,
        connection: Arc<Connection>,
        live: grants::Live,
        run: Run,
        seed: [u8; 32],
        work: Rehearsal,
    ) -> Result<(Result<Returned, Stop>, Box<Rehearsal>), RecordingError> {
        let limits = self.limits(&connection);
        let at = Authority {
            caller: Caller::system(connection.tenant.clone()),
            connection: connection.id.clone(),
            invocation: InvocationId::fresh(),
            fence: Fence::default(),
        };
        let bound = Bound {
            services: Arc::clone(self.services()),
            limits: Arc::clone(&limits),
            at,
            live: Arc::new(live),
            connection,
            seed,
        };
        let ran = match run {
            Run::Identify => Ran::Identify,
            Run::Streams => Ran::Streams,
            Run::Pull { stream, cursor, sweep } => {
                Ran::Pull(wit::Job { stream: stream.to_string(), cursor, sweep, hints: Vec::new() })
            }
            Run::Tool { tool, arguments } => {
                let arguments = serde_json_canonicalizer::to_string(&arguments)
                    .map_err(|error| RecordingError::Form(error.to_string()))?;
                Ran::Invoke(tool.to_string(), arguments)
            }
        };
        let (result, work) = self.run_bound(component, bound, Work::Rehearsal(Box::new(work)), ran).await;
        match work {
            Work::Rehearsal(rehearsal) => Ok((result, rehearsal)),
            _ => Err(InvokeError::Host("a rehearsal was lost".into()).into()),
        }
    }
}

pub(super) fn standing(run: &Run, source: &SourceId) -> Standing {
    match run {
        Run::Identify => Standing::Identify,
        Run::Streams => Standing::Sync { source: source.clone(), stream: StreamId::new("") },
        Run::Pull { stream, .. } => Standing::Sync { source: source.clone(), stream: stream.clone() },
        Run::Tool { tool, .. } => Standing::Tool { tool: tool.clone() },
    }
}

/// Nothing is sent, so nothing is to be withheld.
fn everything(component: &Loaded, connection: &Connection) -> Grant {
    Grant {
        id: GrantId::fresh(),
        tenant: connection.tenant.clone(),
        connection: connection.id.clone(),
        capabilities: component.manifest.capabilities.iter().map(|one| (one.id.clone(), Setting::Auto)).collect(),
        constraints: Constraints::default(),
        by: SubjectId::new("replay"),
        at: Timestamp::default(),
    }
}

/// A connection to nothing.
fn nobodys(recording: &Recording) -> Connection {
    Connection {
        id: ConnectionId::new("replay"),
        tenant: TenantId::new("replay"),
        connector: recording.connector.clone(),
        provider: crate::ids::ProviderId::new("replay").expect("five letters are a provider's id"),
        auth: String::new(),
        owner: Owner::Workspace,
        name: "replay".into(),
        account: String::new(),
        account_name: String::new(),
        workspace: None,
        source: SourceId::new("replay"),
        audience: Vec::new(),
        settings: BTreeMap::new(),
        state: ConnectionState::Active,
        reason: None,
        checked: None,
        created: Timestamp::default(),
    }
}

/// What came of an export, as a recording has it: a result that the host would refuse, and what the host stopped, as it would
/// tell its caller of it. What is as `recorded` was judged then.
pub(super) fn ended(component: &Loaded, run: &Run, recorded: Option<&Value>, result: Result<Returned, Stop>) -> Value {
    let failed = |error: InvokeError| json!({ "failed": { "code": crate::blame::Fault::code(&error), "message": error.to_string() } });
    match result {
        Ok(Returned::Identity(Ok(found))) => json!({ "identity": {
            "id": found.id, "name": found.name, "email": found.email, "workspace": found.workspace,
        } }),
        Ok(Returned::Streams(Ok(streams))) => {
            let stream = |stream: &wit::StreamInfo| json!({ "id": stream.id, "name": stream.name });
            json!({ "streams": streams.iter().map(stream).collect::<Vec<_>>() })
        }
        Ok(Returned::Pulled(Ok(outcome))) => json!({ "pulled": match outcome {
            wit::Outcome::Complete(wit::Coverage::Whole) => json!("whole"),
            wit::Outcome::Complete(wit::Coverage::Partial) => json!("partial"),
            wit::Outcome::More => json!("more"),
            wit::Outcome::Wait(millis) => json!({ "wait": millis }),
        } }),
        Ok(Returned::Probed(Ok(presence))) => json!({ "probed": presence.len() }),
        Ok(Returned::Output(Ok(output))) => {
            let plain = serde_json::from_str(&output.json).ok().map(|value: Value| json!({ "output": value }));
            match (plain, run) {
                (Some(plain), _) if Some(&plain) == recorded => plain,
                (_, Run::Tool { tool, .. }) => match checked(component, tool, &output.json) {
                    Ok(value) => json!({ "output": value }),
                    Err(error) => failed(error),
                },
                (_, Run::Identify | Run::Streams | Run::Pull { .. }) => {
                    failed(InvokeError::Host("another export answered".into()))
                }
            }
        }
        Ok(
            Returned::Identity(Err(failure))
            | Returned::Streams(Err(failure))
            | Returned::Pulled(Err(failure))
            | Returned::Probed(Err(failure))
            | Returned::Output(Err(failure)),
        ) => failed(crate::invoke::failure(failure)),
        Err(Stop::Held { .. } | Stop::Void(_)) => json!("held"),
        Err(stop) => failed(stop.into()),
    }
}
