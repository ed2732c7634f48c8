//! The HTTP API: who may ask, what they find, what they approve.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use sallyport_e2e::{Host, block_on};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Head of marketing, a leader.
const CHIARA: &str = "chiara@larkfield.example";
/// A marketer, an approver like everybody in the demo.
const HUGO: &str = "hugo@larkfield.example";
/// Head of people: reads the salaries.
const FARID: &str = "farid@larkfield.example";
/// The tenant's admin.
const INES: &str = "ines@larkfield.example";

/// A member of no other role.
const MEL: &str = "mel@larkfield.example";

async fn host() -> &'static Host {
    static HOST: OnceCell<Host> = OnceCell::const_new();
    HOST.get_or_init(Host::demo).await
}

fn titles(results: &Value) -> Vec<String> {
    let results = results["results"].as_array().expect("results").iter();
    results.map(|result| result["title"].as_str().expect("a title").to_owned()).collect()
}

async fn search(host: &Host, who: &str, query: &str) -> Vec<String> {
    titles(&host.post(who, "/v1/search", &json!({ "query": query, "limit": 10 })).await.ok())
}

/// A card that nobody else asks for, proposed and held.
async fn proposed(host: &Host, who: &str, card: &str) -> Value {
    let request = format!("Create a card \"{card}\" in the list \"Ideas\" of the board \"Marketing: autumn\".");
    let answered = host.post(who, "/v1/ask", &json!({ "request": request })).await.ok();
    let proposal = answered["proposals"][0].clone();
    assert_eq!(proposal["tool"], "create_card", "{answered:#}");
    assert_eq!(proposal["arguments"]["name"], card);
    proposal
}

fn cards(host: &Host, name: &str) -> usize {
    host.simulation.state()["trello"].to_string().matches(&format!("\"name\":{}", json!(name))).count()
}

fn decision(proposal: &Value) -> String {
    format!("/v1/approvals/{}/decision", proposal["invocation"].as_str().expect("an id"))
}

#[test]
fn without_a_good_token_nothing_is_answered() {
    block_on(async {
        let host = host().await;
        for (token, hint) in [(None, "mint one"), (Some("nonsense"), "not one of this host's")] {
            for path in ["/v1/me", "/v1/connections", "/v1/approvals", "/v1/connectors"] {
                let answer = host.send("GET", path, token, None).await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (StatusCode::UNAUTHORIZED, "unauthorized"),
                    "{path}"
                );
                assert!(answer.text.contains(hint), "{}", answer.text);
            }
        }
        let body = json!({ "subject": "x", "emails": ["x@larkfield.example"] });
        let wrong = host.send("POST", "/v1/callers/token", Some("sp_wrong"), Some(&body)).await;
        assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"));
        assert!(wrong.text.contains("sallyport keys create"), "{}", wrong.text);
    });
}

#[test]
fn a_service_key_is_nobody() {
    block_on(async {
        let host = host().await;
        let answer = host.send("POST", "/v1/search", Some(host.key()), Some(&json!({ "query": "salaries" }))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text.contains("/v1/callers/token"), "{}", answer.text);
    });
}

#[test]
fn a_caller_token_ends() {
    block_on(async {
        let host = host().await;
        let body = json!({ "subject": "x", "emails": ["x@larkfield.example"], "expires_in": 1 });
        let minted = host.send("POST", "/v1/callers/token", Some(host.key()), Some(&body)).await.ok();
        let token = minted["token"].as_str().expect("a token");
        // A second, and what the library allows clocks to differ by: none.
        let mut answer = host.send("GET", "/v1/me", Some(token), None).await;
        while answer.status == StatusCode::OK {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            answer = host.send("GET", "/v1/me", Some(token), None).await;
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text.contains("expired"), "{}", answer.text);
    });
}

#[test]
fn no_request_names_its_caller() {
    block_on(async {
        let host = host().await;
        for path in ["/v1/search", "/v1/ask"] {
            let body = json!({ "query": "salaries", "request": "salaries", "caller": FARID });
            let answer = host.post(HUGO, path, &body).await;
            assert!(answer.status.is_client_error(), "{path}: {} {}", answer.status, answer.text);
            assert_eq!(answer.code(), "invalid-request");
        }
    });
}

