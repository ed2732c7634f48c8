//! Tenants, keys, users, the signing key, settings.

use std::os::unix::fs::PermissionsExt;

use sallyport::caller::Role;
use sallyport::connection::{Connection, ConnectionState, Owner};
use sallyport::ids::{SubjectId, TenantId, Timestamp};
use sallyport::ports::{Directory as _, StoreError, TenantRules};
use sallyport_store::accounts::{Holder, User};

use crate::given::{Given, connection, tenant};

#[tokio::test]
async fn a_tenant_is_made_once_with_a_well_formed_id() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    for bad in ["acme", "", "Acme", "a b", "a/b", &"a".repeat(65)] {
        let made = accounts.create_tenant(&TenantId::new(bad), "Name").await;
        assert!(matches!(made, Err(StoreError::Conflict { .. })), "{bad}");
    }
    accounts.create_tenant(&TenantId::new("beta-2"), "Beta").await.unwrap();
    let names: Vec<String> = accounts.tenants().await.unwrap().into_iter().map(|tenant| tenant.name).collect();
    assert_eq!(names, ["Acme", "Beta"]);
    assert_eq!(accounts.tenant(&tenant()).await.unwrap().name, "Acme");
    assert!(matches!(accounts.tenant(&TenantId::new("none")).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_key_opens_until_it_is_revoked_and_is_nowhere_on_the_disk() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    let service = accounts.create_key(Holder::Service(tenant()), "the web shop").await.unwrap();
    let operator = accounts.create_key(Holder::Operator, "ops").await.unwrap();
    let absent = accounts.create_key(Holder::Service(TenantId::new("none")), "x").await;
    assert!(matches!(absent, Err(StoreError::NotFound { .. })));

    assert_eq!(accounts.verify_key(service.reveal()).await.unwrap().as_ref(), Some(&service.key));
    assert_eq!(accounts.verify_key(operator.reveal()).await.unwrap().unwrap().holder, Holder::Operator);
    let mut wrong = service.reveal().to_owned();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    let swapped = format!("sp_{}_{}", operator.key.id, service.reveal().rsplit('_').next().unwrap());
    for text in [wrong.as_str(), &swapped, "", "sp_", "sp__", &service.key.id, "sp_000000000000_"] {
        assert_eq!(accounts.verify_key(text).await.unwrap(), None, "{text}");
    }
    let secret = service.reveal().rsplit('_').next().unwrap().as_bytes().to_vec();
    for entry in std::fs::read_dir(given.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }

    assert!(accounts.revoke_key(None, &service.key.id).await.is_err(), "a tenant's key is not the operator's");
    accounts.revoke_key(Some(&tenant()), &service.key.id).await.unwrap();
    accounts.revoke_key(Some(&tenant()), &service.key.id).await.unwrap();
    assert_eq!(accounts.verify_key(service.reveal()).await.unwrap(), None);
    let keys = accounts.keys(Some(&tenant())).await.unwrap();
    assert_eq!((keys.len(), keys[0].revoked.is_some(), keys[0].label.as_str()), (1, true, "the web shop"));
    assert_eq!(accounts.keys(None).await.unwrap(), [operator.key]);
}

#[tokio::test]
async fn a_user_has_their_addresses_alone() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    let user = |subject: &str, emails: &[&str]| User {
        tenant: tenant(),
        subject: SubjectId::new(subject),
        name: subject.to_uppercase(),
        emails: emails.iter().map(ToString::to_string).collect(),
        roles: vec![Role::Member, Role::Approver],
    };
    accounts.put_user(&user("ann", &["Ann@Acme.test", "ann@other.test"])).await.unwrap();
    accounts.put_user(&user("bo", &["bo@acme.test"])).await.unwrap();
    let taken = accounts.put_user(&user("eve", &["ANN@acme.test"])).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    accounts.put_user(&user("ann", &["ann@acme.test"])).await.unwrap();

    let ann = accounts.user_by_email(&tenant(), "ANN@acme.test").await.unwrap();
    assert_eq!(ann, accounts.user(&tenant(), &SubjectId::new("ann")).await.unwrap());
    let caller = ann.caller();
    assert_eq!((caller.is(Role::Approver), caller.emails), (true, vec!["ann@acme.test".to_owned()]));
    assert!(accounts.user_by_email(&tenant(), "ann@other.test").await.is_err(), "replaced");
    assert!(accounts.user_by_email(&TenantId::new("other"), "ann@acme.test").await.is_err());
    accounts.remove_user(&tenant(), &SubjectId::new("bo")).await.unwrap();
    assert!(accounts.remove_user(&tenant(), &SubjectId::new("bo")).await.is_err());
    assert_eq!(accounts.users(&tenant()).await.unwrap(), [ann]);
}

