use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::connection::{ConnectionState, Setting};
use crate::fixtures::{
    Answer, Host, Seen, Service, TOKEN, all_granted, authority, connection, get, grant, manifest, registry, sync, tool,
    with_body,
};
use crate::ids::Timestamp;
use crate::wire::{Lookup, Repoint, SystemLookup};

const API: &str = "https://api.acme.example";

fn judge(live: &Live, request: Request) -> Result<Authorised, Refusal> {
    authorise::authorise(&registry(), live, request)
}

fn reader() -> Live {
    all_granted(&tool("list_items"))
}

fn writer() -> Live {
    all_granted(&tool("create_item"))
}

/// The whole way of a request.
async fn send(host: &Host, live: &Live, request: Request) -> Result<Response, EgressError> {
    let authorised = host.egress.authorise(live, request)?;
    let ready = host.egress.prepare(&authority(), &connection(), authorised).await?;
    let permit =
        if ready.authorised().is_write() { Permit::Write(SentRecord::after_flush(&ready)) } else { Permit::Read };
    host.egress.transmit(&authority(), ready, permit).await
}

fn json_item(body: &str) -> Request {
    with_body("POST", &format!("{API}/items"), "application/json", body)
}

// ---- what passes the gate ------------------------------------------------------------------------------------------

#[test]
fn only_a_url_that_everybody_reads_alike_passes() {
    let live = reader();
    assert!(judge(&live, get(&format!("{API}/items"))).is_ok());
    for url in [
        "http://api.acme.example/items",
        "https://api.acme.example@evil.example/items",
        "https://user:pass@api.acme.example/items",
        "https://@api.acme.example/items",
        "https://api.acme.example.evil.example/items",
        "https://evil.example/https://api.acme.example/items",
        "https://evil.example#api.acme.example/items",
        "https://evil.example\\@api.acme.example/items",
        "https://api.acme.example\\.evil.example/items",
        "https://api.acme.example./items",
        "https://API.acme.example/items",
        "HTTPS://api.acme.example/items",
        "https://xn--cme-7la.example/items",
        "https://api.\u{430}cme.example/items",
        "https://api\u{ff0e}acme\u{ff0e}example/items",
        "https://api.acme.example:443/items",
        "https://api.acme.example:8443/items",
        "https:/api.acme.example/items",
        "https:api.acme.example/items",
        "//api.acme.example/items",
        "/items",
        "https://2130706433/items",
        "https://0x7f.1/items",
        "https://127.1/items",
        "https://127.0.0.1/items",
        "https://0.0.0.0/items",
        "https://[::1]/items",
        "https://[::ffff:169.254.169.254]/items",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/items",
        " https://api.acme.example/items",
        "https://api.acme.example/items\n",
        "https://api.acme.example/it\tems",
        "https://api.acme.example/items HTTP/1.1",
        "file:///etc/passwd",
        "data:text/plain,x",
        "",
    ] {
        assert!(judge(&live, get(url)).is_err(), "{url:?}");
    }
    let long = format!("{API}/items?q={}", "x".repeat(20_000));
    assert!(judge(&live, get(&long)).is_err());
}

#[test]
fn only_a_path_of_a_route_passes() {
    let live = reader();
    for path in ["/items", "/items?limit=5", "/items/1", "/items/a%20b", "/items/x.y", "/items#top", "/v1/me.json"] {
        assert!(judge(&live, get(&format!("{API}{path}"))).is_ok(), "{path}");
    }
    for path in [
        "",
        "/",
        "/other",
        "/items/",
        "/items//1",
        "//items",
        "/items/1/2",
        "/Items",
        "/items/%2e%2e",
        "/items/../items",
        "/./items",
        "/items/.",
        "/x/%2E%2e/items",
        "/items/a%2fb",
        "/items/a%5cb",
        "/items/%252e%252e",
        "/items/..;/x",
        "/items/a%00",
        "/v1/meXjson",
        "/search",
    ] {
        assert!(judge(&live, get(&format!("{API}{path}"))).is_err(), "{path}");
    }
    for method in ["get", "GET ", "OPTIONS", "CONNECT", "TRACE", "DELETE", "POST", "", "G\r\nET"] {
        let request = Request { method: method.into(), ..get(&format!("{API}/items")) };
        assert!(judge(&live, request).is_err(), "{method:?}");
    }
    assert!(judge(&live, get("https://files.acme.example/items")).is_err(), "the right path of another origin");
}

