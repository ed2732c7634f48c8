//! Who may read what.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sallyport::connection::{Constraints, Grant, Owner};
use sallyport::document::{Access, AccessEntry, Change, Level, Principal};
use sallyport::ids::{ConnectionId, GrantId, SubjectId, Timestamp};
use sallyport::ports::{Directory, Finish};

use crate::given::{
    Given, caller, connection, container, email, group, inherits, members, person, readers, tenant, upsert, user,
};

#[tokio::test]
async fn each_kind_of_reader_finds_and_nobody_else_does() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    let changes = vec![
        upsert("by email", "Text.", readers(&[email(" Ann@Acme.test")])),
        upsert("by domain", "Text.", readers(&[Principal::Domain("ACME.test".into())])),
        upsert("by user", "Text.", readers(&[user("u-ann")])),
        upsert("by group", "Text.", readers(&[group("all")])),
        upsert("anyone", "Text.", readers(&[Principal::Anyone])),
        upsert("unknown", "Text.", Access::Unknown),
        upsert("nobody", "Text.", readers(&[])),
        person("u-ann", Some("Ann@acme.test"), true),
        person("u-cy", Some("cy@other.test"), true),
        members("all", true, &[group("some"), email("bo@other.test")], &[]),
        members("some", true, &[user("u-ann")], &[]),
    ];
    drive.commit(changes).await;
    let of_ann = ["anyone", "by domain", "by email", "by group", "by user"];
    assert_eq!(given.finds(&caller("ann@acme.test")).await, of_ann);
    assert_eq!(given.finds(&caller("bo@other.test")).await, ["anyone", "by group"]);
    assert_eq!(given.finds(&caller("cy@other.test")).await, ["anyone"]);
    // A domain is the whole of what stands behind the @.
    assert_eq!(given.finds(&caller("eve@evil-acme.test")).await, ["anyone"]);
    assert_eq!(given.finds(&caller("eve@acme.test.evil")).await, ["anyone"]);

    drive.commit(vec![members("some", false, &[], &[user("u-ann")])]).await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["anyone", "by domain", "by email", "by user"]);
    drive.commit(vec![person("u-ann", Some("ann@acme.test"), false)]).await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["anyone", "by domain", "by email"], "a closed account");
    drive.commit(vec![Change::DeleteGroup("all".into())]).await;
    assert_eq!(given.finds(&caller("bo@other.test")).await, ["anyone"]);
}

#[tokio::test]
async fn an_admins_word_on_whose_a_user_is_counts_before_the_sources() {
    let given = Given::new().await;
    let mut trello = given.connection("trello", "s1", Owner::Workspace).await;
    let mut other = given.connection("other", "s2", Owner::Workspace).await;
    let board = || upsert("board", "Text.", readers(&[user("m1")]));
    trello.commit(vec![board(), person("m1", Some("bo@acme.test"), true)]).await;
    other.commit(vec![upsert("foreign", "Text.", readers(&[user("m1")]))]).await;
    let (ann, bo) = (caller("ann@acme.test"), caller("bo@acme.test"));
    assert_eq!((given.finds(&ann).await.len(), given.finds(&bo).await.len()), (0, 1));

    let accounts = given.store.accounts();
    let (id, admin) = (ConnectionId::new("trello"), SubjectId::new("root"));
    accounts.tie(&tenant(), &id, "m1", " Ann@acme.test", &admin).await.unwrap();
    assert_eq!(given.finds(&ann).await, ["board"], "in its own source only");
    assert!(given.finds(&bo).await.is_empty());
    let known = accounts.provider_users(&tenant(), &id).await.unwrap();
    assert_eq!((known.len(), known[0].email.as_deref(), known[0].tied), (1, Some("ann@acme.test"), true));

    trello.commit(vec![person("m1", None, false)]).await;
    assert!(given.finds(&ann).await.is_empty(), "a closed account is nobody's");
    trello.commit(vec![person("m1", Some("bo@acme.test"), true)]).await;
    accounts.untie(&tenant(), &id, "m1").await.unwrap();
    assert_eq!((given.finds(&ann).await.len(), given.finds(&bo).await.len()), (0, 1));
    assert!(accounts.untie(&tenant(), &id, "m1").await.is_err());
    assert!(accounts.tie(&sallyport::ids::TenantId::new("else"), &id, "m1", "x@y.test", &admin).await.is_err());
}

