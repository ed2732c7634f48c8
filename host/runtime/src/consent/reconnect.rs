//! A connection that is connected again: the same account, with its documents, cursors and grants.

use std::collections::BTreeMap;

use super::scopes::{Before, Enabled};
use super::{AskLink, ConsentError, Resolved};
use crate::authority::{Authority, Fence};
use crate::caller::{Caller, Role};
use crate::connection::{Connection, ConnectionState, Grant, Owner};
use crate::credentials::{NewSecret, Revoked, Scopes};
use crate::error::InvokeError;
use crate::ids::{ConnectionId, GrantId, InvocationId, SlotName};
use crate::invoke::{Bench, capabilities};
use crate::ports::{Granted, Link, LinkAsk, SealedSecret, SecretState};
use crate::runtime::Runtime;
use sallyport_pack::manifest::Manifest;

impl Runtime {
    /// A connection that the caller may change: their own, or the workspace's for an admin.
    pub(super) async fn own_connection(&self, caller: &Caller, id: &ConnectionId) -> Result<Connection, ConsentError> {
        let connection = self.services().directory.connection(&caller.tenant, id).await?;
        let own = match &connection.owner {
            Owner::Workspace => caller.is(Role::Admin),
            Owner::Person(subject) => *subject == caller.subject,
        };
        match (own, &connection.owner) {
            (true, _) => Ok(connection),
            (false, Owner::Workspace) => {
                let reason = "an admin connects the workspace's connections again".into();
                Err(InvokeError::Forbidden { reason }.into())
            }
            (false, Owner::Person(_)) => Err(InvokeError::NotFound { what: format!("connection {id}") }.into()),
        }
    }

    /// What is asked for with a connection that there is: what it has, and what is to come to it.
    pub(super) async fn ask_again(
        &self,
        connection: &Connection,
        manifest: &Manifest,
        ask: AskLink,
    ) -> Result<LinkAsk, ConsentError> {
        let grant = self.services().directory.grant(&connection.tenant, &connection.id).await?;
        let more = match (&ask.capabilities, &grant) {
            (None, Some(_)) => BTreeMap::new(),
            _ => capabilities(manifest, ask.capabilities)?,
        };
        let (mut all, constraints) = grant.map(|grant| (grant.capabilities, grant.constraints)).unwrap_or_default();
        all.extend(more);
        Ok(LinkAsk {
            connector: connection.connector.clone(),
            auth: connection.auth.clone(),
            owner: connection.owner.clone(),
            name: Some(connection.name.clone()),
            capabilities: all,
            constraints,
            settings: connection.settings.clone(),
            audience: connection.audience.clone(),
            connection: Some(connection.id.clone()),
            return_to: ask.return_to,
        })
    }

    /// The connection of a link, and what it has.
    pub(super) async fn before(&self, link: &Link, id: &ConnectionId) -> Result<(Connection, Before), ConsentError> {
        let services = self.services();
        let Granted { connection, grant, .. } = services.directory.granted(&link.tenant, id).await?;
        let at = authority(&link.caller(), id);
        let slots = services.vault.slots(&at).await?;
        let live = slots.into_iter().filter(|(_, row)| row.state != SecretState::NeedsReauth);
        let granted: Scopes = live.map(|(slot, row)| (slot, row.scopes)).collect();
        let usable = connection.state == ConnectionState::Active && !granted.is_empty();
        let enabled = grant.map(|grant| grant.capabilities).unwrap_or_default();
        let name = connection.name.clone();
        Ok((connection, Before { name, enabled, usable, granted }))
    }

