//! A manifest, whoever wrote it, is read or refused; what is read is written so that it is read as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sallyport_pack::manifest::{Access, Manifest};
use url::Host;

fuzz_target!(|text: &str| {
    let read = match serde_json::from_str(text) {
        Ok(json) => Manifest::from_json(&json),
        Err(_) => Manifest::from_toml(text),
    };
    match read {
        Ok(manifest) => check(&manifest),
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
});

fn check(manifest: &Manifest) {
    // As text, since that is how it is sealed.
    let json = manifest.to_json();
    let parsed = serde_json::from_str(&json.to_string()).expect("our own JSON");
    let again = Manifest::from_json(&parsed).unwrap_or_else(|errors| panic!("{json} is refused: {errors}"));
    assert_eq!(*manifest, again);
    assert_eq!(json, again.to_json());
    drop(manifest.warnings());

    for origin in manifest.origins.values() {
        let url = origin.url.url();
        assert_eq!((url.scheme(), url.username(), url.password()), ("https", "", None));
        assert_eq!((url.path(), url.query(), url.fragment()), ("/", None, None));
        assert!(matches!(url.host(), Some(Host::Domain(name)) if name.contains('.')), "{url} names no public host");
    }
    for capability in &manifest.capabilities {
        for route in &capability.routes {
            assert!(manifest.origins.contains_key(route.template.origin()), "{} has no origin", route.template);
            assert!(route.template.method().is_some(), "{} is of every method", route.template);
            let may_read = matches!(route.template.method(), Some("GET" | "HEAD" | "POST"));
            assert!(may_read || capability.access != Access::Read, "{} is no read", route.template);
        }
    }
    for tool in &manifest.tools {
        assert!(
            tool.capabilities.iter().all(|id| manifest.capability(id.as_str()).is_some()),
            "{} has no such",
            tool.name
        );
    }
    assert!(!manifest.http.headers.iter().any(|name| name.is_forbidden()), "a guest would set a header of the host's");
}
