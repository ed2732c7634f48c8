//! Another master key while the host serves: calls before it and during it, by a process that is told nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use sallyport::ids::ConnectionId;
use sallyport::keys::{MasterFile, Rotation};
use sallyport::tool::Outcome;
use sallyport_store::Store;
use serde_json::json;

use crate::Setup;
use crate::figure::{Figure, Times};
use crate::host::{self, Host, token};

/// Callers side by side.
const CALLERS: usize = 8;
/// Of connections that are made at a time.
const MAKERS: usize = 32;

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Figure> {
    let url = host::notes().await?;
    let repoint = [("hello.api", url.as_str())];
    let maker = Arc::new(Host::open(&repoint).await?);
    let connections = Arc::new(connected(setup, &maker).await?);
    let maker = Arc::into_inner(maker).context("everybody who made connections has ended")?;
    // A process that starts now: every first call through a connection opens its secret and its journal key.
    let host = Arc::new(maker.reopened(&repoint)?);

    let next = Arc::new(AtomicUsize::new(0));
    let quiet = Arc::new(AtomicBool::new(false));
    let before = calls(&host, &connections, &next, &quiet);
    let alone = async {
        while next.load(Ordering::Relaxed) < connections.len() / 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        quiet.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let (before, ()) = tokio::try_join!(before, alone)?;

    let over = Arc::new(AtomicBool::new(false));
    let rotating = {
        let (data, file) = (host.folder.path().join("data"), host.folder.path().join("master.key"));
        let over = Arc::clone(&over);
        async move {
            // As the command does it: another process, with the data directory and the file of its own.
            let store = tokio::task::spawn_blocking(move || Store::open(data)).await??;
            let rotation = Rotation::new(Arc::new(MasterFile::open_or_create(&file)?), Arc::new(store));
            let began = Instant::now();
            let rotated = rotation.run(&|_| ()).await;
            let took = began.elapsed();
            over.store(true, Ordering::Relaxed);
            anyhow::Ok((rotated?, took))
        }
    };
    let rotating = tokio::spawn(rotating);
    let during = calls(&host, &connections, &next, &over).await?;
    let (rotated, took) = rotating.await??;
    ensure!(rotated.removed.len() == 1, "the old master key is still there");
    let keys = rotated.rewrapped;
    ensure!(keys > connections.len() as u64, "{keys} data keys were wrapped anew");
    let failed = before.1 + during.1;
    let (before, during) = (before.0, during.0);
    let count = during.len();
    Ok(Figure {
        name: "a rotation of the master key while tools are called: how long it takes, and calls that fail",
        value: format!(
            "{:.2} s for {keys} data keys; {failed} of {} calls failed; during it {count} calls, {}",
            took.as_secs_f64(),
            before.len() + count + failed,
            Times::of(&during)?.words()
        ),
        beside: format!("the same calls before it: {}", Times::of(&before)?.words()),
        target: Some("0 failed"),
    })
}

/// As many connections as are to be measured, each with a secret and a journal key.
async fn connected(setup: &Setup, host: &Arc<Host>) -> anyhow::Result<Vec<ConnectionId>> {
    let first = host.connect(&setup.hello, "hello", "token", token("bench-token-0123456789"), &["notes.read"]).await?;
    read(host, &first.id).await?;
    let left = Arc::new(AtomicUsize::new(setup.connections.saturating_sub(1)));
    let makers = (0..MAKERS).map(|_| {
        let (host, left) = (Arc::clone(host), Arc::clone(&left));
        tokio::spawn(async move {
            let mut made = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let connection =
                    host.connected("hello", "token", token("bench-token-0123456789"), &["notes.read"]).await?;
                read(&host, &connection.id).await?;
                made.push(connection.id);
            }
            anyhow::Ok(made)
        })
    });
    let made: Result<Vec<_>, anyhow::Error> = try_join_all(makers).await?.into_iter().collect();
    Ok([vec![first.id], made?.concat()].concat())
}

async fn read(host: &Host, id: &ConnectionId) -> anyhow::Result<()> {
    let outcome = host.call(id, "read_note", json!({ "id": "n1" })).await?;
    ensure!(matches!(outcome, Outcome::Done(_)), "a read was held");
    Ok(())
}

/// Calls until it is over, each through the next connection: how long those took that succeeded, and how many failed.
async fn calls(
    host: &Arc<Host>,
    connections: &Arc<Vec<ConnectionId>>,
    next: &Arc<AtomicUsize>,
    over: &Arc<AtomicBool>,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let callers = (0..CALLERS).map(|_| {
        let (host, connections) = (Arc::clone(host), Arc::clone(connections));
        let (next, over) = (Arc::clone(next), Arc::clone(over));
        tokio::spawn(async move {
            let (mut took, mut failed) = (Vec::new(), 0);
            while !over.load(Ordering::Relaxed) {
                let connection = &connections[next.fetch_add(1, Ordering::Relaxed) % connections.len()];
                let began = Instant::now();
                match read(&host, connection).await {
                    Ok(()) => took.push(began.elapsed()),
                    Err(_) => failed += 1,
                }
            }
            (took, failed)
        })
    });
    let all = try_join_all(callers).await?;
    let failed = all.iter().map(|(_, failed)| failed).sum();
    Ok((all.into_iter().flat_map(|(took, _)| took).collect(), failed))
}
