//! What a record says: its entries, and the state that follows from them.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{BodyRef, Plan};
use crate::ids::{CapabilityId, SubjectId, Timestamp};

/// A host call that reaches the outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// `GET`, `POST`, …
    pub method: String,
    /// Scheme, host and path as the connector said it, without query: what may stand in a log.
    pub target: String,
    /// The route template that allowed it.
    pub route: String,
    /// The capability that it belongs to.
    pub capability: CapabilityId,
    /// The whole request (method, URL, headers, body), sealed: of a write in its canonical form, of a read as it was asked.
    pub request: BodyRef,
}

/// How far a write got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectState {
    /// Recorded; nothing was sent.
    Intent,
    /// Durable before the first byte left. After a crash this is `unknown`.
    Sent,
    /// Answered.
    Confirmed,
    /// Known to have had no effect.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// Why an execution ended at a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Index of the host call.
    pub call: u32,
    /// The write, exactly.
    pub effect: Effect,
    /// Reasons that a person can read.
    pub reasons: Vec<String>,
    /// After this a decision no longer counts.
    pub expires: Timestamp,
}

/// What a person (or policy) said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionKind {
    /// Do it.
    Approve,
    /// Don't.
    Deny,
    /// Nobody decided in time.
    Expire,
}

/// A decision about a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was said.
    pub kind: DecisionKind,
    /// Who said it.
    pub by: SubjectId,
    /// Whether that is the person who asked, as far as subjects and addresses tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// The hold that was shown: call index and hash of its request. A different hold voids the decision.
    pub of: BodyRef,
    /// A remark, for the record.
    pub note: Option<String>,
}

/// What a person says of a write of which nobody knows whether it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettlementKind {
    /// It is not there: it may be sent once more.
    Repeat,
    /// It is there: nothing is sent, and what was to follow is left undone.
    TookEffect,
}

/// A person's word about a write in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// What they said.
    pub kind: SettlementKind,
    /// Who.
    pub by: SubjectId,
    /// Which host call.
    pub call: u32,
    /// The write that was shown. Another one in doubt voids the word.
    pub of: BodyRef,
    /// A remark, for the record.
    pub note: Option<String>,
}

/// Where a replay left its record: the two requests side by side, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Index of the host call.
    pub call: u32,
    /// The import that the record has there, if it has one.
    pub recorded_import: Option<String>,
    /// What the record has there.
    pub recorded: Option<BodyRef>,
    /// The import that was called.
    pub asked_import: Option<String>,
    /// What was asked for.
    pub asked: Option<BodyRef>,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum End {
    /// With a result, sealed.
    Succeeded {
        /// The output (JSON), if the export gives one.
        output: Option<BodyRef>,
    },
    /// The export gave up, or the host stopped it.
    Failed {
        /// Stable code.
        code: String,
        /// For people.
        message: String,
        /// Whose fault.
        blame: crate::blame::Blame,
    },
    /// A person said no.
    Denied,
    /// Nobody said anything in time.
    Expired,
    /// The replay asked for something else than its record.
    Diverged {
        /// What differed.
        message: String,
        /// Where, with both requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Box<Divergence>>,
    },
    /// A write was sent and nobody knows whether it took effect.
    Unknown {
        /// Which call.
        call: u32,
    },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The first entry.
    Planned(Box<Plan>),
    /// An execution began (`run` counts from 1); `replayed` calls are answered from the record.
    Started {
        /// Which execution.
        run: u32,
        /// How many recorded calls it starts with.
        replayed: u32,
    },
    /// A host call that is no write: clock, random, credentials, a read. Recorded with its answer.
    Call {
        /// Index in the execution.
        call: u32,
        /// The import, as `interface.function`.
        import: String,
        /// For a read that went out: what it was.
        effect: Option<Effect>,
        /// Canonical arguments, sealed.
        arguments: BodyRef,
        /// The answer, sealed.
        answer: BodyRef,
    },
    /// A write, as far as it got. Later entries of the same call supersede earlier ones.
    Write {
        /// Index in the execution.
        call: u32,
        /// How far.
        state: EffectState,
        /// The write; present at `Intent` (or at `Sent` where nobody was asked).
        effect: Option<Effect>,
        /// The answer; present at `Confirmed` and `Failed`.
        answer: Option<BodyRef>,
    },
    /// The execution ended at a write that needs approval.
    Held(Hold),
    /// Someone decided.
    Decided(Decision),
    /// Someone said what became of a write in doubt. It opens an invocation again that ended as `unknown`.
    Settled(Settlement),
    /// The last entry.
    Ended(End),
}

