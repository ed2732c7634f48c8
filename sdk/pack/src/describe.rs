//! What a component says about its tools, and whether it is fit to be sealed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::ToolName,
    manifest::{Destination, Manifest, Pointer, Problem},
    schema,
};

/// The longest `describe` answer, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 1 << 20;
/// The longest title, in characters.
const MAX_TITLE: usize = 80;
/// The longest description of a tool, in characters.
const MAX_TEXT: usize = 4_096;

/// What a tool is, in its component's words: sealed into the file, shown to models and people, and never trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolDescription {
    /// Its name, as in the manifest.
    pub name: ToolName,
    /// What people call it; at most 80 characters.
    pub title: String,
    /// What it does, for a model; at most 4,096 characters.
    pub description: String,
    /// The JSON Schema (2020-12) of its arguments, which are an object.
    pub input: Value,
    /// The JSON Schema of its result's JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// Everything that is wrong with what a component says about its tools. Its author mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("describe and the manifest do not agree, or a schema is unfit:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
pub struct DescribeErrors(Vec<Problem>);

impl DescribeErrors {
    /// The problems; at least one. Paths begin with the tool's name, as `create_card.input`.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

/// Reads a component's `describe` answer and checks it against its manifest.
///
/// # Errors
/// [`DescribeErrors`]: not a JSON array of descriptions, names that differ from the manifest's, schemas that are not
/// 2020-12,
/// refer outside themselves, are too deep or too long, or lack an argument that the manifest names.
pub fn read(text: &str, manifest: &Manifest) -> Result<Vec<ToolDescription>, DescribeErrors> {
    let whole = |message: String| DescribeErrors(vec![Problem::new("describe", message)]);
    if text.len() > MAX_DESCRIPTION_BYTES {
        return Err(whole(format!("{} bytes, above the limit of {MAX_DESCRIPTION_BYTES}: shorten it", text.len())));
    }
    let items: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| whole(format!("not a JSON array: {error}; the SDK's macros write it")))?;
    let mut problems = Vec::new();
    let mut tools = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        match serde_json::from_value::<ToolDescription>(item) {
            Ok(tool) => tools.push(tool),
            Err(error) => problems.push(Problem::new(format!("describe[{at}]"), error.to_string())),
        }
    }
    if problems.is_empty() { check(tools, manifest) } else { Err(DescribeErrors(problems)) }
}

/// Checks descriptions that were read already, as those in a sealed file.
///
/// # Errors
/// As [`read`].
pub fn check(tools: Vec<ToolDescription>, manifest: &Manifest) -> Result<Vec<ToolDescription>, DescribeErrors> {
    let mut problems = Vec::new();
    let mut described = BTreeSet::new();
    for tool in &tools {
        if !described.insert(&tool.name) {
            problems.push(Problem::new(tool.name.as_str(), "described twice"));
        }
        if manifest.tool(tool.name.as_str()).is_none() {
            problems.push(Problem::new(
                tool.name.as_str(),
                "described, and not in the manifest: add a [[tool]] with this name",
            ));
        }
        texts(tool, &mut problems);
        check_schema(&format!("{}.input", tool.name), &tool.input, &mut problems);
        if tool.input.get("type").and_then(Value::as_str) != Some("object") {
            problems.push(Problem::new(
                format!("{}.input", tool.name),
                "arguments are an object: write \"type\": \"object\"",
            ));
        }
        if let Some(output) = &tool.output {
            check_schema(&format!("{}.output", tool.name), output, &mut problems);
        }
    }
    for (at, declared) in manifest.tools.iter().enumerate() {
        let Some(tool) = tools.iter().find(|tool| tool.name == declared.name) else {
            let message =
                format!("{} is not described by the component: implement it, or remove it here", declared.name);
            problems.push(Problem::new(format!("tool[{at}]"), message));
            continue;
        };
        let destination = match &declared.destination {
            Some(Destination::Argument { argument, .. }) => Some(("destination.argument", argument)),
            _ => None,
        };
        for (key, pointer) in declared.control.iter().map(|pointer| ("control", pointer)).chain(destination) {
            if !has_argument(&tool.input, pointer) {
                let message =
                    format!("{} takes no argument {pointer}: name one of its input schema's properties", tool.name);
                problems.push(Problem::new(format!("tool[{at}].{key}"), message));
            }
        }
    }
    if problems.is_empty() { Ok(tools) } else { Err(DescribeErrors(problems)) }
}

fn texts(tool: &ToolDescription, problems: &mut Vec<Problem>) {
    for (key, text, limit) in [("title", &tool.title, MAX_TITLE), ("description", &tool.description, MAX_TEXT)] {
        let path = format!("{}.{key}", tool.name);
        if text.trim().is_empty() {
            problems.push(Problem::new(&path, "empty: say what the tool is for"));
        }
        if text.chars().count() > limit {
            problems.push(Problem::new(&path, format!("longer than {limit} characters: shorten it")));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            problems.push(Problem::new(&path, "holds control characters: remove them"));
        }
    }
}

