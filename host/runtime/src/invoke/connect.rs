//! Making a connection from a secret that somebody gives.

use std::collections::BTreeMap;

use sallyport_pack::manifest::{self, Access, Manifest};

use crate::authority::{Authority, Fence};
use crate::blame::{Blame, Fault as _};
use crate::caller::{Caller, Role};
use crate::connection::{Connection, ConnectionState, Constraints, Grant, Owner, Setting};
use crate::credentials::NewSecret;
use crate::error::InvokeError;
use crate::ids::{CapabilityId, ConnectionId, ConnectorId, GrantId, InvocationId, SlotName, SourceId};
use crate::runtime::Runtime;

use super::prepare::Bench;

/// What a connection is made of.
pub struct Connect {
    /// The installed connector.
    pub connector: ConnectorId,
    /// The manifest's `[[auth]]` flavour by which the secrets came; `None`: the first that has all their slots.
    pub auth: Option<String>,
    /// Who is to own it. The workspace's are made by admins; a person's by that person.
    pub owner: Owner,
    /// A name for people; `None`: the account's.
    pub name: Option<String>,
    /// The secrets, by slot.
    pub secrets: BTreeMap<SlotName, NewSecret>,
    /// What is granted; `None`: every capability that reads.
    pub capabilities: Option<BTreeMap<CapabilityId, Setting>>,
    /// What bounds it.
    pub constraints: Constraints,
    /// Values of the manifest's `[[setting]]`s; those that are left out have their defaults.
    pub settings: BTreeMap<String, String>,
    /// Whom `connection-audience` stands for, as addresses or `domain:x`; empty: the owner.
    pub audience: Vec<String>,
}

impl Runtime {
    /// Seals the secrets, asks the provider whose account it is, and keeps the connection with its grant. If the account
    /// does not answer, nothing is kept.
    ///
    /// # Errors
    /// [`InvokeError::Forbidden`] for an owner that the caller may not choose, [`InvokeError::InvalidInput`] for slots,
    /// settings or capabilities that the manifest does not have, else what `identify` says.
    pub async fn connect(&self, caller: &Caller, connect: Connect) -> Result<Connection, InvokeError> {
        may_own(caller, &connect.owner)?;
        let services = self.services();
        let installed = services.catalog.live(&connect.connector).await?;
        let component = self.component(&installed.digest).await?;
        let manifest = &component.manifest;
        let auth = flavour(manifest, connect.auth.as_deref(), &connect.secrets)?;
        let settings = settings(manifest, connect.settings)?;
        let capabilities = capabilities(manifest, connect.capabilities)?;

        let id = ConnectionId::fresh();
        let now = services.clock.now();
        let mut connection = Connection {
            id: id.clone(),
            tenant: caller.tenant.clone(),
            connector: connect.connector,
            provider: manifest.connector.provider.clone(),
            auth: auth.id.to_string(),
            owner: connect.owner,
            name: connect.name.clone().unwrap_or_else(|| manifest.connector.name.clone()),
            account: String::new(),
            account_name: String::new(),
            workspace: None,
            source: SourceId::new(id.as_str()),
            audience: connect.audience,
            settings,
            // Until the account has answered; a crash before that leaves something that visibly does not work.
            state: ConnectionState::NeedsReauth,
            reason: Some("it was never connected to the end".into()),
            checked: None,
            created: now,
        };
        let grant = Grant {
            id: GrantId::fresh(),
            tenant: caller.tenant.clone(),
            connection: id.clone(),
            capabilities,
            constraints: connect.constraints,
            by: caller.subject.clone(),
            at: now,
        };
        services.directory.put_connection(&connection).await?;
        let made = async {
            let at = Authority {
                caller: caller.clone(),
                connection: id.clone(),
                invocation: InvocationId::fresh(),
                fence: Fence::default(),
            };
            for (slot, secret) in connect.secrets {
                let stored = self.credentials().store(&at, &slot, secret).await;
                stored.map_err(|error| match error.blame() {
                    Blame::Caller => InvokeError::InvalidInput(error.to_string()),
                    _ => InvokeError::Host(error.to_string()),
                })?;
            }
            (connection.state, connection.reason) = (ConnectionState::Active, None);
            let bench = Bench { connection: connection.clone().into(), grant: Some(grant.clone()), component };
            let identity = self.identify_on(caller, &bench).await?;
            connection.source = source(&connection, identity.workspace.as_ref().unwrap_or(&identity.id));
            if connect.name.is_none() {
                connection.name = format!("{} ({})", connection.name, identity.name);
            }
            connection.account = identity.id;
            connection.account_name = identity.name;
            connection.workspace = identity.workspace;
            connection.checked = Some(services.clock.now());
            services.directory.put_connection(&connection).await?;
            services.directory.put_grant(&grant).await?;
            Ok(connection)
        }
        .await;
        if made.is_err() {
            services.keyring.forget(&caller.tenant, &id);
            if let Err(error) = services.directory.remove_connection(&caller.tenant, &id).await {
                tracing::warn!(connection = %id, %error, "a connection that was not made is not removed");
            }
        }
        made
    }
}

