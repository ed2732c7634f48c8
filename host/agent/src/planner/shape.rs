//! JSON Schemas as shapes to fill, with references and nullable alternatives seen through.

use serde_json::Value;

use super::words::{name_words, noun};

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape<'a> {
    /// One of these.
    Choice(&'a [Value]),
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// Values of this schema.
    List(&'a Value),
    /// Named values.
    Record,
    /// Nothing that can be filled from a request.
    Other,
}

/// A schema with the document that its references point into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema<'a> {
    root: &'a Value,
    here: &'a Value,
}

impl<'a> Schema<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, here: root }.seen_through()
    }

    /// Another schema of the same document.
    pub(super) fn at(self, here: &'a Value) -> Self {
        Self { root: self.root, here }.seen_through()
    }

    /// Follows `$ref` and takes the first alternative that is not null. Bounded: a schema may refer to itself.
    fn seen_through(mut self) -> Self {
        for _ in 0..16 {
            let reference = self.here.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
            let alternatives = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| self.here.get(*key)?.as_array());
            let next = match (reference, alternatives) {
                (Some(to), _) => self.root.pointer(to),
                (None, Some(all)) if self.here.get("properties").is_none() => {
                    all.iter().find(|one| one.get("type").and_then(Value::as_str) != Some("null"))
                }
                _ => None,
            };
            match next {
                Some(next) => self.here = next,
                None => break,
            }
        }
        self
    }

    pub(super) fn shape(self) -> Shape<'a> {
        if let Some(only) = self.here.get("const") {
            return Shape::Choice(std::slice::from_ref(only));
        }
        if let Some(values) = self.here.get("enum").and_then(Value::as_array) {
            return Shape::Choice(values);
        }
        let kinds: Vec<&str> = match self.here.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ if self.here.get("properties").is_some() => vec!["object"],
            _ => vec![],
        };
        match kinds.into_iter().find(|kind| *kind != "null") {
            Some("string") => Shape::Text,
            Some("integer") => Shape::Integer,
            Some("number") => Shape::Number,
            Some("boolean") => Shape::Flag,
            Some("array") => self.here.get("items").map_or(Shape::Other, Shape::List),
            Some("object") => Shape::Record,
            _ => Shape::Other,
        }
    }

    /// The properties of a record, in their order.
    pub(super) fn properties(self) -> impl Iterator<Item = (&'a str, Schema<'a>)> {
        let properties = self.here.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(move |(name, schema)| (name.as_str(), self.at(schema)))
    }

    pub(super) fn requires(self, name: &str) -> bool {
        let required = self.here.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|required| required == name))
    }

    pub(super) fn default(self) -> Option<&'a Value> {
        self.here.get("default").filter(|value| !value.is_null())
    }

    pub(super) fn number(self, keyword: &str) -> Option<usize> {
        self.here.get(keyword)?.as_u64().and_then(|number| usize::try_from(number).ok())
    }

    pub(super) fn text(self, keyword: &str) -> &'a str {
        self.here.get(keyword).and_then(Value::as_str).unwrap_or_default()
    }

    /// How many lists of records lie within each other here, this one included; 0 if it is none.
    pub(super) fn depth(self) -> usize {
        self.depth_within(8)
    }

    fn depth_within(self, left: usize) -> usize {
        let Shape::List(items) = self.shape() else { return 0 };
        let items = self.at(items);
        if items.shape() != Shape::Record || left == 0 {
            return 0;
        }
        1 + items.properties().map(|(_, property)| property.depth_within(left - 1)).max().unwrap_or(0)
    }
}

/// What a property is for, as its name, format and description say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The id of a thing of this kind ("list"), which has to be looked up.
    Id(String),
    /// What the thing is called; of another thing than the one in hand where a noun is given (`list_name`).
    Name(Option<String>),
    /// Its text.
    Body,
    /// A day.
    Date,
    /// The day on which it begins.
    Start,
    /// An address of a person.
    Email,
    /// An address on the web.
    Url,
    /// Something of that name.
    Other,
}

/// What a property is for.
pub(super) fn role(name: &str, schema: Schema<'_>, steers: bool) -> Role {
    let words: Vec<String> = name_words(name).iter().map(|word| noun(word)).collect();
    let last = words.last().map(String::as_str).unwrap_or_default();
    let has = |all: &[&str]| words.iter().any(|word| all.contains(&word.as_str()));
    let before = || words[..words.len() - 1].last().cloned();
    match schema.text("format") {
        "email" => return Role::Email,
        "uri" | "url" | "iri" => return Role::Url,
        "date" | "date-time" if has(&["start", "begin", "from", "since"]) => return Role::Start,
        "date" | "date-time" => return Role::Date,
        _ => {}
    }
    match last {
        "id" | "key" | "ref" => Role::Id(before().unwrap_or_default()),
        "email" => Role::Email,
        "url" | "link" | "uri" => Role::Url,
        "due" | "deadline" | "date" | "day" if has(&["start", "begin"]) => Role::Start,
        "start" | "begin" => Role::Start,
        "due" | "deadline" | "date" | "end" => Role::Date,
        "name" | "title" | "subject" | "summary" | "headline" | "heading" => Role::Name(before()),
        "description" | "desc" | "body" | "text" | "content" | "note" | "message" | "detail" | "comment"
        | "markdown" => Role::Body,
        _ if steers => Role::Id(last.to_owned()),
        _ => Role::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_and_nullable_alternatives_are_seen_through() {
        let root = json!({"type": "object", "properties": {
            "lists": {"type": "array", "items": {"$ref": "#/$defs/List"}},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "due": {"type": ["string", "null"], "format": "date"}},
            "$defs": {"List": {"type": "object", "properties": {"cards": {"type": "array", "items": {"$ref": "#/$defs/Card"}}}},
                "Card": {"type": "object", "properties": {"name": {"type": "string"}}}}});
        let schema = Schema::new(&root);
        let depths: Vec<_> = schema.properties().map(|(name, property)| (name, property.depth())).collect();
        assert_eq!(depths, [("lists", 2), ("note", 0), ("due", 0)]);
        assert!(schema.properties().skip(1).all(|(_, property)| property.shape() == Shape::Text));
    }

    #[test]
    fn a_schema_that_refers_to_itself_has_an_end() {
        let root = json!({"$ref": "#"});
        assert_eq!(Schema::new(&root).shape(), Shape::Other);
        let tree = json!({"type": "array", "items": {"type": "object", "properties": {"children": {"$ref": "#"}}}});
        assert!(Schema::new(&tree).depth() <= 9);
    }

    #[test]
    fn names_say_what_a_property_is_for() {
        let text = json!({"type": "string"});
        let of = |name: &str| role(name, Schema::new(&text), false);
        assert_eq!(of("list_id"), Role::Id("list".into()));
        assert_eq!(of("boardId"), Role::Id("board".into()));
        assert_eq!(of("due"), Role::Date);
        assert_eq!(of("start_date"), Role::Start);
        assert_eq!(of("list_name"), Role::Name(Some("list".into())));
        assert_eq!(of("title"), Role::Name(None));
        assert_eq!(of("desc"), Role::Body);
        assert_eq!(of("owner"), Role::Other);
        assert_eq!(role("channel", Schema::new(&text), true), Role::Id("channel".into()));
    }
}
