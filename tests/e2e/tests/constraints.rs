//! A grant's constraints, as an admin sets them: by the command line and over HTTP.

use reqwest::StatusCode;
use sallyport_e2e::{Host, block_on, fails, output, succeeds};
use serde_json::{Value, json};

/// The tenant's admin.
const INES: &str = "ines@larkfield.example";
/// Head of marketing.
const CHIARA: &str = "chiara@larkfield.example";
const STRANGER: &str = "stranger@elsewhere.example";

/// How many documents of Google Drive are found.
async fn found(host: &Host, who: &str, query: &str) -> usize {
    let answer = host.post(who, "/v1/search", &json!({ "query": query, "limit": 20 })).await.ok();
    let results = answer["results"].as_array().expect("results").iter();
    results.filter(|found| found["url"].as_str().is_some_and(|url| url.contains(".google.com/"))).count()
}

async fn connection(host: &Host, connector: &str) -> Value {
    let all = host.get(INES, "/v1/connections").await.ok();
    let mut all = all["connections"].as_array().expect("connections").clone();
    all.retain(|one| one["connector"] == connector);
    all.remove(0)
}

#[test]
fn constraints_over_http_are_shown_and_hold_at_once() {
    block_on(async {
        let host = Host::demo().await;
        let drive = connection(&host, "google-drive").await;
        let path = format!("/v1/connections/{}/grant", drive["id"].as_str().expect("an id"));
        let token = host.token(INES).await;
        let put = async |constraints: Value| {
            let mut body = json!({ "capabilities": drive["granted"] });
            if !constraints.is_null() {
                body["constraints"] = constraints;
            }
            host.send("PUT", &path, Some(&token), Some(&body)).await
        };
        let (before, own) = (found(&host, STRANGER, "Larkfield").await, found(&host, CHIARA, "Compass").await);
        assert!(before > 0 && own > 0);

        let refused = put(json!(["audience<=org:larkfield.example"])).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "invalid-request"));
        assert!(refused.text.contains("domain:example.com"), "{}", refused.text);
        let bounds = json!(["audience<=domain:larkfield.example", "writes<=20/day"]);
        let answer = put(bounds.clone()).await.ok();
        assert_eq!(answer["constraints"], bounds);
        assert_eq!(found(&host, STRANGER, "Larkfield").await, 0, "also what is for anyone");
        assert_eq!(found(&host, CHIARA, "Compass").await, own);

        assert_eq!(put(Value::Null).await.ok()["constraints"], bounds, "left out, they stay");
        assert_eq!(host.get(INES, &path).await.ok()["constraints"], bounds);
        assert_eq!(put(json!(["containers=nowhere"])).await.ok()["constraints"], json!(["containers=nowhere"]));
        assert_eq!(found(&host, CHIARA, "Compass").await, 0, "nothing is in that container");
        assert_eq!(put(json!([])).await.ok()["constraints"], json!([]));
    });
}

#[test]
fn grant_show_has_a_line_for_each_constraint_and_what_is_used_of_it() {
    block_on(async {
        let host = Host::demo().await;
        let trello = connection(&host, "trello").await["id"].as_str().expect("an id").to_owned();
        let dir = host.stop();
        let data = dir.path().to_str().expect("UTF-8").to_owned();
        let grant = |arguments: &[&str]| output(&[&["--data", &data, "--tenant", "demo", "grant"], arguments].concat());
        let of = |lines: &Value, constraint: &str| {
            let mut lines = lines.as_array().expect("lines").clone();
            lines.retain(|line| line["constraint"] == constraint);
            lines.pop()
        };
        let before = grant(&[&trello]);
        assert!(before.as_array().expect("lines").iter().any(|line| line["capability"] == "boards.write"));
        let set = grant(&[
            &trello,
            "--constraint",
            "writes<=20/day",
            "--constraint",
            "containers=B1,B2",
            "--constraint",
            "audience<=domain:larkfield.example",
            "--constraint",
            "until=2099-01-31",
        ]);
        for (constraint, used, says) in [
            ("containers=B1,B2", Value::Null, "B1, B2"),
            ("audience<=domain:larkfield.example", Value::Null, "larkfield.example"),
            ("writes<=20/day", json!("0 of 20 in the last 24 hours"), "20 writes"),
            ("until=2099-01-31", Value::Null, "2099-02-01T00:00:00Z"),
        ] {
            let line = of(&set, constraint).unwrap_or_else(|| panic!("{constraint}: {set:#}"));
            assert_eq!(line["used"], used);
            assert!(line["summary"].as_str().is_some_and(|summary| summary.contains(says)), "{line}");
        }
        assert_eq!(grant(&["show", &trello]), set, "capabilities and their settings are as they were");
        let table = succeeds(&["--data", &data, "--tenant", "demo", "grant", "show", &trello]).stdout;
        for word in ["boards.write", "writes<=20/day", "0 of 20", "until=2099-01-31"] {
            assert!(table.contains(word), "{word}: {table}");
        }

        let left =
            grant(&[&trello, "--unconstrain", "containers", "--unconstrain", "until", "--constraint", "writes<=5/day"]);
        assert!(of(&left, "writes<=5/day").is_some() && of(&left, "until=2099-01-31").is_none(), "{left:#}");
        assert_eq!(left.as_array().map(Vec::len), set.as_array().map(|lines| lines.len() - 2));

        let wrong =
            |constraint| fails(&["--data", &data, "--tenant", "demo", "grant", &trello, "--constraint", constraint]);
        assert!(wrong("writes<=many/day").contains("writes<=20/day"));
        assert!(wrong("color=blue").contains("containers=ID,ID"));
        let twice = ["--constraint", "writes<=1/day", "--constraint", "writes<=2/day"];
        let twice = fails(&[&["--data", &data, "--tenant", "demo", "grant", &trello], &twice[..]].concat());
        assert!(twice.contains("stands twice"), "{twice}");
        assert_eq!(grant(&["show", &trello]), left, "what is refused changes nothing");
    });
}
