//! People and groups of the simulated company: who an e-mail is, and who is in what.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody with an account at the simulated services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The e-mail address that identifies them at Google; lower case.
    pub email: String,
    /// The name shown beside what they own.
    pub name: String,
    /// May list groups and their members through the Admin SDK's paths.
    #[serde(default)]
    pub admin: bool,
}

/// People, and groups of people and of groups.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Directory {
    /// The domain of the demo company; what a bare `domain` reader means.
    pub domain: String,
    people: BTreeMap<String, Person>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Directory {
    pub(crate) fn of(domain: &str) -> Self {
        Self { domain: domain.to_owned(), ..Self::default() }
    }

    pub(crate) fn add_person(&mut self, email: &str, name: &str) {
        let email = email.to_lowercase();
        self.people.entry(email.clone()).or_insert(Person { email, name: name.to_owned(), admin: false });
    }

    /// Adds somebody of whom only the address is known; the name is made from its local part.
    pub(crate) fn ensure_person(&mut self, email: &str) {
        let local = email.split('@').next().unwrap_or(email);
        let name = local.split(['.', '_', '-']).map(capitalise).collect::<Vec<_>>().join(" ");
        self.add_person(email, &name);
    }

    pub(crate) fn make_admin(&mut self, email: &str) {
        if let Some(person) = self.people.get_mut(email) {
            person.admin = true;
        }
    }

    pub(crate) fn add_group(&mut self, email: &str, members: impl IntoIterator<Item = String>) {
        let members = members.into_iter().map(|member| member.to_lowercase());
        self.groups.entry(email.to_lowercase()).or_default().extend(members);
    }

    pub(crate) fn remove_member(&mut self, group: &str, member: &str) -> bool {
        self.groups.get_mut(group).is_some_and(|members| members.remove(member))
    }

    /// Everybody, ordered by e-mail.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// One person, by e-mail.
    pub fn person(&self, email: &str) -> Option<&Person> {
        self.people.get(email)
    }

    /// Every group with its direct members, which may be groups themselves.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.groups.iter().map(|(email, members)| (email.as_str(), members))
    }

    /// Direct members of a group.
    pub fn members(&self, group: &str) -> Option<&BTreeSet<String>> {
        self.groups.get(group)
    }

    /// Whether a person is in a group, directly or through a nested group.
    pub fn is_member(&self, group: &str, email: &str) -> bool {
        let (mut todo, mut seen) = (vec![group], BTreeSet::new());
        while let Some(group) = todo.pop() {
            if !seen.insert(group) {
                continue;
            }
            let Some(members) = self.groups.get(group) else { continue };
            if members.contains(email) {
                return true;
            }
            todo.extend(members.iter().map(String::as_str).filter(|member| self.groups.contains_key(*member)));
        }
        false
    }

    pub(crate) fn name_of(&self, email: &str) -> String {
        self.people.get(email).map_or_else(|| email.to_owned(), |person| person.name.clone())
    }
}

fn capitalise(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_goes_through_nested_groups_and_survives_a_cycle() {
        let mut directory = Directory::default();
        directory.add_group("gtm@x.example", ["sales@x.example".to_owned()]);
        directory.add_group("sales@x.example", ["Dora@x.example".to_owned(), "gtm@x.example".to_owned()]);
        assert!(directory.is_member("gtm@x.example", "dora@x.example"));
        assert!(!directory.is_member("gtm@x.example", "zoe@x.example"));
        assert!(!directory.is_member("nobody@x.example", "dora@x.example"));
    }
}
