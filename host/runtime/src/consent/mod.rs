//! Connecting by consent: a link that a caller asks for, a page that says what it would mean, the way to the provider and
//! back, and the connection.
//!
//! The link is what makes it secret: 256 random bits, of which a hash is kept. A return from the provider counts once, by
//! a state of the same kind, in the browser in which it was begun, for a while, and from whom it was asked
//! (RFC 9700, RFC 9207).

mod authorise;
mod error;
mod page;
mod reconnect;
mod scopes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sallyport_pack::manifest::{Auth, AuthMethod, Manifest};
use url::Url;

pub use error::ConsentError;
pub use page::{ConsentPage, PageCapability, PageOrigin, PageScope, PasteField, Readers, Way};

use self::authorise::{hashed, is_hash_of, is_issuer, random};
use self::scopes::{Before, covered, to_ask};
use crate::blame::Fault as _;
use crate::caller::{Caller, Role};
use crate::connection::{Connection, Constraints, Owner, Setting};
use crate::credentials::{Code, NewSecret, Scopes};
use crate::engine::Loaded;
use crate::error::InvokeError;
use crate::ids::{CapabilityId, ConnectionId, ConnectorId, Digest, LinkId, SlotName};
use crate::invoke::Connect;
use crate::keys::{Place, Secret};
use crate::ports::{Asker, Flight, Installed, Link, LinkAsk, LinkStatus, StoreError};
use crate::runtime::Runtime;

/// How long a link can be followed, in milliseconds.
const LINK: u64 = 15 * 60 * 1000;
/// How long somebody may take at the provider, in milliseconds.
const FLIGHT: u64 = 10 * 60 * 1000;

/// What a link is asked for.
#[derive(Clone, Debug)]
pub struct AskLink {
    /// The installed connector. For a connection that is connected again: that one's.
    pub connector: ConnectorId,
    /// The manifest's `[[auth]]` flavour; `None`: the first.
    pub auth: Option<String>,
    /// Who is to own the connection; `None`: whoever the manifest says, the workspace or the caller.
    pub owner: Option<Owner>,
    /// A name for people; `None`: the account's.
    pub name: Option<String>,
    /// What is to be granted; `None`: every capability that reads, or what the connection has.
    pub capabilities: Option<BTreeMap<CapabilityId, Setting>>,
    /// What bounds it.
    pub constraints: Constraints,
    /// The manifest's `[[setting]]` values.
    pub settings: BTreeMap<String, String>,
    /// Whom `connection-audience` stands for; empty: the owner.
    pub audience: Vec<String>,
    /// A connection that is to be connected again, or granted more: it keeps documents, cursors and what it was granted.
    pub connection: Option<ConnectionId>,
    /// Where the person goes when all is done.
    pub return_to: Option<String>,
}

/// A link that was made.
pub struct NewLink {
    /// By which its status is asked for.
    pub id: LinkId,
    /// What has to stand in the URL: whoever has it can consent.
    pub token: Secret,
    /// From then on it leads nowhere, in milliseconds since 1970.
    pub expires: crate::ids::Timestamp,
}

/// What a person chose on the page.
pub struct Choice {
    /// The file that was on the page.
    pub component: Digest,
    /// What they leave checked.
    pub capabilities: BTreeSet<CapabilityId>,
    /// What they pasted.
    pub pasted: BTreeMap<SlotName, Secret>,
    /// Where the provider is to send them back to.
    pub redirect: Url,
}

/// How it goes on after the page.
pub enum Next {
    /// There.
    Go {
        /// The provider's page.
        url: Url,
        /// What this browser, and no other, has to bring along when it comes back.
        browser: Secret,
    },
    /// It is connected.
    Done(Box<Connected>),
}

/// Somebody is connected.
#[derive(Clone, Debug, PartialEq)]
pub struct Connected {
    /// The connection.
    pub connection: Connection,
    /// What was on offer and the provider did not grant.
    pub left_out: Vec<CapabilityId>,
    /// Where the person goes now.
    pub return_to: Option<String>,
}

