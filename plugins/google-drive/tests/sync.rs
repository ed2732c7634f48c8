//! What a sync gives, against a Drive of a few lines.

mod common;

use std::collections::BTreeSet;

use common::*;
use sallyport_google_drive::Connector;
use sallyport_sdk::documents::Change;
use sallyport_sdk::http;
use sallyport_sdk::prelude::*;
use sallyport_sdk::testing::{FakeHost, Reply, Stored};
use serde_json::{Value, json};

const MINE: &str = "my-drive";
const ENGINEERING: &str = "drive:eng";

/// A folder with a Google Doc and a Markdown file in it, and a picture at the top.
fn small() -> Service {
    let me = || user(ME, "owner");
    let plans = file("plans", FOLDER, ROOT, vec![me(), user("ben@example.com", "reader")]);
    let below = |own: Vec<Value>| [own, vec![inherited(user("ben@example.com", "reader"))]].concat();
    let mut notes = file("notes", "text/markdown", "plans", below(vec![me()]));
    notes["md5Checksum"] = "aa".into();
    notes["size"] = "20".into();
    Service::new(vec![
        plans,
        file("letter", DOCUMENT, "plans", below(vec![me(), user("zoe@example.com", "commenter")])),
        notes,
        file("photo", "image/png", ROOT, vec![me()]),
        file("link", "application/vnd.google-apps.shortcut", ROOT, vec![me()]),
    ])
    .with_content("letter:text/markdown", "text/markdown", "# Letter\n\nDear Ben.")
    .with_content("notes", "text/markdown", "\u{feff}# Notes\r\n\r\nMilk.")
}

/// A shared drive with two members, a folder that a third person may read, and files in both.
fn engineering() -> Service {
    let mut service = Service::new(vec![
        shared("security", FOLDER, "eng", "eng", true),
        shared("handbook", "text/plain", "eng", "eng", false),
        shared("review", "text/plain", "eng", "security", false),
    ])
    .with_content("handbook", "text/plain", "Be kind.")
    .with_content("review", "text/plain", "All is well.");
    service.drives = vec![json!({ "id": "eng", "name": "Engineering" })];
    let members = vec![user(ME, "organizer"), user("ben@example.com", "reader"), group("devs@example.com", "writer")];
    let above: Vec<Value> = members.iter().cloned().map(inherited).collect();
    service.permissions.insert("eng".into(), members);
    service.permissions.insert("security".into(), [above, vec![user("sam@partner.example", "reader")]].concat());
    service
}

fn sync(host: &FakeHost, stream: &str) -> Stored {
    host.forget_requests();
    host.sync::<Connector>(stream).expect("the sync succeeds");
    assert_allowed(host, &["files.read", "groups.read"]);
    host.stored()
}

fn asked(host: &FakeHost, part: &str) -> usize {
    host.requests().iter().filter(|sent| sent.url.contains(part)).count()
}

