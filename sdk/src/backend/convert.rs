//! Between the SDK's types and the generated ones.

use super::bindings::sallyport::connector as wit;
use super::guest::Blob;
use crate::documents::{
    self, Access, Acl, Change, Container, Content, Document, Entry, Level, Membership, Person, Principal,
};
use crate::http::{self, Body, Delivery, Part, PartBody, Request, Response};
use crate::{Failure, Problem, blobs};

pub(super) fn fields(pairs: Vec<(String, String)>) -> Vec<wit::types::Field> {
    pairs.into_iter().map(|(name, value)| wit::types::Field { name, value }).collect()
}

pub(super) fn pairs(fields: Vec<wit::types::Field>) -> Vec<(String, String)> {
    fields.into_iter().map(|field| (field.name, field.value)).collect()
}

impl From<wit::types::Problem> for Problem {
    fn from(problem: wit::types::Problem) -> Self {
        Self { code: problem.code, message: problem.message }
    }
}

impl From<Failure> for wit::types::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NeedsReauth(message) => Self::NeedsReauth(message),
            Failure::Forbidden(message) => Self::Forbidden(message),
            Failure::NotFound(message) => Self::NotFound(message),
            Failure::InvalidInput(message) => Self::InvalidInput(message),
            Failure::Later { millis, message } => Self::Later(wit::types::Delay { millis, message }),
            Failure::Other(Problem { code, message }) => Self::Other(wit::types::Problem { code, message }),
        }
    }
}

impl From<Request> for wit::http::Request {
    fn from(request: Request) -> Self {
        Self {
            method: request.method,
            url: request.url,
            headers: fields(request.headers),
            body: match request.body {
                Body::Empty => wit::http::Payload::Empty,
                Body::Bytes(bytes) => wit::http::Payload::Bytes(bytes),
                Body::Blob(blob) => wit::http::Payload::Blob(blob.0.0),
                Body::Multipart(parts) => wit::http::Payload::Multipart(parts.into_iter().map(Into::into).collect()),
            },
            slot: request.slot,
            delivery: match request.delivery {
                Delivery::Inline => wit::http::Delivery::Inline,
                Delivery::Blob => wit::http::Delivery::Blob,
            },
        }
    }
}

impl From<Part> for wit::http::Part {
    fn from(part: Part) -> Self {
        Self {
            name: part.name,
            filename: part.filename,
            media_type: part.media_type,
            body: match part.body {
                PartBody::Bytes(bytes) => wit::http::PartBody::Bytes(bytes),
                PartBody::Blob(blob) => wit::http::PartBody::Blob(blob.0.0),
            },
        }
    }
}

impl From<wit::http::Part> for Part {
    fn from(part: wit::http::Part) -> Self {
        Self {
            name: part.name,
            filename: part.filename,
            media_type: part.media_type,
            body: match part.body {
                wit::http::PartBody::Bytes(bytes) => PartBody::Bytes(bytes),
                wit::http::PartBody::Blob(blob) => PartBody::Blob(blobs::Blob(Blob(blob))),
            },
        }
    }
}

impl From<wit::http::Response> for Response {
    fn from(response: wit::http::Response) -> Self {
        let body = match response.body {
            wit::http::Payload::Empty => Body::Empty,
            wit::http::Payload::Bytes(bytes) => Body::Bytes(bytes),
            wit::http::Payload::Blob(blob) => Body::Blob(blobs::Blob(Blob(blob))),
            wit::http::Payload::Multipart(parts) => Body::Multipart(parts.into_iter().map(Into::into).collect()),
        };
        Self::new(response.status, pairs(response.headers), body)
    }
}

impl From<wit::http::Error> for http::Error {
    fn from(error: wit::http::Error) -> Self {
        match error {
            wit::http::Error::Denied(problem) => Self::Denied(problem.into()),
            wit::http::Error::Malformed(message) => Self::Malformed(message),
            wit::http::Error::Throttled(millis) => Self::Throttled(millis),
            wit::http::Error::NeedsReauth(message) => Self::NeedsReauth(message),
            wit::http::Error::Unreachable(message) => Self::Unreachable(message),
            wit::http::Error::Interrupted(message) => Self::Interrupted(message),
            wit::http::Error::TooLarge(size) => Self::TooLarge(size),
            wit::http::Error::SecretInResponse => Self::SecretInResponse,
            wit::http::Error::Other(problem) => Self::Other(problem.into()),
        }
    }
}

