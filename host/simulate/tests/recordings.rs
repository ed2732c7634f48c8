//! The simulated services against recordings of the real ones, where these are at hand: in a folder `shared/apis`
//! beside a folder above the checkout, or where `SALLYPORT_SHARED` says.

mod common;

use common::{Scene, send};
use reqwest::Method;
use sallyport_simulate::{Options, Seed, Visibility};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

/// The folder of recordings of a service, if there is one.
fn recordings(service: &str) -> Option<PathBuf> {
    let beside = |folder: &Path| folder.join("shared");
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(beside);
    let named = env::var_os("SALLYPORT_SHARED").map(PathBuf::from);
    let found = named.into_iter().chain(above).map(|shared| shared.join("apis").join(service).join("recordings"));
    let found = found.into_iter().find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no recordings of {service} beside the checkout");
    }
    found
}

/// One recorded exchange.
struct Exchange {
    method: String,
    /// Path below `/1`, identifiers replaced by `{}`; for Drive the path below `/drive/v3`.
    route: String,
    query: String,
    status: u64,
    kind: String,
    body: String,
    headers: BTreeSet<String>,
}

fn trello_exchanges(folder: &Path) -> Vec<Exchange> {
    let files = fs::read_dir(folder).expect("readable").filter_map(|entry| Some(entry.ok()?.path()));
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yml"));
    files
        .flat_map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let whole: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).expect("a recording");
            let interactions = whole["http_interactions"].as_sequence().cloned().unwrap_or_default();
            interactions.into_iter().filter_map(|each| exchange(&each)).collect::<Vec<_>>()
        })
        .collect()
}

fn exchange(each: &serde_yaml_ng::Value) -> Option<Exchange> {
    let uri = each["request"]["uri"].as_str()?;
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let is_id = |part: &&str| part.len() == 24 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let path = path.strip_prefix("https://api.trello.com/1/")?;
    let route: Vec<&str> = path
        .split('/')
        .map(|part| if is_id(&part) || part == "hoppertest" || part == "wokenqingtian" { "{}" } else { part })
        .collect();
    let headers = each["response"]["headers"].as_mapping()?;
    let lower = |name: &serde_yaml_ng::Value| name.as_str().unwrap_or_default().to_lowercase();
    let kind = headers
        .iter()
        .find(|(name, _)| lower(name) == "content-type")
        .and_then(|(_, value)| value[0].as_str().map(str::to_owned));
    // Bodies outside of ASCII were recorded as binary.
    let body = match &each["response"]["body"]["string"] {
        serde_yaml_ng::Value::Tagged(tagged) => {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let text: String = tagged.value.as_str()?.split_whitespace().collect();
            String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?
        }
        other => other.as_str()?.to_owned(),
    };
    Some(Exchange {
        method: each["request"]["method"].as_str()?.to_uppercase(),
        route: route.join("/"),
        query: query.to_owned(),
        status: each["response"]["status"]["code"].as_u64()?,
        kind: kind.unwrap_or_default(),
        body,
        headers: headers.iter().map(|(name, _)| lower(name)).collect(),
    })
}

/// The type of a JSON value, as far as a reader has to care.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Keys that all recorded objects of a kind have, with the types that were seen.
fn common_keys(objects: &[Value]) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut keys: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for object in objects {
        for (key, value) in object.as_object().into_iter().flatten() {
            keys.entry(key.clone()).or_default().insert(kind(value));
        }
    }
    keys.retain(|key, _| objects.iter().all(|object| object.get(key).is_some()));
    keys
}

