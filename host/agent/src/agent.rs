//! The agent: its parts, its limits, and the entry to a turn.

use std::sync::Arc;

use sallyport::Fault;
use sallyport::caller::Caller;
use sallyport::clock::{Clock, SystemClock};
use sallyport::ids::InvocationId;
use sallyport::tool::{Done, Tools};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::error::AgentError;
use crate::event::AgentEvent;
use crate::model::Model;
use crate::planner::EMBEDDED;
use crate::ports::{Conversations, Documents, Retriever, Turn, TurnOutcome};
use crate::turn::Running;

/// The longest request, in bytes.
const LONGEST_REQUEST: usize = 32 * 1024;

/// What one turn may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Model calls. Default 8.
    pub steps: u32,
    /// Tokens of all of them together, questions and answers. Default 120,000.
    pub tokens: u64,
    /// Seconds in which the last model call must have ended. Default 180.
    pub seconds: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: 8, tokens: 120_000, seconds: 180 }
    }
}

/// What is asked of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The conversation that it belongs to; a new id begins one.
    pub conversation: String,
    /// The user's own words. May be empty where `decided` carries the conversation on.
    pub request: String,
    /// What became of a proposal of an earlier turn.
    pub decided: Option<Decided>,
}

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// Which one.
    pub invocation: InvocationId,
    /// The tool's title for people.
    pub title: String,
    /// Its end.
    pub end: DecidedEnd,
}

/// How a proposal ended.
#[derive(Clone, Debug, PartialEq)]
pub enum DecidedEnd {
    /// Approved and done.
    Done(Done),
    /// A person said no, with their reason if they gave one; or nobody said anything in time.
    Refused(Option<String>),
    /// Approved, and it failed; the error in words.
    Failed(String),
}

/// What answers: a model, or the embedded planner.
#[derive(Clone)]
pub enum Mind {
    /// A chat model.
    Model(Arc<dyn Model>),
    /// No model: answers are extracted, and schemas filled by rule.
    Embedded,
}

/// The agent. One serves any number of turns at once.
#[derive(Clone)]
pub struct Agent {
    pub(crate) tools: Arc<dyn Tools>,
    pub(crate) retriever: Arc<dyn Retriever>,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) conversations: Arc<dyn Conversations>,
    pub(crate) mind: Mind,
    pub(crate) budget: Budget,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Agent {
    /// An agent with the default budget and the system's clock.
    pub fn new(
        tools: Arc<dyn Tools>,
        retriever: Arc<dyn Retriever>,
        documents: Arc<dyn Documents>,
        conversations: Arc<dyn Conversations>,
        mind: Mind,
    ) -> Self {
        let (budget, clock) = (Budget::default(), Arc::new(SystemClock));
        Self { tools, retriever, documents, conversations, mind, budget, clock }
    }

    /// With another budget.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// `embedded`, or the model's id.
    #[must_use]
    pub fn planner(&self) -> &str {
        match &self.mind {
            Mind::Model(model) => model.id(),
            Mind::Embedded => EMBEDDED,
        }
    }

    /// Runs one turn as `caller`. Everything that happens is told to `events`, the last of it `Done` or `Error`; the
    /// turn is recorded in either case. Dropping the receiver ends the turn at the next model call.
    pub async fn turn(
        &self,
        caller: &Caller,
        ask: &Ask,
        events: &UnboundedSender<AgentEvent>,
    ) -> Result<TurnOutcome, AgentError> {
        let mut running = Running::new(self, caller, ask, events);
        let ended = match self.checked(ask) {
            Ok(()) => running.run().await,
            Err(error) => Err(error),
        };
        let outcome = match &ended {
            Ok(outcome) => outcome.clone(),
            Err(error) => TurnOutcome::Failed { code: error.code().into(), message: error.to_string() },
        };
        let turn = Turn {
            conversation: ask.conversation.clone(),
            at: self.clock.now(),
            request: ask.request.clone(),
            cited: running.citations().to_vec(),
            proposed: running.proposed(),
            outcome,
            planner: self.planner().to_owned(),
        };
        // A turn that could not be recorded has still happened; its error must not hide the turn's own.
        let recorded = self.conversations.record(caller, &turn).await.map_err(AgentError::from);
        let ended = ended.and_then(|outcome| recorded.map(|()| outcome));
        running.close(ended.as_ref().err());
        ended
    }

    /// Runs one turn in a task of its own and gives its events.
    #[must_use]
    pub fn stream(&self, caller: Caller, ask: Ask) -> UnboundedReceiverStream<AgentEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let agent = self.clone();
        tokio::spawn(async move {
            if let Err(error) = agent.turn(&caller, &ask, &sender).await {
                tracing::info!(conversation = ask.conversation, code = error.code(), %error, "a turn failed");
            }
        });
        UnboundedReceiverStream::new(receiver)
    }

    fn checked(&self, ask: &Ask) -> Result<(), AgentError> {
        let length = ask.request.len();
        let empty = ask.request.trim().is_empty() && ask.decided.is_none();
        if empty || length > LONGEST_REQUEST {
            return Err(AgentError::Request { length, limit: LONGEST_REQUEST });
        }
        Ok(())
    }
}
