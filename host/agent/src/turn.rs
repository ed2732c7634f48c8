//! One turn as it runs: what both a model's loop and the embedded planner do with tools and events.

use std::time::Duration;

use sallyport::ids::InvocationId;
use sallyport::tool::{Done, OfferedTool, Outcome, ToolCall, Verdict};
use sallyport::{Blame, Caller, Fault, InvokeError};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::agent::{Agent, Ask, DecidedEnd, Mind};
use crate::context::Context;
use crate::control;
use crate::error::AgentError;
use crate::event::{AgentEvent, ToolResult};
use crate::inert::Inert;
use crate::planner::{Call, Plan, Planner};
use crate::policy::{self, Question};
use crate::ports::{Citation, Turn, TurnOutcome};
use crate::provenance::Provenance;
use crate::text::shown;

/// How many earlier turns are read.
const HISTORY: usize = 10;

/// A turn that runs.
pub(crate) struct Running<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) caller: &'a Caller,
    pub(crate) ask: &'a Ask,
    pub(crate) events: &'a UnboundedSender<AgentEvent>,
    pub(crate) context: Context,
    /// The user's own words, of this conversation's turns, this one last.
    pub(crate) words: Vec<String>,
    pub(crate) steps: u32,
    pub(crate) tokens: u64,
    pub(crate) until: Instant,
    text: String,
    inert: Inert,
    proposed: Option<InvocationId>,
}

/// What a call came to, for whoever proposed it.
pub(crate) enum Called {
    /// It ran to its end.
    Done(Done),
    /// It gave nothing, or was refused: what a model is told so that it can do better.
    Told(String),
    /// It waits for a person.
    Held(InvocationId),
}

impl<'a> Running<'a> {
    pub(crate) fn new(
        agent: &'a Agent,
        caller: &'a Caller,
        ask: &'a Ask,
        events: &'a UnboundedSender<AgentEvent>,
    ) -> Self {
        Self {
            agent,
            caller,
            ask,
            events,
            context: Context::default(),
            words: Vec::new(),
            steps: 0,
            tokens: 0,
            until: Instant::now() + Duration::from_secs(agent.budget.seconds),
            text: String::new(),
            inert: Inert::default(),
            proposed: None,
        }
    }

    pub(crate) fn citations(&self) -> &[Citation] {
        self.context.citations()
    }

    pub(crate) fn proposed(&self) -> Option<InvocationId> {
        self.proposed.clone()
    }

    /// Runs it to its end.
    pub(crate) async fn run(&mut self) -> Result<TurnOutcome, AgentError> {
        let history = self.agent.conversations.turns(self.caller, &self.ask.conversation, HISTORY).await?;
        for turn in &history {
            // The embedded planner reads no earlier answers.
            if matches!(self.agent.mind, Mind::Model(_)) {
                self.context.add_turn(self.caller, turn);
            }
            self.words.extend(Some(turn.request.clone()).filter(|words| !words.is_empty()));
        }
        self.words.extend(Some(self.ask.request.clone()).filter(|words| !words.is_empty()));
        let decided = self.decided();
        let mut tools = self.agent.tools.offered(self.caller).await?;
        tools.retain(|tool| tool.setting != sallyport::connection::Setting::Deny);
        match &self.agent.mind {
            Mind::Model(model) => self.converse(model.as_ref(), &tools, &history, decided).await,
            Mind::Embedded => self.plan(&tools, decided).await,
        }
    }

    /// Tells the end.
    pub(crate) fn close(&self, error: Option<&AgentError>) {
        self.tell(match error {
            None => AgentEvent::Done { steps: self.steps, tokens: self.tokens },
            Some(error) => {
                let (code, message) = (error.code().to_owned(), error.to_string());
                AgentEvent::Error { code, message, retryable: error.retryable() }
            }
        });
    }

    /// Tells an event; whoever left hears nothing.
    pub(crate) fn tell(&self, event: AgentEvent) {
        let _ = self.events.send(event);
    }

    /// Says some text.
    pub(crate) fn say(&mut self, text: &str) {
        let text = self.inert.push(text);
        self.said(text);
    }

