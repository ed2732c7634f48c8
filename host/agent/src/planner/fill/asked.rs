//! Values that the request itself gives.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Filler, Missing, Work, limited, number, written};
use crate::planner::dates;
use crate::planner::outline::Node;
use crate::planner::request::Piece;
use crate::planner::resolve::{Resolution, mails};
use crate::planner::shape::{Role, Schema, role};
use crate::planner::words::{name_words, noun};
use crate::text::{shown, stem};

impl Filler<'_> {
    /// Text from the request, or composed of the document's title and the part that was asked for.
    pub(super) fn text(
        &self,
        work: &mut Work,
        at: &str,
        name: &str,
        schema: Schema<'_>,
        required: bool,
    ) -> Option<Value> {
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
    pub(super) fn name(&self, work: &mut Work, at: &str, schema: Schema<'_>, required: bool) -> Option<Value> {
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
        let title = stem(&source.title);
        let phrase = source.aim.phrase.as_deref().map(|phrase| phrase.trim_start_matches("the "));
        let composed = match source.part.name.as_deref().or(phrase) {
            Some(part) => format!("{title}: {part}"),
            None => title.to_owned(),
        };
        work.note(at, "document", &composed);
        Some(Value::String(limited(&composed, schema)))
    }

    pub(super) fn id(&self, work: &mut Work, at: &str, kind: &str, required: bool) -> Option<Value> {
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

    pub(super) fn choice(
        &self,
        work: &mut Work,
        at: &str,
        name: &str,
        values: &[Value],
        required: bool,
    ) -> Option<Value> {
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

    pub(super) fn flag(&self, work: &mut Work, at: &str, name: &str) -> Option<Value> {
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

    pub(super) fn number(&self, work: &mut Work, at: &str, name: &str, schema: Schema<'_>) -> Option<Value> {
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

    /// Whether the request says all of some words outside its quotations; `Some(true)` if within the command's object.
    pub(super) fn mentions(&self, wanted: &[String]) -> Option<bool> {
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
    pub(super) fn beside(&self, wanted: &[String], own: &[String]) -> bool {
        let places = |words: &[String]| -> Vec<usize> {
            let all = 0..self.request.pieces.len();
            all.filter(|at| self.request.word(*at).is_some_and(|word| words.contains(&noun(word)))).collect()
        };
        let own = places(own);
        places(wanted).iter().any(|a| own.iter().any(|b| a.abs_diff(*b) <= 3))
    }

    pub(super) fn quoted_object(&self) -> Option<String> {
        self.request.pieces[self.command.object.clone()].iter().find_map(|piece| match piece {
            Piece::Quote { text, .. } => Some(text.clone()),
            _ => None,
        })
    }

    /// The request without its quotations, in which dates are names.
    pub(super) fn unquoted(&self) -> String {
        let word = |piece: &Piece| match piece {
            Piece::Word { text, .. } => Some(text.clone()),
            _ => None,
        };
        self.request.pieces.iter().filter_map(word).collect::<Vec<_>>().join(" ")
    }
}
