//! The host, put together: store, runtime, index and agent over one data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::Stream;
use sallyport::ids::TenantId;
use sallyport::keys::MasterFile;
use sallyport::registry::Registry;
use sallyport::wire::{Repoint, WireConfig};
use sallyport::{Caller, Ports, Runtime};
use sallyport_agent::{Agent, AgentEvent, Ask};
use sallyport_index::{Embedder, Index, MiniLm, Model};
use sallyport_store::Store;
use sallyport_store::accounts::{Accounts, Holder, User};
use tokio::sync::OnceCell;

use crate::api::error::ApiError;
use crate::auth::{SignedIn, TokenKey};
use crate::brain;
use crate::config::Config;
use crate::error::HostError;
use crate::origin::Origins;
use crate::search::{Found, Query};
use crate::signin::SignIn;
use crate::syncs::Syncs;

/// A host. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    data: PathBuf,
    config: Config,
    store: Arc<Store>,
    runtime: Runtime,
    tokens: Arc<TokenKey>,
    signin: SignIn,
    syncs: Syncs,
    origins: Origins,
    /// Loading the model takes a quarter of a second and 60 MB: only what searches or embeds pays for it.
    index: OnceCell<Index>,
    agent: OnceCell<Arc<Agent>>,
    demo: Option<Demo>,
}

/// What only the demo's host has.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The tenant whose people may be signed in as.
    pub tenant: TenantId,
    /// Requests to try.
    pub examples: Vec<String>,
}

impl App {
    /// Opens the data directory, or makes it.
    ///
    /// # Errors
    /// The directory, its keys or its configuration cannot be used; the engine does not start.
    pub async fn open(data: &Path, config: Config, demo: Option<Demo>) -> Result<Self, HostError> {
        let origins = Origins::new(config.public_url.as_deref(), &config.trusted_proxies)?;
        let folder = data.to_owned();
        let store = tokio::task::spawn_blocking(move || Store::open(folder)).await.map_err(HostError::task)??;
        let store = Arc::new(store);
        let masters = Arc::new(MasterFile::open_or_create(&data.join("master.key"))?);
        let repoint = Repoint::new(&config.repoint)?;
        let runtime = Runtime::builder(Ports::all(Arc::clone(&store)), Arc::clone(&masters))
            .registry(registry(data)?)
            .component_cache(data.join("compiled"))
            .wire(WireConfig { repoint, ..WireConfig::default() })
            .limits(config.limits()?)
            .compiler(config.compiler.clone())
            .hold(std::time::Duration::from_secs(config.approval_minutes * 60))
            .build()?;
        let tokens = Arc::new(TokenKey::new(&store.accounts().signing_key().await?));
        let signin = SignIn::new(store.accounts(), masters, Arc::clone(&store) as _, Arc::clone(&tokens));
        Ok(Self(Arc::new(Inner {
            data: data.to_owned(),
            config,
            store,
            runtime,
            tokens,
            signin,
            syncs: Syncs::default(),
            origins,
            index: OnceCell::new(),
            agent: OnceCell::new(),
            demo,
        })))
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.0.data
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The runtime.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// Tenants, keys and users.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        self.0.store.accounts()
    }

    /// The host's key, which signs audit chains.
    ///
    /// # Errors
    /// Its file cannot be used.
    pub fn host_key(&self) -> Result<sallyport::audit::HostKey, HostError> {
        Ok(crate::audit::key(&self.0.data)?)
    }

    /// What signs caller tokens.
    #[must_use]
    pub fn tokens(&self) -> &TokenKey {
        &self.0.tokens
    }

    /// Signs people in by their tenants' issuers.
    #[must_use]
    pub fn signin(&self) -> &SignIn {
        &self.0.signin
    }

    /// Syncs that run, and how the last ones went.
    #[must_use]
    pub fn syncs(&self) -> &Syncs {
        &self.0.syncs
    }

