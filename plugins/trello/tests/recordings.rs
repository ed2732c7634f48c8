//! Recorded answers of the real service decode with the connector's types.
//!
//! The recordings (VCR cassettes) lie beside the checkout and not in it; without them this prints
//! that it was skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use sallyport_trello::{Action, Board, Card, List, Member, Membership};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_yaml_ng::Value as Yaml;

/// `shared/` beside the checkout, or where the environment says.
fn recordings() -> Option<PathBuf> {
    let shared = std::env::var_os("SALLYPORT_SHARED").map(PathBuf::from).or_else(|| {
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        above.map(|dir| dir.join("shared")).find(|shared| shared.join("apis").is_dir())
    })?;
    let recordings = shared.join("apis/trello/recordings");
    recordings.is_dir().then_some(recordings)
}

#[test]
fn recorded_answers_decode() {
    let Some(recordings) = recordings() else {
        println!("skipped: no recordings of Trello beside this checkout");
        return;
    };
    let mut checked: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(recordings).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yml")) {
        let cassette: Yaml = serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for interaction in cassette["http_interactions"].as_sequence().into_iter().flatten() {
            check(interaction, &mut checked).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }
    let total: usize = checked.values().sum();
    println!("{total} recorded objects decoded: {checked:?}");
    for kind in ["board", "list", "card", "action", "membership", "member"] {
        assert!(checked.get(kind).is_some_and(|count| *count > 0), "no {kind} was recorded: {checked:?}");
    }
}

fn check(interaction: &Yaml, checked: &mut BTreeMap<&'static str, usize>) -> Result<(), String> {
    let uri = interaction["request"]["uri"].as_str().unwrap_or_default();
    let path = uri.split('?').next().unwrap_or_default().trim_start_matches("https://api.trello.com/1/");
    // What selects fields may leave out what the connector always asks for.
    let selected = uri.contains("fields=");
    let status = interaction["response"]["status"]["code"].as_u64();
    let Some(body) = text(&interaction["response"]["body"]["string"]) else { return Ok(()) };
    let Ok(body) = serde_json::from_str::<Value>(&body) else { return Ok(()) };
    if status != Some(200) || selected {
        return Ok(());
    }
    let mut parts = path.split('/');
    let (first, last) = (parts.next().unwrap_or_default(), parts.nth(1));
    let kind = match (first, last) {
        (one, None) => one,
        (_, Some(nested)) => nested,
    };
    match kind {
        "boards" => {
            decode::<Board>("board", &body, checked)?;
            each(&body, &mut |board| decode::<Membership>("membership", &board["memberships"], checked))
        }
        "board" => decode::<Board>("board", &body, checked),
        "lists" | "list" => decode::<List>("list", &body, checked),
        "cards" | "card" => decode::<Card>("card", &body, checked),
        "actions" => {
            decode::<Action>("action", &body, checked)?;
            each(&body, &mut |action| decode::<Member>("member", &action["memberCreator"], checked))
        }
        "members" => decode::<Member>("member", &body, checked),
        _ => Ok(()),
    }
}

/// Of one object or of every one of a list.
fn each(body: &Value, visit: &mut impl FnMut(&Value) -> Result<(), String>) -> Result<(), String> {
    match body {
        Value::Array(items) => items.iter().try_for_each(visit),
        one => visit(one),
    }
}

fn decode<T: DeserializeOwned>(
    kind: &'static str,
    body: &Value,
    checked: &mut BTreeMap<&'static str, usize>,
) -> Result<(), String> {
    each(body, &mut |object| {
        // A deletion answers with an object that is none of these.
        if object.get("id").is_none() {
            return Ok(());
        }
        serde_json::from_value::<T>(object.clone()).map_err(|error| format!("{kind}: {error}: {object}"))?;
        *checked.entry(kind).or_default() += 1;
        Ok(())
    })
}

/// A body is text, or `!binary` in base64 where it is not ASCII.
fn text(body: &Yaml) -> Option<String> {
    match body {
        Yaml::Tagged(tagged) => {
            let packed: String = tagged.value.as_str()?.split_whitespace().collect();
            String::from_utf8(base64::engine::general_purpose::STANDARD.decode(packed).ok()?).ok()
        }
        other => other.as_str().map(str::to_owned),
    }
}
