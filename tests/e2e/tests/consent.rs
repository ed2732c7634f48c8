//! Connecting by consent, over HTTP: the link, the host's page, the simulated provider's, the way back.

use std::process::Stdio;

use reqwest::{StatusCode, Url};
use sallyport_e2e::{Answer, Browser, Host, Page, block_on};
use sallyport_simulate::Seed;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const ANA: &str = "ana@marlow.example";

/// The value of the page's field with this name.
fn field(page: &Page, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let found = page.text.split_once(&marker).and_then(|(_, rest)| rest.split_once('"'));
    found.unwrap_or_else(|| panic!("no {name} in {}", page.text)).0.to_owned()
}

/// Where a page goes on to by itself.
fn refresh(page: &Page) -> Url {
    let found = page.text.split_once("content=\"0;url=").and_then(|(_, rest)| rest.split_once('"'));
    let url = found.unwrap_or_else(|| panic!("the page stays: {}", page.text)).0.replace("&amp;", "&");
    url.parse().expect("an address")
}

struct Given {
    host: Host,
    member: String,
}

impl Given {
    async fn new() -> Self {
        let host = Host::with(Seed::demo()).await;
        let users = host.app.accounts().users(&sallyport::ids::TenantId::new("demo")).await.expect("users");
        let member = users.iter().find(|user| user.roles == [sallyport::Role::Member]).unwrap_or(&users[0]);
        let member = member.emails[0].clone();
        Self { host, member }
    }

    async fn link(&self, body: Value) -> Answer {
        self.host.post(&self.member, "/v1/connections/link", &body).await
    }

