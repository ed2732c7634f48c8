//! From a host's name to the addresses that may be connected to.
//!
//! A name is resolved once, every address is judged, and the connection is made to those very addresses: the client's
//! resolver answers from here only, so that a second look-up cannot say something else.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::address::is_public;

/// How long a judged answer is used. Short, because an answer says nothing about how long it holds.
const KEPT: Duration = Duration::from_secs(60);

/// Asks for a name's addresses. Its own trait so that tests, and embedders with a resolver of theirs, can answer.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of `host`, in order of preference.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 443)).await?.map(|address| address.ip()).collect())
    }
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// One of its addresses is not public.
    Private(IpAddr),
    /// It has none, or the resolver failed.
    Failed(String),
}

/// Judged addresses by host.
pub(super) struct Pins {
    lookup: Arc<dyn Lookup>,
    judged: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Pins {
    pub(super) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, judged: Mutex::default() }
    }

    /// Resolves and judges `host`. One address that is not public refuses it whole: a name that leads both ways is
    /// either an attack or a mistake.
    pub(super) async fn pin(&self, host: &str) -> Result<(), Unresolved> {
        self.pin_at(host, Instant::now()).await
    }

    async fn pin_at(&self, host: &str, now: Instant) -> Result<(), Unresolved> {
        if self.pinned(host, now).is_some() {
            return Ok(());
        }
        let addresses =
            self.lookup.lookup(host).await.map_err(|error| Unresolved::Failed(format!("{host}: {error}")))?;
        if addresses.is_empty() {
            return Err(Unresolved::Failed(format!("{host} has no address")));
        }
        if let Some(private) = addresses.iter().find(|address| !is_public(**address)) {
            return Err(Unresolved::Private(*private));
        }
        self.judged.lock().insert(host.to_owned(), (now, addresses));
        Ok(())
    }

    fn pinned(&self, host: &str, now: Instant) -> Option<Vec<IpAddr>> {
        let judged = self.judged.lock();
        judged.get(host).filter(|(at, _)| now.duration_since(*at) < KEPT).map(|(_, addresses)| addresses.clone())
    }
}

/// The resolver that is given to the HTTP client: pinned names only.
#[derive(Clone)]
pub(super) struct PinnedOnly(pub(super) Arc<Pins>);

impl reqwest::dns::Resolve for PinnedOnly {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let pins = self.0.clone();
        Box::pin(async move {
            // A pin may have run out between the judgement and now; then the name is judged again, never just resolved.
            pins.pin(name.as_str()).await.map_err(|error| match error {
                Unresolved::Private(address) => {
                    format!("{} leads to {address}, which is no public address", name.as_str())
                }
                Unresolved::Failed(why) => why,
            })?;
            let addresses = pins.pinned(name.as_str(), Instant::now()).unwrap_or_default();
            let addresses: reqwest::dns::Addrs = Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each look-up with the next list.
    struct Script(Mutex<Vec<Vec<&'static str>>>);

    #[async_trait]
    impl Lookup for Script {
        async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let answer = self.0.lock().remove(0);
            Ok(answer.into_iter().map(|text| text.parse().expect("an address")).collect())
        }
    }

    fn pins(script: &[&[&'static str]]) -> Pins {
        Pins::new(Arc::new(Script(Mutex::new(script.iter().map(|answer| answer.to_vec()).collect()))))
    }

    #[tokio::test]
    async fn a_name_that_turns_private_keeps_the_judged_address_and_is_then_refused() {
        let pins = pins(&[&["93.184.216.34"], &["127.0.0.1"]]);
        let now = Instant::now();
        pins.pin_at("api.example.com", now).await.expect("public");
        pins.pin_at("api.example.com", now).await.expect("still pinned");
        assert_eq!(pins.pinned("api.example.com", now), Some(vec!["93.184.216.34".parse().expect("an address")]));
        let later = now + KEPT;
        assert!(matches!(pins.pin_at("api.example.com", later).await, Err(Unresolved::Private(_))));
        assert_eq!(pins.pinned("api.example.com", later), None);
    }

    #[tokio::test]
    async fn a_name_that_leads_both_ways_is_refused() {
        let pins = pins(&[&["93.184.216.34", "169.254.169.254"], &[]]);
        assert!(matches!(pins.pin("api.example.com").await, Err(Unresolved::Private(_))));
        assert!(matches!(pins.pin("api.example.com").await, Err(Unresolved::Failed(_))));
    }
}
