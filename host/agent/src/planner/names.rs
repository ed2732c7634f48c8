//! The names that a request gives: in quotation marks, after "called", beside a noun.

use super::request::{ENDS_PHRASE, Piece, Request};
use super::words::{is_stop, noun};

/// A name that the request gives to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The name.
    pub(super) text: String,
    /// The noun that it stands beside, in the singular.
    pub(super) noun: Option<String>,
    /// Whether it was introduced by "called" or the like.
    pub(super) called: bool,
    /// The piece where it begins.
    pub(super) at: usize,
}

const PLACES: &[&str] = &["in", "to", "on", "into", "onto", "under", "inside", "within", "from", "at"];

impl Request {
    /// Every name that the request gives, in order; one that stands beside no noun has none.
    pub(super) fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Quote { text, .. } => names.push(self.quoted(at, text)),
                Piece::Word { lower, text, .. } if lower.starts_with('#') => {
                    names.push(Name { text: text.clone(), noun: Some("channel".into()), called: false, at });
                }
                Piece::Word { lower, .. } if introduces(lower) => {
                    let end = self.pieces.len().min(at + 9);
                    let stops = |piece: &Piece| match piece {
                        Piece::Word { lower, .. } => lower != "of" && ENDS_PHRASE.contains(&lower.as_str()),
                        _ => true,
                    };
                    let length = self.pieces[at + 1..end].iter().position(stops).unwrap_or(end - at - 1);
                    if length > 0 {
                        let text = self.slice(at + 1..at + 1 + length);
                        names.push(Name { text, noun: self.noun_before(at), called: true, at: at + 1 });
                    }
                }
                _ => {}
            }
        }
        names
    }

    /// Names that a noun in the singular bears, unquoted ones included: "list 'A'", "the A list", "board Apollo".
    pub(super) fn names_of(&self, wanted: &str) -> Vec<String> {
        let names = self.names();
        let mut found: Vec<String> =
            names.iter().filter(|name| name.noun.as_deref() == Some(wanted)).map(|name| name.text.clone()).collect();
        for (at, piece) in self.pieces.iter().enumerate() {
            let Piece::Word { lower, .. } = piece else { continue };
            if noun(lower) != wanted {
                continue;
            }
            // "the A list": from the article to the noun.
            let before = (at.saturating_sub(5)..at).rev().take_while(|at| self.word(*at).is_some());
            let article = before
                .clone()
                .find(|at| self.word(*at).is_some_and(|word| matches!(word, "the" | "my" | "our" | "your")));
            if let Some(from) = article.map(|article| article + 1).filter(|from| *from < at) {
                let plain = (from..at)
                    .all(|at| self.word(at).is_some_and(|word| !ENDS_PHRASE.contains(&word) && !adjective(word)));
                if plain {
                    found.push(self.slice(from..at));
                }
            }
            // "board Apollo": capitals, or something with digits, after the noun.
            let follows = |piece: &Piece| {
                matches!(piece, Piece::Word { text, lower, .. } if !ENDS_PHRASE.contains(&lower.as_str())
                    && (text.starts_with(char::is_uppercase) || text.chars().any(|c| c.is_ascii_digit())))
            };
            let length = self.pieces[at + 1..].iter().take_while(|piece| follows(piece)).count();
            if length > 0 {
                found.push(self.slice(at + 1..at + 1 + length));
            }
        }
        let mut seen = Vec::new();
        found.retain(|name| {
            !name.is_empty() && !seen.contains(name) && {
                seen.push(name.clone());
                true
            }
        });
        found
    }

    /// Names after "in", "to", "on" that stand beside no noun: "to 'Backlog'", "on Apollo".
    pub(super) fn places(&self) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..self.pieces.len() {
            if !self.word(at).is_some_and(|word| PLACES.contains(&word)) {
                continue;
            }
            let from = at + 1 + usize::from(matches!(self.word(at + 1), Some("the" | "my" | "our")));
            match self.pieces.get(from) {
                Some(Piece::Quote { text, .. }) if self.quoted(from, text).noun.is_none() => found.push(text.clone()),
                Some(Piece::Word { .. }) => {
                    let capital = |piece: &Piece| matches!(piece, Piece::Word { text, .. } if text.starts_with(|c: char| c.is_uppercase() || c == '#'));
                    let length = self.pieces[from..].iter().take_while(|piece| capital(piece)).count();
                    if length > 0 {
                        found.push(self.slice(from..from + length));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Quotations that follow a noun or verb as a run: "with lists 'A', 'B' and 'C'".
    pub(super) fn run_after(&self, wanted: &str) -> Vec<String> {
        let begins = |at: &usize| self.word(*at).is_some_and(|word| noun(word) == wanted);
        for at in (0..self.pieces.len()).filter(begins) {
            let mut run = Vec::new();
            for piece in &self.pieces[at + 1..] {
                match piece {
                    Piece::Quote { text, .. } => run.push(text.clone()),
                    Piece::Break(',' | ':') => {}
                    Piece::Word { lower, .. } if matches!(lower.as_str(), "and" | "called" | "named") => {}
                    _ => break,
                }
            }
            if !run.is_empty() {
                return run;
            }
        }
        Vec::new()
    }

    /// What is to be said: after "saying", "reading", or after one of `nouns` and a colon.
    pub(super) fn said(&self, nouns: &[String]) -> Option<String> {
        for (at, piece) in self.pieces.iter().enumerate() {
            let Piece::Word { lower, .. } = piece else { continue };
            let says = matches!(lower.as_str(), "saying" | "reading" | "says");
            let named = nouns.contains(&noun(lower));
            let colon = usize::from(matches!(self.pieces.get(at + 1), Some(Piece::Break(':' | ','))));
            match self.pieces.get(at + 1 + colon) {
                Some(Piece::Quote { text, .. }) if says || named => return Some(text.clone()),
                Some(Piece::Word { span, .. }) if says || named && colon == 1 => {
                    return Some(self.text[span.start..].trim().trim_end_matches(['.', '!']).to_owned());
                }
                _ => {}
            }
        }
        None
    }

    fn quoted(&self, at: usize, text: &str) -> Name {
        let before = at.checked_sub(1);
        let called = before.and_then(|at| self.word(at)).is_some_and(introduces);
        let beside = match before {
            Some(before) if called => self.noun_before(before),
            Some(before) => self.noun_at(before).or_else(|| self.noun_at(at + 1)),
            None => self.noun_at(at + 1),
        };
        Name { text: text.to_owned(), noun: beside, called, at }
    }

    fn noun_before(&self, at: usize) -> Option<String> {
        at.checked_sub(1).and_then(|at| self.noun_at(at))
    }

    fn noun_at(&self, at: usize) -> Option<String> {
        self.word(at).filter(|word| !is_stop(word) && !ENDS_PHRASE.contains(word)).map(noun)
    }
}

fn introduces(word: &str) -> bool {
    matches!(word, "called" | "named" | "titled" | "entitled")
}

fn adjective(word: &str) -> bool {
    matches!(word, "new" | "existing" | "same" | "following" | "whole" | "right" | "first" | "last")
}
