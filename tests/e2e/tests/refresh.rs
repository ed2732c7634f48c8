//! Access tokens end, are refreshed at the provider, and nobody notices.

use std::time::Duration;

use sallyport_e2e::{Host, block_on, output};
use sallyport_simulate::{Provider, Seed};

#[test]
fn an_expired_token_is_refreshed_once_and_the_sync_goes_on() {
    block_on(async {
        let host = Host::with(Seed::demo()).await;
        let before = host.simulation.refreshes(Provider::Google);
        host.simulation.advance(Duration::from_secs(2 * 60 * 60));
        let data = host.data().to_owned();
        let sync = move || output(&["--data", &data, "--tenant", "demo", "sync", "Google Drive"]);
        let streams = tokio::task::spawn_blocking(sync).await.expect("it ran");
        assert!(streams.as_array().is_some_and(|all| !all.is_empty()), "{streams}");
        assert_eq!(host.simulation.refreshes(Provider::Google), before + 1);
    });
}
