//! What a request really did: asked of the simulated service, not of the host.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use sallyport_simulate::{Request, Service, Simulation};
use serde_json::Value;

/// Every text that stands anywhere in a value.
pub(super) fn texts(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.trim().to_owned());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// Checks that everything that the approved arguments say is now held by the service. A date may have been written out.
pub(super) fn holds(state: &Value, arguments: &Value) -> anyhow::Result<usize> {
    let (held, wanted) = (texts(state), texts(arguments));
    let is_there = |text: &String| {
        held.contains(text) || held.iter().any(|held| text.len() >= 10 && held.starts_with(text.as_str()))
    };
    let missing: Vec<&String> = wanted.iter().filter(|text| !text.is_empty() && !is_there(text)).collect();
    if !missing.is_empty() {
        bail!("the service does not hold {missing:?}");
    }
    Ok(wanted.len())
}

/// Writes that reached the acting services, in order.
pub(super) fn writes(simulation: &Simulation) -> Vec<Request> {
    let log = simulation.requests();
    let mut all = log.writes(Service::Trello);
    all.extend(log.writes(Service::Drive));
    all.sort_by_key(|request| request.order);
    all
}

/// Checks that the first request that arrived is the one that was shown, byte for byte: method, path, query, body.
pub(super) fn is_the_one_shown(arrived: &Request, shown: &Value) -> anyhow::Result<()> {
    let url = shown["url"].as_str().unwrap_or_default();
    let after_host = url.splitn(4, '/').nth(3).map(|rest| format!("/{rest}")).unwrap_or_default();
    let target =
        if arrived.query.is_empty() { arrived.path.clone() } else { format!("{}?{}", arrived.path, arrived.query) };
    ensure!(shown["method"] == arrived.method.as_str(), "{} was shown and {} arrived", shown["method"], arrived.method);
    ensure!(after_host == target, "{after_host} was shown and {target} arrived");
    let body = shown["body"].as_str().unwrap_or_default();
    ensure!(body == arrived.body, "the body that was shown is not the one that arrived:\n{body}\n{}", arrived.body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_named() {
        let state = json!({ "boards": [{ "name": "Marketing", "cards": [{ "name": "A", "due": "2026-10-01T00:00:00.000Z" }] }] });
        let arguments = json!({ "name": "Marketing", "lists": [{ "cards": [{ "name": "A", "due": "2026-10-01" }] }] });
        assert!(holds(&state, &arguments).is_ok());
        let more = json!({ "name": "Marketing", "lists": [{ "cards": [{ "name": "B" }] }] });
        assert!(holds(&state, &more).unwrap_err().to_string().contains("\"B\""));
    }
}
