//! Which capabilities are live in an invocation: deny by default, and never more than what runs needs.

use std::sync::Arc;
use std::time::Duration;

use sallyport_pack::manifest::{Access, Capability, Manifest};

use crate::blame::{Blame, Fault};
use crate::connection::{Grant, Setting};
use crate::error::InvokeError;
use crate::ids::{CapabilityId, ConnectionId, Timestamp};
use crate::ports::Standing;

/// The longest wait within a pull or a probe; a longer one is told to the guest, which checkpoints.
const PATIENCE_OF_A_PULL: Duration = Duration::from_secs(5);
/// The longest wait within a tool call, which cannot be continued later.
const PATIENCE_OF_A_TOOL: Duration = Duration::from_secs(20);

/// Why an invocation may not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotLive {
    /// A capability that is needed is not granted.
    #[error("{capability} is not granted; an admin can grant it: {cure}")]
    NotGranted {
        /// The capability.
        capability: String,
        /// The command.
        cure: String,
    },
    /// The grant has ended.
    #[error("the grant of {connection} has expired; an admin can prolong it: {cure}")]
    Expired {
        /// The connection.
        connection: String,
        /// The command.
        cure: String,
    },
    /// A capability that is needed is set to `deny`.
    #[error("{capability} is set to deny for this connection; an admin can change it: {cure}")]
    Denied {
        /// The capability.
        capability: String,
        /// The command.
        cure: String,
    },
    /// The manifest has no such export.
    #[error("{0} not found")]
    Absent(String),
}

impl Fault for NotLive {
    fn blame(&self) -> Blame {
        Blame::Caller
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotGranted { .. } | Self::Expired { .. } => "not-granted",
            Self::Denied { .. } => "forbidden",
            Self::Absent(_) => "not-found",
        }
    }
}

impl From<NotLive> for InvokeError {
    fn from(error: NotLive) -> Self {
        match error {
            NotLive::NotGranted { capability, cure } => Self::NotGranted { what: capability, cure },
            NotLive::Expired { connection, cure } => {
                Self::NotGranted { what: format!("anything for {connection}"), cure }
            }
            NotLive::Denied { .. } => Self::Forbidden { reason: error.to_string() },
            NotLive::Absent(what) => Self::NotFound { what },
        }
    }
}

/// The capabilities of one invocation. The only way to a request is through one of them.
#[derive(Clone, Debug)]
pub struct Live {
    manifest: Arc<Manifest>,
    connection: ConnectionId,
    standing: Standing,
    /// Indices into the manifest's capabilities.
    live: Vec<usize>,
    granted: Vec<CapabilityId>,
    setting: Setting,
    expires: Option<Timestamp>,
}

/// The capabilities that are live when `standing` runs, under `grant`, now.
///
/// A tool has its own capabilities and no other, and all of them must be granted. A sync has those of `[sync]` that read
/// and are granted, at least one. `identify` has every granted capability that reads.
///
/// # Errors
/// [`NotLive`] names the capability and the command that would grant it.
pub fn live(
    manifest: &Arc<Manifest>,
    connection: &ConnectionId,
    grant: Option<&Grant>,
    standing: &Standing,
    now: Timestamp,
) -> Result<Live, NotLive> {
    let cure = |capability: &str| cure(connection, capability);
    // A grant of another connection is none.
    let grant = grant.filter(|grant| grant.connection == *connection);
    if let Some(grant) = grant
        && grant.constraints.expires.is_some_and(|expires| expires <= now)
    {
        return Err(NotLive::Expired { connection: connection.to_string(), cure: prolonging(connection) });
    }
    let setting = |capability: &Capability| grant.and_then(|grant| grant.capabilities.get(&capability.id)).copied();
    let wanted = wanted(manifest, standing)?;
    let is_tool = matches!(standing, Standing::Tool { .. });

    let mut live = Vec::new();
    let mut strictest = Setting::Auto;
    for &index in &wanted {
        let capability = &manifest.capabilities[index];
        let id = capability.id.to_string();
        match setting(capability) {
            Some(Setting::Deny) if is_tool => return Err(NotLive::Denied { cure: cure(&id), capability: id }),
            None if is_tool => return Err(NotLive::NotGranted { cure: cure(&id), capability: id }),
            None | Some(Setting::Deny) => {}
            Some(setting) => {
                strictest = strictest.max(setting);
                live.push(index);
            }
        }
    }
    if live.is_empty() && !is_tool {
        let id = wanted
            .first()
            .map_or_else(|| "a read capability".to_owned(), |index| manifest.capabilities[*index].id.to_string());
        return Err(NotLive::NotGranted { cure: cure(&id), capability: id });
    }
    let granted = manifest
        .capabilities
        .iter()
        .filter(|capability| setting(capability).is_some_and(|setting| setting != Setting::Deny))
        .map(|capability| capability.id.clone())
        .collect();
    let (manifest, connection, standing) = (manifest.clone(), connection.clone(), standing.clone());
    let expires = grant.and_then(|grant| grant.constraints.expires);
    Ok(Live { manifest, connection, standing, live, granted, setting: strictest, expires })
}

