//! What Drive takes, checked before anything is sent: each complaint names the argument and what
//! would do, so that a model can correct it.

use sallyport_sdk::prelude::*;

/// A text that says something.
pub(super) fn text(place: &str, text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(Failure::invalid_input(format!("{place}: some text is needed")));
    }
    Ok(())
}

/// A file's or folder's id.
pub(super) fn id(place: &str, id: &str) -> Result<(), Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.is_empty() || !id.bytes().all(plain) {
        let message = format!("{place}: {id:?} is no Drive id: letters, digits, - and _ only, as in a file's URL");
        return Err(Failure::invalid_input(message));
    }
    Ok(())
}

/// A text within the quotes of a search query (Drive API, "Search query terms and operators").
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
