//! The text of HTML, plainly: what is searched and read where a source gives nothing better.

use std::borrow::Cow;

use sallyport_index::Format;

/// What of a stored text is searched, and how it may be cut. The same input always gives the same text.
pub(crate) fn searchable<'a>(form: &str, text: &'a str) -> (Format, Cow<'a, str>) {
    match form {
        "markdown" => (Format::Markdown, Cow::Borrowed(text)),
        "html" => (Format::Plain, Cow::Owned(strip(text))),
        _ => (Format::Plain, Cow::Borrowed(text)),
    }
}

/// Elements whose content no reader sees.
const HIDDEN: [&str; 5] = ["script", "style", "head", "template", "noscript"];
/// Elements that do not end a line.
const INLINE: [&str; 13] = ["a", "abbr", "b", "code", "em", "i", "mark", "small", "span", "strong", "sub", "sup", "u"];

fn strip(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        words(&mut text, &rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if !is_tag {
            words(&mut text, "<");
            rest = &rest[1..];
            continue;
        }
        let end = end_of_tag(rest);
        let name: String = rest[1..end].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        let name = name.trim_end_matches('/').to_ascii_lowercase();
        rest = &rest[end..];
        if HIDDEN.contains(&name.as_str()) {
            rest = after_closing(rest, &name);
        }
        if !INLINE.contains(&name.trim_start_matches('/')) {
            line(&mut text);
        }
    }
    words(&mut text, rest);
    text.truncate(text.trim_end().len());
    text
}

/// Just behind the tag's `>`; one in a quoted attribute does not end it.
fn end_of_tag(tag: &str) -> usize {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    tag.len()
}

fn after_closing<'a>(rest: &'a str, name: &str) -> &'a str {
    let closing = format!("</{name}");
    let found = rest.as_bytes().windows(closing.len()).position(|w| w.eq_ignore_ascii_case(closing.as_bytes()));
    found.map_or("", |at| &rest[at + end_of_tag(&rest[at..])..])
}

fn line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Adds words, runs of white space made one space.
fn words(text: &mut String, piece: &str) {
    let decoded = decode(piece);
    for c in decoded.chars() {
        if !c.is_whitespace() {
            text.push(c);
        } else if !text.is_empty() && !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
    }
}

fn decode(piece: &str) -> Cow<'_, str> {
    if !piece.contains('&') {
        return Cow::Borrowed(piece);
    }
    let mut decoded = String::with_capacity(piece.len());
    let mut rest = piece;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = rest.find(';').filter(|end| *end <= 10).and_then(|end| Some((entity(&rest[1..end])?, end + 1)));
        let (c, length) = known.unwrap_or(('&', 1));
        decoded.push(c);
        rest = &rest[length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "euro" => '€',
        _ => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_searched_as_a_person_reads_it() {
        for (html, text) in [
            ("<h1>Plan</h1><p>Ship <b>on</b>\n  Friday.</p>", "Plan\nShip on Friday."),
            ("<style>p { color: red }</style>a<br>b<script>if (a < b) {}</SCRIPT>c", "a\nb\nc"),
            ("1 < 2 &amp; 3 &gt; 2 &#8364; &#x41; &bogus; &", "1 < 2 & 3 > 2 € A &bogus; &"),
            ("<img alt='a > b'>x<!-- <p>no</p> -->y", "xy"),
            ("open <p", "open"),
            ("ü<ü>", "ü<ü>"),
        ] {
            assert_eq!(strip(html), text, "{html}");
        }
    }
}
