//! The template: method or `*`, `{origin}`, path.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::manifest::OriginName;

/// The methods that a route may name.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// A template that cannot be read; the text says how to write it. The connector's author mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template:?} is no route: {why}")]
pub struct TemplateError {
    template: String,
    why: String,
}

/// `GET {api}/1/boards/{id}`: a method or `*`, an origin's name, a path.
///
/// In the path `{x}` is one segment that is not empty, and `**`, which comes last, one or more of them. Everything else
/// stands for itself, dots included, and is compared decoded and case-sensitively.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteTemplate {
    text: String,
    /// `None` is `*`: every method.
    method: Option<String>,
    origin: OriginName,
    segments: Vec<Segment>,
    rest: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Literal(String),
    Capture(String),
}

/// What the `{x}` of a template stood for in one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The value of one segment, by the name in the template without braces.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Names and values, in the order of the path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl RouteTemplate {
    /// The template as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The method, or `None` for `*`.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The origin's name.
    #[must_use]
    pub fn origin(&self) -> &OriginName {
        &self.origin
    }

    /// The names of the `{x}` segments, in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Capture(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Whether a request matches, and if so what its `{x}` segments are. `segments` come from
    /// [`path_segments`](super::path_segments).
    #[must_use]
    pub fn matches(&self, method: &str, origin: &OriginName, segments: &[&str]) -> Option<Params> {
        if self.method.as_deref().is_some_and(|own| own != method) || self.origin != *origin {
            return None;
        }
        let fits = if self.rest { segments.len() > self.segments.len() } else { segments.len() == self.segments.len() };
        if !fits || segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        let mut params = Params::default();
        for (own, given) in self.segments.iter().zip(segments) {
            match own {
                Segment::Literal(literal) if literal == given => {}
                Segment::Literal(_) => return None,
                Segment::Capture(name) => params.0.push((name.clone(), (*given).to_owned())),
            }
        }
        Some(params)
    }
}

impl FromStr for RouteTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        parse(text).map_err(|why| TemplateError { template: text.to_owned(), why })
    }
}

fn parse(text: &str) -> Result<RouteTemplate, String> {
    let (method, target) =
        text.split_once(' ').ok_or("write METHOD, a space, {origin} and a path, as \"GET {api}/files/{id}\"")?;
    if method != "*" && !METHODS.contains(&method) {
        return Err(format!("{method:?} is no method: write one of {} or *", METHODS.join(", ")));
    }
    let (origin, path) = target
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .ok_or("the target begins with an origin's name in braces, as {api}/files")?;
    let origin = OriginName::new(origin).map_err(|error| error.to_string())?;
    let path = path.strip_prefix('/').ok_or("after the origin comes a path that begins with /")?;

    let mut segments = Vec::new();
    let mut rest = false;
    let mut pieces = path.split('/').peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            "" if path.is_empty() => {}
            "" => return Err("the path has an empty segment".to_owned()),
            "**" if pieces.peek().is_none() => rest = true,
            "**" => return Err("** is the rest of the path and comes last".to_owned()),
            _ => segments.push(segment(piece, &segments)?),
        }
    }
    let method = (method != "*").then(|| method.to_owned());
    Ok(RouteTemplate { text: text.to_owned(), method, origin, segments, rest })
}

fn segment(piece: &str, before: &[Segment]) -> Result<Segment, String> {
    if let Some(name) = piece.strip_prefix('{').and_then(|piece| piece.strip_suffix('}')) {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(letters) {
            return Err(format!("{piece} is no segment name: write lower-case letters, digits and _ in the braces"));
        }
        let capture = Segment::Capture(name.to_owned());
        return if before.contains(&capture) { Err(format!("{piece} stands twice in the path")) } else { Ok(capture) };
    }
    if piece == "." || piece == ".." {
        return Err("the path has a dot segment".to_owned());
    }
    let plain = |c: char| c.is_alphanumeric() || "-._~!$&'()+,:@=".contains(c);
    match piece.chars().find(|c| !plain(*c)) {
        None => Ok(Segment::Literal(piece.to_owned())),
        Some('{' | '}') => Err(format!("{piece:?}: braces take a whole segment, as /{{id}}/")),
        Some('*') => Err(format!("{piece:?}: write {{name}} for one segment or ** for the rest")),
        Some('?' | '#') => Err("a route has no query or fragment: name its parameters in keys".to_owned()),
        Some(c) => Err(format!("{c:?} cannot stand in a path here: write it decoded, without percent signs or spaces")),
    }
}

impl fmt::Display for RouteTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for RouteTemplate {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        text.parse()
    }
}

