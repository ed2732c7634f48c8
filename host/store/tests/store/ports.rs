//! Secrets, connectors, connections and grants.

use std::collections::BTreeMap;

use sallyport::connection::{ConnectionState, Constraints, Grant, Owner, Setting};
use sallyport::ids::{
    CapabilityId, ConnectionId, ConnectorId, Digest, GrantId, MasterId, SlotName, SourceId, SubjectId, TenantId,
    Timestamp,
};
use sallyport::ports::{
    Catalog, Directory, Granted, Installed, KeyScope, Rewrap, SealedSecret, SecretState, StoreError, Vault, WrappedKey,
};

use crate::given::{Given, connection, tenant};

pub(crate) fn secret(text: &str) -> SealedSecret {
    SealedSecret {
        version: 1,
        key_id: "k1".into(),
        nonce: vec![2; 24],
        ciphertext: text.as_bytes().to_vec(),
        generation: 0,
        expires: Some(Timestamp(9)),
        lifetime: Some(9),
        scopes: vec!["read".into()],
        state: SecretState::Live,
    }
}

fn slot() -> SlotName {
    SlotName::new("user").unwrap()
}

#[tokio::test]
async fn a_secret_is_replaced_by_who_saw_the_last_one() {
    let given = Given::new().await;
    let at = given.connection("drive", "s1", Owner::Workspace).await.at;
    assert_eq!(given.store.secret(&at, &slot()).await.unwrap(), None);
    let early = given.store.replace(&at, &slot(), Some(1), &secret("x")).await;
    assert!(matches!(early, Err(StoreError::Conflict { .. })));
    assert_eq!(given.store.replace(&at, &slot(), None, &secret("one")).await.unwrap(), 1);
    let first = given.store.replace(&at, &slot(), None, &secret("x")).await;
    assert!(matches!(&first, Err(StoreError::Conflict { found, .. }) if found == "generation 1"), "{first:?}");

    let mut racers = Vec::new();
    for n in 0..20 {
        let (store, at) = (if n % 2 == 0 { given.store.clone() } else { given.another() }, at.clone());
        let racer = async move { store.replace(&at, &slot(), Some(1), &secret(&format!("racer {n}"))).await };
        racers.push(tokio::spawn(racer));
    }
    let mut won = Vec::new();
    for (n, racer) in racers.into_iter().enumerate() {
        won.extend(racer.await.unwrap().ok().map(|generation| (n, generation)));
    }
    assert_eq!(won.len(), 1);
    let (n, generation) = won[0];
    let right = SealedSecret { generation, ..secret(&format!("racer {n}")) };
    assert_eq!(given.store.slots(&at).await.unwrap(), [(slot(), right.clone())]);
    assert_eq!((given.store.secret(&at, &slot()).await.unwrap(), generation), (Some(right), 2));

    let mut foreign = at.clone();
    foreign.caller.tenant = TenantId::new("other");
    assert!(matches!(given.store.secret(&foreign, &slot()).await, Err(StoreError::NotFound { .. })));
    given.store.remove_connection(&tenant(), &at.connection).await.unwrap();
    assert_eq!(given.rows("secrets"), 0);
}

#[tokio::test]
async fn one_refreshes_at_a_time_until_its_lease_ends() {
    let given = Given::new().await;
    let at = given.connection("drive", "s1", Owner::Workspace).await.at;
    let (store, other) = (&given.store, given.another());
    let lease = store.lease(&at, &slot(), "one").await.unwrap();
    let held = other.lease(&at, &slot(), "two").await;
    assert!(matches!(held, Err(StoreError::Held { millis: 60_000, .. })), "{held:?}");
    Vault::release(store, &at, &slot(), &lease).await.unwrap();
    let second = other.lease(&at, &slot(), "two").await.unwrap();
    assert!(second.fence > lease.fence);
    Vault::release(store, &at, &slot(), &lease).await.unwrap();
    assert!(store.lease(&at, &slot(), "three").await.is_err(), "an old lease does not end a later one");
    given.clock.forward(60_001);
    assert!(store.lease(&at, &slot(), "three").await.unwrap().fence > second.fence);
}

