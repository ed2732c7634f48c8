//! What a request carries: its parameters, wherever they stand.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use url::Url;

/// A body whose parameters cannot be told for certain. The guest mends it; sending it again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// Not JSON, or an object that names a key twice: servers differ in which one they take.
    #[error("the JSON body cannot be read in one way only: {0}")]
    Json(String),
    /// A form that is not UTF-8.
    #[error("the form body is not UTF-8 text")]
    Form,
}

/// The parameters of one request: query, then form, JSON (top level) or multipart, each with its name and value.
///
/// Query and form values are strings. A part that is neither text nor JSON has the value null: its bytes are
/// nobody's parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    query: Vec<(String, Value)>,
    body: Vec<(String, Value)>,
    opaque: bool,
}

impl Parameters {
    /// The parameters in a URL's query.
    #[must_use]
    pub fn from_query(url: &Url) -> Self {
        Self { query: url.query_pairs().map(text_pair).collect(), ..Self::default() }
    }

    /// Adds the fields of an `application/x-www-form-urlencoded` body.
    ///
    /// # Errors
    /// [`ParameterError::Form`] if it is not UTF-8.
    pub fn add_form(&mut self, body: &[u8]) -> Result<(), ParameterError> {
        let body = std::str::from_utf8(body).map_err(|_| ParameterError::Form)?;
        self.body.extend(url::form_urlencoded::parse(body.as_bytes()).map(text_pair));
        Ok(())
    }

    /// Adds the top-level members of a JSON body. Any JSON but an object has no parameters and counts as opaque.
    ///
    /// # Errors
    /// [`ParameterError::Json`] for what is not JSON, nested more than 127 deep, or names a key twice.
    pub fn add_json(&mut self, body: &[u8]) -> Result<(), ParameterError> {
        match parse_json(body)? {
            Value::Object(members) => self.body.extend(members),
            _ => self.opaque = true,
        }
        Ok(())
    }

    /// Adds a part of a multipart body.
    ///
    /// # Errors
    /// [`ParameterError::Json`] as [`add_json`](Self::add_json), if `media_type` says that the part is JSON.
    pub fn add_part(&mut self, name: &str, media_type: Option<&str>, bytes: &[u8]) -> Result<(), ParameterError> {
        let kind = media_type.unwrap_or("text/plain").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let value = if kind == "application/json" || kind.ends_with("+json") {
            parse_json(bytes)?
        } else if kind.starts_with("text/") {
            std::str::from_utf8(bytes).map_or(Value::Null, Value::from)
        } else {
            Value::Null
        };
        self.body.push((name.to_owned(), value));
        Ok(())
    }

    /// Says that the body is bytes without parameters: a file, a blob.
    pub fn set_opaque(&mut self) {
        self.opaque = true;
    }

    /// Whether the body is bytes without parameters.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Every parameter, the query's first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.query.iter().chain(&self.body).map(|(name, value)| (name.as_str(), value))
    }

    /// The query's parameters.
    pub fn query(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// These without the body's.
    #[must_use]
    pub fn without_body(&self) -> Self {
        Self { query: self.query.clone(), ..Self::default() }
    }

    /// A name that stands more than once, in the query, in the body or in both.
    #[must_use]
    pub fn doubled(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::new();
        self.iter().map(|(name, _)| name).find(|name| !seen.insert(*name))
    }
}

fn text_pair((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, Value) {
    (name.into_owned(), Value::String(value.into_owned()))
}

/// JSON as every reader must see it: an object that names a key twice is an error, at every depth.
///
/// # Errors
/// [`ParameterError::Json`].
pub(super) fn parse_json(bytes: &[u8]) -> Result<Value, ParameterError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| ParameterError::Json(error.to_string()))
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Strict)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} stands twice")));
            }
            let value = map.next_value_seed(Strict)?;
            members.insert(key, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_found_wherever_they_stand() {
        let url = Url::parse("https://example.com/x?a=1&b=x%20y").expect("a URL");
        let mut parameters = Parameters::from_query(&url);
        parameters.add_form(b"c=%7B%22d%22%3A1%7D").expect("a form");
        parameters.add_json(br#"{"e": {"f": [1, 2.5, null, true]}, "g": "h"}"#).expect("JSON");
        parameters
            .add_part("metadata", Some("application/json; charset=utf-8"), b"{\"name\": \"n\"}")
            .expect("a JSON part");
        parameters.add_part("note", None, b"text").expect("a text part");
        parameters.add_part("file", Some("image/png"), b"\x89PNG").expect("a file");
        let all: Vec<(&str, Value)> = parameters.iter().map(|(name, value)| (name, value.clone())).collect();
        let want = [
            ("a", json!("1")),
            ("b", json!("x y")),
            ("c", json!("{\"d\":1}")),
            ("e", json!({"f": [1, 2.5, null, true]})),
            ("g", json!("h")),
            ("metadata", json!({"name": "n"})),
            ("note", json!("text")),
            ("file", Value::Null),
        ];
        assert_eq!(all, want);
        assert!(!parameters.is_opaque() && parameters.doubled().is_none());
    }

    #[test]
    fn a_doubled_key_is_seen_in_query_body_and_nested_json() {
        let url = Url::parse("https://example.com/x?trashed=false").expect("a URL");
        let mut parameters = Parameters::from_query(&url);
        parameters.add_json(br#"{"trashed": true}"#).expect("JSON");
        assert_eq!(parameters.doubled(), Some("trashed"));
        for body in
            [&br#"{"a": 1, "a": 2}"#[..], br#"{"x": [{"a": 1, "\u0061": 2}]}"#, b"{\"a\": 1} x", b"", b"{", &[0xff]]
        {
            assert!(Parameters::default().add_json(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        assert!(Parameters::default().add_json("[".repeat(100_000).as_bytes()).is_err());
    }
}