impl From<RouteTemplate> for String {
    fn from(template: RouteTemplate) -> String {
        template.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `template`, asks it about `request` (method, origin, path) and gives what the captures were.
    fn ask(template: &str, request: &str) -> Option<Vec<(String, String)>> {
        let template: RouteTemplate = template.parse().expect(template);
        let mut words = request.split(' ');
        let (method, origin) =
            (words.next().expect("method"), OriginName::new(words.next().expect("origin")).expect("name"));
        let segments: Vec<&str> = words.next().expect("path").split('/').skip(1).collect();
        template.matches(method, &origin, &segments).map(|params| params.0)
    }

    #[test]
    fn a_route_matches_its_requests_only() {
        type Row<'a> = (&'a str, &'a str, Option<&'a [(&'a str, &'a str)]>);
        let table: &[Row<'_>] = &[
            ("GET {api}/1/boards", "GET api /1/boards", Some(&[])),
            ("GET {api}/1/boards", "POST api /1/boards", None),
            ("GET {api}/1/boards", "get api /1/boards", None),
            ("GET {api}/1/boards", "GET files /1/boards", None),
            ("GET {api}/1/boards", "GET api /1/Boards", None),
            ("GET {api}/1/boards", "GET api /1/boards/x", None),
            ("GET {api}/1/boards", "GET api /1", None),
            ("GET {api}/1/boards", "GET api /1/boards/", None),
            ("GET {api}/1/boards/{id}", "GET api /1/boards/b1", Some(&[("id", "b1")])),
            ("GET {api}/1/boards/{id}", "GET api /1/boards/", None),
            ("GET {api}/1/boards/{id}", "GET api /1/boards/b1/lists", None),
            ("GET {api}/{a}/x/{b}", "GET api /1/x/2", Some(&[("a", "1"), ("b", "2")])),
            ("GET {api}/api/auth.test", "GET api /api/auth.test", Some(&[])),
            ("GET {api}/api/auth.test", "GET api /api/authxtest", None),
            ("GET {files}/pri/**", "GET files /pri/a/b/c", Some(&[])),
            ("GET {files}/pri/**", "GET files /pri", None),
            ("GET {files}/pri/**", "GET files /pri/", None),
            ("GET {files}/pri/**", "GET files /pri/a//b", None),
            ("GET {files}/pri/**", "GET files /private/a", None),
            ("* {api}/**", "DELETE api /anything/at/all", Some(&[])),
            ("* {api}/**", "GET other /anything", None),
        ];
        for (template, request, want) in table {
            let want = want.map(|list| list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Vec<_>>());
            assert_eq!(ask(template, request), want, "{template} asked about {request}");
        }
    }

    #[test]
    fn a_bad_template_says_why() {
        let table = [
            ("", "METHOD"),
            ("GET", "METHOD"),
            ("get {api}/x", "no method"),
            ("OPTIONS {api}/x", "no method"),
            ("GET api/x", "origin's name in braces"),
            ("GET https://api.trello.com/x", "origin's name in braces"),
            ("GET {Api}/x", "origin name"),
            ("GET {api}", "begins with /"),
            ("GET  {api}/x", "origin's name in braces"),
            ("GET {api}/a//b", "empty segment"),
            ("GET {api}/a/", "empty segment"),
            ("GET {api}/a/../b", "dot segment"),
            ("GET {api}/**/b", "comes last"),
            ("GET {api}/a**", "** for the rest"),
            ("GET {api}/*/b", "** for the rest"),
            ("GET {api}/x{id}", "whole segment"),
            ("GET {api}/{id}/{id}", "twice"),
            ("GET {api}/{}", "segment name"),
            ("GET {api}/{Id}", "segment name"),
            ("GET {api}/a?x=1", "no query"),
            ("GET {api}/a%20b", "decoded"),
            ("GET {api}/a b", "decoded"),
        ];
        for (template, why) in table {
            let error = template.parse::<RouteTemplate>().expect_err(template).to_string();
            assert!(error.contains(why), "{template}: {error}");
        }
    }

    #[test]
    fn a_template_matches_itself_with_its_captures_filled() {
        for template in ["GET {api}/a", "PUT {api}/a/{x}/b/{y}", "DELETE {api}/{x}/**", "* {api}/1/x.y"] {
            let parsed: RouteTemplate = template.parse().expect(template);
            assert_eq!(parsed.to_string(), template);
            let path = template.split_once('}').expect("an origin").1.replace("**", "r/s").replace(['{', '}'], "");
            let method = parsed.method().unwrap_or("PATCH");
            let params = ask(template, &format!("{method} api {path}")).expect(template);
            assert_eq!(
                params.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
                parsed.captures().collect::<Vec<_>>()
            );
            assert!(params.iter().all(|(name, value)| name == value));
        }
    }
}
