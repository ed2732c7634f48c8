//! The runtime: what an embedder builds once and asks for everything.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use sallyport_pack::manifest::Manifest;

use crate::clock::{Clock, SystemClock};
use crate::connection::Connection;
use crate::credentials::Credentials;
use crate::egress::{Egress, EgressConfig};
use crate::engine::{Cache, Compiler, ComponentError, Engine, EngineError, Limits, LimitsTable, Loaded, Place};
use crate::ids::Digest;
use crate::invoke::{Counting, Readers, Services, Vanished};
use crate::keys::{Keyring, MasterKeys};
use crate::ports::{Catalog, Directory, Journal, Limiter, Links, Sink, Vault};
use crate::registry::Registry;
use crate::wire::{Lookup, SystemLookup, Wire, WireConfig};

/// Everything that the runtime needs kept.
#[derive(Clone)]
pub struct Ports {
    /// Installed connectors.
    pub catalog: Arc<dyn Catalog>,
    /// Connections and grants.
    pub directory: Arc<dyn Directory>,
    /// Records.
    pub journal: Arc<dyn Journal>,
    /// Rate tokens.
    pub limiter: Arc<dyn Limiter>,
    /// Attempts to connect.
    pub links: Arc<dyn Links>,
    /// Documents and cursors.
    pub sink: Arc<dyn Sink>,
    /// Sealed secrets.
    pub vault: Arc<dyn Vault>,
}

impl Ports {
    /// One store that keeps everything.
    pub fn all<S>(store: Arc<S>) -> Self
    where
        S: Catalog + Directory + Journal + Limiter + Links + Sink + Vault + 'static,
    {
        Self {
            catalog: Arc::clone(&store) as _,
            directory: Arc::clone(&store) as _,
            journal: Arc::clone(&store) as _,
            limiter: Arc::clone(&store) as _,
            links: Arc::clone(&store) as _,
            sink: Arc::clone(&store) as _,
            vault: store as _,
        }
    }
}

/// What a [`Runtime`] is built from. Everything but the ports and the master keys has a default.
pub struct Builder {
    ports: Ports,
    masters: Arc<dyn MasterKeys>,
    registry: Registry,
    limits: LimitsTable,
    cache: Option<PathBuf>,
    compiler: Compiler,
    clock: Arc<dyn Clock>,
    wire: WireConfig,
    lookup: Arc<dyn Lookup>,
    egress: EgressConfig,
    hold: Duration,
    replay: Duration,
}

impl Builder {
    /// The providers that may be given secrets. Default: those that are compiled in.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Bounds on executions: for all alike, or by connector and tenant.
    #[must_use]
    pub fn limits(mut self, limits: impl Into<LimitsTable>) -> Self {
        self.limits = limits.into();
        self
    }

    /// Where connectors are compiled. Default: in this process, which is no place for a stranger's file.
    #[must_use]
    pub fn compiler(mut self, compiler: Compiler) -> Self {
        self.compiler = compiler;
        self
    }

    /// A private folder for compiled components; made if absent. Default: none, each process compiles anew.
    #[must_use]
    pub fn component_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// The clock. Default: the operating system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Timeouts, and origins that the operator re-points.
    #[must_use]
    pub fn wire(mut self, wire: WireConfig) -> Self {
        self.wire = wire;
        self
    }

    /// The resolver of names. Default: the system's.
    #[must_use]
    pub fn lookup(mut self, lookup: Arc<dyn Lookup>) -> Self {
        self.lookup = lookup;
        self
    }

    /// What requests may cost.
    #[must_use]
    pub fn egress(mut self, egress: EgressConfig) -> Self {
        self.egress = egress;
        self
    }

