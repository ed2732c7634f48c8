//! Which write of a tool call goes out, which asks a person first.

use serde_json::Value;

use crate::connection::Setting;
use crate::egress::Authorised;
use crate::host::{Answer, Failed};
use crate::ports::{BodyRef, Hold};

use super::bounds::Bounds;
use super::words::Words;

/// What happens to a write.
#[derive(Debug)]
pub(super) enum Ruling {
    /// It goes out.
    Send,
    /// A person is asked; reasons that they can read.
    Hold(Vec<String>),
    /// It never goes out; the guest may go on.
    Refuse(Failed),
    /// What was approved is not what would happen.
    Void(String),
}

/// The gate of one tool call.
#[derive(Debug)]
pub(super) struct Gate {
    /// Writes in all.
    pub(super) max_writes: u32,
    /// The strictest setting of the tool's capabilities.
    pub(super) setting: Setting,
    /// The grant's `writes_per_day`.
    pub(super) writes_per_day: Option<u32>,
    /// The grant's `containers`.
    pub(super) bounds: Option<Bounds>,
    /// `None`: policy lets writes go out unasked, where the grant's setting is `auto`. Else why a person is asked.
    pub(super) ask: Option<Vec<String>>,
    /// Holds that were approved, each an exact write.
    pub(super) approved: Vec<Hold>,
    /// The first write must be this one, wherever it comes: the call runs afresh.
    pub(super) first: Option<BodyRef>,
    /// What later writes may say.
    pub(super) words: Words,
    /// Writes so far.
    pub(super) made: u32,
    /// Whether the write before this one was made under an approval.
    pub(super) opened: bool,
}

impl Gate {
    /// Judges a write. `name` is the keyed hash of its canonical form.
    pub(super) fn rule(&self, call: u32, name: &BodyRef, write: &Authorised) -> Ruling {
        if self.max_writes == 0 {
            return Ruling::Refuse(Failed::denied(
                "read-only-tool",
                "this tool's manifest declares no writes (max_writes)",
            ));
        }
        if let Some(first) = &self.first {
            return if first.is(name) { Ruling::Send } else { Ruling::Void("the first write".into()) };
        }
        if self.approved.iter().any(|hold| hold.call == call && hold.effect.request.is(name)) {
            return Ruling::Send;
        }
        if self.made >= self.max_writes {
            return Ruling::Hold(vec![format!(
                "this is write {} of a tool that declares {}",
                self.made + 1,
                self.max_writes
            )]);
        }
        if self.opened {
            let beyond = self.beyond(write);
            return if beyond.is_empty() { Ruling::Send } else { Ruling::Hold(beyond) };
        }
        match (self.setting, &self.ask) {
            (Setting::Deny, _) => {
                let capability = write.capability();
                Ruling::Refuse(Failed::denied("denied", format!("the grant denies {capability}")))
            }
            (Setting::Auto, None) => Ruling::Send,
            (Setting::Ask, None) => Ruling::Hold(vec![format!("writes of {} ask a person", write.capability())]),
            (_, Some(reasons)) => Ruling::Hold(reasons.clone()),
        }
    }

    /// In what a later write leaves the envelope: places and text that nobody approved.
    fn beyond(&self, write: &Authorised) -> Vec<String> {
        let mut beyond = Vec::new();
        let bound = write.bind_values();
        for (place, value) in &bound {
            if !self.words.names(value) {
                let value = shorten(value);
                beyond.push(format!("{place} names {value:?}, which was not approved and not created by this call"));
            }
        }
        // What names a place was judged as such, also where several stand in one value with commas between them.
        let is_bound =
            |text: &str| !text.is_empty() && text.split(',').all(|one| bound.iter().any(|(_, own)| own == one.trim()));
        let carried = write.parameters().iter().map(|(_, value)| value.clone());
        let beside = write.texts().iter().map(|text| Value::from(text.as_str()));
        let segments = write.segments().map(|(_, value)| Value::from(value));
        for value in carried.chain(beside).chain(segments) {
            if let Some(text) = self.words.unapproved(&value, &is_bound) {
                let reason = format!("it carries what was not approved: {:?}", shorten(&text));
                if !beyond.contains(&reason) {
                    beyond.push(reason);
                }
            }
        }
        beyond
    }

    /// A write was made, or was made in an earlier execution.
    pub(super) fn made(&mut self, call: u32, name: &BodyRef, write: &Authorised, answer: &Answer) {
        let by_person = self.first.take().is_some()
            || self.approved.iter().any(|hold| hold.call == call && hold.effect.request.is(name));
        if by_person {
            self.opened = true;
            write.parameters().iter().for_each(|(_, value)| self.words.approve(value));
        }
        self.made += 1;
        if let Some(bounds) = &mut self.bounds {
            bounds.made(answer);
        }
        if let Some(value) = answer.as_ref().ok().and_then(|got| serde_json::from_slice::<Value>(&got.body).ok()) {
            self.words.created(&value);
        }
    }
}

pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
