//! For whom something is done: what sink, journal, vault and limiter are always told.

use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::ids::{ConnectionId, InvocationId, TenantId};

/// A number that grows with each holder of a lease. A store refuses work that carries an older one, so that a holder
/// that was only slow can never overwrite its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl Fence {
    /// Of a lease that nobody held before.
    pub const FIRST: Self = Self(1);
}

/// One invocation's standing: tenant, caller, connection, and the lease under which it runs.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Who asked; [`Caller::system`] for scheduled work. Its tenant is the invocation's.
    pub caller: Caller,
    /// The connection that the invocation is bound to.
    pub connection: ConnectionId,
    /// The invocation.
    pub invocation: InvocationId,
    /// The lease under which this process works on it (the stream's for a pull, the invocation's for a tool).
    pub fence: Fence,
}

impl Authority {
    /// The tenant of everything that is done under this authority.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.caller.tenant
    }
}
