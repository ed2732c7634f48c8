//! The WIT package's documents as the host's own.

use crate::document::{
    Access, AccessEntry, Change, Container, Content, Document, Level, Membership, Person, Principal,
};
use crate::engine::imports::connector::documents as wit;
use crate::ids::Timestamp;

use super::error::problem;
use super::{DocumentsErrorOr, State};

/// The largest text that is taken out of a blob: more is no document that anybody reads.
const MAX_TEXT: usize = 16 << 20;

fn invalid(code: &str, message: impl Into<String>) -> DocumentsErrorOr {
    DocumentsErrorOr::Typed(wit::Error::Invalid(problem(code, message)))
}

impl State {
    pub(super) fn change(&mut self, change: wit::Change) -> Result<Change, DocumentsErrorOr> {
        Ok(match change {
            wit::Change::Upsert(document) => Change::Upsert(Box::new(self.document(document)?)),
            wit::Change::SetAccess(change) => Change::SetAccess { id: id(change.id)?, access: access(change.access)? },
            wit::Change::Seen(ids) => Change::Seen(ids),
            wit::Change::Delete(of) => Change::Delete(id(of)?),
            wit::Change::UpsertContainer(container) => Change::UpsertContainer(Container {
                id: id(container.id)?,
                kind: container.kind,
                name: container.name,
                parent: container.parent,
                access: access(container.access)?,
            }),
            wit::Change::DeleteContainer(of) => Change::DeleteContainer(id(of)?),
            wit::Change::Members(members) => Change::Members(Membership {
                group: id(members.group)?,
                reset: members.reset,
                add: members.add.into_iter().map(principal).collect(),
                remove: members.remove.into_iter().map(principal).collect(),
            }),
            wit::Change::DeleteGroup(group) => Change::DeleteGroup(id(group)?),
            wit::Change::Person(person) => Change::Person(Person {
                user: id(person.user)?,
                email: person.email.map(|email| email.to_lowercase()),
                name: person.name,
                active: person.active,
            }),
        })
    }

    fn document(&mut self, document: wit::Document) -> Result<Document, DocumentsErrorOr> {
        let mut truncated = document.truncated;
        let content = match document.content {
            wit::Content::None => Content::None,
            wit::Content::Text(text) => Content::Text(text),
            wit::Content::Markdown(text) => Content::Markdown(text),
            wit::Content::Html(text) => Content::Html(text),
            wit::Content::Blob(blob) => match text(self.take(blob)?) {
                Some(content) => content,
                None => {
                    truncated = true;
                    Content::None
                }
            },
        };
        let metadata = match document.metadata.trim() {
            "" => serde_json::Map::new(),
            text => serde_json::from_str(text).map_err(|error| {
                invalid("metadata", format!("the metadata of {} is no JSON object: {error}", document.id))
            })?,
        };
        Ok(Document {
            id: id(document.id)?,
            revision: document.revision,
            kind: document.kind,
            title: document.title,
            content,
            truncated,
            url: document.url,
            created: document.created.map(Timestamp),
            updated: document.updated.map(Timestamp),
            authors: document.authors,
            container: document.container,
            access: access(document.access)?,
            metadata,
        })
    }
}

/// Text out of a blob: by its media type and, where that says nothing, only if it is UTF-8. Office files and the like
/// give none; the document stays findable by its title and is marked as less than the whole.
fn text(blob: super::Blob) -> Option<Content> {
    let media_type = blob.media_type.unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let readable = essence.starts_with("text/") || essence == "application/json";
    if !readable || blob.bytes.len() > MAX_TEXT {
        return None;
    }
    let text = match std::str::from_utf8(&blob.bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => String::from_utf8_lossy(&blob.bytes).into_owned(),
    };
    Some(match essence.as_str() {
        "text/markdown" | "text/x-markdown" => Content::Markdown(text),
        "text/html" => Content::Html(text),
        _ => Content::Text(text),
    })
}

fn id(text: String) -> Result<String, DocumentsErrorOr> {
    if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
        return Err(invalid("id", format!("{text:?} is no id: 1 to 1,024 bytes without control characters")));
    }
    Ok(text)
}

fn access(access: wit::Access) -> Result<Access, DocumentsErrorOr> {
    Ok(match access {
        wit::Access::Unknown => Access::Unknown,
        wit::Access::Known(acl) => Access::Known {
            entries: acl
                .entries
                .into_iter()
                .map(|entry| AccessEntry {
                    who: principal(entry.who),
                    level: match entry.level {
                        wit::Level::Read => Level::Read,
                        wit::Level::Comment => Level::Comment,
                        wit::Level::Write => Level::Write,
                    },
                })
                .collect(),
            inherit: acl.inherit,
        },
    })
}

fn principal(principal: wit::Principal) -> Principal {
    match principal {
        wit::Principal::User(user) => Principal::User(user),
        wit::Principal::Email(email) => Principal::Email(email.to_lowercase()),
        wit::Principal::Group(group) => Principal::Group(group),
        wit::Principal::Domain(domain) => Principal::Domain(domain.to_lowercase()),
        wit::Principal::ConnectionAudience => Principal::ConnectionAudience,
        wit::Principal::Anyone => Principal::Anyone,
    }
}
