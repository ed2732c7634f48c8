//! Text with placeholders in braces.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{ValueError, as_string};

/// Text with placeholders, as `Bearer {token}`: a placeholder is a name of letters, digits, `_`, `-` and `.` in braces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(String),
}

impl Template {
    /// The names of the placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with every placeholder replaced, or the name of the first that `value` does not know.
    ///
    /// # Errors
    /// The placeholder's name.
    pub fn render(&self, mut value: impl FnMut(&str) -> Option<String>) -> Result<String, &str> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Placeholder(name) => text.push_str(&value(name).ok_or(name.as_str())?),
            }
        }
        Ok(text)
    }
}

impl FromStr for Template {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = || ValueError(format!("{text:?} has a brace without its name: write a placeholder as {{token}}"));
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (plain, after) = rest.split_at(open);
            let (name, after) = after[1..].split_once('}').ok_or_else(bad)?;
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
            if name.is_empty() || plain.contains('}') || !name.chars().all(letters) {
                return Err(bad());
            }
            if !plain.is_empty() {
                parts.push(Part::Text(plain.to_owned()));
            }
            parts.push(Part::Placeholder(name.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(bad());
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

as_string!(Template);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_and_unknown_ones_named() {
        let template: Template = r#"OAuth key="{client.key}", token="{token}""#.parse().expect("a template");
        assert_eq!(template.placeholders().collect::<Vec<_>>(), ["client.key", "token"]);
        let rendered = template.render(|name| Some(name.to_uppercase()));
        assert_eq!(rendered.as_deref(), Ok(r#"OAuth key="CLIENT.KEY", token="TOKEN""#));
        assert_eq!(template.render(|name| (name == "token").then(String::new)), Err("client.key"));
        for bad in ["{", "}", "{}", "{a b}", "a}{b}", "{a"] {
            assert!(bad.parse::<Template>().is_err(), "{bad:?}");
        }
    }
}
