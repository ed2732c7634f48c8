//! What is wrong is named with the way out, and what was there before stays.

use std::path::{Path, PathBuf};
use std::process::Command;

use sallyport_e2e::{Host, block_on, connectors, fails, output, succeeds};
use sallyport_simulate::Seed;
use serde_json::json;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn trello() -> PathBuf {
    connectors(&["plugins/trello"]).remove(0)
}

#[test]
fn a_file_that_is_no_connector_is_named_and_what_is_installed_stays() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = text(dir.path()).to_owned() + "/data";
    succeeds(&["--data", &data, "plugin", "install", "--unsigned", text(&trello())]);
    let before = output(&["--data", &data, "plugin", "list"]);

    let letter = dir.path().join("letter.wasm");
    std::fs::write(&letter, "Dear host, please run me.").expect("written");
    let module = dir.path().join("module.wasm");
    std::fs::write(&module, wat::parse_str("(module)").expect("a module")).expect("written");
    let bare = dir.path().join("component.wasm");
    std::fs::write(&bare, wat::parse_str("(component)").expect("a component")).expect("written");
    let half = dir.path().join("half.wasm");
    let whole = std::fs::read(trello()).expect("the connector");
    std::fs::write(&half, &whole[..whole.len() / 2]).expect("written");
    for file in [&letter, &module, &bare, &half] {
        for verb in ["inspect", "install"] {
            let error = fails(&["--data", &data, "plugin", verb, text(file)]);
            assert!(error.contains(file.file_name().unwrap().to_str().unwrap()), "{verb}: {error}");
        }
    }
    assert_eq!(output(&["--data", &data, "plugin", "list"]), before);
}

/// The example connector with another manifest, in a folder of its own.
fn with_manifest(dir: &Path, edit: impl Fn(String) -> String) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/examples/hello");
    let folder = dir.join("hello");
    std::fs::create_dir_all(folder.join("src")).expect("made");
    for file in ["Cargo.toml", "src/lib.rs"] {
        std::fs::copy(example.join(file), folder.join(file)).expect("copied");
    }
    let manifest = std::fs::read_to_string(example.join("connector.toml")).expect("the example's manifest");
    let edited = edit(manifest.clone());
    assert_ne!(edited, manifest, "the edit changes nothing");
    std::fs::write(folder.join("connector.toml"), edited).expect("written");
    folder
}

#[test]
fn a_mistake_in_a_manifest_is_told_at_its_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let cases: [(&str, &str, &[&str]); 3] = [
        ("[sync]", "[sync]\nevery = \"5m\"", &["every"]),
        ("GET {api}/v1/notes/{id}", "GET {api}/v1/**/{id}", &["**", "last"]),
        ("GET {api}/v1/me", "GET {nowhere}/v1/me", &["nowhere", "origin"]),
    ];
    for (number, (from, to, words)) in cases.into_iter().enumerate() {
        let folder = with_manifest(&dir.path().join(number.to_string()), |manifest| manifest.replacen(from, to, 1));
        let error = fails(&["plugin", "build", text(&folder)]);
        for word in words.iter().chain(&["connector.toml"]) {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    }
}

#[test]
fn an_unreachable_service_is_named_and_what_was_read_stays() {
    let host = block_on(Host::with(Seed::demo()));
    let data = host.data().to_owned();
    let found = |title: &str| {
        let results = output(&["--data", &data, "--tenant", "demo", "search", title, "--as", "ana@larkfield.example"]);
        results[0]["title"].as_str().is_some_and(|found| found.contains(title))
    };
    assert!(found("Q4 strategy"));
    let data_dir = host.stop();
    let error = fails(&["--data", &data, "--tenant", "demo", "sync", "Google Drive"]);
    assert!(error.contains("Google Drive") && error.contains("www.googleapis.com"), "{error}");
    assert!(found("Q4 strategy"), "the cursor and the documents are where the last checkpoint left them");
    drop(data_dir);
}

