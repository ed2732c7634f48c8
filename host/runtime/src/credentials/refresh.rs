//! Refreshing: once for everybody who waits, in this process and in others, and never twice with a token that rotates.
//!
//! 1. One task of the process works on a slot; the others wait for it.
//! 2. It takes the slot's lease in the vault (60 s, longer than the HTTP timeout), reads again, and marks the row
//!    `Refreshing`, durably, before the refresh token leaves.
//! 3. What comes back is committed before anybody sees it.
//!
//! Who finds `Refreshing` under a lease that nobody holds has found a holder that died between 2 and 3. Where the token
//! rotates, the one that is stored may be spent, and to use it again may end the whole authorisation: a person is asked.

use std::sync::Arc;
use std::time::Duration;

use sallyport_pack::manifest::{AuthMethod, Manifest};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::exchange::renews;
use super::token::{Manner, TokenFailure, Tokens};
use super::{CredentialError, Credentials, Inner, Lost, Opened, flavour, slot_key};
use crate::authority::Authority;
use crate::connection::Connection;
use crate::ids::SlotName;
use crate::ports::{SealedSecret, SecretState, StoreError};

/// How long to wait for another process: its lease and a little.
const OTHERS: Duration = Duration::from_secs(65);
/// How often to look whether it is done: one task of a process does, and the store answers in microseconds.
const LOOK: Duration = Duration::from_millis(15);

/// Everything about one refresh.
#[derive(Clone)]
struct Refresh {
    at: Authority,
    connection: Connection,
    manifest: Arc<Manifest>,
    slot: SlotName,
    /// The secret that is of no use any more.
    stale: Arc<Opened>,
}

impl Credentials {
    /// A secret newer than `stale`: the one that somebody else has just brought, or a fresh one.
    pub(super) async fn refresh(
        &self,
        at: &Authority,
        connection: &Connection,
        manifest: &Arc<Manifest>,
        slot: &SlotName,
        stale: Arc<Opened>,
    ) -> Result<Arc<Opened>, CredentialError> {
        let flight = {
            let mut flights = self.inner.flights.lock();
            flights.retain(|_, flight| Arc::strong_count(flight) > 1);
            flights.entry(slot_key(at, slot)).or_default().clone()
        };
        let guard = flight.lock_owned().await;
        let refresh = Refresh {
            at: at.clone(),
            connection: connection.clone(),
            manifest: manifest.clone(),
            slot: slot.clone(),
            stale,
        };
        // Its own task: an invocation that is cancelled must not take an answer with it that cannot be had again.
        let inner = self.inner.clone();
        let task = tokio::spawn(async move { inner.refresh(refresh, guard).await });
        task.await
            .unwrap_or_else(|error| Err(CredentialError::Unreachable(format!("the refresh was stopped: {error}"))))
    }
}

