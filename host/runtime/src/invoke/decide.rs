//! Decisions about holds: one each, by somebody who may, about exactly what was shown.

use crate::caller::{Caller, Role};
use crate::decider::Decider;
use crate::error::InvokeError;
use crate::ids::InvocationId;
use crate::ports::{Decision, DecisionKind, Record, State, StoreError};
use crate::runtime::Runtime;

use super::proposal::state_of;
use super::recorded::Recorded;

impl Runtime {
    /// Approves or denies a held invocation; durable when it returns. Nothing is sent by it: [`Runtime::resume`] does that.
    ///
    /// [`crate::decider::Decider`] says who decides. Of several who decide at a time one succeeds.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`] for what the caller may not see, [`InvokeError::State`] if it does not wait for a
    /// decision (any more), [`InvokeError::NotDecider`] if somebody else decides, [`InvokeError::Forbidden`] for a caller
    /// without a role.
    pub async fn decide(
        &self,
        caller: &Caller,
        id: &InvocationId,
        kind: DecisionKind,
        note: Option<String>,
    ) -> Result<(), InvokeError> {
        self.decide_shown(caller, id, None, kind, note).await
    }

    /// As [`Runtime::decide`], and only if `shown` is still the digest of the write that is held
    /// ([`crate::tool::ShownWrite::digest`]).
    ///
    /// # Errors
    /// As [`Runtime::decide`]; [`InvokeError::Void`] if another write is held by now.
    pub async fn decide_shown(
        &self,
        caller: &Caller,
        id: &InvocationId,
        shown: Option<&str>,
        kind: DecisionKind,
        note: Option<String>,
    ) -> Result<(), InvokeError> {
        let decided = self.decide_held(caller, id, shown, kind, note).await;
        self.noting_refusal(caller, format!("deciding about the invocation {id}"), decided).await
    }

    async fn decide_held(
        &self,
        caller: &Caller,
        id: &InvocationId,
        shown: Option<&str>,
        kind: DecisionKind,
        note: Option<String>,
    ) -> Result<(), InvokeError> {
        let record = self.record_for(caller, id).await?;
        if !(caller.is(Role::Member) || caller.is(Role::Approver)) {
            return Err(InvokeError::Forbidden { reason: "deciding takes the role member or approver".into() });
        }
        if kind == DecisionKind::Expire {
            return Err(InvokeError::Forbidden { reason: "only time expires a question".into() });
        }
        self.decider_of(&record).await?.admits(caller, &record.caller, kind)?;
        let state = state_of(&record);
        let Some(hold) = Recorded::of(&record).hold.filter(|_| state == State::Held) else {
            return Err(not_waiting(state));
        };
        let now = self.services().clock.now();
        if hold.expires < now {
            self.expire(&record.tenant, id, hold.effect.request).await?;
            return Err(not_waiting(State::Expired));
        }
        if let Some(shown) = shown
            && self.proposal_of(&record).await?.first_write.digest != shown
        {
            return Err(InvokeError::Void { what: "the write that waits".into() });
        }
        let own = caller.is_same_person(&record.caller);
        let decision = Decision { kind, by: caller.subject.clone(), own, of: hold.effect.request, note };
        match self.services().journal.decide(&record.tenant, id, &decision, now).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict { .. }) => {
                let record = self.services().journal.record(&record.tenant, id).await?;
                Err(not_waiting(state_of(&record)))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn decider_of(&self, record: &Record) -> Result<Decider, InvokeError> {
        let directory = &self.services().directory;
        let connection = directory.connection(&record.tenant, &record.connection).await?;
        Ok(Decider::of(&connection, directory.tenant_rules(&record.tenant).await?))
    }
}

/// It is in a state in which nobody can decide.
pub(super) fn not_waiting(state: State) -> InvokeError {
    let message = match state {
        State::Held => "it waits for a decision",
        State::Planned | State::Running => "it is running",
        State::Approved => "it was approved already: it can be resumed",
        State::Denied => "somebody denied it; propose it anew",
        State::Expired => "nobody decided in time; propose it anew",
        State::Unknown => {
            "one of its writes may or may not have taken effect: look at the service, then say whether it is there"
        }
        State::Succeeded | State::Failed | State::Diverged => "it has ended; propose it anew",
    };
    InvokeError::State { state: word(state).into(), message: message.into() }
}

fn word(state: State) -> &'static str {
    match state {
        State::Planned => "planned",
        State::Running => "running",
        State::Held => "held",
        State::Approved => "approved",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::Denied => "denied",
        State::Expired => "expired",
        State::Diverged => "diverged",
        State::Unknown => "unknown",
    }
}
