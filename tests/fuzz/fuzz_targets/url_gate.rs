//! A URL passes only if everybody reads it alike, and leads nowhere but to the public internet. The input's first line is
//! the URL; the others are addresses that its host's name leads to.

#![no_main]

use std::net::IpAddr;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sallyport::egress::{Body, EgressError, Refusal};
use sallyport::wire::is_public;
use sallyport_fuzz::connector::ORIGINS;
use sallyport_fuzz::gate::{Gate, request};
use sallyport_fuzz::naive;
use sallyport_pack::manifest::{EndpointUrl, OriginUrl};
use tokio::runtime::{Builder, Runtime};
use url::{Host, Url};

static GATE: LazyLock<Gate> = LazyLock::new(|| Gate::new(Vec::new()));
static TOKIO: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

fuzz_target!(|text: &str| {
    let (text, rest) = text.split_once('\n').unwrap_or((text, ""));
    declared(text);
    let addresses: Vec<IpAddr> = rest.lines().filter_map(|line| line.parse().ok()).collect();
    for address in &addresses {
        assert!(!is_public(*address) || naive::is_global(*address), "{address} is public to us only");
    }
    let origin = match GATE.ask(request("GET", text, Body::Empty)) {
        Ok(authorised) => passed(text, &authorised.shown().url, &authorised.target()),
        Err(refusal) => return assert!(!refusal.to_string().is_empty()),
    };
    // The way out, with nothing to attach: a secret is not what this is about.
    if origin == "api" || rest.is_empty() {
        return;
    }
    let all_public = !addresses.is_empty() && addresses.iter().all(|address| naive::is_global(*address));
    let gate = Gate::new(addresses);
    let authorised = gate.ask(request("GET", text, Body::Empty)).expect("it passed before");
    match TOKIO.block_on(gate.prepare(authorised)) {
        Ok(()) => assert!(all_public, "a way out to {rest}"),
        Err(EgressError::Refused(Refusal::Address { address, .. })) => assert!(!is_public(address)),
        Err(EgressError::Unreachable(_)) => {}
        Err(error) => panic!("{error}"),
    }
});

/// What a manifest may name as an origin or as an endpoint.
fn declared(text: &str) {
    if let Ok(origin) = text.parse::<OriginUrl>() {
        domain(origin.url());
        assert_eq!((origin.url().path(), origin.url().query()), ("/", None));
        assert_eq!(origin.to_string().parse(), Ok(origin));
    }
    if let Ok(endpoint) = text.parse::<EndpointUrl>() {
        domain(endpoint.url());
        assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }
}

fn domain(url: &Url) {
    assert_eq!((url.scheme(), url.username(), url.password(), url.fragment()), ("https", "", None, None));
    assert!(matches!(url.host(), Some(Host::Domain(_))), "{url} has no name for a host");
}

/// Compares what the gate took with the text, read by hand; gives the origin's name.
fn passed(text: &str, taken: &str, target: &str) -> &'static str {
    let url = Url::parse(taken).expect("what passed is a URL");
    assert_eq!(url.as_str(), taken, "a second reading is another");
    domain(&url);

    let end = text["https://".len()..].find(['/', '?', '#']).map_or(text.len(), |at| at + "https://".len());
    let (own, rest) = text.split_at(end);
    let origin = ORIGINS.iter().find(|(_, origin)| *origin == own);
    let (name, origin) = origin.unwrap_or_else(|| panic!("{own} is no origin of ours"));
    assert_eq!(url.origin().ascii_serialization(), *origin);

    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    assert_eq!(naive::segments(path), naive::segments(url.path()), "{text} is read as {taken}");
    assert_eq!(query.map(naive::decoded), url.query().map(naive::decoded), "{text} is read as {taken}");
    assert_eq!(target, format!("{origin}{}", url.path()));

    let again = GATE.ask(request("GET", taken, Body::Empty)).expect("what passed passes");
    assert_eq!((again.shown().url.as_str(), again.target().as_str()), (taken, target));
    name
}
