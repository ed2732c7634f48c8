//! Drive over real HTTP: who sees what, paging, masks, changes, content and refusals.

mod common;

use common::{Scene, send};
use reqwest::Method;
use sallyport_simulate::{CONNECTOR_ACCOUNT, Document, DriveChange, Grantee, Permission, Provider, Role, Seed};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "supportsAllDrives=true&includeItemsFromAllDrives=true";

fn user(email: &str) -> Grantee {
    Grantee::User(format!("{email}@x.example"))
}

/// Ana owns two folders, one shared with a group of Ben; a shared drive of Ben's.
fn small() -> Seed {
    let (ana, ben) = ("ana@x.example", "ben@x.example");
    let team = Grantee::Group("team@x.example".into());
    Seed::empty()
        .person(ana, "Ana")
        .person(ben, "Ben")
        .person("zoe@x.example", "Zoe")
        .group("team@x.example", &["inner@x.example"])
        .group("inner@x.example", &[ben])
        .folder_access("Open", ana, vec![Permission::new(team, Role::Reader)])
        .document(Document::new("Open/Plan.md", ana, "# Plan\n\nThe harbour opens in May."))
        .document(Document::new("Open/Notes", ana, "# Notes\n\n- one\n- two\n"))
        .document(Document::new("Closed/Salaries.md", ana, "secret"))
        .shared_drive("Works", vec![Permission::new(user("ben"), Role::Organizer)])
        .document(Document::new("Deep/Down.md", ben, "below").in_drive("Works"))
}

