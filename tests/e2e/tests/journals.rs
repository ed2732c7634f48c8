//! Each connector ships recorded runs, and they are its tests: played with nobody at the other end.
//!
//! `plugins/*/journals` were written by this test with `SALLYPORT_KEEP_JOURNALS=1`, against the simulated services.

use std::path::{Path, PathBuf};

use sallyport_e2e::{Host, block_on, connectors, fails, output, succeeds};
use sallyport_simulate::Seed;
use serde_json::{Value, json};

const CHIARA: &str = "chiara@larkfield.example";

fn plugin(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name);
    path.canonicalize().expect("a connector").to_str().expect("UTF-8").to_owned()
}

fn built(name: &str) -> String {
    let [file] = <[PathBuf; 1]>::try_from(connectors(&[&format!("plugins/{name}")])).expect("one");
    file.to_str().expect("UTF-8").to_owned()
}

/// A workspace of two papers, one of which few may read.
async fn workspace() -> Host {
    let scratch = tempfile::tempdir().expect("a folder");
    // Its name is in the recordings.
    let papers = scratch.path().join("Orchard");
    std::fs::create_dir_all(papers.join("secret")).expect("made");
    std::fs::write(papers.join("Harvest.md"), "# Harvest\n\nThe harvest begins on 3 September.\n").expect("written");
    std::fs::write(papers.join("secret/Wages.md"), "# Wages\n\nFifteen euros an hour.\n").expect("written");
    let readers = json!({ "readers": ["farid@larkfield.example"] });
    std::fs::write(papers.join("secret/.access.json"), readers.to_string()).expect("written");
    Host::with(Seed::folder(&papers).expect("a seed")).await
}

/// Asks, approves, and gives the invocation.
async fn done(host: &Host, request: &str) -> String {
    let answered = host.post(CHIARA, "/v1/ask", &json!({ "request": request })).await.ok();
    let id = answered["proposals"][0]["invocation"].as_str().unwrap_or_else(|| panic!("{answered}")).to_owned();
    let body = json!({ "decision": "approve", "wait": true });
    let decided = host.post(CHIARA, &format!("/v1/approvals/{id}/decision"), &body).await.ok();
    assert_eq!(decided["state"], "succeeded", "{decided}");
    id
}

/// Records what a connector can do into a folder like its own.
async fn record(host: &Host, folders: [&str; 2]) {
    let [drive, trello] = folders.map(ToOwned::to_owned);
    let card =
        done(host, "Create a card \"Order crates\" in the list \"Ideas\" of the board \"Marketing: autumn\".").await;
    let data = host.data().to_owned();
    let recording = move || {
        let record = |folder: &str, connector: &str, name: &str, what: &[&str]| {
            let file = built(connector);
            let start =
                ["--data", &data, "--tenant", "demo", "plugin", "test", folder, "--file", &file, "--record", name];
            output(&[&start[..], what].concat())
        };
        record(&trello, "trello", "create-card", &["--invocation", &card]);
        for (folder, connector, connection) in [(&drive, "google-drive", "Google Drive"), (&trello, "trello", "Trello")]
        {
            let made = record(folder, connector, "streams", &["--connection", connection]);
            let text = std::fs::read_to_string(made["path"].as_str().expect("a path")).expect("a file");
            let listed: Value = serde_json::from_str(&text).expect("JSON");
            let stream = listed["ended"]["streams"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned();
            let pull = ["--connection", connection, "--stream", &stream];
            record(folder, connector, "first-pull", &pull);
            let masked = [&pull[..], &["--mask", "--mask-word", "Larkfield"]].concat();
            record(folder, connector, "masked-pull", &masked);
        }
    };
    tokio::task::spawn_blocking(recording).await.expect("recorded");
}

#[test]
fn every_connector_does_what_its_recorded_runs_say() {
    if std::env::var_os("SALLYPORT_KEEP_JOURNALS").is_some() {
        block_on(async {
            let host = workspace().await;
            record(&host, [&plugin("google-drive"), &plugin("trello")]).await;
            // What is made up needs no masks.
            for name in ["google-drive", "trello"] {
                std::fs::remove_file(Path::new(&plugin(name)).join("journals/masked-pull.json")).expect("removed");
            }
        });
    }
    for name in ["google-drive", "trello"] {
        let tested = output(&["plugin", "test", &plugin(name), "--file", &built(name)]);
        let all = tested.as_array().expect("a list");
        assert!(all.len() > 1 && all.iter().all(|one| one["passed"] == true), "{tested}");
    }
}

#[test]
fn a_run_is_recorded_replayed_and_carried_to_another_desk() {
    block_on(async {
        let host = workspace().await;
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = |name: &str| scratch.path().join(name).to_str().expect("UTF-8").to_owned();
        record(&host, [&folder("drive"), &folder("trello")]).await;
        let card =
            done(&host, "Create a card \"Rent a press\" in the list \"Ideas\" of the board \"Marketing: autumn\".")
                .await;
        let (data, kept) = (host.data().to_owned(), host.stop());
        let checks = move || {
            // The services are gone.
            let data = ["--data", &data, "--tenant", "demo"];
            let file = scratch.path().join("card.json").to_str().expect("UTF-8").to_owned();
            let replayed = output(&[&data[..], &["replay", &card, "--export", &file]].concat());
            assert_eq!(replayed["parted"], json!([]));
            let trello = built("trello");
            let desk = scratch.path().join("desk").to_str().expect("UTF-8").to_owned();
            let desk = ["--data", &desk];
            let there = output(&[&desk[..], &["replay", &file, "--with", &trello]].concat());
            assert_eq!((&there["parted"], &there["ended"]), (&json!([]), &replayed["ended"]));
            // By another connector it parts, and both sides are said.
            let drive = built("google-drive");
            let parted = fails(&[&desk[..], &["replay", &file, "--with", &drive]].concat());
            assert!(!parted.is_empty());
            for name in ["drive", "trello"] {
                let own = scratch.path().join(name);
                let connector = if name == "drive" { "google-drive" } else { name };
                succeeds(&["plugin", "test", own.to_str().expect("UTF-8"), "--file", &built(connector)]);
                let masked = std::fs::read_to_string(own.join("journals/masked-pull.json")).expect("a file");
                assert!(!masked.to_lowercase().contains("larkfield"), "{name}: a masked word stands there");
                assert!(masked.contains("@example.com") || name == "trello", "{name}");
            }
            // A connector that does something else than its recordings say fails, and says where.
            let changed = scratch.path().join("trello/journals/create-card.json");
            let text = std::fs::read_to_string(&changed).expect("a file");
            std::fs::write(&changed, text.replace("Order crates", "Order boxes")).expect("written");
            let both = text.replace("Order crates", "Order boxes").replacen("Order boxes", "Order crates", 1);
            std::fs::write(&changed, both).expect("written");
            let trello_folder = scratch.path().join("trello");
            let failed = fails(&["plugin", "test", trello_folder.to_str().expect("UTF-8"), "--file", &trello]);
            assert!(failed.contains("1 of"), "{failed}");
            let _ = &kept;
        };
        tokio::task::spawn_blocking(checks).await.expect("checked");
    });
}
