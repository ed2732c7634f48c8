use super::*;
use crate::fixtures::{MemoryPorts, slot, tenant};

fn keyring(master: u8, ports: &Arc<MemoryPorts>) -> Keyring {
    Keyring::new(Arc::new(MasterKey::from_bytes([master; 32])), ports.clone())
}

#[tokio::test]
async fn a_secret_opens_in_its_own_place_only() {
    let ports = Arc::new(MemoryPorts::default());
    let keyring = keyring(1, &ports);
    let (own, other) = (tenant(), TenantId::new("ten_2"));
    let (con, con2) = (ConnectionId::new("con_1"), ConnectionId::new("con_2"));
    let (user, bot) = (slot("user"), slot("bot"));
    let sealed = keyring.seal_secret(Place::Slot(&own, &con, &user), b"the secret").await.expect("sealed");
    assert!(!sealed.ciphertext.windows(6).any(|window| window == b"secret"));
    let opened = keyring.open_secret(Place::Slot(&own, &con, &user), &sealed).await.expect("opened");
    assert_eq!(&opened[..], b"the secret");

    for moved in [
        Place::Slot(&own, &con, &bot),
        Place::Slot(&own, &con2, &user),
        Place::Slot(&other, &con, &user),
        Place::Client(Some(&own), "acme"),
        Place::Client(None, "acme"),
    ] {
        let error = keyring.open_secret(moved, &sealed).await.expect_err("moved");
        assert!(matches!(error, KeyError::Authentication { .. }), "{moved:?}: {error}");
    }
    // A row that lies about its tenant's key: the key id is bound, too.
    let theirs = keyring.seal_secret(Place::Slot(&other, &con, &user), b"x").await.expect("sealed");
    let lying = SealedSecret { key_id: theirs.key_id, ..sealed.clone() };
    assert!(keyring.open_secret(Place::Slot(&own, &con, &user), &lying).await.is_err());
}

#[tokio::test]
async fn what_was_changed_or_is_of_another_version_does_not_open() {
    let ports = Arc::new(MemoryPorts::default());
    let keyring = keyring(1, &ports);
    let (own, con, user) = (tenant(), ConnectionId::new("con_1"), slot("user"));
    let place = Place::Slot(&own, &con, &user);
    let sealed = keyring.seal_secret(place, b"the secret").await.expect("sealed");
    for at in 0..sealed.ciphertext.len() {
        let mut changed = sealed.clone();
        changed.ciphertext[at] ^= 1;
        assert!(keyring.open_secret(place, &changed).await.is_err(), "byte {at}");
    }
    let mut changed = sealed.clone();
    changed.nonce[0] ^= 1;
    assert!(keyring.open_secret(place, &changed).await.is_err());
    changed.nonce.pop();
    assert!(keyring.open_secret(place, &changed).await.is_err());
    let newer = SealedSecret { version: 2, ..sealed };
    assert!(matches!(keyring.open_secret(place, &newer).await, Err(KeyError::Newer { found: 2, .. })));
}

#[tokio::test]
async fn data_keys_outlive_the_process_and_need_its_master_key() {
    let ports = Arc::new(MemoryPorts::default());
    let (own, con, user) = (tenant(), ConnectionId::new("con_1"), slot("user"));
    let place = Place::Slot(&own, &con, &user);
    let sealed = keyring(1, &ports).seal_secret(place, b"the secret").await.expect("sealed");
    assert_eq!(&keyring(1, &ports).open_secret(place, &sealed).await.expect("opened")[..], b"the secret");
    assert!(matches!(keyring(2, &ports).open_secret(place, &sealed).await, Err(KeyError::Authentication { .. })));
}

#[tokio::test]
async fn a_body_opens_for_its_connection_under_its_name_only() {
    let ports = Arc::new(MemoryPorts::default());
    let keyring = keyring(1, &ports);
    let (own, con, con2) = (tenant(), ConnectionId::new("con_1"), ConnectionId::new("con_2"));
    let body = keyring.seal_body(&own, &con, b"an answer").await.expect("sealed");
    assert_eq!(keyring.open_body(&own, &con, &body).await.expect("opened"), b"an answer");
    assert_eq!((body.of.size, body.of.hash.len()), (9, 32));
    assert_eq!(
        keyring.seal_body(&own, &con, b"an answer").await.expect("sealed").of,
        body.of,
        "one name for one content"
    );

    assert!(keyring.open_body(&own, &con2, &body).await.is_err(), "another connection");
    let theirs = keyring.seal_body(&own, &con2, b"an answer").await.expect("sealed");
    assert_ne!(theirs.of.hash, body.of.hash, "a name tells nothing to others");
    let other = keyring.seal_body(&own, &con, b"another!!").await.expect("sealed");
    let renamed = SealedBody { of: other.of, ..body };
    assert!(keyring.open_body(&own, &con, &renamed).await.is_err(), "renamed");
}
