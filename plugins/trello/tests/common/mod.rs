//! A Trello of a few lines: enough of its paging and its answers to sync and act against.

// Each test file is a crate of its own and uses its part.
#![allow(dead_code)]

use std::cell::RefCell;
use std::rc::Rc;

use sallyport_pack::manifest::Manifest;
use sallyport_sdk::testing::{FakeHost, Reply, Sent};
use serde_json::{Value, json};

pub(crate) const API: &str = "https://api.trello.com/1";

/// What the service holds; tests change it between pulls.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) boards: Vec<Value>,
    /// Memberships by workspace.
    pub(crate) organizations: Vec<(String, Vec<Value>)>,
    pub(crate) lists: Vec<Value>,
    pub(crate) cards: Vec<Value>,
    pub(crate) actions: Vec<Value>,
    /// Boards that are still there but not listed.
    pub(crate) unlisted: Vec<String>,
}

pub(crate) type Shared = Rc<RefCell<Service>>;

/// The id of the `n`th thing of a kind; later ones are greater, as Trello's are.
pub(crate) fn id(kind: u8, n: usize) -> String {
    format!("{:08x}{kind:02x}{n:014x}", 0x6500_0000 + n)
}

pub(crate) fn member(n: usize) -> Value {
    let id = id(0x3e, n);
    let member = json!({ "id": id, "username": format!("user{n}"), "fullName": format!("User {n}") });
    json!({ "id": id, "idMember": id, "memberType": "normal", "unconfirmed": false, "deactivated": false, "member": member })
}

pub(crate) fn board(n: usize, level: &str, members: &[usize]) -> Value {
    let memberships: Vec<Value> = members.iter().map(|n| member(*n)).collect();
    json!({
        "id": id(0xb0, n), "name": format!("Board {n}"), "closed": false, "dateLastActivity": "2026-01-01T00:00:00.000Z",
        "idOrganization": id(0x09, 1), "url": format!("https://trello.com/b/{n}"),
        "prefs": { "permissionLevel": level }, "memberships": memberships,
    })
}

pub(crate) fn list(n: usize, board: usize) -> Value {
    json!({ "id": id(0x11, n), "name": format!("List {n}"), "closed": false, "idBoard": id(0xb0, board) })
}

pub(crate) fn card(n: usize, board: usize, list: usize) -> Value {
    json!({
        "id": id(0xca, n), "name": format!("Card {n}"), "desc": format!("What card {n} is about."), "closed": false,
        "dateLastActivity": "2026-01-01T00:00:00.000Z", "due": null, "dueComplete": false, "idBoard": id(0xb0, board),
        "idList": id(0x11, list), "idMembers": [], "labels": [], "url": format!("https://trello.com/c/{n}"), "checklists": [],
    })
}

pub(crate) fn action(n: usize, kind: &str, board: usize, card: usize) -> Value {
    let data = json!({ "board": { "id": id(0xb0, board) }, "card": { "id": id(0xca, card) } });
    json!({ "id": id(0xac, n), "type": kind, "date": "2026-01-02T00:00:00.000Z", "data": data })
}

/// A service behind a host.
pub(crate) fn host(service: Service) -> (FakeHost, Shared) {
    let shared: Shared = Rc::new(RefCell::new(service));
    let me = json!({ "id": id(0x3e, 1), "username": "user1", "fullName": "User 1", "email": "one@example.com" });
    let with = |answer: fn(&Service, &Sent) -> Reply| {
        let shared = Rc::clone(&shared);
        move |sent: &Sent| answer(&shared.borrow(), sent)
    };
    let host = FakeHost::new()
        .respond("GET", &format!("{API}/members/me"), me)
        .respond_with("GET", &format!("{API}/members/me/boards"), with(boards))
        .respond_with("GET", &format!("{API}/boards/{{id}}"), with(one_board))
        .respond_with("GET", &format!("{API}/boards/{{id}}/memberships"), with(board_members))
        .respond_with("GET", &format!("{API}/organizations/{{id}}/memberships"), with(organization))
        .respond_with("GET", &format!("{API}/boards/{{id}}/lists"), with(lists))
        .respond_with("GET", &format!("{API}/boards/{{id}}/cards"), with(cards))
        .respond_with("GET", &format!("{API}/boards/{{id}}/actions"), with(actions))
        .respond_with("GET", &format!("{API}/cards/{{id}}"), with(one_card));
    (host, shared)
}