/// What the service says and no connector can have a use for: accounts' and plug-ins' inner life.
const USELESS: &[&str] = &[
    "aaBlockSyncUntil",
    "aaEmail",
    "aaEnrolledDate",
    "aaId",
    "avatarSource",
    "credentialsRemovedCount",
    "domainClaimed",
    "gravatarHash",
    "marketingOptIn",
    "messagesDismissed",
    "nodeId",
    "oneTimeMessagesDismissed",
    "idTags",
    "ixUpdate",
    "powerUps",
    "datePluginDisable",
    "creationMethod",
    "creationMethodError",
    "creationMethodLoadingStartedAt",
    "templateGallery",
    "enterpriseOwned",
    "idBoardSource",
    "idMemberCreator",
    "trophies",
    "uploadedAvatarHash",
    "uploadedAvatarUrl",
    "premiumFeatures",
    "isAaMastered",
    "ixUpdate",
    "limits",
    "sessionType",
    "textData",
    "display",
    "entities",
    "isReactable",
    "reactions",
    "agreements",
];

/// Every key that all recorded objects have is in ours too, with a type that was seen. Answers how many there were.
#[track_caller]
fn same_shape(what: &str, recorded: &[Value], ours: &Value) -> usize {
    let keys = common_keys(recorded);
    assert!(!keys.is_empty(), "no recording of {what}");
    let mut wrong = Vec::new();
    for (key, types) in &keys {
        match ours.get(key) {
            None if USELESS.contains(&key.as_str()) => {}
            None => wrong.push(format!("{key} is missing")),
            // Where only null was recorded, nothing is known of the type; null and something else are both possible.
            Some(_) if types.iter().all(|seen| *seen == "null") => {}
            Some(value) if types.contains(kind(value)) || (value.is_null() && types.len() > 1) => {}
            Some(value) => wrong.push(format!("{key} was recorded as {types:?}, ours is {value}")),
        }
    }
    assert!(wrong.is_empty(), "{what}: {wrong:?}");
    println!("{what}: {} keys of {} recordings", keys.len(), recorded.len());
    recorded.len()
}

fn json_of(exchanges: &[Exchange], method: &str, route: &str) -> Vec<Value> {
    let wanted = |each: &&Exchange| {
        each.method == method && each.route == route && each.status == 200 && !each.query.contains("fields=")
    };
    exchanges.iter().filter(wanted).filter_map(|each| serde_json::from_str(&each.body).ok()).collect()
}

fn items(lists: Vec<Value>) -> Vec<Value> {
    lists.into_iter().flat_map(|list| list.as_array().cloned().unwrap_or_default()).collect()
}