fn check_schema(path: &str, value: &Value, problems: &mut Vec<Problem>) {
    let found = schema::problems(path, value);
    if found.is_empty()
        && let Err(error) = schema::validator(value)
    {
        problems.push(Problem::new(path, format!("not a JSON Schema (2020-12): {error}")));
    }
    problems.extend(found);
}

/// Whether the input schema has a property where the pointer's first name says. A schema that says its properties by
/// `$ref` is
/// believed.
fn has_argument(input: &Value, pointer: &Pointer) -> bool {
    let name = pointer.as_str().split('/').nth(1).unwrap_or_default().replace("~1", "/").replace("~0", "~");
    match input.get("properties") {
        Some(properties) => properties.get(&name).is_some(),
        None => input.get("$ref").is_some() || input.get("allOf").is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Manifest {
        Manifest::from_toml(include_str!("../tests/fixtures/notion.connector.toml")).expect("our own manifest")
    }

    fn tool(name: &str, properties: Value) -> Value {
        json!({ "name": name, "title": "T", "description": "D", "input": { "type": "object", "properties": properties } })
    }

    fn all() -> Vec<Value> {
        vec![
            tool("search", json!({ "query": { "type": "string", "pattern": "^a+$" } })),
            tool("create_page", json!({ "parent_id": { "$ref": "#/$defs/Id" } })),
            tool("trash_page", json!({ "page_id": { "type": "string" } })),
        ]
    }

    /// The problems after `change` of otherwise good descriptions.
    fn problems(change: impl FnOnce(&mut Vec<Value>)) -> Vec<String> {
        let mut tools = all();
        tools[1]["input"]["$defs"] = json!({ "Id": { "type": "string" } });
        change(&mut tools);
        match read(&Value::from(tools).to_string(), &manifest()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.problems().iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn good_descriptions_are_taken() {
        assert_eq!(problems(|_| {}), Vec::<String>::new());
        assert_eq!(problems(|tools| tools[0]["output"] = json!({ "type": "array" })), Vec::<String>::new());
    }

    #[test]
    fn names_must_agree_both_ways() {
        assert_eq!(
            problems(|tools| drop(tools.pop())),
            ["tool[2]: trash_page is not described by the component: implement it, or remove it here"]
        );
        assert_eq!(
            problems(|tools| tools.push(tool("extra", json!({})))),
            ["extra: described, and not in the manifest: add a [[tool]] with this name"]
        );
        assert_eq!(problems(|tools| tools.push(tool("search", json!({})))), ["search: described twice"]);
        assert_eq!(
            problems(|tools| tools[2] = tool("trash_page", json!({ "page": {} }))).len(),
            2,
            "control and destination name an argument that is not there"
        );
    }

    #[test]
    fn unfit_schemas_are_refused() {
        let deep = (0..40).fold(json!({}), |inner, _| json!({ "not": inner }));
        let long = json!({ "const": "x".repeat(schema::MAX_BYTES) });
        let table = [
            (json!({ "type": "strin" }), "not a JSON Schema"),
            (json!({ "$ref": "https://example.com/s.json" }), "refers to itself only"),
            (json!({ "items": { "$dynamicRef": "other.json#x" } }), "refers to itself only"),
            (json!({ "$ref": "#/$defs/Missing" }), "is not there"),
            (json!({ "$ref": "#" }), "refers to itself: write out"),
            (json!({ "$id": "https://example.com/s" }), "use $defs"),
            (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "the dialect is"),
            (json!({ "pattern": "(" }), "not a JSON Schema"),
            (json!({ "pattern": "(?=a)b" }), "not a JSON Schema"),
            (deep, "flatten it"),
            (long, "above the limit"),
            (json!(7), "not a JSON Schema"),
        ];
        for (schema, why) in table {
            let shown = schema.to_string().chars().take(60).collect::<String>();
            let found = problems(|tools| tools[0]["output"] = schema);
            assert!(
                found.len() == 1 && found[0].starts_with("search.output: ") && found[0].contains(why),
                "{shown}: {found:?}"
            );
        }
        let found = problems(|tools| tools[0]["input"] = json!({ "type": "string" }));
        assert!(found.iter().any(|problem| problem.contains("arguments are an object")), "{found:?}");
        assert!(problems(|tools| tools[0]["title"] = json!("a\u{1b}[2J"))[0].contains("control characters"));
        assert!(problems(|tools| tools[0]["descripton"] = json!("x"))[0].contains("unknown field"));
        assert!(read("{}", &manifest()).is_err() && read(&"[".repeat(100_000), &manifest()).is_err());
    }
}
