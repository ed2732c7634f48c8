//! Which headers a guest may set.

use http::{HeaderName, HeaderValue};
use sallyport_pack::manifest::{HttpRules, is_forbidden_header};

use super::error::Refusal;

/// What every connector may set.
const ALWAYS: [&str; 2] = ["accept", "content-type"];

/// Judges a guest's headers: lower-case names, in the guest's order.
pub(super) fn check(given: &[(String, String)], rules: &HttpRules) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let mut checked: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(given.len());
    for (name, value) in given {
        let malformed =
            |why: &str| Refusal::Malformed(format!("the header {:?} {why}", name.escape_default().to_string()));
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(malformed("has no header's name"));
        };
        let allowed =
            ALWAYS.contains(&parsed.as_str()) || rules.headers.iter().any(|own| own.as_str() == parsed.as_str());
        // The packer refuses a manifest that lists a forbidden header; a sealed one is not believed to have met it.
        if !allowed || is_forbidden_header(parsed.as_str()) {
            let allowed: Vec<&str> = ALWAYS.into_iter().chain(rules.headers.iter().map(|own| own.as_str())).collect();
            return Err(Refusal::Header { name: parsed.to_string(), allowed: allowed.join(", ") });
        }
        let visible = value.bytes().all(|b| b == b' ' || b == b'\t' || b.is_ascii_graphic());
        let Some(value) = HeaderValue::from_str(value).ok().filter(|_| visible) else {
            return Err(malformed("has a value that is not printable ASCII"));
        };
        if checked.iter().any(|(own, _)| *own == parsed) {
            return Err(malformed("stands twice"));
        }
        checked.push((parsed, value));
    }
    Ok(checked)
}

/// Headers of an answer that a guest does not get: they frame the connection, or would keep state in it.
pub(super) fn is_for_guests(name: &HeaderName) -> bool {
    !matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "set-cookie"
            | "set-cookie2"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(name: &str, value: &str) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
        let rules = HttpRules { headers: vec!["range".parse().expect("a header")], ..HttpRules::default() };
        check(&[(name.to_owned(), value.to_owned())], &rules)
    }

    #[test]
    fn a_guest_sets_what_is_listed_and_nothing_else() {
        for name in ["accept", "Accept", "content-type", "Content-Type", "range"] {
            assert_eq!(judge(name, "x/y").expect(name)[0].0.as_str(), name.to_ascii_lowercase());
        }
        for name in [
            "authorization",
            "Authorization",
            "cookie",
            "Host",
            "transfer-encoding",
            "content-length",
            "connection",
            "x-http-method-override",
            "X-HTTP-Method",
            "x-method-override",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "proxy-authorization",
            "te",
            "upgrade",
            "expect",
            "user-agent",
            "x-anything",
            "if-match",
        ] {
            assert!(matches!(judge(name, "x"), Err(Refusal::Header { .. })), "{name}");
        }
    }

    #[test]
    fn nothing_can_be_smuggled_in_a_header() {
        for (name, value) in [
            ("accept", "x\r\nauthorization: y"),
            ("accept", "x\ny"),
            ("accept", "x\0"),
            ("accept", "\u{e9}"),
            ("accept\r\nx", "y"),
            ("acc ept", "y"),
            ("", "y"),
            ("accept:", "y"),
        ] {
            assert!(matches!(judge(name, value), Err(Refusal::Malformed(_))), "{name:?} {value:?}");
        }
        let twice = [("accept".to_owned(), "a".to_owned()), ("Accept".to_owned(), "b".to_owned())];
        assert!(matches!(check(&twice, &HttpRules::default()), Err(Refusal::Malformed(_))));
    }
}