#[test]
fn a_refusal_names_what_would_allow_it() {
    let said = |live: &Live, request| judge(live, request).expect_err("refused").to_string();
    assert_eq!(
        said(&reader(), get(&format!("{API}/boards/1?x=y"))),
        "no route allows GET https://api.acme.example/boards/1: add \"GET {api}/boards/1\" to a capability in connector.toml"
    );
    let write = || json_item(r#"{"name":"x"}"#);
    assert!(
        said(&all_granted(&sync()), write()).ends_with("not live in a sync (live: items.read): writing takes a tool")
    );
    assert!(said(&reader(), write()).contains("list it in the capabilities of [[tool]] list_items"));
    let only = grant(&[("items.read", Setting::Auto)]);
    let live = crate::grants::live(&manifest(), &connection().id, Some(&only), &tool("list_items"), Timestamp(0))
        .expect("granted");
    assert!(said(&live, write()).ends_with("not granted; an admin can grant it: sallyport grant con_1 items.write"));
}

#[test]
fn a_credential_in_disguise_is_refused_wherever_it_stands() {
    let part = |name: &str, media_type: Option<&str>, body: &str| Part {
        name: name.into(),
        filename: None,
        media_type: media_type.map(Into::into),
        body: Bytes::from(body.to_owned()),
    };
    let multipart =
        |parts| Request { method: "POST".into(), body: Body::Multipart(parts), ..get(&format!("{API}/items/1/files")) };
    let query = |text: &str| Request { method: "POST".into(), ..get(&format!("{API}/items/query?{text}")) };
    let read = |media_type: &str, body: &str| with_body("POST", &format!("{API}/items/query"), media_type, body);
    for request in [
        get(&format!("{API}/items?token=mine")),
        get(&format!("{API}/items?x=y&%74oken=mine")),
        get(&format!("{API}/items?TOKEN=mine")),
        get(&format!("{API}/items?token[]=mine")),
        get(&format!("{API}/items?api_key=mine")),
        query("api_key"),
        read("application/x-www-form-urlencoded", "a=b&token=mine"),
        read("application/json", r#"{"a":1,"token":"mine"}"#),
        read("application/json", r#"{"a":1,"t\u006fken":"mine"}"#),
        read("application/vnd.acme+json; charset=utf-8", r#"{"api_key":"mine"}"#),
        read("text/plain", r#"{"token":"mine"}"#),
        read("text/plain", r#"[{"token":"mine"}]"#),
        read("text/plain", "token=mine"),
        multipart(vec![part("meta", None, "x"), part("token", None, "mine")]),
        multipart(vec![part("meta", Some("application/json"), r#"{"token":"mine"}"#)]),
    ] {
        let error = judge(&writer(), request.clone()).expect_err("refused");
        assert!(matches!(error, Refusal::Credential { .. }), "{request:?}: {error}");
    }
    // A word of a document is no parameter.
    assert!(judge(&writer(), read("application/json", r#"{"filter":{"token":"x"},"q":"token"}"#)).is_ok());
}

#[test]
fn a_write_carries_the_keys_of_its_route_and_no_other() {
    let live = writer();
    let put = |body: &str| with_body("PUT", &format!("{API}/items/1"), "application/json", body);
    assert!(judge(&live, put(r#"{"name":"x"}"#)).is_ok());
    for body in [
        r#"{"trashed":true}"#,
        r#"{"name":"x","trashed":true}"#,
        r#"{"name":"x","name":"y"}"#,
        r#"["name"]"#,
        "{",
        "\"x\"",
    ] {
        assert!(judge(&live, put(body)).is_err(), "a rename that is more: {body}");
    }
    let at = |query: &str, body: &str| with_body("PUT", &format!("{API}/items/1?{query}"), "application/json", body);
    assert!(judge(&live, at("list=l1", r#"{"name":"x"}"#)).is_ok());
    assert!(judge(&live, at("trashed=true", r#"{"name":"x"}"#)).is_err());
    assert!(judge(&live, at("name=y", r#"{"name":"x"}"#)).is_err(), "doubled over query and body");
    assert!(judge(&live, at("list=1&list=2", "{}")).is_err(), "doubled in the query");
    let bytes = with_body("PUT", &format!("{API}/items/1"), "application/octet-stream", r#"{"name":"x"}"#);
    assert!(judge(&live, bytes).is_err(), "what cannot be judged is not sent");
    // Throwing away takes the tool that may.
    let trash = judge(&all_granted(&tool("trash_item")), put(r#"{"trashed":true}"#)).expect("its own tool");
    assert_eq!((trash.capability().as_str(), trash.is_write()), ("items.trash", true));
}

#[test]
fn a_request_tells_what_an_approval_needs_to_know() {
    let body = r#"{"name":"Launch","list":"l1","labels":["a","b"],"note":{"text":["deep"],"n":3}}"#;
    let authorised = judge(&writer(), json_item(body)).expect("allowed");
    assert_eq!(
        (authorised.route(), authorised.is_write(), authorised.repeat()),
        ("POST {api}/items", true, sallyport_pack::route::Repeat::Never)
    );
    let bound: Vec<_> = authorised.bind_values();
    let bound: Vec<(&str, &str)> = bound.iter().map(|(place, value)| (place.as_str(), value.as_str())).collect();
    assert_eq!(bound, [("list", "l1"), ("labels", "a"), ("labels", "b")]);
    assert_eq!(authorised.texts(), ["Launch", "l1", "a", "b", "deep"]);
    let shown = authorised.shown();
    assert_eq!(
        (shown.method.as_str(), shown.url.as_str(), shown.body.as_str()),
        ("POST", "https://api.acme.example/items", body)
    );

    let again = judge(&writer(), json_item(body)).expect("allowed");
    assert_eq!(again.canonical(), authorised.canonical());
    for other in [
        json_item(&body.replace("Launch", "Launcg")),
        Request { slot: Some("user".into()), ..json_item(&format!("{body} ")) },
    ] {
        assert_ne!(judge(&writer(), other).expect("allowed").shown().digest, shown.digest);
    }
    let part = Part {
        name: "file".into(),
        filename: Some("plan.txt".into()),
        media_type: Some("text/plain".into()),
        body: Bytes::from_static(b"text"),
    };
    let upload =
        Request { method: "POST".into(), body: Body::Multipart(vec![part]), ..get(&format!("{API}/items/7/files")) };
    let upload = judge(&writer(), upload).expect("allowed");
    assert_eq!(upload.texts(), ["plan.txt", "text"]);
    assert_eq!(upload.bind_values(), [("{id}".to_owned(), "7".to_owned())]);
}

#[test]
fn a_slot_is_one_of_the_capabilitys() {
    let slot = |live: &Live, slot: Option<&str>, url: &str| {
        let request = Request { slot: slot.map(Into::into), ..get(url) };
        judge(live, request).map(|authorised| authorised.slot().map(ToString::to_string))
    };
    let url = format!("{API}/items");
    assert_eq!(slot(&reader(), None, &url), Ok(Some("user".into())));
    assert_eq!(slot(&reader(), Some("bot"), &url), Ok(Some("bot".into())));
    assert!(matches!(slot(&reader(), Some("admin"), &url), Err(Refusal::Slot { .. })));
    assert_eq!(slot(&reader(), None, "https://open.acme.example/public/1"), Ok(None), "an origin without credentials");
    assert_eq!(slot(&reader(), None, "https://files.acme.example/signed/1"), Ok(None), "a route without credentials");
}

// ---- what goes over the wire ---------------------------------------------------------------------------------------

#[tokio::test]
async fn a_read_goes_out_with_what_the_host_attaches_and_no_more() {
    let service = Service::saying(Answer::Say(
        200,
        vec![("set-cookie", "a=b".into()), ("etag", "\"1\"".into())],
        b"hello".to_vec(),
    ))
    .await;
    let host = Host::new(&service).await;
    let request =
        Request { headers: vec![("Range".into(), "bytes=0-4".into())], ..get(&format!("{API}/items?q=a%2Fb")) };
    let response = send(&host, &reader(), request).await.expect("an answer");
    assert_eq!((response.status, &response.body[..]), (200, &b"hello"[..]));
    assert_eq!((response.header("etag"), response.header("set-cookie")), (Some("\"1\""), None));
    let seen = &service.seen()[0];
    assert_eq!(seen.line(), "GET /items?q=a%2Fb");
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!((seen.header("range"), seen.header("acme-version")), (Some("bytes=0-4"), Some("7")));
    assert_eq!(seen.header("content-length"), None);

    send(&host, &reader(), get("https://open.acme.example/public/1")).await.expect("an answer");
    let open = &service.seen()[1];
    assert_eq!((open.header("authorization"), open.header("acme-version")), (None, None), "nothing for an open origin");
}

#[tokio::test]
async fn a_write_needs_its_own_record() {
    let service = Service::saying(Answer::json(200, "{}")).await;
    let host = Host::new(&service).await;
    let prepare = async |body: &str| {
        let authorised = host.egress.authorise(&writer(), json_item(body)).expect("allowed");
        host.egress.prepare(&authority(), &connection(), authorised).await.expect("ready")
    };
    let other = SentRecord::after_flush(&prepare(r#"{"name":"other"}"#).await);
    for permit in [Permit::Read, Permit::Write(other)] {
        let error =
            host.egress.transmit(&authority(), prepare(r#"{"name":"x"}"#).await, permit).await.expect_err("refused");
        assert!(matches!(error, EgressError::Refused(Refusal::Unrecorded { .. })), "{error}");
    }
    assert_eq!(service.sockets(), 0);
    send(&host, &writer(), json_item(r#"{"name":"x"}"#)).await.expect("an answer");
    let seen = service.seen();
    assert_eq!((seen.len(), seen[0].line(), seen[0].text().as_str()), (1, "POST /items", r#"{"name":"x"}"#));
}

#[tokio::test]
async fn sync_cannot_write() {
    let service = Service::saying(Answer::json(200, "{}")).await;
    let host = Host::new(&service).await;
    let live = all_granted(&sync());
    for (method, path) in [
        ("POST", "/items"),
        ("PUT", "/items/1"),
        ("DELETE", "/items/1"),
        ("POST", "/items/1/files"),
        ("POST", "/keyed"),
        ("PATCH", "/items/1"),
    ] {
        let request = with_body(method, &format!("{API}{path}"), "application/json", r#"{"name":"x"}"#);
        let error = send(&host, &live, request).await.expect_err("refused");
        assert!(matches!(error, EgressError::Refused(_)), "{method} {path}: {error}");
    }
    assert_eq!(service.sockets(), 0);
}

/// Answers every name with the same addresses.
struct Leads(&'static [&'static str]);

#[async_trait]
impl Lookup for Leads {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self.0.iter().map(|text| text.parse().expect("an address")).collect())
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_before_a_socket_is_opened() {
    // It listens where some of the names lead, for whoever does not judge the address.
    let inside = tokio::net::TcpListener::bind("127.0.0.1:443").await.ok();
    for leads in [
        &["127.0.0.1"][..],
        &["127.0.0.2"],
        &["169.254.169.254"],
        &["8.8.8.8", "10.0.0.1"],
        &["10.0.0.1", "8.8.8.8"],
        &["172.16.0.1"],
        &["192.168.1.1"],
        &["100.64.0.1"],
        &["0.0.0.0"],
        &["192.0.0.8"],
        &["198.18.0.1"],
        &["224.0.0.1"],
        &["255.255.255.255"],
        &["::"],
        &["::1"],
        &["::127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["::ffff:169.254.169.254"],
        &["64:ff9b::7f00:1"],
        &["64:ff9b:1::7f00:1"],
        &["2002:7f00:1::1"],
        &["2001:0:7f00:1::1"],
        &["fc00::1"],
        &["fd00::8"],
        &["fe80::1"],
        &["ff02::1"],
    ] {
        let host = Host::with(Repoint::default(), Arc::new(Leads(leads)), EgressConfig::default()).await;
        let error = send(&host, &reader(), get(&format!("{API}/items"))).await.expect_err("refused");
        assert!(matches!(error, EgressError::Refused(Refusal::Address { .. })), "{leads:?}: {error}");
    }
    if let Some(inside) = inside {
        let reached = tokio::time::timeout(Duration::from_millis(1), inside.accept()).await;
        assert!(reached.is_err(), "a socket was opened to this machine");
    }
    let host = Host::with(Repoint::default(), Arc::new(Leads(&[])), EgressConfig::default()).await;
    let error = send(&host, &reader(), get(&format!("{API}/items"))).await.expect_err("no address");
    assert!(matches!(error, EgressError::Unreachable(_)), "{error}");
}

// ---- answers -------------------------------------------------------------------------------------------------------

/// Answers with the given ones in order, and then with 200.
async fn script(answers: Vec<Answer>) -> Service {
    Service::new(move |_, number| answers.get(number).cloned().unwrap_or_else(|| Answer::json(200, "{}"))).await
}

#[tokio::test]
async fn a_read_is_repeated_and_a_write_is_not_when_nobody_knows() {
    let broken = Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec());
    for answer in [Answer::Close, broken, Answer::json(503, "busy"), Answer::json(500, "oops")] {
        let service = script(vec![answer.clone()]).await;
        let host = Host::new(&service).await;
        assert_eq!(
            send(&host, &reader(), get(&format!("{API}/items"))).await.expect("an answer").status,
            200,
            "{answer:?}"
        );
        assert_eq!(service.seen().len(), 2, "{answer:?}");

        let service = script(vec![answer.clone()]).await;
        let host = Host::new(&service).await;
        match send(&host, &writer(), json_item(r#"{"name":"x"}"#)).await {
            Err(EgressError::InDoubt(_)) => assert!(matches!(answer, Answer::Close | Answer::Raw(_)), "{answer:?}"),
            Ok(response) => assert!(response.status >= 500 && !response.had_no_effect(), "{answer:?}"),
            Err(error) => panic!("{answer:?}: {error}"),
        }
        assert_eq!(service.seen().len(), 1, "{answer:?}: sent once");
    }
}

#[tokio::test]
async fn a_write_is_repeated_where_nothing_took_effect_or_the_route_says_so() {
    let quota = Answer::json(403, r#"{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}"#);
    let service = script(vec![quota]).await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &writer(), json_item(r#"{"name":"x"}"#)).await.expect("an answer").status, 200);
    assert_eq!(service.seen().len(), 2);

    let safe = with_body("PUT", &format!("{API}/items/1"), "application/json", r#"{"name":"x"}"#);
    let service = script(vec![Answer::Close, Answer::json(502, "")]).await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &writer(), safe).await.expect("an answer").status, 200);
    assert_eq!(service.seen().len(), 3);

    // What was lost may have taken effect; a refusal of its repetition does not undo it.
    let safe = with_body("PUT", &format!("{API}/items/1"), "application/json", r#"{"name":"x"}"#);
    for then in [
        Answer::json(403, "no"),
        Answer::with(429, "retry-after", "3600"),
        Answer::Say(401, Vec::new(), b"invalid token".to_vec()),
    ] {
        let service = script(vec![Answer::Close, then.clone()]).await;
        let host = Host::new(&service).await;
        match send(&host, &writer(), safe.clone()).await {
            Ok(response) => assert!(!response.had_no_effect(), "{then:?}"),
            Err(error) => assert!(matches!(error, EgressError::InDoubt(_)), "{then:?}: {error}"),
        }
    }

    let keyed = |body| with_body("POST", &format!("{API}/keyed"), "application/json", body);
    let service = script(vec![Answer::Close, Answer::json(409, "exists")]).await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &writer(), keyed(r#"{"id":"k1","name":"x"}"#)).await.expect("done before").status, 200);
    let service = script(vec![Answer::Close]).await;
    let host = Host::new(&service).await;
    let error =
        send(&host, &writer(), keyed(r#"{"name":"x"}"#)).await.expect_err("without its key it is like any other");
    assert!(matches!(error, EgressError::InDoubt(_)), "{error}");
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unreachable_for_writes_too() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let config = EgressConfig { attempts: 2, pause: Duration::from_millis(1), ..EgressConfig::default() };
    let repoint = Repoint::new([("acme.api", format!("http://{nobody}"))]).expect("re-pointing");
    let host = Host::with(repoint, Arc::new(SystemLookup), config).await;
    for request in [get(&format!("{API}/items")), json_item(r#"{"name":"x"}"#)] {
        let error = send(&host, &writer(), request).await.expect_err("nobody is there");
        assert!(matches!(error, EgressError::Unreachable(_)), "{error}");
    }
}

#[tokio::test]
async fn a_long_wait_is_told_and_a_short_one_waited_for() {
    let table = [
        (Answer::with(429, "retry-after", "1000000000"), 3_600_000),
        (Answer::with(429, "retry-after", "21"), 21_000),
        (Answer::with(429, "retry-after", "Thu, 31 Dec 2099 00:00:00 GMT"), 3_600_000),
    ];
    for (answer, want) in table {
        let service = Service::saying(answer).await;
        let host = Host::new(&service).await;
        let error = send(&host, &reader(), get(&format!("{API}/items"))).await.expect_err("throttled");
        assert!(matches!(error, EgressError::Throttled { millis } if millis == want), "{error:?}");
        assert_eq!(service.seen().len(), 1);
    }
    let service = script(vec![Answer::with(429, "retry-after", "0"), Answer::with(429, "retry-after", "0.01")]).await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &reader(), get(&format!("{API}/items"))).await.expect("an answer").status, 200);
    // A storm is bounded, whatever the service says.
    let service = Service::saying(Answer::with(429, "retry-after", "0")).await;
    let host = Host::new(&service).await;
    assert!(matches!(send(&host, &reader(), get(&format!("{API}/items"))).await, Err(EgressError::Throttled { .. })));
    assert_eq!(service.seen().len(), 4);
    let service = Service::saying(Answer::json(503, "{}")).await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &reader(), get(&format!("{API}/items"))).await.expect("the last answer").status, 503);
    assert_eq!(service.seen().len(), 4);
}

#[tokio::test]
async fn a_quota_that_the_service_calls_used_up_is_not_tried_again_before_its_time() {
    let quota =
        vec![("x-rate-limit-api-token-interval-ms", "25000".into()), ("x-rate-limit-api-token-remaining", "0".into())];
    let service = Service::saying(Answer::Say(200, quota, b"{}".to_vec())).await;
    let host = Host::new(&service).await;
    let live = all_granted(&crate::ports::Standing::Identify);
    let search = || Request { slot: Some("bot".into()), ..get(&format!("{API}/search")) };
    send(&host, &live, search()).await.expect("the last of the quota");
    let error = send(&host, &live, search()).await.expect_err("the manifest allows one more, the service does not");
    assert!(matches!(error, EgressError::Throttled { millis } if (20_000..=25_000).contains(&millis)), "{error:?}");
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn the_manifests_limit_holds_before_anything_is_sent() {
    let service = Service::saying(Answer::json(200, "{}")).await;
    let host = Host::new(&service).await;
    let live = all_granted(&crate::ports::Standing::Identify);
    let search = || Request { slot: Some("bot".into()), ..get(&format!("{API}/search")) };
    for _ in 0..2 {
        send(&host, &live, search()).await.expect("within the limit");
    }
    let error = send(&host, &live, search()).await.expect_err("beyond it");
    assert!(matches!(error, EgressError::Throttled { millis } if (20_000..=30_000).contains(&millis)), "{error:?}");
    assert_eq!(service.seen().len(), 2);
    // Another setting, another connection: no limit, and a bucket of its own.
    let authorised = host.egress.authorise(&live, search()).expect("allowed");
    let mut large = connection();
    large.settings.insert("plan".into(), "large".into());
    assert!(host.egress.buckets(&authority(), &large, &authorised).await.expect("buckets").is_empty());
    let mut other = connection();
    other.id = crate::ids::ConnectionId::new("con_2");
    let [own] = &host.egress.buckets(&authority(), &connection(), &authorised).await.expect("buckets")[..] else {
        panic!("one")
    };
    let [theirs] = &host.egress.buckets(&authority(), &other, &authorised).await.expect("buckets")[..] else {
        panic!("one")
    };
    assert_ne!(own.key, theirs.key);
}

#[tokio::test]
async fn an_ended_token_is_refreshed_once_and_then_a_person_is_asked() {
    let answer = |seen: &Seen, _: usize| match (seen.line(), seen.header("authorization")) {
        ("POST /token", _) => {
            Answer::json(200, r#"{"access_token":"access-2","refresh_token":"refreshing-2","expires_in":3600}"#)
        }
        (_, Some("Bearer access-2")) => Answer::json(200, "{}"),
        _ => Answer::json(401, r#"{"error":{"errors":[{"reason":"authError"}]}}"#),
    };
    let service = Service::new(answer).await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &writer(), json_item(r#"{"name":"x"}"#)).await.expect("an answer").status, 200);
    let lines: Vec<String> = service.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(lines, ["POST /items", "POST /token", "POST /items"]);

    let service = Service::new(move |seen, number| match seen.line() {
        "POST /token" => Answer::json(200, r#"{"access_token":"access-2","refresh_token":"refreshing-2"}"#),
        _ => answer(&Seen { head: String::new(), body: Vec::new() }, number),
    })
    .await;
    let host = Host::new(&service).await;
    let error = send(&host, &reader(), get(&format!("{API}/items"))).await.expect_err("refused twice");
    assert!(matches!(error, EgressError::NeedsReauth(_)), "{error}");
    assert_eq!(service.seen().len(), 3);
    assert_eq!(host.ports.state(&connection().id), ConnectionState::NeedsReauth);

    let service = Service::saying(Answer::Say(401, Vec::new(), b"invalid token".to_vec())).await;
    let host = Host::new(&service).await;
    let error = send(&host, &reader(), get(&format!("{API}/items"))).await.expect_err("gone");
    assert!(matches!(error, EgressError::NeedsReauth(_)), "{error}");
    assert_eq!(service.seen().len(), 1, "nothing is refreshed that is gone");
}

#[tokio::test]
async fn a_redirect_is_judged_like_any_request_and_loses_the_secret_elsewhere() {
    let to = |location: &str| Answer::with(302, "location", location.to_owned());
    let follow = async |answer: Answer| {
        let service = script(vec![answer]).await;
        let host = Host::new(&service).await;
        let outcome = send(&host, &reader(), get(&format!("{API}/items"))).await;
        (outcome, service.seen())
    };
    let (outcome, seen) = follow(to("/items/2?x=y")).await;
    assert_eq!((outcome.expect("followed").status, seen[1].line()), (200, "GET /items/2?x=y"));
    assert!(seen[1].header("authorization").is_some(), "the same origin");
    let (outcome, seen) = follow(to("https://files.acme.example/raw/a/b")).await;
    assert_eq!((outcome.expect("followed").status, seen[1].line()), (200, "GET /raw/a/b"));
    assert_eq!(seen[1].header("authorization"), None, "another declared origin");
    for elsewhere in [
        "http://169.254.169.254/latest",
        "https://evil.example/items",
        "//evil.example/items",
        "http://api.acme.example/items",
        "/other",
        "ftp://x/",
        "https://api.acme.example@evil.example/",
        "/items?token=mine",
    ] {
        let (outcome, seen) = follow(to(elsewhere)).await;
        assert!(matches!(outcome, Err(EgressError::Refused(_))), "{elsewhere}");
        assert_eq!(seen.len(), 1, "{elsewhere}");
    }
    let service = Service::saying(to("/items")).await;
    let host = Host::new(&service).await;
    assert!(send(&host, &reader(), get(&format!("{API}/items"))).await.is_err(), "in circles");
    assert_eq!(service.seen().len(), 6);
    // A service names itself by the address at which it is reached.
    let service = Service::new(|seen, number| {
        let host = seen.header("host").unwrap_or_default();
        if number == 0 {
            Answer::with(301, "location", format!("http://{host}/items/3"))
        } else {
            Answer::json(200, "{}")
        }
    })
    .await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &reader(), get(&format!("{API}/items"))).await.expect("followed").status, 200);
    assert_eq!(service.seen()[1].line(), "GET /items/3");
    // A write's redirect is the guest's to read.
    let service = Service::saying(to("/items/2")).await;
    let host = Host::new(&service).await;
    assert_eq!(send(&host, &writer(), json_item(r#"{"name":"x"}"#)).await.expect("an answer").status, 302);
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_holds_the_secret_is_dropped_and_the_connection_flagged() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let chunked = {
        let (a, b) = TOKEN.split_at(9);
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n",
            a.len(),
            b.len()
        )
    };
    let body = |text: String| Answer::Say(200, Vec::new(), text.into_bytes());
    // Three phases: the token begins at each place of a group of three bytes.
    let phases = ["", "x", "xy"].map(|before| format!("{before}{TOKEN}"));
    // `{"echo":"Bearer TOKEN"}`.
    let gzipped = include_bytes!("../fixtures/token.gz").to_vec();
    for answer in [
        Answer::Say(200, vec![("content-encoding", "gzip".into())], gzipped),
        body(STANDARD.encode(&phases[0])),
        body(STANDARD.encode(&phases[1])),
        body(STANDARD.encode(&phases[2])),
        body(URL_SAFE_NO_PAD.encode(&phases[1])),
        body(TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect()),
        body(TOKEN.bytes().map(|byte| format!("\\u{byte:04x}")).collect()),
        body(hex::encode(TOKEN)),
        body(format!("you sent {TOKEN}")),
        Answer::with(200, "x-echo", format!("Bearer {TOKEN}")),
        Answer::with(401, "www-authenticate", format!("Bearer error=\"{TOKEN}\"")),
        body(TOKEN.replace('/', "%2F").replace('+', "%2b")),
        body(format!("{{\"h\":\"{}\"}}", TOKEN.replace('/', "\\/"))),
        body(STANDARD.encode(format!("Bearer {TOKEN}"))),
        body(hex::encode_upper(TOKEN)),
        Answer::Raw(chunked.into_bytes()),
        Answer::Say(500, Vec::new(), TOKEN.as_bytes().to_vec()),
    ] {
        let service = Service::saying(answer.clone()).await;
        let host = Host::new(&service).await;
        let error = send(&host, &reader(), get(&format!("{API}/items"))).await.expect_err("dropped");
        assert!(matches!(error, EgressError::SecretInResponse), "{answer:?}: {error}");
        assert!(!format!("{error} {error:?}").contains(TOKEN));
        assert_eq!(host.ports.state(&connection().id), ConnectionState::Flagged, "{answer:?}");
        assert_eq!(service.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_secret_that_did_not_go_out_with_a_request_may_not_come_back_either() {
    let bots = "bot-token-9876543210";
    for (url, held) in [
        // An origin and a route without credentials, the other slot, and the other's secret on the own one.
        ("https://open.acme.example/public/1", TOKEN),
        ("https://open.acme.example/public/1", bots),
        ("https://files.acme.example/signed/1", TOKEN),
        ("https://files.acme.example/raw/1", TOKEN),
        ("https://api.acme.example/v1/items", bots),
    ] {
        let url = url.replace("https://api.acme.example/v1", API);
        let service = Service::saying(Answer::Say(200, Vec::new(), format!("kept: {held}").into_bytes())).await;
        let host = Host::new(&service).await;
        let error = send(&host, &reader(), get(&url)).await.expect_err("dropped");
        assert!(matches!(error, EgressError::SecretInResponse), "{url}: {error}");
        assert_eq!(host.ports.state(&connection().id), ConnectionState::Flagged, "{url}");
    }
}

#[tokio::test]
async fn a_refusal_for_its_rate_empties_the_bucket_for_the_next_request() {
    let service = Service::saying(Answer::with(429, "retry-after", "22")).await;
    let host = Host::new(&service).await;
    let live = all_granted(&crate::ports::Standing::Identify);
    let search = || Request { slot: Some("bot".into()), ..get(&format!("{API}/search")) };
    assert!(matches!(send(&host, &live, search()).await, Err(EgressError::Throttled { millis: 22_000 })));
    let error = send(&host, &live, search()).await.expect_err("its time has not come");
    assert!(matches!(error, EgressError::Throttled { millis } if (20_000..=22_000).contains(&millis)), "{error:?}");
    assert_eq!(service.seen().len(), 1, "the second was not sent");
}

#[tokio::test]
async fn an_answer_is_bounded_when_decoded_and_readable_or_nothing() {
    let config = EgressConfig { inline_limit: 1000, blob_limit: 5000, attempts: 1, ..EgressConfig::default() };
    let ask = async |answer: Answer, delivery: Delivery| {
        let service = Service::saying(answer).await;
        let repoint = Repoint::new([("acme.api", service.url())]).expect("re-pointing");
        let host = Host::with(repoint, Arc::new(SystemLookup), config.clone()).await;
        send(&host, &reader(), Request { delivery, ..get(&format!("{API}/items")) }).await
    };
    let plain = |size: usize| Answer::Say(200, Vec::new(), vec![b'x'; size]);
    assert_eq!(ask(plain(1000), Delivery::Inline).await.expect("at the limit").body.len(), 1000);
    assert!(matches!(ask(plain(1001), Delivery::Inline).await, Err(EgressError::TooLarge { limit: 1000 })));
    assert_eq!(ask(plain(5000), Delivery::Blob).await.expect("at the limit").body.len(), 5000);
    assert!(matches!(ask(plain(5001), Delivery::Blob).await, Err(EgressError::TooLarge { limit: 5000 })));
    let service = Service::saying(plain(900)).await;
    let host = Host::new(&service).await;
    let narrow = Request { most: Some(500), ..get(&format!("{API}/items")) };
    let refused = send(&host, &reader(), narrow).await;
    assert!(matches!(refused, Err(EgressError::TooLarge { limit: 500 })), "whoever asks may have less: {refused:?}");
    // 100,000 zeros in some hundred bytes.
    let bomb =
        Answer::Say(200, vec![("content-encoding", "gzip".into())], include_bytes!("../fixtures/zeros.gz").to_vec());
    assert!(matches!(ask(bomb, Delivery::Blob).await, Err(EgressError::TooLarge { .. })));
    for encoding in ["zstd", "gzip, gzip", "x-unknown"] {
        let hidden = Answer::Say(200, vec![("content-encoding", encoding.into())], b"?".to_vec());
        assert!(matches!(ask(hidden, Delivery::Inline).await, Err(EgressError::Interrupted(_))), "{encoding}");
    }
}
