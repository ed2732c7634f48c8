//! The connections' secrets: kept sealed, attached at egress, refreshed by one at a time. Nothing of them goes to a guest.

mod assertion;
mod client;
mod error;
mod exchange;
mod refresh;
mod revoke;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use sallyport_pack::manifest::{AuthMethod, Credential, Manifest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::clock::Clock;
use crate::connection::{Connection, ConnectionState};
use crate::ids::{ConnectionId, SlotName, TenantId, Timestamp};
use crate::keys::{Keyring, Place, Secret};
use crate::ports::{Directory, SealedSecret, SecretState, StoreError, Vault};
use crate::registry::Registry;
use crate::scan::Scanner;
use crate::wire::Wire;

pub use error::CredentialError;
pub(crate) use exchange::{Code, Scopes};
pub use revoke::Revoked;

/// A token that ends within this is refreshed before it is used, since a request takes time; of one that lives shortly, at
/// most a quarter of its life.
const LEEWAY: u64 = 60_000;

/// For so long a secret that was read from the vault counts without another look. What another process does meanwhile is
/// noticed so much later: a token that it replaced is refused by the service and read again, one that it took back is
/// refused by the service.
const FRESH: Duration = Duration::from_millis(250);

/// The least bytes of a secret: what an answer is searched for has to be rarer than chance.
const SHORTEST: usize = 12;

/// A secret that came of an authorisation.
pub struct NewSecret {
    /// The access token, or whatever was pasted.
    pub access: Secret,
    /// The refresh token.
    pub refresh: Option<Secret>,
    /// Seconds until the access token ends; `None`: not said.
    pub expires_in: Option<u64>,
    /// Scopes as granted, not as asked.
    pub scopes: Vec<String>,
}

/// What may be known about a slot's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFacts {
    /// The slot.
    pub name: SlotName,
    /// Scopes as granted.
    pub scopes: Vec<String>,
    /// When the access token ends.
    pub expires: Option<Timestamp>,
    /// Whether it is believed to work.
    pub state: SecretState,
}

/// A secret ready to be put on a request, and the means to notice it in an answer.
pub(crate) struct Attached {
    pub(crate) header: HeaderName,
    pub(crate) value: HeaderValue,
    pub(crate) scanner: Scanner,
    opened: Arc<Opened>,
}

/// The plain text of a slot's secret, as it is sealed.
#[derive(Serialize, Deserialize)]
struct Plain {
    access: String,
    refresh: Option<String>,
}

impl Drop for Plain {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.access.zeroize();
        self.refresh.zeroize();
    }
}

/// A slot's secret, open.
struct Opened {
    sealed: SealedSecret,
    access: Secret,
    refresh: Option<Secret>,
}

/// Why a secret is of no use any more.
#[derive(Clone, Copy)]
pub(crate) enum Lost<'a> {
    /// It ended, or nobody can tell.
    Unusable(&'a str),
    /// The service says that somebody took the access back.
    TakenBack(&'a str),
}

impl<'a> Lost<'a> {
    fn why(self) -> &'a str {
        match self {
            Self::Unusable(why) | Self::TakenBack(why) => why,
        }
    }
}

/// A secret made ready, with the row of the client whose fields stand in it.
type Dressed = (Option<SealedSecret>, Arc<Attached>);
type SlotKey = (TenantId, ConnectionId, SlotName);

/// Keeps, attaches and refreshes secrets. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
}

struct Inner {
    keyring: Arc<Keyring>,
    vault: Arc<dyn Vault>,
    directory: Arc<dyn Directory>,
    registry: Arc<Registry>,
    wire: Arc<Wire>,
    clock: Arc<dyn Clock>,
    /// This process, to the vault's leases.
    holder: String,
    flights: Mutex<HashMap<SlotKey, Arc<tokio::sync::Mutex<()>>>>,
    opened: Mutex<HashMap<SlotKey, Arc<Opened>>>,
    attached: Mutex<HashMap<SlotKey, Dressed>>,
    /// When the vault was last asked for a slot.
    seen: Mutex<HashMap<SlotKey, Instant>>,
}

