//! Arguments against a tool's JSON Schema, said so that a model can repair them.

use sallyport::Violation;
use serde_json::Value;

/// The most violations that are told at once.
const TOLD: usize = 12;

/// Everything in `value` that breaks `schema`. A schema that is none is the connector's fault and breaks nothing here:
/// the runtime refused it at install, and checks again at the call.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<Violation> {
    let Ok(validator) = jsonschema::validator_for(schema) else { return Vec::new() };
    let violation = |error: jsonschema::ValidationError<'_>| Violation {
        at: error.instance_path().to_string(),
        message: error.to_string().chars().take(400).collect(),
    };
    validator.iter_errors(value).take(TOLD).map(violation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_violation_names_its_place() {
        let schema = json!({"type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {"name": {"type": "string"}, "lists": {"type": "array", "items": {"type": "string"}}}});
        assert!(violations(&schema, &json!({"name": "x"})).is_empty());
        let found = violations(&schema, &json!({"lists": ["a", 3]}));
        assert!(found.iter().any(|v| v.at == "/lists/1"), "{found:?}");
        assert!(found.iter().any(|v| v.at.is_empty() && v.message.contains("name")), "{found:?}");
    }
}
