//! After a restart, and now and then: what time or a crash has decided.

use crate::authority::Authority;
use crate::error::InvokeError;
use crate::ids::{InvocationId, TenantId};
use crate::ports::{Filter, Standing, State, StoreError};
use crate::runtime::Runtime;

use super::proposal::state_of;
use super::recorded::Recorded;

/// What [`Runtime::recover`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Questions that nobody answered in time.
    pub expired: Vec<InvocationId>,
    /// Invocations that were cut off after a write was sent: a person has to look at the service.
    pub unknown: Vec<InvocationId>,
    /// Invocations that were cut off before anybody was asked; they have ended as failed.
    pub interrupted: Vec<InvocationId>,
    /// Approved invocations that can be resumed ([`Runtime::resume_as_host`]).
    pub resumable: Vec<InvocationId>,
}

impl Runtime {
    /// Settles what crashed processes and passing time left open in a tenant. What a living process works on is left
    /// alone. Nothing is sent.
    ///
    /// # Errors
    /// The store's.
    pub async fn recover(&self, tenant: &TenantId) -> Result<Recovered, InvokeError> {
        let services = self.services();
        let mut recovered = Recovered::default();
        let open = vec![State::Planned, State::Running, State::Held, State::Approved];
        let filter = Filter { states: open, subject: None, limit: u32::MAX };
        for summary in services.journal.list(tenant, &filter).await? {
            let id = summary.invocation;
            if summary.state == State::Held {
                let overdue = summary.expires.is_some_and(|expires| expires < services.clock.now());
                let record = services.journal.record(tenant, &id).await?;
                if let (true, Some(hold)) = (overdue, Recorded::of(&record).hold) {
                    self.expire(tenant, &id, hold.effect.request).await?;
                    recovered.expired.push(id);
                }
                continue;
            }
            self.recover_one(tenant, id, &summary.standing, &mut recovered).await?;
        }
        Ok(recovered)
    }

    async fn recover_one(
        &self,
        tenant: &TenantId,
        id: InvocationId,
        standing: &Standing,
        recovered: &mut Recovered,
    ) -> Result<(), InvokeError> {
        let services = self.services();
        let claim = match services.journal.claim(tenant, &id, self.lease()).await {
            Ok(claim) => claim,
            // Somebody lives and works on it, or has just ended it.
            Err(StoreError::Held { .. } | StoreError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let record = services.journal.record(tenant, &id).await?;
        let at = Authority {
            caller: record.caller.clone(),
            connection: record.connection.clone(),
            invocation: id.clone(),
            fence: claim.lease.fence,
        };
        if state_of(&record).is_final() {
            services.journal.release(&at).await?;
            return Ok(());
        }
        let recorded = Recorded::of(&record);
        let word = !recorded.approved.is_empty() || recorded.settlement.is_some();
        let approved = matches!(standing, Standing::Tool { .. }) && word;
        let in_doubt = recorded.in_doubt();
        let lost = match (&in_doubt, super::recorded::plan(&record)) {
            (Some(write), Some(plan)) if approved => !self.may_repeat(plan, write).await,
            (doubt, _) => doubt.is_some(),
        };
        match in_doubt {
            Some(write) if lost => {
                let error = InvokeError::Unknown { call: write.call, target: write.effect.target };
                self.end_with(&record, &at, &error).await?;
                recovered.unknown.push(id);
            }
            _ if approved => {
                services.journal.release(&at).await?;
                recovered.resumable.push(id);
            }
            _ => {
                let error = InvokeError::Host("the host stopped while it ran".into());
                self.end_with(&record, &at, &error).await?;
                recovered.interrupted.push(id);
            }
        }
        Ok(())
    }
}
