//! The record as an operator sees it: verified, printed, anchored, and found wanting where somebody has been at the files.

use std::path::Path;
use std::time::{Duration, Instant};

use sallyport_e2e::{Host, Serving, block_on, fails, output, run, succeeds};
use serde_json::{Value, json};

const CHIARA: &str = "chiara@larkfield.example";

/// A host with a proposal that was approved, and one that was denied; its data directory, with nobody on it.
async fn worked() -> (tempfile::TempDir, String) {
    let host = Host::demo().await;
    for (card, decision) in [("Order crates", "approve"), ("Rent a press", "deny")] {
        let request = format!("Create a card \"{card}\" in the list \"Ideas\" of the board \"Marketing: autumn\".");
        let answered = host.post(CHIARA, "/v1/ask", &json!({ "request": request })).await.ok();
        let id = answered["proposals"][0]["invocation"].as_str().expect("a proposal").to_owned();
        let body = json!({ "decision": decision, "wait": true, "note": "as discussed" });
        let _ = host.post(CHIARA, &format!("/v1/approvals/{id}/decision"), &body).await.ok();
    }
    let chain = host.get("ines@larkfield.example", "/v1/audit").await.ok();
    assert!(chain["links"].as_array().is_some_and(|links| links.len() > 10), "{chain}");
    assert_eq!(host.get(CHIARA, "/v1/audit").await.status, 403);
    let data = host.data().to_owned();
    (host.stop(), data)
}

fn of<'a>(reports: &'a Value, chain: &str) -> &'a Value {
    let all = reports.as_array().expect("reports");
    all.iter().find(|report| report["chain"] == chain).unwrap_or_else(|| panic!("{chain}: {reports}"))
}

