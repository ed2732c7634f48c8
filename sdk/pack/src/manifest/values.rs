//! Values with a form of their own: durations, rates, pointers, URLs, headers.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Position, Url};

/// A value that does not have its form; the text says which form it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(crate) String);

/// Serde, `Display` and conversions for a type that is written as a string.
macro_rules! as_string {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = ValueError;

            fn try_from(value: String) -> Result<Self, ValueError> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}
pub(crate) use as_string;

/// A length of time as it is written: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    count: u64,
    unit_millis: u64,
}

/// What a unit is called, and its length in milliseconds.
const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The longest span, a leap year: it bounds what later sums and clocks must hold.
const LONGEST_MILLIS: u64 = 366 * 86_400_000;

impl Span {
    /// The length.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.count * self.unit_millis)
    }
}

impl FromStr for Span {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad =
            || ValueError(format!("{text:?} is no duration: write a number above 0 and ms, s, m, h or d, as \"5m\""));
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, unit) = text.split_at(digits);
        let count: u64 = count.parse().map_err(|_| bad())?;
        let (_, unit_millis) = *UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        match count.checked_mul(unit_millis) {
            Some(1..=LONGEST_MILLIS) => Ok(Self { count, unit_millis }),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, millis)| *millis == self.unit_millis).map_or("", |(name, _)| name);
        write!(f, "{}{unit}", self.count)
    }
}

as_string!(Span);

/// So many requests in so long: `300/10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// Requests in one window, at least 1.
    pub count: u32,
    /// The window.
    pub window: Span,
}

impl FromStr for Rate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = || ValueError(format!("{text:?} is no rate: write requests/time, as \"300/10s\""));
        let (count, window) = text.split_once('/').ok_or_else(bad)?;
        let count = count.parse().ok().filter(|count| *count > 0).ok_or_else(bad)?;
        Ok(Self { count, window: window.parse().map_err(|_| bad())? })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.window)
    }
}

as_string!(Rate);

/// An RFC 6901 JSON pointer: empty (the whole document) or `/` and a name, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer(String);

impl Pointer {
    /// The pointer as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it points to.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.pointer(&self.0)
    }
}

impl FromStr for Pointer {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if escapes && (text.is_empty() || text.starts_with('/')) {
            return Ok(Self(text.to_owned()));
        }
        Err(ValueError(format!(
            "{text:?} is no JSON pointer: write it as \"/name/inner\" (\"~\" is ~0, \"/\" in a name is ~1)"
        )))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_string!(Pointer);

/// One pointer or several; the first that finds something counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointers(Vec<Pointer>);

impl Pointers {
    /// In the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Pointer> {
        self.0.iter()
    }

    /// What the first pointer that finds a value other than null finds.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().find_map(|pointer| pointer.find(value).filter(|found| !found.is_null()))
    }
}

