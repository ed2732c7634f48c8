//! What the agent's tests share.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;

use sallyport::Caller;
use sallyport::caller::Role;
use sallyport::clock::Clock;
use sallyport::ids::{SubjectId, TenantId, Timestamp};
use sallyport_agent::ports::TurnOutcome;
use sallyport_agent::testing::{Notes, Shelf, Toolbox};
use sallyport_agent::{Agent, AgentError, AgentEvent, Ask, Mind};
use tokio::sync::mpsc;

pub(crate) const ANN: &str = "ann@acme.test";

/// 22 November 2026.
pub(crate) struct Then;

impl Clock for Then {
    fn now(&self) -> Timestamp {
        Timestamp(1_795_305_600_000)
    }
}

pub(crate) fn ann() -> Caller {
    Caller {
        tenant: TenantId::new("acme"),
        subject: SubjectId::new("ann"),
        emails: vec![ANN.into()],
        roles: vec![Role::Member],
    }
}

pub(crate) fn ask(request: &str) -> Ask {
    Ask { conversation: "c1".into(), request: request.into(), decided: None }
}

/// An agent with everything that a test looks into.
pub(crate) struct Bench {
    pub(crate) agent: Agent,
    pub(crate) tools: Arc<Toolbox>,
    pub(crate) notes: Arc<Notes>,
}

impl Bench {
    pub(crate) fn new(shelf: Shelf, tools: Toolbox, mind: Mind) -> Self {
        let (shelf, tools, notes) = (Arc::new(shelf), Arc::new(tools), Arc::new(Notes::default()));
        let agent = Agent::new(tools.clone(), shelf.clone(), shelf, notes.clone(), mind).with_clock(Arc::new(Then));
        Self { agent, tools, notes }
    }

    /// Runs a turn; gives its end and everything that was told.
    pub(crate) async fn run(&self, ask: &Ask) -> (Result<TurnOutcome, AgentError>, Vec<AgentEvent>) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let ended = self.agent.turn(&ann(), ask, &sender).await;
        drop(sender);
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        (ended, events)
    }

    /// Runs a turn that must not fail; gives what it said.
    pub(crate) async fn said(&self, request: &str) -> String {
        let (ended, events) = self.run(&ask(request)).await;
        let text = match ended.unwrap_or_else(|error| panic!("{request}: {error}")) {
            TurnOutcome::Answered { text } | TurnOutcome::Held { text, .. } => text,
            TurnOutcome::Failed { message, .. } => panic!("{request}: {message}"),
        };
        let deltas: String = events
            .iter()
            .filter_map(|event| match event {
                AgentEvent::TextDelta { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(deltas.trim(), text, "the deltas add up to the answer");
        assert!(matches!(events.last(), Some(AgentEvent::Done { .. })), "{request}: {events:?}");
        text
    }
}