impl From<wit::documents::Error> for documents::Error {
    fn from(error: wit::documents::Error) -> Self {
        match error {
            wit::documents::Error::Invalid(problem) => Self::Invalid(problem.into()),
            wit::documents::Error::TooMuch(problem) => Self::TooMuch(problem.into()),
            wit::documents::Error::Stopped => Self::Stopped,
            wit::documents::Error::Other(problem) => Self::Other(problem.into()),
        }
    }
}

impl From<Principal> for wit::documents::Principal {
    fn from(principal: Principal) -> Self {
        match principal {
            Principal::User(id) => Self::User(id),
            Principal::Email(address) => Self::Email(address),
            Principal::Group(id) => Self::Group(id),
            Principal::Domain(domain) => Self::Domain(domain),
            Principal::ConnectionAudience => Self::ConnectionAudience,
            Principal::Anyone => Self::Anyone,
        }
    }
}

impl From<Entry> for wit::documents::Entry {
    fn from(entry: Entry) -> Self {
        let level = match entry.level {
            Level::Read => wit::documents::Level::Read,
            Level::Comment => wit::documents::Level::Comment,
            Level::Write => wit::documents::Level::Write,
        };
        Self { who: entry.who.into(), level }
    }
}

impl From<Access> for wit::documents::Access {
    fn from(access: Access) -> Self {
        match access {
            Access::Known(Acl { entries, inherit }) => {
                Self::Known(wit::documents::Acl { entries: entries.into_iter().map(Into::into).collect(), inherit })
            }
            Access::Unknown => Self::Unknown,
        }
    }
}

impl From<Content> for wit::documents::Content {
    fn from(content: Content) -> Self {
        match content {
            Content::None => Self::None,
            Content::Text(text) => Self::Text(text),
            Content::Markdown(text) => Self::Markdown(text),
            Content::Html(text) => Self::Html(text),
            Content::Blob(blob) => Self::Blob(blob.0.0),
        }
    }
}

impl From<Document> for wit::documents::Document {
    fn from(document: Document) -> Self {
        Self {
            id: document.id,
            revision: document.revision,
            kind: document.kind,
            title: document.title,
            content: document.content.into(),
            truncated: document.truncated,
            url: document.url,
            created: document.created.map(|at| at.millis()),
            updated: document.updated.map(|at| at.millis()),
            authors: document.authors,
            container: document.container,
            access: document.access.into(),
            metadata: serde_json::Value::Object(document.metadata).to_string(),
        }
    }
}

impl From<Container> for wit::documents::Container {
    fn from(container: Container) -> Self {
        Self {
            id: container.id,
            kind: container.kind,
            name: container.name,
            parent: container.parent,
            access: container.access.into(),
        }
    }
}

impl From<Membership> for wit::documents::Membership {
    fn from(membership: Membership) -> Self {
        Self {
            group: membership.group,
            reset: membership.reset,
            add: membership.add.into_iter().map(Into::into).collect(),
            remove: membership.remove.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Person> for wit::documents::Person {
    fn from(person: Person) -> Self {
        Self { user: person.user, email: person.email, name: person.name, active: person.active }
    }
}

impl From<Change> for wit::documents::Change {
    fn from(change: Change) -> Self {
        match change {
            Change::Upsert(document) => Self::Upsert(document.into()),
            Change::SetAccess { id, access } => {
                Self::SetAccess(wit::documents::AccessChange { id, access: access.into() })
            }
            Change::Seen(ids) => Self::Seen(ids),
            Change::Delete(id) => Self::Delete(id),
            Change::UpsertContainer(container) => Self::UpsertContainer(container.into()),
            Change::DeleteContainer(id) => Self::DeleteContainer(id),
            Change::Members(membership) => Self::Members(membership.into()),
            Change::DeleteGroup(id) => Self::DeleteGroup(id),
            Change::Person(person) => Self::Person(person.into()),
        }
    }
}