/// A board's members are told without names, as in Trello's listing.
fn nameless(board: &Value) -> Value {
    let mut board = board.clone();
    for membership in board["memberships"].as_array_mut().into_iter().flatten() {
        membership.as_object_mut().map(|membership| membership.remove("member"));
    }
    board
}

fn boards(service: &Service, _: &Sent) -> Reply {
    let listed = |board: &&Value| !service.unlisted.iter().any(|id| board["id"] == **id);
    Reply::json(service.boards.iter().filter(listed).map(nameless).collect::<Vec<_>>())
}

fn one_board(service: &Service, sent: &Sent) -> Reply {
    find(&service.boards, sent).map_or_else(|| Reply::text(404, NOT_FOUND), |board| Reply::json(nameless(board)))
}

fn board_members(service: &Service, sent: &Sent) -> Reply {
    find(&service.boards, sent).map_or_else(
        || Reply::text(401, "unauthorized permission requested"),
        |board| Reply::json(board["memberships"].clone()),
    )
}

fn organization(service: &Service, sent: &Sent) -> Reply {
    let found = service.organizations.iter().find(|(id, _)| *id == sent.segments()[2]);
    found.map_or_else(
        || Reply::text(401, "unauthorized org permission requested"),
        |(_, memberships)| Reply::json(memberships.clone()),
    )
}

fn lists(service: &Service, sent: &Sent) -> Reply {
    Reply::json(of_board(&service.lists, sent))
}

fn cards(service: &Service, sent: &Sent) -> Reply {
    page(of_board(&service.cards, sent), sent)
}

fn actions(service: &Service, sent: &Sent) -> Reply {
    let board = &sent.segments()[2];
    let actions = service.actions.iter().filter(|action| action["data"]["board"]["id"] == **board).cloned().collect();
    page(actions, sent)
}

fn one_card(service: &Service, sent: &Sent) -> Reply {
    find(&service.cards, sent).map_or_else(|| Reply::text(404, NOT_FOUND), |card| Reply::json(card.clone()))
}

const NOT_FOUND: &str = "The requested resource was not found.";

fn find<'a>(all: &'a [Value], sent: &Sent) -> Option<&'a Value> {
    let id = sent.segments()[2].clone();
    all.iter().find(|each| each["id"] == *id)
}

fn of_board(all: &[Value], sent: &Sent) -> Vec<Value> {
    let board = &sent.segments()[2];
    all.iter().filter(|each| each["idBoard"] == **board).cloned().collect()
}

/// Newest first, between `since` and `before`, at most `limit`.
fn page(mut all: Vec<Value>, sent: &Sent) -> Reply {
    let id = |each: &Value| each["id"].as_str().unwrap_or_default().to_owned();
    let limit = sent.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50);
    assert!(limit <= 1000, "Trello gives 1,000 at most");
    all.sort_by_key(|each| std::cmp::Reverse(id(each)));
    all.retain(|each| sent.query("before").is_none_or(|before| id(each) < before));
    all.retain(|each| sent.query("since").is_none_or(|since| id(each) > since));
    all.truncate(limit);
    Reply::json(all)
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
        let live = capabilities.iter().map(|id| {
            manifest.capabilities.iter().find(|capability| capability.id.as_str() == *id).expect("a capability")
        });
        let allowed = live.flat_map(|capability| &capability.routes).any(|route| {
            route.template.matches(&sent.method, origin, &segments).is_some() && route.admit(&parameters).is_ok()
        });
        assert!(allowed, "no route of {capabilities:?} allows {} {}", sent.method, sent.url);
    }
}