    /// Ends a paragraph, if one was begun.
    pub(crate) fn paragraph(&mut self) {
        let rest = self.inert.finish();
        self.said(rest);
        if !self.text.trim().is_empty() {
            self.said("\n\n".into());
        }
    }

    fn said(&mut self, text: String) {
        if !text.is_empty() {
            self.text.push_str(&text);
            self.tell(AgentEvent::TextDelta { text });
        }
    }

    /// Ends the turn with what was said.
    pub(crate) fn answer(&mut self, held: Option<InvocationId>) -> TurnOutcome {
        let rest = self.inert.finish();
        self.said(rest);
        let text = std::mem::take(&mut self.text).trim().to_owned();
        self.tell(AgentEvent::Answer { text: text.clone(), citations: self.citations().to_vec() });
        match held {
            Some(invocation) => TurnOutcome::Held { text, invocation },
            None => TurnOutcome::Answered { text },
        }
    }

    /// Tells what was found, and lets links to it live.
    pub(crate) fn retrieved(&mut self, query: &str) {
        for citation in self.context.citations() {
            if let Some(url) = &citation.url {
                self.inert.allow(url);
            }
        }
        self.tell(AgentEvent::Retrieved { query: query.to_owned(), citations: self.citations().to_vec() });
    }

    /// Judges a call whose arguments fit the schema, and makes it if policy does not refuse.
    pub(crate) async fn call(
        &mut self,
        id: &str,
        tool: &OfferedTool,
        arguments: Value,
        provenance: Vec<Provenance>,
    ) -> Result<Called, AgentError> {
        let documents = self.agent.documents.as_ref();
        let control = control::account(documents, self.caller, tool, &arguments, &self.words).await?;
        let audience = documents.audience(self.caller, tool, &arguments).await?;
        let question = Question { tool, carried: self.context.carried(), audience: &audience, control: &control };
        let verdict = policy::judge(question);
        self.tell(AgentEvent::ToolProposed {
            call: id.to_owned(),
            connection: tool.connection.clone(),
            connection_name: tool.connection_name.clone(),
            tool: tool.tool.clone(),
            title: tool.title.clone(),
            arguments: arguments.clone(),
            verdict: verdict.clone(),
        });
        let reasons = match &verdict {
            Verdict::Allow => Vec::new(),
            Verdict::Ask(reasons) => reasons.clone(),
            Verdict::Deny(reasons) => {
                let told = format!("refused by policy: {}", reasons.join("; "));
                self.result(id, ToolResult::Refused { reasons: reasons.clone() });
                return Ok(Called::Told(told));
            }
        };
        let context = self.shown_beside(&reasons, &provenance);
        let (connection, name) = (tool.connection.clone(), tool.tool.clone());
        let call = ToolCall { connection, tool: name, arguments, verdict, context: Some(context) };
        match self.agent.tools.call(self.caller, call).await {
            Ok(Outcome::Held(proposal)) => {
                let invocation = proposal.invocation.clone();
                self.proposed = Some(invocation.clone());
                self.tell(AgentEvent::Held { call: id.to_owned(), proposal });
                Ok(Called::Held(invocation))
            }
            Ok(Outcome::Done(done)) => {
                let title = format!("{} ({})", shown(&tool.title), shown(&tool.connection_name));
                self.context.add_output(self.caller, &title, &done.output);
                self.result(id, ToolResult::Done(done.clone()));
                Ok(Called::Done(done))
            }
            Err(error) => self.failed(id, error),
        }
    }

    /// What a failed call means: the host's own failures end the turn, all others are told to whoever proposed it.
    fn failed(&self, id: &str, error: InvokeError) -> Result<Called, AgentError> {
        if error.blame() == Blame::Host {
            return Err(error.into());
        }
        let message = error.to_string();
        self.result(id, ToolResult::Failed { code: error.code().into(), message: message.clone() });
        Ok(Called::Told(format!("error ({}): {message}", error.code())))
    }

