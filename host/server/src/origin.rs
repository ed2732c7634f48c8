//! Where this host is, as its callers see it, and where a caller is.
//!
//! What a proxy says in `X-Forwarded-*` counts only when the proxy is one that the operator trusts: anybody else could
//! say anything, and get redirects that lead elsewhere. Where a host is behind a proxy, `public_url` is the sure way.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use ipnet::IpNet;
use url::{Host, Url};

use crate::api::error::ApiError;
use crate::app::App;
use crate::config::ConfigError;

/// This host's address as a browser sees it: scheme, host and port, and the path `/`.
///
/// It is `public_url` of the configuration alone, where there is one. Otherwise a trusted proxy says it, and where none
/// does it is the address that the host listens on.
#[must_use]
pub fn public_url(app: &App, peer: Option<SocketAddr>, headers: &HeaderMap) -> Url {
    app.origins().public_url(peer, headers)
}

/// The address of whoever asks, by way of trusted proxies; `None` where the socket's other end is not known.
#[must_use]
pub fn client_address(app: &App, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    app.origins().client_address(peer, headers)
}

/// The socket's other end, where the server was told to keep it (`into_make_service_with_connect_info`).
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<SocketAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)))
    }
}

/// [`public_url`] of the request.
#[derive(Clone, Debug)]
pub struct PublicUrl(pub Url);

impl FromRequestParts<App> for PublicUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let Peer(peer) = Peer::from_request_parts(parts, app).await?;
        Ok(Self(public_url(app, peer, &parts.headers)))
    }
}

/// A request that a page of this host made, and no other site's. Every route that counts a cookie and changes something
/// asks for it: a browser sends cookies along whoever wrote the page.
#[derive(Clone, Copy, Debug)]
pub struct SameOrigin;

impl FromRequestParts<App> for SameOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Ok(PublicUrl(url)) = PublicUrl::from_request_parts(parts, app).await;
        match same_origin(&parts.headers, &url) {
            true => Ok(Self),
            false => Err(ApiError::forbidden(format!(
                "this counts a cookie, so only a page of {url} may ask for it: open the page there, or set `public_url` \
                 in config.toml to the address in your browser"
            ))),
        }
    }
}

/// Both headers are a browser's own to set. `Sec-Fetch-Site` is sent by every browser of today over TLS and to
/// loopback; `Origin` with every POST. What sends neither is no browser, and has no business with cookies.
fn same_origin(headers: &HeaderMap, url: &Url) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // A page that gives no referrer sends `null` with a form: that says nothing.
    let origin = text(ORIGIN.as_str()).filter(|origin| *origin != "null");
    let site = text("sec-fetch-site");
    let named = origin.is_none_or(|origin| origin == url.origin().ascii_serialization());
    named && site.is_none_or(|site| site == "same-origin") && (origin.is_some() || site.is_some())
}

/// What the configuration says about addresses, and where the host listens.
#[derive(Debug, Default)]
pub struct Origins {
    fixed: Option<Url>,
    proxies: Vec<IpNet>,
    listening: OnceLock<SocketAddr>,
}

impl Origins {
    /// From `public_url` and `trusted_proxies`.
    ///
    /// # Errors
    /// [`ConfigError::Address`] names the value that is not of its form.
    pub fn new(public_url: Option<&str>, trusted_proxies: &[String]) -> Result<Self, ConfigError> {
        let fixed = public_url.map(|text| {
            let bad = || ConfigError::Address {
                key: "public_url",
                value: text.into(),
                wanted: "an http or https address without a path, as https://sallyport.example",
            };
            Url::parse(text).ok().filter(is_origin).ok_or_else(bad)
        });
        let proxy = |text: &String| {
            let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| ConfigError::Address {
                key: "trusted_proxies",
                value: text.clone(),
                wanted: "addresses or networks, as 10.0.0.0/8",
            })
        };
        Ok(Self {
            fixed: fixed.transpose()?,
            proxies: trusted_proxies.iter().map(proxy).collect::<Result<_, _>>()?,
            listening: OnceLock::new(),
        })
    }

    /// Tells where the host listens. The first word counts.
    pub fn listens(&self, address: SocketAddr) {
        // That it was told before is no error: a host serves once.
        let _ = self.listening.set(address);
    }

    fn trusted(&self, address: IpAddr) -> bool {
        // A socket for both families names IPv4 peers in IPv6.
        let address = address.to_canonical();
        self.proxies.iter().any(|network| network.contains(&address))
    }

    fn public_url(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Url {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        let forwarded = peer.filter(|peer| self.trusted(peer.ip())).and_then(|_| {
            let scheme = last(headers, "x-forwarded-proto");
            let host = last(headers, "x-forwarded-host");
            if scheme.is_none() && host.is_none() {
                return None;
            }
            let host = host.or_else(|| last(headers, HOST.as_str()))?;
            origin(scheme.unwrap_or("http"), host)
        });
        forwarded.unwrap_or_else(|| self.own(headers))
    }

    /// Where the host listens. `localhost` and the loopback addresses are names of one place, and a browser keeps
    /// cookies by name: the one that it used is the one that counts. No other name of the `Host` header does.
    fn own(&self, headers: &HeaderMap) -> Url {
        let listening = self.listening.get().copied().unwrap_or(crate::cli::DEFAULT_LISTEN);
        let loopback = listening.ip().is_loopback() || listening.ip().is_unspecified();
        let port = listening.port();
        let named = last(headers, HOST.as_str()).and_then(|host| origin("http", host));
        if let Some(named) = named
            && loopback
            && is_loopback(&named)
            && named.port_or_known_default() == Some(port)
        {
            return named;
        }
        let address = match listening.ip().is_unspecified() {
            true => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
            false => listening,
        };
        origin("http", &address.to_string()).unwrap_or_else(|| unreachable!("a socket's address is one of a URL"))
    }

    fn client_address(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?.ip().to_canonical();
        // From the nearest proxy outwards: each address was written by the one after it, so the first that we do not
        // trust is the last that we can believe.
        let mut hops: Vec<&str> = Vec::new();
        for value in headers.get_all("x-forwarded-for") {
            hops.extend(value.to_str().unwrap_or_default().split(',').map(str::trim));
        }
        let mut known = peer;
        while self.trusted(known)
            && let Some(hop) = hops.pop()
        {
            match address(hop) {
                Some(hop) => known = hop.to_canonical(),
                None => break,
            }
        }
        Some(known)
    }
}

/// Whether a URL leads to this very machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The last of a header's values: the one that the nearest proxy wrote.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

fn origin(scheme: &str, host: &str) -> Option<Url> {
    let scheme = scheme.to_ascii_lowercase();
    Url::parse(&format!("{scheme}://{host}/")).ok().filter(is_origin)
}

fn is_origin(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && (url.query(), url.fragment()) == (None, None)
        && (url.username(), url.password()) == ("", None)
}

/// An address as proxies write it: alone, with a port, an IPv6 one perhaps in brackets.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())).or_else(|| {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse().ok()
    })
}

#[cfg(test)]
mod tests;
