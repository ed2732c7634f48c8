//! Asking for a link.

use std::collections::BTreeSet;

use sallyport_pack::manifest::{Auth, AuthMethod, Manifest};

use super::authorise::{hashed, random};
use super::{AskLink, ConsentError, NewLink, gone};
use crate::caller::{Caller, Role};
use crate::connection::Owner;
use crate::ids::LinkId;
use crate::keys::Secret;
use crate::ports::{Asker, Link, LinkAsk, LinkStatus};
use crate::runtime::Runtime;

/// How long a link can be followed, in milliseconds.
const LINK: u64 = 15 * 60 * 1000;

impl Runtime {
    /// Makes a link by which somebody can consent: to a new connection, to an old one anew, or to more for it.
    ///
    /// # Errors
    /// [`ConsentError::Invoke`] for an owner or a connection that the caller may not choose, [`ConsentError::Choice`] for
    /// what the manifest does not have, [`ConsentError::Credential`] where the client at the provider is not registered.
    pub async fn link(&self, caller: &Caller, ask: AskLink) -> Result<NewLink, ConsentError> {
        let services = self.services();
        let again = match &ask.connection {
            None => None,
            Some(id) => Some(self.own_connection(caller, id).await?),
        };
        let connector = again.as_ref().map_or(&ask.connector, |connection| &connection.connector);
        let installed = services.catalog.live(connector).await?;
        let component = self.component(&installed.digest).await?;
        let manifest = &component.manifest;
        let asked = match &again {
            Some(connection) => self.ask_again(connection, manifest, ask).await?,
            None => new_ask(caller, manifest, ask)?,
        };
        let auth = manifest.auth.iter().find(|auth| auth.id.as_str() == asked.auth);
        let auth = auth.ok_or_else(|| {
            let ways: Vec<&str> = manifest.auth.iter().map(|auth| auth.id.as_str()).collect();
            ConsentError::Choice(format!(
                "there is no way {} of connecting; there are: {}",
                asked.auth,
                ways.join(", ")
            ))
        })?;
        self.client_is_registered(caller, manifest, auth).await?;
        let token = random();
        let now = services.clock.now();
        let by = Asker { subject: caller.subject.clone(), emails: caller.emails.clone(), roles: caller.roles.clone() };
        let link = Link {
            id: LinkId::new(hashed(&token)),
            tenant: caller.tenant.clone(),
            by,
            ask: asked,
            browser: None,
            flight: None,
            status: LinkStatus::Waiting,
            created: now,
            expires: now.plus(LINK),
            version: 1,
        };
        services.links.put_link(&link).await?;
        Ok(NewLink { id: link.id, token: Secret::new(token), expires: link.expires })
    }

    /// How far a link has come, and until when it leads anywhere. For whoever asked for it, and admins.
    ///
    /// # Errors
    /// [`ConsentError::Gone`].
    pub async fn link_status(&self, caller: &Caller, id: &LinkId) -> Result<Link, ConsentError> {
        let link = self.services().links.link(id).await.map_err(gone)?;
        let may = link.tenant == caller.tenant && (link.by.subject == caller.subject || caller.is(Role::Admin));
        if may { Ok(link) } else { Err(ConsentError::Gone) }
    }

    /// Whether everything of the client is there that this way of connecting needs: better said before anybody consents.
    async fn client_is_registered(
        &self,
        caller: &Caller,
        manifest: &Manifest,
        auth: &Auth,
    ) -> Result<(), ConsentError> {
        use sallyport_pack::manifest::ClientAuth;
        let mut fields: BTreeSet<&str> = BTreeSet::new();
        let of_templates = auth.credentials.iter().map(|credential| &credential.inject.value);
        let mut templates: Vec<_> = of_templates.collect();
        match &auth.method {
            AuthMethod::OAuth2Code(oauth) => {
                fields.insert("client_id");
                if oauth.client_auth != ClientAuth::None {
                    fields.insert("client_secret");
                }
                templates.extend(oauth.authorize_parameters.values());
            }
            AuthMethod::TokenFragment { authorize_parameters, .. } => templates.extend(authorize_parameters.values()),
            _ => {}
        }
        let named = templates.into_iter().flat_map(sallyport_pack::manifest::Template::placeholders);
        fields.extend(named.filter_map(|name| name.strip_prefix("client.")));
        for field in fields {
            let provider = manifest.connector.provider.as_str();
            self.credentials().client_field(&caller.tenant, provider, field).await?;
        }
        Ok(())
    }
}

/// What is asked for with a new connection.
fn new_ask(caller: &Caller, manifest: &Manifest, ask: AskLink) -> Result<LinkAsk, ConsentError> {
    use sallyport_pack::manifest::Owner as Whose;
    let auth = match &ask.auth {
        Some(id) => manifest.auth.iter().find(|auth| auth.id.as_str() == id),
        None => manifest.auth.first(),
    };
    let auth = auth.ok_or_else(|| ConsentError::Choice("the connector has no such way of connecting".into()))?;
    let owner = ask.owner.unwrap_or_else(|| match auth.owner {
        Whose::Workspace => Owner::Workspace,
        Whose::Person => Owner::Person(caller.subject.clone()),
    });
    crate::invoke::may_own(caller, &owner)?;
    Ok(LinkAsk {
        connector: ask.connector,
        auth: auth.id.to_string(),
        owner,
        name: ask.name,
        capabilities: crate::invoke::capabilities(manifest, ask.capabilities)?,
        constraints: ask.constraints,
        settings: crate::invoke::settings(manifest, ask.settings)?,
        audience: ask.audience,
        connection: None,
        return_to: ask.return_to,
    })
}
