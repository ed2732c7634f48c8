//! What a person reads before they consent: facts, for whoever renders them.

use sallyport_pack::manifest::{Access, Auth, AuthMethod, Manifest, SyncAccess};

use super::scopes::{Before, Enabled, live, to_ask};
use crate::connection::{Owner, Setting};
use crate::credentials::Scopes;
use crate::ids::{CapabilityId, Digest, Publisher, SlotName, Timestamp};
use crate::ports::{Installed, Link};
use crate::registry::Registry;

/// Everything that is to be on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentPage {
    /// The connector's name.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// Whose signature it bears; `None`: nobody's.
    pub publisher: Option<Publisher>,
    /// The file: a consent is to this one.
    pub digest: Digest,
    /// The provider's name.
    pub provider: String,
    /// In which tenant.
    pub tenant: String,
    /// Who asks: their address, or their id.
    pub by: String,
    /// Who is to own the connection.
    pub owner: Owner,
    /// The name of the connection that is connected again.
    pub again: Option<String>,
    /// What it is to be able to do.
    pub capabilities: Vec<PageCapability>,
    /// What the provider is asked for.
    pub scopes: Vec<PageScope>,
    /// Every origin that the secret will reach, with what for.
    pub origins: Vec<PageOrigin>,
    /// What bounds it, as `sallyport grant` writes it.
    pub constraints: Vec<String>,
    /// Who will be able to read what is read in.
    pub readers: Readers,
    /// How it goes on.
    pub way: Way,
    /// Until when.
    pub expires: Timestamp,
}

/// A capability on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCapability {
    /// Its id.
    pub id: CapabilityId,
    /// Its sentence.
    pub summary: String,
    /// What it is for.
    pub access: Access,
    /// Whether each use asks a person.
    pub asks: bool,
    /// Whether the connection has it already.
    pub granted: bool,
}

/// A scope on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageScope {
    /// As the provider calls it.
    pub scope: String,
    /// The capabilities that need it, by their sentence; empty: the connection itself does.
    pub needed_by: Vec<String>,
}

/// An origin on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrigin {
    /// `https://host`.
    pub origin: String,
    /// Whether it is asked for tokens, or for content.
    pub for_tokens: bool,
}

/// Who will be able to read what is read in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Nothing is read in.
    Nobody,
    /// Each document: whoever may read it at the provider.
    Provider,
    /// The provider says nothing of readers: these are.
    These(Vec<String>),
    /// The provider says nothing of readers: whoever owns the connection.
    Owner,
}

/// How it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// At the provider, on this host.
    Redirect {
        /// The host.
        host: String,
    },
    /// Nothing more is needed of the provider.
    Nothing,
    /// A token is pasted for each of these slots.
    Paste(Vec<PasteField>),
    /// A service account's key file is pasted.
    KeyFile(SlotName),
}

/// A token that is to be pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasteField {
    /// The slot.
    pub slot: SlotName,
    /// What the field is called.
    pub label: String,
    /// What it looks like: a regular expression over the whole of it.
    pub pattern: Option<String>,
    /// Whether it may stay empty.
    pub optional: bool,
}

pub(super) fn page(
    link: &Link,
    manifest: &Manifest,
    auth: &Auth,
    installed: &Installed,
    registry: &Registry,
    before: Option<&Before>,
) -> ConsentPage {
    let enabled = &link.ask.capabilities;
    let provider = registry.provider(manifest.connector.provider.as_str());
    let has = |id: &CapabilityId| before.is_some_and(|before| before.enabled.contains_key(id));
    let capabilities = live(manifest, enabled).map(|capability| PageCapability {
        id: capability.id.clone(),
        summary: capability.summary.clone(),
        access: capability.access,
        asks: capability.access != Access::Read && enabled.get(&capability.id) != Some(&Setting::Auto),
        granted: has(&capability.id),
    });
    let asked = to_ask(manifest, auth, enabled, before);
    let nothing = before.is_some_and(|before| before.usable) && asked.values().all(Vec::is_empty);
    ConsentPage {
        connector: manifest.connector.name.clone(),
        version: installed.version.clone(),
        publisher: installed.publisher,
        digest: installed.digest.clone(),
        provider: provider.map_or_else(|| manifest.connector.provider.to_string(), |provider| provider.name.clone()),
        tenant: link.tenant.to_string(),
        by: link.by.emails.first().cloned().unwrap_or_else(|| link.by.subject.to_string()),
        owner: link.ask.owner.clone(),
        again: before.map(|before| before.name.clone()),
        capabilities: capabilities.collect(),
        scopes: scopes(manifest, enabled, &asked),
        origins: origins(manifest, auth, registry),
        constraints: link.ask.constraints.all().iter().map(ToString::to_string).collect(),
        readers: readers(link, manifest),
        way: way(auth, nothing),
        expires: link.expires,
    }
}