impl Serialize for Pointers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Pointers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pointers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pointers, E> {
                Ok(Pointers(vec![text.parse().map_err(E::custom)?]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Pointers, A::Error> {
                let mut pointers = Vec::new();
                while let Some(pointer) = list.next_element()? {
                    pointers.push(pointer);
                }
                if pointers.is_empty() {
                    return Err(serde::de::Error::invalid_length(0, &self));
                }
                Ok(Pointers(pointers))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A value that an answer or a parameter is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl Scalar {
    /// Whether a JSON value is this. Query and form values are always text, so `"true"` equals `true` there
    /// and everywhere.
    #[must_use]
    pub fn equals(&self, value: &Value) -> bool {
        let own = self.to_string();
        match value {
            Value::String(text) => *text == own,
            Value::Bool(truth) => own == truth.to_string(),
            Value::Number(number) => own == number.to_string(),
            _ => false,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// `https://host[:port]` and nothing else. Kept as [`Url`] with the path `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginUrl(Url);

impl OriginUrl {
    /// The origin as a URL with the path `/`.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether a URL lies in this origin: the same scheme, host and effective port.
    #[must_use]
    pub fn contains(&self, url: &Url) -> bool {
        // What `Url::origin` compares, without an owned copy of each host: every request is held against every origin.
        let own = &self.0;
        own.scheme() == url.scheme()
            && own.host() == url.host()
            && own.port_or_known_default() == url.port_or_known_default()
    }

    /// The origin as it is spelt: no path, no default port, the host in ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0[..Position::BeforePath]
    }
}

impl FromStr for OriginUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let url = https(text)?;
        let bare = url.path() == "/" && url.query().is_none() && !text.ends_with('?') && !text.ends_with('/');
        if !bare {
            return Err(ValueError(format!(
                "{text:?} is more than an origin: write {:?} here and the path in the routes",
                url.origin().ascii_serialization()
            )));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

as_string!(OriginUrl);

/// An absolute https URL of an auth endpoint, with a path and without user, password or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointUrl {
    text: String,
    url: Url,
}

impl EndpointUrl {
    /// The URL. Placeholders (`{token}` in a path that revokes) are percent-encoded in it: see
    /// [`EndpointUrl::as_str`].
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for EndpointUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Ok(Self { url: https(text)?, text: text.to_owned() })
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

as_string!(EndpointUrl);

fn https(text: &str) -> Result<Url, ValueError> {
    let bad = |why: &str| ValueError(format!("{text:?} {why}"));
    let url = Url::parse(text)
        .map_err(|error| bad(&format!("is no URL ({error}): write it as \"https://api.example.com\"")))?;
    if url.scheme() != "https" {
        return Err(bad("is not https: write the service's https address (an operator re-points it for tests)"));
    }
    match url.host() {
        Some(url::Host::Domain(host)) if host.contains('.') && !host.ends_with('.') => {}
        _ => return Err(bad("has no public host name: write a domain (an operator re-points it to an address)")),
    }
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
        return Err(bad("carries a user or password: remove it"));
    }
    if url.fragment().is_some() {
        return Err(bad("has a fragment: remove what follows \"#\""));
    }
    Ok(url)
}

/// The name of a header, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HeaderName(String);

impl HeaderName {
    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this header frames, routes, identifies or authorises a request: such a header is never a guest's to
    /// set, whatever the manifest says.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        is_forbidden_header(&self.0)
    }
}

/// Whether a header is never a guest's to set: it frames, routes, identifies or authorises a request, or names
/// another method. `name` may be in any case.
#[must_use]
pub fn is_forbidden_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    const NAMES: &[&str] = &[
        "authorization",
        "cookie",
        "cookie2",
        "set-cookie",
        "host",
        "origin",
        "referer",
        "user-agent",
        "date",
        "via",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "accept-encoding",
        "te",
        "trailer",
        "connection",
        "keep-alive",
        "upgrade",
        "expect",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-method",
        "http2-settings",
        "alt-used",
        "x-api-key",
    ];
    NAMES.contains(&name.as_str())
        || ["proxy-", "x-forwarded", "sec-", "cf-", ":"].iter().any(|prefix| name.starts_with(prefix))
}

impl FromStr for HeaderName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let token = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "!#$%&'*+-.^_`|~".contains(c);
        if text.is_empty() || !text.chars().all(token) {
            let lower = text.to_ascii_lowercase();
            return Err(ValueError(format!(
                "{text:?} is no header name: write it in lower case, as {:?}",
                if lower.chars().all(token) && !lower.is_empty() { &lower } else { "x-example" }
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_string!(HeaderName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_rates_say_what_they_mean() {
        for (text, millis) in [("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000), ("250ms", 250), ("1s", 1_000)]
        {
            let span: Span = text.parse().expect(text);
            assert_eq!((span.duration().as_millis(), span.to_string().as_str()), (millis, text));
        }
        for bad in ["", "5", "m", "0s", "-1s", "1.5h", "5 m", "1y", "99999999999999999999d", "367d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
        let rate: Rate = "300/10s".parse().expect("a rate");
        assert_eq!((rate.count, rate.window.duration().as_secs(), rate.to_string().as_str()), (300, 10, "300/10s"));
        for bad in ["300", "/10s", "0/1s", "3/0s", "3 / 1s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_origin_is_https_and_nothing_more() {
        for good in ["https://api.trello.com", "https://example.com:8443"] {
            assert_eq!(good.parse::<OriginUrl>().expect(good).to_string(), good);
        }
        for bad in [
            "http://api.trello.com",
            "https://api.trello.com/1",
            "https://api.trello.com/",
            "https://a@b.com",
            "https://b.com?x=1",
            "https://b.com?",
            "https://b.com#x",
            "https://localhost",
            "https://127.0.0.1",
            "https://[::1]",
            "https://2130706433",
            "https://b.com.",
            "ftp://b.com",
            "b.com",
        ] {
            assert!(bad.parse::<OriginUrl>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pointers_are_rfc_6901() {
        for good in ["", "/a", "/a/0/b", "/a~1b", "/~0"] {
            assert!(good.parse::<Pointer>().is_ok(), "{good:?}");
        }
        for bad in ["a", "a/b", "/~", "/~2", "#/a"] {
            assert!(bad.parse::<Pointer>().is_err(), "{bad:?}");
        }
        let both: Pointers = serde_json::from_str(r#"["/a/b", "/c"]"#).expect("two pointers");
        assert_eq!(both.find(&serde_json::json!({"a": {"b": null}, "c": 1})), Some(&1.into()));
    }

    #[test]
    fn framing_and_credentials_are_never_a_guests_headers() {
        for name in [
            "Authorization",
            "COOKIE",
            "host",
            "x-http-method-override",
            "x-forwarded-for",
            "proxy-authorization",
            "transfer-encoding",
        ] {
            assert!(is_forbidden_header(name), "{name}");
        }
        for name in ["accept", "range", "notion-version", "if-match", "content-type", "content-range"] {
            assert!(!is_forbidden_header(name), "{name}");
        }
    }
}
