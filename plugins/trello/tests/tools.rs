//! What the tools send and answer.

mod common;

use common::assert_allowed;
use sallyport_sdk::Failure;
use sallyport_sdk::testing::{FakeHost, Reply};
use sallyport_trello::Connector;
use serde_json::{Value, json};

/// Trello answers writes with what they made, under ids in the order of making.
fn service() -> FakeHost {
    let made = std::cell::Cell::new(0);
    let made = std::rc::Rc::new(made);
    let answer = move |kind: &'static str| {
        let made = std::rc::Rc::clone(&made);
        move |sent: &sallyport_sdk::testing::Sent| {
            made.set(made.get() + 1);
            let body = sent.json();
            let id = format!("{kind}{}", made.get());
            let url = format!("https://trello.com/{kind}/{}", made.get());
            Reply::json(json!({ "id": id, "name": body["name"], "url": url, "idBoard": "b", "idList": body["idList"] }))
        }
    };
    FakeHost::new()
        .respond_with("POST", "https://api.trello.com/1/boards", answer("board"))
        .respond_with("POST", "https://api.trello.com/1/lists", answer("list"))
        .respond_with("POST", "https://api.trello.com/1/cards", answer("card"))
}

fn campaign() -> Value {
    json!({
        "name": "Q4 marketing",
        "description": "From the **Q4 strategy**.",
        "lists": [
            { "name": "To do", "cards": [
                { "name": "Write the brief", "description": "Two pages.", "due": "2026-10-05" },
                { "name": "Book the venue" },
            ] },
            { "name": "Done" },
        ],
    })
}

#[test]
fn a_board_is_made_with_its_lists_and_cards_in_order() {
    let host = service();
    let output = host.invoke::<Connector>("create_board", campaign()).unwrap();
    let sent: Vec<(String, Value)> = host.requests().iter().map(|sent| (sent.target(), sent.json())).collect();
    let api = "POST https://api.trello.com/1";
    assert_eq!(
        sent,
        [
            (
                format!("{api}/boards"),
                json!({
                    "name": "Q4 marketing", "desc": "From the **Q4 strategy**.", "defaultLists": false,
                    "prefs_permissionLevel": "private",
                })
            ),
            (format!("{api}/lists"), json!({ "name": "To do", "idBoard": "board1", "pos": 1 })),
            (
                format!("{api}/cards"),
                json!({ "idList": "list2", "name": "Write the brief", "desc": "Two pages.", "due": "2026-10-05" })
            ),
            (format!("{api}/cards"), json!({ "idList": "list2", "name": "Book the venue" })),
            (format!("{api}/lists"), json!({ "name": "Done", "idBoard": "board1", "pos": 2 })),
        ]
    );
    assert_allowed(&host, &["boards.write"]);
    assert_eq!(output.json["id"], "board1");
    assert_eq!(output.json["lists"][0]["cards"][1]["url"], "https://trello.com/card/4");
}

#[test]
fn the_same_arguments_make_the_same_requests() {
    let sent = || {
        let host = service();
        host.invoke::<Connector>("create_board", campaign()).unwrap();
        host.requests()
    };
    assert_eq!(sent(), sent());
}

#[test]
fn a_board_that_was_begun_is_told_so_that_nobody_makes_a_second() {
    let host = FakeHost::new()
        .respond("POST", "https://api.trello.com/1/cards", Reply::text(400, "invalid value for due"))
        .respond(
            "POST",
            "https://api.trello.com/1/boards",
            json!({ "id": "b1", "name": "Q4", "url": "https://trello.com/b/b1" }),
        )
        .respond("POST", "https://api.trello.com/1/lists", json!({ "id": "l1", "name": "To do" }));
    let failure = host.invoke::<Connector>("create_board", campaign()).unwrap_err();
    let Failure::Other(problem) = failure else { panic!("{failure}") };
    assert_eq!(problem.code, "incomplete-board");
    assert!(
        problem.message.contains("https://trello.com/b/b1 was made with 1 lists and 0 cards"),
        "{}",
        problem.message
    );
}

