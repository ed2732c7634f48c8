//! Reading one board: who may read it, its lists, and its cards as far as they changed.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_sdk::paging::{self, Page};
use sallyport_sdk::prelude::*;

use super::cursor::{Cursor, Listing, digest};
use super::{access, stage};
use crate::api;
use crate::model::{Action, Board, Card, List, Membership};

/// Cards a page. Trello takes 1,000 and refuses more, but cards with long descriptions are large.
const PAGE: usize = 250;
/// A page is not made smaller than this when it is too large.
const SMALLEST_PAGE: usize = 25;
/// Actions a page, the most that Trello gives.
const ACTIONS: usize = 1000;
/// More cards than these are listed instead of fetched one by one.
const MOST_FETCHED: usize = 96;

pub(super) fn read(
    board: &Board,
    known: &BTreeSet<&str>,
    sweep: bool,
    cursor: &mut Cursor,
    sink: &mut Sink,
) -> Result<(), Failure> {
    shape(board, sweep, cursor, sink)?;
    // Null on a board on which nothing happened yet.
    let activity = board.date_last_activity.clone().unwrap_or_default();
    let mark = cursor.boards.entry(board.id.clone()).or_default();
    if !sweep && mark.read.as_ref() == Some(&activity) {
        return Ok(());
    }
    lists(board, cursor, sink)?;
    let listing = cursor.listing.as_ref().is_some_and(|listing| listing.board == board.id);
    let since = cursor.boards.get(&board.id).and_then(|mark| mark.action.clone());
    match since {
        Some(since) if !sweep && !listing => catch_up(board, activity, since, known, cursor, sink),
        _ => list(board, activity, cursor, sink),
    }
}

/// Stages the board itself if its name or who may read it changed.
fn shape(board: &Board, sweep: bool, cursor: &mut Cursor, sink: &mut Sink) -> Result<(), Failure> {
    let listed = match &board.memberships {
        Some(memberships) => memberships.clone(),
        None => access::memberships("boards", &board.id)?,
    };
    let now = digest(&(&board.name, board.closed, board.level(), &board.id_organization, &listed));
    let mark = cursor.boards.entry(board.id.clone()).or_default();
    if !sweep && mark.shape == Some(now) {
        return Ok(());
    }
    // Listed memberships have no names.
    let unnamed = |each: &Membership| each.member.is_none();
    let named = if listed.iter().any(unnamed) { access::memberships("boards", &board.id)? } else { listed.clone() };
    access::people(&named, cursor, sink)?;
    let container = Container::new(&board.id, "board", &board.name).access(access::of_board(board, &listed));
    sink.upsert_container(container)?;
    let mark = cursor.boards.entry(board.id.clone()).or_default();
    if mark.closed != board.closed {
        // What all its cards say of being archived changes with it.
        mark.read = None;
    }
    (mark.shape, mark.closed) = (Some(now), board.closed);
    Ok(())
}

/// Stages the board's lists.
fn lists(board: &Board, cursor: &mut Cursor, sink: &mut Sink) -> Result<(), Failure> {
    let request = || api::get(["boards", &board.id, "lists"]).query("filter", "all").query("fields", "name,closed");
    let lists: Vec<List> = api::listing(request)?;
    for list in &lists {
        let container =
            Container::new(&list.id, "list", &list.name).parent(&board.id).access(Access::inherit(&board.id));
        sink.upsert_container(container)?;
    }
    let now: BTreeMap<String, bool> = lists.into_iter().map(|list| (list.id, list.closed)).collect();
    let elsewhere =
        |id: &String| cursor.boards.iter().any(|(other, mark)| *other != board.id && mark.lists.contains_key(id));
    let mark = cursor.boards.get(&board.id);
    let before = mark.map(|mark| mark.lists.clone()).unwrap_or_default();
    for gone in before.keys().filter(|id| !now.contains_key(*id) && !elsewhere(id)) {
        sink.delete_container(gone)?;
    }
    let mark = cursor.boards.entry(board.id.clone()).or_default();
    if before.iter().any(|(id, closed)| now.get(id).is_some_and(|now| now != closed)) {
        // What a list's cards say of being archived changes with it.
        mark.read = None;
    }
    mark.lists = now;
    Ok(())
}

/// Lists all cards, with a checkpoint after each page.
fn list(board: &Board, activity: String, cursor: &mut Cursor, sink: &mut Sink) -> Result<(), Failure> {
    let begun = cursor.listing.take().filter(|listing| listing.board == board.id);
    let mut listing = match begun {
        Some(listing) => listing,
        // The newest action is asked for first: what happens while the pages are read comes after it.
        None => Listing { board: board.id.clone(), read: activity, action: newest_action(board)?, before: None },
    };
    cursor.listing = Some(listing.clone());
    let mut size = PAGE;
    loop {
        let cards = match cards(board, size, listing.before.as_deref()) {
            Ok(cards) => cards,
            Err(Refused::TooLarge) if size > SMALLEST_PAGE => {
                size = (size / 2).max(SMALLEST_PAGE);
                continue;
            }
            Err(Refused::TooLarge) => {
                let message = format!("{size} cards of board {} are too large an answer", board.id);
                return Err(Failure::other("too-large", message));
            }
            Err(Refused::Failed(failure)) => return Err(failure),
        };
        let oldest = cards.iter().map(|card| &card.id).min().cloned();
        let last = cards.len() < size;
        stage(cards, cursor, sink)?;
        if last {
            break;
        }
        if listing.before.is_some() && oldest >= listing.before {
            return Err(Failure::other(
                "paging-loop",
                format!("the cards of board {} do not come to an end", board.id),
            ));
        }
        listing.before = oldest;
        cursor.listing = Some(listing.clone());
        sink.checkpoint(cursor)?;
    }
    cursor.listing = None;
    let mark = cursor.boards.entry(board.id.clone()).or_default();
    (mark.read, mark.action) = (Some(listing.read), listing.action);
    Ok(sink.checkpoint(cursor)?)
}

