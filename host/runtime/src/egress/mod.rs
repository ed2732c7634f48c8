//! The one way out. A request is authorised (pure), prepared (waits, resolves, opens the secret) and transmitted; each
//! step's result is the next one's argument, so that none can be left out.
//!
//! parse → route → headers → credential-like parameters → rate limit → resolve → attach → send → cap → look for secrets.

mod authorise;
mod buckets;
mod error;
mod headers;
mod multipart;
mod permit;
mod quota;
mod redirect;
mod request;
mod transmit;
mod url;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use crate::grants::Live;
pub use authorise::Authorised;
pub use error::{EgressError, Refusal};
pub use permit::{Permit, SentRecord};
pub use request::{Body, Delivery, Part, Request, Response};

use crate::authority::Authority;
use crate::clock::Clock;
use crate::connection::Connection;
use crate::credentials::{Attached, Credentials};
use crate::ports::{Bucket, Directory, Limiter};
use crate::registry::Registry;
use crate::wire::{NoWay, Target, Wire};

/// What requests may cost.
#[derive(Clone, Debug)]
pub struct EgressConfig {
    /// The largest decoded answer that is given inline. Default 4 MiB.
    pub inline_limit: u64,
    /// The largest decoded answer that is held as a blob. Default 64 MiB.
    pub blob_limit: u64,
    /// How often one request is sent at most, the first time included. Default 4.
    pub attempts: u32,
    /// The first pause before another attempt, doubled each time, with jitter. Default 250 ms.
    pub pause: Duration,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self { inline_limit: 4 << 20, blob_limit: 64 << 20, attempts: 4, pause: Duration::from_millis(250) }
    }
}

/// A request that may be sent as soon as its permit is there. Nothing has been.
pub struct Ready {
    authorised: Authorised,
    connection: Connection,
    target: Target,
    attached: Option<Arc<Attached>>,
    /// The connection's secrets that do not go out with it: no answer may hold them either.
    others: Vec<Arc<Attached>>,
    buckets: Vec<Bucket>,
    /// When the invocation's patience with this request ends: its waits before and between attempts count together.
    deadline: Instant,
}

impl Ready {
    /// Whether an answer has to be dropped, because it holds a secret of the connection.
    pub(crate) fn finds_secret(&self, answer: &[u8]) -> bool {
        self.attached.iter().chain(&self.others).any(|secret| secret.scanner.finds(answer))
    }

    /// What is ready.
    #[must_use]
    pub fn authorised(&self) -> &Authorised {
        &self.authorised
    }
}

/// The gate.
pub struct Egress {
    config: EgressConfig,
    registry: Arc<Registry>,
    wire: Arc<Wire>,
    credentials: Credentials,
    limiter: Arc<dyn Limiter>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
}

impl Egress {
    /// A gate over the given ports.
    #[must_use]
    pub fn new(
        config: EgressConfig,
        registry: Arc<Registry>,
        wire: Arc<Wire>,
        credentials: Credentials,
        limiter: Arc<dyn Limiter>,
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { config, registry, wire, credentials, limiter, directory, clock }
    }

    /// Judges a request against what is live. Opens no socket, reads no store.
    ///
    /// # Errors
    /// [`Refusal`] names what does not pass and what would allow it.
    pub fn authorise(&self, live: &Live, request: Request) -> Result<Authorised, Refusal> {
        if let Some(cure) = live.ended(self.clock.now()) {
            return Err(Refusal::Expired { connection: live.connection().to_string(), cure });
        }
        authorise::authorise(&self.registry, live, request)
    }

    /// Draws rate tokens (waiting for as long as the invocation may), vets the address and opens the secret.
    ///
    /// # Errors
    /// [`EgressError::Throttled`] where the wait is longer than that; a refused address; the credential's.
    pub async fn prepare(
        &self,
        at: &Authority,
        connection: &Connection,
        authorised: Authorised,
    ) -> Result<Ready, EgressError> {
        let deadline = Instant::now() + authorised.live().patience();
        let buckets = self.buckets(at, connection, &authorised).await?;
        self.draw(at, &buckets, deadline).await?;
        self.open(at, connection, authorised, buckets, deadline).await
    }

    /// Everything of [`Self::prepare`] but the rate tokens.
    async fn open(
        &self,
        at: &Authority,
        connection: &Connection,
        authorised: Authorised,
        buckets: Vec<Bucket>,
        deadline: Instant,
    ) -> Result<Ready, EgressError> {
        let manifest = authorised.live().manifest().clone();
        let connector = manifest.connector.id.as_str();
        let target = self.wire.origin(connector, authorised.origin(), authorised.url());
        self.wire.vet(&target).await.map_err(|error| match error {
            NoWay::Private(host, address) => {
                let cure = format!("{connector}.{} = \"http://…\"", authorised.origin());
                EgressError::Refused(Refusal::Address { host, address, cure })
            }
            NoWay::Unreachable(why) => EgressError::Unreachable(why),
        })?;
        let attached = match authorised.slot() {
            Some(slot) => Some(self.credentials.attach(at, connection, &manifest, slot).await?),
            None => None,
        };
        let others = self.credentials.others(at, connection, &manifest, authorised.slot()).await?;
        Ok(Ready { authorised, connection: connection.clone(), target, attached, others, buckets, deadline })
    }

    /// Draws one token of each bucket, waiting until `deadline` at the latest.
    async fn draw(&self, at: &Authority, buckets: &[Bucket], deadline: Instant) -> Result<(), EgressError> {
        if buckets.is_empty() {
            return Ok(());
        }
        while let Some(millis) = self.limiter.take(at, buckets).await? {
            self.wait(millis, deadline).await?;
        }
        Ok(())
    }

    /// Waits, if the invocation may wait so long.
    async fn wait(&self, millis: u64, deadline: Instant) -> Result<(), EgressError> {
        // At least a millisecond, so that a limiter that says 0 does not spin.
        let millis = millis.max(1);
        let pause = Duration::from_millis(millis);
        if Instant::now().checked_add(pause).is_none_or(|until| until > deadline) {
            return Err(EgressError::Throttled { millis: millis.min(LONGEST_WAIT) });
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// The longest wait that is ever told, whatever a provider says: an hour.
const LONGEST_WAIT: u64 = 3_600_000;

#[cfg(test)]
mod tests;
