//! Fills a tool's schema from the request and the cited document. Nothing is invented: what neither says stays out,
//! and what the schema needs beyond that is asked for.

mod asked;
mod entry;

use std::collections::BTreeMap;

use sallyport::tool::OfferedTool;
use serde_json::{Map, Value};
use time::Date;

use super::outline::Node;
use super::request::{Command, Request};
use super::resolve::{Resolution, mails};
use super::select::{self, Aim, Part};
use super::shape::{Role, Schema, Shape, role};
use super::words::{name_words, noun};
use crate::provenance::Provenance;
use crate::text::{shortened, shown};

/// What the request did not say and the tool needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) at: String,
    pub(super) why: String,
}

/// The document that the request speaks of, as it is used to fill.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) title: String,
    pub(super) part: Part,
    pub(super) aim: Aim,
    /// The year of dates that name none.
    pub(super) year: Option<i32>,
    /// Whether the whole request is drawn from it ("based on …"), so that lists are meant to be filled from it.
    pub(super) basis: bool,
}

/// What a filled schema came to.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub(super) arguments: Value,
    pub(super) provenance: Vec<Provenance>,
    pub(super) missing: Vec<Missing>,
    /// Whether text of the document went in.
    pub(super) from_document: bool,
}

/// What there is to fill from.
pub(super) struct Filler<'a> {
    pub(super) request: &'a Request,
    pub(super) command: &'a Command,
    pub(super) tool: &'a OfferedTool,
    /// The tool's own nouns ("board").
    pub(super) object: &'a [String],
    pub(super) source: Option<&'a Source>,
    /// Names of the request looked up, by the kind of thing.
    pub(super) resolved: &'a BTreeMap<String, Resolution>,
    /// A date of the request that names no year is the next one from here.
    pub(super) today: Date,
}

