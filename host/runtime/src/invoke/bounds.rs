//! A grant's containers at the exit: where a write goes is one of them or was made by this very call. What stands under one
//! is not enough: only a connector says that it does, and a connector is not believed.

use std::collections::HashSet;

use sallyport_pack::manifest::{self, Destination, DestinationKind};
use serde_json::Value;

use crate::connection::Connection;
use crate::constraint::Constraint;
use crate::egress::Authorised;
use crate::host::{Answer, Failed};

use super::gate::shorten;
use super::prepare::Bench;

/// Where the writes of one tool call may go.
#[derive(Debug)]
pub(super) struct Bounds {
    allowed: Vec<String>,
    /// Ids of what this invocation created.
    made: HashSet<String>,
    /// Whom the tool writes to, by its manifest: a person is no place.
    principal: Option<String>,
}

impl Bounds {
    /// `None`: the grant names no containers.
    pub(super) fn of(bench: &Bench, tool: &manifest::Tool, arguments: &Value) -> Option<Self> {
        let allowed = bench.grant.as_ref()?.constraints.containers.clone()?;
        let principal = match &tool.destination {
            Some(Destination::Argument { argument, kind: DestinationKind::Principal }) => {
                arguments.pointer(argument.as_str()).and_then(Value::as_str).map(str::to_owned)
            }
            _ => None,
        };
        Some(Self { allowed, made: HashSet::new(), principal })
    }

    /// Why the write may not go out: a place that it names is outside, or it names none. Every place counts, since the
    /// manifest does not say which of them is the container.
    pub(super) fn refuse(&self, connection: &Connection, write: &Authorised) -> Option<Failed> {
        let bound = write.bind_values();
        let mut places = bound.iter().filter(|(_, value)| self.principal.as_ref() != Some(value)).peekable();
        if places.peek().is_none() {
            return Some(self.nowhere(connection, write));
        }
        let outside = places.find(|(_, value)| !self.allowed.contains(value) && !self.made.contains(value));
        outside.map(|(place, value)| self.outside(connection, place, value))
    }

    /// What a write of this invocation created may be written to: the `id` of its answer, or the whole answer where that
    /// is one value. Whatever else an answer says may be about what was there before.
    pub(super) fn made(&mut self, answer: &Answer) {
        let Ok(got) = answer else { return };
        if !(200..300).contains(&got.status) {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(&got.body) else { return };
        match value.get("id").unwrap_or(&value) {
            Value::String(id) => drop(self.made.insert(id.clone())),
            Value::Number(id) => drop(self.made.insert(id.to_string())),
            _ => {}
        }
    }

    fn outside(&self, connection: &Connection, place: &str, value: &str) -> Failed {
        let mut wider = self.allowed.clone();
        wider.push(value.to_owned());
        let wider = Constraint::Containers(wider);
        let message = format!(
            "the grant has the constraint {}, and {place} names {}, which is none of them and not made by this call; an \
             admin can allow it: sallyport grant {} --constraint {}",
            self.constraint(),
            shorten(value).escape_debug(),
            connection.id,
            quoted(&wider.to_string()),
        );
        Failed::denied("containers", message)
    }

    fn nowhere(&self, connection: &Connection, write: &Authorised) -> Failed {
        let message = format!(
            "the grant has the constraint {}, and {} {} names no container; an admin can lift it: sallyport grant {} \
             --unconstrain containers",
            self.constraint(),
            write.method(),
            write.target(),
            connection.id,
        );
        Failed::denied("containers", message)
    }

    fn constraint(&self) -> Constraint {
        Constraint::Containers(self.allowed.clone())
    }
}

/// As a shell takes it for one word, whatever a connector put into it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, Host, Service};

    #[tokio::test]
    async fn a_person_to_whom_the_tool_writes_is_no_place_and_no_container() {
        let host = Host::new(&Service::saying(fixtures::Answer::Close).await).await;
        let live = fixtures::all_granted(&fixtures::tool("create_item"));
        let refused = |principal: Option<&str>, body: &str| {
            let principal = principal.map(str::to_owned);
            let bounds = Bounds { allowed: vec!["L1".into()], made: HashSet::new(), principal };
            let request = fixtures::with_body("POST", "https://api.acme.example/items", "application/json", body);
            let write = host.egress.authorise(&live, request).expect("a route");
            bounds.refuse(&fixtures::connection(), &write).is_some()
        };
        let (both, person) = (r#"{"list":"L1","labels":["bo"]}"#, r#"{"list":"bo"}"#);
        assert!(!refused(Some("bo"), both));
        assert!(refused(None, both) && refused(Some("ann"), both));
        assert!(refused(Some("bo"), person), "a person alone is not where it is written");
    }

    #[test]
    fn a_command_is_one_word_to_a_shell() {
        assert_eq!(quoted("containers=a,b"), "'containers=a,b'");
        assert_eq!(quoted("containers=a'b"), r"'containers=a'\''b'");
    }
}