/// Indices of the capabilities that `standing` could have.
fn wanted(manifest: &Manifest, standing: &Standing) -> Result<Vec<usize>, NotLive> {
    let index_of = |id: &CapabilityId| manifest.capabilities.iter().position(|capability| capability.id == *id);
    let reads = |index: &usize| manifest.capabilities[*index].access == Access::Read;
    Ok(match standing {
        Standing::Identify => (0..manifest.capabilities.len()).filter(reads).collect(),
        Standing::Sync { .. } => {
            let sync = manifest
                .sync
                .as_ref()
                .ok_or_else(|| NotLive::Absent(format!("a sync of {}", manifest.connector.id)))?;
            sync.capabilities.iter().filter_map(index_of).filter(reads).collect()
        }
        Standing::Tool { tool } => {
            let declared = manifest.tools.iter().find(|own| own.name == *tool);
            let declared = declared.ok_or_else(|| NotLive::Absent(format!("the tool {tool}")))?;
            let index =
                |id| index_of(id).ok_or_else(|| NotLive::Absent(format!("the capability {id} of the tool {tool}")));
            declared.capabilities.iter().map(index).collect::<Result<_, _>>()?
        }
    })
}

/// The command that grants a capability.
fn cure(connection: &ConnectionId, capability: &str) -> String {
    format!("sallyport grant {connection} {capability}")
}

/// The command that gives a grant another end.
fn prolonging(connection: &ConnectionId) -> String {
    format!("sallyport grant {connection} --constraint until=DATE")
}

impl Live {
    /// The connector's manifest.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The connection that this is for.
    #[must_use]
    pub fn connection(&self) -> &ConnectionId {
        &self.connection
    }

    /// The live capabilities, in the manifest's order or the tool's.
    pub fn capabilities(&self) -> impl Iterator<Item = &Capability> {
        self.live.iter().map(|index| &self.manifest.capabilities[*index])
    }

    /// Their ids.
    #[must_use]
    pub fn ids(&self) -> Vec<CapabilityId> {
        self.capabilities().map(|capability| capability.id.clone()).collect()
    }

    /// The strictest setting among them.
    #[must_use]
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// The route templates by which this invocation may write: what an approval's envelope lists.
    #[must_use]
    pub fn write_routes(&self) -> Vec<String> {
        let writes = self.capabilities().filter(|capability| capability.access != Access::Read);
        writes.flat_map(|capability| &capability.routes).map(|route| route.template.to_string()).collect()
    }

    /// Whether the grant has ended since; the command that would prolong it, if so.
    pub(crate) fn ended(&self, now: Timestamp) -> Option<String> {
        self.expires.is_some_and(|expires| expires <= now).then(|| prolonging(&self.connection))
    }

    /// How long the host may wait on the guest's behalf before it says so.
    #[must_use]
    pub fn patience(&self) -> Duration {
        match self.standing {
            Standing::Sync { .. } => PATIENCE_OF_A_PULL,
            Standing::Identify | Standing::Tool { .. } => PATIENCE_OF_A_TOOL,
        }
    }

    /// Whether a capability is granted, live or not.
    pub(crate) fn is_granted(&self, id: &CapabilityId) -> bool {
        self.granted.contains(id)
    }