fn names(files: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = files.iter().filter_map(|file| file["name"].as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn everybody_lists_what_they_may_read_and_nothing_else() {
    let scene = Scene::new(small()).await;
    let list = "/files?q=trashed%3Dfalse";
    assert_eq!(
        names(&scene.google("ana@x.example").all(list, "files").await),
        ["Closed", "Notes", "Open", "Plan.md", "Salaries.md"]
    );
    assert_eq!(names(&scene.google("ben@x.example").all(list, "files").await), ["Notes", "Open", "Plan.md"]);
    assert!(scene.google("zoe@x.example").all(list, "files").await.is_empty());
    let drive = scene.google("ben@x.example").get("/drives").await.ok()["drives"][0]["id"].as_str().map(str::to_owned);
    let within = format!("/files?corpora=drive&driveId={}&{ALL}", drive.expect("Ben's drive"));
    assert_eq!(names(&scene.google("ben@x.example").all(&within, "files").await), ["Deep", "Down.md"]);
    let refused = scene.google("ana@x.example").get(&within).await;
    assert_eq!((refused.status, refused.reason().as_str()), (404, "notFound"));
}

#[tokio::test]
async fn an_unreadable_file_is_as_if_it_were_not_there() {
    let scene = Scene::new(small()).await;
    let secret = scene.simulation.drive().find("Salaries.md").expect("seeded");
    let there = scene.google("ben@x.example").get(&format!("/files/{secret}")).await;
    let gone = scene.google("ben@x.example").get("/files/1nothing").await;
    assert_eq!((there.status, gone.status), (404, 404));
    assert_eq!(there.text.replace(&secret, "ID"), gone.text.replace("1nothing", "ID"));
}

#[tokio::test]
async fn an_item_of_a_shared_drive_needs_the_flag_and_shows_no_permissions() {
    let scene = Scene::new(small()).await;
    let ben = scene.google("ben@x.example");
    let id = scene.simulation.drive().find("Down.md").expect("seeded");
    assert_eq!(ben.get(&format!("/files/{id}")).await.reason(), "notFound");
    let file = ben.get(&format!("/files/{id}?{ALL}&fields=*")).await.ok();
    assert!(file.get("permissions").is_none() && file.get("owners").is_none(), "{file}");
    assert_eq!(file["permissionIds"].as_array().map(Vec::len), Some(2));
    let permissions = ben.get(&format!("/files/{id}/permissions?supportsAllDrives=true&fields=*")).await.ok();
    assert_eq!(permissions["permissions"][0]["permissionDetails"][0]["inherited"], true);
}

#[tokio::test]
async fn pages_hold_every_file_once_and_a_mask_without_the_token_ends_them() {
    let seed = (0..25).fold(Seed::empty(), |seed, number| {
        let path = format!("Many/Note {number}.md");
        seed.document(Document::new(&path, CONNECTOR_ACCOUNT, "text"))
    });
    let scene = Scene::new(seed).await;
    let account = scene.google(CONNECTOR_ACCOUNT);
    let mut found =
        account.all("/files?pageSize=7&orderBy=modifiedTime,name%20desc&fields=nextPageToken,files(id)", "files").await;
    assert_eq!(found.len(), 26);
    found.sort_by_key(|file| file["id"].to_string());
    found.dedup();
    assert_eq!(found.len(), 26, "no file twice");
    let masked = account.get("/files?pageSize=7&fields=files(id)").await.ok();
    assert_eq!(masked.as_object().map(|body| body.keys().cloned().collect::<Vec<_>>()), Some(vec!["files".to_owned()]));
}

#[tokio::test]
async fn a_page_token_of_another_list_is_refused() {
    let scene = Scene::new(small()).await;
    let ana = scene.google("ana@x.example");
    let token =
        ana.get("/files?pageSize=1").await.ok()["nextPageToken"].as_str().map(str::to_owned).expect("more pages");
    for bad in [format!("/files?pageSize=1&q=trashed%3Dtrue&pageToken={token}"), "/files?pageToken=nonsense".into()] {
        let refused = ana.get(&bad).await;
        assert_eq!((refused.status, refused.reason().as_str()), (400, "invalid"));
        assert_eq!(refused.json()["error"]["errors"][0]["location"], "pageToken");
    }
    assert_eq!(ana.get("/files?pageSize=0").await.reason(), "invalid");
    assert_eq!(ana.get("/files?fields=files(nope)").await.reason(), "invalidParameter");
    assert_eq!(ana.get("/files?q=nope").await.reason(), "invalid");
    assert_eq!(ana.get("/files?q=fullText%20contains%20'a'&orderBy=name").await.status, 403);
}

#[tokio::test]
async fn queries_choose_by_parent_type_name_and_text() {
    let scene = Scene::new(small()).await;
    let ana = scene.google("ana@x.example");
    let folder = scene.simulation.drive().find("Open").expect("seeded");
    let search = async |q: &str| {
        let q: String = form_urlencoded::byte_serialize(q.as_bytes()).collect();
        names(&ana.all(&format!("/files?q={q}"), "files").await).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(search(&format!("'{folder}' in parents")).await, ["Notes", "Plan.md"]);
    assert_eq!(search("mimeType = 'application/vnd.google-apps.folder'").await, ["Closed", "Open"]);
    assert_eq!(search("name contains 'sal' and not trashed = true").await, ["Salaries.md"]);
    assert_eq!(search("fullText contains 'harbour may'").await, ["Plan.md"]);
    assert_eq!(search("'root' in parents").await, ["Closed", "Open"]);
}

#[tokio::test]
async fn content_is_downloaded_in_ranges_or_exported() {
    let scene = Scene::new(small()).await;
    let ben = scene.google("ben@x.example");
    let (plan, notes) = (
        scene.simulation.drive().find("Plan.md").expect("seeded"),
        scene.simulation.drive().find("Notes").expect("seeded"),
    );
    let whole = ben.get(&format!("/files/{plan}?alt=media")).await;
    assert_eq!(
        (whole.status, whole.kind.as_str(), whole.text.as_str()),
        (200, "text/markdown", "# Plan\n\nThe harbour opens in May.")
    );
    let part = send(ben.request(Method::GET, &format!("/files/{plan}?alt=media")).header("range", "bytes=2-5")).await;
    assert_eq!((part.status, part.text.as_str()), (206, "Plan"));
    assert_eq!(part.headers["content-range"], "bytes 2-5/33");

    let export = |mime: &str| format!("/files/{notes}/export?mimeType={mime}");
    assert_eq!(ben.get(&export("text/markdown")).await.text, "# Notes\n\n- one\n- two\n");
    assert_eq!(ben.get(&export("text/plain")).await.text, "\u{feff}Notes\r\n* one\r\n* two\r\n");
    assert!(ben.get(&export("text/html")).await.text.contains("<li>one</li>"));
    assert_eq!(ben.get(&export("image/png")).await.reason(), "badRequest");
    assert_eq!(ben.get(&format!("/files/{notes}?alt=media")).await.reason(), "fileNotDownloadable");
    assert_eq!(ben.get(&format!("/files/{plan}/export?mimeType=text/plain")).await.reason(), "fileNotExportable");
}

#[tokio::test]
async fn an_export_above_ten_megabytes_is_refused() {
    let text = "word ".repeat(2_200_000);
    let scene = Scene::new(Seed::empty().document(Document::new("Long", "ana@x.example", &text))).await;
    let id = scene.simulation.drive().find("Long").expect("seeded");
    let refused = scene.google("ana@x.example").get(&format!("/files/{id}/export?mimeType=text/markdown")).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "exportSizeLimitExceeded"));
}

#[tokio::test]
async fn permissions_are_paged_and_hidden_from_readers() {
    let seed = (0..7).fold(small(), |seed, number| {
        let reader = Permission::new(user(&format!("reader{number}")), Role::Reader);
        seed.folder_access("Open", "ana@x.example", vec![reader])
    });
    let scene = Scene::new(seed).await;
    let id = scene.simulation.drive().find("Plan.md").expect("seeded");
    let path = format!(
        "/files/{id}/permissions?pageSize=3&fields=nextPageToken,permissions(type,role,emailAddress,permissionDetails)"
    );
    let all = scene.google("ana@x.example").all(&path, "permissions").await;
    assert_eq!(all.len(), 9, "{all:?}");
    assert!(all.iter().any(|each| each["type"] == "group" && each["permissionDetails"][0]["inherited"] == true));
    let refused = scene.google("ben@x.example").get(&path).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "insufficientFilePermissions"));
    let seen = scene.google("ben@x.example").get(&format!("/files/{id}?fields=*")).await.ok();
    assert!(seen.get("permissions").is_none() && seen.get("parents").is_some(), "{seen}");
}