impl Credentials {
    /// Over a keyring and the vault that it seals for.
    #[must_use]
    pub fn new(
        keyring: Arc<Keyring>,
        vault: Arc<dyn Vault>,
        directory: Arc<dyn Directory>,
        registry: Arc<Registry>,
        wire: Arc<Wire>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let holder = uuid::Uuid::new_v4().simple().to_string();
        let (flights, opened, attached, seen) = Default::default();
        let inner = Inner { keyring, vault, directory, registry, wire, clock, holder, flights, opened, attached, seen };
        Self { inner: Arc::new(inner) }
    }

    /// Seals and stores a slot's secret, replacing the one there is, and makes a connection that needed it live again.
    /// Answers the new generation.
    ///
    /// # Errors
    /// [`CredentialError::TooShort`]; the vault's and the keyring's.
    pub async fn store(&self, at: &Authority, slot: &SlotName, secret: NewSecret) -> Result<u64, CredentialError> {
        let generation = self.put(at, slot, secret).await?;
        let directory = &self.inner.directory;
        let connection = directory.connection(at.tenant(), &at.connection).await;
        if connection.is_ok_and(|connection| connection.state.wants_consent()) {
            directory.set_state(at.tenant(), &at.connection, ConnectionState::Active, None).await?;
        }
        Ok(generation)
    }

    /// Forgets what is open of a connection.
    pub(crate) fn forget(&self, at: &Authority) {
        self.inner.forget(at);
    }

    /// As [`Credentials::store`], and says nothing of the connection.
    pub(crate) async fn put(&self, at: &Authority, slot: &SlotName, secret: NewSecret) -> Result<u64, CredentialError> {
        let inner = &self.inner;
        for secret in [Some(&secret.access), secret.refresh.as_ref()].into_iter().flatten() {
            long_enough(secret, || format!("the secret for the slot {slot}"))?;
        }
        let mut sealed = inner.seal(at, slot, &secret.access, secret.refresh.as_ref()).await?;
        sealed.lives(inner.clock.now(), secret.expires_in);
        sealed.scopes = secret.scopes;
        let generation = loop {
            let expected = inner.vault.secret(at, slot).await?.map(|row| row.generation);
            match inner.vault.replace(at, slot, expected, &sealed).await {
                // A refresh came between; what a person just brought is newer than what it brought.
                Err(StoreError::Conflict { .. }) => {}
                other => break other?,
            }
        };
        inner.seen.lock().remove(&slot_key(at, slot));
        Ok(generation)
    }

    /// What may be known about the connection's slots.
    ///
    /// # Errors
    /// The vault's.
    pub async fn slots(&self, at: &Authority) -> Result<Vec<SlotFacts>, CredentialError> {
        let rows = self.inner.vault.slots(at).await?;
        let facts = |(name, row): (SlotName, SealedSecret)| SlotFacts {
            name,
            scopes: row.scopes,
            expires: row.expires,
            state: row.state,
        };
        Ok(rows.into_iter().map(facts).collect())
    }

    /// The secret of a slot, ready for a request; refreshed first if it has ended.
    pub(crate) async fn attach(
        &self,
        at: &Authority,
        connection: &Connection,
        manifest: &Arc<Manifest>,
        slot: &SlotName,
    ) -> Result<Arc<Attached>, CredentialError> {
        let now = self.inner.clock.now();
        if let Some(ready) = self.inner.ready(at, slot, now) {
            return Ok(ready);
        }
        let (method, credential) = flavour(connection, manifest, slot)?;
        let mut opened = self.inner.read(at, slot).await?;
        self.inner.usable(&opened)?;
        let ended = opened.sealed.ends(now);
        if (ended || opened.sealed.state == SecretState::Refreshing)
            && opened.refresh.is_some()
            && exchange::renews(method, credential)
        {
            opened = self.refresh(at, connection, manifest, slot, opened).await?;
        }
        self.inner.dress(at, connection, credential, opened).await
    }