#[test]
fn a_person_finds_what_they_may_read_and_nothing_else() {
    block_on(async {
        let host = host().await;
        let salaries = "Salaries 2027";
        assert!(search(host, FARID, "salaries for 2027").await.iter().any(|title| title.contains(salaries)));
        for who in [HUGO, CHIARA, INES, "stranger@elsewhere.example"] {
            for query in ["salaries for 2027", salaries, "pay rise per person"] {
                let found = search(host, who, query).await;
                assert!(!found.iter().any(|title| title.contains("Salar")), "{who} finds {found:?}");
            }
        }
        // A stranger finds what is for anyone, and no more.
        let for_anyone = [
            "About Larkfield.md",
            "Customer story Quinta do Vale",
            "Hub troubleshooting",
            "Install a probe",
            "Questions journalists ask.md",
            "Short texts.txt",
        ];
        let found: BTreeSet<String> =
            search(host, "stranger@elsewhere.example", "Larkfield").await.into_iter().collect();
        assert_eq!(found, for_anyone.map(String::from).into());
    });
}

#[test]
fn an_answer_cites_documents_that_the_asker_may_read() {
    block_on(async {
        let host = host().await;
        let answered = host.post(HUGO, "/v1/ask", &json!({ "request": "When does Compass 5 launch?" })).await.ok();
        assert!(answered["text"].as_str().is_some_and(|text| text.contains("12 November 2026")), "{answered:#}");
        assert!(answered["citations"].as_array().is_some_and(|all| !all.is_empty()), "{answered:#}");
        let answered =
            host.post(HUGO, "/v1/ask", &json!({ "request": "What does Grace Kim earn in 2027?" })).await.ok();
        assert!(!answered.to_string().contains("Salar"), "{answered:#}");
    });
}

#[test]
fn chat_is_the_ui_message_stream() {
    block_on(async {
        let host = host().await;
        let messages =
            json!([{ "role": "user", "parts": [{ "type": "text", "text": "When does Compass 5 launch?" }] }]);
        let answer = host.post(HUGO, "/v1/chat", &json!({ "messages": messages })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.headers["x-vercel-ai-ui-message-stream"], "v1");
        let mut parts: Vec<&str> = answer.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert_eq!(parts.pop(), Some("[DONE]"));
        let parts: Vec<Value> = parts.into_iter().map(|part| serde_json::from_str(part).expect("JSON")).collect();
        let kinds: Vec<&str> = parts.iter().filter_map(|part| part["type"].as_str()).collect();
        assert_eq!((kinds.first(), kinds.last()), (Some(&"start"), Some(&"finish")), "{kinds:?}");
        for kind in ["source-url", "text-start", "text-delta", "text-end"] {
            assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
        }
        let said: String = parts.iter().filter_map(|part| part["delta"].as_str()).collect();
        assert!(said.contains("12 November 2026"), "{said}");
    });
}

#[test]
fn what_is_approved_is_what_arrives_and_only_then() {
    block_on(async {
        let host = host().await;
        let name = "Ask the printer about the frost guide";
        let proposal = proposed(host, CHIARA, name).await;
        assert_eq!(cards(host, name), 0, "nothing is sent before anybody approves");

        let shown = &proposal["first_write"];
        let stale = json!({ "decision": "approve", "digest": "0".repeat(64), "wait": true });
        let refused = host.post(CHIARA, &decision(&proposal), &stale).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert_eq!(cards(host, name), 0);

        let body = json!({ "decision": "approve", "digest": shown["digest"], "wait": true });
        let done = host.post(CHIARA, &decision(&proposal), &body).await.ok();
        assert_eq!(done["state"], "succeeded", "{done:#}");
        assert_eq!(cards(host, name), 1);
        let arrived = host.writes().into_iter().find(|write| write.body.contains(name)).expect("it arrived");
        assert_eq!(shown["body"], arrived.body.as_str());
        assert!(shown["url"].as_str().is_some_and(|url| url.ends_with(&arrived.path)));

        let again = host.post(CHIARA, &decision(&proposal), &body).await;
        assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "wrong-state"));
        assert_eq!(cards(host, name), 1);
    });
}

