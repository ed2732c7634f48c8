//! Partial responses: the `fields` parameter, `kind,files(id,owners/emailAddress),*`.
//!
//! A mask without `nextPageToken` leaves it out, and paging ends after the first page without a word: the real
//! service does the same.

use super::error::DriveError;
use serde_json::{Map, Value};

/// What is selected of an object. No children: all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mask {
    fields: Vec<(String, Mask)>,
}

impl Mask {
    /// Parses a mask; the top level's names must be among `known`, and those of the list that `inside` names too.
    pub(crate) fn parse(text: &str, known: &[&str], inside: Option<(&str, &[&str])>) -> Result<Self, DriveError> {
        let mut parser = Parser { rest: text };
        let mask = parser.fields().filter(|_| parser.rest.is_empty()).ok_or_else(|| DriveError::bad_field(text))?;
        mask.check(known)?;
        if let Some((list, known)) = inside {
            mask.fields.iter().filter(|(name, _)| name == list).try_for_each(|(_, mask)| mask.check(known))?;
        }
        Ok(mask)
    }

    fn check(&self, known: &[&str]) -> Result<(), DriveError> {
        let strange = self.fields.iter().find(|(name, _)| name != "*" && !known.contains(&name.as_str()));
        strange.map_or(Ok(()), |(name, _)| Err(DriveError::bad_field(name)))
    }

    /// The selection inside a field, if the field is selected at all.
    pub(crate) fn inside(&self, field: &str) -> Option<&Mask> {
        static ALL: Mask = Mask { fields: Vec::new() };
        if self.fields.is_empty() {
            return Some(&ALL);
        }
        self.fields.iter().find(|(name, _)| name == field || name == "*").map(|(_, mask)| mask)
    }

    /// Whether a field is selected; lets costly ones be left out.
    pub(crate) fn wants(&self, field: &str) -> bool {
        self.inside(field).is_some()
    }

    pub(crate) fn apply(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.apply(item)).collect(),
            Value::Object(object) => {
                let kept =
                    object.iter().filter_map(|(name, value)| Some((name.clone(), self.inside(name)?.apply(value))));
                Value::Object(kept.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn fields(&mut self) -> Option<Mask> {
        let mut mask = Mask::default();
        loop {
            let (name, inner) = self.field()?;
            match mask.fields.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => known.fields.extend(inner.fields),
                None => mask.fields.push((name, inner)),
            }
            if !self.eat(',') {
                return Some(mask);
            }
        }
    }

    fn field(&mut self) -> Option<(String, Mask)> {
        let end = self.rest.find([',', '/', '(', ')']).unwrap_or(self.rest.len());
        let name = self.rest[..end].trim().to_owned();
        self.rest = &self.rest[end..];
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '*' || c == '_' || c == '-') {
            return None;
        }
        let inner = if self.eat('/') {
            let (name, inner) = self.field()?;
            Mask { fields: vec![(name, inner)] }
        } else if self.eat('(') {
            let inner = self.fields()?;
            if !self.eat(')') {
                return None;
            }
            inner
        } else {
            Mask::default()
        };
        Some((name, inner))
    }

    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KNOWN: &[&str] = &["kind", "nextPageToken", "files"];

    #[test]
    fn a_mask_keeps_what_it_names() {
        let whole = json!({"kind": "k", "nextPageToken": "t", "files": [{"id": 1, "name": "n", "owners": [{"me": true, "emailAddress": "a"}]}]});
        let apply = |mask: &str| Mask::parse(mask, KNOWN, None).expect("a good mask").apply(&whole);
        assert_eq!(apply("*"), whole);
        assert_eq!(
            apply("files(id,owners/emailAddress)"),
            json!({"files": [{"id": 1, "owners": [{"emailAddress": "a"}]}]})
        );
        assert_eq!(apply("files/id,nextPageToken"), json!({"nextPageToken": "t", "files": [{"id": 1}]}));
        assert_eq!(apply("files/id,files/name")["files"][0], json!({"id": 1, "name": "n"}));
    }

    #[test]
    fn an_unknown_or_malformed_mask_is_refused() {
        for bad in ["nope", "files(id", "files(id))", "", "files/", "kind,,files"] {
            assert!(Mask::parse(bad, KNOWN, None).is_err(), "{bad}");
        }
        assert!(Mask::parse("files(nope)", KNOWN, Some(("files", &["id"]))).is_err());
    }
}
