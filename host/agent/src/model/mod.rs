//! Language models, as the loop talks to them.

mod openai;
mod stream;

use async_trait::async_trait;
use sallyport::{Blame, Fault};
use serde_json::Value;

pub use openai::{OpenAiConfig, OpenAiModel};

/// Hears an answer's text piece by piece.
pub type OnDelta<'a> = &'a mut (dyn for<'d> FnMut(&'d str) + Send);

/// A chat model that can call tools.
#[async_trait]
pub trait Model: Send + Sync {
    /// Its id, as people and the journal are told.
    fn id(&self) -> &str;

    /// One answer. `on_delta` hears its text piece by piece; what it heard adds up to [`ChatAnswer::text`].
    async fn chat(&self, request: &ChatRequest, on_delta: OnDelta<'_>) -> Result<ChatAnswer, ModelError>;
}

/// What a model is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// What it may call.
    pub tools: Vec<ToolSpec>,
    /// The longest answer, in tokens; the endpoint's own limit where absent.
    pub max_tokens: Option<u32>,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The host's instructions.
    System(String),
    /// The user's words, or data that the host puts before the model.
    User(String),
    /// What the model said and wanted called.
    Assistant {
        /// Its text.
        text: String,
        /// Its calls.
        calls: Vec<CallRequest>,
    },
    /// What came of one call.
    Tool {
        /// Which call.
        call: String,
        /// The result, or the error that the model may repair.
        content: String,
    },
}

/// A function as a model is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// `[a-zA-Z0-9_-]`, at most 64 of them, unique in the request.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: Value,
}

/// A call as a model wrote it; nothing in it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// The model's id for it, unique within the conversation.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments as text, which should be a JSON object.
    pub arguments: String,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatAnswer {
    /// Its text; empty where it only calls.
    pub text: String,
    /// Its calls, in order.
    pub calls: Vec<CallRequest>,
    /// Why it stopped.
    pub finish: Finish,
    /// Tokens of request and answer together; estimated from bytes where the endpoint does not say.
    pub tokens: u64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// It was done, or wants its calls made.
    #[default]
    Stop,
    /// It ran into its length limit.
    Length,
    /// The endpoint's own filter cut it.
    Filtered,
}

/// A model gave no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The configuration cannot be used.
    #[error("the model endpoint is not usable as configured: {0}")]
    Config(String),
    /// No connection, or it broke before an answer began.
    #[error("the model endpoint at {endpoint} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        endpoint: String,
        /// What the network said.
        reason: String,
    },
    /// The key is missing, wrong or lacks the model.
    #[error("the model endpoint at {endpoint} refuses the key (HTTP {status}): check the configured key and model")]
    Unauthorized {
        /// Its address.
        endpoint: String,
        /// 401 or 403.
        status: u16,
    },
    /// It asked to wait for longer, or more often, than this host waits.
    #[error("the model endpoint is busy (HTTP {status}) and was asked {attempts} times; try again in {seconds} s")]
    Busy {
        /// 429 or 5xx.
        status: u16,
        /// How often it was asked.
        attempts: u32,
        /// How long it, or the back-off, says to wait.
        seconds: u64,
    },
    /// It rejected the request.
    #[error("the model endpoint rejects the request (HTTP {status}): {message}")]
    Rejected {
        /// The status.
        status: u16,
        /// Its words, shortened.
        message: String,
    },
    /// It answered something that is not the protocol.
    #[error("the model endpoint gave a bad answer: {0}")]
    BadAnswer(String),
    /// The answer broke off. What was heard until then may be incomplete.
    #[error("the model's answer broke off after {bytes} bytes: {reason}")]
    Truncated {
        /// Bytes of text heard.
        bytes: usize,
        /// What happened.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("the model endpoint was silent for {seconds} s")]
    Timeout {
        /// How long.
        seconds: u64,
    },
}

impl Fault for ModelError {
    fn blame(&self) -> Blame {
        match self {
            Self::Config(_) | Self::Unauthorized { .. } => Blame::Host,
            _ => Blame::Upstream,
        }
    }

    fn retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. } | Self::Truncated { .. } | Self::Timeout { .. })
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "model-config",
            Self::Unreachable { .. } => "model-unreachable",
            Self::Unauthorized { .. } => "model-unauthorized",
            Self::Busy { .. } => "model-busy",
            Self::Rejected { .. } => "model-rejected",
            Self::BadAnswer(_) => "model-bad-answer",
            Self::Truncated { .. } => "model-truncated",
            Self::Timeout { .. } => "model-timeout",
        }
    }
}