#[test]
fn what_is_denied_is_never_sent() {
    block_on(async {
        let host = host().await;
        let name = "Paint the lobby orange";
        let proposal = proposed(host, CHIARA, name).await;
        let denied = host.post(CHIARA, &decision(&proposal), &json!({ "decision": "deny", "note": "no" })).await.ok();
        assert_eq!(denied["state"], "denied");
        let late = host.post(CHIARA, &decision(&proposal), &json!({ "decision": "approve", "wait": true })).await;
        assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "wrong-state"));
        assert_eq!(cards(host, name), 0);
    });
}

#[test]
fn others_cannot_decide_and_do_not_even_see_it() {
    block_on(async {
        let host = host().await;
        let name = "Write to the wine monthlies";
        let proposal = proposed(host, CHIARA, name).await;
        let path = format!("/v1/approvals/{}", proposal["invocation"].as_str().expect("an id"));
        let seen = host.get(MEL, &path).await;
        assert_eq!((seen.status, seen.code().as_str()), (StatusCode::NOT_FOUND, "not-found"));
        let decided = host.post(MEL, &decision(&proposal), &json!({ "decision": "approve", "wait": true })).await;
        assert_eq!(decided.status, StatusCode::NOT_FOUND, "{}", decided.text);
        assert_eq!(cards(host, name), 0);
        let listed = host.get(MEL, "/v1/approvals").await.ok();
        assert!(!listed.to_string().contains(name));
    });
}

