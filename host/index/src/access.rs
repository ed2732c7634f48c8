//! Who asks, and who may read.

use std::collections::BTreeSet;

use crate::TenantId;

/// Who is searching. The index hands it to the store, which alone knows what it may read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The tenant that the search stays inside.
    pub tenant: TenantId,
    /// The host's own name for this person or service.
    pub subject: String,
    /// Verified e-mail addresses, lower case. An unverified one must not be here.
    pub emails: Vec<String>,
}

/// Who may read a piece of text, and whether where it comes from is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Everybody who may read it, by any live connection, groups expanded.
    pub readers: Readers,
    /// Set by an admin per connection or container; off by default.
    pub trusted: bool,
}

/// A set of people, comparable with another: groups are expanded, names are canonical.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// Everyone, without signing in.
    pub anyone: bool,
    /// Everyone with a verified address in these domains (lower case).
    pub domains: BTreeSet<String>,
    /// People: a lower-case e-mail address where one is known, else the store's stable name for a
    /// provider's user (`<source>/<id>`), which equals no address.
    pub people: BTreeSet<String>,
}

impl Readers {
    /// Whether everybody in `other` is surely in `self`. False where that cannot be told.
    pub fn include(&self, other: &Readers) -> bool {
        self.anyone
            || !other.anyone
                && other.domains.is_subset(&self.domains)
                && other.people.iter().all(|person| self.has(person))
    }

    /// How many people these are, where that is a number (no domain, not everyone).
    pub fn count(&self) -> Option<usize> {
        (!self.anyone && self.domains.is_empty()).then_some(self.people.len())
    }

    /// Those who may read both pieces of text. Where a set is a domain, a person outside is kept out.
    pub fn intersect(&self, other: &Readers) -> Readers {
        if self.anyone {
            return other.clone();
        }
        if other.anyone {
            return self.clone();
        }
        let people = self.people.iter().filter(|p| other.has(p)).chain(other.people.iter().filter(|p| self.has(p)));
        Readers {
            anyone: false,
            domains: self.domains.intersection(&other.domains).cloned().collect(),
            people: people.cloned().collect(),
        }
    }

    fn has(&self, person: &str) -> bool {
        let domain = || person.rsplit_once('@').filter(|_| !person.contains('/')).map(|(_, domain)| domain);
        self.anyone || self.people.contains(person) || domain().is_some_and(|domain| self.domains.contains(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(domains: &[&str], people: &[&str]) -> Readers {
        let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        Readers { anyone: false, domains: set(domains), people: set(people) }
    }

    #[test]
    fn inclusion_is_claimed_only_where_it_is_sure() {
        let anyone = Readers { anyone: true, ..Readers::default() };
        let acme = readers(&["acme.test"], &[]);
        let ann = readers(&[], &["ann@acme.test"]);
        let two = readers(&[], &["ann@acme.test", "bo@other.test"]);
        assert!(anyone.include(&acme) && !acme.include(&anyone));
        assert!(acme.include(&ann) && !ann.include(&acme));
        assert!(two.include(&ann) && !acme.include(&two));
        assert!(!acme.include(&readers(&[], &["drive/ann@acme.test"])));
        assert!(ann.include(&Readers::default()));
    }

    #[test]
    fn what_two_texts_share_is_read_by_those_who_may_read_both() {
        let acme = readers(&["acme.test"], &[]);
        let two = readers(&[], &["ann@acme.test", "bo@other.test"]);
        assert_eq!(acme.intersect(&two), readers(&[], &["ann@acme.test"]));
        assert_eq!(two.intersect(&acme), readers(&[], &["ann@acme.test"]));
        assert_eq!(Readers { anyone: true, ..Readers::default() }.intersect(&two), two);
    }
}