#[tokio::test]
async fn changes_tell_what_a_person_may_know() {
    let scene = Scene::new(small()).await;
    let (ana, ben, zoe) = (scene.google("ana@x.example"), scene.google("ben@x.example"), scene.google("zoe@x.example"));
    let start =
        ben.get("/changes/startPageToken").await.ok()["startPageToken"].as_str().map(str::to_owned).expect("a token");
    let drive = scene.simulation.drive();
    let plan = drive.apply(DriveChange::Edit { file: "Plan.md".into(), content: "new".into() }).expect("seeded");
    drive.apply(DriveChange::Edit { file: "Salaries.md".into(), content: "still secret".into() }).expect("seeded");
    drive.apply(DriveChange::Edit { file: "Plan.md".into(), content: "newer".into() }).expect("seeded");
    let notes = drive.apply(DriveChange::Trash { file: "Notes".into() }).expect("seeded");
    let path = format!(
        "/changes?pageToken={start}&fields=nextPageToken,newStartPageToken,changes(fileId,removed,changeType,file(name,trashed))"
    );

    let seen = ben.get(&path).await.ok();
    let about: Vec<_> =
        seen["changes"].as_array().expect("changes").iter().map(|change| change["fileId"].as_str()).collect();
    assert_eq!(about, [Some(plan.as_str()), Some(notes.as_str())], "each file once, at its last change");
    assert_eq!(seen["changes"][1]["file"]["trashed"], true);
    assert_eq!(seen["changes"][1]["removed"], false, "trashing is not removal");
    assert_eq!(zoe.get(&path).await.ok()["changes"], json!([]));
    assert_eq!(ana.get(&path).await.ok()["changes"].as_array().map(Vec::len), Some(3));

    // Access lost looks as deletion does, and only to who had it.
    let next = seen["newStartPageToken"].as_str().expect("the last page").to_owned();
    let team = Grantee::Group("team@x.example".into());
    let folder = drive.apply(DriveChange::Unshare { file: "Open".into(), grantee: team }).expect("seeded");
    let path = format!("/changes?pageToken={next}");
    let lost = ben.get(&path).await.ok();
    assert_eq!((&lost["changes"][0]["fileId"], &lost["changes"][0]["removed"]), (&json!(folder), &json!(true)));
    assert_eq!(lost["changes"].as_array().map(Vec::len), Some(1), "the folder's children are not announced");
    assert_eq!(ana.get(&path).await.ok()["changes"][0]["removed"], false);
}

