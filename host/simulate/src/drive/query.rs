//! The `q` parameter of `files.list`: a subset that covers what a connector asks.

use super::{error::DriveError, model::File, state::DriveState};
use crate::{clock, directory::Directory};
use time::OffsetDateTime;

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Query {
    All,
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
    Not(Box<Query>),
    Trashed(bool),
    SharedWithMe(bool),
    NameIs(String),
    NameContains(String),
    FullText(String),
    MimeIs(String),
    MimeContains(String),
    InParents(String),
    InRole(String, &'static str),
    Time(&'static str, String, OffsetDateTime),
    Property(String, String),
}

/// Who asks, and of what.
pub(crate) struct Scene<'a> {
    pub state: &'a DriveState,
    pub directory: &'a Directory,
    pub viewer: &'a str,
    pub root: &'a str,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, DriveError> {
        let words = words(text).ok_or_else(|| DriveError::invalid("q"))?;
        if words.is_empty() {
            return Ok(Self::All);
        }
        let mut parser = Parser { words: &words, at: 0 };
        parser.any().filter(|_| parser.at == words.len()).ok_or_else(|| DriveError::invalid("q"))
    }

    pub(crate) fn has_full_text(&self) -> bool {
        match self {
            Self::FullText(_) => true,
            Self::And(a, b) | Self::Or(a, b) => a.has_full_text() || b.has_full_text(),
            Self::Not(inner) => inner.has_full_text(),
            _ => false,
        }
    }

    pub(crate) fn matches(&self, file: &File, scene: &Scene<'_>) -> bool {
        match self {
            Self::All => true,
            Self::And(a, b) => a.matches(file, scene) && b.matches(file, scene),
            Self::Or(a, b) => a.matches(file, scene) || b.matches(file, scene),
            Self::Not(inner) => !inner.matches(file, scene),
            Self::Trashed(wanted) => scene.state.is_trashed(file) == *wanted,
            Self::SharedWithMe(wanted) => {
                let mine = file.owner.as_deref() == Some(scene.viewer);
                (!mine && file.drive.is_none()) == *wanted
            }
            Self::NameIs(name) => file.name.eq_ignore_ascii_case(name),
            Self::NameContains(prefix) => has_word_prefix(&file.name, prefix),
            Self::FullText(text) => has_text(file, text),
            Self::MimeIs(mime) => file.mime_type == *mime,
            Self::MimeContains(part) => file.mime_type.contains(part.as_str()),
            Self::InParents(folder) => {
                let folder = if folder == "root" { scene.root } else { folder };
                file.parent.as_deref() == Some(folder)
            }
            Self::InRole(email, role) => scene.state.effective(file).iter().any(|each| {
                each.permission.role.name() == *role && each.permission.grantee.includes(scene.directory, email)
            }),
            Self::Time(field, operator, at) => {
                let value = if *field == "createdTime" { file.created } else { file.modified };
                match operator.as_str() {
                    "<" => value < *at,
                    "<=" => value <= *at,
                    ">" => value > *at,
                    ">=" => value >= *at,
                    "=" => value == *at,
                    _ => value != *at,
                }
            }
            Self::Property(key, value) => {
                file.properties.get(key) == Some(value) || file.app_properties.get(key) == Some(value)
            }
        }
    }
}

/// `contains` on a name matches the beginning of any word in it.
fn has_word_prefix(name: &str, prefix: &str) -> bool {
    let (name, prefix) = (name.to_lowercase(), prefix.to_lowercase());
    name.match_indices(&prefix)
        .any(|(at, _)| name[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric()))
}

/// Every word stands in name or content; in double quotes, the phrase does.
fn has_text(file: &File, text: &str) -> bool {
    let whole = format!("{}\n{}", file.name, String::from_utf8_lossy(&file.content)).to_lowercase();
    let text = text.to_lowercase();
    if let Some(phrase) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return whole.contains(phrase);
    }
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.all(|word| whole.split(|c: char| !c.is_alphanumeric()).any(|known| known == word))
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Name(String),
    Text(String),
    Sign(String),
}

fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(&letter) = letters.peek() {
        if letter.is_whitespace() {
            letters.next();
        } else if letter == '\'' || letter == '"' {
            letters.next();
            let mut value = String::new();
            loop {
                match letters.next()? {
                    '\\' => value.push(letters.next()?),
                    end if end == letter => break,
                    other => value.push(other),
                }
            }
            words.push(Word::Text(value));
        } else if matches!(letter, '(' | ')' | '{' | '}') {
            letters.next();
            words.push(Word::Sign(letter.to_string()));
        } else if matches!(letter, '=' | '!' | '<' | '>') {
            let mut sign = String::new();
            while let Some(letter) = letters.next_if(|letter| matches!(letter, '=' | '!' | '<' | '>')) {
                sign.push(letter);
            }
            words.push(Word::Sign(sign));
        } else if letter.is_alphanumeric() {
            let mut name = String::new();
            while let Some(letter) = letters.next_if(|letter| letter.is_alphanumeric()) {
                name.push(letter);
            }
            words.push(Word::Name(name));
        } else {
            return None;
        }
    }
    Some(words)
}

