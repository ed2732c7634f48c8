//! What Trello takes, checked before anything is sent: each complaint names the argument and what
//! would do, so that a model can correct it.

use sallyport_sdk::prelude::*;

/// The most characters of a name or a description (Trello REST API, cards).
const LONGEST: usize = 16_384;

/// A name: one that says something, trimmed by Trello itself.
pub(super) fn name(place: &str, name: &str) -> Result<(), Failure> {
    if name.trim().is_empty() {
        return Err(Failure::invalid_input(format!("{place}: a name is needed")));
    }
    text(place, name)
}

/// A text that is not too long.
pub(super) fn text(place: &str, text: &str) -> Result<(), Failure> {
    let length = text.chars().count();
    if length > LONGEST {
        let message = format!("{place}: {length} characters are more than the {LONGEST} that Trello keeps");
        return Err(Failure::invalid_input(message));
    }
    Ok(())
}

/// An id or a short link.
pub(super) fn id(place: &str, id: &str) -> Result<(), Failure> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::invalid_input(format!("{place}: {id:?} is no Trello id: letters and digits only")));
    }
    Ok(())
}

/// A day or an instant.
pub(super) fn due(place: &str, due: Option<&str>) -> Result<(), Failure> {
    let is_day = |text: &str| text.len() == 10 && Timestamp::parse(&format!("{text}T00:00:00Z")).is_some();
    match due {
        Some(text) if !is_day(text) && Timestamp::parse(text).is_none() => {
            let message = format!("{place}: {text:?} is no date: write 2026-10-05 or 2026-10-05T12:00:00Z");
            Err(Failure::invalid_input(message))
        }
        _ => Ok(()),
    }
}