impl Filler<'_> {
    /// Fills the tool's whole schema.
    pub(super) fn fill(&self) -> Filled {
        let mut work = Work::default();
        let schema = Schema::new(&self.tool.input);
        let arguments =
            self.record(&mut work, "", schema, &Scope::Request).unwrap_or_else(|| Value::Object(Map::new()));
        Filled {
            arguments,
            from_document: work.provenance.iter().any(|value| value.from == "document"),
            provenance: work.provenance,
            missing: work.missing,
        }
    }

    fn record(&self, work: &mut Work, at: &str, schema: Schema<'_>, scope: &Scope<'_>) -> Option<Value> {
        let mut fields = Map::new();
        for (name, property) in schema.properties() {
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            let required = schema.requires(name);
            let before = work.missing.len();
            let value = self.property(work, &at, name, property, scope, required);
            match value.or_else(|| property.default().filter(|_| required).cloned()) {
                Some(value) => {
                    fields.insert(name.to_owned(), value);
                }
                None if required && work.missing.len() == before => {
                    let why = self.lacks(name, property, scope);
                    work.missing.push(Missing { at, why });
                }
                None => {}
            }
        }
        (!fields.is_empty() || matches!(scope, Scope::Request)).then_some(Value::Object(fields))
    }

    fn property(
        &self,
        work: &mut Work,
        at: &str,
        name: &str,
        schema: Schema<'_>,
        scope: &Scope<'_>,
        required: bool,
    ) -> Option<Value> {
        match (schema.shape(), scope) {
            (Shape::Choice([only]), _) if required => Some(only.clone()),
            (Shape::Choice(values), Scope::Request) => self.choice(work, at, name, values, required),
            (Shape::Choice(values), Scope::Entry(entry)) => {
                let said = entry.field(|key| same(key, name))?;
                values.iter().find(|value| value.as_str().is_some_and(|value| same(value, said))).cloned()
            }
            (Shape::Text, Scope::Request) => self.text(work, at, name, schema, required),
            (Shape::Text, Scope::Entry(entry)) => self.text_of(work, at, name, schema, entry),
            (Shape::Flag, Scope::Request) => self.flag(work, at, name),
            (Shape::Flag, Scope::Entry(entry)) => {
                let words = name_words(name);
                let done = words
                    .iter()
                    .any(|word| matches!(word.as_str(), "done" | "complete" | "completed" | "checked" | "closed"));
                entry.node.checked.filter(|_| done).map(Value::Bool)
            }
            (Shape::Integer | Shape::Number, Scope::Request) => self.number(work, at, name, schema),
            (Shape::Integer | Shape::Number, Scope::Entry(entry)) => {
                number(entry.field(|key| same(key, name))?, schema)
            }
            (Shape::List(items), Scope::Request) => self.list(work, at, name, schema, schema.at(items), required),
            (Shape::List(items), Scope::Entry(entry)) => self.list_of(work, at, name, schema.at(items), entry),
            (Shape::Record, _) => {
                let (missing, sources) = (work.missing.len(), work.provenance.len());
                let filled = self.record(work, at, schema, scope);
                // An optional record for which nothing was said is left out with what it would need.
                let empty = work.provenance.len() == sources;
                if !required && (empty || work.missing.len() > missing) {
                    work.missing.truncate(missing);
                    work.provenance.truncate(sources);
                    return None;
                }
                filled
            }
            (Shape::Other, _) => None,
        }
    }

    fn list(
        &self,
        work: &mut Work,
        at: &str,
        name: &str,
        schema: Schema<'_>,
        items: Schema<'_>,
        required: bool,
    ) -> Option<Value> {
        let own = name_words(name).last().map(|word| noun(word)).unwrap_or_default();
        let run = self.request.run_after(&own);
        let values: Vec<Value> = match items.shape() {
            Shape::Text
                if matches!(role(name, items, false), Role::Email)
                    || matches!(own.as_str(), "recipient" | "attendee") =>
            {
                let mails = mails(&self.request.text);
                mails.iter().enumerate().map(|(i, mail)| work.value(&format!("{at}/{i}"), "request", mail)).collect()
            }
            Shape::Text if matches!(role(&own, items, false), Role::Id(_)) => return None,
            Shape::Text | Shape::Record if !run.is_empty() => run
                .iter()
                .enumerate()
                .filter_map(|(index, text)| {
                    let at = format!("{at}/{index}");
                    let entry = Node { title: text.clone(), whole: text.clone(), ..Node::default() };
                    match items.shape() {
                        Shape::Text => Some(work.value(&at, "request", text)),
                        _ => self.record(
                            work,
                            &at,
                            items,
                            &Scope::Entry(&Entry { node: &entry, from: "request", main: entry::main(items) }),
                        ),
                    }
                })
                .collect(),
            Shape::Text | Shape::Record if required || self.wants_entries(&own, items) => {
                let Some(source) = self.source else {
                    // Things to do that nothing names are asked for, not left out in silence.
                    if !required && items.shape() == Shape::Record && self.asks_for(&own, items) {
                        let why = self.lacks(name, schema, &Scope::Request);
                        work.missing.push(Missing { at: at.to_owned(), why });
                    }
                    return None;
                };
                let depth = schema.depth().max(1);
                let forest = select::forest(&source.part, depth, &source.aim);
                let values = self.entries(work, at, items, &forest);
                if values.is_empty() && items.shape() == Shape::Record {
                    let why = self.lacks(name, schema, &Scope::Request);
                    work.missing.push(Missing { at: at.to_owned(), why });
                }
                values
            }
            _ => return None,
        };
        if let Some(limit) = schema.number("maxItems").filter(|limit| values.len() > *limit) {
            let why = format!("fewer {name}: the tool takes {limit}, and this would be {}", values.len());
            work.missing.push(Missing { at: at.to_owned(), why });
        }
        (!values.is_empty()).then_some(Value::Array(values))
    }

    /// Whether an optional list is to be filled from the document.
    fn wants_entries(&self, own: &str, items: Schema<'_>) -> bool {
        let basis = self.source.is_some_and(|source| source.basis) && items.shape() == Shape::Record;
        let said = self.request.nouns(0..self.request.pieces.len());
        let entries = said.iter().any(|noun| select::means_entries(noun) && !self.object.contains(noun));
        basis || entries || self.asks_for(own, items)
    }

    /// Whether the request speaks of what a list would hold: of its own noun, one within it, or of things to do.
    fn asks_for(&self, own: &str, items: Schema<'_>) -> bool {
        let said = self.request.nouns(0..self.request.pieces.len());
        let inner = items.properties().filter(|(_, property)| property.depth() > 0);
        let nested = inner.filter_map(|(name, _)| name_words(name).last().map(|word| noun(word)));
        let nouns: Vec<String> = nested.chain([own.to_owned()]).collect();
        said.iter().any(|noun| nouns.contains(noun) || select::means_tasks(noun) && !self.object.contains(noun))
    }

    fn entries(&self, work: &mut Work, at: &str, items: Schema<'_>, nodes: &[Node]) -> Vec<Value> {
        let mut values = Vec::new();
        for node in nodes {
            let at = format!("{at}/{}", values.len());
            let value = match items.shape() {
                Shape::Text => Some(work.value(&at, "document", &node.whole)),
                _ => self.record(
                    work,
                    &at,
                    items,
                    &Scope::Entry(&Entry { node, from: "document", main: entry::main(items) }),
                ),
            };
            values.extend(value);
        }
        values
    }

    fn lacks(&self, name: &str, schema: Schema<'_>, scope: &Scope<'_>) -> String {
        let said = name_words(name).join(" ");
        match (scope, schema.shape()) {
            (Scope::Entry(entry), _) => format!("the {said} of \"{}\"", shown(&shortened(&entry.node.whole, 60))),
            (Scope::Request, Shape::Choice(values)) => {
                let values: Vec<String> =
                    values.iter().map(|value| value.as_str().map_or(value.to_string(), String::from)).collect();
                format!("the {said}: {}", values.join(", "))
            }
            (Scope::Request, Shape::List(_)) => match self.source {
                Some(source) => format!("the {said}: I found no list of them in \"{}\"", shown(&source.title)),
                None => format!("the {said}: name them, or the document that holds them"),
            },
            (Scope::Request, _) => format!("the {said}"),
        }
    }
}

