//! Syncs of this process: one at a time for a connection, visible while they run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use sallyport::ids::{ConnectionId, TenantId};
use sallyport::invoke::{SyncOptions, SyncProgress, SyncReport};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::HostError;

/// How a connection's sync stands.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SyncStatus {
    /// Whether one runs in this process.
    pub running: bool,
    /// New or changed documents of the sync that runs or ran last.
    pub documents: u64,
    /// Documents that had not changed.
    pub unchanged: u64,
    /// Documents that the source no longer has.
    pub deleted: u64,
    /// Documents whose text waits to be embedded.
    pub to_embed: u64,
    /// Milliseconds since 1970 at which the last one ended.
    pub finished: Option<u64>,
    /// Why the last one did not end well.
    pub error: Option<String>,
}

/// What is known of each connection's sync. Cheap to clone.
#[derive(Clone, Default)]
pub struct Syncs(Arc<Mutex<HashMap<ConnectionId, SyncStatus>>>);

impl Syncs {
    /// How this connection's sync stands.
    #[must_use]
    pub fn status(&self, connection: &ConnectionId) -> SyncStatus {
        self.0.lock().get(connection).cloned().unwrap_or_default()
    }

    fn update(&self, connection: &ConnectionId, change: impl FnOnce(&mut SyncStatus)) {
        change(self.0.lock().entry(connection.clone()).or_default());
    }

    /// True if this call may begin one.
    fn begin(&self, connection: &ConnectionId) -> bool {
        let mut all = self.0.lock();
        let status = all.entry(connection.clone()).or_default();
        if status.running {
            return false;
        }
        *status = SyncStatus { running: true, finished: status.finished, ..SyncStatus::default() };
        true
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Synchronises a connection and brings the index up to date with it.
///
/// # Errors
/// One runs already; what the runtime, the store or the model say. What was checkpointed before stays.
pub async fn sync(
    app: &App,
    tenant: &TenantId,
    connection: &ConnectionId,
    sweep: bool,
) -> Result<SyncReport, HostError> {
    if !app.syncs().begin(connection) {
        return Err(HostError::SyncRuns);
    }
    let result = run(app, tenant, connection, sweep).await;
    let finished = now();
    let error = match &result {
        Ok(report) => report.streams.iter().find_map(sallyport::invoke::StreamReport::unfinished),
        Err(error) => Some(error.to_string()),
    };
    app.syncs().update(connection, |status| {
        (status.running, status.to_embed, status.finished, status.error) = (false, 0, Some(finished), error);
    });
    result
}

async fn run(app: &App, tenant: &TenantId, connection: &ConnectionId, sweep: bool) -> Result<SyncReport, HostError> {
    let (syncs, id) = (app.syncs().clone(), connection.clone());
    let options = SyncOptions { sweep, ..SyncOptions::default() };
    // Streams report one after another, each from zero.
    let streams = Mutex::new(HashMap::new());
    let progress = move |step: SyncProgress| {
        let mut streams = streams.lock();
        streams.insert(step.stream.clone(), (step.documents, step.unchanged, step.deleted));
        let sum = streams.values().fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        syncs.update(&id, |status| (status.documents, status.unchanged, status.deleted) = sum);
    };
    let report = app.runtime().sync(tenant, connection, options, progress).await?;
    let (syncs, id) = (app.syncs().clone(), connection.clone());
    let embedding = move |step: sallyport_index::Progress| {
        syncs.update(&id, |status| status.to_embed = step.total.saturating_sub(step.done));
    };
    app.index().await?.catch_up(&sallyport_index::TenantId::new(tenant), &embedding).await?;
    Ok(report)
}
