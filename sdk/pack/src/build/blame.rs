//! Which dependency asks for what a guest cannot have, by which path, and the cure.

use std::collections::{HashMap, VecDeque};

use cargo_metadata::{DependencyKind, Metadata, PackageId};

/// Crates that reach for a browser, a system or randomness, with what to do about each.
const CURES: &[(&str, &str)] = &[
    (
        "wasm-bindgen",
        "it calls JavaScript; switch off the feature that brings it (chrono: default-features = false without `clock` and `wasmbind`; time: without `wasm-bindgen`; uuid: without `js`)",
    ),
    (
        "js-sys",
        "it calls JavaScript; switch off the feature that brings it (chrono: default-features = false without `clock` and `wasmbind`)",
    ),
    ("web-sys", "it calls the browser; requests go through sallyport_sdk's http"),
    (
        "getrandom",
        "it asks the system for randomness; take it from sallyport_sdk's random, and switch off the feature that brings it (uuid: without `v4`; rand: default-features = false; hash maps: a fixed hasher)",
    ),
    ("wasi", "it asks a system that is not there; switch off the feature that brings it"),
    ("wasip2", "it asks a system that is not there; switch off the feature that brings it"),
    ("mio", "it opens sockets; requests go through sallyport_sdk's http"),
    ("socket2", "it opens sockets; requests go through sallyport_sdk's http"),
    ("reqwest", "it opens sockets; requests go through sallyport_sdk's http"),
    ("tokio", "it waits for a system; calls of the SDK simply return when the host has answered"),
    ("ring", "it is compiled from C and assembly; nothing in a connector signs or verifies, the host does"),
    ("cc", "it compiles C; take a crate that is Rust only"),
];

/// Why the build of `failed` failed, if it is a dependency: the path to it and the cure.
pub(super) fn for_package(metadata: &Metadata, root: &PackageId, failed: &PackageId) -> Option<String> {
    if failed == root {
        return None;
    }
    let name = metadata.packages.iter().find(|package| package.id == *failed)?.name.to_string();
    Some(hint(metadata, root, &name, failed))
}

/// Whose the foreign imports (module and name) of a module are.
pub(super) fn for_imports(metadata: &Metadata, root: &PackageId, imports: &[(String, String)]) -> String {
    let suspects: Vec<&str> = if imports.iter().any(|(module, _)| module.starts_with("__wbindgen")) {
        vec!["wasm-bindgen", "js-sys"]
    } else if imports.iter().any(|(module, _)| module.starts_with("wasi")) {
        vec!["wasi", "wasip2"]
    } else {
        CURES.iter().map(|(name, _)| *name).collect()
    };
    let found = suspects.into_iter().find_map(|name| {
        metadata
            .packages
            .iter()
            .find(|package| package.name.as_str() == name && path(metadata, root, &package.id).is_some())
    });
    match found {
        Some(package) => hint(metadata, root, &package.name, &package.id),
        None => {
            "\nno dependency is known for it: look for `extern \"C\"` in the crate and in what it depends on".to_owned()
        }
    }
}

fn hint(metadata: &Metadata, root: &PackageId, name: &str, id: &PackageId) -> String {
    let way = path(metadata, root, id).map(|names| format!(" ({})", names.join(" → "))).unwrap_or_default();
    let cure = CURES
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("it does not compile for a guest; switch it off or replace it", |(_, cure)| cure);
    format!("\nthe crate {name}{way} is the cause: {cure}")
}

