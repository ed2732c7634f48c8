//! Stand-ins for Google Drive, Trello and an OAuth 2 provider, as real HTTP servers that hold state.
//!
//! They follow the services that they stand for in paging, cursors, error shapes, rate headers and authentication, as
//! far as a connector meets them: the Drive API v3 discovery document, Trello's REST docs, and recorded replies of both.
//! Faults can be injected ([`Fault`]), every request is kept ([`RequestLog`]), and everything can be changed from outside
//! as its people would ([`DriveChange`], [`Trello`]), through Rust or over HTTP at `/_control/…` on a port of its own.
//!
//! ```no_run
//! # async fn example() -> Result<(), sallyport_simulate::SimulateError> {
//! use sallyport_simulate::{Provider, Seed, Simulation};
//!
//! let simulation = Simulation::start(Seed::demo()).await?;
//! let tokens = simulation.token_for(Provider::Google, "ana@larkfield.example", std::time::Duration::from_secs(3600));
//! println!("GET {}/drive/v3/files with Bearer {}", simulation.urls().drive, tokens.access_token);
//! # Ok(()) }
//! ```

#![recursion_limit = "256"] // the largest json! literals are a whole card and a whole board

mod clock;
mod control;
mod directory;
mod drive;
mod faults;
mod oauth;
mod seed;
mod server;
mod tokens;
mod trello;
mod wire;
mod world;

pub use directory::{Directory, Person};
pub use drive::{Comment, DOCUMENT, Drive, DriveChange, DriveProblem, FOLDER, Grantee, Permission, Role, SPREADSHEET};
pub use faults::{Failure, Fault, Faults, Service};
pub use seed::{CONNECTOR_ACCOUNT, DOMAIN, Document, NewBoardSeed, Seed, SeedError};
pub use tokens::{IssuedTokens, Provider};
pub use trello::{MemberType, Trello, Visibility};
pub use wire::{Request, RequestLog};
pub use world::{Issuer, Options};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use world::{State, World};

/// Why a simulation did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// A port could not be bound; another one can be chosen in [`Options`], or 0 for any. The caller's to mend.
    #[error(
        "cannot listen on {address} for the simulated {service}: {source}. Choose another port, or 0 for any free one"
    )]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// For which service.
        service: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The line with the URLs could not be written; the reader of it is gone.
    #[error("cannot announce the simulated services: {0}")]
    Announce(io::Error),
}

/// Where the services listen, each an origin without a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Urls {
    /// In place of `https://www.googleapis.com`.
    pub drive: String,
    /// In place of `https://api.trello.com`.
    pub trello: String,
    /// In place of `https://accounts.google.com`, `https://oauth2.googleapis.com` and `https://auth.atlassian.com`.
    pub oauth: String,
    /// The control endpoint, `/_control/…`.
    pub control: String,
}

/// The running services. They stop when it is dropped.
#[derive(Debug)]
pub struct Simulation {
    world: Arc<World>,
    urls: Urls,
    _tasks: JoinSet<()>,
}

impl Simulation {
    /// Starts the services on free ports of the loopback address.
    pub async fn start(seed: Seed) -> Result<Self, SimulateError> {
        Self::start_with(seed, Options::default()).await
    }

    /// Starts the services as the options say.
    pub async fn start_with(seed: Seed, options: Options) -> Result<Self, SimulateError> {
        let (drive, trello) = (listen("Drive", options.drive).await?, listen("Trello", options.trello).await?);
        let (oauth, control) =
            (listen("OAuth provider", options.oauth).await?, listen("control endpoint", options.control).await?);
        let urls = Urls { drive: drive.1, trello: trello.1, oauth: oauth.1, control: control.1 };
        let Seed { directory, drive: files, trello: boards, .. } = seed;
        let world = Arc::new(World {
            options,
            clock: clock::Clock::default(),
            tokens: Mutex::default(),
            codes: Mutex::default(),
            state: Mutex::new(State { directory, drive: files, trello: boards }),
            rates: Mutex::default(),
            faults: Faults::default(),
            log: RequestLog::default(),
        });
        let mut tasks = JoinSet::new();
        server::spawn(&mut tasks, drive.0, Service::Drive, drive::router(world.clone()), world.clone());
        server::spawn(&mut tasks, trello.0, Service::Trello, trello::router(world.clone()), world.clone());
        server::spawn(&mut tasks, oauth.0, Service::Oauth, oauth::router(world.clone()), world.clone());
        server::spawn_control(&mut tasks, control.0, control::router(world.clone(), json!(urls)));
        Ok(Self { world, urls, _tasks: tasks })
    }

