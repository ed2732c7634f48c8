//! Changing what a connection may do.

use std::collections::BTreeMap;

use sallyport::connection::{Connection, Constraints, Grant, Setting};
use sallyport::constraint::{Constraint, day_before};
use sallyport::ids::{CapabilityId, ConnectorId, GrantId, Timestamp};
use sallyport::ports::{Catalog as _, Directory as _};
use sallyport::{Caller, InvokeError};
use sallyport_pack::manifest::{Access, Manifest};

use crate::api::connectors::manifest;
use crate::app::App;
use crate::error::HostError;

async fn of(app: &App, connector: &ConnectorId) -> Result<Manifest, HostError> {
    let digest = app.store().live(connector).await?.digest;
    manifest(app, &digest).await
}

fn unknown(manifest: &Manifest, id: &str) -> HostError {
    let ids: Vec<&str> = manifest.capabilities.iter().map(|capability| capability.id.as_str()).collect();
    InvokeError::InvalidInput(format!("{} has no capability {id}; it has {}", manifest.connector.name, ids.join(", ")))
        .into()
}

/// How a capability is treated unless somebody says otherwise: reads as they come, everything else asks.
#[must_use]
pub fn usual(access: Access) -> Setting {
    match access {
        Access::Read => Setting::Auto,
        Access::Write | Access::Subscribe => Setting::Ask,
    }
}

/// The capabilities that somebody chose, with their usual settings.
///
/// # Errors
/// The connector has no such capability.
pub async fn chosen(
    app: &App,
    connector: &ConnectorId,
    ids: &[String],
) -> Result<BTreeMap<CapabilityId, Setting>, HostError> {
    let manifest = of(app, connector).await?;
    ids.iter()
        .map(|id| {
            let capability = manifest.capability(id).ok_or_else(|| unknown(&manifest, id))?;
            Ok((capability.id.clone(), usual(capability.access)))
        })
        .collect()
}

/// Replaces a connection's grant; without constraints those that it has stay.
///
/// # Errors
/// The connector has no such capability; the store's.
pub async fn replace(
    app: &App,
    by: &Caller,
    connection: &Connection,
    capabilities: BTreeMap<CapabilityId, Setting>,
    constraints: Option<Constraints>,
) -> Result<Grant, HostError> {
    let manifest = of(app, &connection.connector).await?;
    if let Some(absent) = capabilities.keys().find(|id| manifest.capability(id.as_str()).is_none()) {
        return Err(unknown(&manifest, absent.as_str()));
    }
    let constraints = match constraints {
        Some(constraints) => constraints,
        None => self::constraints(app, connection).await?,
    };
    let grant = Grant {
        id: GrantId::fresh(),
        tenant: connection.tenant.clone(),
        connection: connection.id.clone(),
        capabilities,
        constraints,
        by: by.subject.clone(),
        at: now(),
    };
    app.store().put_grant(&grant).await?;
    Ok(grant)
}

/// What bounds a connection's grant now.
///
/// # Errors
/// The store's.
pub async fn constraints(app: &App, connection: &Connection) -> Result<Constraints, HostError> {
    let grant = app.store().grant(&connection.tenant, &connection.id).await?;
    Ok(grant.map(|grant| grant.constraints).unwrap_or_default())
}

/// How much of a constraint is used up, in words; `None` where nothing is counted.
///
/// # Errors
/// The store's.
pub async fn used(app: &App, connection: &Connection, constraint: &Constraint) -> Result<Option<String>, HostError> {
    match constraint {
        Constraint::Writes(most) => {
            let since = day_before(now());
            let made = app.store().writes_since(&connection.tenant, &connection.id, since).await?;
            Ok(Some(format!("{made} of {most} in the last 24 hours")))
        }
        Constraint::Until(end) if *end <= now() => Ok(Some("over".into())),
        _ => Ok(None),
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_millis() as u64))
}

/// Every capability that reads or writes, with its usual setting: reads as they come, writes ask.
///
/// # Errors
/// The connector is not installed.
pub async fn every(app: &App, connector: &ConnectorId) -> Result<BTreeMap<CapabilityId, Setting>, HostError> {
    let manifest = of(app, connector).await?;
    let wanted = manifest.capabilities.iter().filter(|capability| capability.access != Access::Subscribe);
    Ok(wanted.map(|capability| (capability.id.clone(), usual(capability.access))).collect())
}
