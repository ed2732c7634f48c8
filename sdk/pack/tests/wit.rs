//! The WIT package: it parses, every world encodes, and a reader finds each interface in the file of its name.

use std::{collections::BTreeSet, fs, path::PathBuf};

use wit_parser::{Docs, Resolve, TypeDefKind};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn package() -> (Resolve, wit_parser::PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder()).expect("wit/ parses");
    (resolve, package)
}

#[test]
fn every_world_encodes_as_a_component_type() {
    let (resolve, package) = package();
    assert_eq!(resolve.packages[package].name.to_string(), "sallyport:connector@0.1.0");
    let worlds = resolve.packages[package].worlds.clone();
    let names: Vec<&str> = worlds.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "base",
            "tool-connector",
            "sync-connector",
            "connector",
            "connector-with-webhooks",
            "connector-with-subscriptions"
        ]
    );
    let bytes = wit_component::encode(&resolve, package, false).expect("the package encodes");
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&bytes)
        .expect("the encoded package is valid");
    for (name, world) in worlds {
        // What a guest's bindings embed: it must be decodable to the same world.
        let custom = wit_component::metadata::encode(&resolve, world, wit_component::StringEncoding::UTF8, None, false)
            .expect(&name);
        assert!(!custom.is_empty(), "{name}");
    }
}

#[test]
fn each_interface_is_in_the_file_of_its_name() {
    let (resolve, package) = package();
    let interfaces: BTreeSet<String> =
        resolve.packages[package].interfaces.keys().map(|name| format!("{name}.wit")).collect();
    let files: BTreeSet<String> = fs::read_dir(folder())
        .expect("wit/ can be listed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let mut expected = interfaces.clone();
    expected.insert("worlds.wit".to_owned());
    assert_eq!(files, expected);
    for file in &interfaces {
        let text = fs::read_to_string(folder().join(file)).expect("a WIT file");
        let declared: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("interface ")?.strip_suffix(" {")).collect();
        assert_eq!(declared, [file.strip_suffix(".wit").expect("a WIT file")], "{file}");
    }
}

#[test]
fn interfaces_types_and_functions_are_documented() {
    let (resolve, package) = package();
    let said = |docs: &Docs| docs.contents.as_deref().is_some_and(|text| !text.trim().is_empty());
    let mut silent = Vec::new();
    for (name, id) in &resolve.packages[package].interfaces {
        let interface = &resolve.interfaces[*id];
        if !said(&interface.docs) {
            silent.push(name.clone());
        }
        for (function, item) in &interface.functions {
            if !said(&item.docs) {
                silent.push(format!("{name}.{function}"));
            }
        }
        for (kind, id) in &interface.types {
            let item = &resolve.types[*id];
            // A type that is only used here is documented where it is defined; these three speak for themselves.
            let used = matches!(item.kind, TypeDefKind::Type(wit_parser::Type::Id(_)));
            let plain = matches!(
                (name.as_str(), kind.as_str()),
                ("http", "request" | "response" | "error") | ("documents", "error")
            );
            if !used && !plain && !said(&item.docs) {
                silent.push(format!("{name}.{kind}"));
            }
        }
    }
    for (name, id) in &resolve.packages[package].worlds {
        if !said(&resolve.worlds[*id].docs) {
            silent.push(name.clone());
        }
    }
    assert_eq!(silent, Vec::<String>::new(), "say what these are");
}
