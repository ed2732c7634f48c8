//! The ports in memory. Search is a count of shared words: enough to find what a test put there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use sallyport::connection::Setting;
use sallyport::document::Content;
use sallyport::ids::{ConnectionId, ConnectorId, InvocationId, Timestamp, ToolName};
use sallyport::ports::State;
use sallyport::tool::{
    Done, Envelope, OfferedTool, Outcome, Proposal, ShownWrite, ToolCall, ToolDestination, ToolEffect, Tools,
};
use sallyport::{Caller, InvokeError};
use sallyport_index::{DocumentInfo, DocumentKey, Label, Readers};
use serde_json::{Value, json};

use crate::ports::{Audience, Conversations, Documents, Hit, Place, PortError, Retriever, Turn, WholeDocument};

/// Documents and places, each with those who may read it.
#[derive(Default)]
pub struct Shelf {
    documents: Vec<WholeDocument>,
    places: Vec<(Place, Readers)>,
    audience: Option<Audience>,
}

impl Shelf {
    /// Puts a Markdown document there, read by `readers`; gives it back for changes.
    pub fn put(&mut self, title: &str, text: &str, readers: &[&str]) -> &mut WholeDocument {
        let at = self.documents.len();
        let info = DocumentInfo {
            key: DocumentKey(at as u64 + 1),
            id: format!("doc-{}", at + 1),
            source: "shelf".into(),
            kind: "file".into(),
            title: title.into(),
            url: Some(format!("https://docs.test/{}", at + 1)),
            path: Vec::new(),
            updated: None,
        };
        let label = Label { readers: people(readers), trusted: false };
        self.documents.push(WholeDocument { info, content: Content::Markdown(text.into()), label });
        &mut self.documents[at]
    }

    /// Puts a place there: kind, name, id, names of what holds it, the connection that attests it, who may read it.
    pub fn place(&mut self, kind: &str, name: &str, id: &str, path: &[&str], connection: &str, readers: &[&str]) {
        let place = Place {
            id: id.into(),
            kind: kind.into(),
            name: name.into(),
            path: path.iter().map(|holder| holder.to_string()).collect(),
            connections: vec![ConnectionId::new(connection)],
            url: None,
        };
        self.places.push((place, people(readers)));
    }

    /// Answers every question for an audience with this one.
    pub fn audience(&mut self, audience: Audience) {
        self.audience = Some(audience);
    }
}

fn people(readers: &[&str]) -> Readers {
    Readers { people: readers.iter().map(|reader| reader.to_string()).collect(), ..Readers::default() }
}

fn may(caller: &Caller, readers: &Readers) -> bool {
    let one = |mail: &String| Readers { people: BTreeSet::from([mail.clone()]), ..Readers::default() };
    caller.emails.iter().any(|mail| readers.include(&one(mail)))
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1).map(str::to_lowercase).collect()
}

#[async_trait]
impl Retriever for Shelf {
    async fn search(&self, caller: &Caller, query: &str, limit: usize) -> Result<Vec<Hit>, PortError> {
        let query = words(query);
        let mut hits = Vec::new();
        for document in self.documents.iter().filter(|document| may(caller, &document.label.readers)) {
            let (Content::Markdown(text) | Content::Text(text) | Content::Html(text)) = &document.content else {
                continue;
            };
            for passage in text.split("\n## ") {
                let said = words(&format!("{} {passage}", document.info.title));
                let score = query.intersection(&said).count() as f32;
                if score > 0.0 {
                    let (document, label) = (document.info.clone(), document.label.clone());
                    hits.push(Hit { document, heading: Vec::new(), text: passage.to_owned(), score, label });
                }
            }
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        hits.truncate(limit);
        Ok(hits)
    }
}

#[async_trait]
impl Documents for Shelf {
    async fn read(&self, caller: &Caller, document: DocumentKey) -> Result<Option<WholeDocument>, PortError> {
        let found = self.documents.iter().find(|found| found.info.key == document);
        Ok(found.filter(|found| may(caller, &found.label.readers)).cloned())
    }

    async fn named(&self, caller: &Caller, name: &str, limit: usize) -> Result<Vec<Place>, PortError> {
        let fits = |(place, readers): &&(Place, Readers)| {
            place.name.trim().eq_ignore_ascii_case(name.trim()) && may(caller, readers)
        };
        Ok(self.places.iter().filter(fits).take(limit).map(|(place, _)| place.clone()).collect())
    }

    async fn with_id(&self, caller: &Caller, connection: &ConnectionId, id: &str) -> Result<Option<Place>, PortError> {
        let fits = |(place, readers): &&(Place, Readers)| {
            place.id == id && place.connections.contains(connection) && may(caller, readers)
        };
        Ok(self.places.iter().find(fits).map(|(place, _)| place.clone()))
    }

    async fn audience(&self, _: &Caller, _: &OfferedTool, _: &Value) -> Result<Audience, PortError> {
        Ok(self.audience.clone().unwrap_or(Audience::Unknown))
    }
}

/// Conversations.
#[derive(Default)]
pub struct Notes(Mutex<Vec<(Caller, Turn)>>);

#[async_trait]
impl Conversations for Notes {
    async fn record(&self, caller: &Caller, turn: &Turn) -> Result<(), PortError> {
        self.0.lock().push((caller.clone(), turn.clone()));
        Ok(())
    }

