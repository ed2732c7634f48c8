//! Every write action of the four services, said in the route grammar: the request that does it is admitted and its
//! places are known, and
//! a request that does something else by the same route is refused.

use std::collections::BTreeSet;

use sallyport_pack::{
    manifest::Manifest,
    route::{Parameters, Route, path_segments},
};
use serde::Deserialize;
use url::Url;

/// One request of an action.
struct Action {
    name: &'static str,
    /// The route as it is written in a manifest.
    route: &'static str,
    /// Method and URL.
    request: &'static str,
    body: Body,
    /// What names a place in it.
    bound: &'static [&'static str],
    /// A request by the same template that must not go by this route: URL and body.
    refused: Option<(&'static str, Body)>,
}

#[derive(Clone, Copy)]
enum Body {
    None,
    Json(&'static str),
    Form(&'static str),
    /// Name, media type and content of each part.
    Parts(&'static [(&'static str, &'static str, &'static str)]),
    Raw,
}

fn parameters(url: &Url, body: Body) -> Parameters {
    let mut parameters = Parameters::from_query(url);
    match body {
        Body::None => {}
        Body::Json(text) => parameters.add_json(text.as_bytes()).expect("JSON"),
        Body::Form(text) => parameters.add_form(text.as_bytes()).expect("a form"),
        Body::Parts(parts) => {
            for (name, media_type, content) in parts {
                parameters.add_part(name, Some(media_type), content.as_bytes()).expect("a part");
            }
        }
        Body::Raw => parameters.set_opaque(),
    }
    parameters
}

/// Adds the actions' routes to the service's manifest, then sends each request through them.
fn check(manifest: &str, actions: &[Action]) {
    let list: Vec<&str> = actions.iter().map(|action| action.route).collect::<BTreeSet<_>>().into_iter().collect();
    let slot = if manifest.contains("slot = \"bot\"") { "bot" } else { "user" };
    let text = format!(
        "{manifest}\n[[capability]]\nid = \"all.actions\"\naccess = \"write\"\nsummary = \"All\"\nslots = [\"{slot}\"]\nroutes = [\n{},\n]\n",
        list.join(",\n")
    );
    let manifest = Manifest::from_toml(&text).unwrap_or_else(|errors| panic!("{errors}"));
    for action in actions {
        let name = action.name;
        let route = route(action.route);
        let (method, url) = action.request.split_once(' ').expect("method and URL");
        let send = |url: &str, body: Body| {
            let url = Url::parse(url).expect(url);
            let (origin, _) = manifest.origin_of(&url).unwrap_or_else(|| panic!("{name}: no origin for {url}"));
            let segments = path_segments(&url).unwrap_or_else(|error| panic!("{name}: {error}"));
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            let params = route
                .template
                .matches(method, origin, &segments)
                .unwrap_or_else(|| panic!("{name}: {url} does not match {}", route.template));
            let parameters = parameters(&url, body);
            route.admit(&parameters).map(|()| route.bound(&params, &parameters))
        };
        let bound = send(url, action.body).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let bound: Vec<String> = bound.into_iter().map(|bound| format!("{}={}", bound.place, bound.value)).collect();
        assert_eq!(bound, action.bound, "{name}: what names a place");
        if let Some((url, body)) = action.refused {
            assert!(send(url, body).is_err(), "{name}: {url} should be refused");
        }
    }
}

fn route(text: &str) -> Route {
    #[derive(Deserialize)]
    struct One {
        route: Route,
    }
    toml::from_str::<One>(&format!("route = {text}")).unwrap_or_else(|error| panic!("{text}: {error}")).route
}

use Body::{Form, Json, None as Empty, Parts, Raw};

