//! A data directory with the example connector in it, and a runtime over it: here, or in a process that is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use sallyport::admission::Word;
use sallyport::clock::{Clock, SystemClock};
use sallyport::connection::{Constraints, Owner, Setting};
use sallyport::credentials::NewSecret;
use sallyport::engine::Limits;
use sallyport::ids::{CapabilityId, ConnectionId, ConnectorId, SlotName, SubjectId, TenantId, Timestamp};
use sallyport::invoke::Connect;
use sallyport::keys::MasterFile;
use sallyport::registry::Registry;
use sallyport::wire::{Repoint, WireConfig};
use sallyport::{Caller, Ports, Role, Runtime};
use sallyport_bench::host::token;
use sallyport_e2e::connectors;
use sallyport_store::{Options, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Steps;
use super::ports::counted;

/// The provider of the example connector, as an operator would register it.
const HELLO: &str = r#"
[provider.hello]
name = "Hello"
origins = ["https://hello.example"]
auth = []
"#;

/// The one tenant.
pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme")
}

/// One of its people.
pub(crate) fn caller(name: &str, role: Role) -> Caller {
    let emails = vec![format!("{name}@acme.example")];
    Caller { tenant: tenant(), subject: SubjectId::new(name), emails, roles: vec![role] }
}

/// The system's clock, so many milliseconds ahead: leases of the dead end without waiting for it.
#[derive(Clone, Default)]
pub(crate) struct Ahead(pub(crate) Arc<AtomicU64>);

impl Ahead {
    pub(crate) fn by(millis: u64) -> Self {
        Self(Arc::new(AtomicU64::new(millis)))
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0.load(Ordering::SeqCst))
    }
}

/// A data directory, and what a process has to know to work on it.
pub(crate) struct Place {
    /// The data directory is `data` in it.
    pub(crate) folder: PathBuf,
    /// Where the service is.
    pub(crate) url: String,
    /// The account at the service.
    pub(crate) connection: ConnectionId,
    /// The connector's origins, which all lead to the service.
    origins: Vec<String>,
    compiled: PathBuf,
}

/// An open data directory.
pub(crate) struct Open {
    pub(crate) store: Arc<Store>,
    pub(crate) runtime: Runtime,
}

impl Place {
    pub(super) fn told(&self) -> Value {
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let (folder, compiled) = (text(&self.folder), text(&self.compiled));
        let (url, connection, origins) = (&self.url, self.connection.as_str(), &self.origins);
        json!({ "folder": folder, "compiled": compiled, "url": url, "connection": connection, "origins": origins })
    }

    pub(super) fn of(told: &Value) -> Self {
        let text = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name}: {told}")).to_owned();
        Self {
            folder: text("folder").into(),
            url: text("url"),
            connection: ConnectionId::new(text("connection")),
            origins: serde_json::from_value(told["origins"].clone()).expect("origins"),
            compiled: text("compiled").into(),
        }
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("data/sallyport.db")
    }

    /// Opens it. With `steps` each call of a port is one.
    pub(crate) async fn open(&self, clock: &Ahead, steps: Option<&Arc<Steps>>) -> Open {
        let (data, options) = (self.folder.join("data"), Options { clock: Some(clock.shared()), ..Options::default() });
        let opened = tokio::task::spawn_blocking(move || Store::open_with(data, options)).await.expect("it ran");
        let store = Arc::new(opened.expect("the data directory opens"));
        let ports = match steps {
            Some(steps) => counted(&store, steps),
            None => Ports::all(Arc::clone(&store)),
        };
        let repoint = Repoint::new(self.origins.iter().map(|origin| (origin, &self.url))).expect("re-pointing");
        let master = MasterFile::open_or_create(&self.folder.join("master.key")).expect("a master key");
        let runtime = Runtime::builder(ports, master)
            .registry(Registry::default().extended(HELLO).expect("the provider"))
            .component_cache(&self.compiled)
            .wire(WireConfig { repoint, ..WireConfig::default() })
            // Few slots: each reserves address space, and there are many engines.
            .limits(Limits { instances: 4, ..Limits::default() })
            .clock(clock.shared())
            .build()
            .expect("a runtime");
        Open { store, runtime }
    }
}

