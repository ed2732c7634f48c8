//! `/v1/events`: what whoever embeds the host is told, in order.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use sallyport::ids::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorBody};
use super::who::Tenant;
use crate::app::App;

/// Events in one answer, at most.
const MOST: usize = 100;
/// How often is looked while somebody waits.
const LOOK: Duration = Duration::from_millis(200);

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// The `seq` of the last one that is known; 0 unless said.
    after: Option<u64>,
    /// Seconds to wait for one if there is none, at most 30; 0 unless said.
    wait: Option<u64>,
}

/// Events.
#[derive(Serialize, ToSchema)]
pub struct Events {
    /// In order, at most 100.
    events: Vec<EventView>,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    /// Grows; what `after` takes.
    seq: u64,
    /// Milliseconds since 1970.
    at: u64,
    /// `kind` is `connection-state` (`connection`, `before`, `state`, `reason`), `link` (`link`, `status`, and what a
    /// link's status says), `approval-pending` (a write waits: `invocation`, `connection`, `connector`, `tool`, `by`,
    /// `expires`), `approval-decided` (`invocation`, `decision`, `by`) or `invocation-unknown` (`invocation`,
    /// `connection`: a write was sent, and a person has to look whether it took effect).
    #[serde(flatten)]
    #[schema(value_type = Object)]
    what: sallyport_store::events::NewEvent,
}

/// What happened since: a connection is in another state, somebody consented. For the tenant's service keys and admins.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(EventsQuery), security(("caller" = []), ("service" = [])),
    responses((status = 200, body = Events), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn list(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    Query(query): Query<EventsQuery>,
) -> Result<Json<Events>, ApiError> {
    let after = query.after.unwrap_or(0);
    let until = tokio::time::Instant::now() + Duration::from_secs(query.wait.unwrap_or(0).min(30));
    loop {
        let events = some(&app, &tenant, after).await?;
        if !events.is_empty() || tokio::time::Instant::now() >= until {
            return Ok(Json(Events { events }));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn some(app: &App, tenant: &TenantId, after: u64) -> Result<Vec<EventView>, ApiError> {
    let events = app.accounts().events(tenant, after, MOST).await?;
    Ok(events.into_iter().map(|event| EventView { seq: event.seq, at: event.at.0, what: event.what }).collect())
}
