//! The gate over the invented service, with everything granted and a resolver that says what it is told.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use sallyport::authority::{Authority, Fence};
use sallyport::connection::{Connection, ConnectionState, Constraints, Grant, Owner, Setting};
use sallyport::credentials::Credentials;
use sallyport::egress::{Authorised, Body, Delivery, Egress, EgressConfig, EgressError, Live, Refusal, Request};
use sallyport::grants;
use sallyport::ids::{ConnectionId, ConnectorId, GrantId, InvocationId, ProviderId, SourceId, Timestamp, ToolName};
use sallyport::keys::{Keyring, MasterKey};
use sallyport::ports::Standing;
use sallyport::testing::{ManualClock, MemoryStore};
use sallyport::wire::{Lookup, Wire, WireConfig};

use crate::connector::{MANIFEST, admin, registry};

static LIVE: LazyLock<Live> = LazyLock::new(|| {
    let standing = Standing::Tool { tool: ToolName::new("everything").expect("a tool's name") };
    let connection = connection();
    let grant = Grant {
        id: GrantId::new("gra_1"),
        tenant: connection.tenant,
        connection: connection.id.clone(),
        capabilities: MANIFEST.capabilities.iter().map(|one| (one.id.clone(), Setting::Auto)).collect(),
        constraints: Constraints::default(),
        by: admin().subject,
        at: Timestamp(0),
    };
    let manifest = Arc::new(MANIFEST.clone());
    grants::live(&manifest, &connection.id, Some(&grant), &standing, Timestamp(0)).expect("all is granted")
});

fn connection() -> Connection {
    Connection {
        id: ConnectionId::new("con_1"),
        tenant: admin().tenant,
        connector: ConnectorId::new("acme").expect("an id"),
        provider: ProviderId::new("acme").expect("an id"),
        auth: "token".into(),
        owner: Owner::Workspace,
        name: "acme".into(),
        account: "acc_1".into(),
        account_name: "Ann".into(),
        workspace: None,
        source: SourceId::new("src_1"),
        audience: Vec::new(),
        settings: Default::default(),
        state: ConnectionState::Active,
        reason: None,
        checked: None,
        created: Timestamp(0),
    }
}

/// Every name leads to these.
struct Told(Vec<IpAddr>);

#[async_trait::async_trait]
impl Lookup for Told {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

pub struct Gate(Egress);

impl Gate {
    /// A gate for which every name leads to these addresses.
    pub fn new(addresses: Vec<IpAddr>) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let wire = Arc::new(Wire::with_lookup(WireConfig::default(), Arc::new(Told(addresses))));
        let keyring = Arc::new(Keyring::new(Arc::new(MasterKey::from_bytes([7; 32])), store.clone()));
        static REGISTRY: LazyLock<Arc<sallyport::registry::Registry>> = LazyLock::new(|| Arc::new(registry()));
        let credentials =
            Credentials::new(keyring, store.clone(), store.clone(), REGISTRY.clone(), wire.clone(), clock.clone());
        let config = EgressConfig::default();
        Self(Egress::new(config, REGISTRY.clone(), wire, credentials, store.clone(), store, clock))
    }

    pub fn ask(&self, request: Request) -> Result<Authorised, Refusal> {
        self.0.authorise(&LIVE, request)
    }

    /// What vets the address; opens no socket.
    pub async fn prepare(&self, authorised: Authorised) -> Result<(), EgressError> {
        let connection = connection();
        let at = Authority {
            caller: admin(),
            connection: connection.id.clone(),
            invocation: InvocationId::new("inv_1"),
            fence: Fence(1),
        };
        self.0.prepare(&at, &connection, authorised).await.map(drop)
    }
}

pub fn request(method: &str, url: &str, body: Body) -> Request {
    Request {
        method: method.into(),
        url: url.into(),
        headers: Vec::new(),
        body,
        slot: None,
        delivery: Delivery::Inline,
        most: None,
    }
}
