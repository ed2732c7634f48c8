//! The embedded planner: what answers where no model is configured.
//!
//! It understands no language. It matches words, reads documents as outlines and fills schemas by shape; what it cannot
//! match it asks about, and it says plainly what it is. Nothing in it knows a service, a tool or a scenario.

mod answer;
mod choose;
mod dates;
mod fill;
mod layout;
mod names;
mod outline;
mod request;
mod resolve;
mod select;
mod sentence;
mod shape;
mod words;

use std::collections::BTreeSet;

use sallyport::Caller;
use sallyport::ids::Timestamp;
use sallyport::tool::OfferedTool;
use sallyport_index::DocumentKey;
use serde_json::Value;
use time::OffsetDateTime;

use crate::inert::Inert;
use crate::ports::{Documents, Hit, PortError, Retriever, WholeDocument};
use crate::provenance::Provenance;
use crate::schema::violations;
use crate::text::{enumerated, lower_first, shown, stands_in, stem};
use choose::{Choice, choose, service_words, tool_nouns};
use fill::{Filled, Filler, Missing, Source};
use request::{Command, Drawn, Request};
use select::{Aim, Part, particular};
use words::nouns;

/// What the planner is called where a model's id would stand.
pub(crate) const EMBEDDED: &str = "embedded";

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// Something to say.
    Say {
        /// Markdown; `[n]` stands for the n-th of `hits`' documents.
        text: String,
        /// What it was taken from, one a document, in the order of their numbers.
        hits: Vec<Hit>,
    },
    /// A tool to call.
    Call(Box<Call>),
}

/// A call as planned. Its arguments fit the schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) tool: OfferedTool,
    pub(crate) arguments: Value,
    /// The document whose text went in, if one did.
    pub(crate) source: Option<WholeDocument>,
    pub(crate) provenance: Vec<Provenance>,
    /// What is said beside the proposal.
    pub(crate) text: String,
}

/// Words that say "document" and not which.
const DOCUMENT: &[&str] = &["doc", "document", "file", "page", "sheet", "spreadsheet", "text", "paper"];
/// Kinds of things that hold entries at services, and are seldom meant by "the doc".
const NOT_DOCUMENT: &[&str] = &["board", "list", "card", "message", "channel", "folder"];

/// Plans one request.
pub(crate) struct Planner<'a> {
    pub(crate) retriever: &'a dyn Retriever,
    pub(crate) documents: &'a dyn Documents,
    pub(crate) caller: &'a Caller,
    pub(crate) tools: &'a [OfferedTool],
    pub(crate) now: Timestamp,
}