#[tokio::test]
async fn a_client_is_found_by_whoever_it_is_and_by_nobody_else() {
    let given = Given::new().await;
    let store = &given.store;
    assert_eq!(store.client(Some(&tenant()), "google").await.unwrap(), None);
    store.put_client(None, "google", &secret("operator's")).await.unwrap();
    let own = store.client(Some(&tenant()), "google").await.unwrap();
    assert_eq!(own, None, "it is sealed for the operator, and opens as nobody else's");
    store.put_client(Some(&tenant()), "google", &secret("own")).await.unwrap();
    store.put_client(Some(&tenant()), "google", &secret("own, changed")).await.unwrap();
    let found = store.client(Some(&tenant()), "google").await.unwrap().unwrap();
    assert_eq!((found.ciphertext.as_slice(), found.generation), (&b"own, changed"[..], 2));
    assert_eq!(store.client(None, "google").await.unwrap().unwrap().ciphertext, b"operator's");
    assert_eq!(store.client(Some(&TenantId::new("b")), "google").await.unwrap(), None);
}

#[tokio::test]
async fn two_processes_agree_on_a_data_key_and_it_goes_with_its_connection() {
    let given = Given::new().await;
    let id = given.connection("drive", "s1", Owner::Workspace).await.at.connection;
    let key = |id: &str| WrappedKey {
        id: id.into(),
        nonce: vec![3; 24],
        ciphertext: id.as_bytes().to_vec(),
        master: MasterId::FIRST,
    };
    let scope = (Some(&tenant()), Some(&id));
    assert_eq!(given.store.data_key(scope.0, scope.1).await.unwrap(), None);
    assert_eq!(given.store.put_data_key(scope.0, scope.1, &key("one")).await.unwrap(), key("one"));
    assert_eq!(given.another().put_data_key(scope.0, scope.1, &key("two")).await.unwrap(), key("one"));
    given.store.put_data_key(Some(&tenant()), None, &key("tenant's")).await.unwrap();
    given.store.put_data_key(None, None, &key("operator's")).await.unwrap();
    assert_eq!(given.store.data_key(None, None).await.unwrap(), Some(key("operator's")));
    given.store.remove_connection(&tenant(), &id).await.unwrap();
    assert_eq!(given.store.data_key(scope.0, scope.1).await.unwrap(), None);
    assert!(given.store.put_data_key(scope.0, scope.1, &key("late")).await.is_err(), "no key for what was removed");
    assert_eq!(given.store.data_key(Some(&tenant()), None).await.unwrap(), Some(key("tenant's")));
}

