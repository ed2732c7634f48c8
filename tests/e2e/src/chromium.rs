//! A real browser, driven by its WebDriver.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};

/// Something that runs beside the test and ends with it.
pub struct Running(Child);

impl Running {
    /// Ends it when this is dropped.
    #[must_use]
    pub fn new(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // That it has ended already is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A browser without a window, with a profile of its own in a folder.
///
/// # Panics
/// It is not installed, or does not start.
pub async fn chromium(profile: &str) -> (Running, Client) {
    let port = free_port();
    let mut driver = Command::new("chromedriver");
    driver.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running::new(driver.spawn().expect("chromedriver is installed (.ci/run does it)"));
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--window-size=1200,1600",
        &format!("--user-data-dir={profile}"),
    ];
    let options = json!({ "args": arguments });
    let capabilities: serde_json::Map<String, Value> =
        [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
    for _ in 0..100 {
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities.clone());
        match builder.connect(&format!("http://127.0.0.1:{port}")).await {
            Ok(client) => return (running, client),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    panic!("the browser does not start");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
