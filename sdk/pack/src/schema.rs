//! JSON Schemas of tools, which a stranger wrote: nothing is fetched, no pattern runs away, and no schema is more work
//! than its size shows.

use std::collections::HashMap;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::manifest::Problem;

/// The longest schema, in bytes of JSON: all of it is put before a model.
pub const MAX_BYTES: usize = 64 << 10;
/// The deepest nesting in a schema as it is written.
pub const MAX_DEPTH: usize = 32;
/// The deepest nesting, and the most values, once each `$ref` is replaced by what it means: what a check costs. A schema
/// that doubles itself forty times is short, and would be checked until the sun burns out.
const MAX_EXPANDED_DEPTH: usize = 64;
/// See [`MAX_EXPANDED_DEPTH`].
const MAX_EXPANDED: usize = 10_000;
/// The largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;
/// The one dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Compiles a schema as the packer and the host both do: 2020-12, nothing fetched, patterns on an engine that takes time
/// linear in the text.
///
/// # Errors
/// It is no schema, refers to what is not in it, or has a pattern that such an engine cannot match.
pub fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN);
    jsonschema::draft202012::options().offline().with_pattern_options(patterns).build(schema)
}

/// What makes a schema unfit to be checked against: its length and depth, also with its references followed, another
/// dialect, and whatever refers outside it or to itself. Empty: none.
#[must_use]
pub fn problems(path: &str, schema: &Value) -> Vec<Problem> {
    // Depth first: to write the text of a value that is nested without end takes a stack without end.
    let mut problems = Vec::new();
    walk(path, schema, 0, &mut problems);
    if !problems.is_empty() {
        return problems;
    }
    let length = schema.to_string().len();
    if length > MAX_BYTES {
        return vec![Problem::new(path, format!("a schema of {length} bytes, above the limit of {MAX_BYTES}"))];
    }
    let expanded = Expansion { root: schema, known: HashMap::new(), open: Vec::new() }.of(schema);
    problems.extend(expanded.err().map(|message| Problem::new(path, message)));
    problems
}

/// Looks for what refers outside the schema, another dialect, and depth. Member names of `properties` are looked at as
/// keywords too: a property called `$ref` is not worth the finer reading.
fn walk(path: &str, value: &Value, depth: usize, problems: &mut Vec<Problem>) {
    if depth > MAX_DEPTH {
        problems.push(Problem::new(path, format!("nested more than {MAX_DEPTH} deep: flatten it")));
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let message = match (key.as_str(), member.as_str()) {
                    ("$ref" | "$dynamicRef" | "$recursiveRef", Some(target)) if !target.starts_with('#') => {
                        Some(format!("{key} to {target:?}: a schema refers to itself only, as \"#/$defs/Name\""))
                    }
                    ("$id" | "$anchor" | "$dynamicAnchor", Some(_)) => {
                        Some(format!("{key} is not supported: use $defs"))
                    }
                    ("$schema", Some(dialect)) if dialect.trim_end_matches('#') != DIALECT => {
                        Some(format!("the dialect is {dialect:?}: write {DIALECT:?} or leave it out"))
                    }
                    _ => None,
                };
                problems.extend(message.map(|message| Problem::new(path, message)));
                walk(path, member, depth + 1, problems);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(path, item, depth + 1, problems)),
        _ => {}
    }
}

/// How much a value is once its references are followed.
#[derive(Clone, Copy, Default)]
struct Extent {
    values: usize,
    depth: usize,
}

struct Expansion<'s> {
    root: &'s Value,
    known: HashMap<&'s str, Extent>,
    /// References that are being followed.
    open: Vec<&'s str>,
}

impl<'s> Expansion<'s> {
    fn of(&mut self, value: &'s Value) -> Result<Extent, String> {
        let mut all = Extent { values: 1, depth: 1 };
        match value {
            Value::Array(items) => {
                for item in items {
                    let inner = self.of(item)?;
                    all.add(inner)?;
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    let inner = match (key.as_str(), member) {
                        ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(target)) => self.followed(target)?,
                        _ => self.of(member)?,
                    };
                    all.add(inner)?;
                }
            }
            _ => {}
        }
        Ok(all)
    }

    fn followed(&mut self, target: &'s str) -> Result<Extent, String> {
        if let Some(extent) = self.known.get(target) {
            return Ok(*extent);
        }
        if self.open.contains(&target) {
            return Err(format!("{target:?} refers to itself: write out as many levels as there are to be"));
        }
        // With a % the pointer would have two readings.
        let pointer = target.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
        let Some(meant) = pointer.and_then(|pointer| self.root.pointer(pointer)) else {
            return Err(format!("{target:?} is not there: refer to \"#/$defs/Name\", without % in the name"));
        };
        if self.open.len() >= MAX_EXPANDED_DEPTH {
            return Err(too_deep());
        }
        self.open.push(target);
        let extent = self.of(meant)?;
        self.open.pop();
        self.known.insert(target, extent);
        Ok(extent)
    }
}

