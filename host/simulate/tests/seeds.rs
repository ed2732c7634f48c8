//! What simulations start with: the demo company, somebody's own folder, generated documents.

mod common;

use common::Scene;
use sallyport_simulate::{CONNECTOR_ACCOUNT, Seed, SeedError, Simulation};
use serde_json::Value;
use std::{fs, path::Path};

const ANA: &str = "ana@larkfield.example";
const BEN: &str = "ben@larkfield.example";
const HUGO: &str = "hugo@larkfield.example";

#[tokio::test]
async fn the_demo_has_sixty_documents_and_a_strategy_with_tasks_for_marketing() {
    let scene = Scene::new(Seed::demo()).await;
    let drive = scene.simulation.drive();
    assert!(drive.count() >= 60, "{}", drive.count());
    let id = drive.find("Strategy/Q4 strategy").expect("the strategy");
    let account = scene.google(HUGO);
    let file = account.get(&format!("/files/{id}?fields=*")).await.ok();
    assert_eq!(file["mimeType"], "application/vnd.google-apps.document");
    let text = account.get(&format!("/files/{id}/export?mimeType=text/markdown")).await.text;
    let (_, rest) = text.split_once("## Marketing\n").expect("a section for marketing");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let tasks: Vec<&str> = section.lines().filter(|line| line.starts_with("- **")).collect();
    assert!(tasks.len() >= 6, "{tasks:?}");
    assert!(tasks.iter().all(|task| task.contains("Owner: ") && task.contains("Due: 2026-")), "{tasks:?}");
}

#[tokio::test]
async fn the_demo_shares_its_documents_differently() {
    let simulation = Simulation::start(Seed::demo()).await.expect("free ports");
    let readers = |path: &str| {
        let mut readers = simulation.drive().readers(path).unwrap_or_else(|| panic!("{path} is seeded"));
        readers.retain(|reader| reader != CONNECTOR_ACCOUNT);
        readers
    };
    assert_eq!(readers("People team/Salaries 2027"), [ANA, "farid@larkfield.example"]);
    assert_eq!(readers("Grace - notes/One to one with Ben.md"), ["grace@larkfield.example"]);
    assert_eq!(readers("Strategy/Q4 strategy").len(), 9);
    assert_eq!(readers("Hiring plan Q4"), [ANA, BEN, "farid@larkfield.example"]);
    assert!(
        readers("Launch calendar Compass 5").contains(&"ines@larkfield.example".to_owned()),
        "through a nested group"
    );
    assert!(!readers("Leadership/Fundraising options").contains(&HUGO.to_owned()));
    let everything = simulation.drive().readers("Support/Install a probe").expect("seeded");
    assert_eq!(everything.len(), 10, "anyone");
    let state = simulation.state();
    let unreachable = state["drive"]["files"].as_array().expect("files").iter().filter(|file| {
        file["path"] != ""
            && !simulation
                .drive()
                .readers(file["id"].as_str().unwrap_or_default())
                .is_some_and(|readers| readers.contains(&CONNECTOR_ACCOUNT.to_owned()))
    });
    assert_eq!(unreachable.count(), 0, "the connector's account reads everything");
    let boards: Vec<_> =
        state["trello"]["boards"].as_array().expect("boards").iter().map(|board| board["name"].clone()).collect();
    assert_eq!(boards.len(), 3, "{boards:?}");
}

#[tokio::test]
async fn the_same_seed_has_the_same_ids() {
    let ids = async || {
        let simulation = Simulation::start(Seed::demo()).await.expect("free ports");
        let state = simulation.state();
        let ids = |list: &Value| {
            list.as_array().expect("a list").iter().map(|each| each["id"].to_string()).collect::<Vec<_>>()
        };
        [ids(&state["drive"]["files"]), ids(&state["drive"]["drives"]), ids(&state["trello"]["boards"])]
    };
    assert_eq!(ids().await, ids().await);
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
    fs::write(path, text).expect("a file");
}

