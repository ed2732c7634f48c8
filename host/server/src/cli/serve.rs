//! `sallyport serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use futures::StreamExt as _;
use sallyport::admission::Word;
use sallyport::ids::{InvocationId, TenantId};
use sallyport::ports::{Catalog as _, Directory as _, Journal as _};
use tokio::net::TcpListener;

use super::{Global, session};
use crate::app::App;
use crate::config::Config;
use crate::output;
use crate::watch::Watch;
use crate::webhook::Webhook;
use crate::{api, syncs};

/// Where the service listens unless said.
pub(crate) const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7070);

/// How often it is looked whether something is to be done.
const TICK: Duration = Duration::from_secs(15);

/// After so many milliseconds nobody is at work on what was approved.
const ABANDONED: u64 = 30_000;

/// Connections that are checked in one round of a tenant, at least.
const CHECKS: usize = 16;
/// Of those, at a time.
const CHECKS_AT_A_TIME: usize = 4;

/// What is served; see also `--data` and `--listen`.
#[derive(Debug, Args)]
pub struct Options {
    /// A folder whose connector files (`*.wasm`) are installed: one that is put into it is live at once, one that is
    /// taken out is gone.
    #[arg(long, value_name = "FOLDER")]
    watch: Option<PathBuf>,
    /// Vouch for files in that folder that nobody signed.
    #[arg(long, requires = "watch")]
    unsigned: bool,
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let data = session::data(global)?;
    let app = App::open(&data, Config::of_program(&data)?, None).await?;
    session::tenant(&app, &global.tenant).await?;
    if let Some(folder) = options.watch {
        anyhow::ensure!(folder.is_dir(), "{} is no folder: make it, or name another with --watch", folder.display());
        let word = Word { unsigned: options.unsigned, ..Word::default() };
        tokio::spawn(Watch::new(folder, word).run(app.clone()));
    }
    serve(app, global.listen.unwrap_or(DEFAULT), |url| {
        // One line that a parent process or a person can read the address from.
        output::line(&format!("serving {url}")).unwrap_or_default();
    })
    .await
}

/// Listens until the process is told to stop (ctrl-c, SIGTERM), then lets running requests finish.
///
/// # Errors
/// The address cannot be had; what the configuration says of the webhook is wrong.
pub(crate) async fn serve(app: App, listen: SocketAddr, announce: impl FnOnce(&str)) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}: choose another address with --listen, or port 0 for a free one")
    })?;
    let address = listener.local_addr()?;
    app.origins().listens(address);
    // Opened before anybody can ask for anything: what happens from here on is announced.
    let webhook = Webhook::open(&app).await?.map(|webhook| tokio::spawn(webhook.run()));
    let work = tokio::spawn(background(app.clone()));
    let audit = tokio::spawn(crate::audit::work(app.clone()));
    announce(&format!("http://{address}/"));
    let router = api::router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
    work.abort();
    audit.abort();
    if let Some(webhook) = webhook {
        webhook.abort();
    }
    Ok(())
}

async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => tokio::select! { _ = interrupted => {}, _ = terminated.recv() => {} },
            Err(_) => interrupted.await.unwrap_or_default(),
        }
    }
    #[cfg(not(unix))]
    interrupted.await.unwrap_or_default();
}

/// What a host does unasked: finishes what was approved and interrupted, expires questions, keeps connections in sync.
async fn background(app: App) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let tenants = match app.accounts().tenants().await {
            Ok(tenants) => tenants,
            Err(error) => {
                tracing::warn!(%error, "the tenants cannot be read");
                continue;
            }
        };
        for tenant in tenants {
            match app.runtime().recover(&tenant.id).await {
                Ok(recovered) => {
                    tracing::debug!(tenant = %tenant.id, ?recovered, "looked for interrupted work");
                    for id in recovered.resumable {
                        go_on(&app, &tenant.id, id).await;
                    }
                }
                Err(error) => tracing::warn!(tenant = %tenant.id, %error, "interrupted work cannot be taken up"),
            }
            if app.config().scheduled_sync
                && let Err(error) = sync_due(&app, &tenant.id).await
            {
                tracing::warn!(tenant = %tenant.id, %error, "scheduled syncs cannot be begun");
            }
            if let Err(error) = check_due(&app, &tenant.id).await {
                tracing::warn!(tenant = %tenant.id, %error, "connections cannot be checked");
            }
        }
    }
}

/// Carries out what was approved and cut off. Whoever approves goes on with it at once: only what lies for longer is nobody's.
async fn go_on(app: &App, tenant: &TenantId, id: InvocationId) {
    let last = match app.store().record(tenant, &id).await {
        Ok(record) => record.entries.last().map_or(0, |entry| entry.at.0),
        Err(error) => {
            tracing::warn!(invocation = %id, %error, "an interrupted invocation cannot be read");
            return;
        }
    };
    if syncs::now().saturating_sub(last) < ABANDONED {
        return;
    }
    let (runtime, tenant) = (app.runtime().clone(), tenant.clone());
    tokio::spawn(async move {
        if let Err(error) = runtime.resume_as_host(&tenant, &id).await {
            tracing::warn!(invocation = %id, %error, "an approved invocation that was cut off did not succeed");
        }
    });
}

/// Asks services whose accounts they are, where that was not asked for long: a few in each round, so that ten thousand
/// connections are spread over the hour.
async fn check_due(app: &App, tenant: &TenantId) -> Result<(), sallyport::InvokeError> {
    let every = app.config().check_minutes.max(1) * 60_000;
    let due = app.runtime().unchecked(tenant, every).await?;
    let share = due.len().min(CHECKS.max(due.len() / 100));
    let check = |id: sallyport::ids::ConnectionId| async move {
        if let Err(error) = app.runtime().check(tenant, &id).await {
            tracing::warn!(connection = %id, %error, "a connection cannot be checked");
        }
    };
    futures::stream::iter(due.into_iter().take(share).map(check))
        .buffer_unordered(CHECKS_AT_A_TIME)
        .collect::<()>()
        .await;
    Ok(())
}

async fn sync_due(app: &App, tenant: &TenantId) -> Result<(), crate::error::HostError> {
    let now = syncs::now();
    for connection in app.store().connections(tenant).await? {
        if !connection.state.is_usable() {
            continue;
        }
        let digest = app.store().live(&connection.connector).await?.digest;
        let Some(plan) = api::connectors::manifest(app, &digest).await?.sync else { continue };
        let status = app.syncs().status(&connection.id);
        let due = status.finished.is_none_or(|finished| {
            now.saturating_sub(finished) >= u64::try_from(plan.interval.duration().as_millis()).unwrap_or(u64::MAX)
        });
        if status.running || !due {
            continue;
        }
        let (app, tenant) = (app.clone(), tenant.clone());
        tokio::spawn(async move {
            if let Err(error) = syncs::sync(&app, &tenant, &connection.id, false).await {
                tracing::warn!(connection = %connection.id, %error, "a scheduled sync failed");
            }
        });
    }
    Ok(())
}
