//! A person's word about a write of which nobody knows whether it took effect.

use crate::caller::{Caller, Role};
use crate::error::InvokeError;
use crate::ids::InvocationId;
use crate::ports::{DecisionKind, Settlement, SettlementKind, State, StoreError};
use crate::runtime::Runtime;

use super::decide::not_waiting;
use super::proposal::state_of;

impl Runtime {
    /// Settles a write in doubt, after somebody has looked at the service. [`SettlementKind::Repeat`]: it is not there, and may be
    /// sent once more ([`Runtime::resume`] then goes on). [`SettlementKind::TookEffect`]: it is there; the invocation ends, and
    /// what was to follow is left undone, since what the service answered is lost. Of several who do so at once one succeeds.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`], [`InvokeError::State`] if nothing is in doubt (any more), [`InvokeError::NotDecider`] if
    /// somebody else decides, [`InvokeError::Forbidden`] for a caller without a role.
    pub async fn settle(
        &self,
        caller: &Caller,
        id: &InvocationId,
        kind: SettlementKind,
        note: Option<String>,
    ) -> Result<(), InvokeError> {
        self.settle_shown(caller, id, None, kind, note).await
    }

    /// As [`Runtime::settle`], and only if `shown` is still the digest of the write in doubt.
    ///
    /// # Errors
    /// As [`Runtime::settle`]; [`InvokeError::Void`] if another write is in doubt by now.
    pub async fn settle_shown(
        &self,
        caller: &Caller,
        id: &InvocationId,
        shown: Option<&str>,
        kind: SettlementKind,
        note: Option<String>,
    ) -> Result<(), InvokeError> {
        let settled = self.settle_doubt(caller, id, shown, kind, note).await;
        self.noting_refusal(caller, format!("settling a write in doubt of the invocation {id}"), settled).await
    }

    async fn settle_doubt(
        &self,
        caller: &Caller,
        id: &InvocationId,
        shown: Option<&str>,
        kind: SettlementKind,
        note: Option<String>,
    ) -> Result<(), InvokeError> {
        let record = self.record_for(caller, id).await?;
        if !(caller.is(Role::Member) || caller.is(Role::Approver)) {
            return Err(InvokeError::Forbidden { reason: "settling takes the role member or approver".into() });
        }
        // One more send is as much as an approval; that nothing more is sent, whoever asked may say.
        let as_decision = match kind {
            SettlementKind::Repeat => DecisionKind::Approve,
            SettlementKind::TookEffect => DecisionKind::Deny,
        };
        self.decider_of(&record).await?.admits(caller, &record.caller, as_decision)?;
        let state = state_of(&record);
        let Some(write) = record.in_doubt().filter(|_| state == State::Unknown) else {
            return Err(not_waiting(state));
        };
        if let Some(shown) = shown
            && self.doubt(&record, &write).await?.is_some_and(|doubt| doubt.request.digest != shown)
        {
            return Err(InvokeError::Void { what: "the write in doubt".into() });
        }
        let (by, of) = (caller.subject.clone(), write.effect.request);
        let settlement = Settlement { kind, by, call: write.call, of, note };
        let services = self.services();
        match services.journal.settle(&record.tenant, id, &settlement, services.clock.now()).await {
            Err(StoreError::Conflict { .. }) => {
                let record = services.journal.record(&record.tenant, id).await?;
                Err(not_waiting(state_of(&record)))
            }
            settled => Ok(settled?),
        }
    }
}
