//! What secrets cost: attaching one, waiting for one that has ended, and not waiting for somebody else's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::future::try_join_all;
use sallyport::Runtime;
use sallyport::credentials::NewSecret;
use sallyport::engine::Limits;
use sallyport::ids::{ConnectionId, SlotName};
use sallyport::keys::Secret;
use serde_json::json;

use crate::Setup;
use crate::figure::{Figure, Times};
use crate::host::Host;

/// How long the token endpoint takes to answer.
const PROVIDER: Duration = Duration::from_millis(300);
/// Processes on one data directory, and tasks in each.
const PROCESSES: usize = 4;
const TASKS: usize = 16;
/// Attaches in a row, of which one figure is made: each is shorter than the clock is fine.
const IN_A_ROW: usize = 100;
/// Callers side by side.
const CALLERS: usize = 8;
/// Of connections that are made at a time.
const MAKERS: usize = 32;
/// Times between two moments at which a connection's token ends, where 1 % of them do in a minute.
const SHARE: usize = 100;

/// Google's endpoints as far as they are asked here: a token that is good for an hour, and whose account it is.
struct Google {
    url: String,
    refreshes: Arc<AtomicUsize>,
}

impl Google {
    async fn start() -> anyhow::Result<Self> {
        let refreshes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&refreshes);
        let token = post(move || {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(PROVIDER).await;
                Json(json!({ "access_token": format!("ya29.bench-access-token-{number}"), "expires_in": 3600 }))
            }
        });
        let user = json!({ "displayName": "Bench", "permissionId": "p1", "emailAddress": "bench@example.com" });
        let about = get(move || async move { Json(json!({ "user": user })) });
        let router = Router::new().route("/token", token).route("/drive/v3/about", about);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, refreshes })
    }

    fn repoint(&self) -> [(&str, &str); 2] {
        [("google-drive.api", &self.url), ("google-drive.token", &self.url)]
    }
}

/// A token that is good for so many seconds, and can be refreshed.
fn secret(seconds: u64) -> NewSecret {
    NewSecret {
        access: Secret::new("ya29.bench-first-token"),
        refresh: Some(Secret::new("1//bench-refresh-token")),
        expires_in: Some(seconds),
        scopes: Vec::new(),
    }
}

async fn host(google: &Google) -> anyhow::Result<Host> {
    let host = Host::within(&google.repoint(), Limits::default()).await?;
    let client = [("client_id", "bench-client"), ("client_secret", "bench-client-secret")];
    let client = client.map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
    host.runtime.credentials().put_client(None, "google", client).await?;
    Ok(host)
}

fn user() -> anyhow::Result<SlotName> {
    SlotName::new("user").context("a slot's name")
}

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    Ok(vec![attached(setup).await?, waited(setup).await?, beside_others(setup).await?])
}

