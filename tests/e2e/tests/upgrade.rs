//! Data directories of earlier versions open for ever, with everything that is in them.
//!
//! `tests/e2e/data/0.1` was written by this test with `SALLYPORT_KEEP_DATA=<an empty folder>`: documents that some may
//! read, a proposal that waits, one that was carried out. For a new version keep a folder of its own beside it.

use std::path::{Path, PathBuf};

use sallyport::ids::{InvocationId, TenantId};
use sallyport::ports::{DecisionKind, Directory as _, Filter, State};
use sallyport_e2e::{Host, block_on};
use sallyport_server::app::App;
use sallyport_server::cli::session;
use sallyport_server::config::Config;
use sallyport_server::search::Query;
use sallyport_simulate::Seed;
use serde_json::json;

const CHIARA: &str = "chiara@larkfield.example";

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
            private(&target);
        }
    }
}

/// As the host makes its files; a clone of the repository has other modes.
fn private(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    #[cfg(not(unix))]
    let _ = file;
}

/// Makes a directory that has something of everything.
async fn keep(folder: &Path) {
    let papers = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(papers.path().join("secret")).expect("made");
    std::fs::write(papers.path().join("Harvest.md"), "# Harvest\n\nThe harvest begins on 3 September.\n")
        .expect("written");
    std::fs::write(papers.path().join("secret/Wages.md"), "# Wages\n\nThe harvest pays 15 euros an hour.\n")
        .expect("written");
    let readers = json!({ "readers": ["farid@larkfield.example"] });
    std::fs::write(papers.path().join("secret/.access.json"), readers.to_string()).expect("written");
    let host = Host::with(Seed::folder(papers.path()).expect("a seed")).await;
    for (card, decision) in [("Order crates", Some("approve")), ("Rent a press", None)] {
        let request = format!("Create a card \"{card}\" in the list \"Ideas\" of the board \"Marketing: autumn\".");
        let answered = host.post(CHIARA, "/v1/ask", &json!({ "request": request })).await.ok();
        let id = answered["proposals"][0]["invocation"].as_str().expect("a proposal").to_owned();
        if let Some(decision) = decision {
            let body = json!({ "decision": decision, "wait": true });
            assert_eq!(
                host.post(CHIARA, &format!("/v1/approvals/{id}/decision"), &body).await.ok()["state"],
                "succeeded"
            );
        }
    }
    let data = PathBuf::from(host.data());
    let db = rusqlite::Connection::open(data.join("sallyport.db")).expect("the database");
    db.execute("VACUUM INTO ?", [folder.join("sallyport.db").to_str().expect("UTF-8")]).expect("a copy");
    for file in ["master.key", "config.toml"] {
        std::fs::copy(data.join(file), folder.join(file)).expect("copied");
    }
    for part in ["connectors", "index"] {
        copy(&data.join(part), &folder.join(part));
    }
}

#[test]
fn a_data_directory_of_0_1_opens_with_documents_access_secrets_and_what_waits() {
    block_on(async {
        if let Some(folder) = std::env::var_os("SALLYPORT_KEEP_DATA") {
            keep(Path::new(&folder)).await;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/0.1"), &data);
        let app = App::open(&data, Config::load(&data).expect("its configuration"), None).await.expect("it opens");
        let tenant = TenantId::new("demo");

        let found = |who: &'static str| {
            let (app, tenant) = (app.clone(), tenant.clone());
            async move {
                let caller = session::by_email(&app, &tenant, who).await.expect("a person");
                let query = Query { text: "harvest".into(), limit: 10, per_document: 1 };
                let found = app.search(&caller, query).await.expect("results");
                // Cards of the boards are found, too.
                let mut titles: Vec<String> =
                    found.into_iter().map(|one| one.title).filter(|title| title.ends_with(".md")).collect();
                titles.sort();
                titles
            }
        };
        assert_eq!(found("farid@larkfield.example").await, ["Harvest.md", "Wages.md"]);
        assert_eq!(found(CHIARA).await, ["Harvest.md"]);

        let operator = session::operator(&tenant);
        let filter = Filter { states: vec![State::Held, State::Expired, State::Succeeded], ..Filter::default() };
        let proposals = app.runtime().proposals(&operator, filter).await.expect("proposals");
        let state = |card: &str| {
            let one = proposals.iter().find(|one| one.arguments["name"] == card);
            one.map(|one| (one.invocation.clone(), one.state))
                .unwrap_or_else(|| panic!("{card} is not in {proposals:?}"))
        };
        assert_eq!(state("Order crates").1, State::Succeeded);
        // It has waited longer than a proposal may, or it has not: either way nobody is asked twice, nothing is sent.
        let (waiting, held) = state("Rent a press");
        assert!(matches!(held, State::Held | State::Expired), "{held:?}");
        let decided = app.runtime().decide(&operator, &waiting, DecisionKind::Deny, None).await;
        let view = app.runtime().invocation(&operator, &InvocationId::new(waiting.as_str())).await.expect("a view");
        assert!(matches!(view.state, State::Denied | State::Expired), "{decided:?} {:?}", view.state);

        // Its secrets still open: the services of then are gone, and this is all that is wrong.
        let connections = app.store().connections(&tenant).await.expect("connections");
        assert_eq!(connections.len(), 2);
        for connection in connections {
            let error = app.runtime().identify(&operator, &connection.id).await.expect_err("nobody is there");
            let code = sallyport::Fault::code(&error);
            assert!(!error.to_string().contains("decrypt") && code != "host", "{}: {code}: {error}", connection.name);
        }
    });
}
