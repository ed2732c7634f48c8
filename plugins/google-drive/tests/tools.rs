//! What the tools send and give.

mod common;

use common::*;
use sallyport_google_drive::Connector;
use sallyport_sdk::Failure;
use sallyport_sdk::testing::{FakeHost, Reply};
use serde_json::json;

const UPLOAD: &str = "https://www.googleapis.com/upload/drive/v3/files";

#[test]
fn a_search_quotes_what_it_is_given_and_cites_what_it_found() {
    let found = json!({ "nextPageToken": "x", "files": [file("letter", DOCUMENT, ROOT, vec![])] });
    let host = FakeHost::new().respond("GET", &format!("{API}/files"), found);
    let arguments = json!({ "query": r"Ana's \ plan", "folder_id": "1a-B_c", "limit": 5 });
    let output = host.invoke::<Connector>("search_files", arguments).unwrap();
    assert_eq!(output.documents, ["letter"]);
    assert_eq!(output.json["more"], true);
    assert_eq!(output.json["files"][0]["name"], "Name of letter");
    assert_eq!(output.json["files"][0]["owner"], "Ana");
    let query = host.requests()[0].query("q").unwrap();
    assert_eq!(query, r"'1a-B_c' in parents and fullText contains 'Ana\'s \\ plan' and trashed = false");
    assert_eq!(host.requests()[0].query("orderBy"), None, "a full-text search refuses an order");
    assert_allowed(&host, &["files.read"]);
}

#[test]
fn a_document_is_created_with_one_write() {
    let made = json!({ "id": "d1", "name": "Plan", "webViewLink": "https://docs.google.com/document/d/d1/edit" });
    let host = FakeHost::new().respond("POST", UPLOAD, made);
    let arguments = json!({ "folder_id": "plans", "name": "Plan", "content": "# Plan\n\nMilk." });
    let output = host.invoke::<Connector>("create_document", arguments).unwrap();
    assert_eq!(output.json["url"], "https://docs.google.com/document/d/d1/edit");
    let requests = host.requests();
    let [sent] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(sent.query("uploadType").as_deref(), Some("multipart"));
    assert_eq!(sent.parts[0].media_type.as_deref(), Some("application/json"));
    let metadata: serde_json::Value = serde_json::from_slice(&sent.parts[0].body).unwrap();
    assert_eq!(metadata, json!({ "name": "Plan", "mimeType": DOCUMENT, "parents": ["plans"] }));
    assert_eq!(sent.parts[1].media_type.as_deref(), Some("text/markdown"));
    assert_eq!(sent.parts[1].body, b"# Plan\n\nMilk.");
    assert_allowed(&host, &["files.create"]);
}

#[test]
fn a_file_is_shared_with_a_person_a_group_or_a_domain() {
    let url = format!("{API}/files/letter/permissions");
    let host = FakeHost::new().respond("POST", &url, json!({ "id": "p", "type": "user", "role": "writer" }));
    for (with, group, kind, named) in [
        ("ben@example.com", false, "user", "emailAddress"),
        ("devs@example.com", true, "group", "emailAddress"),
        ("example.com", false, "domain", "domain"),
    ] {
        host.forget_requests();
        let arguments = json!({ "file_id": "letter", "with": with, "role": "reader", "is_group": group });
        let output = host.invoke::<Connector>("share_file", arguments).unwrap();
        assert_eq!(
            output.json,
            json!({ "file_id": "letter", "with": with, "role": "writer" }),
            "the role that they have"
        );
        assert_eq!(host.requests()[0].json(), json!({ "type": kind, "role": "reader", named: with }));
        assert_allowed(&host, &["files.share"]);
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let host = FakeHost::new();
    for (tool, arguments) in [
        ("share_file", json!({ "file_id": "letter", "with": "anyone", "role": "reader" })),
        ("share_file", json!({ "file_id": "letter", "with": "a@b@c", "role": "reader" })),
        ("share_file", json!({ "file_id": "letter", "with": "ben@example.com", "role": "owner" })),
        ("share_file", json!({ "file_id": "../drives", "with": "ben@example.com", "role": "reader" })),
        ("create_document", json!({ "folder_id": "plans", "name": "  ", "content": "" })),
        ("create_document", json!({ "folder_id": "", "name": "Plan", "content": "" })),
        ("search_files", json!({ "query": " " })),
    ] {
        let failure = host.invoke::<Connector>(tool, arguments.clone()).unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{tool} {arguments}: {failure:?}");
    }
    assert!(host.requests().is_empty());
}

#[test]
fn the_reason_says_what_a_refusal_means() {
    type Case = (Reply, fn(&Failure) -> bool);
    let cases: [Case; 6] = [
        (refusal(403, "userRateLimitExceeded"), |failure| matches!(failure, Failure::Later { .. })),
        (refusal(403, "insufficientFilePermissions"), |failure| matches!(failure, Failure::Forbidden(_))),
        (refusal(404, "notFound"), |failure| matches!(failure, Failure::NotFound(_))),
        (refusal(401, "authError"), |failure| matches!(failure, Failure::NeedsReauth(_))),
        (
            refusal(403, "dailyLimitExceeded"),
            |failure| matches!(failure, Failure::Other(problem) if problem.code == "daily-limit-exceeded"),
        ),
        (
            Reply::text(500, "no JSON"),
            |failure| matches!(failure, Failure::Other(problem) if problem.code == "http-500"),
        ),
    ];
    for (reply, fits) in cases {
        let host = FakeHost::new().respond("GET", &format!("{API}/files"), reply.clone());
        let failure = host.invoke::<Connector>("search_files", json!({ "query": "plan" })).unwrap_err();
        assert!(fits(&failure), "{reply:?}: {failure:?}");
    }
}
