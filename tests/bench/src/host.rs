//! The service that is called, and a runtime on a store of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use sallyport::connection::{Connection, Constraints, Owner, Setting};
use sallyport::credentials::NewSecret;
use sallyport::engine::Limits;
use sallyport::ids::{CapabilityId, ConnectionId, ConnectorId, SlotName, SubjectId, TenantId, ToolName};
use sallyport::invoke::Connect;
use sallyport::keys::{MasterFile, Secret};
use sallyport::registry::Registry;
use sallyport::tool::{Outcome, ToolCall, Tools as _, Verdict};
use sallyport::wire::{Repoint, WireConfig};
use sallyport::{Caller, InvokeError, Ports, Role, Runtime};
use sallyport_store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The provider of the example connector, as an operator would register it.
const HELLO: &str = r#"
[provider.hello]
name = "Hello"
origins = ["https://hello.example"]
auth = []
"#;

/// A runtime over a SQLite store in a folder of its own.
pub struct Host {
    /// With every port.
    pub runtime: Runtime,
    /// Of the one tenant, with every role.
    pub caller: Caller,
    /// Behind the ports.
    pub store: Arc<Store>,
    /// With the data directory `data` in it.
    pub folder: TempDir,
}

impl Host {
    pub(crate) async fn open(repoint: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::within(repoint, Limits::default()).await
    }

    pub(crate) async fn within(repoint: &[(&str, &str)], limits: Limits) -> anyhow::Result<Self> {
        Self::with(HELLO, repoint, limits).await
    }

    /// A host whose operator registered these providers, with requests to these origins sent elsewhere.
    ///
    /// # Errors
    /// Whatever could not be set up.
    pub async fn with(registry: &str, repoint: &[(&str, &str)], limits: Limits) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let store = tokio::task::spawn_blocking(move || Store::open(data)).await??;
        let tenant = TenantId::new("bench");
        store.accounts().create_tenant(&tenant, "bench").await?;
        Self::over(Arc::new(store), folder, registry, repoint, limits)
    }

    /// Another process on the same data, with its requests sent elsewhere.
    pub(crate) fn reopened(self, repoint: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::over(self.store, self.folder, HELLO, repoint, Limits::default())
    }

    fn over(
        store: Arc<Store>,
        folder: TempDir,
        registry: &str,
        repoint: &[(&str, &str)],
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let tenant = TenantId::new("bench");
        let runtime = runtime(Arc::clone(&store), folder.path(), registry, repoint, limits)?;
        let roles = vec![Role::Admin, Role::Approver, Role::Member];
        let caller = Caller { tenant, subject: SubjectId::new("bench"), emails: Vec::new(), roles };
        Ok(Self { runtime, caller, store, folder })
    }

    /// Installs a connector and connects it, with these capabilities unasked.
    ///
    /// # Errors
    /// What installing and connecting answer.
    pub async fn connect(
        &self,
        file: &Path,
        connector: &str,
        auth: &str,
        secret: NewSecret,
        granted: &[&str],
    ) -> anyhow::Result<Connection> {
        self.runtime.install(&self.caller, std::fs::read(file)?, sallyport::admission::Word::UNSIGNED).await?;
        self.connected(connector, auth, secret, granted).await
    }

    /// Connects a connector that is installed.
    ///
    /// # Errors
    /// What connecting answers.
    pub async fn connected(
        &self,
        connector: &str,
        auth: &str,
        secret: NewSecret,
        granted: &[&str],
    ) -> anyhow::Result<Connection> {
        let capabilities: Result<BTreeMap<_, _>, _> =
            granted.iter().map(|id| CapabilityId::new(*id).map(|id| (id, Setting::Auto))).collect();
        let connect = Connect {
            connector: ConnectorId::new(connector)?,
            auth: Some(auth.into()),
            owner: Owner::Workspace,
            name: None,
            secrets: BTreeMap::from([(SlotName::new("user")?, secret)]),
            capabilities: Some(capabilities?),
            constraints: Constraints::default(),
            settings: BTreeMap::new(),
            audience: Vec::new(),
        };
        Ok(self.runtime.connect(&self.caller, connect).await?)
    }
}

impl Host {
    /// A runtime on a store of its own over the same data directory, as another process has it.
    pub(crate) async fn another(&self, repoint: &[(&str, &str)]) -> anyhow::Result<Runtime> {
        let data = self.folder.path().join("data");
        let store = Arc::new(tokio::task::spawn_blocking(move || Store::open(data)).await??);
        runtime(store, self.folder.path(), HELLO, repoint, Limits::default())
    }

    /// Calls a tool with nothing that asks for approval.
    ///
    /// # Errors
    /// What the call answers; [`InvokeError::Host`] where `tool` is no tool's name.
    pub async fn call(&self, connection: &ConnectionId, tool: &str, arguments: Value) -> Result<Outcome, InvokeError> {
        let call = ToolCall {
            connection: connection.clone(),
            tool: ToolName::new(tool).map_err(|error| InvokeError::Host(error.to_string()))?,
            arguments,
            verdict: Verdict::Allow,
            context: None,
        };
        self.runtime.call(&self.caller, call).await
    }
}

fn runtime(
    store: Arc<Store>,
    folder: &Path,
    registry: &str,
    repoint: &[(&str, &str)],
    limits: Limits,
) -> anyhow::Result<Runtime> {
    let wire = WireConfig { repoint: Repoint::new(repoint.iter().copied())?, ..WireConfig::default() };
    let master = MasterFile::open_or_create(&folder.join("master.key"))?;
    Ok(Runtime::builder(Ports::all(store), master)
        .registry(Registry::default().extended(registry)?)
        .component_cache(folder.join("compiled"))
        .wire(wire)
        .limits(limits)
        .build()?)
}

/// A secret that does not expire.
pub fn token(text: impl Into<String>) -> NewSecret {
    NewSecret { access: Secret::new(text.into()), refresh: None, expires_in: None, scopes: Vec::new() }
}

/// The example connector's service: one note of 1 KB. Gives its URL; it lives as long as the process.
pub(crate) async fn notes() -> anyhow::Result<String> {
    notes_after(Duration::ZERO).await
}

/// The same, with an answer after this long.
pub(crate) async fn notes_after(pause: Duration) -> anyhow::Result<String> {
    let note = json!({
        "id": "n1", "title": "A note", "text": "x".repeat(880), "etag": "1", "updated": "2026-01-01T00:00:00Z",
        "readers": ["bench@example.com"],
    });
    let me = json!({ "id": "u1", "name": "Bench", "email": "bench@example.com" });
    let answer = |value: Value| {
        move || async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Json(value)
        }
    };
    let router = Router::new()
        .route("/v1/me", get(answer(me)))
        .route("/v1/notes/{id}", get(answer(note)))
        .route("/v1/notes", axum::routing::post(answer(json!({ "id": "n2" }))));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}