#[tokio::test]
async fn groups_and_people_count_in_their_own_source_only() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    let mut trello = given.connection("trello", "s2", Owner::Workspace).await;
    drive
        .commit(vec![
            upsert("drive", "Text.", readers(&[group("team"), user("u1")])),
            members("team", true, &[email("ann@acme.test")], &[]),
        ])
        .await;
    trello
        .commit(vec![
            upsert("trello", "Text.", readers(&[group("team"), user("u1")])),
            members("team", true, &[email("bo@acme.test")], &[]),
            person("u1", Some("cy@acme.test"), true),
        ])
        .await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["drive"]);
    assert_eq!(given.finds(&caller("bo@acme.test")).await, ["trello"]);
    assert_eq!(given.finds(&caller("cy@acme.test")).await, ["trello"]);
}

#[tokio::test]
async fn the_later_word_of_a_source_counts_and_goes_with_its_connection() {
    let given = Given::new().await;
    let mut ann = given.connection("ann", "s1", Owner::Workspace).await;
    ann.commit(vec![
        upsert("a", "Text.", readers(&[group("team")])),
        members("team", true, &[user("u1")], &[]),
        person("u1", Some("bo@acme.test"), true),
    ])
    .await;
    ann.finish(Finish::Wait).await;
    let bo = caller("bo@acme.test");
    assert_eq!(given.finds(&bo).await, ["a"]);
    let mut other = given.connection("other", "s1", Owner::Workspace).await;
    // It knows the account, but not its address: that takes nothing back.
    other.commit(vec![person("u1", None, true)]).await;
    assert_eq!(given.finds(&bo).await, ["a"]);
    other.commit(vec![members("team", true, &[], &[])]).await;
    assert!(given.finds(&bo).await.is_empty());
    given.store.remove_connection(&tenant(), &other.at.connection).await.unwrap();
    assert_eq!(given.finds(&bo).await, ["a"], "what the removed connection said no longer counts");
}

#[tokio::test]
async fn containers_pass_their_readers_down_and_circles_end() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive
        .commit(vec![
            container("root", None, readers(&[email("ann@acme.test")])),
            container("mid", Some("root"), inherits(&["root"])),
            container("loop1", None, inherits(&["loop2"])),
            container("loop2", None, inherits(&["loop1", "mid"])),
            container("closed", Some("root"), Access::Unknown),
            upsert("in mid", "Text.", inherits(&["mid"])),
            upsert("in loop", "Text.", inherits(&["loop1"])),
            upsert("in closed", "Text.", inherits(&["closed"])),
            upsert("in nothing", "Text.", inherits(&["unheard of"])),
        ])
        .await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["in loop", "in mid"]);
    let bo = readers(&[email("bo@acme.test")]);
    let done = drive.commit(vec![Change::SetAccess { id: "root".into(), access: bo }]).await;
    assert_eq!((done.access, done.documents), (1, 0));
    assert!(given.finds(&caller("ann@acme.test")).await.is_empty());
    assert_eq!(given.finds(&caller("bo@acme.test")).await, ["in loop", "in mid"]);
    drive.commit(vec![Change::DeleteContainer("mid".into())]).await;
    assert!(given.finds(&caller("bo@acme.test")).await.is_empty());
}

#[tokio::test]
async fn a_container_counts_as_its_own_connection_attests_it() {
    let given = Given::new().await;
    let mut ann = given.connection("ann", "s1", Owner::Workspace).await;
    ann.commit(vec![container("f", None, readers(&[email("ann@acme.test")])), upsert("a", "Text.", inherits(&["f"]))])
        .await;
    ann.finish(Finish::Wait).await;
    let mut bo = given.connection("bo", "s1", Owner::Workspace).await;
    bo.commit(vec![container("f", None, readers(&[email("bo@acme.test")]))]).await;
    assert!(given.finds(&caller("bo@acme.test")).await.is_empty(), "bo's connection does not attest the document");
}

#[tokio::test]
async fn a_connections_audience_is_whom_the_operator_named_else_its_owner() {
    let given = Given::new().await;
    let all = || upsert("a", "Text.", readers(&[Principal::ConnectionAudience]));
    let mut notion = given.connection("notion", "s1", Owner::Person(SubjectId::new("ann"))).await;
    notion.commit(vec![all()]).await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a"]);
    assert!(given.finds(&caller("bo@acme.test")).await.is_empty());

    let mut listed = connection("notion", "s1", Owner::Person(SubjectId::new("ann")));
    listed.audience = vec!["Bo@acme.test".into(), "domain:Other.test".into()];
    given.store.put_connection(&listed).await.unwrap();
    assert_eq!(given.finds(&caller("bo@acme.test")).await, ["a"]);
    assert_eq!(given.finds(&caller("cy@other.test")).await, ["a"]);
    assert!(given.finds(&caller("ann@acme.test")).await.is_empty(), "a list is the whole list");

    given.store.put_connection(&connection("notion", "s1", Owner::Workspace)).await.unwrap();
    assert!(given.finds(&caller("ann@acme.test")).await.is_empty(), "a workspace without a list has nobody");
    assert!(given.finds(&caller("bo@acme.test")).await.is_empty());
}

