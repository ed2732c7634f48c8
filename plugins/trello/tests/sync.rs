//! What a sync gives, against a Trello of a few lines.

mod common;

use std::collections::BTreeSet;

use common::{Service, action, assert_allowed, board, card, host, id, list, member};
use sallyport_sdk::http;
use sallyport_sdk::prelude::*;
use sallyport_sdk::testing::{FakeHost, Reply, Stored};
use sallyport_trello::Connector;
use serde_json::json;

fn small() -> Service {
    Service {
        boards: vec![board(1, "private", &[1, 2]), board(2, "org", &[1])],
        organizations: vec![(id(0x09, 1), vec![member(1), member(3)])],
        lists: vec![list(1, 1), list(2, 1), list(3, 2)],
        cards: vec![card(1, 1, 1), card(2, 1, 2), card(3, 2, 3)],
        actions: vec![action(1, "createCard", 1, 1), action(2, "createCard", 2, 3)],
        ..Service::default()
    }
}

fn sync(host: &FakeHost) -> Stored {
    host.forget_requests();
    host.sync::<Connector>("boards").expect("the sync succeeds");
    assert_allowed(host, &["boards.read"]);
    host.stored()
}

fn asked(host: &FakeHost, part: &str) -> usize {
    host.requests().iter().filter(|sent| sent.url.contains(part)).count()
}

fn touch(service: &common::Shared, n: usize, activity: &str) {
    service.borrow_mut().boards[n]["dateLastActivity"] = activity.into();
}

#[test]
fn cards_are_documents_in_lists_on_boards() {
    let mut service = small();
    service.cards[0]["labels"] = json!([{ "name": "", "color": "green" }, { "name": "Urgent", "color": "red" }]);
    service.cards[0]["due"] = "2026-10-05T12:00:00.000Z".into();
    let item = |name: &str, state: &str, pos: f64| json!({ "name": name, "state": state, "pos": pos });
    let items = json!([item("second", "incomplete", 2.5), item("first", "complete", 1.0)]);
    service.cards[0]["checklists"] = json!([{ "name": "Steps", "pos": 1, "checkItems": items }]);
    let (host, _) = host(service);
    let stored = sync(&host);

    let kinds: Vec<_> =
        stored.containers.values().map(|container| (container.kind.as_str(), container.name.as_str())).collect();
    assert_eq!(
        kinds,
        [("list", "List 1"), ("board", "Board 1"), ("list", "List 2"), ("board", "Board 2"), ("list", "List 3")]
    );
    let card = &stored.documents[&id(0xca, 1)];
    assert_eq!((card.kind.as_str(), card.title.as_str()), ("card", "Card 1"));
    assert_eq!(card.container, Some(id(0x11, 1)));
    assert_eq!(card.access, Access::inherit(id(0xb0, 1)));
    assert_eq!(card.url.as_deref(), Some("https://trello.com/c/1"));
    assert_eq!(card.created, Some(Timestamp::from_seconds(0x6500_0001)));
    let markdown =
        "What card 1 is about.\n\nDue 2026-10-05. Labels: green, Urgent.\n\n## Steps\n- [x] first\n- [ ] second";
    assert_eq!(card.content, Content::Markdown(markdown.into()));
    assert_eq!(card.metadata["archived"], json!(false));
}

#[test]
fn readers_follow_the_boards_level() {
    let mut service = small();
    service.boards.push(board(3, "public", &[1]));
    service.boards.push(board(4, "org", &[1]));
    service.boards[3]["closed"] = true.into();
    let mut invited = member(4);
    invited["unconfirmed"] = true.into();
    let mut suspended = member(5);
    suspended["deactivated"] = true.into();
    let memberships = service.boards[0]["memberships"].as_array_mut().unwrap();
    memberships.extend([invited, suspended]);
    let (host, _) = host(service);
    let stored = sync(&host);

    let readers = |n: usize| match &stored.containers[&id(0xb0, n)].access {
        Access::Known(acl) => acl.entries.iter().map(|entry| entry.who.clone()).collect::<Vec<_>>(),
        Access::Unknown => panic!("unknown access"),
    };
    let user = |n: usize| Principal::User(id(0x3e, n));
    let workspace = Principal::Group(format!("org:{}", id(0x09, 1)));
    assert_eq!(readers(1), [user(1), user(2)]);
    assert_eq!(readers(2), [user(1), workspace.clone()]);
    assert_eq!(readers(3), [user(1), workspace, Principal::Anyone]);
    assert_eq!(readers(4), [user(1)], "a closed board is for its members");
    let group = &stored.groups[&format!("org:{}", id(0x09, 1))];
    assert_eq!(*group, BTreeSet::from([user(1), user(3)]));
    assert_eq!(stored.people[&id(0x3e, 1)].email.as_deref(), Some("one@example.com"), "one's own");
    assert_eq!(stored.people[&id(0x3e, 2)], Person::new(id(0x3e, 2)).name("User 2".to_owned()));
}

