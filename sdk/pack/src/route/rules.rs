//! What a route lets a request carry, and what it remembers of it.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::{Parameters, Params, RouteTemplate, parameters::parse_json};
use crate::manifest::{HeaderName, Scalar, ValueError, as_string};

/// A route of a capability: the template, and for a write what it may carry.
///
/// In a manifest a string is a route without rules; a table has the template in `match`. Where two routes of live
/// capabilities
/// match a request, one that [admits](Route::admit) it is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Method, origin and path.
    #[serde(rename = "match")]
    pub template: RouteTemplate,
    /// The only parameters that a request may carry, in query and body together. `None` limits nothing, which the
    /// packer
    /// warns of for a write. An empty list: no parameter at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<ParameterPath>>,
    /// What names a place: in a later write of an invocation each must equal a value in the approved arguments or in an
    /// answer to an earlier write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bind: Vec<Bind>,
    /// Parameters that must be present and may have these values only, as `type = ["user", "group"]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<ParameterPath, Vec<Scalar>>,
    /// Parameters that the host sets and a guest may not, in subscribe capabilities.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fill: BTreeMap<String, Fill>,
    /// What the body is.
    #[serde(skip_serializing_if = "Body::is_parameters")]
    pub body: Body,
    /// Whether a write whose outcome is unknown may be sent again.
    #[serde(skip_serializing_if = "Repeat::is_never")]
    pub repeat: Repeat,
    /// What makes a repetition harmless, where `repeat = "key"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_key: Option<RepeatKey>,
    /// Whether the credential is attached. False for addresses that are themselves the permission (signed links).
    #[serde(skip_serializing_if = "is_true")]
    pub credentials: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_true(value: &bool) -> bool {
    *value
}

/// What a request's body is, to a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Form, JSON or multipart: its parameters are judged as the query's are.
    #[default]
    Parameters,
    /// Bytes that are content and nothing else, as an upload's: `keys` speak of the query only.
    Raw,
}

impl Body {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_parameters(&self) -> bool {
        *self == Self::Parameters
    }
}

/// Whether a write may be sent again when nobody knows if it took effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// No: a person decides.
    #[default]
    Never,
    /// Yes: twice is as once.
    Safe,
    /// Yes, because the request carries a key by which the service recognises it.
    Key,
}

impl Repeat {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// Where the key of a repeatable write stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatKey {
    /// A parameter that the guest sets, as an id made beforehand. A request without it is not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<ParameterPath>,
    /// A header that the host sets to a value of its own, the same for every sending of this write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderName>,
    /// Answers which say that the first sending took effect, as 409.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<u16>,
}

/// What the host puts into a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fill {
    /// The token that deliveries for this subscription must bring back.
    #[serde(rename = "subscription.token")]
    Token,
    /// The address to which deliveries go.
    #[serde(rename = "subscription.callback")]
    Callback,
}

/// A parameter, or a member within its JSON: `parent` or `parent/page_id`. Written as an RFC 6901 pointer without its
/// first
/// slash; arrays are passed through, so that `files/id` is the `id` of every file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParameterPath(Vec<String>);

impl ParameterPath {
    /// The parameter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0[0]
    }

    /// The names below it.
    #[must_use]
    pub fn inner(&self) -> &[String] {
        &self.0[1..]
    }

    /// Whether `other` is this or lies within it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Every value that the path leads to.
    #[must_use]
    pub fn find(&self, parameters: &Parameters) -> Vec<Value> {
        let mut found = Vec::new();
        for (_, value) in parameters.iter().filter(|(name, _)| *name == self.name()) {
            descend(value, self.inner(), &mut found);
        }
        found
    }
}

/// Collects what `path` leads to, through arrays. A string on the way is read as JSON: a form field may hold it.
fn descend(value: &Value, path: &[String], found: &mut Vec<Value>) {
    match (value, path) {
        (Value::Array(items), _) => items.iter().for_each(|item| descend(item, path, found)),
        (value, []) => found.push(value.clone()),
        (Value::Object(members), [name, rest @ ..]) => {
            if let Some(member) = members.get(name) {
                descend(member, rest, found);
            }
        }
        (Value::String(text), _) => {
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = parse_json(text.as_bytes()) {
                descend(&inner, path, found);
            }
        }
        _ => {}
    }
}

