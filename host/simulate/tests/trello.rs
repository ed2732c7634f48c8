//! Trello over real HTTP: boards and who sees them, writing, paging, limits and refusals.

mod common;

use common::{HOUR, Scene, send};
use reqwest::Method;
use sallyport_simulate::{Failure, Fault, MemberType, NewBoardSeed, Options, Provider, Seed, Service, Visibility};
use serde_json::{Value, json};
use std::time::Duration;

const ANA: &str = "ana@x.example";
const BEN: &str = "ben@x.example";

/// A workspace of Ana and Ben, a board of each visibility by Ana; Zoe is outside.
fn small() -> Seed {
    let lists: &[(&str, &[&str])] = &[("To do", &["Paint", "Sweep"]), ("Done", &["Build"])];
    let board = |name, visibility| NewBoardSeed { name, owner: ANA, visibility, members: &[], lists };
    Seed::empty()
        .person(ANA, "Ana Ribeiro")
        .person(BEN, "Ben Okafor")
        .workspace("Larkfield", ANA)
        .person("zoe@x.example", "Zoe")
        .board(board("Own", Visibility::Private))
        .board(board("Ours", Visibility::Org))
        .board(board("Everybody's", Visibility::Public))
}

fn id_of(scene: &Scene, board: &str) -> String {
    scene.simulation.trello().board(board).expect("seeded")["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn boards_are_seen_by_members_workspace_or_everybody() {
    let scene = Scene::new(small()).await;
    let statuses = async |board: &str| {
        let path = format!("/boards/{}", id_of(&scene, board));
        let mut statuses = Vec::new();
        for email in [ANA, BEN, "zoe@x.example"] {
            statuses.push(scene.trello(email).get(&path).await.status);
        }
        statuses
    };
    assert_eq!(statuses("Own").await, [200, 401, 401]);
    assert_eq!(statuses("Ours").await, [200, 200, 401]);
    assert_eq!(statuses("Everybody's").await, [200, 200, 200]);
    assert_eq!(scene.trello(ANA).get("/members/me/boards?fields=name").await.ok().as_array().map(Vec::len), Some(3));
    assert_eq!(scene.trello(BEN).get("/members/me/boards").await.ok(), json!([]), "membership counts, not visibility");
}

#[tokio::test]
async fn a_board_is_created_with_or_without_the_default_lists() {
    let scene = Scene::new(small()).await;
    let ana = scene.trello(ANA);
    let with = ana.send(Method::POST, "/boards", json!({"name": "Plan"})).await.ok();
    let lists = ana.get(&format!("/boards/{}/lists", with["id"].as_str().expect("an id"))).await.ok();
    assert_eq!(
        lists.as_array().expect("lists").iter().map(|list| &list["name"]).collect::<Vec<_>>(),
        ["To Do", "Doing", "Done"]
    );

    // Query, form and JSON are one.
    let query = send(ana.request(Method::POST, "/boards?name=Bare&defaultLists=false&defaultLabels=false")).await.ok();
    let form =
        send(ana.request(Method::POST, "/boards").form(&[("name", "Bare"), ("defaultLists", "false")])).await.ok();
    for board in [&query, &form] {
        let lists = ana.get(&format!("/boards/{}/lists", board["id"].as_str().expect("an id"))).await.ok();
        assert_eq!(
            (&board["name"], &board["prefs"]["permissionLevel"], lists),
            (&json!("Bare"), &json!("private"), json!([]))
        );
    }
    let refused = ana.send(Method::POST, "/boards", json!({"name": " "})).await;
    assert_eq!(
        (refused.status, refused.kind.as_str(), refused.text.as_str()),
        (400, "text/plain; charset=utf-8", "invalid value for name")
    );
}

#[tokio::test]
async fn lists_go_to_the_top_and_cards_to_the_bottom() {
    let scene = Scene::new(small()).await;
    let ana = scene.trello(ANA);
    let board = id_of(&scene, "Own");
    let top = ana.send(Method::POST, "/lists", json!({"name": "First", "idBoard": board})).await.ok();
    assert_eq!(top["pos"], 32767.5);
    ana.send(Method::POST, "/lists", json!({"name": "Last", "idBoard": board, "pos": "bottom"})).await.ok();
    let card = json!({"idList": top["id"], "name": "One", "desc": "why", "due": "2026-11-12", "start": null});
    let card = ana.send(Method::POST, "/cards", card).await.ok();
    assert_eq!(
        (&card["due"], &card["badges"]["description"], &card["idShort"]),
        (&json!("2026-11-12T00:00:00.000Z"), &json!(true), &json!(4))
    );
    ana.send(Method::POST, "/cards", json!({"idList": top["id"], "name": "Two"})).await.ok();

    let state = scene.simulation.trello().board("Own").expect("seeded");
    let names = |value: &Value| {
        value
            .as_array()
            .expect("a list")
            .iter()
            .map(|each| each["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&state["lists"]), ["First", "To do", "Done", "Last"]);
    assert_eq!(names(&state["lists"][0]["cards"]), ["One", "Two"]);
    for (bad, why) in [
        (json!({"name": "x"}), "invalid value for idList"),
        (json!({"idList": top["id"], "due": "soon"}), "invalid value for due"),
    ] {
        assert_eq!(ana.send(Method::POST, "/cards", bad).await.text, why);
    }
    let long =
        ana.send(Method::POST, "/cards", json!({"idList": top["id"], "name": "x", "desc": "d".repeat(16_385)})).await;
    assert_eq!((long.status, long.text.as_str()), (400, "invalid value for desc"));
    assert_eq!(
        names(&scene.simulation.trello().board("Own").expect("seeded")["lists"][0]["cards"]).len(),
        2,
        "nothing was made of the refused ones"
    );
}

#[tokio::test]
async fn a_card_is_changed_commented_moved_and_deleted_with_actions() {
    let scene = Scene::new(small()).await;
    let ana = scene.trello(ANA);
    let board = scene.simulation.trello().board("Own").expect("seeded");
    let card = board["lists"][0]["cards"][0]["id"].as_str().expect("a card").to_owned();
    let before =
        ana.get(&format!("/boards/{}/actions?limit=1", board["id"].as_str().expect("an id"))).await.ok()[0]["id"]
            .clone();
    let changed =
        ana.send(Method::PUT, &format!("/cards/{card}"), json!({"name": "Paint twice", "closed": true})).await.ok();
    assert_eq!((&changed["name"], &changed["closed"]), (&json!("Paint twice"), &json!(true)));
    let done = &board["lists"][1]["id"];
    send(ana.request(Method::PUT, &format!("/cards/{card}/idList")).form(&[("value", done.as_str().expect("an id"))]))
        .await
        .ok();
    let comment =
        ana.send(Method::POST, &format!("/cards/{card}/actions/comments"), json!({"text": "dry by noon"})).await.ok();
    assert_eq!((&comment["type"], &comment["data"]["text"]), (&json!("commentCard"), &json!("dry by noon")));
    assert_eq!(send(ana.request(Method::DELETE, &format!("/cards/{card}"))).await.ok(), json!({"limits": {}}));
    let gone = ana.get(&format!("/cards/{card}")).await;
    assert_eq!((gone.status, gone.text.as_str()), (404, "The requested resource was not found."));

    let since =
        format!("/boards/{}/actions?since={}", board["id"].as_str().expect("an id"), before.as_str().expect("an id"));
    let actions = ana.get(&since).await.ok();
    let kinds: Vec<_> = actions.as_array().expect("actions").iter().map(|action| action["type"].as_str()).collect();
    assert_eq!(
        kinds,
        [Some("deleteCard"), Some("commentCard"), Some("updateCard"), Some("updateCard")],
        "newest first"
    );
    assert_eq!(actions[3]["data"]["old"], json!({"name": "Paint", "closed": false}));
    assert_eq!(actions[2]["data"]["listAfter"]["name"], "Done");
}

#[tokio::test]
async fn cards_and_actions_are_paged_by_before_until_less_than_the_limit() {
    let scene = Scene::with(small(), Options { enforce_rates: false, ..Options::default() }).await;
    let ana = scene.trello(ANA);
    let board = scene.simulation.trello().board("Own").expect("seeded");
    let (id, list) = (board["id"].as_str().expect("an id"), board["lists"][0]["id"].as_str().expect("an id"));
    for number in 0..23 {
        scene.simulation.trello().add_card(list, &format!("Card {number}"), "", ANA);
    }
    for (what, whole) in [("cards", 26), ("actions", 31)] {
        let (mut seen, mut before) = (Vec::<String>::new(), String::new());
        loop {
            let page = ana.get(&format!("/boards/{id}/{what}?filter=all&limit=10{before}")).await.ok();
            let page: Vec<String> = page
                .as_array()
                .expect("a page")
                .iter()
                .filter_map(|each| each["id"].as_str().map(str::to_owned))
                .collect();
            let full = page.len() == 10;
            before = page.last().map(|last| format!("&before={last}")).unwrap_or_default();
            seen.extend(page);
            if !full {
                break;
            }
        }
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "newest first, none twice: {what}");
        // Board, workspace, two lists and three cards were seeded, then a card was added 23 times.
        assert_eq!(seen.len(), if what == "cards" { whole } else { 2 + 2 + 3 + 23 }, "{what}");
    }
    let refused = ana.get(&format!("/boards/{id}/cards?limit=1001")).await;
    assert_eq!((refused.status, refused.text.as_str()), (400, "invalid value for limit"));
}

#[tokio::test]
async fn memberships_name_no_addresses_of_others() {
    let scene = Scene::new(small()).await;
    let ana = scene.trello(ANA);
    let board = id_of(&scene, "Own");
    scene.simulation.trello().add_member(&board, BEN, MemberType::Observer, ANA);
    let memberships = ana.get(&format!("/boards/{board}/memberships?member=true")).await.ok();
    let ben = &memberships[1];
    assert_eq!(
        (&ben["memberType"], &ben["deactivated"], &ben["member"]["fullName"]),
        (&json!("observer"), &json!(false), &json!("Ben Okafor"))
    );
    assert!(!memberships.to_string().contains('@'), "{memberships}");
    assert_eq!(ana.get("/members/me").await.ok()["email"], ANA);
    assert_eq!(
        ana.get(&format!("/members/{}", ben["idMember"].as_str().expect("an id"))).await.ok()["email"],
        Value::Null
    );

    // An observer looks and comments, no more.
    let account = scene.trello(BEN);
    let state = scene.simulation.trello().board("Own").expect("seeded");
    let (list, card) =
        (state["lists"][0]["id"].clone(), state["lists"][0]["cards"][0]["id"].as_str().expect("an id").to_owned());
    let refused = account.send(Method::POST, "/cards", json!({"idList": list, "name": "x"})).await;
    assert_eq!((refused.status, refused.text.as_str()), (401, "unauthorized permission requested"));
    let refused = account.send(Method::PUT, &format!("/cards/{card}"), json!({"name": "x"})).await;
    assert_eq!((refused.status, refused.text.as_str()), (401, "unauthorized card permission requested"));
    account.send(Method::POST, &format!("/cards/{card}/actions/comments"), json!({"text": "hm"})).await.ok();

    let org = scene.trello(ANA).get("/members/me/organizations").await.ok()[0]["id"]
        .as_str()
        .map(str::to_owned)
        .expect("a workspace");
    let all = ana.get(&format!("/organizations/{org}/memberships")).await.ok();
    assert_eq!(all.as_array().map(Vec::len), Some(3), "Ana, Ben and the connector's account");
    assert_eq!(scene.trello("zoe@x.example").get(&format!("/organizations/{org}/memberships")).await.status, 401);
}

#[tokio::test]
async fn both_ways_to_authenticate_are_known_and_wrong_ones_refused_as_text() {
    let scene = Scene::new(small()).await;
    let token = scene.simulation.token_for(Provider::Trello, ANA, HOUR).access_token;
    let key = Options::default().trello_key;
    let url = format!("{}/1/members/me", scene.simulation.urls().trello);
    let with = async |authorization: String| send(scene.http.get(&url).header("authorization", authorization)).await;
    let oauth = |key: &str, token: &str| format!("OAuth oauth_consumer_key=\"{key}\", oauth_token=\"{token}\"");
    assert_eq!(with(format!("Bearer {token}")).await.status, 200);
    assert_eq!(with(oauth(&key, &token)).await.status, 200);
    assert_eq!(send(scene.http.get(format!("{url}?key={key}&token={token}"))).await.status, 200);
    assert!(scene.simulation.requests().all().iter().all(|request| request.subject.as_deref() == Some(ANA)));

    let google = scene.simulation.token_for(Provider::Google, ANA, HOUR).access_token;
    scene.simulation.token_for(Provider::Trello, ANA, Duration::ZERO);
    let expired = scene.simulation.token_for(Provider::Trello, ANA, Duration::ZERO).access_token;
    for (header, why) in [
        (oauth("nokey", &token), "invalid key"),
        (oauth(&key, "notoken"), "invalid token"),
        ("Bearer notoken".into(), "invalid token"),
        (format!("Bearer {google}"), "invalid token"),
        (format!("Bearer {expired}"), "invalid token"),
    ] {
        let refused = with(header).await;
        assert_eq!(
            (refused.status, refused.text.as_str(), refused.kind.as_str()),
            (401, why, "text/plain; charset=utf-8")
        );
    }
    assert_eq!(send(scene.http.get(&url)).await.text, "invalid key");
}

#[tokio::test]
async fn the_hundred_and_first_request_in_ten_seconds_is_refused() {
    let scene = Scene::new(small()).await;
    let ana = scene.trello(ANA);
    let first = ana.get("/members/me").await;
    assert_eq!(first.headers["x-rate-limit-api-token-remaining"], "99");
    assert_eq!(first.headers["x-rate-limit-api-token-interval-ms"], "10000");
    assert_eq!(first.headers["x-rate-limit-api-key-max"], "300");
    for _ in 0..99 {
        assert_eq!(ana.get("/members/me?fields=id").await.status, 200);
    }
    let refused = ana.get("/members/me").await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (429, Some("API_TOKEN_LIMIT_EXCEEDED")));
    assert_eq!(scene.trello(BEN).get("/members/me").await.status, 200, "another token has its own");
    scene.simulation.advance(Duration::from_secs(10));
    assert_eq!(ana.get("/members/me").await.status, 200);
}

#[tokio::test]
async fn search_finds_words_in_what_may_be_seen() {
    let scene = Scene::new(small()).await;
    let found = scene.trello(ANA).get("/search?query=paint&modelTypes=cards").await.ok();
    assert_eq!(found["cards"].as_array().map(Vec::len), Some(3));
    assert!(found.get("boards").is_none());
    assert_eq!(
        scene.trello("zoe@x.example").get("/search?query=paint").await.ok()["cards"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn a_malformed_id_is_told_from_an_unknown_one() {
    let scene = Scene::new(small()).await;
    let ana = scene.trello(ANA);
    assert_eq!(ana.get("/boards/nonsense-id").await.text, "invalid id");
    let unknown = ana.get("/boards/5e93ba403f1ab3603ba81a09").await;
    assert_eq!((unknown.status, unknown.text.as_str()), (404, "The requested resource was not found."));
}

#[tokio::test]
async fn a_quota_fault_has_the_shape_of_the_service() {
    let scene = Scene::new(small()).await;
    scene
        .simulation
        .faults()
        .add(Fault::new(Failure::TooManyRequests { retry_after: Some(7) }).on(Service::Trello).times(1));
    let ana = scene.trello(ANA);
    let hit = ana.send(Method::POST, "/boards", json!({"name": "x"})).await;
    assert_eq!(
        (hit.status, hit.json()["error"].as_str(), hit.headers["retry-after"].to_str().ok()),
        (429, Some("API_TOKEN_LIMIT_EXCEEDED"), Some("7"))
    );
    assert!(scene.simulation.trello().board("x").is_none(), "without effect");
    ana.send(Method::POST, "/boards", json!({"name": "x"})).await.ok();
    assert!(scene.simulation.trello().board("x").is_some());
}