#[test]
fn all_pages_of_cards_are_read_with_a_checkpoint_each() {
    let cards = (1..=777).map(|n| card(n, 1, 1)).collect();
    let service =
        Service { boards: vec![board(1, "private", &[1])], lists: vec![list(1, 1)], cards, ..Service::default() };
    let (host, _) = host(service);
    let stored = sync(&host);
    assert_eq!(stored.documents.len(), 777);
    assert_eq!(asked(&host, "/cards?"), 4);
    assert!(host.checkpoints().len() >= 4);
}

#[test]
fn an_interrupted_listing_goes_on_where_it_was() {
    let cards = (1..=777).map(|n| card(n, 1, 1)).collect();
    let service =
        Service { boards: vec![board(1, "private", &[1])], lists: vec![list(1, 1)], cards, ..Service::default() };
    let (host, _) = host(service);
    // The third page is refused once.
    let third = format!("{}/boards/{}/cards?before={}", common::API, id(0xb0, 1), id(0xca, 278));
    let host = host.respond_once("GET", &third, http::Error::Throttled(9_000));
    let outcome = host.pull::<Connector>(&Job::new("boards")).unwrap();
    assert_eq!(outcome, Outcome::Wait(9_000));
    assert_eq!(host.stored().documents.len(), 500);
    let stored = sync(&host);
    assert_eq!(stored.documents.len(), 777);
    assert_eq!(asked(&host, "/cards?"), 2, "only the pages that were left");
}

#[test]
fn a_page_that_is_too_large_is_asked_for_in_halves() {
    let cards = (1..=100).map(|n| card(n, 1, 1)).collect();
    let service =
        Service { boards: vec![board(1, "private", &[1])], lists: vec![list(1, 1)], cards, ..Service::default() };
    let (host, _) = host(service);
    let url = |limit: usize| format!("{}/boards/{}/cards?limit={limit}", common::API, id(0xb0, 1));
    let host = host.respond("GET", &url(250), http::Error::TooLarge(5_000_000)).respond(
        "GET",
        &url(125),
        Reply::text(403, "API_TOO_MANY_CARDS_REQUESTED"),
    );
    assert_eq!(sync(&host).documents.len(), 100);
}

#[test]
fn nothing_new_costs_two_requests() {
    let (host, _) = host(small());
    sync(&host);
    sync(&host);
    assert_eq!(host.requests().len(), 2, "{:?}", host.requests());
}

#[test]
fn what_actions_name_is_fetched_and_nothing_else() {
    let (host, service) = host(small());
    sync(&host);
    {
        let service = &mut *service.borrow_mut();
        service.cards[0]["name"] = "Renamed".into();
        service.cards.remove(1);
        service.cards.push(card(9, 1, 1));
        service.actions.extend([
            action(11, "updateCard", 1, 1),
            action(12, "deleteCard", 1, 2),
            action(13, "createCard", 1, 9),
        ]);
    }
    touch(&service, 0, "2026-01-02T00:00:00.000Z");
    let stored = sync(&host);
    assert_eq!(stored.documents[&id(0xca, 1)].title, "Renamed");
    assert!(!stored.documents.contains_key(&id(0xca, 2)));
    assert!(stored.documents.contains_key(&id(0xca, 9)));
    assert_eq!(asked(&host, "/1/cards/"), 3);
    assert_eq!(asked(&host, "/cards?"), 0);
}

#[test]
fn more_actions_than_a_page_are_all_read() {
    let (host, service) = host(small());
    sync(&host);
    // Card 2's action is the oldest of 2,500, on the third page.
    let mut actions = vec![action(10, "updateCard", 1, 2)];
    actions.extend((11..2510).map(|n| action(n, "updateCard", 1, 1)));
    service.borrow_mut().actions.extend(actions);
    service.borrow_mut().cards[1]["name"] = "Renamed".into();
    touch(&service, 0, "2026-01-02T00:00:00.000Z");
    let stored = sync(&host);
    assert_eq!(asked(&host, "/actions?"), 3);
    assert_eq!(stored.documents[&id(0xca, 2)].title, "Renamed");
}

#[test]
fn much_activity_is_listed_and_what_left_is_deleted() {
    let mut service = small();
    service.cards.extend((100..300).map(|n| card(n, 1, 1)));
    let (host, service) = host(service);
    sync(&host);
    {
        let service = &mut *service.borrow_mut();
        service.cards.retain(|card| card["id"] != id(0xca, 2));
        service.cards[0]["name"] = "Renamed".into();
        service.actions.extend((100..300).map(|n| action(n, "updateCard", 1, n)));
        service.actions.extend([action(301, "deleteCard", 1, 2), action(302, "updateCard", 1, 1)]);
    }
    touch(&service, 0, "2026-01-02T00:00:00.000Z");
    let stored = sync(&host);
    assert!(!stored.documents.contains_key(&id(0xca, 2)));
    assert_eq!(stored.documents[&id(0xca, 1)].title, "Renamed");
    assert_eq!((asked(&host, "/1/cards/"), asked(&host, "/cards?")), (1, 1));
}

