use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::fixtures::{MemoryPorts, slot, tenant};
use crate::ids::{ConnectionId, TenantId};
use crate::keys::{Keyring, MasterKey, Place};
use crate::ports::{SealedBody, SealedSecret, StoreError};

/// Connections, so that a rotation takes several batches.
const CONNECTIONS: usize = 450;

/// A vault with a secret and a journal body of each connection, and the file of its master keys.
struct World {
    folder: TempDir,
    ports: Arc<MemoryPorts>,
    kept: Vec<(ConnectionId, SealedSecret, SealedBody)>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut world = Self { folder, ports: Arc::default(), kept: Vec::new() };
        let keyring = world.process().1;
        for number in 0..CONNECTIONS {
            let id = ConnectionId::new(format!("con_{number}"));
            let (secret, body) = seal(&keyring, &id).await.expect("sealed");
            world.kept.push((id, secret, body));
        }
        world
    }

    /// What a process that starts now has.
    fn process(&self) -> (Arc<MasterFile>, Keyring) {
        let file = MasterFile::open_or_create(&self.folder.path().join("master.key")).expect("the file");
        let file = Arc::new(file);
        (Arc::clone(&file), Keyring::new(file, self.ports.clone()))
    }

    fn rotation(&self) -> Rotation {
        Rotation::new(self.process().0, self.ports.clone())
    }

    /// Whether everything that was sealed opens.
    async fn opens(&self, keyring: &Keyring) {
        for (id, secret, body) in &self.kept {
            let place = Place::Slot(&OWN, id, &USER);
            assert_eq!(&keyring.open_secret(place, secret).await.expect("the secret")[..], b"the secret", "{id}");
            assert_eq!(keyring.open_body(&OWN, id, body).await.expect("the body"), b"a body", "{id}");
        }
    }

    async fn wrapped_by(&self, id: &MasterId) -> usize {
        self.ports.wrapped_by(id, None, u32::MAX).await.expect("a vault").len()
    }
}

static OWN: std::sync::LazyLock<TenantId> = std::sync::LazyLock::new(tenant);
static USER: std::sync::LazyLock<crate::ids::SlotName> = std::sync::LazyLock::new(|| slot("user"));

async fn seal(keyring: &Keyring, id: &ConnectionId) -> Result<(SealedSecret, SealedBody), KeyError> {
    let secret = keyring.seal_secret(Place::Slot(&OWN, id, &USER), b"the secret").await?;
    Ok((secret, keyring.seal_body(&OWN, id, b"a body").await?))
}

#[tokio::test]
async fn a_rotation_wraps_every_data_key_anew_and_the_old_master_key_is_gone() {
    let world = World::new().await;
    let keys = world.wrapped_by(&MasterId::FIRST).await;
    assert_eq!(keys, CONNECTIONS + 1, "the tenant's, and each connection's");
    let rotated = world.rotation().run(&|_| ()).await.expect("rotated");
    assert_eq!((rotated.removed, rotated.rewrapped), (vec![MasterId::FIRST], keys as u64));
    assert_eq!((world.wrapped_by(&MasterId::FIRST).await, world.wrapped_by(&rotated.master).await), (0, keys));
    let (file, keyring) = world.process();
    assert_eq!(file.ids(), std::slice::from_ref(&rotated.master));
    world.opens(&keyring).await;
    let again = world.rotation().run(&|_| ()).await.expect("rotated again");
    assert_eq!(again.removed, [rotated.master]);
    world.opens(&world.process().1).await;
}

#[tokio::test]
async fn after_a_crash_between_any_two_steps_everything_opens_and_the_next_run_finishes() {
    for steps in 0..=4 {
        let world = World::new().await;
        let (_, running) = world.process();
        let cut_off = world.rotation();
        if steps >= 1 {
            cut_off.add().expect("added");
        }
        if steps >= 2 {
            cut_off.retire().await.expect("retired");
        }
        if steps == 3 {
            // In the middle of it: the first batch alone.
            let found = world.ports.wrapped_by(&MasterId::FIRST, None, BATCH).await.expect("a vault");
            let mut batch = Vec::new();
            for (scope, before) in found {
                let now = cut_off.anew(&scope, &before).await.expect("wrapped anew");
                batch.push(Rewrap { scope, before, now });
            }
            assert_eq!(world.ports.rewrap(&batch).await.expect("a vault"), u64::from(BATCH));
        }
        if steps >= 4 {
            cut_off.rewrap(&MasterId::FIRST, &|_| ()).await.expect("wrapped anew");
        }
        let known = world.process().0.ids();
        world.opens(&running).await;
        world.opens(&world.process().1).await;

        let rotated = world.rotation().run(&|_| ()).await.expect("finished");
        assert_eq!(rotated.removed, [MasterId::FIRST], "after step {steps}");
        assert_eq!(rotated.master, if steps == 0 { rotated.master.clone() } else { known[0].clone() }, "no third key");
        assert_eq!(world.process().0.ids(), [rotated.master], "after step {steps}");
        world.opens(&world.process().1).await;
        world.opens(&running).await;
    }
}

