//! `POST /v1/chat`: a turn, streamed; `POST /v1/ask`: the same turn, whole.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::ApiError;
use super::stream::Parts;
use crate::app::App;
use crate::auth::SignedIn;

/// A request as `useChat` sends it. The last user message is what is asked; earlier ones are not trusted for anything: the
/// host remembers the conversation itself, under `id`.
#[derive(Deserialize, ToSchema)]
pub struct ChatBody {
    /// The conversation; a new one unless said. At most 64 bytes.
    id: Option<String>,
    /// Messages, newest last.
    messages: Vec<Message>,
}

/// One message.
#[derive(Deserialize, ToSchema)]
pub struct Message {
    role: String,
    #[serde(default)]
    parts: Vec<Part>,
    /// The older form of the text.
    content: Option<String>,
}

/// A part of a message; only text is read.
#[derive(Deserialize, ToSchema)]
pub struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

/// A question, or a request for something to be done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskBody {
    /// In the caller's own words, at most 16 KiB.
    request: String,
    /// The conversation; a new one unless said.
    conversation: Option<String>,
}

const LONGEST_REQUEST: usize = 16 << 10;

fn checked(request: &str) -> Result<String, ApiError> {
    match request.trim() {
        "" => Err(ApiError::invalid("the request is empty")),
        text if text.len() > LONGEST_REQUEST => Err(ApiError::invalid("the request is longer than 16 KiB")),
        text => Ok(text.into()),
    }
}

fn asked(messages: &[Message]) -> Result<String, ApiError> {
    let last = messages.iter().rev().find(|message| message.role == "user");
    let last = last.ok_or_else(|| ApiError::invalid("`messages` holds no user message"))?;
    let text: Vec<&str> =
        last.parts.iter().filter(|part| part.kind == "text").filter_map(|part| part.text.as_deref()).collect();
    checked(&if text.is_empty() { last.content.clone().unwrap_or_default() } else { text.join("\n") })
}

fn conversation(id: Option<String>) -> Result<String, ApiError> {
    match id {
        None => Ok(uuid::Uuid::new_v4().to_string()),
        Some(id) if id.is_empty() || id.len() > 64 => Err(ApiError::invalid("a conversation's id has 1 to 64 bytes")),
        Some(id) => Ok(id),
    }
}

/// Answers, or proposes an action, as the AI SDK's UI message stream (v1).
///
/// Beside text and `source-url` parts, a `data-proposal` part carries a proposal that waits for a decision at
/// `/v1/approvals/{invocation}/decision`.
#[utoipa::path(post, path = "/v1/chat", tag = "chat", request_body = ChatBody,
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 401, body = super::error::ErrorBody)))]
pub async fn chat(
    State(app): State<App>,
    who: SignedIn,
    body: Result<Json<ChatBody>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(body) = body?;
    let request = asked(&body.messages)?;
    let events = app.turn(who.caller, conversation(body.id)?, request);
    let mut parts = Parts::default();
    let stream = futures::stream::iter(Parts::start(&uuid::Uuid::new_v4().to_string()))
        .chain(events.flat_map(move |event| futures::stream::iter(parts.of(event))))
        .map(|part: Value| part.to_string())
        .chain(futures::stream::iter(["[DONE]".to_owned()]))
        .map(|data| Ok::<_, Infallible>(Event::default().data(data)));
    let mut response = Sse::new(stream).keep_alive(KeepAlive::default()).into_response();
    let name = HeaderName::from_static("x-vercel-ai-ui-message-stream");
    response.headers_mut().insert(name, HeaderValue::from_static("v1"));
    Ok(response)
}

/// Answers, or proposes an action, in one answer.
#[utoipa::path(post, path = "/v1/ask", tag = "chat", request_body = AskBody,
    responses((status = 200, body = crate::ask::Answered), (status = 401, body = super::error::ErrorBody)))]
pub async fn ask(
    State(app): State<App>,
    who: SignedIn,
    body: Result<Json<AskBody>, JsonRejection>,
) -> Result<Json<crate::ask::Answered>, ApiError> {
    let Json(body) = body?;
    let events = app.turn(who.caller, conversation(body.conversation)?, checked(&body.request)?);
    let answered = crate::ask::Answered::collect(events).await;
    match &answered.error {
        Some(error) if answered.text.is_empty() && answered.proposals.is_empty() => {
            Err(ApiError::new(axum::http::StatusCode::BAD_GATEWAY, &error.code, error.message.clone()))
        }
        _ => Ok(Json(answered)),
    }
}
