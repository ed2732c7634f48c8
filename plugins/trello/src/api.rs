//! Requests to Trello's REST API and what its answers mean.

use sallyport_sdk::http::{Request, Response};
use sallyport_sdk::prelude::*;
use serde::de::DeserializeOwned;

use crate::model::{Board, Member};

const API: &str = "https://api.trello.com/1";
/// What is asked of a board.
pub(crate) const BOARD_FIELDS: &str = "name,closed,dateLastActivity,idOrganization,url,prefs,memberships";
/// What is asked of a card.
pub(crate) const CARD_FIELDS: &str =
    "name,desc,closed,dateLastActivity,due,dueComplete,idBoard,idList,idMembers,labels,url";
/// The most that a listing may be, in bytes; above 4 MiB it is read through the host's blob.
const LARGEST_LISTING: usize = 32 * 1024 * 1024;

pub(crate) fn get<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Request {
    http::get(http::url(API, segments))
}

pub(crate) fn post<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Request {
    http::post(http::url(API, segments))
}

pub(crate) fn put<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Request {
    http::put(http::url(API, segments))
}

/// The account that the connection acts as.
pub(crate) fn me() -> Result<Member, Failure> {
    check(get(["members", "me"]).query("fields", "username,fullName,email").send()?)?.json()
}

/// The boards that the account is on, closed ones too. Trello gives them all at once.
pub(crate) fn boards() -> Result<Vec<Board>, Failure> {
    listing(|| get(["members", "me", "boards"]).query("filter", "all").query("fields", BOARD_FIELDS))
}

/// A listing that may be larger than what is given inline.
pub(crate) fn listing<T: DeserializeOwned>(request: impl Fn() -> Request) -> Result<T, Failure> {
    match request().send() {
        Ok(response) => check(response)?.json(),
        Err(http::Error::TooLarge(_)) => {
            let response = check(request().to_blob().send()?)?;
            let Some(blob) = response.into_blob() else {
                return Err(Failure::other("unexpected-answer", "an answer asked for as a blob came without one"));
            };
            let bytes = blob.read_to_end(LARGEST_LISTING)?;
            serde_json::from_slice(&bytes).map_err(|error| Failure::other("unexpected-answer", error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer if it is one. Trello's errors are plain text, and its 401 says both "your token is no
/// good" and "you may not": only the text tells them apart (Trello REST API, recorded answers).
pub(crate) fn check(response: Response) -> Result<Response, Failure> {
    let text = if response.is_success() { String::new() } else { response.text() };
    match response.status() {
        401 if text.contains("unauthorized") && text.contains("permission requested") => {
            Err(Failure::Forbidden(format!("Trello answered: {}", text.trim())))
        }
        400 if text.trim() == "invalid id" => Err(Failure::NotFound("Trello answered: invalid id".into())),
        _ => response.ok(),
    }
}

/// Whether a failure says that this thing is gone, or not for this account to see.
pub(crate) fn is_gone(failure: &Failure) -> bool {
    matches!(failure, Failure::NotFound(_) | Failure::Forbidden(_))
}
