//! Parameters, wherever they are sent: query, form or JSON body. The body wins.

use super::{error::TrelloError, state::Place};
use crate::{clock, world::World};
use axum::extract::{FromRequest, Request};
use http::header;
use http_body_util::BodyExt;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use time::OffsetDateTime;

/// Descriptions and comments hold this many characters at most (Trello REST docs, cards and actions).
const LONGEST_TEXT: usize = 16_384;

/// All parameters of a request, as text.
#[derive(Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// A parameter that was sent and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// A parameter that was sent, perhaps empty: to clear a field.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, TrelloError> {
        match self.get(name) {
            None => Ok(default),
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => Err(TrelloError::value(name)),
        }
    }

    /// A name: sent, not blank, and no longer than the service stores.
    pub(crate) fn name(&self) -> Result<&str, TrelloError> {
        let name = self.get("name").filter(|name| !name.trim().is_empty() && name.chars().count() <= LONGEST_TEXT);
        name.ok_or_else(|| TrelloError::value("name"))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, TrelloError> {
        let text = self.raw(name).unwrap_or_default();
        if text.chars().count() <= LONGEST_TEXT { Ok(text) } else { Err(TrelloError::value(name)) }
    }

    pub(crate) fn place(&self, default: Place) -> Result<Place, TrelloError> {
        self.get("pos").map_or(Ok(default), |text| Place::parse(text).ok_or_else(|| TrelloError::value("pos")))
    }

    /// A date, `None` to clear it; the outer `None` if it was not sent.
    pub(crate) fn date(&self, name: &str) -> Result<Option<Option<OffsetDateTime>>, TrelloError> {
        match self.raw(name) {
            None => Ok(None),
            Some("" | "null") => Ok(Some(None)),
            Some(text) => clock::parse(text).map(|at| Some(Some(at))).ok_or_else(|| TrelloError::value(name)),
        }
    }

    /// Comma-separated ids.
    pub(crate) fn ids(&self, name: &str) -> Option<Vec<String>> {
        self.raw(name).map(|ids| ids.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect())
    }

    /// How many are wanted, at most 1000.
    pub(crate) fn limit(&self, default: usize) -> Result<usize, TrelloError> {
        let Some(text) = self.get("limit") else { return Ok(default) };
        text.parse().ok().filter(|limit| (0..=1000).contains(limit)).ok_or_else(|| TrelloError::value("limit"))
    }

    /// A bound of a page as the beginning of an id: an id is its own, a date is the id of its second.
    pub(crate) fn bound(&self, name: &str) -> Result<Option<String>, TrelloError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        if is_object_id(text) {
            return Ok(Some(text.to_lowercase()));
        }
        let at = clock::parse(text).ok_or_else(|| TrelloError::value(name))?;
        let seconds = u32::try_from(at.unix_timestamp()).map_err(|_| TrelloError::value(name))?;
        Ok(Some(format!("{seconds:08x}0000000000000000")))
    }
}

pub(crate) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl FromRequest<Arc<World>> for Params {
    type Rejection = TrelloError;

    async fn from_request(request: Request, _: &Arc<World>) -> Result<Self, TrelloError> {
        let (head, body) = request.into_parts();
        let mut all: BTreeMap<String, String> =
            form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let body = body.collect().await.map_err(|_| TrelloError::Broken(400))?.to_bytes();
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") && !body.is_empty() {
            let unreadable = || TrelloError::InvalidValue("Invalid JSON".to_owned());
            let Value::Object(fields) = serde_json::from_slice(&body).map_err(|_| unreadable())? else {
                return Err(unreadable());
            };
            for (name, value) in fields {
                flatten(&mut all, name, value);
            }
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            all.extend(form_urlencoded::parse(&body).into_owned());
        }
        Ok(Self(all))
    }
}

/// Lists become comma-separated, objects `outer/inner`: the forms that the query has for them.
fn flatten(all: &mut BTreeMap<String, String>, name: String, value: Value) {
    let text = match value {
        Value::Object(inner) => {
            return inner.into_iter().for_each(|(key, value)| flatten(all, format!("{name}/{key}"), value));
        }
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(","),
        other => scalar(&other),
    };
    all.insert(name, text);
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