    fn result(&self, id: &str, result: ToolResult) {
        self.tell(AgentEvent::ToolResult { call: id.to_owned(), result });
    }

    /// What a person who decides is shown beside the call.
    fn shown_beside(&self, reasons: &[String], provenance: &[Provenance]) -> Value {
        let source =
            |citation: &Citation| json!({"title": citation.title, "url": citation.url, "document": citation.document});
        let sources: Vec<Value> = self.citations().iter().map(source).collect();
        json!({"request": self.words.last(), "sources": sources, "planner": self.agent.planner(),
            "reasons": reasons, "provenance": provenance})
    }

    /// What became of an earlier proposal, in words.
    fn decided(&mut self) -> Option<String> {
        let decided = self.ask.decided.as_ref()?;
        let title = shown(&decided.title);
        Some(match &decided.end {
            DecidedEnd::Done(done) => {
                self.context.add_output(self.caller, &title, &done.output);
                format!("*{title}* was approved and is done. It gave: {}", brief(&done.output))
            }
            DecidedEnd::Refused(None) => format!("*{title}* was not approved. Nothing was changed."),
            DecidedEnd::Refused(Some(reason)) => {
                format!("*{title}* was not approved, for this reason: {}. Nothing was changed.", shown(reason))
            }
            DecidedEnd::Failed(message) => format!("*{title}* was approved and failed: {message}"),
        })
    }

    async fn plan(&mut self, tools: &[OfferedTool], decided: Option<String>) -> Result<TurnOutcome, AgentError> {
        if let Some(decided) = decided {
            self.say(&decided);
            self.paragraph();
        }
        if self.ask.request.trim().is_empty() {
            return Ok(self.answer(None));
        }
        let agent = self.agent;
        let planner = Planner {
            retriever: agent.retriever.as_ref(),
            documents: agent.documents.as_ref(),
            caller: self.caller,
            tools,
            now: agent.clock.now(),
        };
        match planner.plan(&self.ask.request).await? {
            Plan::Say { text, hits } => {
                self.context.add_hits(&hits);
                self.retrieved(&self.ask.request.clone());
                text.split_inclusive('\n').for_each(|line| self.say(line));
                Ok(self.answer(None))
            }
            Plan::Call(call) => self.planned(*call).await,
        }
    }

    /// Makes the call that the embedded planner came to. Only the document that went into it was in its context.
    async fn planned(&mut self, call: Call) -> Result<TurnOutcome, AgentError> {
        if let Some(source) = &call.source {
            self.context.add_document(&source.info, &source.label, "");
            self.retrieved(&self.ask.request.clone());
        }
        self.say(&call.text);
        self.paragraph();
        match self.call("call_1", &call.tool, call.arguments, call.provenance).await? {
            Called::Held(invocation) => {
                self.say("It waits for a decision; nothing has been sent.");
                Ok(self.answer(Some(invocation)))
            }
            Called::Done(done) => {
                self.say(&format!("Done. It gave: {}", brief(&done.output)));
                Ok(self.answer(None))
            }
            Called::Told(told) => {
                self.say(&format!("It was not done: {told}"));
                Ok(self.answer(None))
            }
        }
    }
}

/// A turn as a model reads it again: its request and what was said.
pub(crate) fn remembered(turn: &Turn) -> (&str, String) {
    let said = match &turn.outcome {
        TurnOutcome::Answered { text } => text.clone(),
        TurnOutcome::Held { text, .. } => format!("{text}\n\n(A tool call was proposed and waits for a decision.)"),
        TurnOutcome::Failed { message, .. } => format!("(The turn failed: {message})"),
    };
    (&turn.request, said)
}

/// A result in a line: its own scalars, the rest counted.
fn brief(output: &Value) -> String {
    let Value::Object(fields) = output else { return output.to_string().chars().take(400).collect() };
    let field = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key}: {}", shown(text)),
        Value::Array(values) => format!("{key}: {} of them", values.len()),
        Value::Object(_) => format!("{key}: …"),
        scalar => format!("{key}: {scalar}"),
    };
    fields.iter().take(12).map(field).collect::<Vec<_>>().join(", ")
}