/// What a provider sends somebody back with.
pub struct Return<'a> {
    /// The state.
    pub state: &'a str,
    /// What the browser brought along.
    pub browser: Option<&'a str>,
    /// Who says that they sent them.
    pub issuer: Option<&'a str>,
    /// What they came with.
    pub with: With<'a>,
}

/// What somebody came back with.
pub enum With<'a> {
    /// A code.
    Code(&'a str),
    /// A token, out of a fragment.
    Token(Secret),
    /// The provider's word for why there is neither.
    Error(&'a str),
}

/// A link with what it leads to.
struct Resolved {
    link: Link,
    installed: Installed,
    component: Arc<Loaded>,
    connection: Option<Connection>,
    before: Option<Before>,
}

impl Resolved {
    fn manifest(&self) -> &Manifest {
        &self.component.manifest
    }

    fn auth(&self) -> Result<&Auth, ConsentError> {
        let own = |auth: &&Auth| auth.id.as_str() == self.link.ask.auth;
        self.manifest().auth.iter().find(own).ok_or(ConsentError::Changed)
    }
}

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

    /// What is to be read before consenting. Changes nothing: whoever looks at links ahead of people does no harm.
    ///
    /// # Errors
    /// [`ConsentError::Gone`]; the store's.
    pub async fn consent_page(&self, token: &str) -> Result<ConsentPage, ConsentError> {
        let resolved = self.resolved(self.followed(token).await?).await?;
        let (auth, before) = (resolved.auth()?, resolved.before.as_ref());
        Ok(page::page(&resolved.link, resolved.manifest(), auth, &resolved.installed, self.registry(), before))
    }

    /// Somebody says yes.
    ///
    /// # Errors
    /// [`ConsentError::Gone`], [`ConsentError::Changed`] and [`ConsentError::Choice`]; for what is connected at once
    /// also what connecting says.
    pub async fn consent(&self, token: &str, choice: Choice) -> Result<Next, ConsentError> {
        let mut resolved = self.resolved(self.followed(token).await?).await?;
        if resolved.installed.digest != choice.component {
            return Err(ConsentError::Changed);
        }
        resolved.link.ask.capabilities = chosen(&resolved.link.ask.capabilities, &choice.capabilities)?;
        let auth = resolved.auth()?.clone();
        let scopes = to_ask(resolved.manifest(), &auth, &resolved.link.ask.capabilities, resolved.before.as_ref());
        if resolved.before.as_ref().is_some_and(|before| before.usable) && scopes.values().all(Vec::is_empty) {
            return self.settle_link(resolved, BTreeMap::new()).await.map(|done| Next::Done(done.into()));
        }
        match &auth.method {
            AuthMethod::Token { pattern, .. } => {
                let secrets = pasted(&auth, pattern.as_deref(), choice.pasted)?;
                self.settle_link(resolved, secrets).await.map(|done| Next::Done(done.into()))
            }
            AuthMethod::ServiceAccount => {
                let key_file = choice.pasted.into_iter().next();
                let (slot, key_file) =
                    key_file.ok_or_else(|| ConsentError::Choice("paste the service account's key file".into()))?;
                let asked = scopes.get(&slot).cloned().unwrap_or_default();
                let secret = self.credentials().of_key_file(resolved.manifest(), key_file, &asked).await?;
                self.settle_link(resolved, BTreeMap::from([(slot, secret)])).await.map(|done| Next::Done(done.into()))
            }
            _ => self.depart(resolved, &auth, scopes, &choice.redirect).await,
        }
    }

    /// Whether this link's provider answers behind a `#`, where only a page can read it.
    ///
    /// # Errors
    /// [`ConsentError::Gone`]; the store's.
    pub async fn consent_by_fragment(&self, token: &str) -> Result<bool, ConsentError> {
        let resolved = self.resolved(self.followed(token).await?).await?;
        Ok(matches!(resolved.auth()?.method, AuthMethod::TokenFragment { .. }))
    }

    /// What is called the token behind the `#` that somebody comes back with.
    ///
    /// # Errors
    /// [`ConsentError::UnknownState`]; the store's.
    pub async fn fragment_parameter(&self, state: &str) -> Result<String, ConsentError> {
        let link = self.services().links.link_by_state(&hashed(state)).await.map_err(unknown)?;
        match &self.resolved(link).await?.auth()?.method {
            AuthMethod::TokenFragment { fragment_parameter, .. } => Ok(fragment_parameter.clone()),
            _ => Err(ConsentError::UnknownState),
        }
    }

    async fn depart(
        &self,
        resolved: Resolved,
        auth: &Auth,
        scopes: Scopes,
        redirect: &Url,
    ) -> Result<Next, ConsentError> {
        let services = self.services();
        let mut link = resolved.link.clone();
        let departure = self.departure(&link.tenant, resolved.manifest(), auth, &scopes, redirect).await?;
        let verifier = match &departure.verifier {
            None => None,
            Some(verifier) => {
                let place = Place::Verifier(&link.tenant, &link.id);
                let sealed = services.keyring.seal_secret(place, verifier.expose().as_bytes()).await;
                Some(sealed.map_err(|error| InvokeError::Host(error.to_string()))?)
            }
        };
        let browser = random();
        let until = services.clock.now().plus(FLIGHT);
        link.browser = Some(hashed(&browser));
        link.expires = link.expires.max(until);
        link.status = LinkStatus::Consenting;
        link.flight = Some(Flight {
            state: hashed(departure.state.expose()),
            verifier,
            redirect: redirect.to_string(),
            scopes,
            component: resolved.installed.digest.clone(),
            until,
        });
        services.links.swap_link(&link).await?;
        Ok(Next::Go { url: departure.url, browser: Secret::new(browser) })
    }

    /// Somebody says no.
    ///
    /// # Errors
    /// [`ConsentError::Gone`]; the store's.
    pub async fn decline(&self, token: &str) -> Result<Option<String>, ConsentError> {
        let link = self.followed(token).await?;
        let return_to = link.ask.return_to.clone();
        let declined = Link { status: LinkStatus::Declined, flight: None, ..link };
        self.services().links.swap_link(&declined).await?;
        Ok(return_to)
    }

    /// Somebody comes back from the provider. Each return counts once, whatever comes of it.
    ///
    /// # Errors
    /// [`ConsentError::UnknownState`] for one that is not expected (any more), [`ConsentError::OtherBrowser`],
    /// [`ConsentError::StateExpired`], [`ConsentError::Issuer`], [`ConsentError::Declined`]; what the token endpoint and
    /// connecting say. The link can be tried again but for a refusal.
    pub async fn came_back(&self, back: Return<'_>) -> Result<Connected, ConsentError> {
        let services = self.services();
        let link = services.links.link_by_state(&hashed(back.state)).await.map_err(unknown)?;
        let Some(flight) = link.flight.clone() else { return Err(ConsentError::UnknownState) };
        // Before it is used up: another browser's return must not end this one's.
        let same = |kept: &String| back.browser.is_some_and(|brought| is_hash_of(kept, brought));
        if !link.browser.as_ref().is_some_and(same) {
            return Err(ConsentError::OtherBrowser);
        }
        let taken = Link { flight: None, ..link };
        match services.links.swap_link(&taken).await {
            Err(StoreError::Conflict { .. }) => return Err(ConsentError::UnknownState),
            other => other?,
        }
        let link = Link { version: taken.version + 1, ..taken };
        let outcome = self.taken(link.clone(), flight, back).await;
        if let Err(error) = &outcome {
            let status = match error {
                ConsentError::Declined => LinkStatus::Declined,
                _ => LinkStatus::Failed { code: error.code().to_owned(), message: error.to_string() },
            };
            // Where the link moved on meanwhile, that is what counts.
            match services.links.swap_link(&Link { status, ..link }).await {
                Ok(()) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => tracing::warn!(%error, "how a link ended is not kept"),
            }
        }
        outcome
    }

    async fn taken(&self, link: Link, flight: Flight, back: Return<'_>) -> Result<Connected, ConsentError> {
        let services = self.services();
        if flight.until < services.clock.now() {
            return Err(ConsentError::StateExpired);
        }
        let resolved = self.resolved(link).await?;
        if resolved.installed.digest != flight.component {
            return Err(ConsentError::Changed);
        }
        let auth = resolved.auth()?.clone();
        let provider = self.registry().provider(resolved.manifest().connector.provider.as_str());
        if let Some(found) = back.issuer {
            is_issuer(provider, &auth, found)?;
        }
        let name =
            provider.map_or_else(|| resolved.manifest().connector.provider.to_string(), |known| known.name.clone());
        let secrets = match (&auth.method, back.with) {
            (_, With::Error("access_denied")) => return Err(ConsentError::Declined),
            (_, With::Error(code)) => {
                let code = code.chars().take(100).collect();
                return Err(ConsentError::Provider { provider: name, code });
            }
            (AuthMethod::OAuth2Code(oauth), With::Code(code)) => {
                let place = Place::Verifier(&resolved.link.tenant, &resolved.link.id);
                let verifier = match &flight.verifier {
                    None => None,
                    Some(sealed) => {
                        let opened = services.keyring.open_secret(place, sealed).await;
                        let opened = opened.map_err(|error| InvokeError::Host(error.to_string()))?;
                        Some(Secret::new(String::from_utf8_lossy(&opened).into_owned()))
                    }
                };
                let code = Code { code, redirect: &flight.redirect, verifier: verifier.as_ref().map(Secret::expose) };
                let (tenant, manifest) = (&resolved.link.tenant, resolved.manifest());
                self.credentials().exchange(tenant, manifest, &auth, oauth, code, &flight.scopes).await?
            }
            (AuthMethod::TokenFragment { .. }, With::Token(token)) => {
                let first = auth.credentials.first().ok_or(ConsentError::Changed)?;
                let scopes = flight.scopes.get(&first.slot).cloned().unwrap_or_default();
                let secret = NewSecret { access: token, refresh: None, expires_in: None, scopes };
                BTreeMap::from([(first.slot.clone(), secret)])
            }
            _ => return Err(ConsentError::UnknownState),
        };
        self.settle_link(resolved, secrets).await
    }

    /// There is all that it takes: makes the connection, or makes the one there is work again.
    async fn settle_link(
        &self,
        resolved: Resolved,
        secrets: BTreeMap<SlotName, NewSecret>,
    ) -> Result<Connected, ConsentError> {
        let (link, manifest) = (&resolved.link, resolved.manifest());
        let mut granted = resolved.before.as_ref().map(|before| before.granted.clone()).unwrap_or_default();
        granted.extend(secrets.iter().map(|(slot, secret)| (slot.clone(), secret.scopes.clone())));
        let enabled = match resolved.auth()?.method {
            // What is pasted says nothing of scopes: the service refuses what it does not allow.
            AuthMethod::Token { .. } | AuthMethod::TokenFragment { .. } => link.ask.capabilities.clone(),
            _ => covered(manifest, &link.ask.capabilities, &granted),
        };
        if enabled.is_empty() {
            let provider = manifest.connector.provider.to_string();
            return Err(ConsentError::NothingGranted { provider });
        }
        let left_out = link.ask.capabilities.keys().filter(|id| !enabled.contains_key(*id)).cloned().collect();
        let caller = link.caller();
        let connection = match &resolved.connection {
            Some(connection) => self.reconnect(&caller, connection, &resolved, secrets, enabled).await?,
            None => {
                let connect = Connect {
                    connector: link.ask.connector.clone(),
                    auth: Some(link.ask.auth.clone()),
                    owner: link.ask.owner.clone(),
                    name: link.ask.name.clone(),
                    secrets,
                    capabilities: Some(enabled),
                    constraints: link.ask.constraints.clone(),
                    settings: link.ask.settings.clone(),
                    audience: link.ask.audience.clone(),
                };
                self.connect(&caller, connect).await?
            }
        };
        let status = LinkStatus::Connected { connection: connection.id.clone() };
        let done = Link { status, flight: None, ..link.clone() };
        self.services().links.swap_link(&done).await?;
        Ok(Connected { connection, left_out, return_to: link.ask.return_to.clone() })
    }

    /// The link with this token, while it leads somewhere.
    async fn followed(&self, token: &str) -> Result<Link, ConsentError> {
        let link = self.services().links.link(&LinkId::new(hashed(token))).await.map_err(gone)?;
        if link.status.is_over() || link.expires < self.services().clock.now() {
            return Err(ConsentError::Gone);
        }
        Ok(link)
    }

    async fn resolved(&self, link: Link) -> Result<Resolved, ConsentError> {
        let installed = self.services().catalog.live(&link.ask.connector).await?;
        let component = self.component(&installed.digest).await?;
        let (connection, before) = match &link.ask.connection {
            None => (None, None),
            Some(id) => {
                let (connection, before) = self.before(&link, id).await?;
                (Some(connection), Some(before))
            }
        };
        Ok(Resolved { link, installed, component, connection, before })
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

fn gone(error: StoreError) -> ConsentError {
    match error {
        StoreError::NotFound { .. } => ConsentError::Gone,
        other => other.into(),
    }
}

fn unknown(error: StoreError) -> ConsentError {
    match error {
        StoreError::NotFound { .. } => ConsentError::UnknownState,
        other => other.into(),
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

/// What the person left checked of what was on offer.
fn chosen(
    offered: &BTreeMap<CapabilityId, Setting>,
    left: &BTreeSet<CapabilityId>,
) -> Result<BTreeMap<CapabilityId, Setting>, ConsentError> {
    if let Some(stray) = left.iter().find(|id| !offered.contains_key(*id)) {
        return Err(ConsentError::Choice(format!("{stray} was not on the page")));
    }
    if left.is_empty() {
        return Err(ConsentError::Choice("leave at least one thing checked, or decline".into()));
    }
    Ok(offered.iter().filter(|(id, _)| left.contains(*id)).map(|(id, setting)| (id.clone(), *setting)).collect())
}

fn pasted(
    auth: &Auth,
    pattern: Option<&str>,
    given: BTreeMap<SlotName, Secret>,
) -> Result<BTreeMap<SlotName, NewSecret>, ConsentError> {
    // Checked when the manifest was read; one that does not compile matches nothing.
    let whole = pattern.and_then(|pattern| regex::Regex::new(&format!("^(?:{pattern})$")).ok());
    let mut secrets = BTreeMap::new();
    for credential in &auth.credentials {
        let secret = given.get(&credential.slot).map(|secret| Secret::new(secret.expose().trim()));
        match secret.filter(|secret| !secret.is_empty()) {
            None if credential.optional => {}
            None => return Err(ConsentError::Choice(format!("nothing was pasted for {}", credential.slot))),
            Some(secret)
                if pattern.is_some() && !whole.as_ref().is_some_and(|whole| whole.is_match(secret.expose())) =>
            {
                let words = "what was pasted does not look like a token of this service: is it pasted whole?";
                return Err(ConsentError::Choice(words.into()));
            }
            Some(access) => {
                let scopes = Vec::new();
                let secret = NewSecret { access, refresh: None, expires_in: None, scopes };
                secrets.insert(credential.slot.clone(), secret);
            }
        }
    }
    Ok(secrets)
}