#[tokio::test]
async fn each_shared_drive_has_a_log_whose_tokens_fit_no_other() {
    let scene = Scene::new(small()).await;
    let ben = scene.google("ben@x.example");
    let id = ben.get("/drives").await.ok()["drives"][0]["id"].as_str().map(str::to_owned).expect("a drive");
    let of_drive = format!("driveId={id}&{ALL}");
    let token =
        async |path: String| ben.get(&path).await.ok()["startPageToken"].as_str().map(str::to_owned).expect("a token");
    let (mine, drives) =
        (token("/changes/startPageToken".into()).await, token(format!("/changes/startPageToken?{of_drive}")).await);
    scene
        .simulation
        .drive()
        .apply(DriveChange::Edit { file: "Down.md".into(), content: "deeper".into() })
        .expect("seeded");

    let seen = ben.get(&format!("/changes?pageToken={drives}&{of_drive}")).await.ok();
    assert_eq!(seen["changes"][0]["file"]["name"], "Down.md");
    assert_eq!(ben.get(&format!("/changes?pageToken={mine}&{ALL}")).await.ok()["changes"], json!([]));
    for wrong in [
        format!("/changes?pageToken={mine}&{of_drive}"),
        format!("/changes?pageToken={drives}"),
        "/changes?pageToken=99999999".into(),
    ] {
        assert_eq!(ben.get(&wrong).await.reason(), "invalid", "{wrong}");
    }
    assert_eq!(ben.get("/changes").await.reason(), "required");

    // Membership lost: the person's own log says so, the drive's log is there no more.
    let out = DriveChange::Unshare { file: id.clone(), grantee: user("ben") };
    scene.simulation.drive().apply(out).expect("a member");
    let seen = ben.get(&format!("/changes?pageToken={mine}&{ALL}")).await.ok();
    let lost = &seen["changes"][0];
    assert_eq!((&lost["changeType"], &lost["driveId"], &lost["removed"]), (&json!("drive"), &json!(id), &json!(true)));
    assert_eq!(ben.get(&format!("/changes?pageToken={drives}&{of_drive}")).await.reason(), "notFound");
}

#[tokio::test]
async fn changes_are_paged_without_loss() {
    let scene = Scene::new(small()).await;
    let ana = scene.google("ana@x.example");
    let start =
        ana.get("/changes/startPageToken").await.ok()["startPageToken"].as_str().map(str::to_owned).expect("a token");
    for number in 0..11 {
        let change = DriveChange::AddFile {
            name: format!("{number}.md"),
            owner: "ana@x.example".into(),
            folder: Some("Open".into()),
            content: "x".into(),
            mime_type: None,
        };
        scene.simulation.drive().apply(change).expect("a folder");
    }
    let (mut token, mut seen) = (start, Vec::new());
    let last = loop {
        let page = ana.get(&format!("/changes?pageSize=4&pageToken={token}")).await.ok();
        seen.extend(
            page["changes"].as_array().expect("changes").iter().map(|change| change["file"]["name"].to_string()),
        );
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break page["newStartPageToken"].as_str().map(str::to_owned).expect("the last page has it"),
        }
    };
    assert_eq!(seen, (0..11).map(|number| format!("\"{number}.md\"")).collect::<Vec<_>>());
    assert_eq!(ana.get(&format!("/changes?pageToken={last}")).await.ok()["changes"], json!([]));
}

#[tokio::test]
async fn tokens_unknown_expired_revoked_or_missing_open_nothing() {
    let scene = Scene::new(small()).await;
    let mut ana = scene.google("ana@x.example");
    let refresh = scene.simulation.token_for(Provider::Google, "ana@x.example", Duration::from_secs(60));
    let good = std::mem::replace(&mut ana.token, "ya29.unknown".into());
    let unknown = ana.get("/about?fields=user").await;
    assert_eq!((unknown.status, unknown.reason().as_str()), (401, "authError"));
    assert_eq!(unknown.json()["error"]["status"], "UNAUTHENTICATED");
    assert!(unknown.headers["www-authenticate"].to_str().is_ok_and(|challenge| challenge.contains("invalid_token")));

    ana.token = good.clone();
    assert_eq!(ana.get("/about?fields=user").await.ok()["user"]["emailAddress"], "ana@x.example");
    assert!(scene.simulation.expire(&good));
    assert_eq!(ana.get("/about?fields=user").await.text, unknown.text);
    ana.token = refresh.access_token;
    assert_eq!(ana.get("/about?fields=user").await.status, 200);
    scene.simulation.advance(Duration::from_secs(61));
    assert_eq!(ana.get("/about?fields=user").await.text, unknown.text);

    let anonymous = send(scene.http.get(format!("{}/drive/v3/files", scene.simulation.urls().drive))).await;
    assert_eq!((anonymous.status, anonymous.reason().as_str()), (403, "forbidden"));
    let trello = scene.simulation.token_for(Provider::Trello, "ana@x.example", Duration::from_secs(60));
    ana.token = trello.access_token;
    assert_eq!(ana.get("/about?fields=user").await.status, 401, "another provider's token");
}

