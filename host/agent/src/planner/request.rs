//! A request, taken apart: what it commands, what it names, which document it speaks of and what it wants of it.
//!
//! English word order carries all of it: a command begins a clause, its object follows, names stand in quotes, after
//! "called", or beside the noun that they belong to.

use std::ops::Range;

use super::words::{is_stop, noun, words};

/// A request in pieces.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The user's own words.
    pub(super) text: String,
    pub(super) pieces: Vec<Piece>,
}

/// A word, a quotation, or a mark that ends a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A word outside quotation marks.
    Word {
        /// Lower case.
        lower: String,
        /// As written.
        text: String,
        /// Where in the request.
        span: Range<usize>,
    },
    /// What stands between quotation marks.
    Quote {
        /// Without the marks.
        text: String,
        /// With the marks.
        span: Range<usize>,
    },
    /// `,` `;` `:` `.` `!` `?`, a parenthesis or a line's end.
    Break(char),
}

/// A clause that begins with a verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// The verb, lower case; "set up" is `set up`.
    pub(super) verb: String,
    /// The pieces of its object, "a new Trello board" or "the card 'X'".
    pub(super) object: Range<usize>,
}

/// How surely a phrase names the document that something is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Drawn {
    /// It may: "of …", "in …", "for …".
    Perhaps,
    /// If it names a document, that is it: "… from …".
    Likely,
    /// Nothing else can be meant: "based on …".
    Surely,
}

const FILLERS: &[&str] = &[
    "please", "can", "could", "would", "will", "you", "i", "i'd", "we", "want", "need", "like", "to", "let's",
    "kindly", "now", "also", "then", "just", "go", "ahead", "and", "help", "me", "us", "hey", "hi", "ok", "okay",
    "love",
];
pub(super) const ENDS_PHRASE: &[&str] = &[
    "with",
    "for",
    "in",
    "on",
    "to",
    "from",
    "of",
    "called",
    "named",
    "titled",
    "entitled",
    "that",
    "which",
    "based",
    "using",
    "about",
    "under",
    "into",
    "onto",
    "saying",
    "reading",
    "and",
    "by",
    "per",
    "as",
    "at",
    "inside",
    "within",
    "whose",
    "regarding",
    "concerning",
    "according",
    "covering",
    "containing",
    "via",
    "through",
    "where",
    "if",
    "so",
    "then",
    "due",
];
const ASKS: &[&str] = &[
    "what", "what's", "who", "who's", "whom", "whose", "when", "where", "where's", "why", "how", "which", "is", "are",
    "was", "were", "do", "does", "did", "has", "have", "had", "should", "am",
];