    async fn agree(&self, browser: &Browser, url: &str) -> Page {
        let url: Url = url.parse().expect("an address");
        let page = browser.get(url.clone()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let component = field(&page, "component");
        let ticked: Vec<String> = page
            .text
            .split("name=\"capability\" value=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
            .collect();
        let mut fields = vec![("component", component.as_str())];
        fields.extend(ticked.iter().map(|id| ("capability", id.as_str())));
        browser.submit_from(&self.host.url, url, &fields).await
    }

    /// From the host's page to the callback's address, not opened yet.
    async fn to_the_door(&self, browser: &Browser, url: &str) -> Url {
        let going = self.agree(browser, url).await;
        assert_eq!(going.status, StatusCode::OK, "{}", going.text);
        let at_provider = browser.get(refresh(&going)).await;
        at_provider.leads_to().unwrap_or_else(|| panic!("{} {}", at_provider.status, at_provider.text))
    }

    async fn status(&self, id: &Value) -> Value {
        let path = format!("/v1/connections/link/{}", id.as_str().expect("an id"));
        self.host.get(&self.member, &path).await.ok()
    }
}

#[test]
fn a_link_leads_by_the_hosts_page_and_the_providers_to_a_connection_that_works() {
    block_on(async {
        let given = Given::new().await;
        let asked = json!({ "connector": "google-drive", "owner": "me", "return_to": "https://app.example/done" });
        let link = given.link(asked).await.ok();
        let url = link["url"].as_str().expect("a URL");
        assert_eq!(given.status(&link["id"]).await["status"], "waiting");
        assert!(!url.contains(link["id"].as_str().expect("an id")), "the id is no way in");

        let browser = Browser::default();
        let page = browser.get(url.parse().expect("an address")).await;
        for said in [given.member.as_str(), "Google Drive", "https://www.googleapis.com", "drive.readonly", "Decline"] {
            assert!(page.text.contains(said), "{said} is not on the page: {}", page.text);
        }
        assert!(!page.text.contains("<script"), "it works without");
        let header = |name: &str| page.headers[name].to_str().expect("text").to_owned();
        assert!(header("content-security-policy").contains("form-action 'self'"), "{:?}", page.headers);
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(header("cache-control"), "no-store");

        let door = given.to_the_door(&browser, url).await;
        assert_eq!(given.status(&link["id"]).await["status"], "consenting");
        let done = browser.get(door.clone()).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.text);
        assert!(done.text.contains("Connected") && done.text.contains("https://app.example/done"), "{}", done.text);
        let status = given.status(&link["id"]).await;
        assert_eq!(status["status"], "connected");
        let id = status["connection"].as_str().expect("a connection").to_owned();
        let connection = given.host.get(&given.member, &format!("/v1/connections/{id}")).await.ok();
        assert_eq!((connection["state"].as_str(), connection["owner"].as_str()), (Some("active"), Some("person")));
        let checked = given.host.post(&given.member, &format!("/v1/connections/{id}/check"), &json!({})).await.ok();
        assert_eq!(checked["state"], "active");

        let again = browser.get(door).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "the same return is refused");
        assert_eq!(browser.get(url.parse().expect("an address")).await.status, StatusCode::UNPROCESSABLE_ENTITY);

        let events = given.host.send("GET", "/v1/events?after=0", Some(given.host.key()), None).await.ok();
        let told: Vec<&str> = events["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter(|event| event["kind"] == "link" && event["link"] == link["id"])
            .filter_map(|event| event["status"].as_str())
            .collect();
        assert_eq!(told, ["consenting", "connected"]);
        assert_eq!(given.host.get(&given.member, "/v1/events").await.status, StatusCode::FORBIDDEN);
    });
}

#[test]
fn another_browser_and_another_site_get_nothing_done() {
    block_on(async {
        let given = Given::new().await;
        let link = given.link(json!({ "connector": "google-drive", "owner": "me" })).await.ok();
        let url = link["url"].as_str().expect("a URL");
        let victim = Browser::default();
        let page = victim.get(url.parse().expect("an address")).await;
        let component = field(&page, "component");
        let fields = [("component", component.as_str()), ("capability", "files.read")];
        let posted = victim.submit_from("https://evil.example", url.parse().expect("an address"), &fields).await;
        assert_eq!(posted.status, StatusCode::FORBIDDEN, "{}", posted.text);
        assert_eq!(given.status(&link["id"]).await["status"], "waiting");

        let attacker = Browser::default();
        let door = given.to_the_door(&attacker, url).await;
        let lured = victim.get(door.clone()).await;
        assert_eq!(lured.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", lured.text);
        assert!(lured.text.contains("another browser"), "{}", lured.text);
        assert_eq!(attacker.get(door).await.status, StatusCode::OK, "and the one that began goes on");
    });
}

#[test]
fn what_was_declined_is_over_and_what_is_asked_wrongly_says_how() {
    block_on(async {
        let given = Given::new().await;
        let link = given.link(json!({ "connector": "trello", "owner": "me" })).await.ok();
        let url = link["url"].as_str().expect("a URL");
        let browser = Browser::default();
        let decline: Url = format!("{url}/decline").parse().expect("an address");
        let declined = browser.submit_from(&given.host.url, decline, &[]).await;
        assert_eq!(declined.status, StatusCode::OK, "{}", declined.text);
        assert_eq!(given.status(&link["id"]).await["status"], "declined");

        for (body, code) in [
            (json!({ "connector": "google-drive", "owner": "workspace" }), "forbidden"),
            (json!({ "connector": "google-drive", "owner": "nobody" }), "invalid-request"),
            (json!({ "connector": "google-drive", "auth": "telepathy" }), "invalid-choice"),
            (json!({ "connector": "absent" }), "not-found"),
            (json!({}), "invalid-request"),
            (json!({ "connector": "google-drive", "return_to": "javascript:alert(1)" }), "invalid-request"),
        ] {
            let answer = given.link(body.clone()).await;
            assert_eq!(answer.code(), code, "{body}: {}", answer.text);
        }
        assert_eq!(given.host.get(ANA, "/v1/connections/link/absent").await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn the_command_line_prints_a_link_and_waits_for_whoever_follows_it() {
    block_on(async {
        let given = Given::new().await;
        let listen = given.host.url.trim_start_matches("http://");
        let mut command = tokio::process::Command::new(sallyport_e2e::program());
        command.args(["--data", given.host.data(), "--tenant", "demo", "--listen", listen, "--output", "json"]);
        command.args(["connect", "google-drive", "--link", "--owner", &given.member, "--name", "By link"]);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let url = lines.next_line().await.expect("a line").expect("a link");
        assert!(url.starts_with(&format!("{}/connect/", given.host.url)), "{url}");
        let browser = Browser::default();
        let door = given.to_the_door(&browser, &url).await;
        assert_eq!(browser.get(door).await.status, StatusCode::OK);
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.expect("a line") {
            said.push_str(&line);
        }
        let made: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert_eq!((made[0]["name"].as_str(), made[0]["state"].as_str()), (Some("By link"), Some("active")));
        assert!(child.wait().await.expect("it ends").success());
    });
}

#[test]
fn disconnecting_tells_the_provider_and_connecting_again_keeps_the_documents() {
    block_on(async {
        let given = Given::new().await;
        let link = given.link(json!({ "connector": "google-drive", "owner": "me" })).await.ok();
        let browser = Browser::default();
        let door = given.to_the_door(&browser, link["url"].as_str().expect("a URL")).await;
        browser.get(door).await;
        let id = given.status(&link["id"]).await["connection"].as_str().expect("a connection").to_owned();
        let data = given.host.data().to_owned();
        let synced = id.clone();
        let sync = move || sallyport_e2e::output(&["--data", &data, "--tenant", "demo", "sync", &synced]);
        tokio::task::spawn_blocking(sync).await.expect("it ran");
        let path = format!("/v1/connections/{id}");
        let documents = |view: &Value| view["sync"]["documents_total"].as_u64().expect("a number");
        let before = documents(&given.host.get(&given.member, &path).await.ok());
        assert!(before > 0);

        let answer = given.host.post(&given.member, &format!("{path}/disconnect"), &json!({})).await.ok();
        assert_eq!(answer["revoked"], true, "{answer}");
        let view = given.host.get(&given.member, &path).await.ok();
        assert_eq!((view["state"].as_str(), documents(&view)), (Some("revoked"), before));
        assert!(view["reason"].as_str().is_some_and(|reason| reason.contains("connect it again")), "{view}");

        let link = given.link(json!({ "connection": id })).await.ok();
        let door = given.to_the_door(&browser, link["url"].as_str().expect("a URL")).await;
        assert_eq!(browser.get(door).await.status, StatusCode::OK);
        let view = given.host.get(&given.member, &path).await.ok();
        assert_eq!((view["state"].as_str(), documents(&view)), (Some("active"), before));
        assert_eq!(view["granted"][0]["id"], "files.read");
    });
}