impl Planner<'_> {
    /// Answers, proposes a call, or says what is missing.
    pub(crate) async fn plan(&self, text: &str) -> Result<Plan, PortError> {
        let request = Request::new(text);
        match choose(&request, self.tools) {
            Choice::Question => self.answer(text).await,
            Choice::Nothing => Ok(say(self.nothing())),
            Choice::Unclear(tools) => Ok(say(unclear(&tools))),
            Choice::Tool(tool, command) => self.call(&request, tool, &command).await,
        }
    }

    async fn answer(&self, question: &str) -> Result<Plan, PortError> {
        let found = self.retriever.search(self.caller, question, 12).await?;
        let extracts = answer::extract(question, &found);
        if extracts.is_empty() {
            let text = "No model is configured, so answers are extracted from documents by matching words. I found nothing in \
                        the documents that you may read that answers this; other words may find it.";
            return Ok(say(text.into()));
        }
        let mut text =
            String::from("No model is configured: this answer was extracted from the documents, word for word.\n");
        let mut hits: Vec<Hit> = Vec::new();
        for extract in extracts {
            let hit = &found[extract.hit];
            let at = hits.iter().position(|cited| cited.document.key == hit.document.key).unwrap_or_else(|| {
                hits.push(hit.clone());
                hits.len() - 1
            });
            text.push_str(&format!("\n- {} [{}]", Inert::whole(&extract.text), at + 1));
        }
        Ok(Plan::Say { text, hits })
    }

    async fn call(&self, request: &Request, tool: &OfferedTool, command: &Command) -> Result<Plan, PortError> {
        let object = tool_nouns(tool);
        let document = match self.document(request).await? {
            Found::One(document, drawn) => Some((*document, drawn)),
            Found::None => None,
            Found::Absent(phrase) => {
                let phrase = shown(&phrase);
                return Ok(say(open(
                    tool,
                    &[format!("the document: I found none that you may read and that \"{phrase}\" names")],
                )));
            }
            Found::Several(titles) => {
                let titles = enumerated(titles.iter().map(|title| format!("*{}*", shown(title))));
                return Ok(say(open(tool, &[format!("which document is meant: {titles}")])));
            }
        };
        let source = match &document {
            Some((document, drawn)) => match self.source(request, tool, command, &object, document) {
                Ok(source) => {
                    // A board "for the launch calendar" that has no name of its own is that calendar's.
                    let named = request.names().iter().any(|name| name.called);
                    Some(Source { basis: *drawn > Drawn::Perhaps || !named, ..source })
                }
                Err(phrase) => {
                    let (title, phrase) = (shown(&document.info.title), shown(&phrase));
                    return Ok(say(open(tool, &[format!("what to take: *{title}* has no part for \"{phrase}\"")])));
                }
            },
            None => None,
        };
        let resolved = resolve::resolve(self.documents, self.caller, tool, request, command, &object).await?;
        let today = moment(self.now).date();
        let filler =
            Filler { request, command, tool, object: &object, source: source.as_ref(), resolved: &resolved, today };
        let Filled { arguments, provenance, missing, from_document } = filler.fill();
        if !missing.is_empty() {
            let why: Vec<String> = missing.into_iter().map(|Missing { why, .. }| why).collect();
            return Ok(say(open(tool, &why)));
        }
        let wrong = violations(&tool.input, &arguments);
        if !wrong.is_empty() {
            let why: Vec<String> =
                wrong.into_iter().map(|wrong| format!("{}: {}", wrong.at, shown(&wrong.message))).collect();
            return Ok(say(open(tool, &why)));
        }
        let source = document.map(|(document, _)| document).filter(|_| from_document);
        let from =
            source.as_ref().map(|document| format!(" from *{}*", shown(&document.info.title))).unwrap_or_default();
        let text = format!(
            "No model is configured: the arguments of *{}* in {} were filled in by rule from your request{from}. Check them before you approve.",
            shown(&tool.title),
            shown(&tool.connection_name),
            from = if from.is_empty() { from } else { format!(" and{from}") },
        );
        Ok(Plan::Call(Box::new(Call { tool: tool.clone(), arguments, source, provenance, text })))
    }

    /// The document that the request says it is drawn from.
    async fn document(&self, request: &Request) -> Result<Found, PortError> {
        let services: BTreeSet<String> = self.tools.iter().flat_map(service_words).collect();
        for (phrase, drawn) in request.sources() {
            let sure = drawn == Drawn::Surely;
            let said = nouns(&phrase);
            let wanted: BTreeSet<String> = said
                .iter()
                .filter(|word| !DOCUMENT.contains(&word.as_str()) && !services.contains(*word))
                .cloned()
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let mut rated = Vec::new();
            for hit in self.candidates(&phrase, &request.text).await? {
                let name = stem(&hit.document.title);
                let title = nouns(name);
                let shared = wanted.intersection(&title).count() as f32;
                // A title that is written out is meant, whatever stands beside it ("the 'Joining us' checklist").
                let written = stands_in(&name.to_lowercase(), &phrase.to_lowercase());
                let (mut coverage, mut precision) = (shared / wanted.len() as f32, shared / title.len().max(1) as f32);
                if written {
                    (coverage, precision) = (coverage.max(0.99), 1.0);
                }
                // "for the marketing team" names a part more often than a document.
                let vague = drawn == Drawn::Perhaps && wanted.len() < 2;
                let enough = if sure { coverage > 0.5 } else { coverage >= 0.99 && precision >= 0.5 && !vague };
                if enough {
                    rated.push((coverage, precision, hit));
                }
            }
            if said.iter().any(|word| DOCUMENT.contains(&word.as_str())) {
                let is_document = |hit: &Hit| !NOT_DOCUMENT.contains(&hit.document.kind.as_str());
                if rated.iter().any(|(_, _, hit)| is_document(hit)) {
                    rated.retain(|(_, _, hit)| is_document(hit));
                }
            }
            rated.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
            let best = rated.first().map(|(coverage, precision, _)| (*coverage, *precision));
            rated.retain(|(coverage, precision, _)| Some((*coverage, *precision)) == best);
            match rated.as_slice() {
                [] if sure => return Ok(Found::Absent(phrase)),
                [] => {}
                [(_, _, only)] => {
                    let read = self.documents.read(self.caller, only.document.key).await?;
                    return Ok(read.map_or(Found::Absent(phrase), |document| Found::One(Box::new(document), drawn)));
                }
                several => {
                    let title = |hit: &Hit| [hit.document.path.join(" / "), hit.document.title.clone()].join(" / ");
                    return Ok(Found::Several(several.iter().map(|(_, _, hit)| title(hit)).collect()));
                }
            }
        }
        Ok(Found::None)
    }

    /// Documents that may be meant, each once.
    async fn candidates(&self, phrase: &str, request: &str) -> Result<Vec<Hit>, PortError> {
        let mut hits = self.retriever.search(self.caller, phrase, 20).await?;
        hits.extend(self.retriever.search(self.caller, request, 20).await?);
        let mut seen: BTreeSet<DocumentKey> = BTreeSet::new();
        hits.retain(|hit| seen.insert(hit.document.key));
        Ok(hits)
    }

    /// The part of a document that the request wants. `Err` is what the document has nothing for.
    fn source(
        &self,
        request: &Request,
        tool: &OfferedTool,
        command: &Command,
        object: &[String],
        document: &WholeDocument,
    ) -> Result<Source, String> {
        let root = outline::outline(&document.info.title, &document.content);
        let aim = self.aim(request, tool, command, object, &document.info.title);
        let part = match select::select(&root, &aim) {
            Ok(part) => part,
            // Only what lists entries depends on the part: a card can still be named after the whole.
            Err(_) if !resolve::holds_lists(&tool.input) => Part { nodes: vec![root.clone()], name: None },
            Err(phrase) => return Err(phrase),
        };
        let text: String = root.below().map(|node| format!("{} {}\n", node.whole, node.text)).collect();
        let updated = document.info.updated.and_then(|at| u64::try_from(at).ok()).map(Timestamp);
        let year = dates::year_of(&document.info.title)
            .or_else(|| dates::year_of(&text))
            .unwrap_or_else(|| moment(updated.unwrap_or(self.now)).year());
        Ok(Source { title: document.info.title.clone(), part, aim, year: Some(year), basis: false })
    }

    fn aim(&self, request: &Request, tool: &OfferedTool, command: &Command, object: &[String], title: &str) -> Aim {
        let unit = request.unit();
        let mut known: BTreeSet<String> = nouns(title);
        known.extend(object.iter().cloned());
        known.extend(self.tools.iter().flat_map(service_words));
        known.extend(unit.clone());
        known.extend(DOCUMENT.iter().map(|word| word.to_string()));
        let phrases = request.aims();
        let demanded = phrases.iter().map(|phrase| (phrase, &particular(phrase) - &known));
        let (phrase, demand) = demanded.into_iter().find(|(_, demand)| !demand.is_empty()).unzip();
        let said = request.nouns(0..request.pieces.len());
        let sources: BTreeSet<String> = request
            .sources()
            .iter()
            .filter(|(_, drawn)| *drawn > Drawn::Perhaps)
            .flat_map(|(phrase, _)| nouns(phrase))
            .collect();
        let plain = |word: &&String| {
            !known.contains(*word) && !sources.contains(*word) && **word != command.verb && !select::means_entries(word)
        };
        let hints = said.iter().filter(plain).cloned().collect::<BTreeSet<String>>();
        let properties: BTreeSet<String> = nouns(&tool.title);
        Aim {
            phrase: phrase.cloned(),
            demand: demand.unwrap_or_default(),
            hints: &hints - &properties,
            tasks: said.iter().any(|word| select::means_tasks(word)),
            unit,
        }
    }

    fn nothing(&self) -> String {
        let can = self.tools.iter().map(|tool| format!("*{}* in {}", shown(&tool.title), shown(&tool.connection_name)));
        let can: Vec<String> = can.collect();
        let can = if can.is_empty() {
            "No tool is granted to you.".into()
        } else {
            format!("You are granted: {}.", can.join(", "))
        };
        format!(
            "No model is configured, so requests are matched to granted tools by their words, and this one matches none. {can}"
        )
    }
}

/// What became of the search for the document that was meant.
enum Found {
    One(Box<WholeDocument>, Drawn),
    /// None was named.
    None,
    /// This was named, and is not there.
    Absent(String),
    Several(Vec<String>),
}

fn say(text: String) -> Plan {
    Plan::Say { text, hits: Vec::new() }
}

fn unclear(tools: &[&OfferedTool]) -> String {
    let tools =
        enumerated(tools.iter().map(|tool| format!("*{}* in {}", shown(&tool.title), shown(&tool.connection_name))));
    format!(
        "No model is configured, so requests are matched to granted tools by their words, and this one fits {tools}. Say which."
    )
}

fn open(tool: &OfferedTool, missing: &[String]) -> String {
    let title = lower_first(&shown(&tool.title));
    let lines: String = missing.iter().map(|missing| format!("\n- {missing}")).collect();
    format!(
        "No model is configured, so tools are filled in by rule from your words, and nothing is made up. To {title} in {} I still need:\n{lines}",
        shown(&tool.connection_name)
    )
}

fn moment(at: Timestamp) -> OffsetDateTime {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
