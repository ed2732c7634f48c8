//! What a later write of an approved invocation may say: what a person saw, and what the invocation itself created.

use std::collections::HashSet;

use serde_json::Value;

/// The longest answer that is searched for created ids, in values.
const MOST_CREATED: usize = 10_000;
/// Whole numbers below this carry a position or a count, no message.
const SMALL: u64 = 1 << 16;

/// Approved text, and ids that earlier writes answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// Strings of the arguments and of exact writes that a person approved.
    approved: Vec<String>,
    /// Scalars of the arguments and of answers to earlier writes: what a place may be named by.
    places: HashSet<String>,
    /// Values that the tool's sealed schema spells out: they were there before anything was read.
    vocabulary: HashSet<String>,
}

impl Words {
    /// The words of approved arguments, and those that the tool's input schema spells out.
    pub(super) fn new(arguments: &Value, schema: &Value) -> Self {
        let mut words = Self::default();
        words.approve(arguments);
        spelt_out(schema, &mut words.vocabulary);
        words
    }

    /// Adds what a person approved.
    pub(super) fn approve(&mut self, value: &Value) {
        scalars(value, &mut |text, is_text| {
            if is_text {
                self.approved.push(text.clone());
            }
            self.places.insert(text);
        });
    }

    /// Adds what a write of this invocation answered: ids of what it created.
    pub(super) fn created(&mut self, answer: &Value) {
        let mut left = MOST_CREATED;
        scalars(answer, &mut |text, _| {
            if left > 0 && text.len() <= 256 {
                left -= 1;
                self.places.insert(text);
            }
        });
    }

    /// Whether a place was approved or created here.
    pub(super) fn names(&self, place: &str) -> bool {
        self.places.contains(place)
    }

    /// The first piece of text or number in `value` that nobody approved; `known` is judged elsewhere.
    pub(super) fn unapproved(&self, value: &Value, known: &impl Fn(&str) -> bool) -> Option<String> {
        match value {
            Value::Null | Value::Bool(_) => None,
            Value::Number(number) => {
                let small = number.as_i64().is_some_and(|n| n.unsigned_abs() < SMALL);
                (!small && !self.places.contains(&number.to_string())).then(|| number.to_string())
            }
            Value::String(text) => (!known(text) && !self.covers(text)).then(|| text.clone()),
            Value::Array(items) => items.iter().find_map(|item| self.unapproved(item, known)),
            Value::Object(members) => members.values().find_map(|member| self.unapproved(member, known)),
        }
    }

    /// Whether every line stands in approved text, is a word of the schema or an id created here. Marks of lists and
    /// headings before a line are the connector's to add.
    fn covers(&self, text: &str) -> bool {
        let whole = |text: &str| {
            text.is_empty()
                || self.vocabulary.contains(text)
                || self.places.contains(text)
                || self.approved.iter().any(|approved| approved.contains(text))
        };
        whole(text.trim()) || text.lines().all(|line| whole(line.trim().trim_start_matches(['-', '*', '#', '>', ' '])))
    }
}

fn scalars(value: &Value, take: &mut impl FnMut(String, bool)) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => take(number.to_string(), false),
        Value::String(text) => take(text.clone(), true),
        Value::Array(items) => items.iter().for_each(|item| scalars(item, take)),
        Value::Object(members) => members.values().for_each(|member| scalars(member, take)),
    }
}

/// `const`, `default` and `enum` of a schema, at any depth.
fn spelt_out(schema: &Value, vocabulary: &mut HashSet<String>) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                if matches!(key.as_str(), "const" | "default" | "enum") {
                    scalars(member, &mut |text, _| {
                        vocabulary.insert(text);
                    });
                }
                spelt_out(member, vocabulary);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| spelt_out(item, vocabulary)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_later_write_says_what_was_approved_or_created_and_nothing_else() {
        let schema =
            json!({ "properties": { "pos": { "enum": ["top", "bottom"] }, "public": { "default": "private" } } });
        let mut words = Words::new(
            &json!({ "name": "Q4 launch", "lists": [{ "name": "To do", "notes": "Ship by May.\nAsk Ada." }] }),
            &schema,
        );
        words.created(&json!({ "id": "b1", "short": 99_999_999 }));
        let table = [
            (json!("To do"), None),
            (json!("Ship by May."), None),
            (json!("- Ship by May.\n- Ask Ada."), None),
            (json!("b1"), None),
            (json!("bottom"), None),
            (json!({ "a": [1, true, null, "private"] }), None),
            (json!(99_999_999), None),
            (json!("Salaries: 100"), Some("Salaries: 100")),
            (json!("To do\nsalaries"), Some("To do\nsalaries")),
            (json!({ "a": [{ "b": "other" }] }), Some("other")),
            (json!(123_456_789_u64), Some("123456789")),
            (json!(0.125), Some("0.125")),
        ];
        for (value, unapproved) in table {
            assert_eq!(words.unapproved(&value, &|_| false).as_deref(), unapproved, "{value}");
        }
        assert!(words.names("b1") && words.names("Q4 launch") && !words.names("b2"));
    }
}