#[tokio::test]
async fn a_connections_account_is_its_owner() {
    let given = Given::new().await;
    let mut own = given.connection("own", "s1", Owner::Person(SubjectId::new("ann"))).await;
    own.commit(vec![upsert("a", "Text.", readers(&[user("account of own")]))]).await;
    assert_eq!(given.finds(&caller("ann@acme.test")).await, ["a"]);
    assert!(given.finds(&caller("bo@acme.test")).await.is_empty());
    own.commit(vec![person("account of own", None, false)]).await;
    assert!(given.finds(&caller("ann@acme.test")).await.is_empty(), "a closed account");
}

#[tokio::test]
async fn a_ceiling_outlives_its_grant() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    let domain = upsert("domain", "Text.", readers(&[Principal::Domain("other.test".into())]));
    drive.commit(vec![upsert("public", "Text.", readers(&[Principal::Anyone])), domain]).await;
    let (ann, bo) = (caller("ann@acme.test"), caller("bo@other.test"));
    assert_eq!(given.finds(&ann).await, ["public"]);
    let grant = |ceiling: &str| Grant {
        id: GrantId::fresh(),
        tenant: tenant(),
        connection: drive.at.connection.clone(),
        capabilities: BTreeMap::new(),
        constraints: Constraints { audience_ceiling: Some(ceiling.into()), ..Constraints::default() },
        by: SubjectId::new("ann"),
        at: Timestamp(1),
    };
    given.store.put_grant(&grant("domain:acme.test")).await.unwrap();
    assert_eq!(given.finds(&ann).await, ["public"]);
    assert!(given.finds(&bo).await.is_empty());
    given.store.revoke_grant(&tenant(), &drive.at.connection).await.unwrap();
    assert!(given.finds(&bo).await.is_empty(), "to withdraw a grant widens nothing");
    for (ceiling, found) in [("bo@other.test", 2), ("anyone", 2), ("connection-audience", 0), ("some new word", 0)] {
        given.store.put_grant(&grant(ceiling)).await.unwrap();
        assert_eq!(given.finds(&bo).await.len(), found, "{ceiling}");
    }
}

#[tokio::test]
async fn labels_name_everybody_who_may_read() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive
        .commit(vec![
            container("f", None, readers(&[group("team"), Principal::Domain("acme.test".into())])),
            Change::Upsert(Box::new(sallyport::document::Document {
                container: Some("f".into()),
                ..crate::given::document(
                    "a",
                    "Text.",
                    Access::Known {
                        entries: vec![AccessEntry { who: user("u9"), level: Level::Write }],
                        inherit: vec!["f".into()],
                    },
                )
            })),
            members("team", true, &[user("u1"), user("u2"), group("team"), email("cy@other.test")], &[]),
            person("u1", Some("bo@other.test"), true),
            person("u2", Some("gone@other.test"), false),
        ])
        .await;
    given.settle().await;
    let found = given.resolved(&caller("cy@other.test")).await;
    let readers = &found[0].label.readers;
    let people: Vec<&str> = readers.people.iter().map(String::as_str).collect();
    assert_eq!(people, ["bo@other.test", "cy@other.test", "s1/u9"]);
    assert_eq!(readers.domains.iter().collect::<Vec<_>>(), ["acme.test"]);
    assert!(!readers.anyone && !found[0].label.trusted);
    assert_eq!(found[0].document.path, ["Folder f"]);
    given.store.set_trusted(&tenant(), &drive.at.connection, true).await.unwrap();
    assert!(given.resolved(&caller("cy@other.test")).await[0].label.trusted);
}

/// A source made at random, judged by following each document up to its readers: the other way round than the store.
struct World {
    people: BTreeMap<String, Option<String>>,
    groups: BTreeMap<String, Vec<Principal>>,
    containers: BTreeMap<String, Access>,
    documents: BTreeMap<String, Access>,
}

