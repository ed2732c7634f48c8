//! Faults, the request log and the control endpoint over real HTTP.

mod common;

use common::{HOUR, Scene, send};
use reqwest::Method;
use sallyport_simulate::{Document, Failure, Fault, Provider, Seed, Service, Urls};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ANA: &str = "ana@larkfield.example";

async fn scene() -> Scene {
    Scene::new(Seed::empty().person(ANA, "Ana").document(Document::new("Plan.md", ANA, &"word ".repeat(2000)))).await
}

#[tokio::test]
async fn drive_says_too_much_in_both_its_ways() {
    let scene = scene().await;
    let ana = scene.google(ANA);
    let faults = scene.simulation.faults();
    faults.add(Fault::new(Failure::RateLimitExceeded).on(Service::Drive).route("GET", "/drive/v3/files").times(1));
    faults.add(Fault::new(Failure::TooManyRequests { retry_after: None }).on(Service::Drive).times(1));
    faults.add(Fault::new(Failure::ServerError { status: 503 }).on(Service::Drive).times(1));
    for (status, reason) in [(403, "rateLimitExceeded"), (429, "rateLimitExceeded"), (503, "backendError")] {
        let hit = ana.get("/files").await;
        assert_eq!((hit.status, hit.reason().as_str()), (status, reason));
        assert_eq!(hit.json()["error"]["code"], status);
    }
    assert_eq!(ana.get("/files").await.status, 200);
}

#[tokio::test]
async fn a_truncated_body_announces_more_than_it_sends() {
    let scene = scene().await;
    let ana = scene.google(ANA);
    scene.simulation.faults().add(Fault::new(Failure::Truncate { keep: 20 }).on(Service::Drive).times(1));
    let mut reply = ana.request(Method::GET, "/files").send().await.expect("a head");
    assert!(reply.content_length().is_some_and(|length| length > 20));
    let first = reply.chunk().await.expect("the beginning").expect("some bytes");
    assert_eq!(first.len(), 20);
    assert!(reply.chunk().await.is_err(), "then the connection breaks");
    assert_eq!(ana.get("/files").await.status, 200);
}

#[tokio::test]
async fn a_reset_has_no_effect_and_a_lost_reply_has() {
    let scene = scene().await;
    let ana = scene.trello(ANA);
    for (failure, effect) in [(Failure::Reset, false), (Failure::LoseReply, true)] {
        scene.simulation.faults().add(Fault::new(failure).on(Service::Trello).route("POST", "/1/boards").times(1));
        assert!(ana.request(Method::POST, "/boards?name=Harbour").send().await.is_err());
        assert_eq!(scene.simulation.trello().board("Harbour").is_some(), effect);
    }
    let writes = scene.simulation.requests().writes(Service::Trello);
    assert_eq!(writes.len(), 2);
    assert!(writes.iter().all(|request| request.status.is_none() && request.fault.is_some()), "{writes:?}");
}

