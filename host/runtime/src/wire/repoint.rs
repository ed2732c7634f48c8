//! Origins and auth endpoints that an operator sends elsewhere: a simulator, a proxy, a self-hosted service.

use std::collections::BTreeMap;

use sallyport_pack::manifest::EndpointUrl;
use url::Url;

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{key} = {value:?} re-points nothing: write CONNECTOR.ORIGIN (or CONNECTOR.auth, .authorize, .token, .revoke) = \"http://127.0.0.1:4010\""
)]
pub struct BadRepoint {
    key: String,
    value: String,
}

/// What is re-pointed, and where to. The connector goes on saying what it always says.
///
/// Keys: `trello.api` is the origin `api` of the connector `trello`; `trello.token`, `trello.authorize` and `trello.revoke`
/// are its auth endpoints, `trello.auth` all of them. Values are `http` or `https` URLs, loopback and private ones
/// included. A path in an origin's value is put before the request's; an endpoint keeps its own path unless the value
/// has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repoint(BTreeMap<String, Url>);

impl Repoint {
    /// Reads keys and values.
    ///
    /// # Errors
    /// [`BadRepoint`] names the first that cannot be used.
    pub fn new<K: AsRef<str>, V: AsRef<str>>(lines: impl IntoIterator<Item = (K, V)>) -> Result<Self, BadRepoint> {
        let mut map = BTreeMap::new();
        for (key, value) in lines {
            let (key, value) = (key.as_ref(), value.as_ref());
            let bad = || BadRepoint { key: key.to_owned(), value: value.to_owned() };
            let named = key.split_once('.').is_some_and(|(connector, name)| !connector.is_empty() && !name.is_empty());
            let url = Url::parse(value).map_err(|_| bad())?;
            let plain = matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none();
            if !named || !plain {
                return Err(bad());
            }
            map.insert(key.to_owned(), url);
        }
        Ok(Self(map))
    }

    /// Where an auth endpoint (`authorize`, `token`, `revoke`) is instead.
    #[must_use]
    pub fn endpoint(&self, connector: &str, which: &str, endpoint: &EndpointUrl) -> Option<Url> {
        let base = self.get(connector, which).or_else(|| self.get(connector, "auth"))?;
        Some(if base.path() == "/" { onto(base, endpoint.url()) } else { base.clone() })
    }

    pub(super) fn origin(&self, connector: &str, origin: &str) -> Option<&Url> {
        self.get(connector, origin)
    }

    /// A URL that a re-pointed service names itself by, as the connector knows it: `None` if it is none of these.
    pub(crate) fn back(&self, connector: &str, origin: &str, declared: &Url, url: &Url) -> Option<Url> {
        let base = self.get(connector, origin).filter(|base| base.origin() == url.origin())?;
        let path = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
        let mut back = declared.clone();
        back.set_path(path);
        back.set_query(url.query());
        Some(back)
    }

    fn get(&self, connector: &str, name: &str) -> Option<&Url> {
        self.0.get(&format!("{connector}.{name}"))
    }
}

/// `url` with scheme, host and port of `base`, and its path below that of `base`.
pub(super) fn onto(base: &Url, url: &Url) -> Url {
    let mut moved = base.clone();
    moved.set_path(&format!("{}{}", base.path().trim_end_matches('/'), url.path()));
    moved.set_query(url.query());
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_re_pointed_keeps_its_path_and_query() {
        let repoint = Repoint::new([
            ("trello.api", "http://127.0.0.1:4010"),
            ("notion.api", "https://proxy.internal/notion/"),
            ("trello.auth", "http://127.0.0.1:4012"),
            ("trello.token", "http://127.0.0.1:4012/o/token"),
        ])
        .expect("four lines");
        let url = Url::parse("https://api.trello.com/1/boards?name=a%2Fb").expect("a URL");
        let moved = |connector: &str| onto(repoint.origin(connector, "api").expect("re-pointed"), &url);
        assert_eq!(moved("trello").as_str(), "http://127.0.0.1:4010/1/boards?name=a%2Fb");
        assert_eq!(moved("notion").as_str(), "https://proxy.internal/notion/1/boards?name=a%2Fb");
        let token: EndpointUrl = "https://auth.atlassian.com/oauth/token".parse().expect("an endpoint");
        let endpoint = |connector, which| repoint.endpoint(connector, which, &token).map(String::from);
        assert_eq!(endpoint("trello", "token").as_deref(), Some("http://127.0.0.1:4012/o/token"));
        assert_eq!(endpoint("trello", "authorize").as_deref(), Some("http://127.0.0.1:4012/oauth/token"));
        assert_eq!(endpoint("notion", "token"), None);

        let declared = Url::parse("https://api.trello.com").expect("a URL");
        let back = repoint.back("trello", "api", &declared, &Url::parse("http://127.0.0.1:4010/x?y=z").expect("a URL"));
        assert_eq!(back.map(String::from).as_deref(), Some("https://api.trello.com/x?y=z"));
        assert_eq!(
            repoint.back("trello", "api", &declared, &Url::parse("http://127.0.0.1:4011/x").expect("a URL")),
            None
        );
    }

    #[test]
    fn a_line_that_says_nothing_is_refused() {
        for (key, value) in [
            ("trello", "http://x"),
            (".api", "http://x"),
            ("trello.", "http://x"),
            ("trello.api", "x"),
            ("trello.api", "ftp://x"),
            ("trello.api", "http://u:p@x"),
            ("trello.api", "http://x?y"),
        ] {
            assert!(Repoint::new([(key, value)]).is_err(), "{key} = {value}");
        }
    }
}