#[tokio::test]
async fn trello_answers_have_the_recorded_shapes() {
    let Some(folder) = recordings("trello") else { return };
    let recorded = trello_exchanges(&folder);
    let scene = Scene::with(Seed::demo(), Options { enforce_rates: false, ..Options::default() }).await;
    let account = scene.trello("chiara@larkfield.example");
    let board = scene.simulation.trello().board("Marketing: autumn").expect("seeded");
    let id = board["id"].as_str().expect("an id");
    let card = board["lists"][1]["cards"][0]["id"].as_str().expect("a card");
    let list = board["lists"][0]["id"].as_str().expect("a list");
    let mut checked = 0;
    let get = async |path: String| account.get(&path).await.ok();

    checked += same_shape("board", &json_of(&recorded, "GET", "boards/{}"), &get(format!("/boards/{id}")).await);
    checked += same_shape("card", &json_of(&recorded, "GET", "cards/{}"), &get(format!("/cards/{card}")).await);
    checked += same_shape("list", &json_of(&recorded, "GET", "lists/{}"), &get(format!("/lists/{list}")).await);
    checked += same_shape("member", &json_of(&recorded, "GET", "members/me"), &get("/members/me".into()).await);
    let boards = items(json_of(&recorded, "GET", "members/{}/boards"));
    let ours = get("/members/me/boards".into()).await;
    checked += same_shape("boards of a member", &boards, &ours[0]);
    checked += same_shape(
        "lists of a board",
        &items(json_of(&recorded, "GET", "boards/{}/lists")),
        &get(format!("/boards/{id}/lists")).await[0],
    );
    checked += same_shape(
        "members of a board",
        &items(json_of(&recorded, "GET", "boards/{}/members")),
        &get(format!("/boards/{id}/members")).await[0],
    );
    checked += same_shape(
        "labels of a board",
        &items(json_of(&recorded, "GET", "boards/{}/labels")),
        &get(format!("/boards/{id}/labels")).await[0],
    );
    let cards =
        [items(json_of(&recorded, "GET", "boards/{}/cards")), items(json_of(&recorded, "GET", "lists/{}/cards"))]
            .concat();
    checked += same_shape("cards of a board", &cards, &get(format!("/boards/{id}/cards")).await[0]);

    let actions =
        [items(json_of(&recorded, "GET", "boards/{}/actions")), items(json_of(&recorded, "GET", "cards/{}/actions"))]
            .concat();
    let ours = get(format!("/boards/{id}/actions?filter=all&limit=1000")).await;
    for kind in ["createCard", "commentCard", "createList", "createBoard", "addToOrganizationBoard", "addMemberToBoard"]
    {
        let of = |list: &[Value]| list.iter().filter(|action| action["type"] == kind).cloned().collect::<Vec<_>>();
        let (theirs, ours) = (of(&actions), of(ours.as_array().expect("actions")));
        let ours = ours.first().unwrap_or_else(|| panic!("the demo has a {kind}"));
        if theirs.is_empty() {
            continue;
        }
        checked += same_shape(kind, &theirs, ours);
        let data = theirs.iter().map(|action| action["data"].clone()).collect::<Vec<_>>();
        same_shape(&format!("{kind}.data"), &data, &ours["data"]);
    }

    let organization = &get("/members/me/organizations".into()).await[0]["id"];
    let made =
        account.send(Method::POST, "/boards", json!({"name": "Recorded", "idOrganization": organization})).await.ok();
    checked += same_shape("POST boards", &json_of(&recorded, "POST", "boards"), &made);
    let list = account.send(Method::POST, "/lists", json!({"name": "L", "idBoard": made["id"]})).await.ok();
    checked += same_shape("POST lists", &json_of(&recorded, "POST", "lists"), &list);
    let card = account
        .send(Method::POST, "/cards", json!({"name": "C", "idList": list["id"], "due": "2026-11-12", "desc": "why"}))
        .await
        .ok();
    checked += same_shape("POST cards", &json_of(&recorded, "POST", "cards"), &card);
    let card = card["id"].as_str().expect("an id");
    let changed = account.send(Method::PUT, &format!("/cards/{card}"), json!({"name": "D"})).await.ok();
    checked += same_shape("PUT cards", &json_of(&recorded, "PUT", "cards/{}"), &changed);
    let comment =
        account.send(Method::POST, &format!("/cards/{card}/actions/comments"), json!({"text": "t"})).await.ok();
    checked += same_shape("POST comments", &json_of(&recorded, "POST", "cards/{}/actions/comments"), &comment);
    let deleted = send(account.request(Method::DELETE, &format!("/cards/{card}"))).await.ok();
    checked += same_shape("DELETE cards", &json_of(&recorded, "DELETE", "cards/{}"), &deleted);
    assert!(checked > 100, "{checked}");
    println!("checked {checked} recorded objects of Trello");
    assert_eq!(scene.simulation.trello().add_board("x", "chiara@larkfield.example", Visibility::Org).len(), 24);
}

#[tokio::test]
async fn trello_refusals_and_headers_are_the_recorded_ones() {
    let Some(folder) = recordings("trello") else { return };
    let recorded = trello_exchanges(&folder);
    let scene = Scene::new(Seed::demo()).await;
    let account = scene.trello("chiara@larkfield.example");
    let missing = account.get("/actions/61faa73dd180eb86947af0fd").await;
    let refusals: Vec<&Exchange> = recorded.iter().filter(|each| each.status == 404).collect();
    assert!(!refusals.is_empty());
    for refusal in &refusals {
        assert_eq!((missing.text.as_str(), missing.kind.as_str()), (refusal.body.as_str(), refusal.kind.as_str()));
    }
    let always = recorded.iter().map(|each| each.headers.clone()).reduce(|a, b| &a & &b).expect("recordings");
    let rates: Vec<&String> = always.iter().filter(|name| name.starts_with("x-rate-limit")).collect();
    assert!(rates.len() >= 6, "{always:?}");
    for answer in [&missing, &account.get("/members/me").await] {
        rates.iter().for_each(|name| assert!(answer.headers.contains_key(name.as_str()), "{name}"));
    }
    println!(
        "checked {} recorded refusals and {} rate headers of {} exchanges of Trello",
        refusals.len(),
        rates.len(),
        recorded.len()
    );
}