/// Addresses, groups and the like that read a document, through every container; groups as they are.
fn readers(stored: &Stored, id: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![&stored.documents[id].access];
    while let Some(access) = open.pop() {
        let Access::Known(acl) = access else { continue };
        found.extend(acl.entries.iter().map(|entry| match &entry.who {
            Principal::Email(name) | Principal::Group(name) | Principal::Domain(name) => name.clone(),
            other => format!("{other:?}"),
        }));
        open.extend(acl.inherit.iter().filter_map(|id| stored.containers.get(id)).map(|container| &container.access));
    }
    found
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn files_are_documents_in_folders_in_drives() {
    let (host, _) = host(small());
    let stored = sync(&host, MINE);
    let containers: Vec<_> = stored
        .containers
        .values()
        .map(|each| (each.id.as_str(), each.kind.as_str(), each.name.as_str(), each.parent.as_deref()))
        .collect();
    assert_eq!(
        containers,
        [
            ("plans", "folder", "Name of plans", Some(ROOT)),
            (ROOT, "drive", "My Drive", None),
            ("shared-with-me", "drive", "Shared with me", None),
        ]
    );
    assert_eq!(stored.documents.keys().collect::<Vec<_>>(), ["letter", "notes", "photo"], "a shortcut is no document");
    let letter = &stored.documents["letter"];
    assert_eq!((letter.kind.as_str(), letter.title.as_str()), ("file", "Name of letter"));
    assert_eq!(letter.container.as_deref(), Some("plans"));
    assert_eq!(letter.content, Content::Markdown("# Letter\n\nDear Ben.".into()));
    assert_eq!(letter.url.as_deref(), Some("https://drive.google.com/file/d/letter/view"));
    assert_eq!(letter.updated, Timestamp::parse("2026-02-01T10:00:00Z"));
    assert_eq!(letter.authors, [format!("p-{ME}")]);
    assert_eq!(letter.metadata["mime_type"], DOCUMENT);
    assert_eq!(stored.documents["notes"].content, Content::Markdown("# Notes\n\nMilk.".into()), "no mark, no CRLF");
    let photo = &stored.documents["photo"];
    assert_eq!((&photo.content, photo.truncated), (&Content::None, false), "a title only");
    assert_eq!(stored.people[&format!("p-{ME}")].email.as_deref(), Some(ME));
    assert!(host.requests().iter().any(|sent| sent.query("pageToken").is_some_and(|token| token.starts_with("list-"))));
}

#[test]
fn the_token_is_taken_before_anything_is_listed() {
    let (host, _) = host(small());
    sync(&host, MINE);
    let position = |part: &str| host.requests().iter().position(|sent| sent.url.contains(part));
    assert!(position("/changes/startPageToken") < position("/files?"));
    let cursor: Value = serde_json::from_str(host.checkpoints().last().unwrap()).unwrap();
    assert_eq!((&cursor["phase"], &cursor["token"]), (&json!("changes"), &json!("change-0")));
}

#[test]
fn readers_are_the_items_own_and_those_of_its_folder() {
    let (host, service) = host(small());
    let stored = sync(&host, MINE);
    assert_eq!(readers(&stored, "letter"), names(&[ME, "ben@example.com", "zoe@example.com"]));
    assert_eq!(readers(&stored, "photo"), names(&[ME]));
    let own = Acl::new()
        .entry(Principal::Email(ME.into()), Level::Write)
        .entry(Principal::Email("zoe@example.com".into()), Level::Comment)
        .inherit("plans");
    assert_eq!(stored.documents["letter"].access, own.into(), "what is inherited is not repeated");

    // The folder is taken from Ben: one change, of the folder alone, and of nothing in it.
    service.borrow_mut().file("plans")["permissions"] = json!([user(ME, "owner")]);
    let plans = service.borrow_mut().file("plans").clone();
    service.borrow_mut().changes.push(changed(&plans));
    let pull = Job { stream: MINE.into(), cursor: host.checkpoints().last().cloned(), ..Job::default() };
    for id in ["letter", "notes"] {
        let mut service = service.borrow_mut();
        let permissions = service.file(id)["permissions"].as_array_mut().unwrap();
        permissions.retain(|each| each["emailAddress"] != "ben@example.com");
    }
    host.forget_requests();
    host.pull::<Connector>(&pull).unwrap();
    assert_eq!(readers(&host.stored(), "letter"), names(&[ME, "zoe@example.com"]));
    assert_eq!(asked(&host, "/export"), 0);
}

#[test]
fn inheriting_never_widens_what_the_service_says() {
    let mut service = small();
    // Ben was taken off this one file (which older files allow), and one folder is limited.
    service.file("notes")["permissions"] = json!([user(ME, "owner")]);
    let limited = [user(ME, "owner"), user("zoe@example.com", "reader")];
    let mut folder = file("limited", FOLDER, "plans", limited.to_vec());
    folder["inheritedPermissionsDisabled"] = true.into();
    service.files.push(folder);
    service.files.push(file("secret", "image/png", "limited", limited.map(inherited).to_vec()));
    let (host, _) = host(service);
    let stored = sync(&host, MINE);
    assert_eq!(readers(&stored, "notes"), names(&[ME]));
    assert_eq!(readers(&stored, "secret"), names(&[ME, "zoe@example.com"]));
}

#[test]
fn a_link_alone_makes_no_reader() {
    let grant = |kind: &str, discovery: bool| json!({ "id": format!("{kind}{discovery}"), "type": kind, "role": "reader", "domain": "example.com", "allowFileDiscovery": discovery });
    let mut expired = user("old@example.com", "reader");
    expired["expirationTime"] = "2025-12-31T00:00:00Z".into();
    let mut later = user("later@example.com", "reader");
    later["expirationTime"] = "2026-12-31T00:00:00Z".into();
    let mut deleted = user("deleted@example.com", "reader");
    deleted["deleted"] = true.into();
    let mut viewed = user("viewed@example.com", "reader");
    viewed["view"] = "published".into();
    let picture = |id: &str, more: Vec<Value>| file(id, "image/png", ROOT, [vec![user(ME, "owner")], more].concat());
    let service = Service::new(vec![
        picture("linked", vec![grant("anyone", false), grant("domain", false), expired, deleted, viewed, later]),
        picture("published", vec![grant("anyone", true), grant("domain", true)]),
    ]);
    let (host, _) = host(service);
    let stored = sync(&host, MINE);
    assert_eq!(readers(&stored, "linked"), names(&[ME, "later@example.com"]));
    assert_eq!(readers(&stored, "published"), names(&[ME, "example.com", "Anyone"]));
}

#[test]
fn what_was_shared_without_its_folder_has_a_place_and_the_asker_as_reader() {
    let mut theirs = file("theirs", "image/png", "unseen", vec![]);
    theirs.as_object_mut().unwrap().remove("permissions");
    theirs["ownedByMe"] = false.into();
    theirs["owners"] = json!([{ "permissionId": "p-dora", "emailAddress": "dora@example.com" }]);
    let (host, _) = host(Service::new(vec![theirs]));
    let stored = sync(&host, MINE);
    assert_eq!(stored.documents["theirs"].container.as_deref(), Some("shared-with-me"));
    assert_eq!(readers(&stored, "theirs"), names(&[ME]), "who else reads it is not known");
}

#[test]
fn a_crawl_resumes_at_its_last_checkpoint() {
    let (host, _) = host(small());
    // The service fails in the middle of the files.
    let broken = host.clone().respond_once("GET", &format!("{API}/files?pageToken=list-2"), Reply::status(500));
    broken.sync::<Connector>(MINE).unwrap_err();
    assert_eq!(host.stored().documents.keys().collect::<Vec<_>>(), ["letter", "notes"]);
    host.forget_requests();
    let stored = host.sync::<Connector>(MINE).map(|_| host.stored()).unwrap();
    assert_eq!(stored.documents.keys().collect::<Vec<_>>(), ["letter", "notes", "photo"]);
    assert_eq!(asked(&host, "startPageToken"), 0, "the token taken first is kept");
    assert_eq!(asked(&host, "/export"), 0);
    let listed: Vec<_> = host.requests().iter().filter(|sent| sent.path().ends_with("/files")).cloned().collect();
    assert_eq!(listed[0].query("pageToken").as_deref(), Some("list-2"));
}

#[test]
fn a_pull_that_is_throttled_waits_and_goes_on() {
    let (host, _) = host(small());
    let host = host.respond_once("GET", &format!("{API}/files?pageToken=list-2"), http::Error::Throttled(7000));
    let job = Job::new(MINE);
    assert_eq!(host.pull::<Connector>(&job).unwrap(), Outcome::Wait(7000));
    assert_eq!(sync(&host, MINE).documents.len(), 3);
}

#[test]
fn what_was_fetched_before_a_throttle_is_kept_and_not_fetched_again() {
    let files = (0..8).map(|n| file(&format!("f{n}"), "text/plain", ROOT, vec![user(ME, "owner")]));
    let mut service = Service::new(files.collect());
    service.page = 100;
    for n in 0..8 {
        service.contents.insert(format!("f{n}"), Reply::bytes("text/plain", format!("Text {n}")));
    }
    let (host, _) = host(service);
    // The rate limit lets five of the page through.
    let throttled = (5..8).fold(host.clone(), |host, n| {
        host.respond_once("GET", &format!("{API}/files/f{n}?alt=media"), http::Error::Throttled(7000))
    });
    assert_eq!(throttled.pull::<Connector>(&Job::new(MINE)).unwrap(), Outcome::Wait(7000));
    assert_eq!(host.stored().documents.len(), 5);
    host.forget_requests();
    assert_eq!(sync(&host, MINE).documents.len(), 8);
    assert_eq!(asked(&host, "alt=media"), 3, "the five are not fetched again");
}

#[test]
fn a_long_crawl_is_many_pulls() {
    let many = (0..60).map(|n| file(&format!("f{n:02}"), "image/png", ROOT, vec![user(ME, "owner")]));
    let (host, _) = host(Service::new(many.collect()));
    assert_eq!(host.pull::<Connector>(&Job::new(MINE)).unwrap(), Outcome::More);
    assert_eq!(sync(&host, MINE).documents.len(), 60);
}

#[test]
fn changes_are_followed() {
    let (host, service) = host(small());
    sync(&host, MINE);
    {
        let mut service = service.borrow_mut();
        service.file("letter")["modifiedTime"] = "2026-03-01T10:00:00.000Z".into();
        service.contents.insert("letter:text/markdown".into(), Reply::bytes("text/markdown", "# Letter 2"));
        service.file("photo")["trashed"] = true.into();
        service.file("notes")["parents"] = json!([ROOT]);
        service.files.push(file("new", "image/png", ROOT, vec![user(ME, "owner")]));
        service.files.push(file("gone", "image/png", ROOT, vec![user(ME, "owner")]));
        for id in ["letter", "photo", "notes", "new", "gone"] {
            let change = changed(service.file(id));
            service.changes.push(change);
        }
        service.files.retain(|file| file["id"] != "gone");
        service.changes.push(removed("gone"));
    }
    let stored = sync(&host, MINE);
    assert_eq!(stored.documents.keys().collect::<Vec<_>>(), ["letter", "new", "notes"]);
    assert_eq!(stored.documents["letter"].content, Content::Markdown("# Letter 2".into()));
    assert_eq!(stored.documents["notes"].container.as_deref(), Some(ROOT), "moved");
    assert_eq!(asked(&host, "/files?"), 0, "nothing is listed again");

    let stored = sync(&host, MINE);
    assert_eq!(stored.documents.len(), 3);
    let cursor: Value = serde_json::from_str(host.checkpoints().last().unwrap()).unwrap();
    assert_eq!(cursor["token"], "change-6", "only the last page gives the new token");
}

#[test]
fn a_folder_that_is_shared_anew_or_trashed_brings_and_takes_what_is_in_it() {
    let (host, service) = host(small());
    sync(&host, MINE);
    {
        let mut service = service.borrow_mut();
        let theirs = |id: &str, kind: &str, parent: &str| {
            file(id, kind, parent, vec![user("dora@example.com", "owner"), user(ME, "writer")])
        };
        let inbox = theirs("inbox", FOLDER, "unseen");
        service.files.extend([inbox.clone(), theirs("inner", FOLDER, "inbox"), theirs("deep", "image/png", "inner")]);
        service.changes.push(changed(&inbox));
    }
    let stored = sync(&host, MINE);
    assert_eq!(stored.documents["deep"].container.as_deref(), Some("inner"));
    assert_eq!(stored.containers["inbox"].parent.as_deref(), Some("shared-with-me"));
    {
        let mut service = service.borrow_mut();
        for id in ["plans", "letter", "notes"] {
            service.file(id)["trashed"] = true.into();
        }
        let change = changed(service.file("plans"));
        service.changes.push(change);
    }
    let stored = sync(&host, MINE);
    assert_eq!(stored.documents.keys().collect::<Vec<_>>(), ["deep", "photo"]);
    assert!(!stored.containers.contains_key("plans"));
}

#[test]
fn sharing_alone_fetches_nothing() {
    let (host, service) = host(small());
    let before = sync(&host, MINE).documents["letter"].revision.clone();
    {
        let mut service = service.borrow_mut();
        let letter = service.file("letter");
        letter["permissions"].as_array_mut().unwrap().push(user("kim@example.com", "reader"));
        letter["version"] = "99".into();
        let change = changed(letter);
        service.changes.push(change);
    }
    let stored = sync(&host, MINE);
    assert!(readers(&stored, "letter").contains("kim@example.com"));
    assert_eq!(stored.documents["letter"].revision, before);
    assert_eq!(asked(&host, "/export"), 0);
    assert!(matches!(*host.changes().last().unwrap().clone(), Change::SetAccess { .. } | Change::Seen(_)));
}

#[test]
fn a_sweep_lists_everything_fetches_nothing_and_finds_what_is_gone() {
    let (host, service) = host(small());
    sync(&host, MINE);
    service.borrow_mut().files.retain(|file| file["id"] != "photo");
    host.forget_requests();
    assert_eq!(host.sweep::<Connector>(MINE).unwrap(), Coverage::Whole);
    assert_eq!(host.stored().documents.keys().collect::<Vec<_>>(), ["letter", "notes"]);
    assert_eq!(asked(&host, "/export") + asked(&host, "alt=media"), 0);
    assert_eq!(sync(&host, MINE).documents.len(), 2);
    assert_eq!(asked(&host, "/files?"), 0, "after a sweep changes are followed again");
}

#[test]
fn a_refused_token_lists_everything_again_and_not_for_ever() {
    let (host, service) = host(small());
    sync(&host, MINE);
    {
        let mut service = service.borrow_mut();
        // The log was cut: the change of this file is not in it.
        service.files.push(file("new", "image/png", ROOT, vec![user(ME, "owner")]));
        service.changes.extend([removed("x"), removed("y")]);
        service.refused = Some("change-0".into());
    }
    assert!(sync(&host, MINE).documents.contains_key("new"));
    let cursor: Value = serde_json::from_str(host.checkpoints().last().unwrap()).unwrap();
    assert_eq!((&cursor["token"], &cursor["restarts"]), (&json!("change-2"), &json!(0)));

    service.borrow_mut().refused = Some("change".into());
    host.forget_requests();
    host.sync::<Connector>(MINE).unwrap_err();
    assert_eq!(asked(&host, "startPageToken"), 3);
}

#[test]
fn a_presence_is_what_the_service_says() {
    let (host, service) = host(small());
    service.borrow_mut().file("photo")["trashed"] = true.into();
    let host = host.respond("GET", &format!("{API}/files/broken?fields=id%2Ctrashed"), Reply::status(500));
    let ids = ["letter", "photo", "nowhere", "broken"].map(str::to_owned);
    let presences = host.probe::<Connector>(&ids).unwrap();
    assert_eq!(presences, [Presence::Present, Presence::Gone, Presence::Gone, Presence::InDoubt]);
}

#[test]
fn exports_fall_back_to_plain_text_and_to_nothing() {
    let me = || vec![user(ME, "owner")];
    let mut service = Service::new(vec![
        file("plain", DOCUMENT, ROOT, me()),
        file("huge", DOCUMENT, ROOT, me()),
        file("sheet", "application/vnd.google-apps.spreadsheet", ROOT, me()),
        file("flaky", DOCUMENT, ROOT, me()),
    ])
    .with_content("plain:text/plain", "text/plain", "\u{feff}One\r\nTwo\r\n")
    .with_content("sheet:text/csv", "text/csv", "a,b\r\n1,2");
    service.contents.insert("huge:text/markdown".into(), refusal(403, "exportSizeLimitExceeded"));
    service.contents.insert("flaky:text/markdown".into(), Reply::status(500));
    let (host, service) = host(service);
    let stored = sync(&host, MINE);
    assert_eq!(stored.documents["plain"].content, Content::Text("One\nTwo\n".into()));
    assert_eq!(stored.documents["sheet"].content, Content::Text("a,b\n1,2".into()));
    let huge = &stored.documents["huge"];
    assert_eq!((&huge.content, huge.truncated), (&Content::None, true));
    assert!(huge.revision.is_some(), "it will not be smaller before it changes");
    assert_eq!(stored.documents["flaky"].revision, None);

    service.borrow_mut().contents.insert("flaky:text/markdown".into(), Reply::bytes("text/markdown", "Here"));
    host.sweep::<Connector>(MINE).unwrap();
    assert_eq!(host.stored().documents["flaky"].content, Content::Markdown("Here".into()), "tried again");
}

#[test]
fn large_text_stays_with_the_host() {
    let mut large = file("large", "text/plain", ROOT, vec![user(ME, "owner")]);
    large["size"] = "5000000".into();
    let mut unsized_file = large.clone();
    unsized_file["id"] = "unsized".into();
    unsized_file["size"] = Value::Null;
    let text = "x".repeat(5_000_000);
    let service = Service::new(vec![large, unsized_file]).with_content("large", "text/plain", &text).with_content(
        "unsized",
        "text/plain",
        &text,
    );
    let (host, _) = host(service);
    let stored = sync(&host, MINE);
    for id in ["large", "unsized"] {
        assert!(matches!(&stored.documents[id].content, Content::Blob(blob) if blob.size() == Some(5_000_000)), "{id}");
    }
    assert_eq!(asked(&host, "files/large?alt=media"), 1);
}

#[test]
fn a_shared_drive_is_a_stream_whose_members_read_it() {
    let (host, _) = host(engineering());
    let streams = host.streams::<Connector>().unwrap();
    assert_eq!(streams, [Stream::new(MINE, "My Drive"), Stream::new(ENGINEERING, "Engineering")]);
    let stored = sync(&host, ENGINEERING);
    assert_eq!(stored.containers["eng"].kind, "drive");
    assert_eq!(stored.containers["security"].parent.as_deref(), Some("eng"));
    assert_eq!(stored.documents["review"].access, Access::inherit("security"));
    let members = [ME, "ben@example.com", "devs@example.com"];
    assert_eq!(readers(&stored, "handbook"), names(&members));
    assert_eq!(readers(&stored, "review"), names(&[&members[..], &["sam@partner.example"]].concat()));
    assert_eq!(asked(&host, "/permissions"), 4, "two pages each, only for the drive and the folder");
    assert!(sync(&host, MINE).documents.keys().all(|id| id != "x"), "the other stream runs");
    assert_eq!(asked(&host, "files/handbook"), 0, "and leaves the drive to its own");

    // A member is taken out: nothing of the drive's files changes.
    let (host, service) = self::host(engineering());
    sync(&host, ENGINEERING);
    service.borrow_mut().permissions.get_mut("eng").unwrap().retain(|each| each["emailAddress"] != "ben@example.com");
    assert_eq!(readers(&sync(&host, ENGINEERING), "review"), names(&[ME, "devs@example.com", "sam@partner.example"]));
}

#[test]
fn limited_folders_of_a_drive_let_only_organizers_through() {
    let mut service = engineering();
    let mut board = shared("board", FOLDER, "eng", "eng", true);
    board["inheritedPermissionsDisabled"] = true.into();
    service.files.extend([board, shared("minutes", "image/png", "eng", "board", false)]);
    service
        .permissions
        .insert("board".into(), vec![inherited(user(ME, "organizer")), user("kim@example.com", "reader")]);
    let (host, _) = host(service);
    let stored = sync(&host, ENGINEERING);
    assert_eq!(readers(&stored, "minutes"), names(&["organizers:eng", "kim@example.com"]));
    assert_eq!(stored.groups["organizers:eng"], BTreeSet::from([Principal::Email(ME.into())]));
}

#[test]
fn where_permissions_are_refused_only_the_asker_reads() {
    let mut service = engineering();
    service.permissions.clear();
    let (host, _) = host(service);
    let stored = sync(&host, ENGINEERING);
    for id in ["handbook", "review"] {
        assert_eq!(readers(&stored, id), names(&[ME]), "{id}");
    }
}

#[test]
fn a_lost_drive_takes_its_readers_and_then_its_documents() {
    let (host, service) = host(engineering());
    sync(&host, ENGINEERING);
    let drives = std::mem::take(&mut service.borrow_mut().drives);
    let files = std::mem::take(&mut service.borrow_mut().files);
    let stored = sync(&host, ENGINEERING);
    assert!(readers(&stored, "handbook").is_empty(), "nobody reads it from now on");
    host.sweep::<Connector>(ENGINEERING).unwrap();
    assert!(host.stored().documents.is_empty());

    service.borrow_mut().drives = drives;
    service.borrow_mut().files = files;
    assert_eq!(sync(&host, ENGINEERING).documents.len(), 2, "and it may come back");
}

#[test]
fn what_moves_between_streams_is_not_deleted_by_the_one_that_it_left() {
    let (host, service) = host(engineering());
    sync(&host, ENGINEERING);
    {
        let mut service = service.borrow_mut();
        let handbook = service.file("handbook");
        handbook["driveId"] = Value::Null;
        handbook["ownedByMe"] = true.into();
        service.changes.extend([removed("handbook"), removed("review")]);
        // The other can still be fetched by whoever has its link.
        service.file("review")["driveId"] = Value::Null;
    }
    let stored = sync(&host, ENGINEERING);
    assert_eq!(stored.documents.keys().collect::<Vec<_>>(), ["handbook"]);
}

#[test]
fn groups_have_members_only_where_the_grant_lets_ask() {
    let member = |email: &str, kind: &str| json!({ "email": email, "type": kind, "status": "ACTIVE" });
    let mut service = engineering();
    let mut suspended = member("gone@example.com", "USER");
    suspended["status"] = "SUSPENDED".into();
    let direct = vec![member("Kim@example.com", "USER"), member("ops@example.com", "GROUP"), suspended];
    service.groups.insert("devs@example.com".into(), direct);
    // Groups may hold each other.
    let nested = vec![member("pat@example.com", "USER"), member("devs@example.com", "GROUP")];
    service.groups.insert("ops@example.com".into(), nested);
    let (host, service) = host(service);
    let opaque = sync(&host, ENGINEERING);
    assert!(!opaque.groups.contains_key("devs@example.com"));
    assert_eq!(asked(&host, "admin.googleapis.com"), 0);

    let host = host.capability("groups.read");
    let stored = sync(&host, ENGINEERING);
    let email = |name: &str| Principal::Email(format!("{name}@example.com"));
    let group = |name: &str| Principal::Group(format!("{name}@example.com"));
    assert_eq!(stored.groups["devs@example.com"], BTreeSet::from([email("kim"), group("ops")]));
    assert_eq!(stored.groups["ops@example.com"], BTreeSet::from([email("pat"), group("devs")]));

    service.borrow_mut().groups.get_mut("devs@example.com").unwrap().remove(0);
    assert_eq!(sync(&host, ENGINEERING).groups["devs@example.com"], BTreeSet::from([group("ops")]));
    let changes = host.changes().len();
    sync(&host, ENGINEERING);
    assert_eq!(host.changes().len(), changes, "nothing is said again");
    service.borrow_mut().groups.clear();
    assert!(sync(&host, ENGINEERING).groups["devs@example.com"].is_empty(), "not to be seen any more");
}

#[test]
fn an_account_belongs_to_its_organisation_or_to_none() {
    let about = |email: &str| json!({ "user": { "permissionId": "17", "emailAddress": email, "displayName": "Ana" } });
    for (email, workspace) in [("Ana@Example.com", Some("example.com")), ("ana@gmail.com", None)] {
        let host = FakeHost::new().respond("GET", &format!("{API}/about"), about(email));
        let identity = host.identify::<Connector>().unwrap();
        assert_eq!((identity.id.as_str(), identity.workspace.as_deref()), ("17", workspace));
    }
}
