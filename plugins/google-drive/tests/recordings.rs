//! Recorded answers of the real service decode with the connector's types.
//!
//! The recordings (VCR cassettes) lie beside the checkout and not in it; without them this prints
//! that it was skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sallyport_google_drive::{About, ChangeList, DriveList, File, FileList, Permission, PermissionList};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// `shared/` beside the checkout, or where the environment says.
fn recordings() -> Option<PathBuf> {
    let shared = std::env::var_os("SALLYPORT_SHARED").map(PathBuf::from).or_else(|| {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        above.map(|dir| dir.join("shared")).find(|shared| shared.join("apis").is_dir())
    })?;
    let recordings = shared.join("apis/google-drive/recordings");
    recordings.is_dir().then_some(recordings)
}

#[test]
fn recorded_answers_decode() {
    let Some(recordings) = recordings() else {
        println!("skipped: no recordings of Google Drive beside this checkout");
        return;
    };
    let mut checked: BTreeMap<String, usize> = BTreeMap::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(recordings).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let cassette: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for interaction in cassette["interactions"].as_array().into_iter().flatten() {
            let uri = interaction["request"]["uri"].as_str().unwrap_or_default();
            let body = interaction["response"]["body"]["string"].as_str().unwrap_or_default();
            let Ok(body) = serde_json::from_str::<Value>(body) else { continue };
            if !uri.contains("/drive/v3/") {
                continue;
            }
            // A mask may leave the kind out: then the shape says what it is.
            let kind = match body["kind"].as_str() {
                Some(kind) => kind,
                None if body["files"].is_array() => "drive#fileList",
                None if body["permissions"].is_array() => "drive#permissionList",
                None if body["user"].is_object() => "drive#about",
                None if body["id"].is_string() => "drive#file",
                None => continue,
            };
            let decoded = match kind {
                "drive#file" => decode::<File>(&body),
                "drive#fileList" => decode::<FileList>(&body),
                "drive#permission" => decode::<Permission>(&body),
                "drive#permissionList" => decode::<PermissionList>(&body),
                "drive#changeList" => decode::<ChangeList>(&body),
                "drive#driveList" => decode::<DriveList>(&body),
                "drive#about" => decode::<About>(&body),
                _ => continue,
            };
            decoded.unwrap_or_else(|error| panic!("{}: {kind}: {error}: {body}", file.display()));
            *checked.entry(kind.to_owned()).or_default() += 1;
        }
    }
    let total: usize = checked.values().sum();
    println!("{total} recorded bodies decoded: {checked:?}");
    assert!(checked.get("drive#file").is_some_and(|count| *count > 0), "no file was recorded: {checked:?}");
    assert!(checked.get("drive#fileList").is_some_and(|count| *count > 0), "no list was recorded: {checked:?}");
}

fn decode<T: DeserializeOwned>(body: &Value) -> Result<(), serde_json::Error> {
    serde_json::from_value::<T>(body.clone()).map(drop)
}
