use axum::http::{HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn origins(public_url: Option<&str>, proxies: &[&str], listening: &str) -> Origins {
    let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
    let origins = Origins::new(public_url, &proxies).unwrap();
    origins.listens(listening.parse().unwrap());
    origins
}

fn peer(address: &str) -> Option<SocketAddr> {
    Some(SocketAddr::new(address.parse().unwrap(), 50_000))
}

const FORWARDED: [(&str, &str); 3] =
    [("x-forwarded-proto", "https"), ("x-forwarded-host", "sallyport.example"), ("x-forwarded-for", "203.0.113.9")];

#[test]
fn a_trusted_proxy_says_where_the_host_is_and_who_asks() {
    let origins = origins(None, &["10.0.0.0/8"], "10.0.0.2:7070");
    for proxy in ["10.1.2.3", "::ffff:10.1.2.3"] {
        let (proxy, headers) = (peer(proxy), headers(&FORWARDED));
        assert_eq!(origins.public_url(proxy, &headers).as_str(), "https://sallyport.example/");
        assert_eq!(origins.client_address(proxy, &headers), "203.0.113.9".parse().ok());
    }
    // A proxy that gives the host on as it is, and says the scheme alone.
    let passed = headers(&[("x-forwarded-proto", "https"), ("host", "sallyport.example:8443")]);
    assert_eq!(origins.public_url(peer("10.0.0.9"), &passed).as_str(), "https://sallyport.example:8443/");
}

#[test]
fn what_anybody_else_forwards_is_ignored() {
    let origins = origins(None, &["10.0.0.0/8"], "10.0.0.2:7070");
    for stranger in [peer("192.0.2.7"), peer("11.0.0.1"), None] {
        assert_eq!(origins.public_url(stranger, &headers(&FORWARDED)).as_str(), "http://10.0.0.2:7070/");
        let address = stranger.map(|stranger| stranger.ip());
        assert_eq!(origins.client_address(stranger, &headers(&FORWARDED)), address);
    }
}

#[test]
fn the_configured_address_alone_counts_where_there_is_one() {
    let origins = origins(Some("https://real.example"), &["10.0.0.0/8"], "127.0.0.1:7070");
    for peer in [peer("10.1.2.3"), peer("127.0.0.1"), None] {
        assert_eq!(origins.public_url(peer, &headers(&FORWARDED)).as_str(), "https://real.example/");
    }
}

#[test]
fn of_what_proxies_wrote_one_after_the_other_the_nearest_ones_word_counts() {
    let origins = origins(None, &["10.0.0.0/8"], "10.0.0.2:7070");
    let forged = headers(&[
        ("x-forwarded-proto", "http, https"),
        ("x-forwarded-host", "evil.example, sallyport.example"),
        ("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.7"),
    ]);
    assert_eq!(origins.public_url(peer("10.1.2.3"), &forged).as_str(), "https://sallyport.example/");
    assert_eq!(origins.client_address(peer("10.1.2.3"), &forged), "203.0.113.9".parse().ok());
    let nonsense = headers(&[("x-forwarded-for", "203.0.113.9, unknown")]);
    assert_eq!(origins.client_address(peer("10.1.2.3"), &nonsense), "10.1.2.3".parse().ok());
}

#[test]
fn what_is_no_origin_is_not_taken_for_one() {
    let origins = origins(None, &["10.0.0.0/8"], "10.0.0.2:7070");
    for (name, value) in [
        ("x-forwarded-host", "evil.example/path"),
        ("x-forwarded-host", "user@evil.example"),
        ("x-forwarded-host", "evil.example#"),
        ("x-forwarded-proto", "javascript"),
    ] {
        let url = origins.public_url(peer("10.0.0.9"), &headers(&[(name, value), ("host", "10.0.0.2:7070")]));
        assert_eq!(url.as_str(), "http://10.0.0.2:7070/", "{name}: {value}");
    }
}

#[test]
fn this_machine_has_the_name_that_the_browser_used_and_no_other() {
    for (listening, host, expected) in [
        ("127.0.0.1:7070", "localhost:7070", "http://localhost:7070/"),
        ("127.0.0.1:7070", "127.0.0.1:7070", "http://127.0.0.1:7070/"),
        ("0.0.0.0:7070", "[::1]:7070", "http://[::1]:7070/"),
        ("0.0.0.0:7070", "evil.example:7070", "http://127.0.0.1:7070/"),
        ("127.0.0.1:7070", "localhost:9", "http://127.0.0.1:7070/"),
        ("10.0.0.2:7070", "localhost:7070", "http://10.0.0.2:7070/"),
        ("[::1]:80", "evil.example", "http://[::1]/"),
    ] {
        let url = origins(None, &[], listening).public_url(None, &[("host", host)].map(owned).into_iter().collect());
        assert_eq!(url.as_str(), expected, "{listening} asked as {host}");
    }
}

fn owned((name, value): (&'static str, &str)) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
}

#[test]
fn a_value_that_is_no_address_is_named() {
    for url in ["sallyport.example", "ftp://sallyport.example", "https://sallyport.example/path", "https://a@b.example"]
    {
        let said = Origins::new(Some(url), &[]).unwrap_err().to_string();
        assert!(said.contains("public_url") && said.contains(url), "{said}");
    }
    let said = Origins::new(None, &["10.0.0.0/40".into()]).unwrap_err().to_string();
    assert!(said.contains("trusted_proxies") && said.contains("10.0.0.0/40"), "{said}");
    assert!(Origins::new(None, &["10.0.0.1".into(), "fd00::/8".into()]).is_ok());
}

#[test]
fn only_a_page_of_this_host_is_of_the_same_origin() {
    let url = Url::parse("https://sallyport.example/").unwrap();
    for (pairs, same) in [
        (&[("origin", "https://sallyport.example")][..], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", "https://sallyport.example")], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
        (&[], false),
        (&[("origin", "null")], false),
        (&[("origin", "http://sallyport.example")], false),
        (&[("origin", "https://sallyport.example.evil.example")], false),
        (&[("origin", "https://evil.example")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "none")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", "https://sallyport.example")], false),
        (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], false),
    ] {
        assert_eq!(same_origin(&headers(pairs), &url), same, "{pairs:?}");
    }
}