#[tokio::test]
async fn the_signing_key_is_one_and_private() {
    let given = Given::new().await;
    let makers: Vec<_> = (0..8)
        .map(|_| {
            let accounts = given.another().accounts();
            tokio::spawn(async move { accounts.signing_key().await.unwrap() })
        })
        .collect();
    let key = given.store.accounts().signing_key().await.unwrap();
    for maker in makers {
        assert_eq!(maker.await.unwrap(), key);
    }
    assert_ne!(key, [0; 32]);
    let mode = std::fs::metadata(given.folder.path().join("token.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(given.folder.path().join("token.key"), b"short").unwrap();
    assert!(given.store.accounts().signing_key().await.is_err());
}

#[tokio::test]
async fn a_setting_is_the_last_one_put() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    assert_eq!(accounts.setting("demo").await.unwrap(), None);
    accounts.put_setting("demo", "one").await.unwrap();
    accounts.put_setting("demo", "two").await.unwrap();
    assert_eq!(given.another().accounts().setting("demo").await.unwrap().as_deref(), Some("two"));
}

#[tokio::test]
async fn a_tenants_rules_are_the_strictest_until_they_are_set_and_are_its_own() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    accounts.create_tenant(&TenantId::new("beta"), "Beta").await.unwrap();
    assert!(!given.store.tenant_rules(&tenant()).await.unwrap().self_approval);
    accounts.put_rules(&tenant(), TenantRules { self_approval: true }).await.unwrap();
    let another = given.another();
    assert!(another.tenant_rules(&tenant()).await.unwrap().self_approval);
    assert!(!another.tenant_rules(&TenantId::new("beta")).await.unwrap().self_approval);
    let nobodys = accounts.put_rules(&TenantId::new("none"), TenantRules::default()).await;
    assert!(matches!(nobodys, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_setting_that_was_removed_is_not_there() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    accounts.put_setting("demo", "one").await.unwrap();
    assert!(accounts.remove_setting("demo").await.unwrap());
    assert!(!accounts.remove_setting("demo").await.unwrap());
    assert_eq!(accounts.setting("demo").await.unwrap(), None);
}

#[tokio::test]
async fn what_counts_once_is_used_by_one_of_many_and_forgotten_after_its_time() {
    let given = Given::new().await;
    let (accounts, other) = (given.store.accounts(), given.another().accounts());
    let later = Timestamp(u64::MAX / 4);
    let (here, there) = tokio::join!(accounts.use_once("state", "a", later), other.use_once("state", "a", later));
    assert_ne!(here.unwrap(), there.unwrap());
    assert!(!accounts.use_once("state", "a", later).await.unwrap());
    assert!(accounts.use_once("state", "b", later).await.unwrap());
    assert!(accounts.use_once("states", "a", later).await.unwrap(), "another kind is another thing");

    accounts.put_setting("used", "kept").await.unwrap();
    assert!(accounts.use_once("state", "old", Timestamp(1)).await.unwrap());
    assert!(accounts.use_once("state", "old", later).await.unwrap(), "its time is over");
    assert!(!accounts.use_once("state", "a", later).await.unwrap(), "others stay");
    assert_eq!(accounts.setting("used").await.unwrap().as_deref(), Some("kept"));
}

#[tokio::test]
async fn events_of_all_tenants_are_told_in_one_order() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    let beta = TenantId::new("beta");
    accounts.create_tenant(&beta, "Beta").await.unwrap();
    let ours = connection("ours", "ours", Owner::Workspace);
    let theirs = Connection { tenant: beta.clone(), ..connection("theirs", "theirs", Owner::Workspace) };
    for one in [&ours, &theirs] {
        given.store.put_connection(one).await.unwrap();
    }
    for (one, state) in
        [(&ours, ConnectionState::Revoked), (&theirs, ConnectionState::Revoked), (&ours, ConnectionState::Active)]
    {
        given.store.set_state(&one.tenant, &one.id, state, None).await.unwrap();
    }
    let all = accounts.events_of_all(0, 10).await.unwrap();
    let tenants: Vec<&TenantId> = all.iter().map(|(tenant, _)| tenant).collect();
    assert_eq!(tenants, [&tenant(), &beta, &tenant()]);
    assert!(all.is_sorted_by(|(_, one), (_, next)| one.seq < next.seq));
    assert!(all.iter().all(|(_, event)| event.what.kind() == "connection-state"));
    assert_eq!(accounts.events_of_all(all[0].1.seq, 1).await.unwrap(), all[1..2]);
    assert!(accounts.events_of_all(all[2].1.seq, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_webhook_begins_with_the_newest_event_and_never_goes_back() {
    let given = Given::new().await;
    let accounts = given.store.accounts();
    let kept = connection("ours", "ours", Owner::Workspace);
    given.store.put_connection(&kept).await.unwrap();
    given.store.set_state(&kept.tenant, &kept.id, ConnectionState::Revoked, None).await.unwrap();
    let newest = accounts.events_of_all(0, 10).await.unwrap().pop().unwrap().1.seq;
    assert_eq!(accounts.webhook_cursor().await.unwrap(), newest);
    given.store.set_state(&kept.tenant, &kept.id, ConnectionState::Active, None).await.unwrap();
    assert_eq!(accounts.webhook_cursor().await.unwrap(), newest, "it waits for the receiver");
    accounts.set_webhook_cursor(100).await.unwrap();
    // Compared as numbers: as text, 99 would be later.
    accounts.set_webhook_cursor(99).await.unwrap();
    assert_eq!(given.another().accounts().webhook_cursor().await.unwrap(), 100);
}