/// The shortest way from one package to another by ordinary dependencies, as names.
fn path(metadata: &Metadata, from: &PackageId, to: &PackageId) -> Option<Vec<String>> {
    let resolve = metadata.resolve.as_ref()?;
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut came_from: HashMap<&PackageId, Option<&PackageId>> = HashMap::from([(from, None)]);
    let mut queue = VecDeque::from([from]);
    while let Some(id) = queue.pop_front() {
        if id == to {
            let mut ids = vec![id];
            while let Some(Some(before)) = came_from.get(ids[ids.len() - 1]) {
                ids.push(before);
            }
            let name = |id: &&PackageId| {
                metadata.packages.iter().find(|package| package.id == **id).map(|package| package.name.to_string())
            };
            return ids.iter().rev().map(name).collect();
        }
        for dependency in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
            let ordinary = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if ordinary && !came_from.contains_key(&dependency.pkg) {
                came_from.insert(&dependency.pkg, Some(id));
                queue.push_back(&dependency.pkg);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use cargo_metadata::MetadataCommand;
    use serde_json::json;

    use super::*;

    type Dependencies<'a> = &'a [(&'a str, Option<&'a str>)];

    /// What cargo says of packages and their dependencies (name, kind).
    fn metadata(packages: &[(&str, Dependencies<'_>)]) -> Metadata {
        let id = |name: &str| format!("registry+https://example.com#{name}@1.0.0");
        let package = |name: &str| {
            json!({ "name": name, "version": "1.0.0", "id": id(name), "dependencies": [], "targets": [], "features": {},
                    "manifest_path": format!("/x/{name}/Cargo.toml"), "edition": "2021" })
        };
        let node = |name: &str, deps: &[(&str, Option<&str>)]| {
            let list: Vec<_> = deps.iter().map(|(dep, kind)| json!({ "name": dep, "pkg": id(dep), "dep_kinds": [{ "kind": kind, "target": null }] })).collect();
            json!({ "id": id(name), "deps": list, "dependencies": deps.iter().map(|(dep, _)| id(dep)).collect::<Vec<_>>(), "features": [] })
        };
        let text = json!({
            "packages": packages.iter().map(|(name, _)| package(name)).collect::<Vec<_>>(),
            "workspace_members": [id(packages[0].0)],
            "workspace_default_members": [id(packages[0].0)],
            "resolve": { "nodes": packages.iter().map(|(name, deps)| node(name, deps)).collect::<Vec<_>>(), "root": null },
            "workspace_root": "/x", "target_directory": "/x/target", "version": 1
        });
        MetadataCommand::parse(text.to_string()).expect("metadata")
    }

    fn id(metadata: &Metadata, name: &str) -> PackageId {
        metadata.packages.iter().find(|package| package.name.as_str() == name).expect(name).id.clone()
    }

    #[test]
    fn the_crate_the_way_to_it_and_the_cure_are_named() {
        let metadata = metadata(&[
            ("connector", &[("builder", Some("build")), ("chrono", None), ("serde", None)]),
            ("builder", &[("js-sys", None)]),
            ("chrono", &[("js-sys", None)]),
            ("js-sys", &[("wasm-bindgen", None)]),
            ("wasm-bindgen", &[]),
            ("serde", &[]),
        ]);
        let root = id(&metadata, "connector");
        let text = for_imports(&metadata, &root, &[("__wbindgen_placeholder__".into(), "__wbindgen_throw".into())]);
        assert!(text.contains("wasm-bindgen (connector → chrono → js-sys → wasm-bindgen) is the cause"), "{text}");
        assert!(text.contains("without `clock`"), "{text}");
        let text = for_imports(&metadata, &root, &[("wasi_snapshot_preview1".into(), "fd_write".into())]);
        assert!(text.contains("no dependency is known"), "{text}");
    }

    #[test]
    fn a_dependency_that_does_not_compile_is_named_and_the_crate_itself_is_not() {
        let metadata =
            metadata(&[("connector", &[("uuid", None)]), ("uuid", &[("getrandom", None)]), ("getrandom", &[])]);
        let root = id(&metadata, "connector");
        let text = for_package(&metadata, &root, &id(&metadata, "getrandom")).expect("a hint");
        assert!(
            text.contains("getrandom (connector → uuid → getrandom)") && text.contains("uuid: without `v4`"),
            "{text}"
        );
        assert_eq!(for_package(&metadata, &root, &root), None);
    }
}
