//! Fills a tool's schema from the request and the cited document. Nothing is invented: what neither says stays out,
//! and what the schema needs beyond that is asked for.

use std::collections::{BTreeMap, BTreeSet};

use sallyport::tool::OfferedTool;
use serde_json::{Map, Value};
use time::Date;

use super::dates;
use super::outline::Node;
use super::request::{Command, Piece, Request};
use super::resolve::{Resolution, mails};
use super::select::{self, Aim, Part};
use super::shape::{Role, Schema, Shape, role};
use super::words::{name_words, noun, words};
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

    /// Text from the request, or composed of the document's title and the part that was asked for.
    fn text(&self, work: &mut Work, at: &str, name: &str, schema: Schema<'_>, required: bool) -> Option<Value> {
        let own: Vec<String> = name_words(name).iter().map(|word| noun(word)).collect();
        let steers = self.tool.control.iter().any(|pointer| pointer == at);
        match role(name, schema, steers) {
            Role::Id(kind) => self.id(work, at, &kind, required),
            Role::Name(Some(of)) if !self.object.contains(&of) => {
                let name = self.request.names_of(&of).into_iter().next()?;
                work.note(at, "request", &name);
                Some(Value::String(name))
            }
            Role::Name(_) => self.name(work, at, schema, required),
            Role::Body => {
                if let Some(said) = self.request.said(&own) {
                    work.note(at, "request", &said);
                    return Some(Value::String(said));
                }
                if !required {
                    return None;
                }
                // What a command quotes as its object is what it wants said: "post 'Done' to #ops".
                if let Some(quote) = self.quoted_object() {
                    work.note(at, "request", &quote);
                    return Some(Value::String(quote));
                }
                let source = self.source?;
                let body = source.part.nodes.iter().map(Node::body).collect::<Vec<_>>().join("\n\n");
                let body = limited(body.trim(), schema);
                work.note(at, "document", source.part.name.as_deref().unwrap_or(&source.title));
                (!body.is_empty()).then_some(Value::String(body))
            }
            Role::Date => {
                let said = self.unquoted();
                let this_year = dates::due(&said, Some(self.today.year()))?;
                let date = match dates::due(&said, None) {
                    None if this_year < self.today => dates::due(&said, Some(self.today.year() + 1))?,
                    _ => this_year,
                };
                work.note(at, "request", &date.to_string());
                Some(written(date, schema))
            }
            Role::Start => None,
            Role::Email => {
                let mail = mails(&self.request.text).into_iter().next()?;
                Some(work.value(at, "request", &mail))
            }
            Role::Url => {
                let url = self
                    .request
                    .text
                    .split_whitespace()
                    .find(|word| word.starts_with("http://") || word.starts_with("https://"))?;
                let url = url.trim_end_matches([',', '.', ')', ';']);
                work.note(at, "request", url);
                Some(Value::String(url.to_owned()))
            }
            Role::Other => {
                let names = own.last().map(|noun| self.request.names_of(noun)).unwrap_or_default();
                let name = names.into_iter().next()?;
                work.note(at, "request", &name);
                Some(Value::String(name))
            }
        }
    }

    /// What the thing is called: as the request says, else by what it is drawn from.
    fn name(&self, work: &mut Work, at: &str, schema: Schema<'_>, required: bool) -> Option<Value> {
        let names = self.request.names();
        let object = &self.command.object;
        let mine = |noun: &Option<String>| noun.as_ref().is_none_or(|noun| self.object.contains(noun));
        let called = names.iter().find(|name| name.called && mine(&name.noun));
        let beside = || names.iter().find(|name| name.noun.as_ref().is_some_and(|noun| self.object.contains(noun)));
        let within = || names.iter().find(|name| object.contains(&name.at) && mine(&name.noun));
        if let Some(name) = called.or_else(beside).or_else(within) {
            work.note(at, "request", &name.text);
            return Some(Value::String(limited(&name.text, schema)));
        }
        // "Create a card: Renew the certificates": what follows the colon.
        if let Some(Piece::Break(':')) = self.request.pieces.get(object.end) {
            let rest = self.request.slice(object.end + 1..self.request.pieces.len());
            if !rest.is_empty() {
                work.note(at, "request", &rest);
                return Some(Value::String(limited(&rest, schema)));
            }
        }
        let source = self.source.filter(|_| required)?;
        let title = source
            .title
            .rsplit_once('.')
            .filter(|(_, ending)| (1..5).contains(&ending.len()) && !ending.contains(' '))
            .map_or(source.title.as_str(), |(stem, _)| stem);
        let phrase = source.aim.phrase.as_deref().map(|phrase| phrase.trim_start_matches("the "));
        let composed = match source.part.name.as_deref().or(phrase) {
            Some(part) => format!("{title}: {part}"),
            None => title.to_owned(),
        };
        work.note(at, "document", &composed);
        Some(Value::String(limited(&composed, schema)))
    }

    fn id(&self, work: &mut Work, at: &str, kind: &str, required: bool) -> Option<Value> {
        match self.resolved.get(kind)? {
            Resolution::One { id, name } => {
                work.note(at, if id == name { "request" } else { "resolved" }, name);
                Some(Value::String(id.clone()))
            }
            // A name that was given and leads nowhere is never passed over in silence.
            Resolution::None(names) if required || !names.is_empty() => {
                let why = match names.as_slice() {
                    [] => format!("which {kind} is meant; say its name, as in: the {kind} 'Name'"),
                    names => {
                        let names: Vec<String> = names.iter().map(|name| format!("\"{}\"", shown(name))).collect();
                        format!(
                            "a {kind} called {} in {} that you may read",
                            names.join(" or "),
                            shown(&self.tool.connection_name)
                        )
                    }
                };
                work.missing.push(Missing { at: at.to_owned(), why });
                None
            }
            Resolution::None(_) => None,
            Resolution::Several(name, paths) => {
                let paths: Vec<String> = paths.iter().map(|path| shown(path)).collect();
                let why =
                    format!("which {kind} called \"{}\" is meant: the one in {}", shown(name), paths.join(", or in "));
                work.missing.push(Missing { at: at.to_owned(), why });
                None
            }
        }
    }

    fn choice(&self, work: &mut Work, at: &str, name: &str, values: &[Value], required: bool) -> Option<Value> {
        let own: Vec<String> = name_words(name).iter().map(|word| noun(word)).collect();
        let said = |value: &&Value| {
            let wanted: Vec<String> = name_words(value.as_str()?).iter().map(|word| noun(word)).collect();
            let near = self.mentions(&wanted)?;
            (required || near || self.beside(&wanted, &own)).then_some(())
        };
        let fitting: Vec<&Value> = values.iter().filter(|value| said(value).is_some()).collect();
        let [only] = fitting.as_slice() else { return None };
        work.note(at, "request", only.as_str().unwrap_or_default());
        Some((*only).clone())
    }

    fn flag(&self, work: &mut Work, at: &str, name: &str) -> Option<Value> {
        let own: Vec<String> =
            name_words(name).into_iter().filter(|word| !matches!(word.as_str(), "is" | "has")).collect();
        let own: Vec<String> = own.iter().map(|word| noun(word)).collect();
        if !self.mentions(&own)? {
            return None;
        }
        let at_word =
            (0..self.request.pieces.len()).find(|at| self.request.word(*at).map(noun).as_ref() == own.first())?;
        let denied = at_word
            .checked_sub(1)
            .and_then(|at| self.request.word(at))
            .is_some_and(|word| matches!(word, "not" | "no" | "non" | "without"));
        work.note(at, "request", name);
        Some(Value::Bool(!denied))
    }

    fn number(&self, work: &mut Work, at: &str, name: &str, schema: Schema<'_>) -> Option<Value> {
        let own: BTreeSet<String> = name_words(name).iter().map(|word| noun(word)).collect();
        let pieces = 0..self.request.pieces.len();
        let mine = |at: usize| self.request.word(at).is_some_and(|word| own.contains(&noun(word)));
        let found = pieces.into_iter().find_map(|at| {
            let near = (at.saturating_sub(2)..=at + 2).any(mine);
            self.request.word(at).filter(|_| near).and_then(|word| number(word, schema))
        })?;
        work.note(at, "request", &found.to_string());
        Some(found)
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
                            &Scope::Entry(&Entry { node: &entry, from: "request", main: main(items) }),
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
                _ => self.record(work, &at, items, &Scope::Entry(&Entry { node, from: "document", main: main(items) })),
            };
            values.extend(value);
        }
        values
    }

    fn list_of(&self, work: &mut Work, at: &str, name: &str, items: Schema<'_>, entry: &Entry<'_>) -> Option<Value> {
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

    fn text_of(&self, work: &mut Work, at: &str, name: &str, schema: Schema<'_>, entry: &Entry<'_>) -> Option<Value> {
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

    /// Whether the request says all of some words outside its quotations; `Some(true)` if within the command's object.
    fn mentions(&self, wanted: &[String]) -> Option<bool> {
        let said = |range: std::ops::Range<usize>| {
            let said: BTreeSet<String> = range.filter_map(|at| self.request.word(at).map(noun)).collect();
            wanted.iter().all(|word| said.contains(word))
        };
        if wanted.is_empty() || !said(0..self.request.pieces.len()) {
            return None;
        }
        Some(said(self.command.object.clone()))
    }

    /// Whether two sets of words stand within three words of each other.
    fn beside(&self, wanted: &[String], own: &[String]) -> bool {
        let places = |words: &[String]| -> Vec<usize> {
            let all = 0..self.request.pieces.len();
            all.filter(|at| self.request.word(*at).is_some_and(|word| words.contains(&noun(word)))).collect()
        };
        let own = places(own);
        places(wanted).iter().any(|a| own.iter().any(|b| a.abs_diff(*b) <= 3))
    }

    fn quoted_object(&self) -> Option<String> {
        self.request.pieces[self.command.object.clone()].iter().find_map(|piece| match piece {
            Piece::Quote { text, .. } => Some(text.clone()),
            _ => None,
        })
    }

    /// The request without its quotations, in which dates are names.
    fn unquoted(&self) -> String {
        let word = |piece: &Piece| match piece {
            Piece::Word { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.request.pieces.iter().filter_map(word).collect::<Vec<_>>().join(" ")
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

/// Of a record without a name, what says most: its text, else the first text that it requires.
fn main(record: Schema<'_>) -> Option<&str> {
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