/// What is being filled: the whole, from the request, or one entry of a list.
enum Scope<'a> {
    Request,
    Entry(&'a Entry<'a>),
}

/// One entry, and where it comes from.
struct Entry<'a> {
    node: &'a Node,
    from: &'static str,
    /// The property that says what the entry is, where none is its name: it takes the whole.
    main: Option<&'a str>,
}

impl Entry<'_> {
    fn field(&self, fits: impl Fn(&str) -> bool) -> Option<&str> {
        self.node.field(fits)
    }
}

#[derive(Default)]
struct Work {
    provenance: Vec<Provenance>,
    missing: Vec<Missing>,
}

impl Work {
    fn note(&mut self, at: &str, from: &'static str, quote: &str) {
        self.provenance.push(Provenance { at: at.to_owned(), from, quote: shortened(quote, 200) });
    }

    fn value(&mut self, at: &str, from: &'static str, text: &str) -> Value {
        self.note(at, from, text);
        Value::String(text.to_owned())
    }
}

/// Whether a heading or value and a property's name are the same words.
fn same(said: &str, name: &str) -> bool {
    let of = |text: &str| -> Vec<String> { name_words(text).iter().map(|word| noun(word)).collect() };
    !of(said).is_empty() && of(said) == of(name)
}

fn number(text: &str, schema: Schema<'_>) -> Option<Value> {
    let digits: String = text.chars().filter(|c| !matches!(c, ',' | ' ' | '$' | '€' | '£' | '%')).collect();
    match schema.shape() {
        Shape::Integer => digits.parse::<i64>().ok().map(Value::from),
        _ => digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
    }
}

/// A day as the schema wants it. Where a moment is wanted it is noon UTC, which is that day nearly everywhere.
fn written(date: Date, schema: Schema<'_>) -> Value {
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let told = schema.text("description").to_lowercase();
    let moment = schema.text("format") == "date-time"
        || schema.text("format").is_empty()
            && ["date-time", "datetime", "rfc 3339", "timestamp"].iter().any(|word| told.contains(word));
    let ending = if moment { "T12:00:00Z" } else { "" };
    Value::String(format!("{year:04}-{month:02}-{day:02}{ending}"))
}

fn limited(text: &str, schema: Schema<'_>) -> String {
    schema.number("maxLength").map_or_else(|| text.to_owned(), |limit| shortened(text, limit))
}