#[test]
fn google_drives_actions_can_be_said() {
    let patch = r#"{ match = "PATCH {api}/drive/v3/files/{id}", keys = ["name", "addParents", "removeParents", "supportsAllDrives", "fields"], bind = ["{id}", "addParents", "removeParents"], repeat = "safe" }"#;
    let upload = r#"{ match = "POST {api}/upload/drive/v3/files", keys = ["uploadType", "supportsAllDrives", "metadata/name", "metadata/parents", "metadata/mimeType", "media"], values = { uploadType = ["multipart"] }, bind = ["metadata/parents"] }"#;
    check(
        include_str!("fixtures/google-drive.connector.toml"),
        &[
            Action {
                name: "create_folder",
                route: r#"{ match = "POST {api}/drive/v3/files", keys = ["id", "name", "mimeType", "parents", "supportsAllDrives"], bind = ["parents"], repeat = "key", repeat_key = { parameter = "id", done = [409] } }"#,
                request: "POST https://www.googleapis.com/drive/v3/files?supportsAllDrives=true",
                body: Json(
                    r#"{"id": "new1", "name": "Plans", "mimeType": "application/vnd.google-apps.folder", "parents": ["p1"]}"#,
                ),
                bound: &["parents=p1"],
                refused: Some(("https://www.googleapis.com/drive/v3/files", Json(r#"{"name": "x", "trashed": true}"#))),
            },
            Action {
                name: "upload_file, multipart/related",
                route: upload,
                request: "POST https://www.googleapis.com/upload/drive/v3/files?uploadType=multipart",
                body: Parts(&[
                    ("metadata", "application/json; charset=UTF-8", r#"{"name": "a.pdf", "parents": ["p1"]}"#),
                    ("media", "application/pdf", "%PDF"),
                ]),
                bound: &["metadata/parents=p1"],
                refused: Some((
                    "https://www.googleapis.com/upload/drive/v3/files?uploadType=multipart",
                    Parts(&[("metadata", "application/json", r#"{"name": "a", "writersCanShare": true}"#)]),
                )),
            },
            Action {
                name: "create_doc_from_html",
                route: upload,
                request: "POST https://www.googleapis.com/upload/drive/v3/files?uploadType=multipart",
                body: Parts(&[
                    (
                        "metadata",
                        "application/json",
                        r#"{"name": "Doc", "mimeType": "application/vnd.google-apps.document"}"#,
                    ),
                    ("media", "text/html", "<h1>Doc</h1>"),
                ]),
                bound: &[],
                refused: Some(("https://www.googleapis.com/upload/drive/v3/files?uploadType=media", Raw)),
            },
            Action {
                name: "upload_file, resumable: the session",
                route: r#"{ match = "POST {api}/upload/drive/v3/files", keys = ["uploadType", "name", "parents", "mimeType"], values = { uploadType = ["resumable"] }, bind = ["parents"] }"#,
                request: "POST https://www.googleapis.com/upload/drive/v3/files?uploadType=resumable",
                body: Json(r#"{"name": "big.mov", "parents": ["p1"]}"#),
                bound: &["parents=p1"],
                refused: Some(("https://www.googleapis.com/upload/drive/v3/files?uploadType=media", Json("{}"))),
            },
            Action {
                // The session's address came back in Location: its upload_id stands in an answer to an earlier write.
                name: "upload_file, resumable: the bytes",
                route: r#"{ match = "PUT {api}/upload/drive/v3/files", keys = ["uploadType", "upload_id"], bind = ["upload_id"], body = "raw", repeat = "safe" }"#,
                request: "PUT https://www.googleapis.com/upload/drive/v3/files?uploadType=resumable&upload_id=AEnB2U",
                body: Raw,
                bound: &["upload_id=AEnB2U"],
                refused: Some(("https://www.googleapis.com/upload/drive/v3/files?upload_id=A&addParents=p2", Raw)),
            },
            Action {
                name: "update_content",
                route: r#"{ match = "PATCH {api}/upload/drive/v3/files/{id}", keys = ["uploadType", "supportsAllDrives"], values = { uploadType = ["media"] }, bind = ["{id}"], body = "raw", repeat = "safe" }"#,
                request: "PATCH https://www.googleapis.com/upload/drive/v3/files/f1?uploadType=media",
                body: Raw,
                bound: &["{id}=f1"],
                refused: Some((
                    "https://www.googleapis.com/upload/drive/v3/files/f1?uploadType=media&addParents=p2",
                    Raw,
                )),
            },
            Action {
                name: "rename",
                route: patch,
                request: "PATCH https://www.googleapis.com/drive/v3/files/f1?supportsAllDrives=true",
                body: Json(r#"{"name": "New name"}"#),
                bound: &["{id}=f1"],
                refused: Some((
                    "https://www.googleapis.com/drive/v3/files/f1",
                    Json(r#"{"name": "x", "trashed": true}"#),
                )),
            },
            Action {
                name: "move",
                route: patch,
                request: "PATCH https://www.googleapis.com/drive/v3/files/f1?addParents=p2&removeParents=p1",
                body: Json("{}"),
                bound: &["{id}=f1", "addParents=p2", "removeParents=p1"],
                refused: Some(("https://www.googleapis.com/drive/v3/files/f1?addParents=p2&addParents=p3", Json("{}"))),
            },
            Action {
                name: "copy",
                route: r#"{ match = "POST {api}/drive/v3/files/{id}/copy", keys = ["name", "parents"], bind = ["{id}", "parents"] }"#,
                request: "POST https://www.googleapis.com/drive/v3/files/f1/copy",
                body: Json(r#"{"name": "Copy", "parents": ["p1"]}"#),
                bound: &["{id}=f1", "parents=p1"],
                refused: Some((
                    "https://www.googleapis.com/drive/v3/files/f1/copy?keepRevisionForever=true",
                    Json("{}"),
                )),
            },
            Action {
                name: "share",
                route: r#"{ match = "POST {api}/drive/v3/files/{id}/permissions", keys = ["type", "role", "emailAddress", "sendNotificationEmail"], values = { type = ["user", "group"] }, bind = ["{id}", "emailAddress"] }"#,
                request: "POST https://www.googleapis.com/drive/v3/files/f1/permissions?sendNotificationEmail=false",
                body: Json(r#"{"type": "user", "role": "reader", "emailAddress": "a@example.com"}"#),
                bound: &["{id}=f1", "emailAddress=a@example.com"],
                refused: Some((
                    "https://www.googleapis.com/drive/v3/files/f1/permissions",
                    Json(r#"{"type": "anyone", "role": "reader"}"#),
                )),
            },
            Action {
                name: "change_share",
                route: r#"{ match = "PATCH {api}/drive/v3/files/{id}/permissions/{pid}", keys = ["role"], bind = ["{id}", "{pid}"], repeat = "safe" }"#,
                request: "PATCH https://www.googleapis.com/drive/v3/files/f1/permissions/42",
                body: Json(r#"{"role": "writer"}"#),
                bound: &["{id}=f1", "{pid}=42"],
                refused: Some((
                    "https://www.googleapis.com/drive/v3/files/f1/permissions/42?transferOwnership=true",
                    Json(r#"{"role": "owner"}"#),
                )),
            },
            Action {
                name: "remove_share",
                route: r#"{ match = "DELETE {api}/drive/v3/files/{id}/permissions/{pid}", keys = ["supportsAllDrives"], bind = ["{id}", "{pid}"], repeat = "safe" }"#,
                request: "DELETE https://www.googleapis.com/drive/v3/files/f1/permissions/42?supportsAllDrives=true",
                body: Empty,
                bound: &["{id}=f1", "{pid}=42"],
                refused: Some((
                    "https://www.googleapis.com/drive/v3/files/f1/permissions/42?useDomainAdminAccess=true",
                    Empty,
                )),
            },
            Action {
                name: "trash",
                route: r#"{ match = "PATCH {api}/drive/v3/files/{id}", keys = ["trashed"], values = { trashed = [true, false] }, bind = ["{id}"], repeat = "safe" }"#,
                request: "PATCH https://www.googleapis.com/drive/v3/files/f1",
                body: Json(r#"{"trashed": true}"#),
                bound: &["{id}=f1"],
                refused: Some((
                    "https://www.googleapis.com/drive/v3/files/f1",
                    Json(r#"{"trashed": true, "name": "x"}"#),
                )),
            },
            Action {
                name: "comment",
                route: r#"{ match = "POST {api}/drive/v3/files/{id}/comments", keys = ["fields", "content", "anchor"], bind = ["{id}"] }"#,
                request: "POST https://www.googleapis.com/drive/v3/files/f1/comments?fields=*",
                body: Json(r#"{"content": "Looks good"}"#),
                bound: &["{id}=f1"],
                refused: Some(("https://www.googleapis.com/drive/v3/files/f1/comments", Raw)),
            },
        ],
    );
}

#[test]
fn notions_actions_can_be_said() {
    let create = r#"{ match = "POST {api}/v1/pages", keys = ["parent", "properties", "children", "markdown"], bind = ["parent/page_id", "parent/data_source_id"] }"#;
    check(
        include_str!("fixtures/notion.connector.toml"),
        &[
            Action {
                name: "create_page",
                route: create,
                request: "POST https://api.notion.com/v1/pages",
                body: Json(r#"{"parent": {"type": "page_id", "page_id": "p1"}, "properties": {}}"#),
                bound: &["parent/page_id=p1"],
                refused: Some((
                    "https://api.notion.com/v1/pages",
                    Json(r#"{"parent": {"page_id": "p1"}, "template": {}}"#),
                )),
            },
            Action {
                name: "create_page in a data source",
                route: create,
                request: "POST https://api.notion.com/v1/pages",
                body: Json(r#"{"parent": {"data_source_id": "d1"}, "properties": {}, "markdown": "text"}"#),
                bound: &["parent/data_source_id=d1"],
                refused: None,
            },
            Action {
                name: "update_page_properties",
                route: r#"{ match = "PATCH {api}/v1/pages/{id}", keys = ["properties"], bind = ["{id}"], repeat = "safe" }"#,
                request: "PATCH https://api.notion.com/v1/pages/p1",
                body: Json(r#"{"properties": {"Status": {"status": {"name": "Done"}}}}"#),
                bound: &["{id}=p1"],
                refused: Some(("https://api.notion.com/v1/pages/p1", Json(r#"{"properties": {}, "in_trash": true}"#))),
            },
            Action {
                name: "append_blocks",
                route: r#"{ match = "PATCH {api}/v1/blocks/{id}/children", keys = ["children", "after", "position"], bind = ["{id}", "after"] }"#,
                request: "PATCH https://api.notion.com/v1/blocks/b1/children",
                body: Json(r#"{"children": [], "after": "b9"}"#),
                bound: &["{id}=b1", "after=b9"],
                refused: Some(("https://api.notion.com/v1/blocks/b1/children?archived=true", Json("{}"))),
            },
            Action {
                name: "update_markdown",
                route: r#"{ match = "PATCH {api}/v1/pages/{id}/markdown", keys = ["type", "insert_content", "update_content"], values = { type = ["insert_content", "update_content"] }, bind = ["{id}"] }"#,
                request: "PATCH https://api.notion.com/v1/pages/p1/markdown",
                body: Json(r#"{"type": "insert_content", "insert_content": {"content": "more"}}"#),
                bound: &["{id}=p1"],
                refused: Some((
                    "https://api.notion.com/v1/pages/p1/markdown",
                    Json(r#"{"type": "replace_content", "replace_content": {}}"#),
                )),
            },
            Action {
                name: "update_block",
                route: r#"{ match = "PATCH {api}/v1/blocks/{id}", keys = ["paragraph", "to_do", "heading_1"], bind = ["{id}"], repeat = "safe" }"#,
                request: "PATCH https://api.notion.com/v1/blocks/b1",
                body: Json(r#"{"to_do": {"checked": true}}"#),
                bound: &["{id}=b1"],
                refused: Some(("https://api.notion.com/v1/blocks/b1", Json(r#"{"archived": true}"#))),
            },
            Action {
                name: "delete_block",
                route: r#"{ match = "DELETE {api}/v1/blocks/{id}", keys = [], bind = ["{id}"], repeat = "safe" }"#,
                request: "DELETE https://api.notion.com/v1/blocks/b1",
                body: Empty,
                bound: &["{id}=b1"],
                refused: Some(("https://api.notion.com/v1/blocks/b1", Json(r#"{"a": 1}"#))),
            },
            Action {
                name: "trash_page",
                route: r#"{ match = "PATCH {api}/v1/pages/{id}", keys = ["in_trash"], bind = ["{id}"], repeat = "safe" }"#,
                request: "PATCH https://api.notion.com/v1/pages/p1",
                body: Json(r#"{"in_trash": true}"#),
                bound: &["{id}=p1"],
                refused: Some(("https://api.notion.com/v1/pages/p1", Json(r#"{"in_trash": true, "properties": {}}"#))),
            },
            Action {
                name: "move_page",
                route: r#"{ match = "POST {api}/v1/pages/{id}/move", keys = ["parent"], bind = ["{id}", "parent/page_id", "parent/data_source_id"] }"#,
                request: "POST https://api.notion.com/v1/pages/p1/move",
                body: Json(r#"{"parent": {"type": "page_id", "page_id": "p2"}}"#),
                bound: &["{id}=p1", "parent/page_id=p2"],
                refused: Some(("https://api.notion.com/v1/pages/p1/move", Json("[]"))),
            },
            Action {
                name: "create_database",
                route: r#"{ match = "POST {api}/v1/databases", keys = ["parent", "title", "description", "initial_data_source"], bind = ["parent/page_id"] }"#,
                request: "POST https://api.notion.com/v1/databases",
                body: Json(r#"{"parent": {"page_id": "p1"}, "title": [], "initial_data_source": {"properties": {}}}"#),
                bound: &["parent/page_id=p1"],
                refused: Some((
                    "https://api.notion.com/v1/databases",
                    Json(r#"{"parent": {"page_id": "p1"}, "is_inline": true}"#),
                )),
            },
            Action {
                name: "create_database: a further data source",
                route: r#"{ match = "POST {api}/v1/data_sources", keys = ["parent", "properties", "title"], bind = ["parent/database_id"] }"#,
                request: "POST https://api.notion.com/v1/data_sources",
                body: Json(r#"{"parent": {"database_id": "db1"}, "properties": {}}"#),
                bound: &["parent/database_id=db1"],
                refused: None,
            },
            Action {
                name: "create_comment",
                route: r#"{ match = "POST {api}/v1/comments", keys = ["parent/page_id", "discussion_id", "rich_text"], bind = ["parent/page_id", "discussion_id"] }"#,
                request: "POST https://api.notion.com/v1/comments",
                body: Json(r#"{"parent": {"page_id": "p1"}, "rich_text": [{"text": {"content": "hi"}}]}"#),
                bound: &["parent/page_id=p1"],
                refused: Some((
                    "https://api.notion.com/v1/comments",
                    Json(r#"{"parent": {"block_id": "b1"}, "rich_text": []}"#),
                )),
            },
            Action {
                name: "upload_file: begin",
                route: r#"{ match = "POST {api}/v1/file_uploads", keys = ["mode", "filename", "content_type", "number_of_parts"], values = { mode = ["single_part", "multi_part"] } }"#,
                request: "POST https://api.notion.com/v1/file_uploads",
                body: Json(r#"{"mode": "multi_part", "filename": "a.pdf", "number_of_parts": 2}"#),
                bound: &[],
                refused: Some((
                    "https://api.notion.com/v1/file_uploads",
                    Json(r#"{"mode": "external_url", "filename": "a"}"#),
                )),
            },
            Action {
                name: "upload_file: send",
                route: r#"{ match = "POST {api}/v1/file_uploads/{id}/send", keys = ["file", "part_number"], bind = ["{id}"] }"#,
                request: "POST https://api.notion.com/v1/file_uploads/u1/send",
                body: Parts(&[("part_number", "text/plain", "1"), ("file", "application/pdf", "%PDF")]),
                bound: &["{id}=u1"],
                refused: Some(("https://api.notion.com/v1/file_uploads/u1/send", Raw)),
            },
            Action {
                name: "upload_file: complete",
                route: r#"{ match = "POST {api}/v1/file_uploads/{id}/complete", keys = [], bind = ["{id}"] }"#,
                request: "POST https://api.notion.com/v1/file_uploads/u1/complete",
                body: Json("{}"),
                bound: &["{id}=u1"],
                refused: Some(("https://api.notion.com/v1/file_uploads/u1/complete", Json(r#"{"x": 1}"#))),
            },
        ],
    );
}

#[test]
fn slacks_actions_can_be_said() {
    check(
        include_str!("fixtures/slack.connector.toml"),
        &[
            Action {
                name: "post_message",
                route: r#"{ match = "POST {api}/api/chat.postMessage", keys = ["channel", "text", "blocks", "thread_ts"], bind = ["channel", "thread_ts"] }"#,
                request: "POST https://slack.com/api/chat.postMessage",
                body: Json(r#"{"channel": "C1", "text": "hello", "thread_ts": "1700000000.000100"}"#),
                bound: &["channel=C1", "thread_ts=1700000000.000100"],
                refused: Some((
                    "https://slack.com/api/chat.postMessage",
                    Json(r#"{"channel": "C1", "text": "x", "username": "CEO"}"#),
                )),
            },
            Action {
                name: "update",
                route: r#"{ match = "POST {api}/api/chat.update", keys = ["channel", "ts", "text"], bind = ["channel", "ts"], repeat = "safe" }"#,
                request: "POST https://slack.com/api/chat.update",
                body: Form("channel=C1&ts=1.2&text=new"),
                bound: &["channel=C1", "ts=1.2"],
                refused: Some(("https://slack.com/api/chat.update?channel=C2", Form("channel=C1&ts=1.2&text=new"))),
            },
            Action {
                name: "delete",
                route: r#"{ match = "POST {api}/api/chat.delete", keys = ["channel", "ts"], bind = ["channel", "ts"] }"#,
                request: "POST https://slack.com/api/chat.delete",
                body: Form("channel=C1&ts=1.2"),
                bound: &["channel=C1", "ts=1.2"],
                refused: Some(("https://slack.com/api/chat.delete", Form("channel=C1&ts=1.2&as_user=true"))),
            },
            Action {
                name: "schedule",
                route: r#"{ match = "POST {api}/api/chat.scheduleMessage", keys = ["channel", "text", "post_at"], bind = ["channel"] }"#,
                request: "POST https://slack.com/api/chat.scheduleMessage",
                body: Form("channel=C1&text=later&post_at=1800000000"),
                bound: &["channel=C1"],
                refused: None,
            },
            Action {
                name: "create_channel",
                route: r#"{ match = "POST {api}/api/conversations.create", keys = ["name", "is_private"] }"#,
                request: "POST https://slack.com/api/conversations.create",
                body: Form("name=plans&is_private=true"),
                bound: &[],
                refused: Some(("https://slack.com/api/conversations.create", Form("name=plans&team_id=T2"))),
            },
            Action {
                name: "invite",
                route: r#"{ match = "POST {api}/api/conversations.invite", keys = ["channel", "users"], bind = ["channel", "users"] }"#,
                request: "POST https://slack.com/api/conversations.invite",
                body: Form("channel=C1&users=U1,U2"),
                bound: &["channel=C1", "users=U1", "users=U2"],
                refused: Some(("https://slack.com/api/conversations.invite", Form("channel=C1&users=U1&force=true"))),
            },
            Action {
                name: "set_topic",
                route: r#"{ match = "POST {api}/api/conversations.setTopic", keys = ["channel", "topic"], bind = ["channel"], repeat = "safe" }"#,
                request: "POST https://slack.com/api/conversations.setTopic",
                body: Form("channel=C1&topic=Q4"),
                bound: &["channel=C1"],
                refused: None,
            },
            Action {
                name: "archive",
                route: r#"{ match = "POST {api}/api/conversations.archive", keys = ["channel"], bind = ["channel"] }"#,
                request: "POST https://slack.com/api/conversations.archive",
                body: Form("channel=C1"),
                bound: &["channel=C1"],
                refused: None,
            },
            Action {
                name: "open_dm",
                route: r#"{ match = "POST {api}/api/conversations.open", keys = ["users"], bind = ["users"], repeat = "safe" }"#,
                request: "POST https://slack.com/api/conversations.open",
                body: Form("users=U1"),
                bound: &["users=U1"],
                refused: Some(("https://slack.com/api/conversations.open", Form("channel=D1"))),
            },
            Action {
                name: "react",
                route: r#"{ match = "POST {api}/api/reactions.add", keys = ["channel", "timestamp", "name"], bind = ["channel", "timestamp"] }"#,
                request: "POST https://slack.com/api/reactions.add",
                body: Form("channel=C1&timestamp=1.2&name=eyes"),
                bound: &["channel=C1", "timestamp=1.2"],
                refused: None,
            },
            Action {
                name: "upload_file: the address",
                route: r#"{ match = "POST {api}/api/files.getUploadURLExternal", keys = ["filename", "length"] }"#,
                request: "POST https://slack.com/api/files.getUploadURLExternal",
                body: Form("filename=a.pdf&length=4"),
                bound: &[],
                refused: None,
            },
            Action {
                name: "upload_file: the bytes",
                route: r#"{ match = "POST {files}/upload/v1/{ticket}", keys = [], body = "raw", bind = ["{ticket}"], credentials = false }"#,
                request: "POST https://files.slack.com/upload/v1/CwABAAAAWAoAAQHYqI2L",
                body: Raw,
                bound: &["{ticket}=CwABAAAAWAoAAQHYqI2L"],
                refused: Some(("https://files.slack.com/upload/v1/CwAB?channel=C2", Raw)),
            },
            Action {
                // A form field may hold JSON: the path goes on inside it, through the list.
                name: "upload_file: completion",
                route: r#"{ match = "POST {api}/api/files.completeUploadExternal", keys = ["files/id", "files/title", "channel_id"], bind = ["files/id", "channel_id"] }"#,
                request: "POST https://slack.com/api/files.completeUploadExternal",
                body: Form(
                    "files=%5B%7B%22id%22%3A%22F1%22%2C%22title%22%3A%22A%22%7D%2C%7B%22id%22%3A%22F2%22%7D%5D&channel_id=C1",
                ),
                bound: &["files/id=F1", "files/id=F2", "channel_id=C1"],
                refused: Some((
                    "https://slack.com/api/files.completeUploadExternal",
                    Form("files=%5B%7B%22id%22%3A%22F1%22%2C%22share%22%3A%22C2%22%7D%5D&channel_id=C1"),
                )),
            },
            Action {
                name: "pin",
                route: r#"{ match = "POST {api}/api/pins.add", keys = ["channel", "timestamp"], bind = ["channel", "timestamp"] }"#,
                request: "POST https://slack.com/api/pins.add",
                body: Form("channel=C1&timestamp=1.2"),
                bound: &["channel=C1", "timestamp=1.2"],
                refused: None,
            },
            Action {
                name: "bookmark",
                route: r#"{ match = "POST {api}/api/bookmarks.add", keys = ["channel_id", "title", "type", "link"], values = { type = ["link"] }, bind = ["channel_id"] }"#,
                request: "POST https://slack.com/api/bookmarks.add",
                body: Form("channel_id=C1&title=Plan&type=link&link=https%3A%2F%2Fexample.com"),
                bound: &["channel_id=C1"],
                refused: None,
            },
        ],
    );
}

#[test]
fn trellos_actions_can_be_said() {
    let update = r#"{ match = "PUT {api}/1/cards/{id}", keys = ["name", "desc", "due", "idList", "idBoard", "pos"], bind = ["{id}", "idList", "idBoard"], repeat = "safe" }"#;
    let attach = r#"{ match = "POST {api}/1/cards/{id}/attachments", keys = ["name", "file", "url", "mimeType"], bind = ["{id}"] }"#;
    check(
        include_str!("fixtures/trello.connector.toml"),
        &[
            Action {
                name: "create_board",
                route: r#"{ match = "POST {api}/1/boards", keys = ["name", "desc", "idOrganization", "defaultLists", "prefs_permissionLevel"], values = { prefs_permissionLevel = ["private"] }, bind = ["idOrganization"] }"#,
                request: "POST https://api.trello.com/1/boards?name=Q4&idOrganization=o1&defaultLists=false&prefs_permissionLevel=private",
                body: Empty,
                bound: &["idOrganization=o1"],
                refused: Some(("https://api.trello.com/1/boards?name=Q4&prefs_permissionLevel=public", Empty)),
            },
            Action {
                name: "create_list",
                route: r#"{ match = "POST {api}/1/lists", keys = ["name", "idBoard", "pos"], bind = ["idBoard"] }"#,
                request: "POST https://api.trello.com/1/lists",
                body: Json(r#"{"name": "To do", "idBoard": "b1", "pos": 1024.5}"#),
                bound: &["idBoard=b1"],
                refused: Some((
                    "https://api.trello.com/1/lists?idListSource=l9",
                    Json(r#"{"name": "x", "idBoard": "b1"}"#),
                )),
            },
            Action {
                name: "create_card",
                route: r#"{ match = "POST {api}/1/cards", keys = ["idList", "name", "desc", "due", "idLabels"], bind = ["idList", "idLabels"] }"#,
                request: "POST https://api.trello.com/1/cards",
                body: Json(r#"{"idList": "l1", "name": "Write, then send", "due": null, "idLabels": ["a", "b"]}"#),
                bound: &["idList=l1", "idLabels=a", "idLabels=b"],
                refused: Some(("https://api.trello.com/1/cards", Json(r#"{"idList": "l1", "idCardSource": "c9"}"#))),
            },
            Action {
                name: "update_card",
                route: update,
                request: "PUT https://api.trello.com/1/cards/c1",
                body: Json(r#"{"desc": "new"}"#),
                bound: &["{id}=c1"],
                refused: Some(("https://api.trello.com/1/cards/c1", Json(r#"{"desc": "new", "closed": true}"#))),
            },
            Action {
                name: "move_card",
                route: update,
                request: "PUT https://api.trello.com/1/cards/c1?idList=l2&idBoard=b2&pos=top",
                body: Empty,
                bound: &["{id}=c1", "idList=l2", "idBoard=b2"],
                refused: Some(("https://api.trello.com/1/cards/c1?closed=true", Empty)),
            },
            Action {
                name: "archive_card",
                route: r#"{ match = "PUT {api}/1/cards/{id}", keys = ["closed"], bind = ["{id}"], repeat = "safe" }"#,
                request: "PUT https://api.trello.com/1/cards/c1",
                body: Json(r#"{"closed": true}"#),
                bound: &["{id}=c1"],
                refused: Some(("https://api.trello.com/1/cards/c1?idList=l2", Json(r#"{"closed": true}"#))),
            },
            Action {
                name: "comment",
                route: r#"{ match = "POST {api}/1/cards/{id}/actions/comments", keys = ["text"], bind = ["{id}"] }"#,
                request: "POST https://api.trello.com/1/cards/c1/actions/comments?text=hello",
                body: Empty,
                bound: &["{id}=c1"],
                refused: Some(("https://api.trello.com/1/cards/c1/actions/comments?text=a&text=b", Empty)),
            },
            Action {
                name: "add_checklist",
                route: r#"{ match = "POST {api}/1/cards/{id}/checklists", keys = ["name", "pos"], bind = ["{id}"] }"#,
                request: "POST https://api.trello.com/1/cards/c1/checklists?name=Steps",
                body: Empty,
                bound: &["{id}=c1"],
                refused: Some(("https://api.trello.com/1/cards/c1/checklists?idChecklistSource=k9", Empty)),
            },
            Action {
                // The checklist was made by the write before: its id stands in that answer.
                name: "add_checklist: an item",
                route: r#"{ match = "POST {api}/1/checklists/{id}/checkItems", keys = ["name", "pos", "checked"], bind = ["{id}"] }"#,
                request: "POST https://api.trello.com/1/checklists/k1/checkItems?name=One",
                body: Empty,
                bound: &["{id}=k1"],
                refused: None,
            },
            Action {
                name: "attach a file",
                route: attach,
                request: "POST https://api.trello.com/1/cards/c1/attachments",
                body: Parts(&[("name", "text/plain", "a.pdf"), ("file", "application/pdf", "%PDF")]),
                bound: &["{id}=c1"],
                refused: Some((
                    "https://api.trello.com/1/cards/c1/attachments",
                    Parts(&[("setCover", "text/plain", "true")]),
                )),
            },
            Action {
                name: "attach a link",
                route: attach,
                request: "POST https://api.trello.com/1/cards/c1/attachments?url=https%3A%2F%2Fexample.com",
                body: Empty,
                bound: &["{id}=c1"],
                refused: None,
            },
            Action {
                name: "assign",
                route: r#"{ match = "POST {api}/1/cards/{id}/idMembers", keys = ["value"], bind = ["{id}", "value"] }"#,
                request: "POST https://api.trello.com/1/cards/c1/idMembers?value=m1",
                body: Empty,
                bound: &["{id}=c1", "value=m1"],
                refused: None,
            },
            Action {
                name: "label",
                route: r#"{ match = "POST {api}/1/cards/{id}/idLabels", keys = ["value"], bind = ["{id}", "value"] }"#,
                request: "POST https://api.trello.com/1/cards/c1/idLabels?value=x1",
                body: Empty,
                bound: &["{id}=c1", "value=x1"],
                refused: None,
            },
            Action {
                name: "invite",
                route: r#"{ match = "PUT {api}/1/boards/{id}/members", keys = ["email", "type"], values = { type = ["normal", "observer"] }, bind = ["{id}", "email"] }"#,
                request: "PUT https://api.trello.com/1/boards/b1/members?email=a%40example.com&type=normal",
                body: Empty,
                bound: &["{id}=b1", "email=a@example.com"],
                refused: Some(("https://api.trello.com/1/boards/b1/members?email=a%40example.com&type=admin", Empty)),
            },
        ],
    );
}