impl Request {
    pub(super) fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = 0;
        for quote in quotes(text) {
            plain(text, rest..quote.start, &mut pieces);
            let mark = |c: Option<char>| c.map_or(1, char::len_utf8);
            let inner = &text[quote.clone()];
            let inner = &inner[mark(inner.chars().next())..inner.len() - mark(inner.chars().next_back())];
            pieces.push(Piece::Quote { text: inner.trim().to_owned(), span: quote.clone() });
            rest = quote.end;
        }
        plain(text, rest..text.len(), &mut pieces);
        Self { text: text.to_owned(), pieces }
    }

    /// Whether it asks for something to be told, not done.
    pub(super) fn is_question(&self) -> bool {
        let lower = |at: usize| self.word(at).unwrap_or_default();
        let first = self.pieces.iter().position(|piece| !matches!(piece, Piece::Break(_))).unwrap_or_default();
        let modal = matches!(lower(first), "can" | "could" | "would" | "will");
        ASKS.contains(&lower(first)) || modal && lower(first + 1) != "you"
    }

    /// The lower-case word at a place.
    pub(super) fn word(&self, at: usize) -> Option<&str> {
        match self.pieces.get(at)? {
            Piece::Word { lower, .. } => Some(lower),
            _ => None,
        }
    }

    /// The clauses that begin with a verb, as far as one can tell without knowing verbs: `is_verb` says which words
    /// count where a clause begins with something else ("From the notes make a board").
    pub(super) fn commands(&self, is_verb: impl Fn(&str) -> bool) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut begins = true;
        let mut at = 0;
        while at < self.pieces.len() {
            match self.word(at) {
                None => begins = true,
                Some(word) if begins && FILLERS.contains(&word) && !self.verb_to_come(at, &is_verb) => {}
                Some(word) => {
                    let article = at.checked_sub(1).and_then(|at| self.word(at));
                    let after_article =
                        matches!(article, Some("a" | "an" | "the" | "this" | "that" | "my" | "our" | "of"));
                    if begins || is_verb(word) && !after_article && self.takes_object(at) {
                        commands.push(self.command(at));
                    }
                    begins = matches!(word, "and" | "then");
                }
            }
            at += 1;
        }
        commands
    }

    /// A filler that is itself the verb: none is, unless a tool's verb is.
    fn verb_to_come(&self, at: usize, is_verb: &impl Fn(&str) -> bool) -> bool {
        self.word(at).is_some_and(|word| is_verb(word) && self.takes_object(at))
    }

    fn takes_object(&self, at: usize) -> bool {
        match self.pieces.get(at + 1) {
            Some(Piece::Quote { .. }) => true,
            Some(Piece::Word { lower, .. }) => matches!(
                lower.as_str(),
                "a" | "an"
                    | "the"
                    | "this"
                    | "that"
                    | "my"
                    | "our"
                    | "me"
                    | "us"
                    | "new"
                    | "one"
                    | "up"
                    | "all"
                    | "another"
            ),
            _ => false,
        }
    }

    fn command(&self, at: usize) -> Command {
        let mut verb = self.word(at).unwrap_or_default().to_owned();
        let mut from = at + 1;
        if self.word(from) == Some("up") {
            verb.push_str(" up");
            from += 1;
        }
        // "Turn the plan into a board" makes a board.
        if converts(&verb)
            && let Some(into) = (from..self.pieces.len()).find(|at| self.word(*at) == Some("into"))
        {
            return Command { verb: "create".into(), object: into + 1..self.phrase_end(into + 1) };
        }
        Command { verb, object: from..self.phrase_end(from) }
    }

    /// Where the phrase that begins here ends.
    pub(super) fn phrase_end(&self, from: usize) -> usize {
        let ends = |piece: &Piece| match piece {
            Piece::Break(_) => true,
            Piece::Word { lower, .. } => ENDS_PHRASE.contains(&lower.as_str()),
            Piece::Quote { .. } => false,
        };
        self.pieces.iter().skip(from).position(ends).map_or(self.pieces.len(), |length| from + length)
    }

    /// Phrases that name what the request is drawn from, surest first.
    pub(super) fn sources(&self) -> Vec<(String, Drawn)> {
        let mut found = Vec::new();
        for at in 0..self.pieces.len() {
            let before = at.checked_sub(1).and_then(|at| self.word(at));
            let begins = at == 0 || matches!(self.pieces.get(at - 1), Some(Piece::Break(_)));
            let (from, drawn) = match (before, self.word(at)) {
                (Some("based"), Some("on")) | (Some("according"), Some("to")) => (at + 1, Drawn::Surely),
                (Some("out"), Some("of")) | (_, Some("using")) => (at + 1, Drawn::Surely),
                (_, Some(word)) if converts(word) => (at + 1, Drawn::Surely),
                (_, Some("from")) if begins => (at + 1, Drawn::Surely),
                (_, Some("from")) => (at + 1, Drawn::Likely),
                (_, Some("of" | "in" | "per" | "for" | "about")) => (at + 1, Drawn::Perhaps),
                _ => continue,
            };
            let end = self.phrase_end(from);
            // "From the notes make a board": the phrase ends before the verb that takes an object.
            let end = (from + 1..end).find(|at| self.takes_object(*at) && *at + 1 < end).unwrap_or(end);
            if from < end {
                found.push((self.slice(from..end), drawn));
            }
        }
        found.sort_by_key(|(_, drawn)| std::cmp::Reverse(*drawn));
        found
    }

    /// Phrases that say which part of a document is wanted: "for the marketing team", "about pricing".
    pub(super) fn aims(&self) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..self.pieces.len() {
            if matches!(self.word(at), Some("for" | "about" | "regarding" | "concerning" | "covering")) {
                if matches!(self.word(at + 1), Some("each" | "every")) {
                    continue;
                }
                let end = self.phrase_end(at + 1);
                if at + 1 < end {
                    found.push(self.slice(at + 1..end));
                }
            }
        }
        found
    }

    /// What comes one by one: "one list per phase", "a card for each risk".
    pub(super) fn unit(&self) -> Option<String> {
        (1..self.pieces.len()).find_map(|at| {
            let each = match self.word(at - 1)? {
                "per" => true,
                "each" | "every" => at >= 2 && self.word(at - 2) == Some("for"),
                _ => false,
            };
            self.word(at).filter(|_| each).map(noun)
        })
    }

    /// The nouns of some pieces, in the singular, in order.
    pub(super) fn nouns(&self, range: Range<usize>) -> Vec<String> {
        let word = |at: usize| self.word(at).filter(|word| !is_stop(word)).map(noun);
        range.filter_map(word).collect()
    }

    /// Pieces as the user wrote them.
    pub(super) fn slice(&self, range: Range<usize>) -> String {
        let span = |piece: &Piece| match piece {
            Piece::Word { span, .. } | Piece::Quote { span, .. } => Some(span.clone()),
            Piece::Break(_) => None,
        };
        let spans: Vec<_> = self.pieces[range].iter().filter_map(span).collect();
        match (spans.first(), spans.last()) {
            (Some(first), Some(last)) => {
                self.text[first.start..last.end].trim_matches(['\'', '"', '“', '”', '‘', '’', '`']).to_owned()
            }
            _ => String::new(),
        }
    }
}

