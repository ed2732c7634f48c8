//! A record as a replay reads it.

use std::collections::BTreeMap;

use crate::ports::{
    BodyRef, Decision, DecisionKind, Effect, EffectState, Event, Hold, Plan, Record, Settlement, SettlementKind,
    WriteSummary,
};

/// A host call of an earlier execution.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// No write.
    Call { import: String, arguments: BodyRef, answer: BodyRef },
    /// A write, as far as it got.
    Write { effect: Effect, state: EffectState, answer: Option<BodyRef> },
}

/// What executions so far did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    calls: BTreeMap<u32, Made>,
    /// Holds that were approved, in order.
    pub(crate) approved: Vec<Hold>,
    /// The decision about each of them.
    approvals: Vec<Decision>,
    /// The last hold, decided or not.
    pub(crate) hold: Option<Hold>,
    /// When it was made.
    pub(crate) held_at: crate::ids::Timestamp,
    /// The last decision.
    pub(crate) decision: Option<Decision>,
    /// The last word about a write in doubt.
    pub(crate) settlement: Option<Settlement>,
    /// Executions so far.
    pub(crate) runs: u32,
}

impl Recorded {
    /// Reads the entries. An execution that ran afresh replaces the calls of those before it.
    pub(crate) fn of(record: &Record) -> Self {
        let mut recorded = Self::default();
        for entry in &record.entries {
            match &entry.event {
                Event::Planned(_) | Event::Ended(_) => {}
                Event::Started { run, replayed } => {
                    recorded.runs = *run;
                    if *replayed == 0 {
                        recorded.calls.clear();
                    }
                }
                Event::Call { call, import, arguments, answer, .. } => {
                    let (import, arguments, answer) = (import.clone(), arguments.clone(), answer.clone());
                    recorded.calls.insert(*call, Made::Call { import, arguments, answer });
                }
                Event::Write { call, state, effect, answer } => recorded.write(*call, *state, effect, answer),
                Event::Settled(settled) => {
                    // One more send, or none ever: either way it is not in doubt any more.
                    let state = match settled.kind {
                        SettlementKind::Repeat => EffectState::Intent,
                        SettlementKind::TookEffect => EffectState::Confirmed,
                    };
                    if let Some(Made::Write { state: known, .. }) = recorded.calls.get_mut(&settled.call) {
                        *known = state;
                    }
                    recorded.settlement = Some(settled.clone());
                }
                Event::Held(hold) => {
                    recorded.hold = Some(hold.clone());
                    recorded.held_at = entry.at;
                }
                Event::Decided(decision) => {
                    if let (DecisionKind::Approve, Some(hold)) = (decision.kind, &recorded.hold) {
                        recorded.approved.push(hold.clone());
                        recorded.approvals.push(decision.clone());
                    }
                    recorded.decision = Some(decision.clone());
                }
            }
        }
        recorded
    }

    fn write(&mut self, call: u32, state: EffectState, effect: &Option<Effect>, answer: &Option<BodyRef>) {
        if let Some(effect) = effect {
            self.calls.insert(call, Made::Write { effect: effect.clone(), state, answer: answer.clone() });
        } else if let Some(Made::Write { state: known, answer: told, .. }) = self.calls.get_mut(&call) {
            *known = state;
            told.clone_from(answer);
        }
    }

    pub(crate) fn call(&self, call: u32) -> Option<&Made> {
        self.calls.get(&call)
    }

    /// How many calls a replay is answered from the record.
    pub(crate) fn len(&self) -> u32 {
        self.calls.last_key_value().map_or(0, |(last, _)| last + 1)
    }

    /// Every call, in order.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (&u32, &Made)> {
        self.calls.iter()
    }

    /// The hold that nobody has let through, if the last one is such.
    pub(crate) fn waits(&self) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| self.call(hold.call).is_none())
    }

    /// Its writes, in order.
    pub(crate) fn writes(&self) -> Vec<WriteSummary> {
        self.calls
            .iter()
            .filter_map(|(call, made)| match made {
                Made::Write { effect, state, .. } => {
                    Some(WriteSummary { call: *call, effect: effect.clone(), state: *state })
                }
                Made::Call { .. } => None,
            })
            .collect()
    }

    /// Approvals of writes that are not known to be made: what they let through may still be sent.
    pub(crate) fn open_approvals(&self) -> impl Iterator<Item = &Decision> {
        let made = |call| matches!(self.call(call), Some(Made::Write { state: EffectState::Confirmed, .. }));
        let approved = self.approved.iter().zip(&self.approvals);
        approved.filter(move |(hold, _)| !made(hold.call)).map(|(_, decision)| decision)
    }

    /// True if a byte may have left.
    pub(crate) fn wrote(&self) -> bool {
        self.writes().iter().any(|write| write.state != EffectState::Intent && write.state != EffectState::Failed)
    }

    /// A write that was sent and has no answer.
    pub(crate) fn in_doubt(&self) -> Option<WriteSummary> {
        self.writes().into_iter().find(|write| matches!(write.state, EffectState::Sent | EffectState::Unknown))
    }
}

/// [`Record::in_doubt`].
pub(crate) fn in_doubt(record: &Record) -> Option<WriteSummary> {
    Recorded::of(record).in_doubt()
}

/// The first entry.
pub(crate) fn plan(record: &Record) -> Option<&Plan> {
    record.entries.first().and_then(|entry| match &entry.event {
        Event::Planned(plan) => Some(&**plan),
        _ => None,
    })
}
