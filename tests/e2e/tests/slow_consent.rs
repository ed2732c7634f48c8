//! The host's consent page in a real browser: on a phone's width, without script, by the keyboard alone; and the one page
//! that needs script, which reads the token behind the `#`. What it looked like is kept in `tests/e2e/screenshots`.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::response::Redirect;
use axum::routing::get;
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use sallyport_e2e::{Host, block_on, chromium_as};
use sallyport_simulate::{Provider, Seed};
use serde_json::{Value, json};

const PHONE: &str = "500,860";

/// Keeps what the page shows, where somebody wants to look at it.
async fn picture(page: &Client, name: &str) {
    if let (Some(folder), Ok(picture)) = (std::env::var_os("SALLYPORT_SCREENSHOTS"), page.screenshot().await) {
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).expect("written");
    }
}

async fn member(host: &Host) -> String {
    let users = host.app.accounts().users(&sallyport::ids::TenantId::new("demo")).await.expect("users");
    users[0].emails[0].clone()
}

async fn link(host: &Host, email: &str, body: Value) -> (String, String) {
    let link = host.post(email, "/v1/connections/link", &body).await.ok();
    let text = |name: &str| link[name].as_str().expect("text").to_owned();
    (text("id"), text("url"))
}

/// Presses Tab until this is what Enter would press.
async fn tab_to(page: &Client, words: &str) -> anyhow::Result<()> {
    for _ in 0..40 {
        let focused = page.active_element().await?;
        if focused.text().await?.contains(words) && focused.tag_name().await? == "button" {
            return Ok(());
        }
        focused.send_keys(&char::from(Key::Tab).to_string()).await?;
    }
    anyhow::bail!("the keyboard does not get to {words:?}")
}

async fn shows(page: &Client, words: &str) -> anyhow::Result<String> {
    for _ in 0..100 {
        if let Ok(body) = page.find(Locator::Css("body")).await {
            let text = body.text().await.unwrap_or_default();
            if text.contains(words) {
                return Ok(text);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the page does not come to say {words:?}: {}", page.source().await?)
}

#[test]
fn a_person_consents_on_a_phone_without_script_and_by_the_keyboard_alone() {
    block_on(async {
        let host = Host::with(Seed::demo()).await;
        let email = member(&host).await;
        let profile = tempfile::tempdir().expect("a folder");
        let (_driver, page) = chromium_as(profile.path().to_str().expect("UTF-8"), PHONE, false).await;
        let asked =
            json!({ "connector": "google-drive", "owner": "me", "capabilities": ["files.read", "files.create"] });
        let (id, url) = link(&host, &email, asked).await;
        let scenario = async {
            page.goto(&url).await?;
            let text = shows(&page, "Connect Google to demo").await?;
            for said in [
                email.as_str(),
                "Read files",
                "Create folders",
                "asks each time",
                "drive.readonly",
                "www.googleapis.com",
            ] {
                anyhow::ensure!(text.contains(said), "{said:?} is not on the page: {text}");
            }
            let measure = "return [document.documentElement.scrollWidth, window.innerWidth]";
            let widths = page.execute(measure, Vec::new()).await?;
            anyhow::ensure!(widths[0].as_u64() <= widths[1].as_u64(), "it is wider than the phone: {widths}");
            picture(&page, "consent-phone").await;
            tab_to(&page, "Agree").await?;
            page.active_element().await?.send_keys(&char::from(Key::Enter).to_string()).await?;
            shows(&page, "Connected").await?;
            picture(&page, "consent-connected").await;
            anyhow::Ok(())
        };
        let outcome = scenario.await;
        page.close().await.expect("closed");
        outcome.unwrap_or_else(|error| panic!("{error:#}"));
        let status = host.get(&email, &format!("/v1/connections/link/{id}")).await.ok();
        assert_eq!(status["status"], "connected");
    });
}

#[test]
fn a_token_behind_the_hash_is_read_by_the_page_and_leaves_the_address() {
    block_on(async {
        // As Trello's older way of consenting answers: back to where it was told, with the token behind the `#`.
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let host = Host::configured(Seed::demo(), |config| {
            config.repoint.insert("trello.authorize".into(), format!("http://{at}"));
        })
        .await;
        let email = member(&host).await;
        let token = host.simulation.token_for(Provider::Trello, &email, Duration::from_secs(3600)).access_token;
        let given = token.clone();
        let authorize = move |Query(query): Query<std::collections::HashMap<String, String>>| {
            let to = format!("{}#token={given}", query["return_url"]);
            async move { Redirect::to(&to) }
        };
        let router = Router::new().route("/1/authorize", get(authorize));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let profile = tempfile::tempdir().expect("a folder");
        let (_driver, page) = chromium_as(profile.path().to_str().expect("UTF-8"), PHONE, true).await;
        let (id, url) = link(&host, &email, json!({ "connector": "trello", "owner": "me", "auth": "token" })).await;
        let scenario = async {
            page.goto(&url).await?;
            shows(&page, "Connect Trello to demo").await?;
            picture(&page, "consent-trello").await;
            page.find(Locator::Css("button[type=submit]:not(.quiet)")).await?.click().await?;
            shows(&page, "Connected").await?;
            let history = page.execute("return [location.href, history.length]", Vec::new()).await?;
            anyhow::ensure!(!history.to_string().contains(&token), "the address holds the token: {history}");
            page.back().await.ok();
            let address = page.current_url().await?;
            anyhow::ensure!(!address.as_str().contains(&token), "the history holds the token: {address}");
            anyhow::Ok(())
        };
        let outcome = scenario.await;
        page.close().await.expect("closed");
        outcome.unwrap_or_else(|error| panic!("{error:#}"));
        let status = host.get(&email, &format!("/v1/connections/link/{id}")).await.ok();
        assert_eq!(status["status"], "connected", "{status}");
    });
}