/// Whether a value carries nothing but what the paths below it allow. An empty path allows all.
fn covered(value: &Value, allowed: &[&[String]]) -> bool {
    if allowed.iter().any(|path| path.is_empty()) {
        return true;
    }
    match value {
        Value::Array(items) => items.iter().all(|item| covered(item, allowed)),
        Value::Object(members) => members.iter().all(|(name, member)| {
            let below: Vec<&[String]> = allowed.iter().filter(|path| path[0] == *name).map(|path| &path[1..]).collect();
            !below.is_empty() && covered(member, &below)
        }),
        Value::String(text) => match parse_json(text.as_bytes()) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => covered(&inner, allowed),
            _ => false,
        },
        _ => false,
    }
}

impl FromStr for ParameterPath {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let names: Vec<String> = text.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
        if names.iter().any(String::is_empty) || text.contains(['{', '}']) || text.chars().any(char::is_whitespace) {
            return Err(ValueError(format!(
                "{text:?} is no parameter: write its name, or \"name/inner\" for a member of its JSON"
            )));
        }
        Ok(Self(names))
    }
}

impl fmt::Display for ParameterPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(|name| name.replace('~', "~0").replace('/', "~1")).collect();
        f.write_str(&names.join("/"))
    }
}

as_string!(ParameterPath);

/// Something that names a place: a segment of the path (`{id}`) or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bind {
    /// A `{x}` of the template, by its name without braces.
    Segment(String),
    /// A parameter.
    Parameter(ParameterPath),
}

impl FromStr for Bind {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Ok(Self::Segment(name.to_owned())),
            None => text.parse().map(Self::Parameter),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(name) => write!(f, "{{{name}}}"),
            Self::Parameter(path) => path.fmt(f),
        }
    }
}

as_string!(Bind);

/// One value that names a place in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// What holds it, as `bind` names it.
    pub place: String,
    /// The value as text.
    pub value: String,
}

/// Why a request that matches a route's template may not go by it. The guest mends it, or a grant for another
/// capability is needed;
/// sending it again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A parameter that the route does not list.
    #[error("the parameter {parameter:?} is not among the keys of \"{route}\" ({keys})")]
    Parameter {
        /// The route's template.
        route: String,
        /// The parameter.
        parameter: String,
        /// What the route lists.
        keys: String,
    },
    /// A parameter with another value than the route allows, or none.
    #[error("\"{route}\" asks for {parameter:?} with one of: {allowed}")]
    Value {
        /// The route's template.
        route: String,
        /// The parameter.
        parameter: String,
        /// What it may be.
        allowed: String,
    },
    /// A parameter that stands twice: servers differ in which one they take.
    #[error("the parameter {parameter:?} stands twice in a request by \"{route}\"")]
    Doubled {
        /// The route's template.
        route: String,
        /// The parameter.
        parameter: String,
    },
    /// A body of bytes where the route allows listed parameters only.
    #[error(
        "the body of a request by \"{route}\" must be a form, a JSON object or multipart, so that its parameters can be judged"
    )]
    Opaque {
        /// The route's template.
        route: String,
    },
}

impl Route {
    /// A route without rules, as a string in a manifest is.
    #[must_use]
    pub fn bare(template: RouteTemplate) -> Self {
        Self {
            template,
            keys: None,
            bind: Vec::new(),
            values: BTreeMap::new(),
            fill: BTreeMap::new(),
            body: Body::Parameters,
            repeat: Repeat::Never,
            repeat_key: None,
            credentials: true,
        }
    }