    /// What lies in a slot, as it is: to be looked for in what is given out.
    pub(crate) async fn secrets_in(&self, at: &Authority, slot: &SlotName) -> Result<Vec<Secret>, CredentialError> {
        let opened = self.inner.read(at, slot).await?;
        Ok(std::iter::once(opened.access.clone()).chain(opened.refresh.clone()).collect())
    }

    /// The connection's secrets that do not go out with a request, since they may come back with its answer all the same:
    /// a service can keep what it was sent before. One that cannot be opened was sent by nobody.
    pub(crate) async fn others(
        &self,
        at: &Authority,
        connection: &Connection,
        manifest: &Manifest,
        sent: Option<&SlotName>,
    ) -> Result<Vec<Arc<Attached>>, CredentialError> {
        let auth = manifest.auth.iter().find(|auth| auth.id.as_str() == connection.auth);
        let mut others = Vec::new();
        for credential in auth.into_iter().flat_map(|auth| &auth.credentials) {
            if Some(&credential.slot) == sent {
                continue;
            }
            let ready = async {
                let opened = self.inner.read(at, &credential.slot).await?;
                self.inner.dress(at, connection, credential, opened).await
            };
            match ready.await {
                Ok(other) => others.push(other),
                Err(error @ CredentialError::Store(_)) => return Err(error),
                Err(error) => tracing::debug!(slot = %credential.slot, %error, "a secret is not looked for"),
            }
        }
        Ok(others)
    }

    /// A newer secret than `stale`, which the service has just refused.
    pub(crate) async fn renew(
        &self,
        at: &Authority,
        connection: &Connection,
        manifest: &Arc<Manifest>,
        slot: &SlotName,
        stale: &Attached,
    ) -> Result<Arc<Attached>, CredentialError> {
        let (method, credential) = flavour(connection, manifest, slot)?;
        if stale.opened.refresh.is_none() || !exchange::renews(method, credential) {
            let why = "the service refuses the token and there is none to refresh it with";
            return Err(self.inner.give_up(at, credential, &stale.opened, Lost::Unusable(why)).await);
        }
        let opened = self.refresh(at, connection, manifest, slot, stale.opened.clone()).await?;
        self.inner.dress(at, connection, credential, opened).await
    }

    /// The service says that this secret is of no use any more: marks the slot and the connection.
    pub(crate) async fn refused(
        &self,
        at: &Authority,
        connection: &Connection,
        manifest: &Manifest,
        slot: &SlotName,
        used: &Attached,
        lost: Lost<'_>,
    ) -> CredentialError {
        match flavour(connection, manifest, slot) {
            Ok((_, credential)) => self.inner.give_up(at, credential, &used.opened, lost).await,
            Err(error) => error,
        }
    }
}

/// The connection's way of being authorised, and what it says of a slot.
fn flavour<'m>(
    connection: &Connection,
    manifest: &'m Manifest,
    slot: &SlotName,
) -> Result<(&'m AuthMethod, &'m Credential), CredentialError> {
    let wrong = || {
        CredentialError::Manifest(format!(
            "the connection's way of being authorised ({}) has no slot {slot}",
            connection.auth
        ))
    };
    let auth = manifest.auth.iter().find(|auth| auth.id.as_str() == connection.auth).ok_or_else(wrong)?;
    let credential = auth.credentials.iter().find(|credential| credential.slot == *slot).ok_or_else(wrong)?;
    Ok((&auth.method, credential))
}

