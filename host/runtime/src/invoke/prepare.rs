//! What every invocation begins with: the connection as this caller may use it, its grant, its component.

use std::sync::Arc;

use sallyport_pack::manifest;

use crate::caller::{Caller, Role};
use crate::connection::{Connection, ConnectionState, Grant, Owner};
use crate::engine::{Loaded, LoadedTool};
use crate::error::InvokeError;
use crate::grants::{self, Live};
use crate::ids::{ConnectionId, Digest, TenantId, Timestamp, ToolName};
use crate::ports::{Granted, Standing};
use crate::runtime::Runtime;

/// A connection with everything that runs for it.
pub(crate) struct Bench {
    pub(crate) connection: Arc<Connection>,
    pub(crate) grant: Option<Grant>,
    pub(crate) component: Arc<Loaded>,
}

impl Bench {
    /// A tool by its name: as the manifest has it and as `describe` put it.
    pub(super) fn tool(&self, name: &ToolName) -> Result<(&manifest::Tool, &LoadedTool), InvokeError> {
        let declared = self.component.manifest.tool(name.as_str());
        declared
            .zip(self.component.tools.get(name))
            .ok_or_else(|| InvokeError::NotFound { what: format!("tool {name} of {}", self.connection.connector) })
    }

    /// The grant's bound on writes.
    pub(super) fn writes_per_day(&self) -> Option<u32> {
        self.grant.as_ref().and_then(|grant| grant.constraints.writes_per_day)
    }

    /// What is live for one standing; nothing that is not granted.
    pub(crate) fn live(&self, standing: &Standing, now: Timestamp) -> Result<Arc<Live>, InvokeError> {
        let (manifest, connection) = (&self.component.manifest, &self.connection.id);
        Ok(Arc::new(grants::live(manifest, connection, self.grant.as_ref(), standing, now)?))
    }
}

impl Runtime {
    /// A connection that works for this caller: the workspace's, or their own. Any other is absent.
    pub(super) async fn bench_for(&self, caller: &Caller, id: &ConnectionId) -> Result<Bench, InvokeError> {
        let granted = self.services().directory.granted(&caller.tenant, id).await?;
        if !may_use(caller, &granted.connection) {
            return Err(InvokeError::NotFound { what: format!("connection {id}") });
        }
        self.bench_with(granted).await
    }

    /// A connection that works, with its grant and its live component.
    pub(super) async fn bench(&self, connection: Connection) -> Result<Bench, InvokeError> {
        self.bench_of(&connection.tenant, &connection.id).await
    }

    pub(super) async fn bench_with(&self, granted: Granted) -> Result<Bench, InvokeError> {
        let Granted { connection, grant, live } = granted;
        match connection.state {
            ConnectionState::Active | ConnectionState::Degraded => {}
            ConnectionState::NeedsReauth | ConnectionState::Revoked => {
                let reason = connection.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                return Err(InvokeError::NeedsReauth(format!("{} ({}){reason}", connection.name, connection.id)));
            }
            ConnectionState::Flagged => {
                let name = &connection.name;
                let reason =
                    format!("{name} is flagged, because an answer held its secret: an operator has to look first");
                return Err(InvokeError::Forbidden { reason });
            }
        }
        let what = || InvokeError::NotFound { what: format!("connector {}", connection.connector) };
        let installed = live.ok_or_else(what)?;
        let component = self.component(&installed.digest).await?;
        Ok(Bench { connection: Arc::new(connection), grant, component })
    }

    /// The same for the host's own work.
    pub(crate) async fn bench_of(&self, tenant: &TenantId, id: &ConnectionId) -> Result<Bench, InvokeError> {
        self.bench_with(self.services().directory.granted(tenant, id).await?).await
    }

    /// A component by its digest, compiled and ready; read once a process.
    pub(crate) async fn component(&self, digest: &Digest) -> Result<Arc<Loaded>, InvokeError> {
        if let Some(loaded) = self.loaded(digest) {
            return Ok(loaded);
        }
        let bytes = self.services().catalog.bytes(digest).await?;
        let loaded = self.load(bytes).await.map_err(|error| InvokeError::Component(error.to_string()))?;
        if loaded.digest != *digest {
            return Err(InvokeError::Component("the stored file is not the one that was installed".into()));
        }
        Ok(loaded)
    }
}

/// A person's connection is theirs alone; the workspace's is every member's.
pub(super) fn may_use(caller: &Caller, connection: &Connection) -> bool {
    connection.tenant == caller.tenant
        && match &connection.owner {
            Owner::Person(subject) => *subject == caller.subject,
            Owner::Workspace => caller.is(Role::Member) || caller.is(Role::Approver),
        }
}
