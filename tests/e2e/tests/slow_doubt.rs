//! A write whose answer is lost, in a real browser: the card says that nobody knows, and a person says what became of it.

use std::path::Path;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client, Locator};
use sallyport_e2e::{Host, block_on, chromium};
use sallyport_simulate::{Failure, Fault, Request, Service};
use serde_json::json;

/// Head of marketing; in the demo an approver too, who may approve what she asks for.
const CHIARA: &str = "chiara@larkfield.example";
const CARD: &str = "Count the umbrellas before the fair";

#[test]
fn a_write_that_was_never_answered_is_sent_again_at_a_persons_word() {
    block_on(async {
        let host = Host::demo().await;
        let lost = Fault::new(Failure::LoseReply).on(Service::Trello).route("POST", "/1/cards").times(1);
        host.simulation.faults().add(lost);
        let profile = tempfile::tempdir().expect("a folder");
        let (_driver, page) = chromium(profile.path().to_str().expect("UTF-8")).await;
        let outcome = scenario(&page, &host).await;
        page.close().await.expect("closed");
        outcome.unwrap_or_else(|error| panic!("{error:#}"));

        let posts = sent(&host);
        let [first, second] = posts.as_slice() else { panic!("not two: {posts:#?}") };
        assert_eq!((first.status, first.fault.is_some()), (None, true), "the first was never answered");
        assert_eq!((second.status, second.fault.is_some()), (Some(200), false));
        assert_eq!((&second.path, &second.query, &second.body), (&first.path, &first.query, &first.body));
        assert_eq!(host.writes().len(), 2, "{:#?}", host.writes());
    });
}

async fn scenario(page: &Client, host: &Host) -> anyhow::Result<()> {
    let wait = || page.wait().at_most(Duration::from_secs(60));
    sign_in(page, host).await?;
    let request = format!("Create a card \"{CARD}\" in the list \"Ideas\" of the board \"Marketing: autumn\".");
    page.find(Locator::Css("#ask textarea")).await?.send_keys(&request).await?;
    page.find(Locator::Css("#ask button")).await?.click().await?;
    wait().for_element(Locator::Css("#turns > li[data-finished] .proposal")).await?;
    anyhow::ensure!(sent(host).is_empty(), "something is sent before anybody approves");

    press(page, "#turns .proposal .approve").await?;
    let told = wait().for_element(Locator::Css("#turns .proposal .doubt:not([hidden])")).await?.text().await?;
    let url = sent(host).first().map(|write| write.path.clone()).unwrap_or_default();
    for part in ["never answered", "nobody knows", "is it there?", "POST", &url, CARD] {
        anyhow::ensure!(told.contains(part), "the card does not say {part:?}: {told}");
    }
    anyhow::ensure!(sent(host).len() == 1, "nothing is sent again by itself");

    // It stands among what waits, too, with the two things that may be said of it and no other.
    let waiting = "#pending .proposal:has(.doubt:not([hidden]))";
    let before = wait().for_element(Locator::Css(waiting)).await?;
    page.find(Locator::Css("[data-view=approvals]")).await?.click().await?;
    replaced(&before).await?;
    let card = wait().for_element(Locator::Css(waiting)).await?;
    let mut offered = Vec::new();
    for button in card.find_all(Locator::Css("footer button:not([hidden])")).await? {
        offered.push(button.text().await?);
    }
    anyhow::ensure!(offered == ["It is not there: send it again", "It is there"], "the card offers {offered:?}");
    anyhow::ensure!(page.find(Locator::Css("#waiting")).await?.text().await? == "1", "it is not counted");
    picture(page, "doubt").await;
    page.set_window_size(500, 1200).await?;
    let measure = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths = page.execute(measure, Vec::new()).await?;
    anyhow::ensure!(widths[0].as_u64() <= widths[1].as_u64(), "it is wider than the phone: {widths}");
    picture(page, "doubt-phone").await;

    card.find(Locator::Css(".remark input")).await?.send_keys("The list has no such card").await?;
    press(page, "#pending .proposal .repeat").await?;
    let done = wait().for_element(Locator::Css("#decided .proposal.settled")).await?.text().await?;
    for part in ["succeeded", "Result"] {
        anyhow::ensure!(done.contains(part), "the card does not say {part:?}: {done}");
    }
    anyhow::ensure!(!done.contains("nobody knows"), "what is known is still in doubt: {done}");
    anyhow::ensure!(page.find_all(Locator::Css("#pending .proposal")).await?.is_empty(), "something waits still");
    Ok(())
}

/// With a caller token, as where an application has minted one.
async fn sign_in(page: &Client, host: &Host) -> anyhow::Result<()> {
    let wait = || page.wait().at_most(Duration::from_secs(60));
    page.goto(&host.url).await?;
    wait().for_element(Locator::Css("#signin:not([hidden])")).await?;
    page.find(Locator::Css("#signin summary")).await?.click().await?;
    page.find(Locator::Css("#signin-form input")).await?.send_keys(&host.token(CHIARA).await).await?;
    page.find(Locator::Css("#signin-form button")).await?.click().await?;
    wait().for_element(Locator::Css("#chat:not([hidden])")).await?;
    Ok(())
}

/// Waits until the list has been read anew, which puts another card in this one's place.
async fn replaced(card: &Element) -> anyhow::Result<()> {
    for _ in 0..600 {
        if card.text().await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the list is not read anew")
}

/// Clicks it where it is not below the field to ask in.
async fn press(page: &Client, button: &str) -> anyhow::Result<()> {
    let button = page.find(Locator::Css(button)).await?;
    let center = "arguments[0].scrollIntoView({ block: 'center' })";
    page.execute(center, vec![json!(button)]).await?;
    button.click().await?;
    Ok(())
}

/// The requests for the card, as they reached the service.
fn sent(host: &Host) -> Vec<Request> {
    let posts = host.simulation.requests().writes(Service::Trello);
    posts.into_iter().filter(|request| request.method == "POST" && request.path.ends_with("/1/cards")).collect()
}

/// Keeps what the page shows, where somebody wants to look at it.
async fn picture(page: &Client, name: &str) {
    if let (Some(folder), Ok(picture)) = (std::env::var_os("SALLYPORT_SCREENSHOTS"), page.screenshot().await) {
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).expect("written");
    }
}