impl Event {
    /// The bodies that it names.
    #[must_use]
    pub fn bodies(&self) -> Vec<&BodyRef> {
        match self {
            Self::Planned(plan) => plan.arguments.iter().chain(&plan.context).collect(),
            Self::Call { effect, arguments, answer, .. } => {
                effect.iter().map(|effect| &effect.request).chain([arguments, answer]).collect()
            }
            Self::Write { effect, answer, .. } => {
                effect.iter().map(|effect| &effect.request).chain(answer.as_ref()).collect()
            }
            Self::Held(hold) => vec![&hold.effect.request],
            Self::Decided(decision) => vec![&decision.of],
            Self::Settled(settlement) => vec![&settlement.of],
            Self::Ended(End::Succeeded { output }) => output.iter().collect(),
            Self::Ended(End::Diverged { at: Some(at), .. }) => at.recorded.iter().chain(&at.asked).collect(),
            Self::Started { .. } | Self::Ended(_) => Vec::new(),
        }
    }
}

/// Which of them, by the name in `event`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tag {
    Planned,
    Started,
    Call,
    Write,
    Held,
    Decided,
    Settled,
    Ended,
}

impl Tag {
    /// Reads what stands beside the tag.
    fn read<'de, D: Deserializer<'de>>(self, from: D) -> Result<Event, D::Error> {
        #[derive(Deserialize)]
        struct Started {
            run: u32,
            replayed: u32,
        }
        #[derive(Deserialize)]
        struct Call {
            call: u32,
            import: String,
            effect: Option<Effect>,
            arguments: BodyRef,
            answer: BodyRef,
        }
        #[derive(Deserialize)]
        struct Write {
            call: u32,
            state: EffectState,
            effect: Option<Effect>,
            answer: Option<BodyRef>,
        }
        Ok(match self {
            Self::Planned => Event::Planned(Deserialize::deserialize(from)?),
            Self::Started => {
                let Started { run, replayed } = Deserialize::deserialize(from)?;
                Event::Started { run, replayed }
            }
            Self::Call => {
                let Call { call, import, effect, arguments, answer } = Deserialize::deserialize(from)?;
                Event::Call { call, import, effect, arguments, answer }
            }
            Self::Write => {
                let Write { call, state, effect, answer } = Deserialize::deserialize(from)?;
                Event::Write { call, state, effect, answer }
            }
            Self::Held => Event::Held(Deserialize::deserialize(from)?),
            Self::Decided => Event::Decided(Deserialize::deserialize(from)?),
            Self::Settled => Event::Settled(Deserialize::deserialize(from)?),
            Self::Ended => Event::Ended(Deserialize::deserialize(from)?),
        })
    }
}

/// What serde would derive sets every member aside until it has found the tag, which takes four times as long: a record of a
/// hundred calls is read between an approval and its write. Here the tag is read where it is written, first; only where
/// somebody else has put the members in another order are they set aside.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        const TAG: &str = "event";
        struct Tagged;
        impl<'de> Visitor<'de> for Tagged {
            type Value = Event;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the member `event`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
                let mut aside = Map::new();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    if name == TAG && aside.is_empty() {
                        return map.next_value::<Tag>()?.read(MapAccessDeserializer::new(map));
                    }
                    aside.insert(name.into_owned(), map.next_value()?);
                }
                let tag = aside.remove(TAG).ok_or_else(|| A::Error::missing_field(TAG))?;
                let tag = Tag::deserialize(tag).map_err(A::Error::custom)?;
                tag.read(Value::Object(aside)).map_err(A::Error::custom)
            }
        }
        from.deserialize_map(Tagged)
    }
}

/// An event in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the invocation, from 0, without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Where an invocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the words are design terms, defined in ARCHITECTURE.md
pub enum State {
    Planned,
    Running,
    Held,
    Approved,
    Succeeded,
    Failed,
    Denied,
    Expired,
    Diverged,
    Unknown,
}

