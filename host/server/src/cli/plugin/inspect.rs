//! What a connector file may do, for people and programs.

use sallyport::engine::{Limits, LimitsTable};
use sallyport_pack::manifest::Manifest;
use sallyport_pack::sealed::ConnectorFile;
use sallyport_pack::signature::Publisher;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::connectors::access;

/// What `inspect` says.
#[derive(Serialize)]
pub(super) struct Inspected {
    id: String,
    name: String,
    version: String,
    provider: String,
    size: u64,
    digest: String,
    publisher: Option<Publisher>,
    exports: Vec<&'static str>,
    imports: Vec<String>,
    manifest: Manifest,
    tools: Value,
    /// What bounds its executions on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
}

impl Inspected {
    pub(super) fn of(file: ConnectorFile) -> Self {
        let connector = &file.manifest.connector;
        Self {
            id: connector.id.to_string(),
            name: connector.name.clone(),
            version: connector.version.to_string(),
            provider: connector.provider.to_string(),
            size: file.size,
            digest: file.digest,
            publisher: file.publisher,
            exports: file.exports.iter().map(|export| export.as_str()).collect(),
            imports: file.imports,
            tools: json!(file.tools),
            manifest: file.manifest,
            limits: None,
        }
    }

    /// With what bounds its executions on a host, where no tenant's limits are tighter.
    pub(super) fn within(self, table: &LimitsTable) -> Self {
        let limits = table.of_connector(&self.manifest.connector.id).clone();
        Self { limits: Some(limits), ..self }
    }
}

pub(super) fn words(inspected: &Inspected) -> String {
    let manifest = &inspected.manifest;
    let publisher = inspected.publisher.map_or_else(|| "nobody".to_owned(), |publisher| publisher.to_string());
    let mut lines = vec![
        format!("{} {} ({}), for the provider {}", inspected.name, inspected.version, inspected.id, inspected.provider),
        format!("  {} bytes, sha256 {}", inspected.size, inspected.digest),
        format!("  signed by {publisher}"),
        format!("  exports {}", inspected.exports.join(", ")),
        format!("  imports {}", inspected.imports.join(", ")),
        "  origins".into(),
    ];
    for (name, origin) in &manifest.origins {
        let credentials = if origin.credentials { "receives credentials" } else { "receives no credentials" };
        lines.push(format!("    {name} {}  {credentials}", origin.url));
    }
    lines.push("  capabilities".into());
    for capability in &manifest.capabilities {
        lines.push(format!("    {} ({}): {}", capability.id, access(capability.access), capability.summary));
        for route in &capability.routes {
            let carries = match &route.keys {
                Some(keys) if keys.is_empty() => "  carries no parameters".into(),
                Some(keys) => {
                    format!("  carries {}", keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                }
                None if access(capability.access) == "read" => String::new(),
                None => "  carries any parameters".into(),
            };
            lines.push(format!("      {}{carries}", route.template));
        }
    }
    if !manifest.tools.is_empty() {
        lines.push("  tools".into());
    }
    for tool in &manifest.tools {
        let described = inspected.tools.as_array().into_iter().flatten().find(|one| one["name"] == tool.name.as_str());
        let description = described.and_then(|one| one["description"].as_str()).unwrap_or_default();
        let first = description.lines().next().unwrap_or_default();
        let effect = json!(tool.effect);
        lines.push(format!("    {} ({}): {first}", tool.name, effect.as_str().unwrap_or_default()));
    }
    if let Some(limits) = &inspected.limits {
        lines.push("  limits of an execution on this host (bytes, counts, times)".into());
        let named = json!(limits);
        for (name, value) in named.as_object().into_iter().flatten() {
            lines.push(format!("    {name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
    }
    lines.join("\n")
}
