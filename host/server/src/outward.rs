//! Requests of the host's own, to addresses that its operator or a tenant's admin named. What connectors ask for goes by egress.

use std::time::Duration;

use sallyport::wire::chain;

/// A client that follows nobody, tries once, and gives up after `timeout`.
///
/// # Errors
/// There is no TLS on this machine.
pub(crate) fn client(timeout: Duration) -> Result<reqwest::Client, String> {
    // Whichever was installed first stays; that there is one is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .build()
        .map_err(|error| format!("no TLS: {} (are ca-certificates installed?)", chain(&error)))
}
