//! This host's cookies. Over TLS their names begin with `__Host-`, which browsers take from this very host alone: no
//! sibling domain and no page without TLS can put one in its place.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use url::Url;

use super::error::ApiError;

/// A cookie, by its name without the prefix.
pub(crate) struct Cookie(pub(crate) &'static str);

/// Who has signed in in this browser.
pub(crate) const SESSION: Cookie = Cookie("sallyport-session");
/// Somebody is at a provider, to connect an account.
pub(crate) const CONSENT: Cookie = Cookie("sallyport-connect");
/// A sign-in under way.
pub(crate) const ATTEMPT: Cookie = Cookie("sallyport-signin");

impl Cookie {
    /// The header that sets it for some seconds, or takes it away.
    pub(crate) fn header(&self, url: &Url, value: Option<(&str, u64)>) -> Result<HeaderValue, ApiError> {
        let (value, seconds) = value.unwrap_or_default();
        let secure = if url.scheme() == "https" { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name(url));
        HeaderValue::from_str(&text).map_err(super::internal)
    }

    /// Its value, if the request has exactly one.
    pub(crate) fn of<'h>(&self, url: &Url, headers: &'h HeaderMap) -> Option<&'h str> {
        let name = self.name(url);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut found = lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter_map(|(key, value)| (key == name).then_some(value));
        match (found.next(), found.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    fn name(&self, url: &Url) -> String {
        let prefix = if url.scheme() == "https" { "__Host-" } else { "" };
        format!("{prefix}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tls_a_cookie_is_this_hosts_alone() {
        let url = Url::parse("https://sallyport.example").unwrap();
        let set = SESSION.header(&url, Some(("abc", 60))).unwrap();
        let text = "__Host-sallyport-session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(set, text);
        let cleared = SESSION.header(&url, None).unwrap();
        assert!(cleared.to_str().unwrap().starts_with("__Host-sallyport-session=; Path=/; Max-Age=0;"), "{cleared:?}");
        let plain = Url::parse("http://127.0.0.1:7070").unwrap();
        let set = ATTEMPT.header(&plain, Some(("abc", 60))).unwrap();
        assert_eq!(set, "sallyport-signin=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_cookie_that_is_there_twice_counts_as_none() {
        let url = Url::parse("https://sallyport.example").unwrap();
        let read = |line: &'static str| {
            SESSION.of(&url, &[(COOKIE, HeaderValue::from_static(line))].into_iter().collect()).map(ToOwned::to_owned)
        };
        assert_eq!(read("a=b; __Host-sallyport-session=x.y.z").as_deref(), Some("x.y.z"));
        assert_eq!(read("__Host-sallyport-session=x; __Host-sallyport-session=y"), None);
        assert_eq!(read("sallyport-session=x"), None);
    }
}