    async fn turns(&self, caller: &Caller, conversation: &str, limit: usize) -> Result<Vec<Turn>, PortError> {
        let turns = self.0.lock();
        let own = |(by, turn): &&(Caller, Turn)| {
            (&by.tenant, &by.subject) == (&caller.tenant, &caller.subject) && turn.conversation == conversation
        };
        let found: Vec<Turn> = turns.iter().filter(own).map(|(_, turn)| turn.clone()).collect();
        Ok(found[found.len().saturating_sub(limit)..].to_vec())
    }
}

/// What a tool does when it is called.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Runs to its end with this output.
    Gives(Value),
    /// Stops at its first write if policy asked or the grant does; else runs to its end with this output.
    Writes(Value),
    /// Fails with a message of the connector's.
    Fails(String),
}

/// Tools that record how they are called.
#[derive(Default)]
pub struct Toolbox {
    tools: Vec<(OfferedTool, Behaviour)>,
    calls: Mutex<Vec<ToolCall>>,
    held: Mutex<BTreeMap<InvocationId, Proposal>>,
}

impl Toolbox {
    /// A toolbox with these.
    pub fn new(tools: impl IntoIterator<Item = (OfferedTool, Behaviour)>) -> Self {
        Self { tools: tools.into_iter().collect(), ..Self::default() }
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<ToolCall> {
        self.calls.lock().clone()
    }

    /// What waits for a person.
    #[must_use]
    pub fn held(&self) -> Vec<Proposal> {
        self.held.lock().values().cloned().collect()
    }
}

#[async_trait]
impl Tools for Toolbox {
    async fn offered(&self, _: &Caller) -> Result<Vec<OfferedTool>, InvokeError> {
        Ok(self.tools.iter().map(|(tool, _)| tool.clone()).collect())
    }

    async fn call(&self, caller: &Caller, call: ToolCall) -> Result<Outcome, InvokeError> {
        let fits = |(tool, _): &&(OfferedTool, Behaviour)| tool.connection == call.connection && tool.tool == call.tool;
        let Some((tool, behaviour)) = self.tools.iter().find(fits) else {
            return Err(InvokeError::NotFound { what: format!("tool {}", call.tool) });
        };
        self.calls.lock().push(call.clone());
        let invocation = InvocationId::fresh();
        let done = |output: &Value| {
            Outcome::Done(Done {
                invocation: invocation.clone(),
                output: output.clone(),
                documents: vec![],
                writes: vec![],
            })
        };
        match behaviour {
            Behaviour::Fails(message) => Err(InvokeError::Guest { code: "failed".into(), message: message.clone() }),
            Behaviour::Writes(_)
                if call.verdict != sallyport::tool::Verdict::Allow || tool.setting != Setting::Auto =>
            {
                let proposal = hold(caller, tool, &call, invocation.clone());
                self.held.lock().insert(invocation, proposal.clone());
                Ok(Outcome::Held(Box::new(proposal)))
            }
            Behaviour::Gives(output) | Behaviour::Writes(output) => Ok(done(output)),
        }
    }
}

/// A proposal for a call, as a runtime would make it.
#[must_use]
pub fn hold(caller: &Caller, tool: &OfferedTool, call: &ToolCall, invocation: InvocationId) -> Proposal {
    let reasons = match &call.verdict {
        sallyport::tool::Verdict::Ask(reasons) | sallyport::tool::Verdict::Deny(reasons) => reasons.clone(),
        sallyport::tool::Verdict::Allow => Vec::new(),
    };
    let body = call.arguments.to_string();
    Proposal {
        invocation,
        tenant: caller.tenant.clone(),
        by: caller.subject.clone(),
        state: State::Held,
        connection: tool.connection.clone(),
        connection_name: tool.connection_name.clone(),
        account: "test".into(),
        connector: tool.connector.clone(),
        tool: tool.tool.clone(),
        arguments: call.arguments.clone(),
        first_write: ShownWrite {
            method: "POST".into(),
            url: "https://service.test/".into(),
            headers: vec![],
            digest: sallyport::ids::Digest::of(body.as_bytes()).as_str().to_owned(),
            body,
        },
        envelope: Envelope { routes: vec![], max_writes: 1, destination: tool.destination.clone() },
        reasons,
        context: call.context.clone(),
        at: Timestamp(0),
        expires: Timestamp(900_000),
        decider: sallyport::decider::Decider::OtherApprover,
    }
}

/// A tool that writes and whose grant leaves it to policy; change what else matters.
///
/// # Panics
/// If a name is none, which is the test's mistake.
#[must_use]
pub fn offered(connector: &str, connection: &str, tool: &str, title: &str, input: Value) -> OfferedTool {
    #[expect(clippy::expect_used, reason = "names are literals of tests")]
    let (connector, tool) =
        (ConnectorId::new(connector).expect("a connector's id"), ToolName::new(tool).expect("a tool's name"));
    OfferedTool {
        connection: ConnectionId::new(connection),
        connection_name: title_case(connector.as_str()),
        connector,
        tool,
        title: title.into(),
        description: format!("{title}."),
        input: Arc::new(input),
        output: Some(Arc::new(json!({"type": "object"}))),
        effect: ToolEffect::Write,
        setting: Setting::Auto,
        destination: ToolDestination::New("owner".into()),
        control: vec![],
    }
}

fn title_case(id: &str) -> String {
    let word =
        |word: &str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>();
    id.split('-').map(word).collect::<Vec<_>>().join(" ")
}
