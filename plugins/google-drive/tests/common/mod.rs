//! A Google Drive of a few lines: enough of its paging, its change logs and its refusals to sync
//! and act against (Drive API v3 discovery document).

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sallyport_pack::manifest::Manifest;
use sallyport_sdk::testing::{FakeHost, Reply, Sent};
use serde_json::{Value, json};

pub(crate) const API: &str = "https://www.googleapis.com/drive/v3";
pub(crate) const DIRECTORY: &str = "https://admin.googleapis.com/admin/directory/v1";
pub(crate) const FOLDER: &str = "application/vnd.google-apps.folder";
pub(crate) const DOCUMENT: &str = "application/vnd.google-apps.document";
pub(crate) const ME: &str = "ana@example.com";
pub(crate) const ROOT: &str = "root-of-ana";

/// What the service holds; tests change it between pulls.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Shared drives that the account is a member of.
    pub(crate) drives: Vec<Value>,
    /// As the account sees them.
    pub(crate) files: Vec<Value>,
    /// Contents by file; an export is asked for under `id:type`.
    pub(crate) contents: BTreeMap<String, Reply>,
    /// What `permissions.list` gives; what is absent is answered 403.
    pub(crate) permissions: BTreeMap<String, Vec<Value>>,
    /// The log of this stream; a token is how many of them were read.
    pub(crate) changes: Vec<Value>,
    /// Members by group; what is absent is answered 404.
    pub(crate) groups: BTreeMap<String, Vec<Value>>,
    /// Page tokens of this beginning are refused.
    pub(crate) refused: Option<String>,
    /// Entries a page.
    pub(crate) page: usize,
}

pub(crate) type Shared = Rc<RefCell<Service>>;

pub(crate) fn user(email: &str, role: &str) -> Value {
    json!({ "id": format!("p-{email}"), "type": "user", "role": role, "emailAddress": email, "displayName": email,
        "deleted": false, "permissionDetails": [{ "permissionType": "file", "role": role, "inherited": false }] })
}

pub(crate) fn group(email: &str, role: &str) -> Value {
    let mut permission = user(email, role);
    permission["type"] = "group".into();
    permission
}

/// The same permission, as something below the item shows it.
pub(crate) fn inherited(mut permission: Value) -> Value {
    permission["permissionDetails"][0]["inherited"] = true.into();
    permission
}

/// A thing in My Drive that the account owns.
pub(crate) fn file(id: &str, kind: &str, parent: &str, permissions: Vec<Value>) -> Value {
    let ids: Vec<Value> = permissions.iter().map(|each| each["id"].clone()).collect();
    json!({ "id": id, "name": format!("Name of {id}"), "mimeType": kind, "trashed": false, "parents": [parent],
        "createdTime": "2026-01-01T10:00:00.000Z", "modifiedTime": "2026-02-01T10:00:00.000Z",
        "webViewLink": format!("https://drive.google.com/file/d/{id}/view"), "ownedByMe": true,
        "owners": [{ "permissionId": format!("p-{ME}"), "emailAddress": ME, "displayName": "Ana" }],
        "permissionIds": ids, "permissions": permissions })
}

/// A thing in a shared drive: no owners, and permissions are never listed.
pub(crate) fn shared(id: &str, kind: &str, drive: &str, parent: &str, augmented: bool) -> Value {
    json!({ "id": id, "name": format!("Name of {id}"), "mimeType": kind, "trashed": false, "parents": [parent],
        "driveId": drive, "createdTime": "2026-01-01T10:00:00.000Z", "modifiedTime": "2026-02-01T10:00:00.000Z",
        "hasAugmentedPermissions": augmented })
}

pub(crate) fn changed(file: &Value) -> Value {
    json!({ "changeType": "file", "removed": false, "fileId": file["id"], "file": file })
}

pub(crate) fn removed(id: &str) -> Value {
    json!({ "changeType": "file", "removed": true, "fileId": id })
}