    /// Where the services listen.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Issues an access and a refresh token for a person, as if they had consented to every scope. The refresh token
    /// belongs to the registered client ([`Options::issuer`]). Somebody unknown becomes a person of the directory.
    pub fn token_for(&self, provider: Provider, email: &str, expires_in: Duration) -> IssuedTokens {
        mint(&self.world, provider, email, expires_in)
    }

    /// Makes an access token expire now; its refresh token stays good. False if it was never issued.
    pub fn expire(&self, access_token: &str) -> bool {
        self.world.tokens.lock().expire(access_token)
    }

    /// Revokes a token and everything issued with it. False if it was never issued.
    pub fn revoke(&self, token: &str) -> bool {
        self.world.tokens.lock().revoke(token)
    }

    /// How many refreshes a provider has granted.
    pub fn refreshes(&self, provider: Provider) -> u64 {
        self.world.tokens.lock().refreshes.get(&provider).copied().unwrap_or(0)
    }

    /// Moves the services' clock forward.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Drive, seen by its keeper.
    pub fn drive(&self) -> Drive {
        Drive { world: self.world.clone() }
    }

    /// Trello, seen by its keeper.
    pub fn trello(&self) -> Trello {
        Trello { world: self.world.clone() }
    }

    /// The faults in force.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// Everything that arrived.
    pub fn requests(&self) -> &RequestLog {
        &self.world.log
    }

    /// People and groups as they are now.
    pub fn directory(&self) -> Directory {
        self.world.state.lock().directory.clone()
    }

    /// Adds somebody to a group, making it if need be. Leaves nothing in any change log.
    pub fn add_to_group(&self, group: &str, member: &str) {
        self.world.state.lock().directory.add_group(group, [member.to_owned()]);
    }

    /// Takes somebody out of a group. Leaves nothing in any change log. False if they were not in it.
    pub fn remove_from_group(&self, group: &str, member: &str) -> bool {
        self.world.state.lock().directory.remove_member(group, member)
    }

    /// Everything that the services hold: `directory`, `drive`, `trello`, `oauth`; as `/_control/state` answers.
    pub fn state(&self) -> Value {
        control::whole_state(&self.world)
    }

    fn oauth_state(world: &World) -> Value {
        let tokens = world.tokens.lock();
        let of = |provider: Provider| {
            let issuer = world.options.issuer(provider);
            json!({
                "refreshes": tokens.refreshes.get(&provider).copied().unwrap_or(0),
                "refused_refreshes": tokens.refused_refreshes.get(&provider).copied().unwrap_or(0),
                "rotates": issuer.rotate, "lifetime": issuer.lifetime.as_secs(),
                "client_id": issuer.client_id, "client_secret": issuer.client_secret,
            })
        };
        json!({ "google": of(Provider::Google), "trello": of(Provider::Trello), "trello_key": world.options.trello_key })
    }
}

/// Runs the services until `stop` resolves, after printing one line of JSON with their [`Urls`] to `announce`: for a
/// process of their own.
pub async fn serve(
    seed: Seed,
    options: Options,
    mut announce: impl io::Write,
    stop: impl Future<Output = ()>,
) -> Result<(), SimulateError> {
    let simulation = Simulation::start_with(seed, options).await?;
    writeln!(announce, "{}", json!(simulation.urls))
        .and_then(|()| announce.flush())
        .map_err(SimulateError::Announce)?;
    stop.await;
    Ok(())
}

fn mint(world: &World, provider: Provider, email: &str, lifetime: Duration) -> IssuedTokens {
    let email = email.to_lowercase();
    world.state.lock().directory.ensure_person(&email);
    let client = world.options.issuer(provider).client_id.clone();
    world.tokens.lock().issue(provider, &client, &email, &[], lifetime, world.clock.now())
}

async fn listen(service: &'static str, address: SocketAddr) -> Result<(TcpListener, String), SimulateError> {
    let failed = |source| SimulateError::Bind { address, service, source };
    let listener = server::bind(address).await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    Ok((listener, url))
}
