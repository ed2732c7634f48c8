//! Masking personal data: each piece by the same stand-in wherever it occurs, so that what is left plays as before.

use std::collections::BTreeSet;

use serde_json::Value;

use super::form::Recording;
use super::{RecordingError, form};

/// A recording cannot be masked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// Bytes that are no text have what is to be masked.
    #[error("a body that is no text holds {0:?}: leave that call out, or record another run")]
    Binary(String),
    /// A word is too short to be told from others.
    #[error("{0:?} is too short to be masked: 3 characters at least")]
    Short(String),
    /// What is left is no recording any more.
    #[error(transparent)]
    Form(#[from] RecordingError),
}

/// What is masked: every e-mail address, and the words that are given.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    words: Vec<String>,
}

impl Masks {
    /// Masks these words beside all addresses: names, titles, numbers of customers.
    ///
    /// # Errors
    /// [`MaskError::Short`].
    pub fn new(words: impl IntoIterator<Item = String>) -> Result<Self, MaskError> {
        let mut words: Vec<String> = words.into_iter().filter(|word| !word.trim().is_empty()).collect();
        if let Some(short) = words.iter().find(|word| word.chars().count() < 3) {
            return Err(MaskError::Short(short.clone()));
        }
        // The longest first: "Ada Lovelace" before "Ada".
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.dedup();
        Ok(Self { words })
    }

    /// The recording with stand-ins. It has to be played before it is believed: a stand-in that a connector looks into may
    /// change what it does.
    ///
    /// # Errors
    /// [`MaskError::Binary`] where something to mask lies in what is no text.
    pub fn apply(&self, recording: &Recording) -> Result<Recording, MaskError> {
        let failed = |error: serde_json::Error| MaskError::Form(RecordingError::Form(error.to_string()));
        let mut value = serde_json::to_value(recording).map_err(failed)?;
        let mut addresses = BTreeSet::new();
        texts(&value, &mut |text| addresses.extend(addresses_in(text).into_iter().map(str::to_lowercase)));
        // In the order of what they stand for, and in lower case: what sorts or compares them does as before.
        let mut stand_ins = Vec::new();
        for (number, address) in addresses.into_iter().enumerate() {
            let masked = format!("person-{:03}@example.com", number + 1);
            stand_ins.push((address.replace('@', "%40"), masked.replace('@', "%40")));
            stand_ins.push((address, masked));
        }
        for (number, word) in self.words.iter().enumerate() {
            stand_ins.push((word.clone(), format!("masked-{:03}", number + 1)));
        }
        // A longer one may hold a shorter one.
        stand_ins.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        binary(&value, &stand_ins)?;
        replace(&mut value, &stand_ins);
        Ok(Recording::read(&serde_json::to_string(&value).map_err(failed)?)?)
    }
}

fn texts(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, take)),
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            take(key);
            texts(member, take);
        }),
        _ => {}
    }
}

/// What looks like an address: characters that stand in one around an `@`, with a dot behind it.
fn addresses_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let own = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let host = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    for marker in ["@", "%40"] {
        let mut from = 0;
        while let Some(at) = text[from..].find(marker).map(|at| from + at) {
            let start = text[..at]
                .rfind(|c| !own(c))
                .map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8));
            let after = at + marker.len();
            let end = text[after..].find(|c| !host(c)).map_or(text.len(), |end| after + end);
            let domain = text[after..end].trim_end_matches(['.', '-']);
            // A marker of its own within the local part belongs to a percent-encoded one, found by the other marker.
            let local = &text[start..at];
            if !local.is_empty() && domain.contains('.') && marker == "@" {
                found.push(&text[start..after + domain.len()]);
            }
            from = after;
        }
    }
    found
}

/// Bodies that are no text are not touched, so nothing that is to be masked may be in them.
fn binary(value: &Value, stand_ins: &[(String, String)]) -> Result<(), MaskError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| binary(item, stand_ins)),
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            let content = if key == "base64" {
                form::Content::Base64(member.as_str().unwrap_or_default().into()).bytes()
            } else {
                None
            };
            let Some(bytes) = content else { return binary(member, stand_ins) };
            let found = stand_ins.iter().find(|(word, _)| memchr::memmem::find(&bytes, word.as_bytes()).is_some());
            found.map_or(Ok(()), |(word, _)| Err(MaskError::Binary(word.clone())))
        }),
        _ => Ok(()),
    }
}

fn replace(value: &mut Value, stand_ins: &[(String, String)]) {
    match value {
        Value::String(text) => {
            if let Some(masked) = masked(text, stand_ins) {
                *text = masked;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, stand_ins)),
        Value::Object(members) => {
            let renamed: serde_json::Map<String, Value> = std::mem::take(members)
                .into_iter()
                .map(|(key, mut member)| {
                    replace(&mut member, stand_ins);
                    (masked(&key, stand_ins).unwrap_or(key), member)
                })
                .collect();
            *members = renamed;
        }
        _ => {}
    }
}

/// The text with stand-ins, without regard to case; `None` where nothing is to be masked.
fn masked(text: &str, stand_ins: &[(String, String)]) -> Option<String> {
    let mut now: Option<String> = None;
    for (word, stand_in) in stand_ins {
        let current = now.as_deref().unwrap_or(text);
        let lower = current.to_lowercase();
        // Letters whose lower case has another length are rare, and then the word is looked for as it is.
        let (hay, needle) =
            if lower.len() == current.len() { (lower.as_str(), word.to_lowercase()) } else { (current, word.clone()) };
        if !hay.contains(&needle) {
            continue;
        }
        let mut replaced = String::with_capacity(current.len());
        let mut from = 0;
        while let Some(at) = hay[from..].find(&needle).map(|at| from + at) {
            replaced.push_str(&current[from..at]);
            replaced.push_str(stand_in);
            from = at + needle.len();
        }
        replaced.push_str(&current[from..]);
        now = Some(replaced);
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_where_they_stand() {
        let found = |text| addresses_in(text);
        assert_eq!(
            found("to: Ada.L+x@Mail.Example.org, bob@example.com."),
            ["Ada.L+x@Mail.Example.org", "bob@example.com"]
        );
        assert_eq!(found("<ada@example.com>"), ["ada@example.com"]);
        assert!(found("@handle, a@b, 5 @ 3.00").is_empty());
        assert_eq!(found("é@example.com ü ada@example.com"), ["ada@example.com"]);
    }

    #[test]
    fn a_stand_in_is_the_same_wherever_a_word_stands() {
        let stand_ins = [
            ("ada%40example.com".to_owned(), "person-1%40example.com".to_owned()),
            ("ada@example.com".to_owned(), "person-1@example.com".to_owned()),
            ("Ada Lovelace".to_owned(), "Masked-1".to_owned()),
        ];
        let masked = |text| masked(text, &stand_ins).unwrap_or_else(|| String::from(text));
        assert_eq!(masked("Ada Lovelace <ADA@example.com>"), "Masked-1 <person-1@example.com>");
        assert_eq!(masked("https://x.example/?q=ada%40example.com"), "https://x.example/?q=person-1%40example.com");
        assert_eq!(masked("nothing"), "nothing");
    }
}
