//! A request goes by a route only if the route, read in the plainest way, allows it. The input's lines are a template, a
//! method, what follows the origin in a URL, and the body's media type; the rest is the body.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sallyport::egress::{Authorised, Body, Part, Refusal, Request};
use sallyport_fuzz::connector::{MANIFEST, ORIGINS, REFUSED};
use sallyport_fuzz::gate::{Gate, request};
use sallyport_fuzz::naive;
use sallyport_pack::manifest::Access;
use sallyport_pack::route::{self, Route, RouteTemplate, path_segments};
use serde_json::Value;
use url::{Url, form_urlencoded};

static GATE: LazyLock<Gate> = LazyLock::new(|| Gate::new(Vec::new()));

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (template, method, rest, media_type, body) = (line(), line(), line(), line(), line());
    if let Ok(url) = Url::parse(&format!("https://api.acme.example{rest}")) {
        one_template(template, method, &url);
    }
    for (_, origin) in ORIGINS {
        gate(method, &format!("{origin}{rest}"), media_type, body);
    }
});

/// Any template, about any path.
fn one_template(text: &str, method: &str, url: &Url) {
    let plain = naive::segments(url.path());
    let Ok(segments) = path_segments(url) else { return };
    assert_eq!(Some(&segments), plain.as_ref(), "{url}");
    assert!(!segments.iter().any(|segment| naive::is_ambiguous(segment)), "{segments:?} of {url}");
    let Ok(template) = text.parse::<RouteTemplate>() else { return };
    assert_eq!(template.to_string(), text);
    let given: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = template.matches(method, template.origin(), &given);
    let wanted = naive::matches(text, method, template.origin().as_str(), &segments);
    assert_eq!(found.is_some(), wanted, "{text} asked about {method} {segments:?}");
    for (name, value) in found.iter().flat_map(|params| params.iter()) {
        assert_eq!(value, naive::captured(text, name, &segments), "{name} of {text}");
    }
}

/// Our own manifest, through the whole gate.
fn gate(method: &str, url: &str, media_type: &str, body: &str) {
    let asked = asked(method, url, media_type, body);
    match GATE.ask(asked.clone()) {
        Ok(authorised) => allowed(&authorised, &asked, media_type, body),
        Err(Refusal::NoRoute { request, .. }) => {
            let url = Url::parse(url).expect("it was read before a route was sought");
            let segments = naive::segments(url.path()).expect("likewise");
            let missed = MANIFEST
                .capabilities
                .iter()
                .flat_map(|capability| &capability.routes)
                .find(|route| naive::matches(route.template.as_str(), method, origin(&url), &segments));
            assert_eq!(missed.map(|route| route.template.as_str()), None, "it would allow {request}");
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// The origin's name: what follows it in the input may have made another of it.
fn origin(url: &Url) -> &'static str {
    let own = url.origin().ascii_serialization();
    ORIGINS.iter().find(|(_, origin)| *origin == own).map_or("none", |(name, _)| name)
}

fn asked(method: &str, url: &str, media_type: &str, body: &str) -> Request {
    if media_type == "multipart" {
        let parts = form_urlencoded::parse(body.as_bytes()).map(|(name, value)| Part {
            name: name.into_owned(),
            filename: None,
            media_type: value.starts_with('{').then(|| "application/json".into()),
            body: value.into_owned().into(),
        });
        return request(method, url, Body::Multipart(parts.collect()));
    }
    let mut request = request(method, url, Body::Bytes(body.to_owned().into()));
    if !media_type.is_empty() {
        request.headers.push(("content-type".into(), media_type.into()));
    }
    request
}

fn allowed(authorised: &Authorised, asked: &Request, media_type: &str, body: &str) {
    let url = Url::parse(&authorised.shown().url).expect("a URL that was judged");
    let segments = naive::segments(url.path()).expect("segments that are text");
    let capability = MANIFEST.capability(authorised.capability().as_str()).expect("a capability of the manifest");
    assert!(
        naive::matches(authorised.route(), &asked.method, origin(&url), &segments),
        "{} allowed {url}",
        authorised.route()
    );
    assert_eq!(authorised.is_write(), capability.access != Access::Read);

    let carried = carried(&url, media_type, body);
    let of_query: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let names = carried.as_ref().unwrap_or(&of_query);
    let like = |name: &String| REFUSED.iter().any(|refused| name.eq_ignore_ascii_case(refused));
    assert!(!names.iter().any(like), "a secret's place in {names:?}");
    let by = |route: &&Route| {
        route.template.as_str() == authorised.route() && admits(route, &url, &of_query, carried.as_deref())
    };
    assert!(capability.routes.iter().any(|route| by(&route)), "{} may not carry {names:?}", authorised.route());
}

fn admits(route: &Route, url: &Url, of_query: &[String], carried: Option<&[String]>) -> bool {
    let Some(keys) = &route.keys else { return true };
    let names = match (route.body, carried) {
        (route::Body::Raw, _) => of_query,
        (route::Body::Parameters, Some(names)) => names,
        (route::Body::Parameters, None) => return false,
    };
    let once = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let listed = |name: &str, value: &str| {
        let of_it = route.values.iter().filter(|(path, _)| path.name() == name);
        of_it.into_iter().all(|(_, allowed)| allowed.iter().any(|one| one.to_string() == value))
    };
    let valued = route.values.keys().all(|path| names.iter().any(|name| name == path.name()))
        && url.query_pairs().all(|(name, value)| listed(&name, &value));
    valued && names.iter().all(|name| once(name) && keys.iter().any(|key| key.name() == name))
}

/// The names of what query and body carry; `None` for a body that has no names.
fn carried(url: &Url, media_type: &str, body: &str) -> Option<Vec<String>> {
    let mut names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let form = || form_urlencoded::parse(body.as_bytes()).map(|(name, _)| name.into_owned());
    let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        _ if media_type == "multipart" => names.extend(form()),
        _ if body.is_empty() => {}
        "application/x-www-form-urlencoded" => names.extend(form()),
        kind if kind == "application/json" || kind.ends_with("+json") => match serde_json::from_str(body) {
            Ok(Value::Object(members)) => names.extend(members.keys().cloned()),
            _ => return None,
        },
        _ => return None,
    }
    Some(names)
}