/// A refusal in Google's shape.
pub(crate) fn refusal(status: u16, reason: &str) -> Reply {
    let error = json!({ "domain": "global", "reason": reason, "message": reason });
    Reply::json(json!({ "error": { "code": status, "message": reason, "errors": [error] } })).with_status(status)
}

impl Service {
    pub(crate) fn new(files: Vec<Value>) -> Self {
        let top = json!({ "id": ROOT, "name": "My Drive", "mimeType": FOLDER, "trashed": false, "ownedByMe": true,
            "permissions": [user(ME, "owner")] });
        Self { files: [vec![top], files].concat(), page: 2, ..Self::default() }
    }

    pub(crate) fn with_content(mut self, key: &str, media_type: &str, text: &str) -> Self {
        self.contents.insert(key.into(), Reply::bytes(media_type, text));
        self
    }

    pub(crate) fn file(&mut self, id: &str) -> &mut Value {
        self.files.iter_mut().find(|file| file["id"] == id).expect("a file of the test")
    }

    fn token(&self, token: &str) -> Option<usize> {
        let refused = self.refused.as_ref().is_some_and(|start| token.starts_with(start.as_str()));
        if refused { None } else { token.split_once('-')?.1.parse().ok() }
    }

    fn list(&self, sent: &Sent) -> Reply {
        let query = sent.query("q").unwrap_or_default();
        let drive = sent.query("driveId");
        assert_eq!(sent.query("corpora").as_deref(), Some(if drive.is_some() { "drive" } else { "user" }));
        assert_eq!(sent.query("includeItemsFromAllDrives").as_deref(), Some("true"));
        assert_eq!(sent.query("orderBy"), None);
        assert!(sent.query("fields").is_some_and(|fields| fields.starts_with("nextPageToken,")));
        let within = |file: &Value| match &drive {
            Some(drive) => file["driveId"] == **drive,
            None => file["driveId"].is_null() || file["shared"] == true,
        };
        let asked = |file: &Value| {
            let folder = file["mimeType"] == FOLDER;
            let parent = file["parents"][0].as_str().unwrap_or("nowhere");
            match query.contains("in parents") {
                true => query.contains(&format!("'{parent}' in parents")),
                false => {
                    assert!(query.contains("trashed = false"), "{query}");
                    file["trashed"] == false && folder == query.starts_with("mimeType = ")
                }
            }
        };
        let found = self.files.iter().filter(|file| file["id"] != ROOT && within(file) && asked(file));
        let found: Vec<Value> = found.cloned().collect();
        let Some(start) = sent.query("pageToken").map_or(Some(0), |token| self.token(&token)) else {
            return refusal(400, "invalid");
        };
        let end = (start + self.page).min(found.len());
        let mut body = json!({ "files": found[start..end] });
        if end < found.len() {
            body["nextPageToken"] = format!("list-{end}").into();
        }
        Reply::json(body)
    }

    fn changes(&self, sent: &Sent) -> Reply {
        let token = sent.query("pageToken").expect("changes are asked for by a token");
        let Some(start) = self.token(&token) else { return refusal(400, "invalid") };
        let end = (start + self.page).min(self.changes.len());
        let next = if end < self.changes.len() { "nextPageToken" } else { "newStartPageToken" };
        let mut body = json!({ "changes": self.changes[start..end] });
        body[next] = format!("change-{end}").into();
        Reply::json(body)
    }

    fn one(&self, sent: &Sent) -> Reply {
        assert_eq!(sent.query("supportsAllDrives").as_deref(), Some("true"));
        let id = sent.segments()[3].clone();
        let id = if id == "root" { ROOT.to_owned() } else { id };
        let Some(file) = self.files.iter().find(|file| file["id"] == *id) else { return refusal(404, "notFound") };
        if sent.query("alt").as_deref() == Some("media") {
            return self.contents.get(&id).cloned().unwrap_or_else(|| refusal(404, "notFound"));
        }
        Reply::json(file.clone())
    }

