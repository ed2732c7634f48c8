//! Values that an entry of the document, or of a run of names, gives.

use serde_json::Value;

use super::{Entry, Filler, Work, limited, same, written};
use crate::planner::dates;
use crate::planner::select;
use crate::planner::shape::{Role, Schema, Shape, role};
use crate::planner::words::{name_words, noun, words};

impl Filler<'_> {
    pub(super) fn list_of(
        &self,
        work: &mut Work,
        at: &str,
        name: &str,
        items: Schema<'_>,
        entry: &Entry<'_>,
    ) -> Option<Value> {
        if let Some(cell) = entry.field(|key| same(key, name)) {
            let parts = cell.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
            let values: Vec<Value> = match items.shape() {
                Shape::Text => parts.map(|part| work.value(at, entry.from, part)).collect(),
                _ => return None,
            };
            return Some(Value::Array(values));
        }
        let values = match items.shape() {
            Shape::Record => self.entries(work, at, items, &entry.node.children),
            // Sub-items are a plain list's where its name says so; else they are part of the text.
            Shape::Text
                if name_words(name).iter().any(|word| select::means_entries(&noun(word)) || word == "checklist") =>
            {
                self.entries(work, at, items, &entry.node.children)
            }
            _ => return None,
        };
        (!values.is_empty()).then_some(Value::Array(values))
    }

    pub(super) fn text_of(
        &self,
        work: &mut Work,
        at: &str,
        name: &str,
        schema: Schema<'_>,
        entry: &Entry<'_>,
    ) -> Option<Value> {
        let node = entry.node;
        let year = self.source.and_then(|source| source.year).or(Some(self.today.year()));
        let title = || if node.title.is_empty() { &node.whole } else { &node.title };
        if entry.main == Some(name) {
            return Some(work.value(at, entry.from, &limited(&node.whole, schema)));
        }
        match role(name, schema, false) {
            Role::Name(_) => {
                work.note(at, entry.from, &node.whole);
                Some(Value::String(limited(&without_brackets(title()), schema)))
            }
            Role::Body => {
                // Children that are entries of their own are not said twice.
                let text = if node.is_entry() { node.body() } else { node.text.clone() };
                let brackets = brackets(title());
                let whole = [text, brackets].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
                if whole.is_empty() {
                    return None;
                }
                work.note(at, entry.from, &node.whole);
                Some(Value::String(limited(&whole, schema)))
            }
            Role::Date => {
                let dated = |key: &str| {
                    words(key).iter().any(|word| {
                        matches!(word.lower.as_str(), "due" | "deadline" | "date" | "by" | "when" | "end" | "until")
                    })
                };
                let said = entry
                    .field(dated)
                    .and_then(|cell| dates::due(cell, year))
                    // What only says when it begins is not due then.
                    .or_else(|| {
                        dates::due(&node.whole, year).filter(|_| node.is_entry() && entry.field(begins).is_none())
                    })?;
                work.note(at, entry.from, &node.whole);
                Some(written(said, schema))
            }
            Role::Start => {
                let said = dates::due(entry.field(begins)?, year)?;
                work.note(at, entry.from, &node.whole);
                Some(written(said, schema))
            }
            // An id is never taken from a document's text.
            Role::Id(_) => None,
            Role::Email | Role::Url | Role::Other => {
                let said = entry.field(|key| same(key, name))?;
                Some(work.value(at, entry.from, said))
            }
        }
    }
}

/// Of a record without a name, what says most: its text, else the first text that it requires.
pub(super) fn main(record: Schema<'_>) -> Option<&str> {
    let texts: Vec<(&str, Role)> = record
        .properties()
        .filter(|(_, property)| property.shape() == Shape::Text)
        .map(|(name, property)| (name, role(name, property, false)))
        .collect();
    if texts.iter().any(|(_, role)| matches!(role, Role::Name(_))) {
        return None;
    }
    let body = texts.iter().find(|(_, role)| *role == Role::Body);
    body.or_else(|| texts.iter().find(|(name, role)| *role == Role::Other && record.requires(name)))
        .map(|(name, _)| *name)
}

/// Whether a key is of the day on which something begins.
fn begins(key: &str) -> bool {
    words(key).iter().any(|word| matches!(word.lower.as_str(), "start" | "starts" | "begin" | "begins" | "from"))
}

/// A title without what stands in brackets at its end; whole where nothing else is left.
fn without_brackets(title: &str) -> String {
    match title.rfind(['(', '[']) {
        Some(at) if at > 0 && title.ends_with([')', ']']) => title[..at].trim_end().to_owned(),
        _ => title.to_owned(),
    }
}

/// What [`without_brackets`] leaves out.
fn brackets(title: &str) -> String {
    let kept = without_brackets(title);
    title[kept.len()..].trim().trim_matches(['(', ')', '[', ']']).to_owned()
}
