//! What a browser does on its way through a sign-in: cookies, redirects, forms.

use std::sync::Mutex;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode, Url};

/// A browser with a cookie jar of its own. It follows no redirect by itself.
pub struct Browser {
    http: reqwest::Client,
    jar: Mutex<Vec<Cookie>>,
}

struct Cookie {
    // Of a host, whatever the port: as browsers have it.
    host: String,
    path: String,
    name: String,
    value: String,
}

/// What a browser got.
#[derive(Debug)]
pub struct Page {
    /// Whence.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Page {
    /// Where it leads, if it is a redirect.
    ///
    /// # Panics
    /// To no address.
    #[must_use]
    pub fn leads_to(&self) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().expect("an address");
        self.status.is_redirection().then(|| self.url.join(location).expect("an address"))
    }
}

impl Default for Browser {
    fn default() -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client");
        Self { http, jar: Mutex::default() }
    }
}

impl Browser {
    /// Opens an address.
    pub async fn get(&self, url: Url) -> Page {
        let request = self.http.get(url.clone());
        self.send(url, request).await
    }

    /// Sends a form.
    pub async fn submit(&self, url: Url, fields: &[(&str, &str)]) -> Page {
        let request = self.http.post(url.clone()).form(fields);
        self.send(url, request).await
    }

    /// Posts, as the script of a page does that was loaded from `origin`.
    ///
    /// # Panics
    /// `url` is no address.
    pub async fn post_from(&self, origin: &str, url: &str) -> Page {
        let url: Url = url.parse().expect("an address");
        let request = self.http.post(url.clone()).header("origin", origin);
        self.send(url, request).await
    }

    /// Whether it has a cookie whose name begins so.
    ///
    /// # Panics
    /// Never: nobody panics with the jar in hand.
    #[must_use]
    pub fn has_cookie(&self, prefix: &str) -> bool {
        self.jar.lock().expect("a jar").iter().any(|cookie| cookie.name.starts_with(prefix))
    }

    async fn send(&self, url: Url, request: RequestBuilder) -> Page {
        let host = url.host_str().expect("a host").to_owned();
        let cookies: Vec<String> = {
            let jar = self.jar.lock().expect("a jar");
            let fitting = jar.iter().filter(|cookie| cookie.host == host && url.path().starts_with(&cookie.path));
            fitting.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect()
        };
        let response = request.header(COOKIE, cookies.join("; ")).send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            self.keep(&host, line.to_str().expect("a cookie"));
        }
        Page { url, status, headers, text: response.text().await.expect("a body") }
    }

    fn keep(&self, host: &str, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
        let attributes: Vec<String> = parts.map(str::to_lowercase).collect();
        // Paths keep their case.
        let path = line.split(';').map(str::trim).find_map(|part| {
            part.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case("path")).map(|(_, path)| path)
        });
        let path = path.unwrap_or("/").to_owned();
        let gone = attributes.iter().any(|one| one == "max-age=0" || one.starts_with("expires=thu, 01 jan 1970"));
        let mut jar = self.jar.lock().expect("a jar");
        jar.retain(|kept| !(kept.host == host && kept.path == path && kept.name == name));
        if !gone {
            jar.push(Cookie { host: host.into(), path, name: name.into(), value: value.into() });
        }
    }
}
