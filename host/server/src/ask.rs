//! A turn of the agent, collected.

use futures::{Stream, StreamExt as _};
use sallyport::tool::{Done, Proposal};
use sallyport_agent::AgentEvent;
use sallyport_agent::ToolResult;
use sallyport_agent::ports::Citation;
use serde::Serialize;
use utoipa::ToSchema;

/// What came of a turn.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Answered {
    /// Markdown whose links are inert; `[1]` stands for the first citation.
    pub text: String,
    /// Documents that the text cites, by number.
    #[schema(value_type = Vec<Object>)]
    pub citations: Vec<Citation>,
    /// What waits for a decision.
    #[schema(value_type = Vec<Object>)]
    pub proposals: Vec<Proposal>,
    /// What was done without one.
    #[schema(value_type = Vec<Object>)]
    pub done: Vec<Done>,
    /// Why the turn ended early, if it did.
    pub error: Option<TurnError>,
}

/// Why a turn ended early.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnError {
    /// Stable code.
    pub code: String,
    /// For people.
    pub message: String,
}

impl Answered {
    /// Listens to the end.
    pub async fn collect(events: impl Stream<Item = AgentEvent>) -> Self {
        let mut answered = Self::default();
        futures::pin_mut!(events);
        while let Some(event) = events.next().await {
            match event {
                AgentEvent::Held { proposal, .. } => answered.proposals.push(*proposal),
                AgentEvent::ToolResult { result: ToolResult::Done(done), .. } => answered.done.push(done),
                AgentEvent::Answer { text, citations } => (answered.text, answered.citations) = (text, citations),
                AgentEvent::Error { code, message, .. } => answered.error = Some(TurnError { code, message }),
                _ => {}
            }
        }
        answered
    }
}
