//! The HTTP clients, and where requests really go. Egress and the token endpoint share it; nothing else opens a socket.

mod address;
mod repoint;
mod resolve;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use url::Url;

pub use address::is_public;
pub use repoint::{BadRepoint, Repoint};
pub use resolve::{Lookup, SystemLookup};
use resolve::{PinnedOnly, Pins, Unresolved};

use crate::ids::OriginName;
use sallyport_pack::manifest::EndpointUrl;

/// A pooled connection that has been idle longer is not used again: a service may be closing it just then, and a write
/// that meets this is in doubt.
const IDLE: Duration = Duration::from_secs(15);

/// How requests are carried.
#[derive(Clone, Debug)]
pub struct WireConfig {
    /// To be connected within. Default 5 s.
    pub connect_timeout: Duration,
    /// From the first byte sent to the last received. Default 30 s.
    pub timeout: Duration,
    /// Origins and endpoints that the operator sends elsewhere.
    pub repoint: Repoint,
}

impl Default for WireConfig {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(5), timeout: Duration::from_secs(30), repoint: Repoint::default() }
    }
}

/// Where a request really goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: Url,
    /// Whether the operator chose it: then its address is the operator's to answer for.
    pub(crate) repointed: bool,
}

/// Why a target cannot be connected to.
#[derive(Debug)]
pub(crate) enum NoWay {
    /// It leads to an address that is not public.
    Private(String, IpAddr),
    /// Its name does not resolve, or there is no TLS to be had.
    Unreachable(String),
}

/// The clients.
pub struct Wire {
    config: WireConfig,
    pins: Arc<Pins>,
    public: OnceLock<Result<reqwest::Client, String>>,
    repointed: OnceLock<Result<reqwest::Client, String>>,
}

impl Wire {
    /// Clients that resolve names with the system's resolver.
    #[must_use]
    pub fn new(config: WireConfig) -> Self {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// Clients with a resolver of the embedder's.
    #[must_use]
    pub fn with_lookup(config: WireConfig, lookup: Arc<dyn Lookup>) -> Self {
        let pins = Arc::new(Pins::new(lookup));
        Self { config, pins, public: OnceLock::new(), repointed: OnceLock::new() }
    }

    /// What the operator re-points.
    #[must_use]
    pub fn repoint(&self) -> &Repoint {
        &self.config.repoint
    }

    /// Where a URL in a declared origin really goes.
    pub(crate) fn origin(&self, connector: &str, origin: &OriginName, url: &Url) -> Target {
        match self.config.repoint.origin(connector, origin.as_str()) {
            Some(base) => Target { url: repoint::onto(base, url), repointed: true },
            None => Target { url: url.clone(), repointed: false },
        }
    }

    /// Where an auth endpoint really is. `which` is `authorize`, `token` or `revoke`.
    pub(crate) fn endpoint(&self, connector: &str, which: &str, endpoint: &EndpointUrl) -> Target {
        match self.config.repoint.endpoint(connector, which, endpoint) {
            Some(url) => Target { url, repointed: true },
            None => Target { url: endpoint.url().clone(), repointed: false },
        }
    }

    /// Resolves and judges a target, so that [`Self::client`]'s connection goes to a vetted address.
    pub(crate) async fn vet(&self, target: &Target) -> Result<(), NoWay> {
        if target.repointed {
            return Ok(());
        }
        match target.url.host() {
            Some(url::Host::Domain(host)) => self.pins.pin(host).await.map_err(|error| match error {
                Unresolved::Private(address) => NoWay::Private(host.to_owned(), address),
                Unresolved::Failed(why) => NoWay::Unreachable(why),
            }),
            // No manifest can declare such an origin; an address literal would pass no resolver.
            Some(url::Host::Ipv4(address)) => Err(NoWay::Private(address.to_string(), address.into())),
            Some(url::Host::Ipv6(address)) => Err(NoWay::Private(address.to_string(), address.into())),
            None => Err(NoWay::Unreachable("the URL has no host".to_owned())),
        }
    }

    /// The client for a target.
    pub(crate) fn client(&self, target: &Target) -> Result<&reqwest::Client, String> {
        let client = if target.repointed {
            self.repointed.get_or_init(|| self.builder().build().map_err(|error| chain(&error)))
        } else {
            self.public.get_or_init(|| {
                let builder = self.builder().https_only(true).dns_resolver(PinnedOnly(self.pins.clone()));
                builder.build().map_err(|error| format!("no TLS: {} (are ca-certificates installed?)", chain(&error)))
            })
        };
        client.as_ref().map_err(Clone::clone)
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        // Whichever was installed first stays; an embedder may have chosen another.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.config.connect_timeout)
            .timeout(self.config.timeout)
            .pool_idle_timeout(IDLE)
    }
}

/// How an exchange broke.
#[derive(Debug)]
pub(crate) enum Broken {
    /// No byte was written.
    BeforeSending(String),
    /// Some may have been.
    Midway(String),
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        // Queries may hold what is nobody's business; the caller names the target.
        let error = error.without_url();
        let before = error.is_connect() || error.is_builder();
        let why = chain(&error);
        if before { Self::BeforeSending(why) } else { Self::Midway(why) }
    }
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Every name leads to this machine.
    struct Loopback(AtomicUsize);

    #[async_trait::async_trait]
    impl Lookup for Loopback {
        async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
        }
    }

    #[tokio::test]
    async fn the_client_itself_connects_to_judged_addresses_only() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let lookup = Arc::new(Loopback(AtomicUsize::new(0)));
        let wire = Wire::with_lookup(WireConfig::default(), lookup.clone());
        let url = Url::parse(&format!("https://api.acme.example:{port}/")).expect("a URL");
        let target = Target { url: url.clone(), repointed: false };
        assert!(matches!(wire.vet(&target).await, Err(NoWay::Private(..))));

        // Even asked without having vetted anything.
        let client = wire.client(&target).expect("TLS, for which ca-certificates have to be installed");
        let error = Broken::from(client.get(url).send().await.expect_err("refused"));
        assert!(
            matches!(&error, Broken::BeforeSending(why) if why.contains("127.0.0.1, which is no public address")),
            "{error:?}"
        );
        assert_eq!(lookup.0.load(Ordering::SeqCst), 2);
        let plain = Url::parse(&format!("http://api.acme.example:{port}/")).expect("a URL");
        assert!(client.get(plain).send().await.is_err(), "https only");
        let accepted = futures::poll!(std::pin::pin!(listener.accept()));
        assert!(accepted.is_pending(), "a socket was opened");
    }

    #[tokio::test]
    async fn an_address_literal_is_no_public_target() {
        let wire = Wire::new(WireConfig::default());
        for url in ["https://8.8.8.8/", "https://[2606:4700::1111]/", "https://127.0.0.1/"] {
            let target = Target { url: Url::parse(url).expect("a URL"), repointed: false };
            assert!(matches!(wire.vet(&target).await, Err(NoWay::Private(..))), "{url}");
        }
    }
}