impl Inner {
    async fn refresh(&self, refresh: Refresh, _guard: OwnedMutexGuard<()>) -> Result<Arc<Opened>, CredentialError> {
        let deadline = Instant::now() + OTHERS;
        loop {
            let opened = self.read(&refresh.at, &refresh.slot).await?;
            self.usable(&opened)?;
            if refresh.is_done(&opened) {
                return Ok(opened);
            }
            match self.vault.lease(&refresh.at, &refresh.slot, &self.holder).await {
                Ok(lease) => {
                    let outcome = self.refresh_leased(&refresh).await;
                    // The lease ends by itself; what was brought counts whether or not it could be given back.
                    if let Err(error) = self.vault.release(&refresh.at, &refresh.slot, &lease).await {
                        tracing::warn!(%error, "a refresh lease could not be released");
                    }
                    match outcome {
                        Err(CredentialError::Store(StoreError::Conflict { .. })) if Instant::now() < deadline => {}
                        outcome => return outcome,
                    }
                }
                Err(StoreError::Held { .. }) if Instant::now() < deadline => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn refresh_leased(&self, refresh: &Refresh) -> Result<Arc<Opened>, CredentialError> {
        let Refresh { at, connection, manifest, slot, .. } = refresh;
        let (method, credential) = flavour(connection, manifest, slot)?;
        let opened = self.read(at, slot).await?;
        self.usable(&opened)?;
        if refresh.is_done(&opened) {
            return Ok(opened);
        }
        let Some(token) = opened.refresh.as_ref().filter(|_| renews(method, credential)) else {
            let why = "the token has ended and there is none to refresh it with";
            return Err(self.give_up(at, credential, &opened, Lost::Unusable(why)).await);
        };
        if opened.sealed.state == SecretState::Refreshing && credential.rotates {
            let why = "a refresh was interrupted, and the provider may have replaced the token meanwhile";
            return Err(self.give_up(at, credential, &opened, Lost::Unusable(why)).await);
        }
        let client = self.client(at.tenant(), connection.provider.as_str()).await?;
        let marked = self.mark(at, slot, &opened.sealed, SecretState::Refreshing).await?;

        let brought = match (method, &credential.refresh_reply) {
            (AuthMethod::OAuth2Code(oauth), Some(reply)) => {
                let parameters = [("grant_type", "refresh_token"), ("refresh_token", token.expose())];
                let answer = self.ask_token(manifest, &oauth.token, Manner::of(oauth), &client, &parameters).await;
                answer.and_then(|answer| Tokens::expect(reply, &answer))
            }
            _ => self.assert(manifest, token, &opened.sealed.scopes).await,
        };
        match brought {
            Ok(tokens) => self.commit(at, slot, &opened, &marked, tokens).await,
            Err(failure) => {
                let marked = Opened { sealed: marked, access: opened.access.clone(), refresh: opened.refresh.clone() };
                let error = match failure {
                    TokenFailure::Final(code) => {
                        // Somebody without our lease may have been first; then theirs counts, and the loop finds it.
                        let now = self.read(at, slot).await?;
                        if now.sealed.generation != marked.sealed.generation {
                            return Err(conflict(slot));
                        }
                        let why = format!("the provider refuses the refresh token ({code})");
                        return Err(self.give_up(at, credential, &marked, Lost::Unusable(&why)).await);
                    }
                    TokenFailure::Lost(why) if credential.rotates => {
                        let why = format!(
                            "the answer to a refresh was lost, and the provider may have replaced the token ({why})"
                        );
                        return Err(self.give_up(at, credential, &marked, Lost::Unusable(&why)).await);
                    }
                    TokenFailure::Nothing(why) | TokenFailure::Lost(why) => CredentialError::Unreachable(why),
                    TokenFailure::Refused(why) => CredentialError::Refused(why),
                    TokenFailure::Ours(error) => error,
                };
                // Nothing was changed at the provider: the secret is what it was.
                self.mark(at, slot, &marked.sealed, SecretState::Live).await?;
                Err(error)
            }
        }
    }

    /// Writes the row again with another state; answers it with its new generation.
    async fn mark(
        &self,
        at: &Authority,
        slot: &SlotName,
        row: &SealedSecret,
        state: SecretState,
    ) -> Result<SealedSecret, CredentialError> {
        let mut row = SealedSecret { state, ..row.clone() };
        row.generation = self.vault.replace(at, slot, Some(row.generation), &row).await?;
        Ok(row)
    }

    async fn commit(
        &self,
        at: &Authority,
        slot: &SlotName,
        old: &Opened,
        marked: &SealedSecret,
        tokens: Tokens,
    ) -> Result<Arc<Opened>, CredentialError> {
        let refresh = tokens.refresh.or_else(|| old.refresh.clone());
        let mut sealed = self.seal(at, slot, &tokens.access, refresh.as_ref()).await?;
        sealed.expires = tokens.expires_in.map(|seconds| self.clock.now().plus(seconds.saturating_mul(1000)));
        sealed.scopes = tokens.scopes.unwrap_or_else(|| marked.scopes.clone());
        sealed.generation = self.vault.replace(at, slot, Some(marked.generation), &sealed).await?;
        let opened = Arc::new(Opened { sealed, access: tokens.access, refresh });
        self.opened.lock().insert(slot_key(at, slot), opened.clone());
        Ok(opened)
    }
}

impl Refresh {
    /// Whether `found` is newer than what was of no use. Judged by the token and its end: marking a row changes its
    /// generation, too.
    fn is_done(&self, found: &Opened) -> bool {
        let newer =
            found.access.expose() != self.stale.access.expose() || found.sealed.expires != self.stale.sealed.expires;
        found.sealed.state == SecretState::Live && newer
    }
}

fn conflict(slot: &SlotName) -> CredentialError {
    CredentialError::Store(StoreError::Conflict {
        what: format!("the secret in the slot {slot}"),
        found: "a newer one".to_owned(),
    })
}