enum Refused {
    /// Trello has a word for it, and the host a limit.
    TooLarge,
    Failed(Failure),
}

fn cards(board: &Board, size: usize, before: Option<&str>) -> Result<Vec<Card>, Refused> {
    let request = api::get(["boards", &board.id, "cards"])
        .query("filter", "all")
        .query("fields", api::CARD_FIELDS)
        .query("checklists", "all")
        .query("limit", size)
        .query_opt("before", before);
    let response = match request.send() {
        Ok(response) => response,
        Err(http::Error::TooLarge(_)) => return Err(Refused::TooLarge),
        Err(error) => return Err(Refused::Failed(error.into())),
    };
    if !response.is_success() && response.text().contains("API_TOO_MANY_CARDS_REQUESTED") {
        return Err(Refused::TooLarge);
    }
    api::check(response).and_then(|response| response.json()).map_err(Refused::Failed)
}

/// Fetches the cards that actions since the last one name. Where they are many, or all cards are to
/// be read again, those are listed, and only what may have left the board is fetched.
fn catch_up(
    board: &Board,
    activity: String,
    since: String,
    known: &BTreeSet<&str>,
    cursor: &mut Cursor,
    sink: &mut Sink,
) -> Result<(), Failure> {
    let (mut touched, mut left, mut newest) = (BTreeSet::new(), BTreeSet::new(), since.clone());
    for page in actions(board, &since) {
        for action in page? {
            newest = newest.max(action.id);
            let Some(card) = action.data.card.and_then(|card| card.id) else { continue };
            if matches!(action.kind.as_str(), "deleteCard" | "moveCardFromBoard") {
                left.insert(card.clone());
            }
            touched.insert(card);
        }
    }
    let mark = cursor.boards.entry(board.id.clone()).or_default();
    if mark.read.is_none() || touched.len() > MOST_FETCHED {
        fetch(left, known, cursor, sink)?;
        return list(board, activity, cursor, sink);
    }
    fetch(touched, known, cursor, sink)?;
    let mark = cursor.boards.entry(board.id.clone()).or_default();
    (mark.read, mark.action) = (Some(activity), Some(newest));
    Ok(sink.checkpoint(cursor)?)
}

/// Everything since an action, newest first, page by page until one is not full: stopping at the
/// first would lose what is older.
fn actions(board: &Board, since: &str) -> impl Iterator<Item = Result<Vec<Action>, Failure>> {
    paging::pages(move |before: Option<&String>| {
        let request = || {
            api::get(["boards", &board.id, "actions"])
                .query("since", since)
                .query("limit", ACTIONS)
                .query("fields", "data,type,date")
                .query("memberCreator", false)
                .query_opt("before", before)
        };
        let actions: Vec<Action> = api::listing(request)?;
        let oldest = actions.iter().map(|action| &action.id).min().cloned();
        let next = oldest.filter(|_| actions.len() == ACTIONS);
        Ok(Page::new(actions, next))
    })
}

fn newest_action(board: &Board) -> Result<Option<String>, Failure> {
    let request = || api::get(["boards", &board.id, "actions"]).query("limit", 1).query("fields", "date");
    let actions: Vec<Action> = api::listing(request)?;
    Ok(actions.into_iter().next().map(|action| action.id))
}

/// Stages cards as they are now, whatever happened to them. One that went to a board that is not
/// synced is deleted here; one that went to another board is the same document there.
fn fetch(ids: BTreeSet<String>, known: &BTreeSet<&str>, cursor: &Cursor, sink: &mut Sink) -> Result<(), Failure> {
    let requests =
        ids.iter().map(|id| api::get(["cards", id]).query("fields", api::CARD_FIELDS).query("checklists", "all"));
    let answers = http::send_all(requests);
    let mut cards = Vec::new();
    for (id, answer) in ids.iter().zip(answers) {
        match answer.map_err(Failure::from).and_then(api::check) {
            Ok(response) => {
                let card: Card = response.json()?;
                if known.contains(card.id_board.as_str()) {
                    cards.push(card);
                } else {
                    sink.delete(id)?;
                }
            }
            Err(failure) if api::is_gone(&failure) => sink.delete(id)?,
            Err(failure) => return Err(failure),
        }
    }
    stage(cards, cursor, sink)
}
