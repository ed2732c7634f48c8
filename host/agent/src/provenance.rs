//! Where the values of a call come from, as an approval shows it.

use serde::Serialize;
use serde_json::Value;

use crate::text::{shortened, stands_in};

/// Where one value comes from. It is shown to people and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// JSON pointer into the arguments.
    pub at: String,
    /// `request` (the user's words), `resolved` (a name of theirs, looked up), `document`, or `model`.
    pub from: &'static str,
    /// The words that it was taken from; for a document that a model used, its title. At most 200 characters.
    pub quote: String,
}

/// Traces every text of `arguments` to where it stands word for word. What stands nowhere is the model's own.
pub(crate) fn trace(arguments: &Value, words: &[String], texts: &[(String, String)]) -> Vec<Provenance> {
    let mut found = Vec::new();
    walk(arguments, String::new(), &mut |at, value| {
        let (from, quote) = match texts.iter().find(|(_, text)| stands_in(value, text)) {
            _ if words.iter().any(|words| stands_in(value, words)) => ("request", value),
            Some((title, _)) => ("document", title.as_str()),
            None => ("model", value),
        };
        found.push(Provenance { at, from, quote: shortened(quote, 200) });
    });
    found
}

fn walk(value: &Value, at: String, visit: &mut impl FnMut(String, &str)) {
    match value {
        Value::String(text) if !text.is_empty() => visit(at, text),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(i, value)| walk(value, format!("{at}/{i}"), visit))
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                walk(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), visit);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_text_is_traced_to_where_it_stands() {
        let words = ["make a board called Apollo".to_owned()];
        let texts = [("Plan".to_owned(), "- Call the printer".to_owned())];
        let arguments = json!({"name": "Apollo", "cards": [{"name": "Call the printer"}, {"name": "Dance"}], "n": 3});
        let from: Vec<_> = trace(&arguments, &words, &texts).into_iter().map(|p| (p.at, p.from, p.quote)).collect();
        let expected = [
            ("/name", "request", "Apollo"),
            ("/cards/0/name", "document", "Plan"),
            ("/cards/1/name", "model", "Dance"),
        ];
        assert_eq!(from, expected.map(|(at, from, quote)| (at.to_owned(), from, quote.to_owned())));
    }
}