#[test]
fn an_operator_verifies_prints_and_anchors_the_record_and_is_told_where_it_was_changed() {
    let (_folder, data) = block_on(worked());
    let tenant = |arguments: &[&'static str]| [&["--data", &data, "--tenant", "demo"], arguments].concat();
    let anchors = tempfile::tempdir().expect("a folder");
    let file = anchors.path().join("anchors.jsonl").to_str().expect("UTF-8").to_owned();
    succeeds(&[&tenant(&["audit", "anchor", "--to"])[..], &[&file]].concat());
    let reports = output(&[&tenant(&["audit", "verify", "--anchor"])[..], &[&file]].concat());
    for chain in ["", "demo"] {
        let report = of(&reports, chain);
        assert_eq!((&report["bad"], &report["vouched"]), (&Value::Null, &report["links"]), "{report}");
    }

    // Grants, connections, people and decisions are in it, and no word of what they were about.
    let printed = run(&tenant(&["audit", "export"])).stdout;
    let links: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON Lines")).collect();
    assert_eq!(links.len() as u64, of(&reports, "demo")["links"].as_u64().expect("a number"));
    let kinds: std::collections::BTreeSet<&str> =
        links.iter().filter_map(|link| link["note"]["kind"].as_str()).collect();
    for kind in ["connection-kept", "granted", "person-kept", "rules-set", "api-key-made", "client-registered"] {
        assert!(kinds.contains(kind), "{kind} is not in {kinds:?}");
    }
    assert!(links.iter().any(|link| link["event"]["kind"] == "deny"));
    assert!(!printed.contains("Order crates"), "what was asked is not in the chain");
    let host = run(&tenant(&["audit", "export", "--host"])).stdout;
    assert!(host.contains("connector-installed") && host.contains("tenant-made"), "{host}");

    let db = rusqlite::Connection::open(Path::new(&data).join("sallyport.db")).expect("the database");
    db.execute_batch("DROP TRIGGER entries_are_not_changed").expect("dropped");
    let sql = "UPDATE entries SET event = replace(event, '\"deny\"', '\"approve\"') WHERE event LIKE '%\"deny\"%'";
    assert_eq!(db.execute(sql, []).expect("changed"), 1);
    let error = fails(&tenant(&["audit", "verify"]));
    let denied = links.iter().find(|link| link["event"]["kind"] == "deny").expect("a link");
    let (seq, invocation) = (denied["seq"].as_u64().expect("a number"), denied["invocation"].as_str().expect("an id"));
    for told in [format!("link {seq}"), invocation.to_owned(), format!("up to link {}", seq - 1)] {
        assert!(error.contains(&told), "{told} is not in {error}");
    }
    let foreign = fails(&[&tenant(&["audit", "verify", "--anchor"])[..], &["/dev/null"]].concat());
    assert!(foreign.contains("no anchor"), "{foreign}");
}

#[test]
fn a_serving_host_signs_anchors_and_forgets_old_bodies_without_being_asked() {
    let (_folder, data) = block_on(worked());
    let anchors = tempfile::tempdir().expect("a folder");
    let file = anchors.path().join("anchors.jsonl");
    let config = Path::new(&data).join("config.toml");
    let said = std::fs::read_to_string(&config).expect("a configuration");
    let mut said: toml::Table = toml::from_str(&said).expect("TOML");
    said.insert("scheduled_sync".into(), false.into());
    let audit = said["audit"].as_table_mut().expect("a section");
    audit.insert("retention_days".into(), 7.into());
    audit.insert("anchor".into(), file.to_str().expect("UTF-8").into());
    std::fs::write(&config, said.to_string()).expect("written");

    // One body is six days old, the others eight.
    let db = rusqlite::Connection::open(Path::new(&data).join("sallyport.db")).expect("the database");
    let bodies = || -> i64 { db.query_row("SELECT count(*) FROM bodies", [], |row| row.get(0)).expect("a number") };
    let all = bodies();
    assert!(all > 1, "{all}");
    let day = 24 * 60 * 60 * 1000;
    let aged = "UPDATE bodies SET kept = kept - CASE key WHEN (SELECT min(key) FROM bodies) THEN 6 ELSE 8 END * ?";
    assert_eq!(db.execute(aged, [day]).expect("aged") as i64, all);

    let serving = Serving::start(&data);
    let deadline = Instant::now() + Duration::from_secs(60);
    let anchored = || std::fs::read_to_string(&file).unwrap_or_default();
    while bodies() > 1 || anchored().is_empty() {
        assert!(Instant::now() < deadline, "{} of {all} bodies are kept; anchors: {:?}", bodies(), anchored());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(bodies(), 1, "what is younger than the retention is kept");
    drop(serving);

    let verify = ["--data", &data, "audit", "verify", "--anchor", file.to_str().expect("UTF-8")];
    let reports = output(&verify);
    assert_eq!(of(&reports, "demo")["bad"], Value::Null, "a forgotten body breaks no chain");
    let printed = run(&["--data", &data, "--tenant", "demo", "audit", "export"]).stdout;
    let noted = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON Lines"));
    let noted: Vec<Value> = noted.filter(|link| link["note"]["kind"] == "bodies-forgotten").collect();
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!(noted[0]["note"]["bodies"], all - 1);
}

#[test]
fn a_tenant_that_is_removed_leaves_a_record_that_verifies_and_nobody_can_read() {
    let (_folder, data) = block_on(worked());
    let tenant = |arguments: &[&'static str]| [&["--data", &data, "--tenant", "demo"], arguments].concat();
    let refused = fails(&tenant(&["tenant", "remove", "--confirm", "another"]));
    assert!(refused.contains("nothing was removed"), "{refused}");
    succeeds(&tenant(&["tenant", "remove", "--confirm", "demo"]));
    let reports = output(&["--data", &data, "--tenant", "other", "audit", "verify"]);
    assert_eq!(of(&reports, "demo")["bad"], Value::Null);
    let again = fails(&tenant(&["connect", "--list"]));
    assert!(again.contains("never given again"), "{again}");
    let db = rusqlite::Connection::open(Path::new(&data).join("sallyport.db")).expect("the database");
    for table in ["bodies", "secrets", "connections", "documents", "users", "turns"] {
        let rows: i64 = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a number");
        assert_eq!(rows, 0, "{table}");
    }
}

#[test]
fn an_anchor_is_posted_to_whoever_keeps_it_and_a_refusal_is_told() {
    use std::sync::{Arc, Mutex};

    let (_folder, data) = block_on(worked());
    let taken = Arc::new(Mutex::new(Vec::<String>::new()));
    let url = block_on({
        let taken = Arc::clone(&taken);
        async move {
            let keep = move |body: String| {
                let taken = Arc::clone(&taken);
                async move {
                    taken.lock().expect("no panic").push(body);
                    axum::http::StatusCode::CREATED
                }
            };
            let refuse = || async { axum::http::StatusCode::INSUFFICIENT_STORAGE };
            let router = axum::Router::new()
                .route("/keep", axum::routing::post(keep))
                .route("/refuse", axum::routing::post(refuse));
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            let address = listener.local_addr().expect("an address");
            tokio::spawn(async move { axum::serve(listener, router).await });
            format!("http://{address}")
        }
    });
    let anchored = |path: &str| {
        ["--data", &data, "--tenant", "demo", "audit", "anchor", "--to", &format!("{url}{path}")].map(String::from)
    };
    let keep = anchored("/keep");
    succeeds(&keep.each_ref().map(String::as_str));
    let kept = taken.lock().expect("no panic").clone();
    assert_eq!(kept.len(), 1);
    let key = output(&["--data", &data, "audit", "key"])["key"].as_str().expect("a key").to_owned();
    let mut public = [0; 32];
    hex::decode_to_slice(&key, &mut public).expect("hex");
    let anchors = sallyport::audit::read_anchors(&kept[0], &public).expect("it is this host's");
    assert!(anchors[0].chains.iter().any(|chain| chain.chain == "demo" && chain.seq > 10), "{anchors:?}");

    let refuse = anchored("/refuse");
    let error = fails(&refuse.each_ref().map(String::as_str));
    assert!(error.contains("507"), "{error}");
}