#[tokio::test]
async fn drive_answers_have_the_recorded_shapes() {
    let Some(folder) = recordings("google-drive") else { return };
    let scene = Scene::new(Seed::demo()).await;
    let account = scene.google("ana@larkfield.example");
    let made = account
        .send(
            Method::POST,
            "/files?supportsAllDrives=True",
            json!({"name": "Recorded", "mimeType": "application/vnd.google-apps.spreadsheet"}),
        )
        .await;
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let fields =
        |query: &str| query.split('&').find(|part| part.starts_with("fields=")).map(str::to_owned).unwrap_or_default();
    let mut checked = BTreeMap::<String, usize>::new();
    for entry in fs::read_dir(&folder)
        .expect("readable")
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
    {
        let whole: Value =
            serde_json::from_str(&fs::read_to_string(entry.path()).expect("readable")).expect("a recording");
        for each in whole["interactions"].as_array().expect("interactions") {
            let uri = each["request"]["uri"].as_str().expect("a URI");
            let Some(rest) = uri.strip_prefix("https://www.googleapis.com/drive/v3") else { continue };
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let parts: Vec<&str> = path.split('/').skip(1).collect();
            let method = each["request"]["method"].as_str().expect("a method");
            let (what, answer) = match (method, parts.as_slice()) {
                ("POST", ["files"]) => (
                    "POST files",
                    account
                        .send(
                            Method::POST,
                            "/files",
                            json!({"name": "x", "mimeType": "application/vnd.google-apps.spreadsheet"}),
                        )
                        .await,
                ),
                ("GET", ["files"]) => ("GET files", account.get(&format!("/files?{query}")).await),
                ("GET", ["files", _]) => {
                    ("GET files/{id}", account.get(&format!("/files/{id}?{}", fields(query))).await)
                }
                ("GET", ["files", _, "export"]) => {
                    ("GET export", account.get(&format!("/files/{id}/export?{query}")).await)
                }
                ("GET", ["files", _, "comments"]) => {
                    ("GET comments", account.get(&format!("/files/{id}/comments?{}", fields(query))).await)
                }
                ("DELETE", ["files", _]) => {
                    let made = account.send(Method::POST, "/files", json!({"name": "y"})).await.ok();
                    (
                        "DELETE files/{id}",
                        send(
                            account.request(Method::DELETE, &format!("/files/{}", made["id"].as_str().expect("an id"))),
                        )
                        .await,
                    )
                }
                _ => continue,
            };
            let reply = &each["response"];
            assert_eq!(u64::from(answer.status), reply["status"]["code"], "{what}");
            let recorded_kind = reply["headers"]["Content-Type"][0].as_str().expect("a type");
            assert_eq!(answer.kind, recorded_kind, "{what}");
            let body = reply["body"]["string"].as_str().unwrap_or_default();
            if let Ok(recorded) = serde_json::from_str::<Value>(body)
                && recorded.is_object()
            {
                let ours = answer.json();
                let keys = |value: &Value| {
                    value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(key, value)| (key.clone(), kind(value)))
                        .collect::<Vec<_>>()
                };
                assert_eq!(keys(&ours), keys(&recorded), "{what}: the same keys in the same order");
                if let Some(file) = recorded["files"].get(0) {
                    assert_eq!(keys(&ours["files"][0]), keys(file), "{what}");
                }
                assert!(answer.text.starts_with("{\n  \"") && answer.text.ends_with("}\n"), "indented as theirs");
            }
            *checked.entry(what.to_owned()).or_default() += 1;
        }
    }
    println!("checked {} recorded exchanges of Drive: {checked:?}", checked.values().sum::<usize>());
    assert!(checked.len() >= 6, "{checked:?}");
}
