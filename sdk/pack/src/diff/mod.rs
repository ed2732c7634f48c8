//! What a new version of a connector may do that the one before could not, line by line.
//!
//! A change is *wider* if consent to the old version does not cover it. Where it cannot be told, it is wider: then a
//! person looks at a line too many, and not at one too few.

mod auth;
mod capability;
mod tool;

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::manifest::{Answer, Manifest, SyncPlan};
use crate::sealed::ConnectorFile;

#[cfg(test)]
mod tests;

/// One difference between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Whether it goes beyond what consent to the old version covers.
    pub wider: bool,
    /// The difference for people: `+` is new, `-` is gone, `~` has changed. One line, without control characters.
    pub line: String,
}

/// Every difference between two versions that bears on what the connector may do, or on what people are shown of it.
#[must_use]
pub fn diff(old: &ConnectorFile, new: &ConnectorFile) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.publisher(old, new);
    let tools = (old.tools.as_slice(), new.tools.as_slice());
    let (old, new) = (&old.manifest, &new.manifest);
    changes.connector(old, new);
    changes.origins(old, new);
    changes.requests(old, new);
    changes.auth(&old.auth, &new.auth);
    changes.capabilities(&old.capabilities, &new.capabilities);
    changes.tools(&old.tools, &new.tools);
    changes.descriptions(tools.0, tools.1);
    changes.sync(old.sync.as_ref(), new.sync.as_ref());
    changes.service(old, new);
    changes.webhook(old, new);
    changes.0
}

/// Whether any of them goes beyond what was consented to.
#[must_use]
pub fn widens(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.wider)
}