#[tokio::test]
async fn latency_delays_and_lets_through() {
    let scene = scene().await;
    let ana = scene.google(ANA);
    scene.simulation.faults().add(Fault::new(Failure::Latency { ms: 120 }).on(Service::Drive).times(1));
    let began = Instant::now();
    assert_eq!(ana.get("/files").await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_stalled_request_is_not_carried_out() {
    let scene = scene().await;
    let ana = scene.trello(ANA);
    scene.simulation.faults().add(Fault::new(Failure::Stall).on(Service::Trello));
    let late = ana.request(Method::POST, "/boards?name=Harbour").timeout(Duration::from_millis(150)).send().await;
    assert!(late.is_err_and(|error| error.is_timeout()));
    assert!(scene.simulation.trello().board("Harbour").is_none());
}

#[tokio::test]
async fn the_log_holds_what_was_sent_and_no_token() {
    let scene = scene().await;
    let ana = scene.trello(ANA);
    send(ana.request(Method::POST, "/boards?defaultLists=false").header("x-mark", "7").json(&json!({"name": "Log"})))
        .await
        .ok();
    let logged = scene.simulation.requests().to(Service::Trello).pop().expect("one request");
    assert_eq!(
        (logged.method.as_str(), logged.path.as_str(), logged.query.as_str()),
        ("POST", "/1/boards", "defaultLists=false")
    );
    assert_eq!((logged.body.as_str(), logged.status), (r#"{"name":"Log"}"#, Some(200)));
    assert_eq!((logged.scheme.as_deref(), logged.subject.as_deref()), (Some("Bearer"), Some(ANA)));
    assert!(
        logged.header_names.contains(&"authorization".to_owned())
            && logged.headers.contains(&("x-mark".into(), "7".into()))
    );
    assert!(!serde_json::to_string(&logged).expect("plain data").contains(&ana.token));
    assert!(scene.simulation.requests().connections(Service::Trello) >= 1);
    assert_eq!(scene.simulation.requests().connections(Service::Drive), 0);
}

#[tokio::test]
async fn everything_can_be_done_over_the_control_endpoint() {
    let scene = scene().await;
    let at = |path: &str| format!("{}/_control/{path}", scene.simulation.urls().control);
    let post = async |path: &str, body: Value| send(scene.http.post(at(path)).json(&body)).await;
    let urls: Urls = serde_json::from_value(send(scene.http.get(at("urls"))).await.ok()).expect("the URLs");
    assert_eq!(&urls, scene.simulation.urls());

    let minted = post("tokens", json!({"provider": "google", "email": ANA, "expires_in": 600})).await.ok();
    let mut ana = scene.google(ANA);
    ana.token = minted["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(ana.get("/files").await.status, 200);
    assert_eq!(post("tokens/expire", json!({"token": ana.token})).await.status, 204);
    assert_eq!(ana.get("/files").await.status, 401);
    assert_eq!(post("tokens/expire", json!({"token": "nope"})).await.status, 404);

    let fault = json!({"service": "drive", "path": "/drive/v3/*", "count": 1, "failure": {"kind": "server_error", "status": 500}});
    assert_eq!(post("faults", fault).await.status, 201);
    assert_eq!(ana.get("/files").await.status, 500);
    assert_eq!(send(scene.http.get(at("faults"))).await.ok(), json!([]));
    assert_eq!(post("faults", json!({"failure": {"kind": "earthquake"}})).await.status, 422);

    let edited = post("drive", json!({"do": "edit", "file": "Plan.md", "content": "short"})).await.ok();
    assert!(edited["id"].is_string());
    let unknown = post("drive", json!({"do": "edit", "file": "Nothing.md", "content": "x"})).await;
    assert!(unknown.status == 422 && unknown.text.contains("Nothing.md"), "{unknown:?}");
    assert_eq!(post("groups", json!({"group": "new@x.example", "add": [ANA]})).await.status, 204);
    assert!(scene.simulation.directory().is_member("new@x.example", ANA));

    let state = send(scene.http.get(at("state/drive"))).await.ok();
    let plan =
        state["files"].as_array().expect("files").iter().find(|file| file["name"] == "Plan.md").expect("the plan");
    assert_eq!((&plan["content"], &plan["path"]), (&json!("short"), &json!("Plan.md")));
    let requests = send(scene.http.get(at("requests?service=drive&method=GET"))).await.ok();
    let statuses: Vec<_> =
        requests["requests"].as_array().expect("requests").iter().map(|request| request["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(200), Some(401), Some(500)]);
    assert_eq!(send(scene.http.delete(at("requests"))).await.status, 204);
    assert!(scene.simulation.requests().all().is_empty());
}

#[tokio::test]
async fn serving_announces_its_urls_in_one_line_and_stops_when_told() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (line, mut lines) = tokio::sync::mpsc::unbounded_channel::<String>();
    struct Line(tokio::sync::mpsc::UnboundedSender<String>);
    impl std::io::Write for Line {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let served = tokio::spawn(sallyport_simulate::serve(Seed::empty(), Default::default(), Line(line), async {
        let _ = stopped.await;
    }));
    let mut text = String::new();
    while !text.ends_with('\n') {
        text += &lines.recv().await.expect("a line");
    }
    let urls: Urls = serde_json::from_str(text.trim()).expect("the URLs");
    let http = common::client();
    assert_eq!(send(http.get(format!("{}/1/members/me", urls.trello))).await.status, 401);
    stop.send(()).expect("still serving");
    served.await.expect("no panic").expect("no error");
    assert!(http.get(urls.trello).send().await.is_err(), "the port is closed");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let scene = scene().await;
    let taken = scene.simulation.urls().drive.strip_prefix("http://").expect("an origin").parse().expect("an address");
    let options = sallyport_simulate::Options { drive: taken, ..Default::default() };
    let error =
        sallyport_simulate::Simulation::start_with(Seed::empty(), options).await.expect_err("the port is taken");
    assert!(error.to_string().contains(&format!("{taken} for the simulated Drive")), "{error}");
    let _ = scene.simulation.token_for(Provider::Google, ANA, HOUR);
}
