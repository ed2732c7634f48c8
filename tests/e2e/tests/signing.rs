//! Who made a connector, and what a new version of it takes: on the command line and over HTTP.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use sallyport_e2e::{Answer, Host, block_on, connectors, fails, output, succeeds};
use sallyport_pack::sealed::{self, Sealed};
use sallyport_store::accounts::Holder;
use serde_json::{Value, json};

/// The demo's admin, and somebody who is none.
const HUGO: &str = "hugo@larkfield.example";

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn trello() -> PathBuf {
    connectors(&["plugins/trello"]).remove(0)
}

/// Trello's connector as another version, whose calls may make so many writes more.
fn version(dir: &Path, version: &str, more_writes: u32) -> PathBuf {
    let built = std::fs::read(trello()).expect("the connector");
    let mut file = sealed::read(&built).expect("a connector");
    file.manifest.connector.version = version.parse().expect("a version");
    let tool = file.manifest.tools.iter_mut().find(|tool| tool.name.as_str() == "create_card").expect("the tool");
    tool.max_writes += more_writes;
    let sealed = Sealed { manifest: file.manifest, tools: file.tools, packer: file.packer };
    let path = dir.join(format!("{version}.wasm"));
    std::fs::write(&path, sealed::seal(&built, &sealed).expect("sealed")).expect("written");
    path
}

fn connector(all: &Value, id: &str) -> Value {
    all.as_array().expect("connectors").iter().find(|one| one["id"] == id).expect("it is installed").clone()
}

fn install<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--data", data, "plugin", "install"], more].concat()
}

#[test]
fn an_unsigned_file_takes_an_operators_word_and_a_signed_one_stays_its_publishers() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = text(dir.path()).to_owned() + "/data";
    let unsigned = trello();
    let error = fails(&install(&data, &[text(&unsigned)]));
    assert!(error.contains("trello") && error.contains("--unsigned"), "{error}");

    let keys = ["one.pem", "two.pem"].map(|name| dir.path().join(name));
    let publishers = keys.each_ref().map(|key| output(&["plugin", "key", "--out", text(key)])["publisher"].clone());
    let mode = std::fs::metadata(&keys[0]).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(&keys[0]).expect("the key");
    assert!(fails(&["plugin", "key", "--out", text(&keys[0])]).contains("one.pem"));
    assert_eq!(std::fs::read(&keys[0]).expect("the key"), before, "a key is not written over");

    let signed = [0, 1].map(|who| {
        let out = dir.path().join(format!("{who}.wasm"));
        succeeds(&["plugin", "sign", text(&unsigned), "--key", text(&keys[who]), "--out", text(&out)]);
        out
    });
    assert_eq!(output(&["plugin", "verify", text(&signed[0])])["publisher"], publishers[0]);
    assert_eq!(output(&["plugin", "inspect", text(&signed[0])])["publisher"], publishers[0]);
    assert!(fails(&["plugin", "verify", text(&unsigned)]).contains("not signed"));
    let touched = dir.path().join("touched.wasm");
    let bytes = std::fs::read(&signed[0]).expect("the file");
    std::fs::write(&touched, [&bytes[..], &[0, 1, 0]].concat()).expect("written");
    for verb in ["verify", "inspect"] {
        assert!(fails(&["plugin", verb, text(&touched)]).contains("touched.wasm"), "{verb}");
    }
    assert!(fails(&install(&data, &["--unsigned", text(&touched)])).contains("signature"));

    succeeds(&install(&data, &[text(&signed[0])]));
    let ours = publishers[0].as_str().expect("a key");
    for refused in [&["--unsigned", text(&unsigned)][..], &[text(&signed[1])]] {
        let error = fails(&install(&data, refused));
        assert!(error.contains(ours) && error.contains("--new-publisher"), "{error}");
    }
    assert_eq!(output(&["--data", &data, "plugin", "list"])[0]["publisher"], publishers[0]);
    succeeds(&install(&data, &["--new-publisher", text(&signed[1])]));
    assert_eq!(output(&["--data", &data, "plugin", "list"])[0]["publisher"], publishers[1]);
}