impl Inner {
    async fn seal(
        &self,
        at: &Authority,
        slot: &SlotName,
        access: &Secret,
        refresh: Option<&Secret>,
    ) -> Result<SealedSecret, CredentialError> {
        let plain =
            Plain { access: access.expose().to_owned(), refresh: refresh.map(|secret| secret.expose().to_owned()) };
        let plain = Zeroizing::new(serde_json::to_vec(&plain).expect("two strings are JSON"));
        Ok(self.keyring.seal_secret(Place::Slot(at.tenant(), &at.connection, slot), &plain).await?)
    }

    /// The slot's secret as it is stored now. Opened once for each row that is stored.
    async fn read(&self, at: &Authority, slot: &SlotName) -> Result<Arc<Opened>, CredentialError> {
        let sealed = self.vault.secret(at, slot).await?.ok_or_else(|| {
            CredentialError::NeedsReauth(format!(
                "there is no secret in the slot {slot}: connect {} again",
                at.connection
            ))
        })?;
        let key = slot_key(at, slot);
        self.seen.lock().insert(key.clone(), Instant::now());
        if let Some(opened) = self.opened.lock().get(&key)
            && opened.sealed == sealed
        {
            return Ok(opened.clone());
        }
        let plain = self.keyring.open_secret(Place::Slot(at.tenant(), &at.connection, slot), &sealed).await?;
        let mut plain: Plain = serde_json::from_slice(&plain)
            .map_err(|_| CredentialError::Manifest(format!("the secret in the slot {slot} has a form of its own")))?;
        let access = Secret::new(std::mem::take(&mut plain.access));
        let refresh = plain.refresh.take().map(Secret::new);
        let opened = Arc::new(Opened { sealed, access, refresh });
        self.opened.lock().insert(key, opened.clone());
        Ok(opened)
    }

    fn usable(&self, opened: &Opened) -> Result<(), CredentialError> {
        match opened.sealed.state {
            SecretState::NeedsReauth => {
                Err(CredentialError::NeedsReauth("the provider took its authorisation back".to_owned()))
            }
            SecretState::Live | SecretState::Refreshing => Ok(()),
        }
    }