impl World {
    fn random(dice: &mut StdRng) -> Self {
        let mut names = |kind: &str, most: usize| -> Vec<String> {
            (0..dice.random_range(1..=most)).map(|n| format!("{kind}{n}")).collect()
        };
        let (users, groups, containers, documents) = (names("u", 6), names("g", 6), names("c", 6), names("d", 30));
        let mut world = Self {
            people: users
                .iter()
                .map(|user| (user.clone(), dice.random_bool(0.8).then(|| format!("{user}@acme.test"))))
                .collect(),
            groups: BTreeMap::new(),
            containers: BTreeMap::new(),
            documents: BTreeMap::new(),
        };
        let principal = |dice: &mut StdRng| match dice.random_range(0..10) {
            0..3 => user(users.choose(dice).unwrap()),
            3..6 => group(groups.choose(dice).unwrap()),
            6..9 => email(&format!("{}@acme.test", users.choose(dice).unwrap())),
            _ => Principal::Domain("other.test".into()),
        };
        let some = |dice: &mut StdRng, most: usize| -> Vec<Principal> {
            (0..dice.random_range(0..=most)).map(|_| principal(dice)).collect()
        };
        for name in &groups {
            world.groups.insert(name.clone(), some(dice, 3));
        }
        let access = |dice: &mut StdRng| {
            if dice.random_bool(0.15) {
                return Access::Unknown;
            }
            let entries = some(dice, 2).into_iter().map(|who| AccessEntry { who, level: Level::Read }).collect();
            let inherit = (0..dice.random_range(0..3)).map(|_| containers.choose(dice).unwrap().clone()).collect();
            Access::Known { entries, inherit }
        };
        world.containers = containers.iter().map(|id| (id.clone(), access(dice))).collect();
        world.documents = documents.iter().map(|id| (id.clone(), access(dice))).collect();
        world
    }

    fn changes(&self) -> Vec<Change> {
        let people = self.people.iter().map(|(id, email)| person(id, email.as_deref(), true));
        let groups = self.groups.iter().map(|(id, of)| members(id, true, of, &[]));
        let containers = self.containers.iter().map(|(id, access)| container(id, None, access.clone()));
        let documents = self.documents.iter().map(|(id, access)| upsert(id, &format!("Text of {id}."), access.clone()));
        documents.chain(containers).chain(groups).chain(people).collect()
    }

    fn reads(&self, address: &str, access: &Access, seen: &mut BTreeSet<String>) -> bool {
        let Access::Known { entries, inherit } = access else { return false };
        entries.iter().any(|entry| self.is(address, &entry.who, &mut BTreeSet::new()))
            || inherit.iter().any(|id| {
                seen.insert(id.clone()) && self.containers.get(id).is_some_and(|up| self.reads(address, up, seen))
            })
    }

    fn is(&self, address: &str, who: &Principal, seen: &mut BTreeSet<String>) -> bool {
        match who {
            Principal::User(id) => self.people.get(id).is_some_and(|email| email.as_deref() == Some(address)),
            Principal::Email(email) => email == address,
            Principal::Domain(domain) => address.ends_with(&format!("@{domain}")),
            Principal::Group(id) => {
                seen.insert(id.clone()) && self.groups[id].iter().any(|member| self.is(address, member, seen))
            }
            Principal::ConnectionAudience | Principal::Anyone => false,
        }
    }
}

#[tokio::test]
async fn random_sources_are_read_as_their_rules_say() {
    let mut dice = StdRng::seed_from_u64(20);
    let (mut found_any, mut worlds) = (0, 0);
    let given = Given::new().await;
    for _ in 0..40 {
        let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
        let world = World::random(&mut dice);
        drive.commit(world.changes()).await;
        let addresses = world.people.keys().map(|user| format!("{user}@acme.test")).chain(["x@other.test".into()]);
        for address in addresses {
            let right =
                world.documents.iter().filter(|(_, access)| world.reads(&address, access, &mut BTreeSet::new()));
            let right: Vec<&String> = right.map(|(id, _)| id).collect();
            let found = given.finds(&caller(&address)).await;
            assert_eq!(found.iter().collect::<BTreeSet<_>>(), right.into_iter().collect(), "{address}");
            for chunk in given.resolved(&caller(&address)).await {
                let alone = sallyport_index::Readers { people: [address.clone()].into(), ..Default::default() };
                assert!(
                    chunk.label.readers.include(&alone),
                    "{address} reads {} but is not in its label",
                    chunk.document.id
                );
            }
            found_any += found.len();
        }
        worlds += 1;
        given.store.remove_connection(&tenant(), &drive.at.connection).await.unwrap();
    }
    println!("{worlds} sources, {found_any} documents found in all");
    assert!(found_any > 500);
}
