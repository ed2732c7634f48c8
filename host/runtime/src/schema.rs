//! JSON Schemas of tools, and violations that a model can repair from.

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use sallyport_pack::schema;
use serde_json::Value;

use crate::error::Violation;

/// More are not listed: a model repairs a few at a time, and a stranger chose how many there are.
const MOST: usize = 10;
/// The longest message, in characters: values are quoted in it.
const LONGEST: usize = 300;

/// A schema that cannot be used. The connector's author mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no usable JSON Schema{}: {message}", if .at.is_empty() { String::new() } else { format!(" at {}", .at) })]
pub struct BadSchema {
    /// JSON pointer into the schema.
    pub at: String,
    /// What is wrong.
    pub message: String,
}

/// A compiled JSON Schema (2020-12). It never fetches anything, and is as much work as its size shows.
#[derive(Clone, Debug)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// [`BadSchema`]: it is none, too long or too deep, refers to another document or to itself, or has a pattern that a
    /// linear-time engine cannot match.
    pub fn compile(value: &Value) -> Result<Self, BadSchema> {
        if let Some(problem) = schema::problems("schema", value).first() {
            return Err(BadSchema { at: String::new(), message: cut(&problem.message) });
        }
        schema::validator(value)
            .map(|validator| Self { validator })
            .map_err(|error| BadSchema { at: error.instance_path().to_string(), message: cut(&error.to_string()) })
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What breaks the schema, at most ten, in the schema's order.
    pub fn validate(&self, value: &Value) -> Result<(), Vec<Violation>> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let violations = self.validator.iter_errors(value).take(MOST);
        Err(violations
            .map(|error| Violation { at: error.instance_path().to_string(), message: message(&error) })
            .collect())
    }
}

/// What is wrong and, where the library's words leave it open, what would be right.
fn message(error: &jsonschema::ValidationError<'_>) -> String {
    let words = error.to_string();
    cut(&match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| format!("{name:?}")).collect();
            format!("there is no property {}: leave it out", names.join(", "))
        }
        ValidationErrorKind::Required { property } => format!("the property {property} is missing"),
        ValidationErrorKind::Type { .. } => format!("{words}; it is {}", kind(error.instance())),
        ValidationErrorKind::Enum { options } => {
            format!("{} is none of {options}", error.instance())
        }
        _ => words,
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn board() -> Schema {
        Schema::compile(&json!({
            "type": "object",
            "required": ["name", "lists"],
            "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "minLength": 1 },
                "visibility": { "enum": ["private", "public"] },
                "lists": { "type": "array", "maxItems": 3, "items": { "$ref": "#/$defs/list" } },
                "due": { "type": ["string", "null"], "format": "date" },
            },
            "$defs": { "list": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } } },
        }))
        .expect("a schema")
    }

    #[test]
    fn a_violation_says_where_and_what_would_be_right() {
        let schema = board();
        assert!(schema.validate(&json!({ "name": "Q4", "lists": [{ "name": "To do" }] })).is_ok());
        let table = [
            (json!({ "lists": [] }), "", "\"name\" is missing"),
            (json!({ "name": 1, "lists": [] }), "/name", "a number"),
            (json!({ "name": "x", "lists": [{}] }), "/lists/0", "\"name\" is missing"),
            (json!({ "name": "x", "lists": [], "boards": 1 }), "", "\"boards\""),
            (json!({ "name": "x", "lists": [], "visibility": "secret" }), "/visibility", "private"),
            (json!([]), "", "object"),
        ];
        for (value, at, says) in table {
            let violations = schema.validate(&value).expect_err("a violation");
            let found = violations.iter().any(|violation| violation.at == at && violation.message.contains(says));
            assert!(found, "{value}: {violations:?}");
        }
    }

    #[test]
    fn violations_are_few_and_short() {
        let schema = Schema::compile(&json!({ "items": { "type": "integer" } })).expect("a schema");
        let value: Value = (0..500).map(|_| Value::from("x".repeat(5_000))).collect();
        let violations = schema.validate(&value).expect_err("violations");
        assert_eq!(violations.len(), MOST);
        assert!(violations.iter().all(|violation| violation.message.chars().count() <= LONGEST + 1));
    }

    #[test]
    fn a_schema_that_reaches_out_or_is_none_is_refused() {
        for schema in [
            json!({ "$ref": "https://example.com/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "$ref": "#" }),
            json!({ "type": "objekt" }),
            json!({ "pattern": "(a)\\1" }),
            json!(3),
        ] {
            assert!(Schema::compile(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn a_pattern_of_a_stranger_is_matched_in_linear_time() {
        let schema = Schema::compile(&json!({ "pattern": "^(a+)+$" })).expect("a schema");
        let value = Value::from(format!("{}b", "a".repeat(50_000)));
        assert!(schema.validate(&value).is_err());
    }
}
