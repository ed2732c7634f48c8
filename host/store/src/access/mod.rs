//! Who may read what, asked of the database within each query's own transaction.
//!
//! A document's readers are the union of what each live connection attests. Containers count as the same connection
//! attests them. Groups and people mean something in their source only; where two connections of a source differ, the
//! later word counts. `anyone` or a connection's audience as the member of a group makes nobody a member.
//!
//! A flagged connection attests nothing until an operator has looked; one that needs a new consent keeps its documents.

mod audience;
mod label;
mod lists;
mod people;

pub(crate) use audience::Live;
pub(crate) use label::Labels;
pub(crate) use lists::Readable;
pub(crate) use people::{Known, person};

/// The asking side, as access needs it.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) subject: String,
    /// Verified, lower case.
    pub(crate) emails: Vec<String>,
}

impl Who {
    pub(crate) fn new(subject: &str, emails: &[String]) -> Self {
        Self { subject: subject.into(), emails: emails.iter().map(|email| email.trim().to_lowercase()).collect() }
    }

    pub(crate) fn has_email(&self, email: &str) -> bool {
        self.emails.iter().any(|own| own.eq_ignore_ascii_case(email))
    }

    pub(crate) fn domains(&self) -> impl Iterator<Item = &str> {
        self.emails.iter().filter_map(|email| email.rsplit_once('@')).map(|(_, domain)| domain)
    }
}