/// Whether a caller may choose this owner.
pub(crate) fn may_own(caller: &Caller, owner: &Owner) -> Result<(), InvokeError> {
    let allowed = match owner {
        Owner::Workspace => caller.is(Role::Admin),
        Owner::Person(subject) => *subject == caller.subject,
    };
    if allowed {
        return Ok(());
    }
    Err(InvokeError::Forbidden {
        reason: "an admin makes the workspace's connections, and each person their own".into(),
    })
}

/// What document ids are unique in: (tenant, connector, provider, workspace or account).
fn source(connection: &Connection, of: &str) -> SourceId {
    let mut hasher = blake3::Hasher::new_derive_key("sallyport 2026 source id");
    let parts = [connection.tenant.as_str(), connection.connector.as_str(), connection.provider.as_str(), of];
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    SourceId::new(format!("src_{}", &hasher.finalize().to_hex()[..32]))
}

fn flavour<'m>(
    manifest: &'m Manifest,
    asked: Option<&str>,
    secrets: &BTreeMap<SlotName, NewSecret>,
) -> Result<&'m manifest::Auth, InvokeError> {
    let slots = |auth: &manifest::Auth| secrets.keys().all(|slot| auth.credentials.iter().any(|own| own.slot == *slot));
    let found = match asked {
        Some(id) => manifest.auth.iter().find(|auth| auth.id.as_str() == id),
        None => manifest.auth.iter().find(|auth| slots(auth)),
    };
    let auth = found.filter(|auth| slots(auth) && !secrets.is_empty());
    auth.ok_or_else(|| {
        let ways: Vec<String> = manifest
            .auth
            .iter()
            .map(|auth| {
                let slots: Vec<&str> = auth.credentials.iter().map(|own| own.slot.as_str()).collect();
                format!("{} (slots {})", auth.id, slots.join(", "))
            })
            .collect();
        InvokeError::InvalidInput(format!("the secrets fit no way of connecting; there are: {}", ways.join("; ")))
    })
}

pub(crate) fn settings(
    manifest: &Manifest,
    given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, InvokeError> {
    for (key, value) in &given {
        let setting = manifest.settings.iter().find(|setting| setting.key.as_str() == key);
        let setting = setting.ok_or_else(|| InvokeError::InvalidInput(format!("there is no setting {key}")))?;
        if !setting.choices.contains(value) {
            let choices = setting.choices.join(", ");
            return Err(InvokeError::InvalidInput(format!("{key} is one of {choices}, not {value}")));
        }
    }
    let with_default = |setting: &manifest::Setting| {
        let key = setting.key.to_string();
        let value = given.get(&key).unwrap_or(&setting.default).clone();
        (key, value)
    };
    Ok(manifest.settings.iter().map(with_default).collect())
}

/// What is to be granted: what was chosen, else everything that reads.
pub(crate) fn capabilities(
    manifest: &Manifest,
    chosen: Option<BTreeMap<CapabilityId, Setting>>,
) -> Result<BTreeMap<CapabilityId, Setting>, InvokeError> {
    match chosen {
        Some(chosen) => known(manifest, chosen),
        None => Ok(reads(manifest)),
    }
}

fn known(
    manifest: &Manifest,
    chosen: BTreeMap<CapabilityId, Setting>,
) -> Result<BTreeMap<CapabilityId, Setting>, InvokeError> {
    match chosen.keys().find(|id| manifest.capability(id.as_str()).is_none()) {
        None => Ok(chosen),
        Some(absent) => {
            let ids: Vec<&str> = manifest.capabilities.iter().map(|capability| capability.id.as_str()).collect();
            Err(InvokeError::InvalidInput(format!("there is no capability {absent}; there are: {}", ids.join(", "))))
        }
    }
}

/// The default consent: everything that reads.
fn reads(manifest: &Manifest) -> BTreeMap<CapabilityId, Setting> {
    let reads = manifest.capabilities.iter().filter(|capability| capability.access == Access::Read);
    reads.map(|capability| (capability.id.clone(), Setting::Auto)).collect()
}
