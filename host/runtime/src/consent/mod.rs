//! Connecting by consent: a link that a caller asks for, a page that says what it would mean, the way to the provider and
//! back, and the connection.
//!
//! The link is what makes it secret: 256 random bits, of which a hash is kept. A return from the provider counts once, by
//! a state of the same kind, in the browser in which it was begun, for a while, and from whom it was asked
//! (RFC 9700, RFC 9207).
//!
//! In the order of a person's way: `ask`, `choose`, `back`; what all of them need is here.

mod ask;
mod authorise;
mod back;
mod choose;
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

use self::authorise::hashed;
use self::scopes::{Before, covered};
use crate::connection::{Connection, Constraints, Owner, Setting};
use crate::credentials::NewSecret;
use crate::engine::Loaded;
use crate::ids::{CapabilityId, ConnectionId, ConnectorId, Digest, LinkId, SlotName};
use crate::invoke::Connect;
use crate::keys::Secret;
use crate::ports::{Installed, Link, LinkStatus, StoreError};
use crate::runtime::Runtime;

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