/// Which way a list lets more through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wider {
    /// With more in it: it allows.
    More,
    /// With less in it: it bounds.
    Less,
    /// Neither way.
    Never,
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn say(&mut self, wider: bool, line: impl AsRef<str>) {
        // A manifest's words are its author's: they cannot end a line or speak to a terminal.
        let line = line.as_ref().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        self.0.push(Change { wider, line });
    }

    /// What came into a list and what left it.
    fn listed<T: PartialEq + Display>(&mut self, wider: Wider, what: &str, old: &[T], new: &[T]) {
        for item in new.iter().filter(|item| !old.contains(item)) {
            self.say(wider == Wider::More, format!("+ {what} {item}"));
        }
        for item in old.iter().filter(|item| !new.contains(item)) {
            self.say(wider == Wider::Less, format!("- {what} {item}"));
        }
    }

    fn publisher(&mut self, old: &ConnectorFile, new: &ConnectorFile) {
        match (old.publisher, new.publisher) {
            (Some(old), Some(new)) if old != new => self.say(true, format!("~ publisher {old} → {new}")),
            (Some(old), None) => self.say(true, format!("- publisher {old}: not signed any more")),
            (None, Some(new)) => self.say(false, format!("+ publisher {new}")),
            _ => {}
        }
    }

    fn connector(&mut self, old: &Manifest, new: &Manifest) {
        let (old, new) = (&old.connector, &new.connector);
        if old.id != new.id {
            self.say(true, format!("~ id {} → {}: another connector", old.id, new.id));
        }
        if old.provider != new.provider {
            self.say(true, format!("~ provider {} → {}", old.provider, new.provider));
        }
        if old.name != new.name {
            self.say(false, format!("~ name {} → {}", old.name, new.name));
        }
        if old.version != new.version {
            self.say(false, format!("~ version {} → {}", old.version, new.version));
        }
    }

    fn origins(&mut self, old: &Manifest, new: &Manifest) {
        let receives = |credentials: bool| if credentials { "receives credentials" } else { "receives no credentials" };
        for (name, origin) in &new.origins {
            let line = format!("origin {name} {} {}", origin.url, receives(origin.credentials));
            match old.origins.get(name) {
                None => self.say(true, format!("+ {line}")),
                Some(before) if before == origin => {}
                Some(before) => {
                    let wider = before.url != origin.url || origin.credentials;
                    self.say(wider, format!("~ {line} (was {} {})", before.url, receives(before.credentials)));
                }
            }
        }
        for (name, origin) in old.origins.iter().filter(|(name, _)| !new.origins.contains_key(*name)) {
            self.say(false, format!("- origin {name} {}", origin.url));
        }
    }

    /// `[http]`, `[client]` and `[[setting]]`.
    fn requests(&mut self, old: &Manifest, new: &Manifest) {
        let fixed = |manifest: &Manifest| -> Vec<String> {
            manifest.http.fixed.iter().map(|(name, value)| format!("{name}: {value}")).collect()
        };
        self.listed(Wider::More, "header on every request with credentials", &fixed(old), &fixed(new));
        self.listed(Wider::More, "header that requests may carry:", &old.http.headers, &new.http.headers);
        let refused = (&old.http.refuse_parameters, &new.http.refuse_parameters);
        self.listed(Wider::Less, "parameter refused as a credential:", refused.0, refused.1);
        self.listed(Wider::More, "field of the registered client:", &old.client.fields, &new.client.fields);
        let settings = |manifest: &Manifest| -> Vec<String> {
            let choices = manifest.settings.iter();
            choices.map(|one| format!("{}: {}, by default {}", one.key, one.choices.join(", "), one.default)).collect()
        };
        self.listed(Wider::Never, "setting", &settings(old), &settings(new));
    }

    fn sync(&mut self, old: Option<&SyncPlan>, new: Option<&SyncPlan>) {
        match (old, new) {
            (None, None) => {}
            (None, Some(new)) => self.say(true, format!("+ sync by {}", words(&new.capabilities))),
            (Some(old), None) => self.say(false, format!("- sync by {}", words(&old.capabilities))),
            (Some(old), Some(new)) => {
                self.listed(Wider::More, "capability of the sync:", &old.capabilities, &new.capabilities);
                if old.access != new.access {
                    let (old, new) = (word(&old.access), word(&new.access));
                    self.say(true, format!("~ who may read what a sync brings is said by: {old} → {new}"));
                }
                if (old.interval, old.sweep) != (new.interval, new.sweep) {
                    let was = format!("was {} and {}", old.interval, old.sweep);
                    self.say(false, format!("~ sync every {}, sweep every {} ({was})", new.interval, new.sweep));
                }
            }
        }
    }

    /// `[[rate_limit]]` and `[[answer]]`.
    fn service(&mut self, old: &Manifest, new: &Manifest) {
        let limits = |manifest: &Manifest| -> Vec<String> {
            let limit = |limit: &crate::manifest::RateLimit| {
                let per: Vec<String> = limit.per.iter().map(word).collect();
                let when = if limit.when.is_empty() { String::new() } else { format!(" when {}", word(&limit.when)) };
                format!("{} per {} for {}{when}", limit.limit, per.join(" and "), words(&limit.routes))
            };
            manifest.rate_limits.iter().map(limit).collect()
        };
        // The service keeps its own limit, whatever a connector says of it.
        self.listed(Wider::Never, "rate limit", &limits(old), &limits(new));
        let (old, new) = (meanings(old), meanings(new));
        // What is sent again on such an answer is a write as well.
        let again = "answer after which a request is sent again:";
        self.listed(Wider::More, again, &old.0, &new.0);
        self.listed(Wider::Never, "answer that means", &old.1, &new.1);
    }

    fn webhook(&mut self, old: &Manifest, new: &Manifest) {
        match (&old.webhook, &new.webhook) {
            (None, Some(_)) => self.say(true, "+ webhook: the service announces changes"),
            (Some(_), None) => self.say(false, "- webhook"),
            (Some(old), Some(new)) if old != new => {
                self.say(true, "~ webhook: deliveries or subscriptions are judged otherwise");
            }
            _ => {}
        }
    }
}

/// What answers mean, one each: those after which a request is sent again, and the others.
fn meanings(manifest: &Manifest) -> (Vec<String>, Vec<String>) {
    let (mut again, mut others) = (Vec::new(), Vec::new());
    for answer in &manifest.answers {
        let Answer { origins, when, refresh, reauth, rate_limited, forbidden, not_found } = answer;
        let kinds = [
            ("refresh", refresh, true),
            ("rate limited", rate_limited, true),
            ("authorise again", reauth, false),
            ("forbidden", forbidden, false),
            ("not found", not_found, false),
        ];
        for (kind, codes, repeats) in kinds {
            let list = if repeats { &mut again } else { &mut others };
            for origin in origins {
                list.extend(codes.iter().map(|code| format!("{kind}: {code} from {origin} ({})", word(when))));
            }
        }
    }
    (again, others)
}

/// How a value is written in a manifest.
fn word<T: Serialize + ?Sized>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

fn words<T: Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "nothing".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