    fn export(&self, sent: &Sent) -> Reply {
        let key = format!("{}:{}", sent.segments()[3], sent.query("mimeType").unwrap_or_default());
        self.contents.get(&key).cloned().unwrap_or_else(|| refusal(400, "badRequest"))
    }

    /// Two a page, so that there are pages.
    fn permissions(&self, sent: &Sent) -> Reply {
        let size: usize = sent.query("pageSize").and_then(|size| size.parse().ok()).expect("a page size");
        assert!(size <= 100, "the most that permissions.list gives");
        let Some(all) = self.permissions.get(&sent.segments()[3]) else {
            return refusal(403, "insufficientFilePermissions");
        };
        let start = sent.query("pageToken").and_then(|token| self.token(&token)).unwrap_or(0);
        let end = (start + 2).min(all.len());
        let mut body = json!({ "permissions": all[start..end] });
        if end < all.len() {
            body["nextPageToken"] = format!("permission-{end}").into();
        }
        Reply::json(body)
    }

    fn members(&self, sent: &Sent) -> Reply {
        match self.groups.get(&sent.segments()[4]) {
            Some(members) => Reply::json(json!({ "members": members })),
            None => refusal(404, "notFound"),
        }
    }
}

/// A host in front of the service.
pub(crate) fn host(service: Service) -> (FakeHost, Shared) {
    let service: Shared = Rc::new(RefCell::new(service));
    let with = |answer: fn(&Service, &Sent) -> Reply| {
        let service = service.clone();
        move |sent: &Sent| answer(&service.borrow(), sent)
    };
    let me = json!({ "user": { "permissionId": format!("p-{ME}"), "emailAddress": ME, "displayName": "Ana" } });
    let host = FakeHost::new()
        .capability("files.read")
        .respond("GET", &format!("{API}/about"), me)
        .respond_with(
            "GET",
            &format!("{API}/drives"),
            with(|service, _| Reply::json(json!({ "drives": service.drives }))),
        )
        .respond_with("GET", &format!("{API}/files"), with(Service::list))
        .respond_with("GET", &format!("{API}/files/{{id}}"), with(Service::one))
        .respond_with("GET", &format!("{API}/files/{{id}}/export"), with(Service::export))
        .respond_with("GET", &format!("{API}/files/{{id}}/permissions"), with(Service::permissions))
        .respond_with("GET", &format!("{API}/changes"), with(Service::changes))
        .respond_with(
            "GET",
            &format!("{API}/changes/startPageToken"),
            with(|service, _| Reply::json(json!({ "startPageToken": format!("change-{}", service.changes.len()) }))),
        )
        .respond_with("GET", &format!("{DIRECTORY}/groups/{{group}}/members"), with(Service::members));
    (host, service)
}

/// Every request fits a route of these capabilities, with the parameters that the route admits.
pub(crate) fn assert_allowed(host: &FakeHost, capabilities: &[&str]) {
    use sallyport_pack::route::{Parameters, path_segments};
    let manifest = Manifest::from_toml(include_str!("../../connector.toml")).expect("the manifest is good");
    for sent in host.requests() {
        let url = url::Url::parse(&sent.url).expect("an absolute URL");
        let (origin, _) = manifest.origin_of(&url).expect("an origin of the manifest");
        let segments = path_segments(&url).expect("a plain path");
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let mut parameters = Parameters::from_query(&url);
        if !sent.body.is_empty() {
            parameters.add_json(&sent.body).expect("a JSON body");
        }
        for part in &sent.parts {
            parameters
                .add_part(&part.name, part.media_type.as_deref(), &part.body)
                .expect("a part of the type it says");
        }
        let live = capabilities.iter().map(|id| {
            manifest.capabilities.iter().find(|capability| capability.id.as_str() == *id).expect("a capability")
        });
        let allowed = live.flat_map(|capability| &capability.routes).any(|route| {
            route.template.matches(&sent.method, origin, &segments).is_some() && route.admit(&parameters).is_ok()
        });
        assert!(allowed, "no route of {capabilities:?} allows {} {}", sent.method, sent.url);
    }
}