    /// What runs, in words.
    pub(crate) fn standing(&self) -> String {
        match &self.standing {
            Standing::Identify => "identify".to_owned(),
            Standing::Sync { .. } => "a sync".to_owned(),
            Standing::Tool { tool } => format!("the tool {tool}"),
        }
    }

    /// The line or command that would make a capability live.
    pub(crate) fn cure(&self, capability: &Capability) -> String {
        if !self.is_granted(&capability.id) {
            return cure(&self.connection, capability.id.as_str());
        }
        match &self.standing {
            Standing::Tool { tool } => format!("list it in the capabilities of [[tool]] {tool} in connector.toml"),
            _ if capability.access == Access::Read => {
                "list it in the capabilities of [sync] in connector.toml".to_owned()
            }
            _ => "writing takes a tool".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Constraints;
    use crate::fixtures::{connection, grant, manifest, sync, tool};

    fn ids(live: &Live) -> Vec<String> {
        live.ids().iter().map(ToString::to_string).collect()
    }

    fn ask(granted: &[(&str, Setting)], standing: &Standing) -> Result<Live, NotLive> {
        live(&manifest(), &connection().id, Some(&grant(granted)), standing, Timestamp(1_000))
    }

    #[test]
    fn nothing_is_live_without_a_grant() {
        for standing in [sync(), tool("create_item"), tool("list_items"), Standing::Identify] {
            let error = live(&manifest(), &connection().id, None, &standing, Timestamp(0)).expect_err("no grant");
            assert!(
                matches!(&error, NotLive::NotGranted { cure, .. } if cure.starts_with("sallyport grant con_1 ")),
                "{error}"
            );
        }
        let mut other = grant(&[("items.read", Setting::Auto)]);
        other.connection = ConnectionId::new("con_2");
        assert!(live(&manifest(), &connection().id, Some(&other), &sync(), Timestamp(0)).is_err(), "another's grant");
    }

    #[test]
    fn a_sync_has_its_reads_however_much_is_granted() {
        let all = [("items.read", Setting::Auto), ("items.write", Setting::Auto), ("items.trash", Setting::Auto)];
        assert_eq!(ids(&ask(&all, &sync()).expect("granted")), ["items.read"]);
        assert_eq!(ask(&all, &sync()).expect("granted").write_routes(), Vec::<String>::new());
        assert_eq!(
            ids(&ask(&all, &Standing::Identify).expect("granted")),
            ["items.read", "search"].map(String::from)[..1]
        );
    }

    #[test]
    fn a_tool_has_its_own_capabilities_and_needs_them_all() {
        let all = [("items.read", Setting::Auto), ("items.write", Setting::Ask), ("items.trash", Setting::Auto)];
        let live = ask(&all, &tool("create_item")).expect("granted");
        assert_eq!(ids(&live), ["items.read", "items.write"]);
        assert_eq!(live.setting(), Setting::Ask, "the strictest");
        assert!(live.write_routes().iter().all(|route| !route.contains("DELETE")));
        let error = ask(&all[..1], &tool("create_item")).expect_err("one is missing");
        assert_eq!(
            error.to_string(),
            "items.write is not granted; an admin can grant it: sallyport grant con_1 items.write"
        );
        let denied = [("items.read", Setting::Auto), ("items.write", Setting::Deny)];
        assert!(matches!(ask(&denied, &tool("create_item")), Err(NotLive::Denied { .. })));
        assert!(matches!(ask(&all, &tool("no_such_tool")), Err(NotLive::Absent(_))));
    }

    #[test]
    fn an_expired_grant_grants_nothing() {
        let mut grant = grant(&[("items.read", Setting::Auto)]);
        grant.constraints = Constraints { expires: Some(Timestamp(1_000)), ..Constraints::default() };
        let ask = |now| live(&manifest(), &connection().id, Some(&grant), &sync(), Timestamp(now));
        assert!(ask(999).is_ok());
        let expired = ask(1_000).expect_err("it has ended");
        assert!(matches!(expired, NotLive::Expired { .. }));
        assert!(expired.to_string().ends_with("sallyport grant con_1 --constraint until=DATE"), "{expired}");
    }
}
