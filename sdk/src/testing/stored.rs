//! What a fake host keeps of a source.

use std::collections::{BTreeMap, BTreeSet};

use crate::documents::{Change, Container, Document, Person, Principal};

/// A source as the last checkpoint left it.
#[derive(Debug, Default)]
pub struct Stored {
    /// By id.
    pub documents: BTreeMap<String, Document>,
    /// By id.
    pub containers: BTreeMap<String, Container>,
    /// Who is in each group.
    pub groups: BTreeMap<String, BTreeSet<Principal>>,
    /// By the provider's user id.
    pub people: BTreeMap<String, Person>,
}

impl Stored {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Upsert(document) => {
                self.documents.insert(document.id.clone(), document.duplicate());
            }
            Change::SetAccess { id, access } => {
                if let Some(document) = self.documents.get_mut(id) {
                    document.access = access.clone();
                }
            }
            Change::Seen(_) => {}
            Change::Delete(id) => {
                self.documents.remove(id);
            }
            Change::UpsertContainer(container) => {
                self.containers.insert(container.id.clone(), container.clone());
            }
            Change::DeleteContainer(id) => {
                self.containers.remove(id);
            }
            Change::Members(membership) => {
                let group = self.groups.entry(membership.group.clone()).or_default();
                if membership.reset {
                    group.clear();
                }
                group.extend(membership.add.iter().cloned());
                group.retain(|member| !membership.remove.contains(member));
            }
            Change::DeleteGroup(id) => {
                self.groups.remove(id);
            }
            Change::Person(person) => {
                self.people.insert(person.user.clone(), person.clone());
            }
        }
    }

    /// The same source; only a test may have it twice.
    pub(super) fn duplicate(&self) -> Self {
        Self {
            documents: self.documents.iter().map(|(id, document)| (id.clone(), document.duplicate())).collect(),
            containers: self.containers.clone(),
            groups: self.groups.clone(),
            people: self.people.clone(),
        }
    }
}
