//! Values in columns: JSON for what is only kept, plain words for what queries compare.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fail::{Fail, Outcome};

pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Outcome<String> {
    Ok(serde_json::to_string(value)?)
}

pub(crate) fn unjson<T: DeserializeOwned>(text: &str) -> Outcome<T> {
    Ok(serde_json::from_str(text)?)
}

/// The word of an enum without fields, as serde names it.
pub(crate) fn word<T: Serialize>(value: &T) -> Outcome<String> {
    match serde_json::to_value(value)? {
        Value::String(word) => Ok(word),
        other => Err(Fail::other(format!("{other} is no word"))),
    }
}

pub(crate) fn unword<T: DeserializeOwned>(word: &str) -> Outcome<T> {
    Ok(serde_json::from_value(Value::String(word.into()))?)
}