impl State {
    /// The state that an entry leads to, if it changes it.
    #[must_use]
    pub fn after(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Planned(_) => Self::Planned,
            Event::Started { .. } => Self::Running,
            Event::Held(_) => Self::Held,
            Event::Decided(Decision { kind, .. }) => match kind {
                DecisionKind::Approve => Self::Approved,
                DecisionKind::Deny => Self::Denied,
                DecisionKind::Expire => Self::Expired,
            },
            Event::Settled(Settlement { kind, .. }) => match kind {
                SettlementKind::Repeat => Self::Approved,
                SettlementKind::TookEffect => Self::Failed,
            },
            Event::Ended(end) => match end {
                End::Succeeded { .. } => Self::Succeeded,
                End::Failed { .. } => Self::Failed,
                End::Denied => Self::Denied,
                End::Expired => Self::Expired,
                End::Diverged { .. } => Self::Diverged,
                End::Unknown { .. } => Self::Unknown,
            },
            Event::Call { .. } | Event::Write { .. } => return None,
        })
    }

    /// True if nothing more can happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Planned | Self::Running | Self::Held | Self::Approved)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::blame::Blame;

    fn every_event() -> Vec<Event> {
        let body = |byte: u8| BodyRef { hash: hex::encode([byte; 16]), size: 7 };
        let effect = Effect {
            method: "GET".into(),
            target: "https://hello.example/v1/notes/n1".into(),
            route: "GET {api}/v1/notes/{id}".into(),
            capability: CapabilityId::new("notes.read").expect("an id"),
            request: body(1),
        };
        let plan = json!({
            "standing": { "export": "tool", "tool": "read_note" }, "connector": "hello", "component": "00".repeat(32),
            "account": "u1", "capabilities": ["notes.read"], "arguments": body(2), "seed": "07".repeat(32), "started": 5,
            "recording": 2, "context": null,
        });
        let by = SubjectId::new("ann");
        let failed = End::Failed { code: "trap".into(), message: "\"it\" fell".into(), blame: Blame::Guest };
        let at =
            Divergence { call: 3, recorded_import: None, recorded: None, asked_import: None, asked: Some(body(3)) };
        let decision = Decision { kind: DecisionKind::Deny, by: by.clone(), own: true, of: body(1), note: None };
        let settlement = Settlement { kind: SettlementKind::Repeat, by, call: 2, of: body(1), note: Some("é".into()) };
        let call =
            |effect| Event::Call { call: 1, import: "http.send".into(), effect, arguments: body(1), answer: body(4) };
        vec![
            Event::Planned(serde_json::from_value(plan).expect("a plan")),
            Event::Started { run: 1, replayed: 0 },
            call(Some(effect.clone())),
            call(None),
            Event::Write { call: 2, state: EffectState::Sent, effect: None, answer: None },
            Event::Write { call: 2, state: EffectState::Intent, effect: Some(effect.clone()), answer: Some(body(5)) },
            Event::Held(Hold { call: 2, effect, reasons: vec!["it writes".into()], expires: Timestamp(9) }),
            Event::Decided(decision),
            Event::Settled(settlement),
            Event::Ended(End::Succeeded { output: Some(body(6)) }),
            Event::Ended(failed),
            Event::Ended(End::Denied),
            Event::Ended(End::Diverged { message: "it parts".into(), at: Some(Box::new(at)) }),
        ]
    }

    #[test]
    fn every_event_is_read_as_it_was_written_wherever_its_tag_stands() {
        for event in every_event() {
            let text = serde_json::to_string(&event).expect("JSON");
            assert!(text.starts_with("{\"event\":"), "{text}");
            assert_eq!(serde_json::from_str::<Event>(&text).expect("an event"), event);
            let Value::Object(mut members) = serde_json::from_str(&text).expect("JSON") else { panic!("{text}") };
            assert_eq!(Event::deserialize(Value::Object(members.clone())).expect("in any order"), event);
            let tag = members.remove("event").expect("a tag");
            let last = serde_json::to_string(&members).expect("JSON");
            let last =
                format!("{}{}\"event\":{tag}}}", &last[..last.len() - 1], if members.is_empty() { "" } else { "," });
            assert_eq!(serde_json::from_str::<Event>(&last).expect("the tag last"), event, "{last}");
            let without = serde_json::to_string(&members).expect("JSON");
            let missing = serde_json::from_str::<Event>(&without).expect_err("no tag").to_string();
            assert!(missing.contains("missing field `event`"), "{missing}");
        }
        assert!(serde_json::from_str::<Event>(r#"{"event":"paused"}"#).is_err(), "no such event");
        assert!(serde_json::from_str::<Event>(r#"{"event":"started","run":1}"#).is_err(), "a member is missing");
    }
}
