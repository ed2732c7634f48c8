//! Who is asking.

use serde::{Deserialize, Serialize};

use crate::ids::{SubjectId, TenantId};

/// What a caller may do beside asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes workspace connections, grants, installs; decides what `approver`s decide.
    Admin,
    /// Decides what is held for the workspace's connections; what they themselves proposed only where the tenant's rules
    /// say so.
    Approver,
    /// Asks, searches, and decides what they proposed through their own accounts.
    Member,
}

/// A person (or the operator) in one tenant. Made only from a token that the host signed, from OIDC, or by the
/// operator's own command line; never from a request's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The tenant. Nothing that this caller asks for leaves it.
    pub tenant: TenantId,
    /// The stable id within the tenant.
    pub subject: SubjectId,
    /// E-mail addresses that somebody verified, lower-case. They tie the person to documents' readers.
    pub emails: Vec<String>,
    /// Roles; empty means that the caller may ask for nothing but what is public in the tenant.
    pub roles: Vec<Role>,
}

impl Caller {
    /// True if the caller has `role`, or is an admin.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role) || self.roles.contains(&Role::Admin)
    }

    /// True if both are one person: the same subject, or one with an address of the other's.
    #[must_use]
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.tenant == other.tenant
            && (self.subject == other.subject || self.emails.iter().any(|email| other.emails.contains(email)))
    }

    /// The scheduler's own caller: syncs and probes run as this, and it reads nothing.
    #[must_use]
    pub fn system(tenant: TenantId) -> Self {
        Self { tenant, subject: SubjectId::new("system"), emails: Vec::new(), roles: vec![Role::Member] }
    }
}