    /// Puts the secret into the manifest's template.
    async fn dress(
        &self,
        at: &Authority,
        connection: &Connection,
        credential: &Credential,
        opened: Arc<Opened>,
    ) -> Result<Arc<Attached>, CredentialError> {
        let inject = &credential.inject;
        let needs_client = inject.value.placeholders().any(|name| name.starts_with("client."));
        let provider = connection.provider.as_str();
        let row = if needs_client { self.client_row(at.tenant(), provider).await? } else { None };
        let key = slot_key(at, &credential.slot);
        let client_row = row.as_ref().map(|(_, sealed)| sealed.clone());
        if let Some((of, attached)) = self.attached.lock().get(&key)
            && *of == client_row
            && Arc::ptr_eq(&attached.opened, &opened)
        {
            return Ok(attached.clone());
        }
        let client = match row {
            Some((owner, sealed)) => self.open_client(owner, provider, &sealed).await?,
            None => client::Fields::default(),
        };
        let mut secrets = vec![opened.access.clone()];
        let rendered = inject.value.render(|name| {
            if name == "token" {
                return Some(opened.access.expose().to_owned());
            }
            let name = name.strip_prefix("client.")?;
            let field = client.get(name)?;
            // Who the client is, is told to everybody who is sent to consent.
            if name != client::PUBLIC {
                secrets.push(field.clone());
            }
            Some(field.expose().to_owned())
        });
        let rendered = match rendered {
            Ok(text) => Zeroizing::new(text),
            Err(name) => {
                let field = name.trim_start_matches("client.").to_owned();
                return Err(CredentialError::Client { provider: provider.to_owned(), field });
            }
        };
        let bad = || {
            CredentialError::Manifest(format!(
                "the secret in the slot {} cannot stand in a header: is it pasted whole?",
                credential.slot
            ))
        };
        let header = HeaderName::from_bytes(inject.header.as_str().as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(&rendered).map_err(|_| bad())?;
        value.set_sensitive(true);
        let attached = Arc::new(Attached { header, value, scanner: Scanner::new(&secrets), opened });
        self.attached.lock().insert(key, (client_row, attached.clone()));
        Ok(attached)
    }

    /// What was made ready a moment ago, unless its token ends.
    fn ready(&self, at: &Authority, slot: &SlotName, now: Timestamp) -> Option<Arc<Attached>> {
        let key = slot_key(at, slot);
        let looked = *self.seen.lock().get(&key)?;
        if looked.elapsed() > FRESH {
            return None;
        }
        let attached = self.attached.lock().get(&key).map(|(_, attached)| attached.clone())?;
        let sealed = &attached.opened.sealed;
        (sealed.state == SecretState::Live && !sealed.ends(now)).then_some(attached)
    }

    /// Forgets what is open of a connection.
    fn forget(&self, at: &Authority) {
        let other = |key: &SlotKey| key.0 != *at.tenant() || key.1 != at.connection;
        self.seen.lock().retain(|key, _| other(key));
        self.opened.lock().retain(|key, _| other(key));
        self.attached.lock().retain(|key, _| other(key));
    }

    /// Marks the secret and its connection, unless someone has replaced it meanwhile. Answers the error to give.
    async fn give_up(&self, at: &Authority, credential: &Credential, used: &Opened, lost: Lost<'_>) -> CredentialError {
        match self.try_give_up(at, credential, used, lost).await {
            Ok(()) => CredentialError::NeedsReauth(lost.why().to_owned()),
            Err(error) => error,
        }
    }

    async fn try_give_up(
        &self,
        at: &Authority,
        credential: &Credential,
        used: &Opened,
        lost: Lost<'_>,
    ) -> Result<(), CredentialError> {
        self.seen.lock().remove(&slot_key(at, &credential.slot));
        let row = SealedSecret { state: SecretState::NeedsReauth, ..used.sealed.clone() };
        match self.vault.replace(at, &credential.slot, Some(used.sealed.generation), &row).await {
            Ok(_) => {}
            // Another secret is there now; that one was not refused.
            Err(StoreError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        tracing::warn!(connection = %at.connection, slot = %credential.slot, "the connection needs to be authorised again");
        let (state, why) = match lost {
            _ if credential.optional => {
                let why =
                    format!("what goes by the slot {} does not work ({}): connect again", credential.slot, lost.why());
                (ConnectionState::Degraded, why)
            }
            Lost::Unusable(why) => (ConnectionState::NeedsReauth, format!("{why}: connect again")),
            Lost::TakenBack(why) => (ConnectionState::Revoked, format!("{why}: connect again")),
        };
        self.directory.set_state(at.tenant(), &at.connection, state, Some(&why)).await?;
        Ok(())
    }
}

impl SealedSecret {
    /// For how long it is good from now on, as far as was said.
    fn lives(&mut self, now: Timestamp, seconds: Option<u64>) {
        self.lifetime = seconds.map(|seconds| seconds.saturating_mul(1000));
        self.expires = self.lifetime.map(|millis| now.plus(millis));
    }

    /// Whether its access token is as good as over.
    fn ends(&self, now: Timestamp) -> bool {
        let leeway = self.lifetime.map_or(LEEWAY, |lifetime| LEEWAY.min(lifetime / 4));
        self.expires.is_some_and(|expires| expires <= now.plus(leeway))
    }
}

fn long_enough(secret: &Secret, what: impl FnOnce() -> String) -> Result<(), CredentialError> {
    if secret.expose().len() < SHORTEST {
        return Err(CredentialError::TooShort { what: what() });
    }
    Ok(())
}

fn slot_key(at: &Authority, slot: &SlotName) -> SlotKey {
    (at.tenant().clone(), at.connection.clone(), slot.clone())
}

#[cfg(test)]
mod tests;
