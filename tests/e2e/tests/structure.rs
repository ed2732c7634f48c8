//! The structure that ARCHITECTURE.md promises: dependencies in one direction, and paths that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

fn workspace_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo metadata");
    let ours: BTreeSet<String> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    let normal = |p: &cargo_metadata::Package| {
        p.dependencies
            .iter()
            .filter(|d| d.kind == cargo_metadata::DependencyKind::Normal && ours.contains(&d.name))
            .map(|d| d.name.clone())
            .collect()
    };
    metadata.packages.iter().map(|p| (p.name.to_string(), normal(p))).collect()
}

#[test]
fn crates_depend_in_one_direction() {
    // What each may depend on; ARCHITECTURE.md draws the same.
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("sallyport-pack", &[][..]),
        ("sallyport", &["sallyport-pack"][..]),
        ("sallyport-index", &[][..]),
        ("sallyport-agent", &["sallyport", "sallyport-index", "sallyport-pack"][..]),
        ("sallyport-store", &["sallyport", "sallyport-index", "sallyport-agent", "sallyport-pack"][..]),
        ("sallyport-simulate", &[][..]),
        ("sallyport-bench", &["sallyport", "sallyport-store", "sallyport-pack"][..]),
        (
            "sallyport-server",
            &[
                "sallyport",
                "sallyport-index",
                "sallyport-agent",
                "sallyport-store",
                "sallyport-simulate",
                "sallyport-pack",
                "sallyport-bench",
            ][..],
        ),
        ("sallyport-sdk-macros", &[][..]),
        ("sallyport-sdk", &["sallyport-sdk-macros"][..]),
        ("sallyport-hello", &["sallyport-sdk"][..]),
        ("sallyport-google-drive", &["sallyport-sdk"][..]),
        ("sallyport-trello", &["sallyport-sdk"][..]),
        ("sallyport-thief", &["sallyport-sdk"][..]),
        (
            "sallyport-e2e",
            &[
                "sallyport",
                "sallyport-index",
                "sallyport-agent",
                "sallyport-store",
                "sallyport-simulate",
                "sallyport-server",
                "sallyport-bench",
                "sallyport-pack",
            ][..],
        ),
    ]);
    for (name, dependencies) in workspace_dependencies() {
        let may = allowed
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} has no line in this test: say what it may use"));
        let beyond: Vec<_> = dependencies.iter().filter(|d| !may.contains(&d.as_str())).collect();
        assert!(beyond.is_empty(), "{name} must not depend on {beyond:?}");
    }
}

#[test]
fn the_runtime_knows_no_server_no_sql_and_no_model() {
    let manifest = std::fs::read_to_string(root().join("host/runtime/Cargo.toml")).expect("the runtime's manifest");
    let parsed: toml::Table = manifest.parse().expect("a manifest is TOML");
    for name in ["axum", "rusqlite", "tantivy", "rten", "sqlx"] {
        assert!(
            !parsed["dependencies"].as_table().expect("a table").contains_key(name),
            "the runtime depends on {name}"
        );
    }
}

#[test]
fn paths_named_in_the_documents_exist() {
    let path_like = regex::Regex::new(r"`([a-zA-Z0-9_.\-]+(?:/[a-zA-Z0-9_.\-]+)*/?)`").expect("a literal pattern");
    let mut checked = 0;
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "sdk/docs/README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap_or_else(|e| panic!("{document}: {e}"));
        for found in path_like.captures_iter(&text) {
            let path = &found[1];
            let first = path.split('/').next().unwrap_or_default();
            if !["host", "sdk", "plugins", "tests", "wit", ".ci", ".cargo"].contains(&first) {
                continue;
            }
            checked += 1;
            assert!(root().join(path).exists(), "{document} names {path}, which is not there");
        }
    }
    assert!(checked > 10, "only {checked} paths were found: has the form changed?");
}

#[test]
fn the_repository_names_no_machine() {
    let output = std::process::Command::new("git").args(["ls-files"]).current_dir(root()).output();
    let Ok(output) = output else { return println!("skipped: git is not here") };
    for path in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(text) = std::fs::read_to_string(root().join(path)) else { continue };
        if path == "tests/e2e/tests/structure.rs" {
            continue;
        }
        for line in text.lines() {
            for machine in ["/root/", "/work/", "/home/"] {
                assert!(!line.contains(machine), "{path} names a machine's path: {line}");
            }
        }
    }
}

#[test]
fn tests_named_in_the_security_page_exist() {
    let page = std::fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    let sources: String = walkdir::WalkDir::new(root())
        .into_iter()
        .filter_entry(|entry| entry.file_name() != "target" && entry.file_name() != ".git")
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .collect();
    let name = regex::Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){2,})`").expect("a literal pattern");
    let named: BTreeSet<&str> = name.captures_iter(&page).filter_map(|found| Some(found.get(1)?.as_str())).collect();
    assert!(named.len() > 20, "only {} tests are named: has the form changed?", named.len());
    let absent: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(absent.is_empty(), "SECURITY.md names tests that are not there: {absent:?}");
}
