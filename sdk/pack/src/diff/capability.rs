//! Capabilities and their routes.

use super::{Changes, Wider, word, words};
use crate::manifest::{Access, Capability};
use crate::route::{Body, Repeat, Route};

impl Changes {
    pub(super) fn capabilities(&mut self, old: &[Capability], new: &[Capability]) {
        for capability in new {
            match old.iter().find(|before| before.id == capability.id) {
                Some(before) => self.capability(before, capability),
                None => {
                    self.say(true, format!("+ {}", title(capability)));
                    for route in &capability.routes {
                        self.say(true, format!("+ route {} in {}", shown(route, capability.access), capability.id));
                    }
                }
            }
        }
        for capability in old.iter().filter(|before| !new.iter().any(|after| after.id == before.id)) {
            self.say(false, format!("- {}", title(capability)));
        }
    }

    fn capability(&mut self, old: &Capability, new: &Capability) {
        let id = &new.id;
        if old.access != new.access {
            // Also from write to read: what only reads is neither asked about nor journaled before it is sent.
            self.say(true, format!("~ capability {id} access {} → {}", word(&old.access), word(&new.access)));
        }
        if old.summary != new.summary {
            self.say(false, format!("~ capability {id} says {:?}, and said {:?}", new.summary, old.summary));
        }
        self.listed(Wider::More, &format!("slot that {id} may use:"), &old.slots, &new.slots);
        let none = Vec::new();
        let slots: std::collections::BTreeSet<_> = old.scopes.keys().chain(new.scopes.keys()).collect();
        for slot in slots {
            let (old, new) = (old.scopes.get(slot).unwrap_or(&none), new.scopes.get(slot).unwrap_or(&none));
            self.listed(Wider::More, &format!("scope of {id} for {slot}:"), old, new);
        }
        self.routes(old, new);
    }

    /// A request needs one route that admits it: a route that is gone takes away, and each new one must lie within one
    /// that was there.
    fn routes(&mut self, old: &Capability, new: &Capability) {
        for route in new.routes.iter().filter(|route| !old.routes.contains(route)) {
            let same: Vec<&Route> = old.routes.iter().filter(|before| before.template == route.template).collect();
            let Some(first) = same.first() else {
                self.say(true, format!("+ route {} in {}", shown(route, new.access), new.id));
                continue;
            };
            let nearest = same.iter().find(|before| !compare(before, route).iter().any(|(wider, _)| *wider));
            for (wider, what) in compare(nearest.unwrap_or(first), route) {
                self.say(wider, format!("~ route {} in {}: {what}", route.template, new.id));
            }
        }
        for route in &old.routes {
            if !new.routes.iter().any(|after| after.template == route.template) {
                self.say(false, format!("- route {} in {}", shown(route, old.access), old.id));
            }
        }
    }
}

/// How two routes of one template differ, and whether each difference lets more through.
fn compare(old: &Route, new: &Route) -> Vec<(bool, String)> {
    let mut found = keys(old, new);
    for bind in old.bind.iter().filter(|bind| !new.bind.contains(bind)) {
        found.push((true, format!("{bind} is no longer bound")));
    }
    for bind in new.bind.iter().filter(|bind| !old.bind.contains(bind)) {
        found.push((false, format!("{bind} is bound")));
    }
    found.extend(values(old, new));
    if old.fill != new.fill {
        found.push((true, "the host fills in other parameters".into()));
    }
    if old.body != new.body {
        found.push((new.body == Body::Raw, format!("body {} → {}", word(&old.body), word(&new.body))));
    }
    if (old.repeat, &old.repeat_key) != (new.repeat, &new.repeat_key) {
        let line = format!("a write of unknown outcome may be repeated: {} → {}", word(&old.repeat), word(&new.repeat));
        found.push((new.repeat != Repeat::Never, line));
    }
    if old.credentials != new.credentials {
        let line = if new.credentials { "carries the credential" } else { "carries no credential any more" };
        found.push((new.credentials, line.into()));
    }
    found
}

fn keys(old: &Route, new: &Route) -> Vec<(bool, String)> {
    match (&old.keys, &new.keys) {
        (None, None) => Vec::new(),
        (None, Some(new)) => vec![(false, format!("carries {} only", words(new)))],
        (Some(_), None) => vec![(true, "carries any parameters".into())],
        (Some(old), Some(new)) => {
            let gained = new.iter().filter(|key| !old.iter().any(|before| before.covers(key)));
            let gained = gained.map(|key| (true, format!("carries {key} as well")));
            let lost = old.iter().filter(|key| !new.contains(key));
            let lost = lost.map(|key| (false, format!("no longer carries all of {key}")));
            gained.chain(lost).collect()
        }
    }
}

fn values(old: &Route, new: &Route) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (path, allowed) in &old.values {
        match new.values.get(path) {
            None => found.push((true, format!("{path} may have any value"))),
            Some(after) if after == allowed => {}
            Some(after) => {
                let wider = after.iter().any(|value| !allowed.contains(value));
                found.push((wider, format!("{path} is one of {} (was {})", words(after), words(allowed))));
            }
        }
    }
    for (path, allowed) in new.values.iter().filter(|(path, _)| !old.values.contains_key(*path)) {
        found.push((false, format!("{path} must be one of {}", words(allowed))));
    }
    found
}

fn title(capability: &Capability) -> String {
    format!("capability {} ({}): {}", capability.id, word(&capability.access), capability.summary)
}

/// A route with what it may carry, for what is not only reading.
fn shown(route: &Route, access: Access) -> String {
    match (&route.keys, access) {
        (Some(keys), _) => format!("{} carrying {}", route.template, words(keys)),
        (None, Access::Read) => route.template.to_string(),
        (None, _) => format!("{} carrying any parameters", route.template),
    }
}
