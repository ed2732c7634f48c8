//! About how many bytes of memory a change holds: what a guest may have staged is counted in these, so that nothing that it
//! can repeat (a reader, a member, a key of the metadata) is free.

use serde_json::{Map, Value};

use crate::document::{Access, Change, Content, Document, Principal};

/// A string's or a list's own place, and what the allocator keeps beside it.
const EACH: usize = 40;

pub(super) fn weight(change: &Change) -> usize {
    EACH + match change {
        Change::Upsert(document) => of_document(document),
        Change::SetAccess { id, access } => text(id) + of_access(access),
        Change::Seen(ids) => texts(ids),
        Change::Delete(id) | Change::DeleteContainer(id) | Change::DeleteGroup(id) => text(id),
        Change::UpsertContainer(container) => {
            let words = text(&container.id) + text(&container.kind) + text(&container.name);
            words + maybe(container.parent.as_ref()) + of_access(&container.access)
        }
        Change::Members(members) => {
            let people = members.add.iter().chain(&members.remove);
            text(&members.group) + people.map(principal).sum::<usize>()
        }
        Change::Person(person) => text(&person.user) + maybe(person.email.as_ref()) + maybe(person.name.as_ref()),
    }
}

fn of_document(document: &Document) -> usize {
    let content = match &document.content {
        Content::None => 0,
        Content::Text(content) | Content::Markdown(content) | Content::Html(content) => text(content),
    };
    let words = text(&document.id) + text(&document.kind) + text(&document.title);
    let optional = [&document.revision, &document.url, &document.container].map(|part| maybe(part.as_ref()));
    words
        + content
        + optional.iter().sum::<usize>()
        + texts(&document.authors)
        + of_access(&document.access)
        + of_map(&document.metadata)
}

fn of_access(access: &Access) -> usize {
    match access {
        Access::Known { entries, inherit } => {
            entries.iter().map(|entry| principal(&entry.who)).sum::<usize>() + texts(inherit)
        }
        Access::Unknown => 0,
    }
}

fn principal(who: &Principal) -> usize {
    match who {
        Principal::User(name) | Principal::Email(name) | Principal::Group(name) | Principal::Domain(name) => text(name),
        Principal::ConnectionAudience | Principal::Anyone => EACH,
    }
}

/// Its depth is bounded by whoever parsed it.
fn of_value(value: &Value) -> usize {
    EACH + match value {
        Value::String(string) => string.len(),
        Value::Array(items) => items.iter().map(of_value).sum(),
        Value::Object(map) => of_map(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn of_map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, value)| text(key) + EACH + of_value(value)).sum()
}

fn texts(all: &[String]) -> usize {
    all.iter().map(|one| text(one)).sum()
}

fn maybe(part: Option<&String>) -> usize {
    part.map_or(0, |part| text(part))
}

fn text(text: &str) -> usize {
    EACH + text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::weight;
    use crate::document::Change;

    /// What can be repeated weighs each time, whatever kind of change it stands in.
    #[test]
    fn nothing_that_can_be_repeated_is_free() {
        let readers = |n: usize| json!({ "access": "known", "inherit": [], "entries": vec![json!({ "who": { "kind": "email", "id": "a@b.c" }, "level": "read" }); n] });
        let change = |value: serde_json::Value| -> Change { serde_json::from_value(value).expect("a change") };
        let document = |n: usize| {
            let metadata: serde_json::Map<_, _> = (0..n).map(|key| (key.to_string(), json!(null))).collect();
            json!({
                "id": "d", "revision": null, "kind": "note", "title": "t", "content": { "form": "none" }, "truncated": false,
                "url": null, "created": null, "updated": null, "authors": vec!["u"; n], "container": null,
                "access": readers(n), "metadata": metadata,
            })
        };
        type Make<'a> = &'a dyn Fn(usize) -> serde_json::Value;
        let kinds: [Make<'_>; 5] = [
            &|n| json!({ "change": "upsert", "of": document(n) }),
            &|n| json!({ "change": "set-access", "of": { "id": "d", "access": readers(n) } }),
            &|n| json!({ "change": "seen", "of": vec!["x"; n] }),
            &|n| json!({ "change": "upsert-container", "of": { "id": "c", "kind": "k", "name": "n", "parent": null, "access": readers(n) } }),
            &|n| json!({ "change": "members", "of": { "group": "g", "reset": false, "add": vec![json!({ "kind": "user", "id": "u" }); n], "remove": [] } }),
        ];
        for kind in kinds {
            let (few, many) = (weight(&change(kind(1))), weight(&change(kind(1001))));
            assert!(many - few >= 40_000, "{}: {few} and {many}", kind(1));
        }
    }
}