#[tokio::test]
async fn files_are_created_shared_moved_and_trashed_by_who_may() {
    let scene = Scene::new(small()).await;
    let (ana, ben) = (scene.google("ana@x.example"), scene.google("ben@x.example"));
    let open = scene.simulation.drive().find("Open").expect("seeded");
    let folder = ana
        .send(
            Method::POST,
            "/files",
            json!({"name": "New", "mimeType": "application/vnd.google-apps.folder", "parents": [open]}),
        )
        .await
        .ok();
    let folder_id = folder["id"].as_str().expect("an id").to_owned();
    assert_eq!(ben.get(&format!("/files/{folder_id}")).await.ok()["name"], "New", "inherited from the folder above");
    let refused = ben.send(Method::POST, "/files", json!({"name": "Mine", "parents": [folder_id]})).await;
    assert_eq!(refused.reason(), "insufficientFilePermissions");

    let body = "--b\r\nContent-Type: application/json\r\n\r\n{\"name\": \"Minutes\", \"mimeType\": \"application/vnd.google-apps.document\"}\r\n--b\r\nContent-Type: text/markdown\r\n\r\n# Hello\r\n--b--";
    let upload = format!("{}/upload/drive/v3/files?uploadType=multipart", scene.simulation.urls().drive);
    let upload = scene
        .http
        .post(upload)
        .bearer_auth(&ana.token)
        .header("content-type", "multipart/related; boundary=b")
        .body(body);
    let minutes = send(upload).await.ok()["id"].as_str().expect("an id").to_owned();
    assert_eq!(ana.get(&format!("/files/{minutes}/export?mimeType=text/markdown")).await.text, "# Hello");

    let share = json!({"type": "user", "role": "reader", "emailAddress": "Zoe@x.example"});
    let made = ana.send(Method::POST, &format!("/files/{minutes}/permissions?fields=*"), share).await.ok();
    let zoe = scene.google("zoe@x.example");
    assert_eq!(zoe.get(&format!("/files/{minutes}")).await.status, 200);
    let gone = send(
        ana.request(Method::DELETE, &format!("/files/{minutes}/permissions/{}", made["id"].as_str().expect("an id"))),
    )
    .await;
    assert_eq!(gone.status, 204);
    assert_eq!(zoe.get(&format!("/files/{minutes}")).await.status, 404);

    ana.send(Method::PATCH, &format!("/files/{minutes}?addParents={folder_id}"), json!({})).await.ok();
    assert_eq!(ben.get(&format!("/files/{minutes}")).await.status, 200, "readable in its new folder");
    ana.send(Method::PATCH, &format!("/files/{folder_id}"), json!({"trashed": true})).await.ok();
    let inside = ana.get(&format!("/files/{minutes}?fields=trashed,explicitlyTrashed")).await.ok();
    assert_eq!(inside, json!({"trashed": true, "explicitlyTrashed": false}));
    assert_eq!(send(ana.request(Method::DELETE, &format!("/files/{folder_id}"))).await.status, 204);
    assert_eq!(ana.get(&format!("/files/{minutes}")).await.status, 404);
}

#[tokio::test]
async fn a_create_with_an_id_can_be_repeated() {
    let scene = Scene::new(small()).await;
    let ana = scene.google("ana@x.example");
    let id = ana.get("/files/generateIds?count=1").await.ok()["ids"][0].clone();
    let body = json!({"id": id, "name": "Once"});
    assert_eq!(ana.send(Method::POST, "/files", body.clone()).await.ok()["id"], id);
    let again = ana.send(Method::POST, "/files", body).await;
    assert_eq!((again.status, again.reason().as_str()), (409, "fileIdInUse"));
}

#[tokio::test]
async fn a_folder_with_limited_access_shuts_out_who_is_let_in_above() {
    let scene = Scene::new(small()).await;
    let drive = scene.simulation.drive();
    assert_eq!(drive.readers("Plan.md").expect("seeded"), ["ana@x.example", "ben@x.example"]);
    drive.apply(DriveChange::Limit { file: "Plan.md".into(), limited: true }).expect("seeded");
    assert_eq!(drive.readers("Plan.md").expect("seeded"), ["ana@x.example"]);
}

#[tokio::test]
async fn groups_are_read_by_administrators_only() {
    let scene = Scene::new(small()).await;
    let mut admin = scene.google(CONNECTOR_ACCOUNT);
    admin.base = format!("{}/admin/directory/v1", scene.simulation.urls().drive);
    let members = admin.get("/groups/team@x.example/members").await.ok();
    assert_eq!(
        (&members["members"][0]["email"], &members["members"][0]["type"]),
        (&json!("inner@x.example"), &json!("GROUP"))
    );
    let mut ben = scene.google("ben@x.example");
    ben.base = admin.base.clone();
    assert_eq!(ben.get("/groups/team@x.example/members").await.status, 403);
}
