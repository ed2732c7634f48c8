//! Reading a manifest so that everything wrong with it is told at once.
//!
//! Serde stops at the first error. Each section is therefore read by itself, and read again without the key that was
//! wrong until
//! nothing new turns up.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::{Manifest, ManifestErrors, Problem, SCHEMA, check};

/// Sections of the file, in the order in which people write them.
const SECTIONS: &[&str] = &[
    "schema",
    "connector",
    "origins",
    "http",
    "client",
    "setting",
    "auth",
    "capability",
    "tool",
    "sync",
    "rate_limit",
    "answer",
    "webhook",
];

/// No section has more errors than this worth telling.
const MAX_PROBLEMS: usize = 20;

pub(super) fn from_toml(text: &str) -> Result<Manifest, ManifestErrors> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        ManifestErrors::new(vec![Problem::new("", format!("not TOML: {}", error.to_string().trim_end()))])
    })?;
    read(table)
}

pub(super) fn from_json(value: &serde_json::Value) -> Result<Manifest, ManifestErrors> {
    let table = Table::try_from(value)
        .map_err(|error| ManifestErrors::new(vec![Problem::new("", format!("not a manifest in JSON: {error}"))]))?;
    read(table)
}

fn read(table: Table) -> Result<Manifest, ManifestErrors> {
    let mut reader = Reader { table, problems: Vec::new(), unreadable: false };
    let schema = reader.schema();
    for key in reader.table.keys().filter(|key| !SECTIONS.contains(&key.as_str())) {
        reader.problems.push(Problem::new(key, unknown_key(key, SECTIONS)));
    }
    let manifest = Manifest {
        schema,
        connector: match reader.optional("connector") {
            Some(connector) => connector,
            None => return Err(reader.missing("connector", "write [connector] with id, provider, name and version")),
        },
        origins: reader.optional("origins").unwrap_or_default(),
        http: reader.optional("http").unwrap_or_default(),
        client: reader.optional("client").unwrap_or_default(),
        settings: reader.list("setting"),
        auth: reader.list("auth"),
        capabilities: reader.list("capability"),
        tools: reader.list("tool"),
        sync: reader.optional("sync"),
        rate_limits: reader.list("rate_limit"),
        answers: reader.list("answer"),
        webhook: reader.optional("webhook"),
    };
    // What could not be read may be what another section refers to: then references say nothing.
    if !reader.unreadable {
        reader.problems.extend(check::references(&manifest));
    }
    if reader.problems.is_empty() { Ok(manifest) } else { Err(ManifestErrors::new(reader.problems)) }
}

struct Reader {
    table: Table,
    problems: Vec<Problem>,
    unreadable: bool,
}

impl Reader {
    fn schema(&mut self) -> u32 {
        let message = match self.table.get("schema") {
            Some(Value::Integer(found)) if *found == i64::from(SCHEMA) => return SCHEMA,
            Some(Value::Integer(found)) if *found > i64::from(SCHEMA) => {
                format!("this is form {found} and this program reads {SCHEMA}: update sallyport")
            }
            Some(_) => format!("write schema = {SCHEMA}"),
            None => format!("missing: write schema = {SCHEMA} in the first line"),
        };
        self.problems.push(Problem::new("schema", message));
        SCHEMA
    }

    fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.table.get(key)?.clone();
        self.value(value, key)
    }

    fn list<T: DeserializeOwned>(&mut self, key: &str) -> Vec<T> {
        match self.table.get(key).cloned() {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .filter_map(|(at, item)| self.value(item, &format!("{key}[{at}]")))
                .collect(),
            Some(_) => {
                self.problems.push(Problem::new(key, format!("there may be several of these: write [[{key}]]")));
                self.unreadable = true;
                Vec::new()
            }
        }
    }

    /// Reads a value, dropping what is wrong in it, key by key, to see what else is.
    fn value<T: DeserializeOwned>(&mut self, mut value: Value, at: &str) -> Option<T> {
        let mut dropped = false;
        for _ in 0..MAX_PROBLEMS {
            let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
                Ok(read) => {
                    self.unreadable |= dropped;
                    return Some(read);
                }
                Err(error) => error,
            };
            let mut path: Vec<Segment> = error.path().iter().cloned().collect();
            let text = error.into_inner().to_string();
            let text = text.trim_end();
            let (message, unknown) = match UnknownField::parse(text) {
                Some(field) => {
                    if !matches!(path.last(), Some(Segment::Map { key }) if *key == field.name) {
                        path.push(Segment::Map { key: field.name.clone() });
                    }
                    let known: Vec<&str> = field.known.iter().map(String::as_str).collect();
                    (unknown_key(&field.name, &known), true)
                }
                None => (reworded(text), false),
            };
            // A key that is missing because it was dropped has been told already.
            if !(dropped && text.starts_with("missing field")) {
                self.problems.push(Problem::new(joined(at, &path), message));
            }
            if path.is_empty() || !remove(&mut value, &path) {
                break;
            }
            dropped |= !unknown;
        }
        self.unreadable = true;
        None
    }

    fn missing(mut self, key: &str, help: &str) -> ManifestErrors {
        if !self.table.contains_key(key) {
            self.problems.push(Problem::new(key, format!("missing: {help}")));
        }
        ManifestErrors::new(self.problems)
    }
}

/// Serde's words for what people call otherwise.
fn reworded(text: &str) -> String {
    match text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => format!("{field} is missing: write it"),
        None => text.to_owned(),
    }
}

struct UnknownField {
    name: String,
    known: Vec<String>,
}

impl UnknownField {
    /// "unknown field `x`, expected one of `a`, `b`"
    fn parse(text: &str) -> Option<Self> {
        let mut names = text.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2).map(str::to_owned);
        Some(Self { name: names.next()?, known: names.collect() })
    }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    match nearest(key, known) {
        Some(near) => format!("unknown key: did you mean {near:?}?"),
        None if known.is_empty() => "unknown key: nothing is written here".to_owned(),
        None => format!("unknown key: known here are {}", known.join(", ")),
    }
}

/// The known word that is at most a third of its letters away.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // A key of a thousand letters is nobody's slip of the pen.
    if word.len() > 100 {
        return None;
    }
    let (distance, near) = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min()?;
    (distance <= near.len().max(3) / 3).then_some(near)
}

/// How many letters are added, dropped, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

fn joined(at: &str, path: &[Segment]) -> String {
    let mut text = at.to_owned();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } => text.push_str(&format!(".{key}")),
            Segment::Enum { variant } => text.push_str(&format!(".{variant}")),
            Segment::Unknown => {}
        }
    }
    text
}

/// Removes what a path leads to; false if it leads nowhere.
fn remove(value: &mut Value, path: &[Segment]) -> bool {
    match (value, path) {
        (Value::Table(table), [Segment::Map { key }]) => table.remove(key).is_some(),
        (Value::Array(items), [Segment::Seq { index }]) if *index < items.len() => {
            items.remove(*index);
            true
        }
        (Value::Table(table), [Segment::Map { key }, rest @ ..]) => {
            table.get_mut(key).is_some_and(|inner| remove(inner, rest))
        }
        (Value::Array(items), [Segment::Seq { index }, rest @ ..]) => {
            items.get_mut(*index).is_some_and(|inner| remove(inner, rest))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_offered_only_if_it_is_near() {
        let known = ["capability", "connector", "rate_limit"];
        assert_eq!(nearest("capabilities", &known), Some("capability"));
        assert_eq!(nearest("ratelimit", &known), Some("rate_limit"));
        assert_eq!(nearest("zzz", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
