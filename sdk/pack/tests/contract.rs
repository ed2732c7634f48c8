//! The manifests of the four services: the written contract beside the checkout, and ours.

use std::path::{Path, PathBuf};

use sallyport_pack::manifest::Manifest;

/// `../shared`, found upwards from here, or where `SALLYPORT_SHARED` says.
fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("SALLYPORT_SHARED").map(PathBuf::from);
    let beside = || {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|dir| dir.join("shared"))
            .find(|dir| dir.join("apis").is_dir())
    };
    named.or_else(beside)
}

fn manifests(dir: &Path) -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .expect("the folder can be listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with("connector.toml"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("a manifest")))
        .collect();
    found.sort();
    found
}

fn check(path: &str, text: &str) -> Manifest {
    let manifest = Manifest::from_toml(text).unwrap_or_else(|errors| panic!("{path}: {errors}"));
    let again = Manifest::from_json(&manifest.to_json()).unwrap_or_else(|errors| panic!("{path} as JSON: {errors}"));
    assert_eq!(manifest, again, "{path} changed on its way through JSON");
    manifest
}

#[test]
fn our_manifests_are_read_and_survive_sealing() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let ids: Vec<String> = manifests(&dir)
        .iter()
        .map(|(path, text)| {
            let manifest = check(path, text);
            assert_eq!(manifest.warnings(), [], "{path}");
            manifest.connector.id.to_string()
        })
        .collect();
    assert_eq!(ids, ["google-drive", "notion", "slack", "trello"]);
}

#[test]
fn the_contracts_manifests_are_read() {
    let Some(dir) = shared().map(|shared| shared.join("contract")).filter(|dir| dir.is_dir()) else {
        println!("skipped: no shared/contract beside the checkout (SALLYPORT_SHARED may name the folder)");
        return;
    };
    let all = manifests(&dir);
    for (path, text) in &all {
        check(path, text);
    }
    assert_eq!(all.len(), 4, "the contract has four manifests");
}
