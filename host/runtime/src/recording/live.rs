//! Recording an export that only reads, by running it against the service. Nothing that it stages is kept.

use std::sync::Arc;

use crate::caller::Caller;
use crate::error::InvokeError;
use crate::ids::{ConnectionId, TenantId};
use crate::runtime::Runtime;

use super::form::{FORMAT, Recording, Run};
use super::play::ended;
use super::{RecordingError, Rehearsal};

impl Runtime {
    /// Runs an export for a connection as the host does, and records it. A tool call is not run so: it may write, so it is
    /// called in the ordinary way and recorded from its journal ([`Runtime::recording`]).
    ///
    /// # Errors
    /// [`InvokeError::NotFound`], [`InvokeError::NotGranted`]; [`RecordingError::Secret`].
    pub async fn record(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        run: Run,
    ) -> Result<Recording, RecordingError> {
        if let Run::Tool { tool, .. } = &run {
            return Err(RecordingError::Form(format!("{tool} is a tool: call it, then record the invocation")));
        }
        let bench = self.bench_of(tenant, connection).await?;
        let started = self.services().clock.now();
        let seed: [u8; 32] = rand::random();
        let work = Rehearsal::live(Arc::clone(self.services()), Arc::clone(&bench.connection));
        let standing = super::play::standing(&run, &bench.connection.source);
        let live = bench.live(&standing, started)?;
        let capabilities = live.ids();
        let connection = Arc::clone(&bench.connection);
        let live = Arc::unwrap_or_clone(live);
        let rehearsed = self.rehearse(&bench.component, connection, live, run.clone(), seed, work).await?;
        let (result, rehearsal) = rehearsed;
        if let Err(stop) = &result
            && !matches!(stop, crate::invoke::Stop::Limit { .. })
        {
            return Err(InvokeError::Host(stop.to_string()).into());
        }
        let ended = ended(&bench.component, &run, None, result);
        let emitted = rehearsal.emitted.clone();
        let (calls, _) = rehearsal.calls();
        let recording = Recording {
            format: FORMAT,
            connector: bench.connection.connector.clone(),
            version: bench.component.manifest.connector.version.to_string(),
            run,
            seed: hex::encode(seed),
            started,
            capabilities,
            calls,
            emitted,
            ended,
        };
        self.holds_no_secret(&Caller::system(tenant.clone()), &bench.connection, &recording).await?;
        Ok(recording)
    }
}