#[test]
fn a_card_follows_its_board() {
    let (host, service) = host(small());
    sync(&host);
    {
        let service = &mut *service.borrow_mut();
        service.cards[0]["idBoard"] = id(0xb0, 2).into();
        service.cards[0]["idList"] = id(0x11, 3).into();
        service.cards[1]["idBoard"] = id(0xb0, 7).into();
        service.actions.extend([action(11, "moveCardFromBoard", 1, 1), action(12, "moveCardFromBoard", 1, 2)]);
    }
    touch(&service, 0, "2026-01-02T00:00:00.000Z");
    let stored = sync(&host);
    assert_eq!(stored.documents[&id(0xca, 1)].access, Access::inherit(id(0xb0, 2)));
    assert!(!stored.documents.contains_key(&id(0xca, 2)), "it went to a board that this account is not on");
}

#[test]
fn an_archived_list_is_told_by_all_its_cards() {
    let (host, service) = host(small());
    sync(&host);
    service.borrow_mut().lists[0]["closed"] = true.into();
    touch(&service, 0, "2026-01-02T00:00:00.000Z");
    let stored = sync(&host);
    assert_eq!(stored.documents[&id(0xca, 1)].metadata["archived"], json!(true));
    assert_eq!(stored.documents[&id(0xca, 2)].metadata["archived"], json!(false));
}

#[test]
fn a_member_who_leaves_loses_access_though_nothing_else_happened() {
    let (host, service) = host(small());
    sync(&host);
    service.borrow_mut().boards[0]["memberships"] = json!([member(1)]);
    service.borrow_mut().organizations[0].1 = vec![member(1)];
    let stored = sync(&host);
    let acl = Acl::new().entry(Principal::User(id(0x3e, 1)), Level::Write);
    assert_eq!(stored.containers[&id(0xb0, 1)].access, acl.into());
    assert_eq!(stored.groups[&format!("org:{}", id(0x09, 1))].len(), 1);
    assert_eq!(asked(&host, "/cards"), 0);
}

#[test]
fn a_workspace_that_may_not_be_seen_has_no_members() {
    let (host, service) = host(small());
    sync(&host);
    service.borrow_mut().organizations.clear();
    let stored = sync(&host);
    assert!(stored.groups.is_empty());
}

#[test]
fn a_board_that_is_gone_takes_its_containers_and_a_sweep_its_cards() {
    let (host, service) = host(small());
    sync(&host);
    service.borrow_mut().boards.remove(0);
    let stored = sync(&host);
    assert_eq!(stored.containers.into_keys().collect::<BTreeSet<_>>(), BTreeSet::from([id(0x11, 3), id(0xb0, 2)]));
    assert_eq!(stored.documents.len(), 3);

    service.borrow_mut().cards.retain(|card| card["idBoard"] == id(0xb0, 2));
    host.sweep::<Connector>("boards").unwrap();
    assert_eq!(host.stored().documents.into_keys().collect::<Vec<_>>(), [id(0xca, 3)]);
}

#[test]
fn a_board_that_is_only_missing_from_the_listing_stays() {
    let (host, service) = host(small());
    sync(&host);
    service.borrow_mut().unlisted.push(id(0xb0, 1));
    let stored = sync(&host);
    assert!(stored.containers.contains_key(&id(0xb0, 1)));
}

#[test]
fn a_sweep_lists_everything_and_changes_nothing() {
    let (host, _) = host(small());
    sync(&host);
    let before = host.changes().len();
    host.forget_requests();
    assert_eq!(host.sweep::<Connector>("boards").unwrap(), Coverage::Whole);
    assert_allowed(&host, &["boards.read"]);
    let upserts = host.changes()[before..].iter().filter(|change| matches!(***change, Change::Upsert(_))).count();
    assert_eq!(upserts, 0);
    assert_eq!(host.stored().documents.len(), 3);
}

#[test]
fn a_refused_token_needs_a_person() {
    let refuse = |text: &str| FakeHost::new().respond("GET", "https://api.trello.com/**", Reply::text(401, text));
    let failure = refuse("invalid token").sync::<Connector>("boards").unwrap_err();
    assert!(matches!(failure, Failure::NeedsReauth(_)), "{failure}");
    let failure = refuse("unauthorized permission requested").sync::<Connector>("boards").unwrap_err();
    assert!(matches!(failure, Failure::Forbidden(_)), "{failure}");
}

#[test]
fn only_what_is_gone_is_gone() {
    let url = |n: usize| format!("{}/cards/{}", common::API, id(0xca, n));
    let host = FakeHost::new()
        .respond("GET", &url(1), json!({ "id": id(0xca, 1), "idBoard": id(0xb0, 1) }))
        .respond("GET", &url(2), Reply::text(404, "The requested resource was not found."))
        .respond("GET", &url(3), Reply::text(401, "unauthorized card permission requested"))
        .respond("GET", &url(4), Reply::text(504, "timeout"))
        .respond("GET", &url(5), http::Error::Interrupted("half an answer".into()));
    let ids: Vec<String> = (1..=5).map(|n| id(0xca, n)).collect();
    use Presence::{Gone, InDoubt, Present};
    assert_eq!(host.probe::<Connector>(&ids).unwrap(), [Present, Gone, Gone, InDoubt, InDoubt]);
}