#[test]
fn what_trello_would_refuse_is_told_before_anything_is_sent() {
    let long = "x".repeat(16_385);
    let lists = |cards: Value| json!({ "name": "B", "lists": [{ "name": "L", "cards": cards }] });
    let many: Vec<Value> = (0..119).map(|n| json!({ "name": n.to_string() })).collect();
    let table = [
        ("create_board", json!({}), "name"),
        ("create_board", json!({ "name": " " }), "name: a name is needed"),
        ("create_board", json!({ "name": "B", "descr": "x" }), "descr"),
        ("create_board", json!({ "name": "B", "description": long }), "description: 16385 characters"),
        ("create_board", json!({ "name": "B", "organization_id": "../x" }), "organization_id"),
        ("create_board", lists(json!([{ "name": "" }])), "lists[0].cards[0].name"),
        (
            "create_board",
            lists(json!([{ "name": "C", "due": "tomorrow" }])),
            "lists[0].cards[0].due: \"tomorrow\" is no date",
        ),
        ("create_board", lists(json!([{ "name": "C", "due": 5 }])), "lists[0].cards[0].due"),
        ("create_board", lists(json!(many)), "more than the 119"),
        ("create_card", json!({ "list_id": "", "name": "C" }), "list_id"),
        ("create_card", json!({ "list_id": "l1", "name": "C", "description": long }), "description"),
        ("create_list", json!({ "board_id": "b/1", "name": "L" }), "board_id"),
        ("archive_card", json!({ "card_id": "c?closed=false" }), "card_id"),
    ];
    for (tool, arguments, said) in table {
        let host = FakeHost::new();
        let failure = host.invoke::<Connector>(tool, arguments.clone()).unwrap_err();
        let Failure::InvalidInput(message) = &failure else { panic!("{tool} {arguments}: {failure}") };
        assert!(message.contains(said), "{message}");
        assert!(host.requests().is_empty());
    }
}

#[test]
fn a_list_a_card_and_an_archived_card() {
    let host = service().respond(
        "PUT",
        "https://api.trello.com/1/cards/{id}",
        json!({ "id": "c1", "name": "Old", "idBoard": "b", "idList": "l" }),
    );
    host.invoke::<Connector>("create_list", json!({ "board_id": "b1", "name": "Later" })).unwrap();
    host.invoke::<Connector>("create_card", json!({ "list_id": "l1", "name": "New" })).unwrap();
    assert_allowed(&host, &["boards.write"]);
    let bodies: Vec<Value> = host.requests().iter().map(|sent| sent.json()).collect();
    assert_eq!(bodies[0], json!({ "name": "Later", "idBoard": "b1", "pos": "bottom" }));
    assert_eq!(bodies[1], json!({ "idList": "l1", "name": "New" }));

    host.forget_requests();
    let output = host.invoke::<Connector>("archive_card", json!({ "card_id": "c1" })).unwrap();
    assert_allowed(&host, &["cards.archive"]);
    assert_eq!(host.requests()[0].json(), json!({ "closed": true }));
    assert_eq!((output.json, output.documents), (json!({ "id": "c1", "name": "Old" }), vec!["c1".to_owned()]));
}

#[test]
fn boards_are_shown_with_what_is_open() {
    let service = common::Service {
        boards: vec![common::board(2, "org", &[1]), common::board(1, "private", &[1])],
        lists: vec![common::list(1, 1)],
        cards: vec![common::card(1, 1, 1)],
        ..common::Service::default()
    };
    let (host, shared) = common::host(service);
    let listed = host.invoke::<Connector>("list_boards", json!({})).unwrap();
    assert_eq!(listed.json["boards"][0]["name"], "Board 1");
    assert_eq!(listed.json["boards"][1]["visible_to"], "org");
    shared.borrow_mut().boards[0]["closed"] = true.into();
    let listed = host.invoke::<Connector>("list_boards", json!({})).unwrap();
    assert_eq!(listed.json["boards"].as_array().map(Vec::len), Some(1));

    let shown = host.invoke::<Connector>("get_board", json!({ "board_id": common::id(0xb0, 1) })).unwrap();
    assert_eq!(shown.json["lists"][0]["cards"][0]["name"], "Card 1");
    assert_eq!(shown.documents, [common::id(0xca, 1)]);
    assert_allowed(&host, &["boards.read"]);
}

#[test]
fn tools_of_the_manifest_are_the_tools_of_the_connector() {
    let manifest = sallyport_pack::manifest::Manifest::from_toml(include_str!("../connector.toml")).unwrap();
    let described = FakeHost::new().describe::<Connector>();
    let mut described: Vec<&str> =
        described.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let mut declared: Vec<&str> = manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
    described.sort_unstable();
    declared.sort_unstable();
    assert_eq!(described, declared);
}

#[test]
fn schemas_say_what_a_model_needs() {
    let described = FakeHost::new().describe::<Connector>();
    let create = described.as_array().unwrap().iter().find(|tool| tool["name"] == "create_board").unwrap();
    let input = &create["input"];
    assert_eq!(input["required"], json!(["name"]));
    assert_eq!(input["additionalProperties"], json!(false));
    let card = &input["properties"]["lists"]["items"]["properties"]["cards"]["items"];
    assert_eq!(card["properties"]["name"]["maxLength"], json!(16384));
    assert!(card["properties"]["due"]["description"].as_str().unwrap().contains("2026-10-05"));
    assert!(!described.to_string().contains("$ref"), "one object, nothing to look up");
}
