//! Giving boards, lists, cards and who may read them to the host.

mod access;
mod board;
mod cursor;
mod document;

use std::collections::BTreeSet;

use sallyport_sdk::prelude::*;

use crate::api;
use crate::model::{Board, Card};
use cursor::Cursor;

/// The only stream: everything that the account's boards hold.
const STREAM: &str = "boards";

/// The sync of Trello. One stream with a cursor that marks each board.
#[derive(Debug)]
pub struct Boards;

impl sync::Sync for Boards {
    fn streams() -> Result<Vec<Stream>, Failure> {
        Ok(vec![Stream::new(STREAM, "Boards")])
    }

    fn pull(job: &Job, sink: &mut Sink) -> Result<Outcome, Failure> {
        if job.stream != STREAM {
            return Err(Failure::other("unknown-stream", format!("there is no stream {:?}", job.stream)));
        }
        let mut cursor: Cursor = job.cursor()?.unwrap_or_default();
        cursor.begin(job.sweep);
        match pull(job.sweep, &mut cursor, sink) {
            Ok(coverage) => {
                cursor.end();
                sink.checkpoint(&cursor)?;
                Ok(Outcome::Complete(coverage))
            }
            // A mark is set only once what it covers is staged, so what is staged may be kept.
            Err(Failure::Later { millis, .. }) => {
                sink.checkpoint(&cursor)?;
                Ok(Outcome::Wait(millis))
            }
            Err(failure) => Err(failure),
        }
    }

    fn probe(ids: &[String]) -> Result<Vec<Presence>, Failure> {
        let requests = ids.iter().map(|id| api::get(["cards", id]).query("fields", "idBoard"));
        let presences = http::send_all(requests).into_iter().map(|answer| match answer.map_err(Failure::from) {
            Ok(response) => match api::check(response) {
                Ok(_) => Ok(Presence::Present),
                Err(failure) if api::is_gone(&failure) => Ok(Presence::Gone),
                Err(failure @ Failure::NeedsReauth(_)) => Err(failure),
                Err(_) => Ok(Presence::InDoubt),
            },
            Err(failure @ Failure::NeedsReauth(_)) => Err(failure),
            Err(_) => Ok(Presence::InDoubt),
        });
        presences.collect()
    }
}

fn pull(sweep: bool, cursor: &mut Cursor, sink: &mut Sink) -> Result<Coverage, Failure> {
    if sweep || cursor.me.is_empty() {
        let me = api::me()?;
        cursor.me.clone_from(&me.id);
        sink.person(Person::new(me.id.clone()).name(me.label()).email(me.email))?;
    }
    let mut boards = api::boards()?;
    let certain = settle_vanished(&mut boards, cursor, sink)?;
    boards.sort_by(|a, b| a.id.cmp(&b.id));
    access::groups(&boards, sweep, cursor, sink)?;

    let known: BTreeSet<&str> = boards.iter().map(|board| board.id.as_str()).collect();
    let mut whole = certain;
    for board in &boards {
        if cursor.is_swept(&board.id) {
            continue;
        }
        match board::read(board, &known, sweep, cursor, sink) {
            Ok(()) => cursor.sweep_past(&board.id),
            // Taken away while this pull ran: the next one settles it.
            Err(failure) if api::is_gone(&failure) => {
                log::write(
                    log::Severity::Warn,
                    "a board could not be read",
                    &[("board", &board.id), ("why", &failure)],
                );
                whole = false;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(if sweep && whole { Coverage::Whole } else { Coverage::Partial })
}

/// Boards that are no longer listed: one that can still be read counts as listed; one that is gone
/// takes its containers along, so that nobody finds its cards from this checkpoint on, and the next
/// sweep deletes them. False if Trello did not say of one.
fn settle_vanished(boards: &mut Vec<Board>, cursor: &mut Cursor, sink: &mut Sink) -> Result<bool, Failure> {
    let vanished: Vec<String> =
        cursor.boards.keys().filter(|id| !boards.iter().any(|board| board.id == **id)).cloned().collect();
    let requests = vanished.iter().map(|id| api::get(["boards", id]).query("fields", api::BOARD_FIELDS));
    let mut certain = true;
    for (id, answer) in vanished.iter().zip(http::send_all(requests)) {
        match answer.map_err(Failure::from).and_then(api::check).and_then(|response| response.json::<Board>()) {
            Ok(board) => boards.push(board),
            Err(failure) if api::is_gone(&failure) => {
                if let Some(mark) = cursor.boards.remove(id) {
                    for list in mark.lists.into_keys() {
                        sink.delete_container(list)?;
                    }
                }
                sink.delete_container(id)?;
            }
            Err(failure @ (Failure::NeedsReauth(_) | Failure::Later { .. })) => return Err(failure),
            Err(failure) => {
                log::write(log::Severity::Warn, "a board is in doubt", &[("board", id), ("why", &failure)]);
                certain = false;
            }
        }
    }
    Ok(certain)
}

/// Stages cards as they are now; those whose stored revision is the same are only said to be seen.
fn stage(cards: Vec<Card>, cursor: &Cursor, sink: &mut Sink) -> Result<(), Failure> {
    let revisions = sink.revisions(cards.iter().map(|card| &card.id))?;
    let mut unchanged = Vec::new();
    for (card, stored) in cards.into_iter().zip(revisions) {
        let document = document::of(&card, cursor.is_archived(&card));
        if stored.is_some() && stored == document.revision {
            unchanged.push(card.id);
        } else {
            sink.upsert(document)?;
        }
    }
    Ok(sink.seen(unchanged)?)
}
