//! Changing what a connection may do.

use std::collections::BTreeMap;

use sallyport::connection::{Connection, Grant, Setting};
use sallyport::ids::{CapabilityId, ConnectorId, GrantId};
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

/// Replaces a connection's grant; its constraints stay.
///
/// # Errors
/// The connector has no such capability; the store's.
pub async fn replace(
    app: &App,
    by: &Caller,
    connection: &Connection,
    capabilities: BTreeMap<CapabilityId, Setting>,
) -> Result<Grant, HostError> {
    let manifest = of(app, &connection.connector).await?;
    if let Some(absent) = capabilities.keys().find(|id| manifest.capability(id.as_str()).is_none()) {
        return Err(unknown(&manifest, absent.as_str()));
    }
    let before = app.store().grant(&connection.tenant, &connection.id).await?;
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let grant = Grant {
        id: GrantId::fresh(),
        tenant: connection.tenant.clone(),
        connection: connection.id.clone(),
        capabilities,
        constraints: before.map(|grant| grant.constraints).unwrap_or_default(),
        by: by.subject.clone(),
        at: sallyport::ids::Timestamp(now),
    };
    app.store().put_grant(&grant).await?;
    Ok(grant)
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