#[tokio::test]
async fn a_folder_of_ones_own_becomes_the_drive() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    write(root, "readme.md", "# Hello");
    write(root, "notes/one.txt", "one");
    write(root, "notes/deep/two.md", "two");
    write(root, "closed/.access.json", r#"{"readers": ["Ben@larkfield.example", "outsider@other.example"]}"#);
    write(root, "closed/three.md", "three");
    write(
        root,
        "team/.access.json",
        r#"{"readers": ["group:engineering@larkfield.example", "group:own@x.example"], "groups": {"own@x.example": ["hugo@larkfield.example"]}}"#,
    );
    write(root, "team/four.md", "four");
    write(root, "open/.access.json", r#"{"readers": ["anyone"]}"#);
    write(root, "open/five.md", "five");
    write(root, ".hidden.md", "no");
    write(root, ".git/six.md", "no");
    write(root, "picture.png", "no");
    let scene = Scene::new(Seed::folder(root).expect("a good folder")).await;
    let drive = scene.simulation.drive();
    assert_eq!(drive.count(), 6);

    let top = root.file_name().and_then(|name| name.to_str()).expect("a name");
    let readers = |path: &str| {
        let mut readers = drive.readers(&format!("{top}/{path}")).unwrap_or_else(|| panic!("{path} is there"));
        readers.retain(|reader| reader != CONNECTOR_ACCOUNT);
        readers
    };
    assert_eq!(readers("readme.md").len(), 9, "the whole tenant");
    assert_eq!(readers("notes/deep/two.md"), readers("readme.md"));
    assert_eq!(readers("closed/three.md"), [BEN, "outsider@other.example"]);
    assert_eq!(readers("team/four.md"), [BEN, "emma@larkfield.example", "grace@larkfield.example", HUGO]);
    assert_eq!(readers("open/five.md").len(), 10, "the outsider too");

    let account = scene.google(CONNECTOR_ACCOUNT);
    let files = account
        .all("/files?q=trashed%3Dfalse&fields=nextPageToken,files(id,name,mimeType,properties,permissions)", "files")
        .await;
    let two = files.iter().find(|file| file["name"] == "two.md").expect("listed");
    assert_eq!(
        (&two["properties"]["path"], &two["mimeType"]),
        (&Value::from("notes/deep/two.md"), &Value::from("text/markdown"))
    );
    let one = files.iter().find(|file| file["name"] == "one.txt").expect("listed");
    assert_eq!(one["mimeType"], "text/plain");
    assert!(one["permissions"].as_array().expect("an editor sees them").iter().any(|each| each["type"] == "domain"));
    assert_eq!(account.get(&format!("/files/{}?alt=media", two["id"].as_str().expect("an id"))).await.text, "two");
}

#[test]
fn what_is_wrong_with_a_folder_is_named_with_the_way_out() {
    let refused = |access: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "a.md", "a");
        write(folder.path(), "sub/.access.json", access);
        let error = Seed::folder(folder.path()).expect_err(access);
        let text = error.to_string();
        assert!(text.contains("sub/.access.json"), "{text}");
        (error, text)
    };
    assert!(matches!(refused("{").0, SeedError::BadAccess { .. }));
    assert!(matches!(refused(r#"{"reader": []}"#).0, SeedError::BadAccess { .. }));
    assert!(matches!(refused(r#"{"readers": "ana@x"}"#).0, SeedError::BadAccess { .. }));
    assert!(matches!(refused("{}").0, SeedError::BadAccess { .. }));
    assert!(matches!(refused(r#"{"readers": [], "writers": ["ana@x.example"]}"#).0, SeedError::BadAccess { .. }));
    for reader in ["everybody", "group:", "role:admin", "ana@", "domain:", "a b@x.example"] {
        let (error, text) = refused(&format!(r#"{{"readers": ["{reader}"]}}"#));
        assert!(matches!(error, SeedError::UnknownReader { .. }), "{reader}: {error:?}");
        assert!(text.contains(reader) && text.contains("e-mail address"), "{text}");
    }
    let (error, text) = refused(r#"{"readers": ["group:nobody@x.example"]}"#);
    assert!(matches!(error, SeedError::UnknownGroup { .. }));
    assert!(text.contains("engineering@larkfield.example"), "the known groups are named: {text}");

    let empty = tempfile::tempdir().expect("a folder");
    assert!(matches!(Seed::folder(empty.path()), Err(SeedError::Empty(_))));
    assert!(matches!(Seed::folder(empty.path().join("nothing")), Err(SeedError::NotAFolder(_))));
    // A folder in the file's place stands for whatever cannot be read: root may read everything else.
    write(empty.path(), "a.md", "a");
    fs::create_dir_all(empty.path().join("sub/.access.json")).expect("a folder in the file's place");
    let error = Seed::folder(empty.path()).expect_err("unreadable");
    assert!(matches!(&error, SeedError::Unreadable { path, .. } if path.ends_with("sub/.access.json")), "{error}");
}

#[tokio::test]
async fn generated_documents_differ_and_are_the_same_in_every_run() {
    let simulation = Simulation::start(Seed::synthetic(200)).await.expect("free ports");
    assert_eq!(simulation.drive().count(), 200);
    let state = simulation.drive().state();
    let mut texts: Vec<String> = state["files"]
        .as_array()
        .expect("files")
        .iter()
        .filter_map(|file| file["content"].as_str().map(str::to_owned))
        .collect();
    assert!(texts.iter().all(|text| text.len() > 1000), "a few hundred words each");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 200);
    let again = Simulation::start(Seed::synthetic(200)).await.expect("free ports");
    assert_eq!(again.drive().state(), state);
}
