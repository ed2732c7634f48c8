//! The web page, in a real browser: ask, read, approve, and look at what the service then holds.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use sallyport_e2e::{Running, block_on, chromium, program};
use serde_json::json;

/// The demo as README starts it; gives the address that it prints.
fn demo(data: &str) -> (Running, String) {
    let mut command = Command::new(program());
    command.args(["--data", data, "--listen", "127.0.0.1:0", "demo"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the demo starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let running = Running::new(child);
    let found = lines.map_while(Result::ok).find_map(|line| {
        line.split_whitespace().find(|word| word.starts_with("http://")).map(|url| url.trim_end_matches('/').to_owned())
    });
    (running, found.expect("the demo prints an address"))
}

#[test]
fn a_person_asks_reads_and_approves_on_the_page() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (_demo, url) = demo(&path("data"));
    block_on(async {
        let (_driver, page) = chromium(&path("profile")).await;
        let outcome = scenario(&page, &url).await;
        // What the page shows is kept where somebody wants to look at it.
        if let (Some(folder), Ok(picture)) = (std::env::var_os("SALLYPORT_SCREENSHOTS"), page.screenshot().await) {
            std::fs::write(std::path::Path::new(&folder).join("page.png"), picture).expect("written");
        }
        page.close().await.expect("closed");
        outcome.unwrap_or_else(|error| panic!("{error:#}"));
    });
}

async fn scenario(page: &Client, url: &str) -> anyhow::Result<()> {
    page.goto(url).await?;
    let wait = || page.wait().at_most(Duration::from_secs(60));
    // Somebody is signed in, and the examples stand ready.
    wait().for_element(Locator::Css("#examples button")).await?;
    page.find(Locator::Css("#user option[value='chiara']")).await?.click().await?;
    wait().for_element(Locator::Css("#examples button")).await?;

    ask(page, "When does Compass 5 launch?").await?;
    wait().for_element(Locator::Css("#turns li:nth-of-type(1)[data-finished] .sources a")).await?;
    let answer = page.find(Locator::Css("#turns > li .answer")).await?.text().await?;
    anyhow::ensure!(answer.contains("12 November 2026"), "the page says {answer:?}");

    ask(page, sallyport_server::demo::SCENARIO).await?;
    let approve = wait().for_element(Locator::Css("#turns .proposal .approve")).await?;
    let card = page.find(Locator::Css("#turns .proposal")).await?;
    let shown = card.text().await?;
    for part in ["create_board", "Stand at the Montpellier fair", "Q4 strategy", "held"] {
        anyhow::ensure!(shown.contains(part), "the card does not show {part:?}: {shown}");
    }
    anyhow::ensure!(!shown.contains("Roadshow in Baden"), "a task of another team is proposed");
    let center = "arguments[0].scrollIntoView({ block: 'center' })";
    page.execute(center, vec![serde_json::to_value(&approve)?]).await?;
    approve.click().await?;
    wait().for_element(Locator::Css("#turns .proposal.settled")).await?;
    let done = card.text().await?;
    anyhow::ensure!(done.contains("succeeded") && done.contains("Result"), "the card shows {done}");

    page.find(Locator::Css("[data-view=approvals]")).await?.click().await?;
    wait().for_element(Locator::Css("#decided .proposal.settled")).await?;
    page.find(Locator::Css("[data-view=connections]")).await?.click().await?;
    wait().for_element(Locator::Css(".connection")).await?;
    let connections = page.find(Locator::Css("#connection-list")).await?.text().await?;
    anyhow::ensure!(connections.contains("Google Drive") && connections.contains("documents"), "{connections}");
    anyhow::ensure!(page.find_all(Locator::Css(".people")).await?.is_empty(), "only an admin says whose users are");
    name_somebody(page).await?;
    page.find(Locator::Css("[data-view=chat]")).await?.click().await?;
    Ok(())
}

/// An admin says whose a user of Trello is: with the keyboard, on a phone.
async fn name_somebody(page: &Client) -> anyhow::Result<()> {
    let wait = || page.wait().at_most(Duration::from_secs(60));
    page.find(Locator::Css("#user option[value='ines']")).await?.click().await?;
    wait().for_element(Locator::Css("#examples button")).await?;
    page.set_window_size(400, 900).await?;
    page.find(Locator::Css("[data-view=connections]")).await?.click().await?;
    wait().for_element(Locator::Css(".connection .people summary")).await?;
    let mut trello = None;
    for card in page.find_all(Locator::Css(".connection")).await? {
        if card.text().await?.contains("trello") {
            trello = Some(card);
        }
    }
    let summary = trello.ok_or_else(|| anyhow::anyhow!("no Trello"))?.find(Locator::Css(".people summary")).await?;
    summary.send_keys(&Key::Enter.to_string()).await?;

    let named = wait().for_element(Locator::Css(".people tr:has(button.quiet)")).await?;
    let user = named.attr("data-user").await?.unwrap_or_default();
    let row = |rest: &str| format!(".people tr[data-user='{user}']{rest}");
    let email = page.find(Locator::Css(&row(" input"))).await?.prop("value").await?.unwrap_or_default();
    anyhow::ensure!(email.contains('@'), "the seed's admin has named {user}");
    named.find(Locator::Css("button.quiet")).await?.send_keys(&Key::Enter.to_string()).await?;
    let nobodys = wait().for_element(Locator::Css(&row(":not(:has(button.quiet))"))).await?;
    anyhow::ensure!(nobodys.text().await?.contains("nobody"), "{}", nobodys.text().await?);
    let field = page.active_element().await?;
    let label = field.attr("aria-label").await?.unwrap_or_default();
    anyhow::ensure!(label.starts_with("E-mail address of"), "the focus is at {label:?}");
    field.send_keys(&format!("{email}{}", Key::Enter)).await?;
    let again = wait().for_element(Locator::Css(&row(":has(button.quiet)"))).await?;
    anyhow::ensure!(again.text().await?.contains("an admin"), "{}", again.text().await?);
    let wider = "return [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > \
                 window.innerWidth).map(one => one.outerHTML.slice(0, 120))";
    let wider = page.execute(wider, vec![]).await?;
    anyhow::ensure!(wider == json!([]), "the page is wider than a phone: {wider:#}");
    Ok(())
}

async fn ask(page: &Client, text: &str) -> anyhow::Result<()> {
    let field = page.find(Locator::Css("#ask textarea")).await?;
    field.send_keys(text).await?;
    page.find(Locator::Css("#ask button")).await?.click().await?;
    Ok(())
}