struct Parser<'a> {
    words: &'a [Word],
    at: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Option<Query> {
        let mut left = self.all()?;
        while self.eat_name("or") {
            left = Query::Or(Box::new(left), Box::new(self.all()?));
        }
        Some(left)
    }

    fn all(&mut self) -> Option<Query> {
        let mut left = self.one()?;
        while self.eat_name("and") {
            left = Query::And(Box::new(left), Box::new(self.one()?));
        }
        Some(left)
    }

    fn one(&mut self) -> Option<Query> {
        if self.eat_name("not") {
            return Some(Query::Not(Box::new(self.one()?)));
        }
        if self.eat_sign("(") {
            return self.any().filter(|_| self.eat_sign(")"));
        }
        match self.next()? {
            Word::Text(value) => {
                let list = (self.eat_name("in")).then(|| self.name()).flatten()?;
                match list.as_str() {
                    "parents" => Some(Query::InParents(value)),
                    "owners" => Some(Query::InRole(value.to_lowercase(), "owner")),
                    "writers" => Some(Query::InRole(value.to_lowercase(), "writer")),
                    "readers" => Some(Query::InRole(value.to_lowercase(), "reader")),
                    _ => None,
                }
            }
            Word::Name(field) => self.term(&field),
            Word::Sign(_) => None,
        }
    }

    fn term(&mut self, field: &str) -> Option<Query> {
        if field == "sharedWithMe" && !matches!(self.words.get(self.at), Some(Word::Sign(sign)) if sign != ")") {
            return Some(Query::SharedWithMe(true));
        }
        if matches!(field, "properties" | "appProperties") {
            return self.property();
        }
        let operator = match self.next()? {
            Word::Name(name) => name,
            Word::Sign(sign) => sign,
            Word::Text(_) => return None,
        };
        let negate = |query: Query| if operator == "!=" { Query::Not(Box::new(query)) } else { query };
        match (field, operator.as_str(), self.next()?) {
            ("trashed", "=" | "!=", Word::Name(value)) => Some(negate(Query::Trashed(boolean(&value)?))),
            ("sharedWithMe", "=" | "!=", Word::Name(value)) => Some(negate(Query::SharedWithMe(boolean(&value)?))),
            ("name", "=" | "!=", Word::Text(value)) => Some(negate(Query::NameIs(value))),
            ("name", "contains", Word::Text(value)) => Some(Query::NameContains(value)),
            ("fullText", "contains", Word::Text(value)) => Some(Query::FullText(value)),
            ("mimeType", "=" | "!=", Word::Text(value)) => Some(negate(Query::MimeIs(value))),
            ("mimeType", "contains", Word::Text(value)) => Some(Query::MimeContains(value)),
            ("modifiedTime", "<" | "<=" | ">" | ">=" | "=" | "!=", Word::Text(value)) => {
                Some(Query::Time("modifiedTime", operator, clock::parse(&value)?))
            }
            ("createdTime", "<" | "<=" | ">" | ">=" | "=" | "!=", Word::Text(value)) => {
                Some(Query::Time("createdTime", operator, clock::parse(&value)?))
            }
            _ => None,
        }
    }

    /// `has { key='k' and value='v' }`
    fn property(&mut self) -> Option<Query> {
        let mut side = |name: &str, before: &str| {
            let opened =
                if before == "and" { self.eat_name("and") } else { self.eat_name("has") && self.eat_sign("{") };
            let named = opened && self.eat_name(name) && self.eat_sign("=");
            match named.then(|| self.next()).flatten()? {
                Word::Text(value) => Some(value),
                _ => None,
            }
        };
        let (key, value) = (side("key", "has")?, side("value", "and")?);
        self.eat_sign("}").then_some(Query::Property(key, value))
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned()?;
        self.at += 1;
        Some(word)
    }

    fn name(&mut self) -> Option<String> {
        match self.next()? {
            Word::Name(name) => Some(name),
            _ => None,
        }
    }

    fn eat_name(&mut self, wanted: &str) -> bool {
        let found = matches!(self.words.get(self.at), Some(Word::Name(name)) if name.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn eat_sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.words.get(self.at), Some(Word::Sign(sign)) if sign == wanted);
        self.at += usize::from(found);
        found
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_parse_with_precedence_and_quotes() {
        let query =
            Query::parse(r"trashed=false and ('abc' in parents or name contains 'O\'Neil') and not mimeType != 'x'");
        assert!(matches!(query, Ok(Query::And(..))));
        assert_eq!(Query::parse(r#"mimeType="text/plain""#).ok(), Some(Query::MimeIs("text/plain".into())));
        assert_eq!(Query::parse("").ok(), Some(Query::All));
        assert!(matches!(Query::parse("properties has { key='path' and value='a/b.md' }"), Ok(Query::Property(..))));
        assert!(matches!(Query::parse("sharedWithMe and trashed = false"), Ok(Query::And(..))));
    }

    #[test]
    fn what_is_no_query_is_refused_by_name() {
        for bad in ["trashed=maybe", "name contains", "'a' in nowhere", "(trashed=true", "name ~ 'x'", "fullText = 'x'"]
        {
            let error = Query::parse(bad).expect_err(bad);
            assert_eq!((error.status, error.reason), (400, "invalid"), "{bad}");
        }
    }

    #[test]
    fn contains_on_a_name_matches_beginnings_of_words() {
        assert!(has_word_prefix("Q4 strategy", "strat"));
        assert!(!has_word_prefix("Q4 strategy", "rategy"));
        assert!(has_word_prefix("Q4-Strategy", "strategy"));
    }
}