#[test]
fn another_tenants_things_are_not_found() {
    block_on(async {
        use sallyport_store::accounts::Holder;
        let host = host().await;
        let other = sallyport::ids::TenantId::new("other");
        host.app.accounts().create_tenant(&other, "Other").await.expect("a tenant");
        let key = host.app.accounts().create_key(Holder::Service(other), "tests").await.expect("a key");
        let body = json!({ "subject": "farid", "emails": [FARID], "roles": ["admin", "approver", "member"] });
        let minted = host.send("POST", "/v1/callers/token", Some(key.reveal()), Some(&body)).await.ok();
        let token = minted["token"].as_str();

        let mine = host.get(INES, "/v1/connections").await.ok();
        let id = mine["connections"][0]["id"].as_str().expect("a connection");
        let proposal = proposed(host, CHIARA, "A card of the first tenant").await;
        let connections = host.send("GET", "/v1/connections", token, None).await.ok();
        assert_eq!(connections["connections"], json!([]));
        for path in
            [format!("/v1/connections/{id}"), format!("/v1/approvals/{}", proposal["invocation"].as_str().unwrap())]
        {
            assert_eq!(host.send("GET", &path, token, None).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        let found = host.send("POST", "/v1/search", token, Some(&json!({ "query": "salaries" }))).await.ok();
        assert_eq!(found["results"], json!([]), "the same address in another tenant finds nothing");
    });
}

#[test]
fn what_is_not_granted_is_not_offered_and_the_way_to_grant_it_is_an_admins() {
    block_on(async {
        let host = Host::demo().await;
        let all = host.get(INES, "/v1/connections").await.ok();
        let trello = all["connections"].as_array().unwrap().iter().find(|one| one["connector"] == "trello").unwrap();
        let path = format!("/v1/connections/{}/grant", trello["id"].as_str().unwrap());
        let reads = json!({ "capabilities": [{ "id": "boards.read", "setting": "auto" }] });
        let forbidden = host.send("PUT", &path, Some(&host.token(HUGO).await), Some(&reads)).await;
        assert_eq!((forbidden.status, forbidden.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
        let unknown = json!({ "capabilities": [{ "id": "boards.everything", "setting": "auto" }] });
        let refused = host.send("PUT", &path, Some(&host.token(INES).await), Some(&unknown)).await;
        assert!(refused.status.is_client_error() && refused.text.contains("boards.write"), "{}", refused.text);

        let granted = host.send("PUT", &path, Some(&host.token(INES).await), Some(&reads)).await.ok();
        assert_eq!(granted["capabilities"], reads["capabilities"]);
        let request = "Create a card \"Nothing\" in the list \"Ideas\" of the board \"Marketing: autumn\".";
        let answered = host.post(CHIARA, "/v1/ask", &json!({ "request": request })).await;
        assert_eq!(answered.json()["proposals"].as_array().map_or(0, Vec::len), 0, "{}", answered.text);
        assert!(host.writes().is_empty());
    });
}

#[test]
fn a_person_connects_their_own_account_and_others_do_not_see_it() {
    block_on(async {
        let host = host().await;
        let token =
            host.simulation.token_for(sallyport_simulate::Provider::Trello, HUGO, std::time::Duration::from_secs(3600));
        let body = json!({
            "connector": "trello", "auth": "oauth", "name": "Hugo's Trello", "owner": "me", "token": token.access_token,
            "capabilities": ["boards.read"],
        });
        let made = host.post(HUGO, "/v1/connections", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        assert!(!made.text.contains(&token.access_token), "the secret comes back");
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/connections/{id}");
        assert_eq!(host.get(CHIARA, &path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(host.get(HUGO, &path).await.status, StatusCode::OK);

        let wrong = json!({ "connector": "trello", "auth": "oauth", "owner": "me", "token": "a-token-nobody-issued" });
        let refused = host.post(HUGO, "/v1/connections", &wrong).await;
        assert!(refused.status.is_client_error() || refused.status == StatusCode::BAD_GATEWAY, "{}", refused.text);
        assert!(!refused.text.contains("a-token-nobody-issued"));
        let workspace = json!({ "connector": "trello", "owner": "workspace", "token": token.access_token });
        assert_eq!(host.post(HUGO, "/v1/connections", &workspace).await.status, StatusCode::FORBIDDEN);

        let removed = host.send("DELETE", &path, Some(&host.token(HUGO).await), None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
        assert_eq!(host.get(HUGO, &path).await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn every_error_has_the_same_form() {
    block_on(async {
        let host = host().await;
        let answers = [
            (host.get(HUGO, "/v1/nothing").await, StatusCode::NOT_FOUND, "not-found"),
            (host.send("DELETE", "/v1/me", None, None).await, StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            (host.post(HUGO, "/v1/ask", &json!({ "request": " " })).await, StatusCode::BAD_REQUEST, "invalid-request"),
            (host.get(HUGO, "/v1/approvals/inv_none").await, StatusCode::NOT_FOUND, "not-found"),
            (
                host.post(HUGO, "/v1/search", &json!({ "query": "x".repeat(9000) })).await,
                StatusCode::UNPROCESSABLE_ENTITY,
                "query-too-long",
            ),
        ];
        for (answer, status, code) in answers {
            let error = answer.json()["error"].clone();
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
            assert_eq!(error["request_id"].as_str(), answer.headers["x-request-id"].to_str().ok(), "{error}");
            assert!(error["message"].as_str().is_some_and(|message| message.len() > 5) && error["details"].is_object());
        }
    });
}

#[test]
fn the_openapi_document_in_the_repository_is_the_one_that_is_served() {
    block_on(async {
        let host = host().await;
        let served = host.send("GET", "/openapi.json", None, None).await.ok();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host/server/openapi.json");
        if std::env::var_os("SALLYPORT_KEEP_OPENAPI").is_some() {
            std::fs::write(&path, serde_json::to_string_pretty(&served).unwrap() + "\n").unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
        assert!(
            kept == served,
            "the API has changed: run this test with SALLYPORT_KEEP_OPENAPI=1, and say so in CHANGELOG.md"
        );
        let paths = served["paths"].as_object().expect("paths");
        for path in ["/v1/callers/token", "/v1/search", "/v1/chat", "/v1/approvals/{invocation}/decision", "/healthz"] {
            assert!(paths.contains_key(path), "{path} is not described");
        }
    });
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    block_on(async {
        let host = host().await;
        let page = host.send("GET", "/", None, None).await;
        assert_eq!(page.status, StatusCode::OK);
        let policy = page.headers["content-security-policy"].to_str().expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
        assert!(!page.text.contains("http://") && !page.text.contains("https://"), "the page names another host");
        // Only the demo's host lets people in without a password.
        assert_eq!(host.send("GET", "/v1/demo/users", None, None).await.status, StatusCode::NOT_FOUND);
    });
}