    /// Where this host is and where callers are; see [`crate::origin`].
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.0.origins
    }

    /// The index; the embedding model is loaded, and fetched if need be, by the first who asks.
    ///
    /// # Errors
    /// The model cannot be obtained, or the index's folder cannot be used.
    pub async fn index(&self) -> Result<&Index, HostError> {
        self.0
            .index
            .get_or_try_init(|| async {
                let embedder = tokio::task::spawn_blocking(embedder).await.map_err(HostError::task)??;
                Ok(Index::open(self.0.data.join("index"), Arc::clone(&self.0.store) as _, embedder)?)
            })
            .await
    }

    /// The agent.
    ///
    /// # Errors
    /// As [`App::index`]; the model endpoint is configured and cannot be used.
    pub async fn agent(&self) -> Result<&Arc<Agent>, HostError> {
        self.0
            .agent
            .get_or_try_init(|| async {
                let index = self.index().await?.clone();
                Ok(Arc::new(brain::agent(&self.0.config, index, Arc::clone(&self.0.store), self.0.runtime.clone())?))
            })
            .await
    }

    /// One turn of the agent. What cannot even begin is told as its last event.
    pub fn turn(
        &self,
        caller: Caller,
        conversation: String,
        request: String,
    ) -> impl Stream<Item = AgentEvent> + use<> {
        let app = self.clone();
        let begin = async move {
            match app.agent().await {
                Ok(agent) => {
                    let decided = brain::decided(&app, &caller, &conversation).await;
                    agent.stream(caller, Ask { conversation, request, decided }).left_stream()
                }
                Err(error) => futures::stream::iter([brain::failed(&error)]).right_stream(),
            }
        };
        use futures::{FutureExt as _, StreamExt as _};
        begin.flatten_stream()
    }

    /// Searches as a caller.
    ///
    /// # Errors
    /// The query is too long, or the store or the model failed.
    pub async fn search(&self, caller: &Caller, query: Query) -> Result<Vec<Found>, HostError> {
        crate::search::search(self.index().await?, caller, query).await
    }

    /// What answers here, in words.
    #[must_use]
    pub fn model_words(&self) -> String {
        brain::words(&self.0.config)
    }

    /// A caller token.
    ///
    /// # Errors
    /// Signing failed.
    pub fn mint(&self, who: &SignedIn, seconds: u64) -> Result<String, ApiError> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(crate::api::internal)?;
        self.0.tokens.mint(who, now.as_secs(), seconds).map_err(crate::api::internal)
    }

    /// The tenant whose service key this is.
    ///
    /// # Errors
    /// The store's.
    pub async fn service_key(&self, key: &str) -> Result<Option<TenantId>, HostError> {
        Ok(self.accounts().verify_key(key).await?.and_then(|key| match key.holder {
            Holder::Service(tenant) => Some(tenant),
            Holder::Operator => None,
        }))
    }

    /// Whether this is a key of the operator's.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_operator_key(&self, key: &str) -> Result<bool, HostError> {
        Ok(self.accounts().verify_key(key).await?.is_some_and(|key| key.holder == Holder::Operator))
    }

    /// True if this host was started by the demo.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.0.demo.is_some()
    }

    /// Requests to try in the demo.
    #[must_use]
    pub fn demo_examples(&self) -> &[String] {
        self.0.demo.as_ref().map_or(&[], |demo| &demo.examples)
    }

    /// The demo's people.
    ///
    /// # Errors
    /// The store's.
    pub async fn users(&self) -> Result<Vec<SignedIn>, HostError> {
        let Some(demo) = &self.0.demo else { return Ok(Vec::new()) };
        let signed_in = |user: User| SignedIn { caller: user.caller(), name: Some(user.name) };
        Ok(self.accounts().users(&demo.tenant).await?.into_iter().map(signed_in).collect())
    }

    /// Reads something from the store.
    ///
    /// # Errors
    /// The store's.
    pub async fn check_store(&self) -> Result<(), HostError> {
        self.accounts().tenants().await?;
        Ok(())
    }
}

/// The providers that this host knows: those compiled in, and the operator's `registry.toml` in the data directory.
fn registry(data: &Path) -> Result<Registry, HostError> {
    let path = data.join("registry.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => Registry::default()
            .extended(&text)
            .map_err(|error| HostError::Config(format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Registry::default()),
        Err(error) => Err(HostError::Config(format!("cannot read {}: {error}", path.display()))),
    }
}

fn embedder() -> Result<Arc<dyn Embedder>, HostError> {
    let cache = Model::default_cache().ok_or(HostError::NoCache)?;
    let model = Model::obtain(&cache, &|step| tracing::info!(?step, "embedding model"))?;
    Ok(Arc::new(MiniLm::load(&model)?))
}
