//! What issuers say of themselves: discovery documents and keys, read when needed and believed for an hour.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl, ProviderMetadata,
};
use parking_lot::Mutex;
use sallyport::wire::chain;
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::SignInError;
use super::http::{Http, HttpError};
use crate::origin::is_loopback;

/// How long a discovery document and its keys are believed.
pub(super) const LIFE: Duration = Duration::from_secs(60 * 60);
/// How often keys are read again because of a token whose key is not among them: anybody can send such a token.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// How long an issuer that failed is not asked again, so that those who wait do not fail one after the other.
const QUIET: Duration = Duration::from_secs(3);

/// What a discovery document says beside what OpenID Connect Discovery knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct More {
    /// Whether its answers name it (RFC 9207): then one that does not is not its.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

/// A discovery document, with the keys.
pub(super) type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

#[derive(Default)]
struct Slot {
    known: Option<Known>,
    failed: Option<(Instant, Failed)>,
}

struct Known {
    metadata: Arc<Metadata>,
    read: Instant,
    keys_read_again: Option<Instant>,
}

type Response = BoxFuture<'static, Result<HttpResponse, HttpError>>;

/// Issuers that were asked. One of a tenant's each, so they are as many as operators pinned.
pub(super) struct Issuers {
    http: Arc<Http>,
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
    life: Duration,
    pause: Duration,
}

impl Issuers {
    pub(super) fn new(life: Duration, pause: Duration) -> Self {
        Self { http: Arc::default(), slots: Mutex::default(), life, pause }
    }

    /// What the issuer says of itself.
    pub(super) async fn metadata(&self, issuer: &str) -> Result<Arc<Metadata>, SignInError> {
        let slot = Arc::clone(self.slots.lock().entry(issuer.to_owned()).or_default());
        // One asks, the others wait for what it hears.
        let mut slot = slot.lock().await;
        if let Some(known) = slot.known.as_ref().filter(|known| known.read.elapsed() < self.life) {
            return Ok(Arc::clone(&known.metadata));
        }
        if let Some((_, failed)) = slot.failed.as_ref().filter(|(at, _)| at.elapsed() < QUIET) {
            return Err(failed.clone().about(issuer));
        }
        match self.discover(issuer).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                let known = Known { metadata: Arc::clone(&metadata), read: Instant::now(), keys_read_again: None };
                *slot = Slot { known: Some(known), failed: None };
                Ok(metadata)
            }
            Err(failed) => {
                *slot = Slot { known: None, failed: Some((Instant::now(), failed.clone())) };
                Err(failed.about(issuer))
            }
        }
    }

    /// The issuer's keys, read again: for a token whose key is not among those of `stale`. Where that was done just
    /// now, what was found then.
    pub(super) async fn newer_keys(&self, issuer: &str, stale: &Arc<Metadata>) -> Result<Arc<Metadata>, SignInError> {
        let slot = Arc::clone(self.slots.lock().entry(issuer.to_owned()).or_default());
        let mut slot = slot.lock().await;
        let Some(known) = &mut slot.known else { return Ok(Arc::clone(stale)) };
        let now = Instant::now();
        let lately = known.keys_read_again.is_some_and(|at| now.duration_since(at) < self.pause);
        if lately || !Arc::ptr_eq(&known.metadata, stale) {
            return Ok(Arc::clone(&known.metadata));
        }
        known.keys_read_again = Some(now);
        let http = self.way(issuer);
        let keys = CoreJsonWebKeySet::fetch_async(stale.jwks_uri(), &http).await;
        let keys = keys.map_err(|error| Failed::from(error).about(issuer))?;
        known.metadata = Arc::new(Metadata::clone(stale).set_jwks(keys));
        Ok(Arc::clone(&known.metadata))
    }

    async fn discover(&self, issuer: &str) -> Result<Metadata, Failed> {
        let url = IssuerUrl::new(issuer.to_owned()).map_err(|error| Failed::Unusable(error.to_string()))?;
        let http = self.way(issuer);
        Ok(Metadata::discover_async(url, &http).await?)
    }

    /// The way to an issuer, as the library wants it. It borrows nothing: a future that did would not be `Send` enough.
    pub(super) fn way(&self, issuer: &str) -> impl Fn(HttpRequest) -> Response + Send + Sync + use<> {
        let plain = Url::parse(issuer).is_ok_and(|issuer| issuer.scheme() == "http" && is_loopback(&issuer));
        let http = Arc::clone(&self.http);
        move |request| {
            let http = Arc::clone(&http);
            Box::pin(async move { http.call(plain, request).await })
        }
    }
}

/// How asking an issuer about itself failed.
#[derive(Clone)]
enum Failed {
    Unreachable(String),
    Unusable(String),
}

impl Failed {
    fn about(self, issuer: &str) -> SignInError {
        let issuer = issuer.to_owned();
        match self {
            Self::Unreachable(why) => SignInError::Unreachable { issuer, why },
            Self::Unusable(why) => SignInError::Issuer { issuer, why },
        }
    }
}

impl From<DiscoveryError<HttpError>> for Failed {
    fn from(error: DiscoveryError<HttpError>) -> Self {
        match error {
            DiscoveryError::Request(HttpError::Failed(why)) => Self::Unreachable(why),
            DiscoveryError::Request(error) => Self::Unusable(error.to_string()),
            // The body is not told: it may be anything.
            DiscoveryError::Response(status, ..) if status.is_server_error() => {
                Self::Unreachable(format!("it answers {status}"))
            }
            other => Self::Unusable(chain(&other)),
        }
    }
}
