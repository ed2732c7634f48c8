//! Getting the text of files: Google's own formats are exported, text is downloaded, the rest has a
//! title only.

use sallyport_sdk::http::{Error, Request, Response};
use sallyport_sdk::prelude::*;

use crate::api;
use crate::model::{DOCUMENT, File, PRESENTATION, SPREADSHEET};

/// A download known to be larger is kept by the host and never enters this component, in bytes.
const INLINE: u64 = 1024 * 1024;
/// A larger file is not read at all, in bytes.
const LARGEST: u64 = 32 * 1024 * 1024;
/// Text above this is handed over as a blob: what is handed over at once has a limit of 4 MiB.
const LARGEST_TEXT: usize = 2 * 1024 * 1024;

/// What may be staged before a checkpoint is due, in bytes; the host takes 64 MiB.
pub(super) const MUCH: usize = 8 * 1024 * 1024;

/// What a file says, and whether that is all.
pub(super) enum Fetched {
    /// This much; `true` if it is known to be less than the whole.
    Content(Content, bool),
    /// Nothing this time, but the file has content: it is to be tried again.
    Failed,
    /// Nothing now, for a reason that will pass and that concerns whatever is asked next, too.
    Later(Failure),
    /// The file went away meanwhile.
    Vanished,
}

/// How a file's text is got.
#[derive(Clone, Copy)]
enum Way {
    Export(&'static str),
    Download,
    Nothing,
}

/// The content of these files, in order.
pub(super) fn fetch(files: &[&File]) -> Vec<Fetched> {
    let ways: Vec<Way> = files.iter().map(|file| way(file)).collect();
    let requests = files.iter().zip(&ways).filter_map(|(file, way)| request(file, *way));
    let mut answers = http::send_all(requests).into_iter();
    let each = files.iter().zip(ways).map(|(file, way)| match way {
        Way::Nothing => Fetched::Content(Content::None, is_withheld(file)),
        way => match answers.next() {
            Some(answer) => settle(file, way, answer).unwrap_or_else(Fetched::Later),
            None => Fetched::Failed,
        },
    });
    each.collect()
}

fn way(file: &File) -> Way {
    let kind = file.kind();
    if file.capabilities.as_ref().and_then(|each| each.can_download) == Some(false) {
        return Way::Nothing;
    }
    match kind {
        DOCUMENT => Way::Export("text/markdown"),
        // The first sheet only, says the documentation of the export formats.
        SPREADSHEET => Way::Export("text/csv"),
        PRESENTATION => Way::Export("text/plain"),
        _ if is_text(kind) && size(file).is_none_or(|size| size <= LARGEST) => Way::Download,
        _ => Way::Nothing,
    }
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/")
        || matches!(kind, "application/json" | "application/xml" | "application/yaml" | "application/x-yaml")
}

fn size(file: &File) -> Option<u64> {
    file.size.as_deref()?.parse().ok()
}

/// There is text, but it is too large or not to be downloaded.
fn is_withheld(file: &File) -> bool {
    is_text(file.kind()) || matches!(file.kind(), DOCUMENT | SPREADSHEET | PRESENTATION)
}

fn request(file: &File, way: Way) -> Option<Request> {
    match way {
        Way::Export(kind) => Some(api::get(["files", &file.id, "export"]).query("mimeType", kind)),
        Way::Download => {
            let request = api::get(["files", &file.id]).query("alt", "media").query("supportsAllDrives", true);
            Some(if size(file).is_some_and(|size| size > INLINE) { request.to_blob() } else { request })
        }
        Way::Nothing => None,
    }
}

fn settle(file: &File, way: Way, answer: Result<Response, Error>) -> Result<Fetched, Failure> {
    let answer = match answer {
        // Larger than was said or could be known: the host keeps it.
        Err(Error::TooLarge(_)) => match request(file, way) {
            Some(request) => request.to_blob().send(),
            None => return Ok(Fetched::Failed),
        },
        answer => answer,
    };
    match answer {
        Ok(response) if response.is_success() => content(file, way, response),
        Ok(response) => refused(file, way, response),
        Err(error) if error.may_pass() => Err(error.into()),
        Err(error @ Error::NeedsReauth(_)) => Err(error.into()),
        Err(error) => {
            log::write(log::Severity::Warn, "no content", &[("file", &file.id), ("why", &error)]);
            Ok(Fetched::Failed)
        }
    }
}

fn refused(file: &File, way: Way, response: Response) -> Result<Fetched, Failure> {
    let (status, reason) = (response.status(), api::reason(&response));
    match (status, way) {
        (404, _) => return Ok(Fetched::Vanished),
        // Exporting to Markdown is newer than the rest, and may be refused.
        (400, Way::Export("text/markdown")) => {
            let plain = Way::Export("text/plain");
            let Some(request) = request(file, plain) else { return Ok(Fetched::Failed) };
            return settle(file, plain, request.send());
        }
        _ => {}
    }
    match api::check(response) {
        Err(failure @ (Failure::NeedsReauth(_) | Failure::Later { .. })) => Err(failure),
        // Too large to be exported, taken for abusive, not to be downloaded: that will stay.
        Err(_) if matches!(status, 400 | 403) => Ok(Fetched::Content(Content::None, true)),
        _ => {
            log::write(log::Severity::Warn, "no content", &[("file", &file.id), ("status", &status), ("why", &reason)]);
            Ok(Fetched::Failed)
        }
    }
}

fn content(file: &File, way: Way, response: Response) -> Result<Fetched, Failure> {
    let form = form(file, way);
    let content = match response.into_body() {
        http::Body::Blob(blob) => Content::Blob(blob),
        http::Body::Bytes(bytes) => {
            let text = clean(&bytes);
            match form {
                Form::Plain | Form::Markdown | Form::Html if text.len() > LARGEST_TEXT => {
                    Content::Blob(blobs::create(form.media_type(), text.into_bytes())?)
                }
                Form::Plain => Content::Text(text),
                Form::Markdown => Content::Markdown(text),
                Form::Html => Content::Html(text),
            }
        }
        _ => Content::None,
    };
    Ok(Fetched::Content(content, false))
}

/// Roughly how many bytes are staged with it.
pub(super) fn weight(file: &File, content: &Content) -> usize {
    match content {
        Content::None => 0,
        Content::Text(text) | Content::Markdown(text) | Content::Html(text) => text.len(),
        Content::Blob(blob) => blob.size().or(size(file)).and_then(|size| usize::try_from(size).ok()).unwrap_or(MUCH),
    }
}

#[derive(Clone, Copy)]
enum Form {
    Plain,
    Markdown,
    Html,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
        }
    }
}

fn form(file: &File, way: Way) -> Form {
    let name = file.title().to_lowercase();
    match way {
        Way::Export("text/markdown") => Form::Markdown,
        Way::Export(_) => Form::Plain,
        _ if matches!(file.kind(), "text/markdown" | "text/x-markdown") || name.ends_with(".md") => Form::Markdown,
        _ if file.kind() == "text/html" => Form::Html,
        _ => Form::Plain,
    }
}

/// Plain text comes with a byte-order mark and CRLF.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n")
}
