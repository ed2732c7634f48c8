//! What stands in front of the model in a turn, and the label of each piece of it.

use std::collections::BTreeMap;

use sallyport::Caller;
use sallyport_index::{DocumentInfo, DocumentKey, Label, Readers};
use serde_json::{Value, json};

use crate::policy::{Carried, CarriedKind};
use crate::ports::{Citation, Hit, Turn, TurnOutcome};

/// The longest passage that is put before a model, in characters.
const PASSAGE: usize = 4_000;

/// Everything that the model has seen in a turn.
#[derive(Debug, Default)]
pub(crate) struct Context {
    carried: Vec<Carried>,
    citations: Vec<Citation>,
    numbers: BTreeMap<DocumentKey, u32>,
    texts: Vec<(String, String)>,
}

impl Context {
    /// Every piece with its label: what policy judges by.
    pub(crate) fn carried(&self) -> &[Carried] {
        &self.carried
    }

    /// Documents by their numbers.
    pub(crate) fn citations(&self) -> &[Citation] {
        &self.citations
    }

    /// The texts that were seen, each with the title of where it stands.
    pub(crate) fn texts(&self) -> &[(String, String)] {
        &self.texts
    }

    /// Adds what an earlier turn said: its answer may hold text of the documents that it cited.
    pub(crate) fn add_turn(&mut self, caller: &Caller, turn: &Turn) {
        if !matches!(turn.outcome, TurnOutcome::Failed { .. }) {
            for cited in &turn.cited {
                let label = Label { readers: only(caller), trusted: cited.trusted };
                self.carry(Carried { title: cited.title.clone(), kind: CarriedKind::EarlierAnswer, label });
            }
        }
    }

    /// Adds a document; gives the number under which it is cited.
    pub(crate) fn add_document(&mut self, info: &DocumentInfo, label: &Label, text: &str) -> u32 {
        self.texts.push((info.title.clone(), text.to_owned()));
        if let Some(number) = self.numbers.get(&info.key) {
            return *number;
        }
        let number = self.citations.len() as u32 + 1;
        self.numbers.insert(info.key, number);
        self.citations.push(Citation {
            number,
            title: info.title.clone(),
            url: info.url.clone(),
            document: info.id.clone(),
            source: info.source.clone(),
            trusted: label.trusted,
        });
        self.carry(Carried { title: info.title.clone(), kind: CarriedKind::Document, label: label.clone() });
        number
    }

    /// Adds passages; gives them as they are put before the model.
    pub(crate) fn add_hits(&mut self, hits: &[Hit]) -> Value {
        let passage = |hit: &Hit| {
            let text: String = hit.text.chars().take(PASSAGE).collect();
            let number = self.add_document(&hit.document, &hit.label, &text);
            json!({"cite": format!("[{number}]"), "title": hit.document.title, "url": hit.document.url,
                "kind": hit.document.kind, "in": hit.document.path, "id": hit.document.id,
                "under": hit.heading, "text": text})
        };
        hits.iter().map(passage).collect()
    }

    /// Adds what a tool gave back: untrusted, and readable by this caller only.
    pub(crate) fn add_output(&mut self, caller: &Caller, tool: &str, output: &Value) {
        self.texts.push((tool.to_owned(), output.to_string()));
        let label = Label { readers: only(caller), trusted: false };
        self.carry(Carried { title: format!("the result of {tool}"), kind: CarriedKind::ToolOutput, label });
    }

    fn carry(&mut self, carried: Carried) {
        if !self.carried.contains(&carried) {
            self.carried.push(carried);
        }
    }
}

fn only(caller: &Caller) -> Readers {
    Readers { people: caller.emails.iter().map(|mail| mail.to_lowercase()).collect(), ..Readers::default() }
}
