use super::*;
use crate::fixtures::{MemoryPorts, slot, tenant};
use crate::ports::BodyRef;

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

#[tokio::test]
async fn a_long_body_is_kept_in_less_room_and_opens_as_what_it_is_only() {
    let ports = Arc::new(MemoryPorts::default());
    let keyring = keyring(1, &ports);
    let key = keyring.journal_key(&tenant(), &ConnectionId::new("con_1")).await.expect("a key");
    let text: Vec<u8> =
        (0..4_000_u32).flat_map(|number| format!("{} ", number.wrapping_mul(2_654_435_761)).into_bytes()).collect();
    let text = &text[..4_000];
    let body = key.pack(text);
    assert!(body.packed && body.ciphertext.len() < 2_500, "{}", body.ciphertext.len());
    assert_eq!((body.of.clone(), key.open(&body).expect("opened")), (key.name(text), text.to_vec()));
    let long = key.pack(&vec![b'a'; 3 << 20]);
    assert_eq!(key.open(&long).expect("opened").len(), 3 << 20);

    // How it was sealed is bound to it, and so is how long it is: nothing makes a large one of a small one.
    let said = |packed, size| SealedBody { packed, of: BodyRef { size, ..body.of.clone() }, ..body.clone() };
    for other in [said(false, 4_000), said(true, 3_999), said(true, 4_001)] {
        assert!(matches!(key.open(&other), Err(KeyError::Authentication { .. })), "{:?}", other.of);
    }

    // What is short or does not become smaller is kept as it is.
    let noise: Vec<u8> =
        (0..2_000_u64).flat_map(|number| blake3::hash(&number.to_le_bytes()).as_bytes()[..1].to_vec()).collect();
    for plain in [&text[..1_000], &noise] {
        let body = key.pack(plain);
        assert!(!body.packed && body.ciphertext.len() == plain.len() + 16);
        assert_eq!(key.open(&body).expect("opened"), plain);
    }
}