    /// How long a question waits for a person. Default: 24 hours.
    #[must_use]
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// How old a question may be so that its answer replays the execution; after that it runs afresh. Default: 15 minutes.
    #[must_use]
    pub fn replay(mut self, replay: Duration) -> Self {
        self.replay = replay;
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`EngineError`]: wasmtime does not start, or the cache's folder cannot be kept private.
    pub fn build(self) -> Result<Runtime, EngineError> {
        let ports = self.ports;
        let engine = Engine::new(&self.limits)?;
        let cache = self.cache.as_deref().map(Cache::open).transpose()?;
        let registry = Arc::new(self.registry);
        let wire = Arc::new(Wire::with_lookup(self.wire, self.lookup));
        let keyring =
            Arc::new(Keyring::new(self.masters, Arc::clone(&ports.vault)).audited(Arc::clone(&ports.journal)));
        let credentials = Credentials::new(
            Arc::clone(&keyring),
            Arc::clone(&ports.vault),
            Arc::clone(&ports.directory),
            Arc::clone(&registry),
            Arc::clone(&wire),
            Arc::clone(&self.clock),
        );
        let most = self.limits.largest();
        let egress = EgressConfig {
            inline_limit: self.egress.inline_limit.min(most.inline as u64),
            blob_limit: self.egress.blob_limit.min(most.blob as u64),
            ..self.egress
        };
        let egress = Egress::new(
            egress,
            Arc::clone(&registry),
            Arc::clone(&wire),
            credentials.clone(),
            ports.limiter,
            Arc::clone(&ports.directory),
            Arc::clone(&self.clock),
        );
        let services = Arc::new(Services {
            egress,
            keyring,
            journal: ports.journal,
            sink: ports.sink,
            directory: ports.directory,
            catalog: ports.catalog,
            links: ports.links,
            vault: ports.vault,
            clock: self.clock,
            counting: Counting::default(),
        });
        Ok(Runtime(Arc::new(Inner {
            engine,
            cache,
            compiler: self.compiler,
            limits: self.limits,
            services,
            credentials,
            registry,
            wire,
            components: RwLock::default(),
            vanished: Vanished::default(),
            readers: Readers::default(),
            hold: self.hold,
            replay: self.replay,
        })))
    }
}

/// Connectors, run. Cheap to clone; clones are the same runtime.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    engine: Engine,
    cache: Option<Cache>,
    compiler: Compiler,
    limits: LimitsTable,
    services: Arc<Services>,
    credentials: Credentials,
    registry: Arc<Registry>,
    wire: Arc<Wire>,
    components: RwLock<HashMap<Digest, Arc<Loaded>>>,
    vanished: Vanished,
    readers: Readers,
    hold: Duration,
    replay: Duration,
}

impl Runtime {
    /// Begins to build one.
    #[must_use]
    pub fn builder(ports: Ports, masters: impl MasterKeys + 'static) -> Builder {
        Builder {
            ports,
            masters: Arc::new(masters),
            registry: Registry::default(),
            limits: LimitsTable::default(),
            cache: None,
            compiler: Compiler::default(),
            clock: Arc::new(SystemClock),
            wire: WireConfig::default(),
            lookup: Arc::new(SystemLookup),
            egress: EgressConfig::default(),
            hold: Duration::from_secs(24 * 60 * 60),
            replay: Duration::from_secs(15 * 60),
        }
    }

    /// Where secrets are kept: to register clients, and to replace a slot's secret.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// The providers that may be given secrets.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// Reads, checks and compiles a file, off the async threads.
    pub(crate) async fn load(&self, bytes: Vec<u8>) -> Result<Arc<Loaded>, ComponentError> {
        let loaded = self.load_unlisted(bytes).await?;
        self.within_registry(&loaded.manifest)?;
        self.0.components.write().insert(loaded.digest.clone(), Arc::clone(&loaded));
        Ok(loaded)
    }

    /// As [`Self::load`], whatever the registry says: for what is run where no secret can reach it, and kept nowhere.
    pub(crate) async fn load_unlisted(&self, bytes: Vec<u8>) -> Result<Arc<Loaded>, ComponentError> {
        let runtime = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let place = Place { compiler: &runtime.0.compiler, cache: runtime.0.cache.as_ref() };
            Loaded::read(&runtime.0.engine, place, &bytes)
        });
        Ok(Arc::new(reading.await.map_err(|error| ComponentError::Compile(error.to_string()))??))
    }

    /// Whether a manifest's secrets stay where the registry lets them go.
    pub(crate) fn within_registry(&self, manifest: &Manifest) -> Result<(), ComponentError> {
        self.0.registry.check(manifest).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            ComponentError::Manifest(problems.join("; "))
        })
    }

    pub(crate) fn loaded(&self, digest: &Digest) -> Option<Arc<Loaded>> {
        self.0.components.read().get(digest).cloned()
    }

    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.0.services
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What bounds an execution for this connection.
    pub(crate) fn limits(&self, connection: &Connection) -> Arc<Limits> {
        Arc::new(self.0.limits.of(&connection.tenant, &connection.connector))
    }

    /// The longest that any tool call and any pull may take.
    pub(crate) fn longest(&self) -> (Duration, Duration) {
        let most = self.0.limits.largest();
        (most.wall_tool, most.wall_pull)
    }

    pub(crate) fn vanished(&self) -> &Vanished {
        &self.0.vanished
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.0.readers
    }

    pub(crate) fn hold_millis(&self) -> u64 {
        u64::try_from(self.0.hold.as_millis()).unwrap_or(u64::MAX / 2)
    }

    pub(crate) fn replay_millis(&self) -> u64 {
        u64::try_from(self.0.replay.as_millis()).unwrap_or(u64::MAX / 2)
    }
}
