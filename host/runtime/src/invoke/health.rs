//! Whether a connection works: `identify` says it, on a schedule, before somebody needs it.

use crate::authority::{Authority, Fence};
use crate::blame::Fault as _;
use crate::caller::Caller;
use crate::connection::{Connection, ConnectionState};
use crate::error::InvokeError;
use crate::ids::{ConnectionId, InvocationId, TenantId, Timestamp};
use crate::ports::SecretState;
use crate::runtime::Runtime;

impl Runtime {
    /// Asks the service whose account a connection is, and keeps what comes of it: `active` where it answers with the same
    /// account, `degraded` where it does not answer, `needs-reauth` or `revoked` where it takes the secret no more. One
    /// that a person has to see to is not asked. Answers the connection as it is then.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`]; the store's. That the service does not answer is no error.
    pub async fn check(&self, tenant: &TenantId, id: &ConnectionId) -> Result<Connection, InvokeError> {
        let directory = &self.services().directory;
        let before = directory.connection(tenant, id).await?;
        if !before.state.is_usable() {
            return Ok(before);
        }
        let caller = Caller::system(tenant.clone());
        let bench = self.bench_of(tenant, id).await?;
        let (state, reason) = match self.identify_on(&caller, &bench).await {
            Ok(identity) if identity.id == before.account && identity.workspace == before.workspace => {
                directory.set_checked(tenant, id, self.services().clock.now()).await?;
                match self.lost_slot(&caller, id).await? {
                    Some(_) => (ConnectionState::Degraded, before.reason.clone()),
                    None => (ConnectionState::Active, None),
                }
            }
            Ok(identity) => {
                let why = format!("its secret is the account {}'s now: connect it again", identity.name);
                (ConnectionState::NeedsReauth, Some(why))
            }
            Err(InvokeError::NotGranted { .. } | InvokeError::Forbidden { .. }) => return Ok(before),
            Err(InvokeError::NeedsReauth(why)) => {
                // Where egress has judged it, that is what counts.
                let now = directory.connection(tenant, id).await?;
                if now.state.wants_consent() {
                    return Ok(now);
                }
                (ConnectionState::NeedsReauth, Some(format!("{why}: connect it again")))
            }
            Err(error) => {
                let why = format!("the last check did not come through ({}): {error}", error.code());
                (ConnectionState::Degraded, Some(why))
            }
        };
        if state != before.state || reason != before.reason {
            directory.set_state(tenant, id, state, reason.as_deref()).await?;
        }
        directory.connection(tenant, id).await.map_err(Into::into)
    }

    /// The tenant's connections that are to be checked: that work as far as is known, and were not checked for so long.
    ///
    /// # Errors
    /// The store's.
    pub async fn unchecked(&self, tenant: &TenantId, millis: u64) -> Result<Vec<ConnectionId>, InvokeError> {
        let now = self.services().clock.now();
        let due = |at: Timestamp| at.plus(millis) <= now;
        let all = self.services().directory.connections(tenant).await?;
        let old = all.into_iter().filter(|one| one.state.is_usable() && one.checked.is_none_or(due));
        Ok(old.map(|one| one.id).collect())
    }

    /// A slot whose secret is of no use any more, though the connection works without it.
    async fn lost_slot(&self, caller: &Caller, id: &ConnectionId) -> Result<Option<String>, InvokeError> {
        let at = Authority {
            caller: caller.clone(),
            connection: id.clone(),
            invocation: InvocationId::fresh(),
            fence: Fence::default(),
        };
        let slots = self.services().vault.slots(&at).await?;
        let lost = slots.into_iter().find(|(_, row)| row.state == SecretState::NeedsReauth);
        Ok(lost.map(|(slot, _)| slot.to_string()))
    }
}
