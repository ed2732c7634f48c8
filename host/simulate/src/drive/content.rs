//! The bytes of files: downloads with ranges, and exports of Google's own documents.

use super::{
    Caller, Parameters,
    error::DriveError,
    files::reach,
    model::{DOCUMENT, File, SPREADSHEET},
    reply::bare,
};
use crate::world::{State, World};
use axum::{
    body::Body,
    extract::{Path, State as Shared},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::sync::Arc;

/// "Exported content is limited to 10 MB" (Drive API v3 discovery document, files.export).
const EXPORT_LIMIT: usize = 10 * 1024 * 1024;

/// What each of Google's types can be exported to here. The real list is longer: office formats and PDF.
pub(crate) fn export_types(mime: &str) -> &'static [&'static str] {
    match mime {
        DOCUMENT => &["text/markdown", "text/plain", "text/html"],
        SPREADSHEET => &["text/csv", "text/tab-separated-values"],
        _ => &[],
    }
}

pub(crate) fn media(file: &File, headers: &HeaderMap) -> Result<Response, DriveError> {
    if file.is_native() {
        let why = "Only files with binary content can be downloaded. Use Export with Docs Editors files.";
        return Err(DriveError::new(403, "fileNotDownloadable", why));
    }
    let length = file.content.len();
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let Some(range) = asked.and_then(|range| range.strip_prefix("bytes=")) else {
        return Ok(attachment(StatusCode::OK, file.content.clone(), &file.mime_type));
    };
    let Some((first, last)) = span(range, length) else {
        let mut reply = bare(StatusCode::RANGE_NOT_SATISFIABLE, Body::empty(), "text/html");
        set(&mut reply, header::CONTENT_RANGE, &format!("bytes */{length}"));
        return Ok(reply);
    };
    let mut reply = attachment(StatusCode::PARTIAL_CONTENT, file.content.slice(first..=last), &file.mime_type);
    set(&mut reply, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
    Ok(reply)
}

/// First and last byte of `0-99`, `100-` or `-50`.
fn span(range: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = range.split_once('-')?;
    let last_byte = length.checked_sub(1)?;
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last.min(last_byte)),
        (Ok(first), Err(_)) if last.is_empty() => (first, last_byte),
        (Err(_), Ok(tail)) if first.is_empty() && tail > 0 => (length.saturating_sub(tail), last_byte),
        _ => return None,
    };
    (first <= last).then_some((first, last))
}

pub(crate) async fn export(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    Path(id): Path<String>,
) -> Result<Response, DriveError> {
    caller.may_read()?;
    let wanted = parameters.get("mimeType").ok_or_else(|| DriveError::required("mimeType"))?;
    let state = world.state.lock();
    let State { directory, drive, .. } = &*state;
    // files.export has no supportsAllDrives parameter: it reaches shared drives without.
    let everywhere = Parameters([("supportsAllDrives".to_owned(), "true".to_owned())].into());
    let (file, _) = reach(drive, directory, &id, &caller, &everywhere)?;
    if !file.is_native() || file.is_folder() {
        return Err(DriveError::new(403, "fileNotExportable", "Export only supports Docs Editors files."));
    }
    if !export_types(&file.mime_type).contains(&wanted) {
        return Err(DriveError::new(400, "badRequest", "The requested conversion is not supported."));
    }
    let exported = convert(&file.content, wanted);
    if exported.len() > EXPORT_LIMIT {
        return Err(DriveError::new(403, "exportSizeLimitExceeded", "This file is too large to be exported."));
    }
    Ok(attachment(StatusCode::OK, exported, wanted))
}

fn convert(content: &Bytes, wanted: &str) -> Bytes {
    let text = String::from_utf8_lossy(content);
    match wanted {
        "text/plain" => Bytes::from(plain_text(&text)),
        "text/html" => {
            let mut html = String::from(
                "<html><head><meta content=\"text/html; charset=UTF-8\" http-equiv=\"content-type\"></head><body>",
            );
            pulldown_cmark::html::push_html(&mut html, Parser::new_ext(&text, Options::ENABLE_TABLES));
            Bytes::from(html + "</body></html>")
        }
        "text/tab-separated-values" => Bytes::from(text.replace(',', "\t")),
        _ => content.clone(),
    }
}

/// Plain text as Docs exports it: a byte-order mark, CRLF, bullets as asterisks.
fn plain_text(markdown: &str) -> String {
    let mut text = String::from("\u{feff}");
    let mut depth = 0_usize;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::SoftBreak => text.push(' '),
            Event::HardBreak => text.push_str("\r\n"),
            Event::Start(Tag::List(_)) => {
                if depth > 0 {
                    text.push_str("\r\n");
                }
                depth += 1;
            }
            Event::Start(Tag::Item) => text.push_str(&format!("{}* ", "   ".repeat(depth.saturating_sub(1)))),
            Event::End(TagEnd::List(_)) => depth = depth.saturating_sub(1),
            Event::End(TagEnd::TableCell) => text.push('\t'),
            Event::End(TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead) if !text.ends_with('\n') => {
                text.push_str("\r\n")
            }
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) => text.push_str("\r\n"),
            _ => {}
        }
    }
    text
}

/// What a Google Doc keeps of uploaded text. HTML loses its tags.
pub(crate) fn to_markdown(media_type: &str, bytes: Bytes) -> Bytes {
    if !media_type.starts_with("text/html") {
        return bytes;
    }
    let (mut text, mut in_tag) = (String::new(), false);
    for letter in String::from_utf8_lossy(&bytes).chars() {
        match letter {
            '<' => in_tag = true,
            '>' => in_tag = false,
            letter if !in_tag => text.push(letter),
            _ => {}
        }
    }
    Bytes::from(text)
}

fn attachment(status: StatusCode, content: Bytes, kind: &str) -> Response {
    let mut reply = bare(status, Body::from(content), kind);
    set(&mut reply, header::CACHE_CONTROL, "private, max-age=0, must-revalidate");
    set(&mut reply, header::CONTENT_DISPOSITION, "attachment");
    set(&mut reply, header::ACCEPT_RANGES, "bytes");
    reply
}

fn set(reply: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        assert_eq!(span("0-9", 5), Some((0, 4)));
        assert_eq!(span("2-", 5), Some((2, 4)));
        assert_eq!(span("-2", 5), Some((3, 4)));
        for bad in ["5-", "3-2", "-", "x-1", "-0"] {
            assert_eq!(span(bad, 5), None, "{bad}");
        }
        assert_eq!(span("0-", 0), None);
    }

    #[test]
    fn plain_text_has_a_mark_and_crlf() {
        assert_eq!(plain_text("# Goals\n\nWe **will**:\n\n- a\n- b\n"), "\u{feff}Goals\r\nWe will:\r\n* a\r\n* b\r\n");
    }
}