    /// Whether a request that matches the template may carry what it carries.
    ///
    /// # Errors
    /// [`Refusal`] names the parameter.
    pub fn admit(&self, parameters: &Parameters) -> Result<(), Refusal> {
        let route = || self.template.to_string();
        let raw = self.body == Body::Raw;
        if let Some(keys) = &self.keys {
            if let Some(parameter) = parameters.doubled() {
                return Err(Refusal::Doubled { route: route(), parameter: parameter.to_owned() });
            }
            if parameters.is_opaque() && !raw {
                return Err(Refusal::Opaque { route: route() });
            }
            let judged: Vec<(&str, &Value)> =
                if raw { parameters.query().collect() } else { parameters.iter().collect() };
            for (name, value) in judged {
                let below: Vec<&[String]> =
                    keys.iter().filter(|key| key.name() == name).map(ParameterPath::inner).collect();
                if below.is_empty() || !covered(value, &below) {
                    return Err(Refusal::Parameter { route: route(), parameter: name.to_owned(), keys: list(keys) });
                }
            }
        }
        if let Some((name, _)) = parameters.iter().find(|(name, _)| self.fill.contains_key(*name)) {
            let keys = "the host sets it".to_owned();
            return Err(Refusal::Parameter { route: route(), parameter: name.to_owned(), keys });
        }
        let judged = self.judged(parameters);
        for (path, allowed) in &self.values {
            let found = path.find(&judged);
            if found.is_empty() || !found.iter().all(|value| allowed.iter().any(|scalar| scalar.equals(value))) {
                return Err(Refusal::Value { route: route(), parameter: path.to_string(), allowed: list(allowed) });
            }
        }
        Ok(())
    }

    /// What the route's rules speak of: content is no parameter, even if its media type says that it is a form.
    #[must_use]
    pub fn judged<'p>(&self, parameters: &'p Parameters) -> Cow<'p, Parameters> {
        match self.body {
            Body::Parameters => Cow::Borrowed(parameters),
            Body::Raw => Cow::Owned(parameters.without_body()),
        }
    }

    /// Every value in a request that names a place. Lists give each of their items, also those that are written with
    /// commas
    /// between them; null and what is absent give nothing; an object gives its JSON, which equals no argument and so
    /// asks a person.
    #[must_use]
    pub fn bound(&self, params: &Params, parameters: &Parameters) -> Vec<Bound> {
        let mut bound = Vec::new();
        for bind in &self.bind {
            let place = bind.to_string();
            match bind {
                Bind::Segment(name) => {
                    bound.extend(params.get(name).map(|value| Bound { place, value: value.to_owned() }));
                }
                Bind::Parameter(path) => {
                    for value in path.find(parameters) {
                        let values = match value {
                            Value::Null => Vec::new(),
                            Value::String(text) => text
                                .split(',')
                                .map(str::trim)
                                .filter(|item| !item.is_empty())
                                .map(str::to_owned)
                                .collect(),
                            other => vec![other.to_string()],
                        };
                        bound.extend(values.into_iter().map(|value| Bound { place: place.clone(), value }));
                    }
                }
            }
        }
        bound
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A string or a table, without the guessing of an untagged enum, so that an error keeps its place.
impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            r#match: RouteTemplate,
            keys: Option<Vec<ParameterPath>>,
            #[serde(default)]
            bind: Vec<Bind>,
            #[serde(default)]
            values: BTreeMap<ParameterPath, Vec<Scalar>>,
            #[serde(default)]
            fill: BTreeMap<String, Fill>,
            #[serde(default)]
            body: Body,
            #[serde(default)]
            repeat: Repeat,
            repeat_key: Option<RepeatKey>,
            credentials: Option<bool>,
        }

        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Route;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a route as \"GET {api}/path\" or a table with match and keys")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Route, E> {
                text.parse().map(Route::bare).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Route, A::Error> {
                let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Route {
                    template: table.r#match,
                    keys: table.keys,
                    bind: table.bind,
                    values: table.values,
                    fill: table.fill,
                    body: table.body,
                    repeat: table.repeat,
                    repeat_key: table.repeat_key,
                    credentials: table.credentials.unwrap_or(true),
                })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_calls_itself_a_form_brings_no_value_that_a_route_asks_for() {
        let route: Route = toml::from_str(
            r#"match = "POST {api}/files"
            keys = ["kind"]
            values = { kind = ["media"] }
            body = "raw""#,
        )
        .expect("a route");
        let query = |url: &str| Parameters::from_query(&url.parse().expect("a URL"));
        let mut content = query("https://example.com/files");
        content.add_form(b"kind=media").expect("a form");
        assert!(matches!(route.admit(&content), Err(Refusal::Value { .. })), "the query does not say it");
        let mut content = query("https://example.com/files?kind=media");
        content.set_opaque();
        assert_eq!(route.admit(&content), Ok(()));
    }
}