#[tokio::test]
async fn a_process_that_runs_reads_and_stores_through_a_rotation_that_it_was_not_told_of() {
    let world = World::new().await;
    let (old, running) = world.process();
    let rotated = world.rotation().run(&|_| ()).await.expect("rotated");
    assert_eq!(old.ids(), [MasterId::FIRST], "it has read the file before");
    // Its own first act is to store: with the key that it knows it may no longer.
    let new = ConnectionId::new("con_new");
    let (secret, body) = seal(&running, &new).await.expect("with the new master key");
    assert_eq!(world.wrapped_by(&MasterId::FIRST).await, 0);
    assert_eq!(old.ids(), std::slice::from_ref(&rotated.master));
    let (_, fresh) = world.process();
    let place = Place::Slot(&OWN, &new, &USER);
    assert_eq!(&fresh.open_secret(place, &secret).await.expect("opened")[..], b"the secret");
    assert_eq!(fresh.open_body(&OWN, &new, &body).await.expect("opened"), b"a body");
    // Another one's first act is to read.
    let (_, another) = world.process();
    let last = world.rotation().run(&|_| ()).await.expect("rotated");
    assert_ne!(last.master, rotated.master);
    world.opens(&another).await;
}

#[tokio::test]
async fn two_rotations_at_once_lose_nothing() {
    let world = World::new().await;
    let (one, other) = (world.rotation(), world.rotation());
    let (one, other) = tokio::join!(one.run(&|_| ()), other.run(&|_| ()));
    let (one, other) = (one.expect("rotated"), other.expect("rotated"));
    let left = world.process().0.ids();
    assert_eq!(left.len(), 1);
    assert!(left[0] == one.master || left[0] == other.master);
    world.opens(&world.process().1).await;
}

#[tokio::test]
async fn a_key_whose_row_says_another_master_key_does_not_open() {
    let world = World::new().await;
    let rotation = world.rotation();
    rotation.add().expect("added");
    let current = rotation.masters.current();
    let scope: KeyScope = (Some(tenant()), Some(ConnectionId::new("con_7")));
    let before = world.ports.data_key(scope.0.as_ref(), scope.1.as_ref()).await.expect("a vault").expect("a key");
    let now = rotation.anew(&scope, &before).await.expect("wrapped anew");
    for (lying, other) in [
        (WrappedKey { master: current.clone(), ..before.clone() }, &scope),
        (WrappedKey { master: MasterId::FIRST, ..now.clone() }, &scope),
        (now, &(Some(tenant()), Some(ConnectionId::new("con_8")))),
    ] {
        let refused = rotation.anew(other, &lying).await;
        assert!(matches!(refused, Err(KeyError::Authentication { .. })), "{refused:?}");
    }
}

/// Counts how often it is looked for other keys.
struct Counted(MasterKey, AtomicU32);

#[async_trait]
impl MasterKeys for Counted {
    fn current(&self) -> MasterId {
        self.0.current()
    }

    async fn wrap(&self, plain: &[u8; 32], aad: &[u8]) -> Result<Wrapped, KeyError> {
        self.0.wrap(plain, aad).await
    }

    async fn unwrap(&self, wrapped: &Wrapped, aad: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        self.0.unwrap(wrapped, aad).await
    }

    async fn refresh(&self) -> Result<(), KeyError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn an_unknown_master_key_is_looked_for_once_and_then_named() {
    let world = World::new().await;
    let rotated = world.rotation().run(&|_| ()).await.expect("rotated");
    let counted = Arc::new(Counted(MasterKey::from_bytes([7; 32]), AtomicU32::new(0)));
    let keyring = Keyring::new(counted.clone(), world.ports.clone());
    let (id, secret, _) = &world.kept[0];
    let refused = keyring.open_secret(Place::Slot(&OWN, id, &USER), secret).await.expect_err("another host's");
    assert!(matches!(&refused, KeyError::UnknownMaster { id } if *id == rotated.master), "{refused}");
    assert!(refused.to_string().contains("put back the master.key"), "{refused}");
    assert_eq!(counted.1.load(Ordering::SeqCst), 1);
    // What may not be stored is tried once more, and then told.
    let new = keyring.seal_body(&OWN, &ConnectionId::new("con_new"), b"x").await.expect_err("it is retired");
    assert!(matches!(new, KeyError::Store(StoreError::Conflict { .. })), "{new}");
    assert_eq!(counted.1.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_data_key_that_does_not_open_keeps_its_master_key_in_the_file() {
    let world = World::new().await;
    let scope: KeyScope = (Some(tenant()), Some(ConnectionId::new("con_7")));
    let before = world.ports.data_key(scope.0.as_ref(), scope.1.as_ref()).await.expect("a vault").expect("a key");
    let mut now = before.clone();
    now.ciphertext[0] ^= 1;
    world.ports.rewrap(&[Rewrap { scope, before, now }]).await.expect("a vault");
    let refused = world.rotation().run(&|_| ()).await;
    assert!(matches!(refused, Err(KeyError::Authentication { .. })), "{refused:?}");
    assert_eq!(world.process().0.ids().len(), 2);
}