#[tokio::test]
async fn keys_of_a_master_key_are_listed_in_batches_and_replaced_only_as_they_were_read() {
    let given = Given::new().await;
    let store = &given.store;
    let wrapped = |id: &str, master: &MasterId| WrappedKey {
        id: id.into(),
        nonce: vec![3; 24],
        ciphertext: id.as_bytes().to_vec(),
        master: master.clone(),
    };
    let (first, next) = (MasterId::FIRST, MasterId::fresh());
    let mut scopes: Vec<KeyScope> = vec![(None, None), (Some(tenant()), None)];
    for id in ["a", "b"] {
        scopes.push((Some(tenant()), Some(given.connection(id, id, Owner::Workspace).await.at.connection)));
    }
    for (number, (tenant, connection)) in scopes.iter().enumerate() {
        let key = wrapped(&number.to_string(), &first);
        store.put_data_key(tenant.as_ref(), connection.as_ref(), &key).await.unwrap();
    }
    let other = TenantId::new("other");
    store.put_data_key(Some(&other), None, &wrapped("other", &next)).await.unwrap();

    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let batch = store.wrapped_by(&first, after.as_ref(), 3).await.unwrap();
        assert!(batch.len() <= 3);
        let Some((last, _)) = batch.last() else { break };
        after = Some(last.clone());
        listed.extend(batch);
    }
    assert_eq!(listed.iter().map(|(scope, _)| scope.clone()).collect::<Vec<_>>(), scopes);

    let anew = |(scope, before): &(KeyScope, WrappedKey)| Rewrap {
        scope: scope.clone(),
        before: before.clone(),
        now: WrappedKey { ciphertext: b"anew".to_vec(), master: next.clone(), ..before.clone() },
    };
    let mut batch: Vec<Rewrap> = listed.iter().map(anew).collect();
    batch[1].before.ciphertext = b"another".to_vec();
    batch[2].before.master = next.clone();
    assert_eq!(given.another().rewrap(&batch).await.unwrap(), 2);
    let left = store.wrapped_by(&first, None, 9).await.unwrap();
    assert_eq!(left, listed[1..3], "what was not as it was read stays");
    assert_eq!(store.data_key(None, None).await.unwrap(), Some(batch[0].now.clone()));
    assert_eq!(store.wrapped_by(&next, None, 9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_a_retired_master_key_wrapped_is_stored_no_more() {
    let given = Given::new().await;
    let id = given.connection("drive", "s1", Owner::Workspace).await.at.connection;
    let key = |id: &str, master: &MasterId| WrappedKey {
        id: id.into(),
        nonce: vec![3; 24],
        ciphertext: vec![1],
        master: master.clone(),
    };
    let (old, new) = (MasterId::fresh(), MasterId::fresh());
    given.store.put_data_key(Some(&tenant()), None, &key("t", &old)).await.unwrap();
    given.store.retire_master(&old).await.unwrap();
    given.store.retire_master(&old).await.unwrap();
    let late = given.another().put_data_key(Some(&tenant()), Some(&id), &key("c", &old)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let there = given.store.put_data_key(Some(&tenant()), None, &key("u", &old)).await.unwrap();
    assert_eq!(there, key("t", &old), "what is there is answered");
    for master in [&new, &MasterId::FIRST] {
        let other = TenantId::new(format!("of-{master}"));
        given.store.put_data_key(Some(&other), None, &key("n", master)).await.unwrap();
    }
}

fn trello(version: &str, bytes: &[u8]) -> Installed {
    Installed {
        connector: ConnectorId::new("trello").unwrap(),
        version: version.into(),
        publisher: Some("19".repeat(32).parse().unwrap()),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        at: Timestamp(5),
    }
}

#[tokio::test]
async fn a_connector_is_live_by_its_last_installation_and_its_files_stay() {
    let given = Given::new().await;
    let (one, two) = (trello("0.1.0", b"one"), trello("0.2.0", b"two"));
    let absent = given.store.live(&one.connector).await;
    assert!(matches!(absent, Err(StoreError::NotFound { .. })));
    given.store.install(&one, b"one", None).await.unwrap();
    given.store.install(&one, b"one", None).await.unwrap();
    assert!(
        given.store.install(&two, b"something else", Some(&one.digest)).await.is_err(),
        "the entry must be the file's"
    );
    given.store.install(&two, b"two", Some(&one.digest)).await.unwrap();
    assert_eq!(given.another().live(&one.connector).await.unwrap(), two);
    assert_eq!(given.store.list_installed().await, std::slice::from_ref(&two));
    assert_eq!(given.store.bytes(&one.digest).await.unwrap(), b"one");

    let folder = given.folder.path().join("connectors");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing half-written is left");
    std::fs::write(folder.join(format!("{}.wasm", two.digest)), b"tampered").unwrap();
    assert!(matches!(given.store.bytes(&two.digest).await, Err(StoreError::Other(_))));
    given.store.install(&two, b"two", Some(&one.digest)).await.unwrap();
    assert_eq!(given.store.bytes(&two.digest).await.unwrap(), b"two");
    let absent = given.store.bytes(&Digest::of(b"three")).await;
    assert!(matches!(absent, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_version_replaces_the_one_that_it_was_compared_with_and_no_other() {
    let given = Given::new().await;
    let (one, two, three) = (trello("0.1.0", b"one"), trello("0.2.0", b"two"), trello("0.3.0", b"three"));
    given.store.install(&one, b"one", None).await.unwrap();
    given.store.hold(&two, b"two").await.unwrap();
    given.another().hold(&three, b"three").await.unwrap();
    assert_eq!(given.store.live(&one.connector).await.unwrap(), one, "what waits is not live");
    assert_eq!(given.store.waiting(&one.connector).await.unwrap(), Some(three.clone()), "the last one waits");
    assert_eq!(given.store.bytes(&three.digest).await.unwrap(), b"three");
    for other in [None, Some(&two.digest)] {
        let refused = given.store.install(&three, b"three", other).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    }
    assert!(given.store.waiting(&one.connector).await.unwrap().is_some(), "nothing was changed");
    given.store.install(&three, b"three", Some(&one.digest)).await.unwrap();
    assert_eq!(given.store.live(&one.connector).await.unwrap(), three);
    assert_eq!(given.store.waiting(&one.connector).await.unwrap(), None);
}

#[tokio::test]
async fn whether_anything_is_granted_is_asked_of_all_tenants_and_of_one_connector() {
    let given = Given::new().await;
    let drive = connection("drive", "s1", Owner::Workspace);
    given.store.put_connection(&drive).await.unwrap();
    let any = async || given.store.any_grant(&drive.connector).await.unwrap();
    assert!(!any().await, "a connection is no consent");
    let mut grant = Grant {
        id: GrantId::new("g"),
        tenant: tenant(),
        connection: drive.id.clone(),
        capabilities: BTreeMap::new(),
        constraints: Constraints::default(),
        by: SubjectId::new("ann"),
        at: Timestamp(1),
    };
    given.store.put_grant(&grant).await.unwrap();
    assert!(!any().await, "nor is a grant of nothing");
    grant.capabilities.insert(CapabilityId::new("files.read").unwrap(), Setting::Auto);
    given.store.put_grant(&grant).await.unwrap();
    assert!(any().await);
    assert!(!given.store.any_grant(&ConnectorId::new("another").unwrap()).await.unwrap());
}

#[tokio::test]
async fn connections_and_grants_are_their_tenants() {
    let given = Given::new().await;
    let store = &given.store;
    let mut first = connection("one", "s1", Owner::Person(SubjectId::new("ann")));
    first.settings.insert("folder".into(), "root".into());
    (first.workspace, first.audience) = (Some("w".into()), vec!["domain:acme.test".into()]);
    let mut second = connection("two", "s2", Owner::Workspace);
    second.created = Timestamp(0);
    store.put_connection(&first).await.unwrap();
    store.put_connection(&second).await.unwrap();
    assert_eq!(store.connections(&tenant()).await.unwrap(), [second, first.clone()]);
    first.name = "renamed".into();
    store.put_connection(&first).await.unwrap();
    assert_eq!(store.connection(&tenant(), &first.id).await.unwrap(), first);

    let other = TenantId::new("other");
    let nowhere = sallyport::connection::Connection { tenant: other.clone(), ..first.clone() };
    assert!(matches!(store.put_connection(&nowhere).await, Err(StoreError::NotFound { .. })), "no such tenant");
    store.accounts().create_tenant(&other, "Other").await.unwrap();
    assert!(matches!(store.put_connection(&nowhere).await, Err(StoreError::NotFound { .. })), "another tenant's id");
    assert!(matches!(store.connection(&other, &first.id).await, Err(StoreError::NotFound { .. })));
    assert!(store.connections(&other).await.unwrap().is_empty());
    assert!(matches!(store.remove_connection(&other, &first.id).await, Err(StoreError::NotFound { .. })));

    let grant = Grant {
        id: GrantId::fresh(),
        tenant: tenant(),
        connection: first.id.clone(),
        capabilities: BTreeMap::from([(CapabilityId::new("files.read").unwrap(), Setting::Ask)]),
        constraints: Constraints { writes_per_day: Some(5), ..Constraints::default() },
        by: SubjectId::new("ann"),
        at: Timestamp(3),
    };
    assert_eq!(store.grant(&tenant(), &first.id).await.unwrap(), None);
    store.put_grant(&grant).await.unwrap();
    assert_eq!(store.grant(&tenant(), &first.id).await.unwrap(), Some(grant.clone()));
    assert!(store.grant(&other, &first.id).await.is_err());
    assert!(store.put_grant(&Grant { tenant: other, ..grant }).await.is_err());
    store.revoke_grant(&tenant(), &first.id).await.unwrap();
    assert_eq!(store.grant(&tenant(), &first.id).await.unwrap(), None);
    assert!(store.grant(&tenant(), &ConnectionId::new("none")).await.is_err());
}

#[tokio::test]
async fn another_account_behind_a_connection_begins_anew() {
    let given = Given::new().await;
    let mut drive = given.connection("drive", "s1", Owner::Workspace).await;
    drive.commit(vec![crate::given::upsert("a", "Text.", crate::given::readers(&[]))]).await;
    given.store.put_connection(&connection("drive", "s2", Owner::Workspace)).await.unwrap();
    assert_eq!(given.rows("documents") + given.rows("attestations") + given.rows("streams"), 0);
    drive.source = SourceId::new("s2");
    assert!(drive.begin(false).await.unwrap(), "no cursor: a sweep");
}

trait Listed {
    async fn list_installed(&self) -> Vec<Installed>;
}

impl Listed for sallyport_store::Store {
    async fn list_installed(&self) -> Vec<Installed> {
        Catalog::list(self).await.unwrap()
    }
}

#[tokio::test]
async fn what_calls_look_up_is_at_once_what_another_process_made_of_it() {
    let given = Given::new().await;
    let (here, there) = (&given.store, given.another());
    let (id, one, two) = (ConnectionId::new("drive"), trello("0.1.0", b"one"), trello("0.2.0", b"two"));
    let mut own = connection("drive", "s1", Owner::Workspace);
    own.connector = one.connector.clone();
    there.put_connection(&own).await.unwrap();
    let bare = Granted { connection: own.clone(), grant: None, live: None };
    assert_eq!(here.granted(&tenant(), &id).await.unwrap(), bare);
    let other = here.granted(&TenantId::new("other"), &id).await;
    assert!(matches!(other, Err(StoreError::NotFound { .. })), "known here, and of another tenant");

    let grant = |setting| Grant {
        id: GrantId::fresh(),
        tenant: tenant(),
        connection: id.clone(),
        capabilities: BTreeMap::from([(CapabilityId::new("files.read").unwrap(), setting)]),
        constraints: Constraints::default(),
        by: SubjectId::new("ann"),
        at: Timestamp(3),
    };
    for setting in [Setting::Auto, Setting::Ask, Setting::Deny] {
        let grant = grant(setting);
        there.put_grant(&grant).await.unwrap();
        for _ in 0..2 {
            assert_eq!(here.granted(&tenant(), &id).await.unwrap().grant.as_ref(), Some(&grant));
        }
    }
    there.revoke_grant(&tenant(), &id).await.unwrap();
    assert_eq!(here.granted(&tenant(), &id).await.unwrap(), bare);
    there.set_state(&tenant(), &id, ConnectionState::Revoked, Some("it was taken back")).await.unwrap();
    assert_eq!(here.granted(&tenant(), &id).await.unwrap().connection.state, ConnectionState::Revoked);
    (own.account, own.account_name) = ("u2".into(), "Another".into());
    there.put_connection(&own).await.unwrap();
    assert_eq!(here.granted(&tenant(), &id).await.unwrap().connection.account, "u2");

    there.install(&one, b"one", None).await.unwrap();
    assert_eq!(here.granted(&tenant(), &id).await.unwrap().live.as_ref(), Some(&one));
    there.install(&two, b"two", Some(&one.digest)).await.unwrap();
    assert_eq!(here.granted(&tenant(), &id).await.unwrap().live.as_ref(), Some(&two));
    assert!(there.remove(&two.connector, &two.digest).await.unwrap());
    assert_eq!(here.granted(&tenant(), &id).await.unwrap().live, None);

    there.remove_connection(&tenant(), &id).await.unwrap();
    assert!(matches!(here.granted(&tenant(), &id).await, Err(StoreError::NotFound { .. })));
}
