//! Signing in as a browser sees it: redirects, cookies, pages.

use std::net::SocketAddr;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE};
use sallyport::keys::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::signin::tests::fake::{Fake, SECRET};
use crate::signin::tests::pin;

struct Serving {
    app: App,
    fake: Fake,
    url: String,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Serving {
    async fn new(config: Config) -> Self {
        // One TLS library for everything; that it is set already is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::start().await;
        let app = App::open(folder.path(), config, None).await.unwrap();
        let acme = TenantId::new("acme");
        app.accounts().create_tenant(&acme, "Acme").await.unwrap();
        app.signin().set_pin(&acme, pin(&fake), &Secret::new(SECRET)).await.unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        app.origins().listens(address);
        let router = super::super::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { app, fake, url: format!("http://{address}"), http, _folder: folder }
    }

    async fn get(&self, path: &str, cookie: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).header(COOKIE, cookie).send().await.unwrap()
    }

    async fn post(&self, path: &str, cookie: &str, headers: &[(&'static str, &str)]) -> reqwest::Response {
        let mut request = self.http.post(format!("{}{path}", self.url)).header(COOKIE, cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// A browser that has signed in: its session cookie.
    async fn signed_in(&self) -> String {
        let begun = self.get("/signin/acme", "").await;
        let query = self.fake.sign_in(&Url::parse(header(begun.headers(), LOCATION.as_str())).unwrap());
        let finished = self.get(&format!("/signin/callback?{query}"), &cookies(begun.headers())).await;
        assert_eq!(finished.status(), StatusCode::SEE_OTHER);
        cookies(finished.headers())
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers[name].to_str().unwrap()
}

/// The cookies that were set and not cleared, as a browser sends them back.
fn cookies(headers: &HeaderMap) -> String {
    let set = headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap());
    let kept = set.filter(|line| !line.contains("Max-Age=0")).filter_map(|line| line.split(';').next());
    kept.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_browser_is_sent_to_the_issuer_and_comes_back_signed_in() {
    let host = Serving::new(Config::default()).await;
    let begun = host.get("/signin/acme", "").await;
    assert_eq!(begun.status(), StatusCode::SEE_OTHER);
    let location = Url::parse(header(begun.headers(), "location")).unwrap();
    let redirect = location.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    assert_eq!(redirect, format!("{}/signin/callback", host.url));
    let set = header(begun.headers(), "set-cookie");
    assert!(set.ends_with("Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{set}");

    let query = host.fake.sign_in(&location);
    let finished = host.get(&format!("/signin/callback?{query}"), &cookies(begun.headers())).await;
    let (status, headers) = (finished.status(), finished.headers().clone());
    assert_eq!((status, header(&headers, "location")), (StatusCode::SEE_OTHER, "/"));
    assert_eq!((header(&headers, "cache-control"), header(&headers, "referrer-policy")), ("no-store", "no-referrer"));
    let set: Vec<&str> = headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect();
    assert!(set[0].starts_with("sallyport-session=") && set[0].contains("Max-Age=28800; HttpOnly"), "{set:?}");
    assert!(set[1].starts_with("sallyport-signin=; ") && set[1].contains("Max-Age=0"), "{set:?}");

    let session = host.post("/v1/session", &cookies(&headers), &[("origin", &host.url)]).await;
    assert_eq!(session.status(), StatusCode::OK);
    let session: Value = session.json().await.unwrap();
    assert_eq!(session["expires_in"], 900);
    let me = host.http.get(format!("{}/v1/me", host.url)).bearer_auth(session["token"].as_str().unwrap());
    let me: Value = me.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&me["tenant"], &me["emails"], &me["roles"]),
        (&json!("acme"), &json!(["ana@acme.example"]), &json!(["member"]))
    );
}

#[tokio::test]
async fn a_cookie_counts_for_pages_of_this_host_alone() {
    let host = Serving::new(Config::default()).await;
    let cookie = host.signed_in().await;
    for path in ["/v1/session", "/signin/signout"] {
        for wrong in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", host.url.as_str())],
            &[("origin", "http://evil.example"), ("x-forwarded-host", "evil.example"), ("host", "evil.example")],
        ] {
            let answer = host.post(path, &cookie, wrong).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {wrong:?}");
            assert!(answer.headers().get(SET_COOKIE).is_none(), "{path} {wrong:?}");
        }
    }
    let page = [("sec-fetch-site", "same-origin"), ("origin", host.url.as_str())];
    assert_eq!(host.post("/v1/session", &cookie, &page).await.status(), StatusCode::OK);
    // A cookie is no caller token, and a page without one is nobody.
    assert_eq!(host.get("/v1/me", &cookie).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(host.post("/v1/session", "", &page).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(host.post("/v1/session", "sallyport-session=x.y.z", &page).await.status(), StatusCode::UNAUTHORIZED);

    let out = host.post("/signin/signout", &cookie, &page).await;
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    assert!(header(out.headers(), "set-cookie").starts_with("sallyport-session=; Path=/; Max-Age=0"));
}

#[tokio::test]
async fn behind_tls_cookies_are_secure_and_redirects_lead_to_the_configured_address() {
    let config = Config { public_url: Some("https://sallyport.example".into()), ..Config::default() };
    let host = Serving::new(config).await;
    let begun = host.get("/signin/acme", "").await;
    assert!(
        header(begun.headers(), "location")
            .contains("redirect_uri=https%3A%2F%2Fsallyport.example%2Fsignin%2Fcallback")
    );
    let set = header(begun.headers(), "set-cookie");
    assert!(set.starts_with("__Host-sallyport-signin=") && set.ends_with("; Secure"), "{set}");
    let cookie = host.signed_in().await;
    assert!(cookie.starts_with("__Host-sallyport-session="), "{cookie}");
    let session = host.post("/v1/session", &cookie, &[(ORIGIN.as_str(), "https://sallyport.example")]).await;
    assert_eq!(session.status(), StatusCode::OK);
    let plain = host.post("/v1/session", &cookie, &[(ORIGIN.as_str(), &host.url)]).await;
    assert_eq!(plain.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_sign_in_that_fails_is_a_page_without_a_script_that_says_why() {
    let host = Serving::new(Config::default()).await;
    for (path, cookie, status, says) in [
        ("/signin/nobody", "", StatusCode::NOT_FOUND, "sallyport signin set"),
        ("/signin/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "", StatusCode::NOT_FOUND, "&lt;script&gt;"),
        ("/signin/callback?code=1&state=2", "", StatusCode::BAD_REQUEST, "begin again"),
        ("/signin/callback?code=1&code=2", "", StatusCode::BAD_REQUEST, "code"),
    ] {
        let answer = host.get(path, cookie).await;
        assert_eq!(answer.status(), status, "{path}");
        let headers = answer.headers().clone();
        assert!(header(&headers, "content-type").starts_with("text/html"));
        let policy = header(&headers, "content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'none'"), "{policy}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(says) && !text.contains("<script"), "{path}: {text}");
        assert!(headers.get(SET_COOKIE).is_none());
    }
}

#[tokio::test]
async fn an_id_token_is_exchanged_for_a_caller_token() {
    let host = Serving::new(Config::default()).await;
    let exchange = async |body: Value| {
        let answer = host.http.post(format!("{}/v1/callers/oidc", host.url)).json(&body).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    host.fake.script.lock().claims = json!({ "exp": std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 60 });
    let token = host.fake.id_token(None);
    let (status, answer) = exchange(json!({ "tenant": "acme", "id_token": token })).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    // No longer than what it stands on.
    assert!(answer["expires_in"].as_u64().is_some_and(|seconds| (50..=60).contains(&seconds)), "{answer}");
    let who = host.app.tokens().verify(answer["token"].as_str().unwrap()).unwrap();
    assert_eq!(who.caller.emails, ["ana@acme.example"]);

    for (body, status, code) in [
        (json!({ "tenant": "acme", "id_token": "x" }), StatusCode::UNAUTHORIZED, "id-token"),
        (json!({ "tenant": "other", "id_token": token }), StatusCode::NOT_FOUND, "no-sign-in"),
        (
            json!({ "tenant": "acme", "id_token": token, "roles": ["admin"] }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
        ),
    ] {
        let (found, answer) = exchange(body).await;
        assert_eq!((found, answer["error"]["code"].as_str()), (status, Some(code)), "{answer}");
    }
}