    /// Gives a connection new secrets and what was consented to. If it turns out to be another account, or the account does
    /// not answer, everything is as before.
    pub(super) async fn reconnect(
        &self,
        caller: &Caller,
        connection: &Connection,
        resolved: &Resolved,
        secrets: BTreeMap<SlotName, NewSecret>,
        enabled: Enabled,
    ) -> Result<Connection, ConsentError> {
        let services = self.services();
        let at = authority(caller, &connection.id);
        let before = services.vault.slots(&at).await?;
        let (tenant, id) = (&connection.tenant, &connection.id);
        let constraints = resolved.link.ask.constraints.clone();
        let (by, now) = (caller.subject.clone(), services.clock.now());
        let grant = Grant {
            id: GrantId::fresh(),
            tenant: tenant.clone(),
            connection: id.clone(),
            capabilities: enabled,
            constraints,
            by,
            at: now,
        };
        if secrets.is_empty() {
            services.directory.put_grant(&grant).await?;
            return Ok(connection.clone());
        }
        let mut again = Connection { state: ConnectionState::Active, reason: None, ..connection.clone() };
        let made: Result<(), ConsentError> = async {
            for (slot, secret) in secrets {
                self.credentials().put(&at, &slot, secret).await?;
            }
            let (connection, grant) = (again.clone().into(), Some(grant.clone()));
            let bench = Bench { connection, grant, component: resolved.component.clone() };
            let identity = self.identify_on(caller, &bench).await?;
            if identity.id != again.account || identity.workspace != again.workspace {
                let expected = again.account_name.clone();
                return Err(ConsentError::OtherAccount { expected, found: identity.name });
            }
            Ok(())
        }
        .await;
        if let Err(error) = made {
            self.restore(&at, before).await;
            return Err(error);
        }
        again.checked = Some(services.clock.now());
        services.directory.put_grant(&grant).await?;
        services.directory.set_state(tenant, id, ConnectionState::Active, None).await?;
        services.directory.set_checked(tenant, id, services.clock.now()).await?;
        Ok(again)
    }

    /// Puts back the secrets that there were.
    async fn restore(&self, at: &Authority, before: Vec<(SlotName, SealedSecret)>) {
        let vault = &self.services().vault;
        let restored = async {
            if before.is_empty() {
                return vault.remove_secrets(at).await;
            }
            for (slot, row) in before {
                let now = vault.secret(at, &slot).await?.map(|row| row.generation);
                vault.replace(at, &slot, now, &row).await?;
            }
            Ok(())
        };
        if let Err(error) = restored.await {
            tracing::error!(connection = %at.connection, %error, "the secrets before are not put back: connect again");
        }
        self.credentials().forget(at);
    }

    /// Takes the connection's secrets back at the provider and forgets them. Its documents, cursors and grant stay, for
    /// whoever connects it again; [`ConnectionState::Revoked`] until then.
    ///
    /// # Errors
    /// [`ConsentError::Invoke`] for a connection that is not the caller's; the store's.
    pub async fn disconnect(&self, caller: &Caller, id: &ConnectionId) -> Result<Revoked, ConsentError> {
        let connection = self.services().directory.connection(&caller.tenant, id).await?;
        if !(caller.is(Role::Admin) || connection.owner == Owner::Person(caller.subject.clone())) {
            return Err(InvokeError::NotFound { what: format!("connection {id}") }.into());
        }
        let revoked = self.take_back(caller, &connection).await?;
        let why = match &revoked {
            Revoked::NotTold(why) => {
                format!("it was disconnected here, and the service could not be told ({why}): remove the access there")
            }
            _ => "it was disconnected: connect it again to go on".to_owned(),
        };
        let directory = &self.services().directory;
        directory.set_state(&caller.tenant, id, ConnectionState::Revoked, Some(&why)).await?;
        Ok(revoked)
    }

    /// Removes a connection with everything that it alone attested, after its secrets were taken back at the provider.
    ///
    /// # Errors
    /// As [`Runtime::disconnect`].
    pub async fn remove(&self, caller: &Caller, id: &ConnectionId) -> Result<Revoked, ConsentError> {
        let revoked = self.disconnect(caller, id).await?;
        self.services().directory.remove_connection(&caller.tenant, id).await?;
        self.services().keyring.forget(&caller.tenant, id);
        Ok(revoked)
    }

    async fn take_back(&self, caller: &Caller, connection: &Connection) -> Result<Revoked, ConsentError> {
        let at = authority(caller, &connection.id);
        // A connector that is no longer installed cannot say how; its secrets go all the same.
        let component = match self.services().catalog.last(&connection.connector).await? {
            Some(installed) => self.component(&installed.digest).await.ok(),
            None => None,
        };
        match component {
            Some(component) => Ok(self.credentials().revoke(&at, connection, &component.manifest).await?),
            None => {
                self.services().vault.remove_secrets(&at).await?;
                self.credentials().forget(&at);
                Ok(Revoked::NotTold("its connector is not installed".into()))
            }
        }
    }
}

fn authority(caller: &Caller, connection: &ConnectionId) -> Authority {
    Authority {
        caller: caller.clone(),
        connection: connection.clone(),
        invocation: InvocationId::fresh(),
        fence: Fence::default(),
    }
}
