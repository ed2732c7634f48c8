//! A model endpoint that says what its script says, over real HTTP in OpenAI's chat completions protocol.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::post;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::{Value, json};
use url::Url;

/// What the endpoint answers to one request.
#[derive(Clone, Debug)]
pub enum Scripted {
    /// Text, one chunk each.
    Text(Vec<String>),
    /// Calls: names and argument texts, which need not be JSON. Arguments come in `pieces` deltas each.
    Calls {
        /// Said before the calls; empty says nothing.
        text: String,
        /// Name and arguments.
        calls: Vec<(String, String)>,
        /// Deltas that the arguments of a call are cut into, at least one.
        pieces: usize,
    },
    /// An HTTP error.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// Text, and then the connection ends without an end of the answer.
    Truncated(String),
    /// `data:` lines as they are given, whatever they hold.
    Raw(Vec<String>),
    /// A completion that was not streamed, though asked to be.
    Whole(String),
    /// Nothing, for ever.
    Silent,
}

impl Scripted {
    /// Text in one chunk a word.
    pub fn text(text: &str) -> Self {
        Self::Text(text.split_inclusive(' ').map(String::from).collect())
    }

    /// One call, its arguments cut into three deltas.
    pub fn call(name: &str, arguments: &Value) -> Self {
        Self::Calls { text: String::new(), calls: vec![(name.into(), arguments.to_string())], pieces: 3 }
    }
}

type Script = dyn FnMut(&Value) -> Scripted + Send;

struct Shared {
    script: Mutex<Box<Script>>,
    requests: Mutex<Vec<Value>>,
    key: Option<String>,
}

/// The endpoint. It stops when dropped.
pub struct ScriptedModel {
    shared: Arc<Shared>,
    base_url: Url,
    task: tokio::task::JoinHandle<()>,
}

impl ScriptedModel {
    /// Answers by these turns in order, and with HTTP 500 after the last. Listens on a free loopback port.
    pub async fn start(turns: impl IntoIterator<Item = Scripted>) -> std::io::Result<Self> {
        let mut turns = turns.into_iter().collect::<std::collections::VecDeque<_>>();
        Self::start_with(None, move |_| {
            turns.pop_front().unwrap_or(Scripted::Status { status: 500, retry_after: None })
        })
        .await
    }

    /// Answers each request (its JSON body) by a function; asks for `key` as bearer token, where one is given.
    pub async fn start_with(
        key: Option<&str>,
        script: impl FnMut(&Value) -> Scripted + Send + 'static,
    ) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            requests: Mutex::default(),
            key: key.map(String::from),
        });
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(shared.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the scripted model stopped");
            }
        });
        let base_url = Url::parse(&format!("http://{address}/v1")).map_err(std::io::Error::other)?;
        Ok(Self { shared, base_url, task })
    }

    /// What to configure as base URL.
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.base_url.clone()
    }

    /// The bodies of the requests so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.shared.requests.lock().clone()
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    if shared.key.as_ref().is_some_and(|key| authorization != Some(&format!("Bearer {key}"))) {
        return whole(StatusCode::UNAUTHORIZED, None, &json!({"error": {"message": "Incorrect API key provided"}}));
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return whole(StatusCode::BAD_REQUEST, None, &json!({"error": {"message": "the body is not JSON"}}));
    };
    let scripted = (shared.script.lock())(&request);
    shared.requests.lock().push(request);
    answer(scripted)
}

fn answer(scripted: Scripted) -> Response<Body> {
    let end = |reason: &str| {
        let usage = json!({"prompt_tokens": 40, "completion_tokens": 10, "total_tokens": 50});
        vec![
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}).to_string(),
            json!({"choices": [], "usage": usage}).to_string(),
            "[DONE]".to_owned(),
        ]
    };
    let said = |text: &String| json!({"choices": [{"index": 0, "delta": {"content": text}}]}).to_string();
    match scripted {
        Scripted::Text(chunks) => streamed(chunks.iter().map(said).chain(end("stop")).collect(), false),
        Scripted::Calls { text, calls, pieces } => {
            let mut lines: Vec<String> = Some(said(&text)).filter(|_| !text.is_empty()).into_iter().collect();
            for (index, (name, arguments)) in calls.iter().enumerate() {
                lines.extend(call_lines(index, name, arguments, pieces.max(1)));
            }
            lines.extend(end("tool_calls"));
            streamed(lines, false)
        }
        Scripted::Status { status, retry_after } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            whole(status, retry_after, &json!({"error": {"message": "as the script says", "type": "scripted"}}))
        }
        Scripted::Truncated(text) => streamed(vec![said(&text)], true),
        Scripted::Raw(lines) => streamed(lines, false),
        Scripted::Whole(text) => whole(
            StatusCode::OK,
            None,
            &json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}),
        ),
        Scripted::Silent => {
            let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
            built(Response::builder().header("content-type", "text/event-stream"), body)
        }
    }
}

fn call_lines(index: usize, name: &str, arguments: &str, pieces: usize) -> Vec<String> {
    let delta = |call: Value| json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).to_string();
    let id = format!("call_{}", uuid_like(name, arguments, index));
    let mut lines =
        vec![delta(json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}))];
    let chars: Vec<char> = arguments.chars().collect();
    for piece in chars.chunks(chars.len().div_ceil(pieces).max(1)) {
        let piece: String = piece.iter().collect();
        lines.push(delta(json!({"index": index, "function": {"arguments": piece}})));
    }
    lines
}

/// An id that differs from call to call, and is the same in every run.
fn uuid_like(name: &str, arguments: &str, index: usize) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (name, arguments, index).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn streamed(lines: Vec<String>, broken: bool) -> Response<Body> {
    let lines = stream::iter(lines.into_iter().map(|line| Ok(Bytes::from(format!("data: {line}\n\n")))));
    // The server flushes what it has while it waits; without the wait the break would swallow the lines before it.
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("the script ends the connection here"))
    });
    let end = end.take(usize::from(broken));
    built(Response::builder().header("content-type", "text/event-stream"), Body::from_stream(lines.chain(end)))
}

fn whole(status: StatusCode, retry_after: Option<u64>, body: &Value) -> Response<Body> {
    let mut builder = Response::builder().status(status).header("content-type", "application/json");
    if let Some(seconds) = retry_after {
        builder = builder.header("retry-after", seconds);
    }
    built(builder, Body::from(body.to_string()))
}

fn built(builder: axum::http::response::Builder, body: Body) -> Response<Body> {
    builder.body(body).unwrap_or_else(|_| Response::new(Body::empty()))
}
