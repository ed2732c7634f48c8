//! The smallest connector that both syncs and acts, for a made-up service of notes.

use sallyport_sdk::paging::Page;
use sallyport_sdk::prelude::*;

const API: &str = "https://hello.example/v1";

export! {
    account: identify,
    tools: [read_note, create_note, index_notes],
    sync: Notes,
}

#[derive(Deserialize)]
struct Me {
    id: String,
    name: String,
    email: String,
}

/// A note as the service has it.
#[derive(Deserialize)]
struct Note {
    id: String,
    title: String,
    text: String,
    etag: String,
    updated: String,
    readers: Vec<String>,
}

#[derive(Deserialize)]
struct Listing {
    notes: Vec<Note>,
    next: Option<String>,
}

fn identify() -> Result<Identity, Failure> {
    let me: Me = http::get(http::url(API, ["me"])).send()?.ok()?.json()?;
    Ok(Identity::new(me.id, me.name).email(me.email))
}

/// Which note.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadNote {
    /// The service's id.
    #[schemars(length(min = 1, max = 64))]
    pub id: String,
}

/// A note.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NoteRead {
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
}

/// Reads a note.
#[tool(title = "Read a note")]
pub fn read_note(input: ReadNote) -> Result<NoteRead, Failure> {
    if input.id.trim().is_empty() {
        return Err(Failure::invalid_input("id: which note?"));
    }
    read(&input.id)
}

fn read(id: &str) -> Result<NoteRead, Failure> {
    http::get(http::url(API, ["notes", id])).send()?.ok()?.json()
}

/// What to write.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateNote {
    /// One line.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// The note itself, plain text.
    #[serde(default)]
    pub text: String,
}

/// The new note.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct NoteCreated {
    /// The service's id.
    pub id: String,
}

/// Creates a note that only its owner can read.
#[tool(title = "Create a note")]
pub fn create_note(input: CreateNote) -> Result<NoteCreated, Failure> {
    if input.title.trim().is_empty() {
        return Err(Failure::invalid_input("title: a note needs one"));
    }
    create(&input.title, &input.text)
}

fn create(title: &str, text: &str) -> Result<NoteCreated, Failure> {
    http::post(http::url(API, ["notes"])).form([("title", title), ("text", text)]).send()?.ok()?.json()
}

/// What to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexNotes {
    /// The service's ids, in the order in which the titles are to stand.
    #[schemars(length(min = 1, max = 100))]
    pub ids: Vec<String>,
    /// The new note's title, one line.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
}

/// Creates a note that lists the titles of others, and that only its owner can read.
#[tool(title = "Index notes")]
pub fn index_notes(input: IndexNotes) -> Result<NoteCreated, Failure> {
    if input.title.trim().is_empty() {
        return Err(Failure::invalid_input("title: a note needs one"));
    }
    if let Some(at) = input.ids.iter().position(|id| id.trim().is_empty()) {
        return Err(Failure::invalid_input(format!("ids[{at}]: which note?")));
    }
    let titles: Result<Vec<String>, Failure> = input.ids.iter().map(|id| read(id).map(|note| note.title)).collect();
    create(&input.title, &titles?.join("\n"))
}

/// One stream: all notes.
struct Notes;

/// Where the next pull begins: what was updated after this instant.
#[derive(Serialize, Deserialize)]
struct Cursor {
    updated: String,
}

impl sync::Sync for Notes {
    fn streams() -> Result<Vec<Stream>, Failure> {
        Ok(vec![Stream::new("notes", "Notes")])
    }

    fn pull(job: &Job, sink: &mut Sink) -> Result<Outcome, Failure> {
        let cursor: Option<Cursor> = job.cursor()?;
        let mut updated = cursor.map(|cursor| cursor.updated).unwrap_or_default();
        // A sweep lists everything; any other pull what is new.
        let since = (!job.sweep && !updated.is_empty()).then(|| updated.clone());
        let pages = paging::pages(|page: Option<&String>| {
            let request =
                http::get(http::url(API, ["notes"])).query_opt("since", since.as_ref()).query_opt("page", page);
            let listing: Listing = request.send()?.ok()?.json()?;
            Ok(Page::new(listing.notes, listing.next))
        });
        for notes in pages {
            for note in notes? {
                updated = updated.max(note.updated.clone());
                sink.upsert(document(note))?;
            }
        }
        sink.checkpoint(&Cursor { updated })?;
        Ok(Outcome::Complete(Coverage::Whole))
    }

    fn probe(ids: &[String]) -> Result<Vec<Presence>, Failure> {
        let requests = ids.iter().map(|id| http::get(http::url(API, ["notes", id])));
        let answers = http::send_all(requests);
        Ok(answers
            .into_iter()
            .map(|answer| match answer {
                Ok(answer) if answer.is_success() => Presence::Present,
                Ok(answer) if answer.status() == 404 => Presence::Gone,
                _ => Presence::InDoubt,
            })
            .collect())
    }
}