#[test]
fn a_full_disk_is_said_and_what_was_there_stays() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = dir.path().join("disk");
    std::fs::create_dir(&disk).expect("made");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs", text(&disk)]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return println!("skipped: a small file system can be mounted by root only");
    }
    struct Unmount(PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
    let _unmount = Unmount(disk.clone());
    let data = text(&disk).to_owned() + "/data";
    succeeds(&["--data", &data, "keys", "user", "ann@example.com"]);
    let before = output(&["--data", &data, "keys", "users"]);
    std::fs::write(disk.join("ballast"), vec![7; 8 << 20]).expect_err("the disk is full now");
    let error = fails(&["--data", &data, "plugin", "install", "--unsigned", text(&trello())]);
    assert!(error.contains("disk") || error.contains("space"), "{error}");
    std::fs::remove_file(disk.join("ballast")).expect("there is room again");
    assert_eq!(output(&["--data", &data, "keys", "users"]), before);
    assert_eq!(output(&["--data", &data, "plugin", "list"]), json!([]));
}

#[test]
fn what_cannot_be_used_is_named_with_the_option_that_chooses_another() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("written");
    let error = fails(&["--data", text(&file), "plugin", "list"]);
    assert!(error.contains("--data"), "{error}");

    let data = text(dir.path()).to_owned() + "/data";
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = fails(&["--data", &data, "--listen", &address, "serve"]);
    assert!(error.contains("--listen") && error.contains(&address), "{error}");

    std::fs::write(Path::new(&data).join("config.toml"), "[modell]\n").expect("written");
    let error = fails(&["--data", &data, "plugin", "list"]);
    assert!(error.contains("modell") && error.contains("config.toml"), "{error}");
    std::fs::write(Path::new(&data).join("config.toml"), "").expect("written");
    std::fs::write(
        Path::new(&data).join("registry.toml"),
        "[provider.google]\nname = \"Mine\"\norigins = []\nauth = []\n",
    )
    .expect("written");
    let error = fails(&["--data", &data, "plugin", "list"]);
    assert!(error.contains("google") && error.contains("registry.toml"), "{error}");
}

#[test]
fn a_connector_of_a_provider_that_nobody_listed_says_where_to_list_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = text(dir.path()).to_owned() + "/data";
    let hello = connectors(&["sdk/examples/hello"]).remove(0);
    let error = fails(&["--data", &data, "plugin", "install", "--unsigned", text(&hello)]);
    assert!(error.contains("hello") && error.contains("registry.toml"), "{error}");
    assert_eq!(output(&["--data", &data, "plugin", "list"]), json!([]));
    let registry = "[provider.hello]\nname = \"Hello\"\norigins = [\"https://hello.example\"]\nauth = []\n";
    std::fs::write(Path::new(&data).join("registry.toml"), registry).expect("written");
    succeeds(&["--data", &data, "plugin", "install", "--unsigned", text(&hello)]);
}

#[test]
fn the_demo_leaves_a_folder_of_somebody_elses_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("thesis.md"), "years of work").expect("written");
    let error = fails(&["--data", text(dir.path()), "demo", "--check"]);
    assert!(error.contains("--data"), "{error}");
    assert!(dir.path().join("thesis.md").exists());
    let error = fails(&["--data", text(&dir.path().join("new")), "demo", "--folder", text(&dir.path().join("none"))]);
    assert!(error.contains("none") && error.contains("folder"), "{error}");
}

#[test]
fn a_user_of_the_same_name_elsewhere_is_another_person() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = text(dir.path()).to_owned() + "/data";
    succeeds(&["--data", &data, "keys", "user", "ann@example.com", "--name", "Ann"]);
    succeeds(&["--data", &data, "keys", "user", "ann@example.com", "--name", "Ann A."]);
    succeeds(&["--data", &data, "keys", "user", "ann@example.org", "--name", "Another Ann"]);
    let users = output(&["--data", &data, "keys", "users"]);
    let found: Vec<_> =
        users.as_array().expect("a list").iter().map(|user| (&user["subject"], &user["name"])).collect();
    assert_eq!(found.len(), 2, "{users}");
    assert!(found.contains(&(&json!("ann"), &json!("Ann A."))), "{users}");
    assert!(found.contains(&(&json!("ann@example.org"), &json!("Another Ann"))), "{users}");
}
