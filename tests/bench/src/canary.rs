//! A service that gives the token back, in every form and place: nothing of it is to be found anywhere afterwards.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sallyport::connection::ConnectionState;
use sallyport::ports::Directory as _;
use serde_json::json;
use tracing::instrument::WithSubscriber as _;

use crate::Setup;
use crate::figure::Figure;
use crate::host::{Host, token};
use crate::log;

const CANARY: &str = "canary~4b/Zq+7TtEw0.yG2";

/// Each way in which the token can stand in an answer.
fn forms() -> Vec<String> {
    let percent: String = CANARY.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let unicode: String = CANARY.bytes().map(|byte| format!("\\u{byte:04X}")).collect();
    let mut forms = vec![
        CANARY.to_owned(),
        percent.to_uppercase(),
        percent,
        unicode,
        CANARY.replace('/', "\\/"),
        hex::encode(CANARY),
        hex::encode_upper(CANARY),
    ];
    for before in ["", "a", "ab"] {
        let text = format!("{before}{CANARY}zz");
        forms.extend([STANDARD.encode(&text), URL_SAFE.encode(&text)]);
    }
    forms
}

/// The next form, in the body or in a header by turns.
async fn echo(State(turn): State<Arc<AtomicUsize>>, headers: HeaderMap) -> Response {
    let turn = turn.fetch_add(1, Ordering::Relaxed);
    let forms = forms();
    let form = &forms[turn % forms.len()];
    let sent = headers.get("authorization").is_some_and(|value| value.as_bytes().ends_with(CANARY.as_bytes()));
    match (sent, turn / forms.len() % 2) {
        (false, _) => "nothing was sent".into_response(),
        (true, 0) => format!("{{\"id\":\"n1\",\"title\":\"{form}\"}}").into_response(),
        (true, _) => ([("x-request", form.as_str())], "{\"id\":\"n1\"}").into_response(),
    }
}

pub(crate) async fn measure(setup: &Setup, runs: usize) -> anyhow::Result<Figure> {
    let turn = Arc::new(AtomicUsize::new(0));
    let router = Router::new().fallback(echo).with_state(Arc::clone(&turn));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    // Honest while the connection is made: it asks whose account this is.
    let notes = crate::host::notes().await?;
    tokio::spawn(async move { axum::serve(listener, router).await });

    let host = Host::open(&[("hello.api", &notes)]).await?;
    let connection = host.connect(&setup.hello, "hello", "token", token(CANARY), &["notes.read"]).await?;
    let host = host.reopened(&[("hello.api", &url)])?;
    let mut said = String::new();
    let (log, logs) = log::kept();
    for _ in 0..runs {
        let call = host.call(&connection.id, "read_note", json!({ "id": "n1" }));
        let outcome = call.with_subscriber(logs.clone()).await;
        ensure!(outcome.is_err(), "an answer with the token in it was given: {outcome:?}");
        said = format!("{outcome:?}\n");
        ensure!(count(said.as_bytes()) == 0, "the token is in {said}");
        let live = ConnectionState::Active;
        host.store.set_state(&host.caller.tenant, &connection.id, live, None).await?;
    }
    let echoed = turn.load(Ordering::Relaxed);
    ensure!(echoed >= runs, "{echoed} answers held the token, of {runs}");
    let log = log.taken();
    ensure!(log.len() > runs, "the host logged nothing of what it dropped");
    let (mut bytes, mut found) = (log.len(), count(&log));
    files(&host.folder.path().join("data"), &mut |content| {
        bytes += content.len();
        found += count(content);
    })?;
    Ok(Figure {
        name: "canary bytes found after a service gave the token back",
        value: format!("{found} in {runs} runs"),
        beside: format!(
            "looked through: every result, and {bytes} bytes of the log at its finest and of the data directory; last said: {}",
            said.trim()
        ),
        target: Some("0 in 10,000 runs"),
    })
}

fn count(bytes: &[u8]) -> usize {
    let forms = forms();
    // Without the ends of base64, which depend on what stands beside.
    let inner = |form: &String| form.as_bytes()[2..form.len().min(26)].to_vec();
    forms.iter().map(inner).filter(|form| bytes.windows(form.len()).any(|window| window == form)).count()
}

fn files(folder: &Path, look: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, look)? } else { look(&std::fs::read(&path)?) }
    }
    Ok(())
}