impl Ahead {
    fn shared(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }
}

/// A connector of this repository, and how it is connected.
pub(crate) struct Account<'a> {
    pub(crate) folder: &'a str,
    pub(crate) connector: &'a str,
    pub(crate) origins: &'a [&'a str],
    pub(crate) auth: &'a str,
    pub(crate) secret: NewSecret,
    pub(crate) granted: &'a [(&'a str, Setting)],
}

/// A data directory to begin with: a connector installed and connected, compiled once for every process.
pub(crate) struct Given {
    folder: TempDir,
    connection: ConnectionId,
    origins: Vec<String>,
}

impl Given {
    /// The example connector, connected to the service at `url`, which has to say whose account it is. Notes are read
    /// unasked.
    pub(crate) async fn new(url: &str, writes: Setting) -> Self {
        let account = Account {
            folder: "sdk/examples/hello",
            connector: "hello",
            origins: &["hello.api"],
            auth: "token",
            secret: token("a-token-for-tests-only"),
            granted: &[("notes.read", Setting::Auto), ("notes.write", writes)],
        };
        Self::of(url, account).await
    }

    /// Any connector, connected to the service at `url`.
    pub(crate) async fn of(url: &str, account: Account<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let first = folder.path().join("first");
        std::fs::create_dir_all(&first).expect("made");
        let origins: Vec<String> = account.origins.iter().map(ToString::to_string).collect();
        let (connection, compiled) = (ConnectionId::new(""), folder.path().join("compiled"));
        let place = Place { folder: first, url: url.to_owned(), connection, origins: origins.clone(), compiled };
        let open = place.open(&Ahead::default(), None).await;
        open.store.accounts().create_tenant(&tenant(), "acme").await.expect("a tenant");
        let built = account.folder.to_owned();
        let files = tokio::task::spawn_blocking(move || connectors(&[&built])).await.expect("it ran");
        let file = std::fs::read(&files[0]).expect("a connector");
        let admin = caller("root", Role::Admin);
        open.runtime.install(&admin, file, Word::UNSIGNED).await.expect("installed");
        let granted = account.granted.iter();
        let connect = Connect {
            connector: ConnectorId::new(account.connector).expect("an id"),
            auth: Some(account.auth.into()),
            owner: Owner::Workspace,
            name: Some(account.connector.into()),
            secrets: BTreeMap::from([(SlotName::new("user").expect("a slot"), account.secret)]),
            capabilities: Some(
                granted.map(|(id, setting)| (CapabilityId::new(*id).expect("a capability"), *setting)).collect(),
            ),
            constraints: Constraints::default(),
            settings: BTreeMap::new(),
            audience: Vec::new(),
        };
        let connection = open.runtime.connect(&admin, connect).await.expect("connected").id;
        drop(open);

        let kept = folder.path().join("kept");
        copy(&place.folder, &kept);
        // Whatever is still in the log comes with it, and the copy is one file.
        for file in ["sallyport.db", "sallyport.db-wal", "sallyport.db-shm"] {
            let _ = std::fs::remove_file(kept.join("data").join(file));
        }
        let db = rusqlite::Connection::open(place.database()).expect("the database");
        let to = kept.join("data/sallyport.db");
        db.execute("VACUUM INTO ?", [to.to_str().expect("UTF-8")]).expect("a copy");
        Self { folder, connection, origins }
    }

    /// A data directory of its own that begins like this one, with the service elsewhere; it ends with the folder.
    pub(crate) fn copy(&self, url: &str) -> (TempDir, Place) {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&self.folder.path().join("kept"), folder.path());
        let place = Place {
            folder: folder.path().to_owned(),
            url: url.to_owned(),
            connection: self.connection.clone(),
            origins: self.origins.clone(),
            compiled: self.folder.path().join("compiled"),
        };
        (folder, place)
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("an entry");
        let within = to.join(entry.path().strip_prefix(from).expect("it is in there"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&within).expect("made");
        } else {
            std::fs::copy(entry.path(), &within).expect("copied");
        }
    }
}

/// Serves a stand-in as long as this process lives; gives its URL.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