fn scopes(manifest: &Manifest, enabled: &Enabled, asked: &Scopes) -> Vec<PageScope> {
    let mut all = Vec::new();
    for (slot, scopes) in asked {
        for scope in scopes {
            let needs = |own: Option<&Vec<String>>| own.is_some_and(|own| own.contains(scope));
            let needed_by = live(manifest, enabled)
                .filter(|capability| needs(capability.scopes.get(slot)))
                .map(|capability| capability.summary.clone());
            all.push(PageScope { scope: scope.clone(), needed_by: needed_by.collect() });
        }
    }
    all
}

fn origins(manifest: &Manifest, auth: &Auth, registry: &Registry) -> Vec<PageOrigin> {
    let mut all: Vec<PageOrigin> = Vec::new();
    let mut add = |origin: String, for_tokens: bool| {
        if !all.iter().any(|known| known.origin == origin) {
            all.push(PageOrigin { origin, for_tokens });
        }
    };
    for name in auth.credentials.iter().flat_map(|credential| &credential.inject.origins) {
        if let Some(origin) = manifest.origins.get(name) {
            add(origin.url.to_string(), false);
        }
    }
    let provider = registry.provider(manifest.connector.provider.as_str());
    let endpoints = match &auth.method {
        AuthMethod::OAuth2Code(oauth) => {
            [Some(&oauth.token), oauth.revoke.as_ref().map(|revoke| &revoke.url)].into_iter().flatten().collect()
        }
        AuthMethod::TokenFragment { revoke, .. } => revoke.iter().map(|revoke| &revoke.url).collect(),
        AuthMethod::ServiceAccount => provider.and_then(|provider| provider.assertion.as_ref()).into_iter().collect(),
        _ => Vec::new(),
    };
    for endpoint in endpoints {
        add(endpoint.url().origin().ascii_serialization(), true);
    }
    all
}

fn readers(link: &Link, manifest: &Manifest) -> Readers {
    match &manifest.sync {
        None => Readers::Nobody,
        Some(sync) if sync.access == SyncAccess::ConnectionAudience => match link.ask.audience.as_slice() {
            [] => Readers::Owner,
            these => Readers::These(these.to_vec()),
        },
        Some(_) => Readers::Provider,
    }
}

fn way(auth: &Auth, nothing: bool) -> Way {
    let host = |url: &url::Url| url.host_str().unwrap_or_default().to_owned();
    match &auth.method {
        _ if nothing => Way::Nothing,
        AuthMethod::OAuth2Code(oauth) => Way::Redirect { host: host(oauth.authorize.url()) },
        AuthMethod::TokenFragment { authorize, .. } => Way::Redirect { host: host(authorize.url()) },
        AuthMethod::ServiceAccount => match auth.credentials.first() {
            Some(first) => Way::KeyFile(first.slot.clone()),
            None => Way::Paste(Vec::new()),
        },
        AuthMethod::Token { label, pattern } => {
            let field = |credential: &sallyport_pack::manifest::Credential| PasteField {
                slot: credential.slot.clone(),
                label: label.clone().unwrap_or_else(|| "Token".to_owned()),
                pattern: pattern.clone(),
                optional: credential.optional,
            };
            Way::Paste(auth.credentials.iter().map(field).collect())
        }
        _ => Way::Paste(Vec::new()),
    }
}
