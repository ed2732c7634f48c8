//! Splitting a URL's path into segments that mean the same to us and to the server.

use url::Url;

/// A path that servers may read in more than one way. It is the guest's to mend; sending it again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// `//`, or a slash at the end.
    #[error("the path has an empty segment: remove the doubled slash or the one at its end")]
    EmptySegment,
    /// `.` or `..`, also percent-encoded or followed by `;`.
    #[error("the path has a dot segment ({0:?}): write the path without it")]
    DotSegment(String),
    /// A slash or backslash within a segment, as `%2F`, `%5C` or encoded twice.
    #[error("the path segment {0:?} hides a slash: an id with a slash cannot be sent")]
    HiddenSlash(String),
    /// Control characters, or bytes that are not UTF-8.
    #[error("the path segment {0:?} is not plain text")]
    NotText(String),
    /// The URL has no path with segments (`data:`, `mailto:`).
    #[error("the URL has no path")]
    NoPath,
}

/// The segments of a path, percent-decoded once; none for `/`.
///
/// WHATWG parsing has already resolved plain and encoded dot segments; what is refused here is what another parser
/// could read
/// otherwise.
///
/// # Errors
/// [`PathError`]: empty and dot segments, encoded slashes and backslashes, what is not UTF-8 text.
pub fn path_segments(url: &Url) -> Result<Vec<String>, PathError> {
    let raw: Vec<&str> = url.path_segments().ok_or(PathError::NoPath)?.collect();
    if raw == [""] {
        return Ok(Vec::new());
    }
    raw.into_iter().map(segment).collect()
}

fn segment(raw: &str) -> Result<String, PathError> {
    if raw.is_empty() {
        return Err(PathError::EmptySegment);
    }
    let decoded = decode(raw).ok_or_else(|| PathError::NotText(raw.to_owned()))?;
    // A server that decodes twice, or strips `;parameters`, must not see another path than we do.
    let again = if decoded.contains('%') { decode(&decoded) } else { None };
    for reading in [&decoded].into_iter().chain(&again) {
        if reading.contains(['/', '\\']) {
            return Err(PathError::HiddenSlash(raw.to_owned()));
        }
        if reading.chars().any(char::is_control) {
            return Err(PathError::NotText(raw.to_owned()));
        }
        let name = reading.split(';').next().unwrap_or_default();
        if name.is_empty() || name == "." || name == ".." {
            return Err(PathError::DotSegment(raw.to_owned()));
        }
    }
    Ok(decoded)
}

/// Percent-decodes; a `%` that begins no escape stands for itself, as in WHATWG URLs. `None` if not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => {
                (*high as char).to_digit(16).zip((*low as char).to_digit(16)).map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> Result<Vec<String>, PathError> {
        path_segments(&Url::parse(&format!("https://example.com{path}")).expect("a URL"))
    }

    #[test]
    fn a_path_is_split_and_decoded_once() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("/", &[]),
            ("/1/boards", &["1", "boards"]),
            ("/api/auth.test", &["api", "auth.test"]),
            ("/a%20b/c%C3%A9?x=/../y#/z/", &["a b", "cé"]),
            ("/%66iles", &["files"]),
            ("/a/100%", &["a", "100%"]),
            ("/a/100%25", &["a", "100%"]),
            ("/...", &["..."]),
            // The URL parser resolves these before anybody sees them.
            ("/a/../b", &["b"]),
            ("/a/%2e%2E/b", &["b"]),
        ];
        for (path, segments) in table {
            assert_eq!(
                split(path).as_deref(),
                Ok(segments.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()),
                "{path}"
            );
        }
    }

    #[test]
    fn what_a_server_could_read_otherwise_is_refused() {
        for path in [
            "//",
            "/a/",
            "/a//b",
            "//a",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%5Cb",
            "/%252e%252e/b",
            "/a%252fb",
            "/a%255cb",
            "/..;/b",
            "/.;x/b",
            "/;x/b",
            "/a%00b",
            "/a%0d%0ab",
            "/a%0Ab",
            "/%ff",
            "/%c0%af",
            "/%250a",
        ] {
            assert!(split(path).is_err(), "{path}: {:?}", split(path));
        }
        // WHATWG reads a backslash as a slash in https URLs: what remains is what was seen.
        assert_eq!(split("/a\\b"), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }
}
