//! Signing the audit chains, anchoring them elsewhere, forgetting old bodies: what a serving host does by and by.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sallyport::audit::{Anchor, HostKey, HostKeyError, read_anchors};
use sallyport::ids::Timestamp;
use sallyport::ports::Journal as _;

use crate::app::App;
use crate::{outward, syncs};

/// The host's key, in the data directory.
const KEY: &str = "host.key";
/// What was signed last, in the data directory: who can change the database alone cannot have it forgotten.
const LAST: &str = "audit.last";
/// How long an anchor may take to be posted.
const POST: Duration = Duration::from_secs(20);
/// How often chains that have grown are signed.
const SEAL: Duration = Duration::from_secs(5);
/// How often old bodies are looked for.
const FORGET: Duration = Duration::from_secs(60 * 60);
const DAY: u64 = 24 * 60 * 60 * 1000;

/// The key in a data directory, made if there is none.
///
/// # Errors
/// It cannot be used.
pub(crate) fn key(data: &Path) -> Result<HostKey, HostKeyError> {
    HostKey::open_or_create(&data.join(KEY))
}

/// Signs every chain that has grown. One that was tampered with is said in the log, and not signed.
///
/// # Errors
/// The store's, and the key's.
pub async fn seal(app: &App) -> anyhow::Result<()> {
    let key = app.host_key()?;
    let last = last(app.data(), &key)?;
    let (audit, now) = (app.store().audit(), Timestamp(syncs::now()));
    let refused = audit.seal(key, last.clone(), now).await?;
    for report in &refused {
        let chain = sallyport::audit::ChainName::named(&report.chain);
        tracing::error!(%chain, bad = ?report.bad, "an audit chain is not as it was recorded: it is not signed any more");
    }
    let heads = audit.heads().await?;
    let known = |(chain, seq, hash): &(sallyport::audit::ChainName, u64, [u8; 32])| {
        last.as_ref().and_then(|last| last.of(chain)) == Some((*seq, *hash))
    };
    if refused.is_empty() && !heads.iter().all(known) {
        let anchor = Anchor::sign(&app.host_key()?, now, &heads);
        remember(app.data(), &anchor).context("what was signed is not remembered beside the database")?;
    }
    Ok(())
}

/// What was signed last, as it is known beside the database.
///
/// # Errors
/// The file is there and is not this host's.
pub(crate) fn last(data: &Path, key: &HostKey) -> anyhow::Result<Option<Anchor>> {
    let path = data.join(LAST);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let anchors = read_anchors(&text, &key.public()).with_context(|| path.display().to_string())?;
            Ok(anchors.into_iter().next_back())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn remember(data: &Path, anchor: &Anchor) -> anyhow::Result<()> {
    let beside = data.join(format!(".{LAST}.{}", std::process::id()));
    std::fs::write(&beside, serde_json::to_string(anchor)? + "\n")?;
    std::fs::rename(&beside, data.join(LAST))?;
    Ok(())
}

/// Signs every chain and keeps what was signed in a file, to which a line is added, or at a URL, to which it is posted.
///
/// # Errors
/// It cannot be written, or is not taken.
pub async fn anchor(app: &App, to: &str) -> anyhow::Result<Anchor> {
    seal(app).await?;
    let heads = app.store().audit().heads().await?;
    let anchor = Anchor::sign(&app.host_key()?, Timestamp(syncs::now()), &heads);
    let line = serde_json::to_string(&anchor)? + "\n";
    if to.starts_with("https://") || to.starts_with("http://") {
        let http = outward::client(POST).map_err(anyhow::Error::msg)?;
        let sent = http.post(to).header("content-type", "application/json").body(line).send().await;
        let answer = sent.with_context(|| format!("the anchor was not posted to {to}"))?;
        anyhow::ensure!(answer.status().is_success(), "{to} answered {} to the anchor", answer.status());
    } else {
        let path = to.to_owned();
        let written = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()
        });
        written.await?.with_context(|| format!("the anchor was not written to {to}"))?;
    }
    Ok(anchor)
}

/// Forgets bodies that are older than the configured days; tells how many.
///
/// # Errors
/// The store's.
pub async fn forget(app: &App) -> anyhow::Result<u64> {
    let days = app.config().audit.retention_days;
    let before = Timestamp(syncs::now().saturating_sub(u64::from(days) * DAY));
    Ok(app.store().forget_bodies(before).await?)
}

/// Does all of this while the host serves.
pub(crate) async fn work(app: App) {
    let every = |period: Duration| {
        let mut tick = tokio::time::interval(period);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick
    };
    let (mut signing, mut forgetting) = (every(SEAL), every(FORGET));
    let mut anchoring = every(Duration::from_secs(60 * app.config().audit.anchor_minutes.max(1)));
    loop {
        let (what, done) = tokio::select! {
            _ = signing.tick() => ("signed", seal(&app).await),
            _ = forgetting.tick() => ("cleared of old bodies", forget(&app).await.map(drop)),
            _ = anchoring.tick() => match app.config().audit.anchor.clone() {
                Some(to) => ("anchored", anchor(&app, &to).await.map(drop)),
                None => continue,
            },
        };
        if let Err(error) = done {
            tracing::error!(error = format!("{error:#}"), "the audit chains cannot be {what}");
        }
    }
}