/// Posts a connector file as somebody.
async fn post(host: &Host, token: &str, query: &str, file: &Path) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.post(format!("{}/v1/connectors{query}", host.url)).bearer_auth(token);
    let response = request.body(std::fs::read(file).expect("the file")).send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("a body") }
}

#[test]
fn a_wider_version_waits_until_an_admin_approves_what_was_shown() {
    block_on(async {
        let host = Host::demo().await;
        let dir = tempfile::tempdir().expect("a folder");
        let data = host.data().to_owned();
        let wider = version(dir.path(), "0.2.0", 1);
        let line = "~ tool create_card max_writes 1 → 2";
        let change = json!({ "wider": true, "line": line });

        let compared = output(&["--data", &data, "plugin", "diff", text(&wider)]);
        assert_eq!(compared["wider"], true);
        assert!(compared["changes"].as_array().expect("changes").contains(&change), "{compared:#}");
        assert_eq!(output(&["plugin", "diff", text(&trello()), text(&wider)]), compared, "two files, without a host");
        let back = output(&["plugin", "diff", text(&wider), text(&trello())]);
        assert_eq!(back["wider"], false, "{back:#}");

        let installed = output(&["--data", &data, "plugin", "install", "--unsigned", text(&wider)]);
        assert_eq!((&installed[0]["version"], &installed[0]["waiting"]["version"]), (&json!("0.1.0"), &json!("0.2.0")));
        let listed = host.get(HUGO, "/v1/connectors").await.ok();
        let shown = connector(&listed["connectors"], "trello");
        assert!(shown["waiting"]["changes"].as_array().expect("changes").contains(&change), "{shown:#}");
        let said = succeeds(&["--data", &data, "plugin", "approve", "trello"]);
        assert!(said.stderr.contains(line), "{}", said.stderr);
        let listed = output(&["--data", &data, "plugin", "list"]);
        let live = connector(&listed, "trello");
        assert_eq!((&live["version"], &live["waiting"]), (&json!("0.2.0"), &Value::Null));
        assert!(fails(&["--data", &data, "plugin", "approve", "trello"]).contains("waits"));

        // The same over HTTP, for whoever runs the host: it has more tenants than one.
        let operator = host.app.accounts().create_key(Holder::Operator, "tests").await.expect("a key");
        let (operator, hugo) = (operator.reveal(), host.token(HUGO).await);
        let approve = |shown: Value| {
            let (host, operator) = (&host, operator.to_owned());
            async move { host.send("POST", "/v1/connectors/trello/approve", Some(&operator), Some(&shown)).await }
        };
        let wider = version(dir.path(), "0.3.0", 2);
        let refused = post(&host, &hugo, "?unsigned=true", &wider).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let refused = post(&host, operator, "", &wider).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "unsigned"));
        let refused = post(&host, operator, "?unsined=true", &wider).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let waiting = post(&host, operator, "?unsigned=true", &wider).await.ok();
        assert_eq!((&waiting["version"], &waiting["waiting"]["version"]), (&json!("0.2.0"), &json!("0.3.0")));
        let path = "/v1/connectors/trello/approve";
        let shown = json!({ "digest": waiting["waiting"]["digest"] });
        assert_eq!(host.post(HUGO, path, &shown).await.status, StatusCode::FORBIDDEN);
        let other = json!({ "digest": "0".repeat(64) });
        assert_eq!(approve(other).await.status, StatusCode::CONFLICT);
        let approved = approve(shown.clone()).await.ok();
        assert_eq!((&approved["version"], &approved["waiting"]), (&json!("0.3.0"), &Value::Null));
        assert_eq!(approve(shown).await.status, StatusCode::NOT_FOUND);
    });
}
