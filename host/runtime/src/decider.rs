//! Who decides about what is held.
//!
//! A person's account is theirs: nobody else decides what is done with it. What is done with the workspace's accounts is
//! an approver's to decide, and whoever asked is not the one who approves, unless the tenant says otherwise
//! ([`TenantRules::self_approval`]).

use serde::{Deserialize, Serialize};

use crate::blame::{Blame, Fault};
use crate::caller::{Caller, Role};
use crate::connection::{Connection, Owner};
use crate::ids::SubjectId;
use crate::ports::{Decision, DecisionKind, TenantRules};

/// Who decides about what is held for a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "subject")]
pub enum Decider {
    /// The person whose account it is, about what they asked for themselves.
    Owner(SubjectId),
    /// Any approver of the tenant, also the one who asked.
    Approver,
    /// An approver of the tenant who is not the one who asked.
    OtherApprover,
}

/// Why somebody does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDecider {
    /// It goes through somebody's own account.
    #[error(
        "it goes through a personal account: whoever owns the account sees and decides what they asked for, nobody else"
    )]
    Personal,
    /// They asked for it.
    #[error(
        "it takes an approver of the tenant other than the one who asked; an admin can allow it: \
         sallyport tenant rules --self-approval on"
    )]
    Asker,
    /// They have no role for it.
    #[error("deciding about a connection of the workspace takes the role approver")]
    Role,
}

impl Fault for NotDecider {
    fn blame(&self) -> Blame {
        Blame::Caller
    }

    fn code(&self) -> &'static str {
        "not-decider"
    }
}

impl Decider {
    /// Who decides about writes through this connection, under the rules of its tenant.
    #[must_use]
    pub fn of(connection: &Connection, rules: TenantRules) -> Self {
        match &connection.owner {
            Owner::Person(subject) => Self::Owner(subject.clone()),
            Owner::Workspace if rules.self_approval => Self::Approver,
            Owner::Workspace => Self::OtherApprover,
        }
    }

    /// Whether `caller` may decide so about what `asker` proposed. Whoever asked may always take it back.
    ///
    /// # Errors
    /// Why not, and who can.
    pub fn admits(&self, caller: &Caller, asker: &Caller, kind: DecisionKind) -> Result<(), NotDecider> {
        let own = caller.is_same_person(asker);
        match self {
            Self::Owner(owner) if caller.subject == *owner && asker.subject == *owner => Ok(()),
            Self::Owner(_) => Err(NotDecider::Personal),
            _ if own && kind == DecisionKind::Deny => Ok(()),
            Self::OtherApprover if own => Err(NotDecider::Asker),
            Self::Approver | Self::OtherApprover if caller.is(Role::Approver) => Ok(()),
            Self::Approver | Self::OtherApprover => Err(NotDecider::Role),
        }
    }

    /// Whether an approval that was given would be taken today. What roles its giver has today nobody here knows: a
    /// role is a token's to say.
    #[must_use]
    pub fn still_admits(&self, decision: &Decision, asker: &Caller) -> bool {
        match self {
            Self::Owner(owner) => decision.by == *owner && asker.subject == *owner,
            Self::Approver => true,
            Self::OtherApprover => !decision.own && decision.by != asker.subject,
        }
    }
}

impl std::fmt::Display for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Owner(subject) => write!(f, "{subject}, whose account it is"),
            Self::Approver => f.write_str("an approver of the tenant"),
            Self::OtherApprover => f.write_str("an approver of the tenant other than the one who asked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TenantId;

    fn caller(name: &str, roles: &[Role]) -> Caller {
        let emails = vec![format!("{}@acme.example", name.trim_end_matches('2'))];
        Caller { tenant: TenantId::new("acme"), subject: SubjectId::new(name), emails, roles: roles.to_vec() }
    }

    #[test]
    fn who_decides_follows_from_the_account_and_the_tenants_rule() {
        use DecisionKind::{Approve, Deny};
        use NotDecider::{Asker, Personal};
        let ann = caller("ann", &[Role::Approver]);
        let (other, admin, member) =
            (caller("bob", &[Role::Approver]), caller("root", &[Role::Admin]), caller("max", &[Role::Member]));
        let again = caller("ann2", &[Role::Admin]);
        let own = Decider::Owner(SubjectId::new("ann"));
        let table = [
            (&own, &ann, Approve, Ok(())),
            (&own, &other, Approve, Err(Personal)),
            (&own, &admin, Deny, Err(Personal)),
            (&own, &again, Approve, Err(Personal)),
            (&Decider::OtherApprover, &ann, Approve, Err(Asker)),
            (&Decider::OtherApprover, &again, Approve, Err(Asker)),
            (&Decider::OtherApprover, &ann, Deny, Ok(())),
            (&Decider::OtherApprover, &other, Approve, Ok(())),
            (&Decider::OtherApprover, &admin, Approve, Ok(())),
            (&Decider::OtherApprover, &member, Deny, Err(NotDecider::Role)),
            (&Decider::Approver, &ann, Approve, Ok(())),
            (&Decider::Approver, &member, Approve, Err(NotDecider::Role)),
        ];
        for (decider, caller, kind, expected) in table {
            assert_eq!(decider.admits(caller, &ann, kind), expected, "{decider:?} {} {kind:?}", caller.subject);
        }
        let asker = caller("max", &[Role::Member]);
        assert_eq!(Decider::Owner(SubjectId::new("ann")).admits(&ann, &asker, Approve), Err(Personal));
    }
}