fn document(note: Note) -> Document {
    let readers = note.readers.into_iter().fold(Acl::new(), |acl, reader| acl.reader(Principal::Email(reader)));
    Document::new(note.id, "note", note.title)
        .text(note.text)
        .revision(note.etag)
        .updated(Timestamp::parse(&note.updated))
        .access(readers)
}

#[cfg(test)]
mod tests {
    use sallyport_sdk::testing::{FakeHost, Reply};
    use serde_json::{Value, json};

    use super::*;

    fn note(id: &str, updated: &str) -> Value {
        json!({ "id": id, "title": id, "text": "…", "etag": updated, "updated": updated, "readers": ["ada@example.com"] })
    }

    fn service() -> FakeHost {
        let first = json!({ "notes": [note("n1", "2026-01-01T00:00:00Z")], "next": "2" });
        let second = json!({ "notes": [note("n2", "2026-01-02T00:00:00Z")], "next": null });
        FakeHost::new().respond("GET", "https://hello.example/v1/notes?page=2", second).respond(
            "GET",
            "https://hello.example/v1/notes",
            first,
        )
    }

    #[test]
    fn all_pages_are_read_and_the_next_pull_asks_for_what_is_new() {
        let host = service();
        host.sync::<Connector>("notes").unwrap();
        let stored = host.stored();
        assert_eq!(stored.documents.keys().collect::<Vec<_>>(), ["n1", "n2"]);
        let access = Access::from(Acl::new().reader(Principal::Email("ada@example.com".into())));
        assert_eq!(stored.documents["n1"].access, access);

        host.forget_requests();
        let nothing = json!({ "notes": [], "next": null });
        let host = host.forget_answers().respond("GET", "https://hello.example/v1/notes", nothing);
        host.sync::<Connector>("notes").unwrap();
        assert_eq!(host.requests()[0].query("since").as_deref(), Some("2026-01-02T00:00:00Z"));
    }

    #[test]
    fn a_note_that_a_sweep_missed_goes_only_if_it_is_gone() {
        let host = service();
        host.sync::<Connector>("notes").unwrap();
        let host = host
            .forget_answers()
            .respond("GET", "https://hello.example/v1/notes", json!({ "notes": [], "next": null }))
            .respond("GET", "https://hello.example/v1/notes/n1", Reply::text(404, "gone"))
            .respond("GET", "https://hello.example/v1/notes/n2", Reply::status(500));
        host.sweep::<Connector>("notes").unwrap();
        assert_eq!(host.stored().documents.into_keys().collect::<Vec<_>>(), ["n2"]);
    }

    #[test]
    fn a_note_is_read_by_its_id() {
        let host =
            FakeHost::new().respond("GET", "https://hello.example/v1/notes/n1", note("n1", "2026-01-01T00:00:00Z"));
        let output = host.invoke::<Connector>("read_note", json!({ "id": "n1" })).unwrap();
        assert_eq!(output.json, json!({ "title": "n1", "text": "…" }));
    }

    #[test]
    fn a_note_is_created_as_a_form() {
        let host = FakeHost::new().respond("POST", "https://hello.example/v1/notes", json!({ "id": "n9" }));
        let output = host.invoke::<Connector>("create_note", json!({ "title": "Milk & bread" })).unwrap();
        assert_eq!(output.json, json!({ "id": "n9" }));
        let form = host.requests()[0].form();
        assert_eq!(form, [("title".into(), "Milk & bread".into()), ("text".into(), String::new())]);
    }

    #[test]
    fn notes_are_listed_in_the_order_that_was_asked_for() {
        let with = |id: &str, title: &str| {
            let mut changed = note(id, "2026-01-01T00:00:00Z");
            changed["title"] = title.into();
            changed
        };
        let host = FakeHost::new()
            .respond("GET", "https://hello.example/v1/notes/n1", with("n1", "Eggs"))
            .respond("GET", "https://hello.example/v1/notes/n2", with("n2", "Milk"))
            .respond("POST", "https://hello.example/v1/notes", json!({ "id": "n9" }));
        let index = json!({ "ids": ["n2", "n1"], "title": "Shopping" });
        let output = host.invoke::<Connector>("index_notes", index).unwrap();
        assert_eq!(output.json, json!({ "id": "n9" }));
        let form = host.requests()[2].form();
        assert_eq!(form, [("title".into(), "Shopping".into()), ("text".into(), "Milk\nEggs".into())]);

        let nameless = json!({ "ids": ["n1", " "], "title": "Shopping" });
        let refused = host.invoke::<Connector>("index_notes", nameless).unwrap_err();
        assert_eq!(refused, Failure::invalid_input("ids[1]: which note?"));
        assert_eq!(host.requests().len(), 3, "nothing is read for a call that is refused");
    }
}