impl Extent {
    fn add(&mut self, inner: Self) -> Result<(), String> {
        self.values = self.values.saturating_add(inner.values);
        self.depth = self.depth.max(inner.depth + 1);
        if self.values > MAX_EXPANDED {
            return Err(format!("more than {MAX_EXPANDED} values with its references followed: make it smaller"));
        }
        if self.depth > MAX_EXPANDED_DEPTH { Err(too_deep()) } else { Ok(()) }
    }
}

fn too_deep() -> String {
    format!("nested more than {MAX_EXPANDED_DEPTH} deep with its references followed: flatten it")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The first problem, or what the compiler says.
    fn refusal(schema: &Value) -> Option<String> {
        let mut found = problems("s", schema).into_iter().map(|problem| problem.to_string());
        found.next().or_else(|| validator(schema).err().map(|error| error.to_string()))
    }

    #[test]
    fn a_schema_that_refers_outside_itself_is_refused_and_nothing_is_fetched() {
        for target in [
            "https://example.com/s.json",
            "http://127.0.0.1:1/s.json",
            "file:///etc/passwd",
            "other.json#/a",
            "urn:example:s",
            "//example.com/s",
            "",
        ] {
            for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
                let schema = json!({ "properties": { "a": { key: target } } });
                let refused = refusal(&schema).expect(target);
                assert!(refused.contains("refers to itself only"), "{target}: {refused}");
            }
            // The compiler by itself fetches nothing either.
            if !target.is_empty() {
                assert!(validator(&json!({ "$ref": target })).is_err(), "{target}");
            }
        }
        let local = json!({ "$defs": { "a/b": { "type": "string" } }, "items": { "$ref": "#/$defs/a~1b" } });
        assert_eq!(refusal(&local), None);
    }

    #[test]
    fn a_schema_that_is_more_than_it_shows_is_refused() {
        let doubling = |times: usize| {
            let step = |n: usize| {
                let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
                (format!("d{n}"), json!({ "allOf": [next, next] }))
            };
            let mut defs: serde_json::Map<String, Value> = (0..times).map(step).collect();
            defs.insert(format!("d{times}"), json!({ "type": "string" }));
            json!({ "$defs": defs, "$ref": "#/$defs/d0" })
        };
        assert_eq!(refusal(&doubling(3)), None);
        assert!(refusal(&doubling(18)).is_some_and(|why| why.contains("values with its references followed")));
        assert!(refusal(&doubling(400)).is_some(), "however long the way is");
        let circles = [
            json!({ "$ref": "#" }),
            json!({ "items": { "$ref": "#" } }),
            json!({ "$defs": { "a": { "not": { "$ref": "#/$defs/b" } }, "b": { "allOf": [{ "$ref": "#/$defs/a" }] } }, "$ref": "#/$defs/a" }),
        ];
        for circle in circles {
            assert!(refusal(&circle).is_some_and(|why| why.contains("refers to itself")), "{circle}");
        }
        let deep =
            (0..100_000).fold(json!({}), |inner, _| Value::Object([("not".to_owned(), inner)].into_iter().collect()));
        assert!(refusal(&deep).is_some_and(|why| why.contains("flatten it")));
        // Such a value cannot be dropped either without a stack as deep.
        std::mem::forget(deep);
        assert!(refusal(&json!({ "const": "x".repeat(MAX_BYTES) })).is_some_and(|why| why.contains("above the limit")));
    }

    #[test]
    fn a_pattern_is_linear_and_small_or_refused() {
        for pattern in ["(a)\\1", "(?=a)b", "(?<!a)b", "(", "(?:a{1000}){1000}"] {
            for schema in [json!({ "pattern": pattern }), json!({ "patternProperties": { pattern: {} } })] {
                assert!(refusal(&schema).is_some(), "{schema}");
            }
        }
        let begun = std::time::Instant::now();
        let text = format!("{}b", "a".repeat(100_000));
        let value = validator(&json!({ "pattern": "^(a|a|aa)+$" })).expect("a schema");
        assert!(!value.is_valid(&Value::from(text.as_str())));
        let name = validator(&json!({ "patternProperties": { "^(a+)+$": false } })).expect("a schema");
        assert!(name.is_valid(&json!({ text: 1 })));
        // An engine that goes back would take longer than there is time.
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
    }
}