/// Attaching a secret that was used a moment ago.
async fn attached(setup: &Setup) -> anyhow::Result<Figure> {
    let google = Google::start().await?;
    let host = host(&google).await?;
    let connection = host.connect(&setup.drive, "google-drive", "oauth", secret(3600), &["files.read"]).await?;
    let slot = user()?;
    let (mut warm, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..setup.rounds.max(20) {
        let times = host.runtime.measure_attach(&host.caller, &connection.id, &slot, IN_A_ROW + 1).await?;
        warm.push(times[1..].iter().sum::<Duration>() / IN_A_ROW as u32);
    }
    for _ in 0..20 {
        // By then another process may have put another in its place, and the vault is asked.
        tokio::time::sleep(Duration::from_millis(300)).await;
        cold.extend(host.runtime.measure_attach(&host.caller, &connection.id, &slot, 1).await?);
    }
    Ok(Figure {
        name: "a secret made ready for a request, warm",
        value: Times::of(&warm)?.words(),
        beside: format!("the first after a quarter of a second, which asks the vault: {}", Times::of(&cold)?.words()),
        target: Some("≤ 5 µs"),
    })
}

/// Many who meet one ended token.
async fn waited(setup: &Setup) -> anyhow::Result<Figure> {
    let google = Google::start().await?;
    let first = host(&google).await?;
    let connection = first.connect(&setup.drive, "google-drive", "oauth", secret(1), &["files.read"]).await?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (caller, slot) = (first.caller.clone(), user()?);
    let mut runtimes = Vec::new();
    for _ in 0..PROCESSES {
        runtimes.push(first.another(&google.repoint()).await?);
    }
    // What a process reads once, the connector's file above all, is not what is waited for here.
    for runtime in &runtimes {
        runtime.measure_attach(&caller, &connection.id, &slot, 0).await?;
    }
    let before = google.refreshes.load(Ordering::SeqCst);
    let tasks = runtimes.iter().flat_map(|runtime| std::iter::repeat_n(runtime, TASKS)).map(|runtime| {
        let (runtime, caller, id, slot) = (runtime.clone(), caller.clone(), connection.id.clone(), slot.clone());
        tokio::spawn(async move { runtime.measure_attach(&caller, &id, &slot, 1).await })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await??);
    }
    let refreshes = google.refreshes.load(Ordering::SeqCst) - before;
    ensure!(refreshes == 1, "{refreshes} refreshes");
    let most = times.iter().max().context("64 times")?;
    Ok(Figure {
        name: "64 tasks of 4 hosts on one data directory (in one process here) at an ended token: refreshes, and the longest wait beyond the provider's answer",
        value: format!("{refreshes} refresh; {:+.1} ms", (most.as_secs_f64() - PROVIDER.as_secs_f64()) * 1000.0),
        beside: format!("the provider answers after {} ms", PROVIDER.as_millis()),
        target: Some("1 refresh; ≤ 50 ms"),
    })
}

/// Others while tokens end.
async fn beside_others(setup: &Setup) -> anyhow::Result<Figure> {
    let google = Google::start().await?;
    let host = Arc::new(host(&google).await?);
    let first = host.connect(&setup.drive, "google-drive", "oauth", secret(7200), &["files.read"]).await?;
    let left = Arc::new(AtomicUsize::new(setup.connections.saturating_sub(1)));
    let makers = (0..MAKERS).map(|_| {
        let (host, left) = (Arc::clone(&host), Arc::clone(&left));
        tokio::spawn(async move {
            let mut made = Vec::new();
            while let Ok(number) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
                let ending = number % SHARE == 0;
                let secret = secret(if ending { 1 } else { 7200 });
                made.push((host.connected("google-drive", "oauth", secret, &["files.read"]).await?.id, ending));
            }
            anyhow::Ok(made)
        })
    });
    let made: Result<Vec<_>, anyhow::Error> = try_join_all(makers).await?.into_iter().collect();
    let (ending, mut lasting): (Vec<_>, Vec<_>) = made?.concat().into_iter().partition(|(_, ending)| *ending);
    lasting.push((first.id, false));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let lasting: Arc<Vec<ConnectionId>> = Arc::new(lasting.into_iter().map(|(id, _)| id).collect());

    let quiet = attaches(&host.runtime, &host, &lasting, &ended_after(Duration::from_secs(3))).await?;
    let before = google.refreshes.load(Ordering::SeqCst);
    let over = Arc::new(AtomicBool::new(false));
    let refreshing = {
        let (host, over) = (Arc::clone(&host), Arc::clone(&over));
        let ending: Vec<ConnectionId> = ending.iter().map(|(id, _)| id.clone()).collect();
        tokio::spawn(async move {
            let slot = user()?;
            let one = |id| {
                let (host, slot) = (Arc::clone(&host), slot.clone());
                async move { host.runtime.measure_attach(&host.caller, &id, &slot, 1).await }
            };
            let refreshed = try_join_all(ending.into_iter().map(one)).await;
            over.store(true, Ordering::Relaxed);
            anyhow::Ok(refreshed?.len())
        })
    };
    let during = attaches(&host.runtime, &host, &lasting, &over).await?;
    let refreshed = refreshing.await??;
    let asked = google.refreshes.load(Ordering::SeqCst) - before;
    ensure!(asked == refreshed, "{asked} refreshes of {refreshed} tokens");
    let most = |times: &[Duration]| times.iter().max().map_or(0.0, |most| most.as_secs_f64() * 1000.0);
    Ok(Figure {
        name: "attaching secrets of connections while 1 % of all refresh theirs at once: the longest of the others' waits",
        value: format!(
            "{:.1} ms of {} attaches ({}), {refreshed} refreshes beside them, {} connections",
            most(&during),
            during.len(),
            Times::of(&during)?.words(),
            lasting.len() + refreshed
        ),
        beside: format!(
            "without refreshes {:.1} ms ({}); the provider answers after {} ms",
            most(&quiet),
            Times::of(&quiet)?.words(),
            PROVIDER.as_millis()
        ),
        target: Some("none waits for another's refresh"),
    })
}

fn ended_after(time: Duration) -> Arc<AtomicBool> {
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);
    tokio::spawn(async move {
        tokio::time::sleep(time).await;
        end.store(true, Ordering::Relaxed);
    });
    over
}

/// Attaches one connection's secret after another until it is over, or at least a thousand times.
async fn attaches(
    runtime: &Runtime,
    host: &Arc<Host>,
    connections: &Arc<Vec<ConnectionId>>,
    over: &Arc<AtomicBool>,
) -> anyhow::Result<Vec<Duration>> {
    let next = Arc::new(AtomicUsize::new(0));
    let slot = user()?;
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (runtime, host, connections) = (runtime.clone(), Arc::clone(host), Arc::clone(connections));
        let (next, over, slot) = (Arc::clone(&next), Arc::clone(over), slot.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            while !over.load(Ordering::Relaxed) || (took.len() < 1_000 && began.elapsed() < Duration::from_secs(10)) {
                let id = &connections[next.fetch_add(1, Ordering::Relaxed) % connections.len()];
                took.extend(runtime.measure_attach(&host.caller, id, &slot, 1).await?);
                // Nothing here waits for anything: others would never have their turn.
                tokio::task::yield_now().await;
            }
            anyhow::Ok(took)
        })
    });
    let all: Result<Vec<_>, anyhow::Error> = try_join_all(callers).await?.into_iter().collect();
    Ok(all?.concat())
}