fn converts(word: &str) -> bool {
    matches!(word, "turn" | "convert" | "transform")
}

/// Quotations, marks included. An apostrophe within a word is none.
fn quotes(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        let close = match c {
            '"' | '`' => Some(c),
            '\'' => Some('\''),
            '“' | '„' => Some('”'),
            '‘' => Some('’'),
            '«' => Some('»'),
            _ => None,
        };
        let opens = !text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        let end = close.filter(|_| opens).and_then(|close| {
            text[next..].char_indices().map(|(i, c)| (next + i, c)).find(|(i, c)| {
                let after = text[i + c.len_utf8()..].chars().next();
                *c == close && !after.is_some_and(char::is_alphanumeric)
            })
        });
        match end {
            Some((end, mark)) if !text[next..end].trim().is_empty() => {
                at = end + mark.len_utf8();
                found.push(next - c.len_utf8()..at);
            }
            _ => at = next,
        }
    }
    found
}

fn plain(text: &str, range: Range<usize>, into: &mut Vec<Piece>) {
    let part = &text[range.clone()];
    let mut rest = 0;
    let breaks = |gap: &str, into: &mut Vec<Piece>| {
        into.extend(gap.chars().filter(|c| ",;:.!?\n()".contains(*c)).map(Piece::Break));
    };
    for word in words(part) {
        breaks(&part[rest..word.span.start], into);
        rest = word.span.end;
        let span = range.start + word.span.start..range.start + word.span.end;
        into.push(Piece::Word { lower: word.lower, text: part[word.span].to_owned(), span });
    }
    breaks(&part[rest..], into);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_a_verb_and_an_object_wherever_it_stands() {
        let create = |word: &str| matches!(word, "create" | "make" | "set");
        for text in [
            "Create a new Apollo board with tasks",
            "Based on the Q4 strategy doc in Drive, create a new Apollo board for sales.",
            "From the notes make a new Apollo board",
            "Could you please set up a new Apollo board?",
        ] {
            let request = Request::new(text);
            let command = request
                .commands(create)
                .into_iter()
                .find(|command| create(command.verb.split(' ').next().unwrap_or_default()));
            let object = command.map(|command| request.nouns(command.object)).unwrap_or_default();
            assert_eq!(object, ["apollo", "board"], "{text}");
        }
    }

    #[test]
    fn names_stand_beside_their_nouns() {
        let request = Request::new(
            "Create a card 'Renew the TLS certificates' in the list “To do” of board Platform, it's urgent",
        );
        assert_eq!(request.names_of("card"), ["Renew the TLS certificates"]);
        assert_eq!(request.names_of("list"), ["To do"]);
        assert_eq!(request.names_of("board"), ["Platform"]);
        assert_eq!(Request::new("add it to the very old list").names_of("list"), ["very old"]);
        assert_eq!(
            Request::new("make a board called Launch of Apollo with cards").names_of("board"),
            ["Launch of Apollo"]
        );
        assert_eq!(Request::new("move it to 'Done' on Apollo").places(), ["Done", "Apollo"]);
        assert_eq!(Request::new("post \"hi\" to #ops").names_of("channel"), ["#ops"]);
        assert_eq!(Request::new("with lists 'A', 'B' and 'C' please").run_after("list"), ["A", "B", "C"]);
    }

    #[test]
    fn sources_and_aims_are_told_apart() {
        let request =
            Request::new("Based on the Q4 strategy doc in Drive, make a board with tasks for the marketing team.");
        assert_eq!(request.sources()[0], ("the Q4 strategy doc".to_owned(), Drawn::Surely));
        assert_eq!(request.aims(), ["the marketing team"]);
        let request = Request::new("From the checklist, make one list per phase");
        assert_eq!((request.unit().as_deref(), request.sources()[0].1), (Some("phase"), Drawn::Surely));
    }

    #[test]
    fn questions_are_not_commands() {
        for (text, question) in [
            ("What did we decide about boards?", true),
            ("Can we create a board?", true),
            ("Can you create a board?", false),
            ("Create a board", false),
        ] {
            assert_eq!(Request::new(text).is_question(), question, "{text}");
        }
    }

    #[test]
    fn any_text_can_be_taken_apart() {
        for text in ["", "'", "''", "' '", "“”", "called", "a'b'c", "per", "é 'ü' ß", "🙂 '🙂'", "the", "#"]
        {
            let request = Request::new(text);
            let _ = (request.names(), request.names_of("list"), request.places(), request.sources(), request.aims());
            let _ = (request.unit(), request.is_question(), request.commands(|_| true), request.said(&[]));
        }
    }
}
