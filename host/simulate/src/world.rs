//! Everything that one simulation holds, shared by its services and its Rust API.

use crate::{
    clock::Clock, directory::Directory, drive::DriveState, faults::Faults, oauth::Codes, tokens::Provider,
    tokens::Tokens, trello::TrelloState, wire::RequestLog,
};
use parking_lot::Mutex;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// How an authorization server behaves, and the one client that is registered with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// How long an access token opens anything.
    pub lifetime: Duration,
    /// A refresh spends the refresh token and issues a new one.
    pub rotate: bool,
    /// An authorization without a PKCE S256 challenge is refused.
    pub require_pkce: bool,
    /// The registered client.
    pub client_id: String,
    /// Its secret, in the body or as HTTP Basic.
    pub client_secret: String,
}

impl Issuer {
    fn new(rotate: bool, require_pkce: bool) -> Self {
        let (client_id, client_secret) = ("sallyport-demo".to_owned(), "simulated-client-secret".to_owned());
        Self { lifetime: Duration::from_secs(3600), rotate, require_pkce, client_id, client_secret }
    }
}

/// How a simulation is run. The default binds free ports on the loopback address and behaves as the providers do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where Drive listens.
    pub drive: SocketAddr,
    /// Where Trello listens.
    pub trello: SocketAddr,
    /// Where the authorization server of both listens.
    pub oauth: SocketAddr,
    /// Where the control endpoint listens. Whoever reaches it may do everything.
    pub control: SocketAddr,
    /// Trello's limits are enforced: 100 requests per token and 300 per key in 10 s. The headers are sent either way.
    pub enforce_rates: bool,
    /// Google's authorization server: refresh tokens stay, PKCE is accepted and not required.
    pub google_issuer: Issuer,
    /// Atlassian's: refresh tokens are used once, PKCE is required.
    pub trello_issuer: Issuer,
    /// The Trello API key that `OAuth oauth_consumer_key="…"` must carry.
    pub trello_key: String,
    /// Who consents when the authorization request has no `login_hint`.
    pub consents: String,
}

impl Default for Options {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            drive: free,
            trello: free,
            oauth: free,
            control: free,
            enforce_rates: true,
            google_issuer: Issuer::new(false, false),
            trello_issuer: Issuer::new(true, true),
            trello_key: "5a1eca11ab1e0000000000000000d3e0".to_owned(),
            consents: crate::seed::CONNECTOR_ACCOUNT.to_owned(),
        }
    }
}

impl Options {
    /// The authorization server of a provider.
    pub fn issuer(&self, provider: Provider) -> &Issuer {
        match provider {
            Provider::Google => &self.google_issuer,
            Provider::Trello => &self.trello_issuer,
        }
    }
}

/// What the two services hold; one lock, since a request to either needs the directory too.
#[derive(Debug)]
pub(crate) struct State {
    pub directory: Directory,
    pub drive: DriveState,
    pub trello: TrelloState,
}

#[derive(Debug)]
pub(crate) struct World {
    pub options: Options,
    pub clock: Clock,
    pub tokens: Mutex<Tokens>,
    pub codes: Mutex<Codes>,
    pub state: Mutex<State>,
    pub rates: Mutex<crate::trello::Rates>,
    pub faults: Faults,
    pub log: RequestLog,
}
