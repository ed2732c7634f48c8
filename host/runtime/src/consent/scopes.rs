//! Scopes: computed from the capabilities that are enabled, and no other is asked for.

use std::collections::BTreeMap;

use sallyport_pack::manifest::{Auth, AuthMethod, Capability, Manifest};

use crate::connection::Setting;
use crate::credentials::Scopes;
use crate::ids::{CapabilityId, SlotName};

/// What is enabled.
pub(super) type Enabled = BTreeMap<CapabilityId, Setting>;

/// The scopes that the enabled capabilities need, by slot, in the manifest's order.
fn wanted(manifest: &Manifest, auth: &Auth, enabled: &Enabled) -> Scopes {
    let mut scopes = Scopes::new();
    for (index, credential) in auth.credentials.iter().enumerate() {
        let own: &mut Vec<String> = scopes.entry(credential.slot.clone()).or_default();
        let needed = live(manifest, enabled).filter_map(|capability| capability.scopes.get(&credential.slot)).flatten();
        for scope in needed {
            if !own.contains(scope) {
                own.push(scope.clone());
            }
        }
        if let AuthMethod::OAuth2Code(oauth) = &auth.method
            && index == 0
        {
            own.extend(oauth.extra_scopes.iter().cloned());
        }
    }
    scopes
}

/// What there is of a connection that is connected again.
pub(super) struct Before {
    pub(super) name: String,
    pub(super) enabled: Enabled,
    /// Whether it works, so that the provider need not be asked again for what it granted.
    pub(super) usable: bool,
    pub(super) granted: Scopes,
}

/// The scopes that the provider is to be asked for: what is missing, where one consent adds to another; everything where
/// it replaces the other; nothing where nothing is missing.
pub(super) fn to_ask(manifest: &Manifest, auth: &Auth, enabled: &Enabled, before: Option<&Before>) -> Scopes {
    let wanted = wanted(manifest, auth, enabled);
    let Some(before) = before.filter(|before| before.usable) else { return wanted };
    let missing = missing(&wanted, &before.granted);
    let adds = matches!(&auth.method, AuthMethod::OAuth2Code(oauth) if oauth.incremental);
    if adds || missing.values().all(Vec::is_empty) { missing } else { wanted }
}

/// Those of `wanted` that were not granted before.
fn missing(wanted: &Scopes, granted: &Scopes) -> Scopes {
    let has = |slot: &SlotName, scope: &String| granted.get(slot).is_some_and(|granted| granted.contains(scope));
    let left = |(slot, scopes): (&SlotName, &Vec<String>)| {
        (slot.clone(), scopes.iter().filter(|scope| !has(slot, scope)).cloned().collect())
    };
    wanted.iter().map(left).collect()
}

/// The enabled capabilities that what was granted covers: of a slot that there is, with every scope that they need of it.
pub(super) fn covered(manifest: &Manifest, enabled: &Enabled, granted: &Scopes) -> Enabled {
    let covers = |capability: &Capability| {
        let slots = capability.slots.is_empty() || capability.slots.iter().any(|slot| granted.contains_key(slot));
        slots
            && capability.scopes.iter().all(|(slot, needed)| {
                granted.get(slot).is_some_and(|granted| needed.iter().all(|scope| granted.contains(scope)))
            })
    };
    let kept = live(manifest, enabled).filter(|capability| covers(capability));
    kept.map(|capability| (capability.id.clone(), enabled[&capability.id])).collect()
}

/// The capabilities that are enabled, in the manifest's order.
pub(super) fn live<'m>(manifest: &'m Manifest, enabled: &'m Enabled) -> impl Iterator<Item = &'m Capability> {
    let is_live =
        |capability: &&Capability| enabled.get(&capability.id).is_some_and(|setting| *setting != Setting::Deny);
    manifest.capabilities.iter().filter(is_live)
}
