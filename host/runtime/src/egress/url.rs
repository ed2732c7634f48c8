//! One reading of a URL.

use sallyport_pack::route::path_segments;
use url::{Position, Url};

use super::error::Refusal;
use crate::ids::OriginName;
use sallyport_pack::manifest::Manifest;

/// Longer URLs are refused: services cut or refuse them anyway.
const LONGEST: usize = 16 * 1024;

/// A URL that was judged: https, in a declared origin, spelt in the one way in which everybody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckedUrl {
    /// As the connector says it, without fragment.
    pub(super) url: Url,
    /// The declared origin that it lies in.
    pub(super) origin: OriginName,
    /// The path, decoded once.
    pub(super) segments: Vec<String>,
}

impl CheckedUrl {
    /// Reads and judges `text`.
    pub(super) fn parse(text: &str, manifest: &Manifest) -> Result<Self, Refusal> {
        let malformed = |why: &str| Refusal::Malformed(format!("the URL {}: {why}", shorten(text)));
        if text.len() > LONGEST {
            return Err(malformed("it is longer than 16 KiB"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) || text.contains('\\') {
            return Err(malformed("white space, control characters and backslashes are to be percent-encoded"));
        }
        let mut url = Url::parse(text).map_err(|error| malformed(&error.to_string()))?;
        if url.scheme() != "https" {
            return Err(malformed("requests go by https; an operator can re-point an origin"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(malformed("it carries a user or password"));
        }
        let Some((name, origin)) = manifest.origin_of(&url) else {
            let declared: Vec<String> = manifest.origins.values().map(|origin| origin.url.to_string()).collect();
            return Err(Refusal::Origin { origin: url.origin().ascii_serialization(), declared: declared.join(", ") });
        };
        // Upper case, an explicit port 443, full-width dots, `https:/x`: the parser reads them as the same origin, others
        // may not. Whoever means the origin can write it.
        let spelt = origin.url.as_str();
        let rest = text.strip_prefix(spelt).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        let Some(rest) = rest else {
            return Err(malformed(&format!("write the origin as {spelt}")));
        };
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if path.split('/').any(is_dots) {
            return Err(malformed("its path has a dot segment"));
        }
        let segments = path_segments(&url).map_err(|error| malformed(&error.to_string()))?;
        url.set_fragment(None);
        Ok(Self { origin: name.clone(), segments, url })
    }

    /// Origin and path, without query: what may stand in a log.
    pub(super) fn target(&self) -> String {
        self.url[..Position::AfterPath].to_owned()
    }
}

/// `.` or `..`, in any of the spellings that the URL parser resolves before anybody sees them.
fn is_dots(segment: &str) -> bool {
    if segment.len() > "%2e%2e".len() {
        return false;
    }
    let plain = segment.replace("%2e", ".").replace("%2E", ".");
    plain == "." || plain == ".."
}

fn shorten(text: &str) -> String {
    let cut: String = text.chars().take(120).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if cut.len() < text.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}
