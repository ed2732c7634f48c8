//! A client of any endpoint that speaks OpenAI's chat completions protocol, streamed.

use std::time::Duration;

use async_trait::async_trait;
use eventsource_stream::Eventsource;
use futures::StreamExt;
use reqwest::{Client, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use url::Url;

use super::stream::{Assembly, ErrorBody};
use super::{ChatAnswer, ChatRequest, Message, Model, ModelError, OnDelta};

/// Where a model is, and how long it is waited for.
#[derive(Clone)]
pub struct OpenAiConfig {
    /// What `chat/completions` is appended to, as `https://api.openai.com/v1`.
    pub base_url: Url,
    /// Sent as a bearer token, where there is one.
    pub key: Option<String>,
    /// The model's id at the endpoint.
    pub model: String,
    /// How long a connection may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How long the endpoint may be silent, before and within an answer. Default 60 s.
    pub silence_timeout: Duration,
    /// How often a request is sent at most. Default 4.
    pub attempts: u32,
    /// The longest that one `Retry-After` is obeyed; a longer one ends the turn. Default 20 s.
    pub longest_wait: Duration,
}

impl OpenAiConfig {
    /// The defaults for an endpoint and a model.
    #[must_use]
    pub fn new(base_url: Url, model: impl Into<String>) -> Self {
        Self {
            base_url,
            key: None,
            model: model.into(),
            connect_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(60),
            attempts: 4,
            longest_wait: Duration::from_secs(20),
        }
    }
}

/// The client. It follows no redirect, so that the key goes where it was configured to go.
pub struct OpenAiModel {
    client: Client,
    endpoint: Url,
    config: OpenAiConfig,
}

impl OpenAiModel {
    /// Checks the address; nothing is sent.
    pub fn new(config: OpenAiConfig) -> Result<Self, ModelError> {
        if !matches!(config.base_url.scheme(), "http" | "https") {
            return Err(ModelError::Config(format!("{} is neither http nor https", config.base_url)));
        }
        let mut endpoint = config.base_url.clone();
        endpoint
            .path_segments_mut()
            .map_err(|()| ModelError::Config(format!("{} has no path", config.base_url)))?
            .pop_if_empty()
            .extend(["chat", "completions"]);
        // Another part of the process may have installed one before; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(config.connect_timeout)
            .build()
            .map_err(|error| ModelError::Config(error.to_string()))?;
        Ok(Self { client, endpoint, config })
    }

    /// Sends until an answer begins, waiting where the endpoint asks for it.
    async fn begin(&self, body: &str) -> Result<Response, ModelError> {
        let mut attempt = 1;
        loop {
            let sent = tokio::time::timeout(self.config.silence_timeout, self.send(body)).await;
            let (error, wait) = match sent {
                Err(_) => return Err(self.silent()),
                Ok(Err(error)) => {
                    let reason = chain(&error);
                    (ModelError::Unreachable { endpoint: self.endpoint.to_string(), reason }, backoff(attempt))
                }
                Ok(Ok(response)) if response.status().is_success() => return Ok(response),
                Ok(Ok(response)) => {
                    let status = response.status();
                    let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
                    if !busy {
                        return Err(self.refused(response).await);
                    }
                    let wait = retry_after(&response).unwrap_or_else(|| backoff(attempt));
                    let seconds = wait.as_secs().max(1);
                    (ModelError::Busy { status: status.as_u16(), attempts: attempt, seconds }, wait)
                }
            };
            if attempt >= self.config.attempts || wait > self.config.longest_wait {
                return Err(error);
            }
            tracing::debug!(attempt, wait_ms = wait.as_millis() as u64, %error, "the model is asked again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn send(&self, body: &str) -> reqwest::Result<Response> {
        let mut request = self
            .client
            .post(self.endpoint.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(body.to_owned());
        if let Some(key) = &self.config.key {
            request = request.bearer_auth(key);
        }
        request.send().await
    }

    async fn refused(&self, response: Response) -> ModelError {
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return ModelError::Unauthorized { endpoint: self.endpoint.to_string(), status: status.as_u16() };
        }
        let text = tokio::time::timeout(self.config.silence_timeout, response.text()).await;
        let text = text.ok().and_then(Result::ok).unwrap_or_default();
        let said = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|body| serde_json::from_value::<ErrorBody>(body.get("error")?.clone()).ok())
            .and_then(|error| error.message);
        let message = said.unwrap_or(text).chars().take(400).collect();
        ModelError::Rejected { status: status.as_u16(), message }
    }

    fn silent(&self) -> ModelError {
        ModelError::Timeout { seconds: self.config.silence_timeout.as_secs() }
    }
}

#[async_trait]
impl Model for OpenAiModel {
    fn id(&self) -> &str {
        &self.config.model
    }

    async fn chat(&self, request: &ChatRequest, on_delta: OnDelta<'_>) -> Result<ChatAnswer, ModelError> {
        let body = body_of(&self.config.model, request).to_string();
        let response = self.begin(&body).await?;
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut assembly = Assembly::default();
        if !kind.starts_with("text/event-stream") {
            // Some endpoints ignore `stream`; a whole completion reads like one large chunk.
            let text = tokio::time::timeout(self.config.silence_timeout, response.text()).await;
            let text = text.map_err(|_| self.silent())?.map_err(|error| broken(&assembly, &error))?;
            on_delta(&assembly.push(&text)?);
            return assembly.finish(body.len());
        }
        let mut events = response.bytes_stream().eventsource();
        loop {
            let next = tokio::time::timeout(self.config.silence_timeout, events.next()).await;
            match next.map_err(|_| self.silent())? {
                Some(Ok(event)) if event.data.trim() == "[DONE]" => break,
                Some(Ok(event)) if event.data.trim().is_empty() => {}
                Some(Ok(event)) => {
                    let text = assembly.push(&event.data)?;
                    if !text.is_empty() {
                        on_delta(&text);
                    }
                }
                Some(Err(error)) => return Err(broken(&assembly, &error)),
                None if assembly.finished() => break,
                None => {
                    let reason = "the stream ended before the answer did".into();
                    return Err(ModelError::Truncated { bytes: assembly.heard(), reason });
                }
            }
        }
        assembly.finish(body.len())
    }
}

fn body_of(model: &str, request: &ChatRequest) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(model));
    body.insert("messages".into(), request.messages.iter().map(message).collect());
    body.insert("stream".into(), json!(true));
    body.insert("stream_options".into(), json!({"include_usage": true}));
    if let Some(limit) = request.max_tokens {
        body.insert("max_tokens".into(), json!(limit));
    }
    if !request.tools.is_empty() {
        let tool = |tool: &super::ToolSpec| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters}})
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
    }
    Value::Object(body)
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({"role": "system", "content": text}),
        Message::User(text) => json!({"role": "user", "content": text}),
        Message::Assistant { text, calls } if calls.is_empty() => json!({"role": "assistant", "content": text}),
        Message::Assistant { text, calls } => {
            let call = |call: &super::CallRequest| {
                json!({"id": call.id, "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments}})
            };
            json!({"role": "assistant", "content": text, "tool_calls": calls.iter().map(call).collect::<Value>()})
        }
        Message::Tool { call, content } => json!({"role": "tool", "tool_call_id": call, "content": content}),
    }
}

/// `Retry-After` in seconds. The date form is not used by model endpoints and falls back to the back-off.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: f64 = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Half a second, doubled each time.
fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(500 << attempt.saturating_sub(1).min(6))
}

fn broken(assembly: &Assembly, error: &dyn std::error::Error) -> ModelError {
    ModelError::Truncated { bytes: assembly.heard(), reason: chain(error) }
}

/// The error with its causes: reqwest's own text leaves out what went wrong.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(|cause| format!(": {cause}"));
    format!("{error}{}", causes.collect::<String>())
}
