//! Who will see what a tool writes, where the store knows the destination.

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::ids::ConnectionId;
use sallyport::tool::{OfferedTool, ToolDestination};
use sallyport_agent::ports::Audience;
use sallyport_index::Readers;
use serde_json::Value;

use super::{AsCaller, info, places};
use crate::access::{Labels, Live};
use crate::db::Outcome;

/// Where a call lands, with the argument that says so.
pub(super) enum Destination {
    Container(String),
    Document(String),
    /// Made by the call, and read by the account that makes it.
    Owner,
    Unknown,
}

pub(super) fn destination(tool: &OfferedTool, arguments: &Value) -> Destination {
    let named = |pointer: &str| arguments.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    match &tool.destination {
        ToolDestination::Container(pointer) => named(pointer).map_or(Destination::Unknown, Destination::Container),
        ToolDestination::Document(pointer) => named(pointer).map_or(Destination::Unknown, Destination::Document),
        ToolDestination::New(audience) if audience == "owner" => Destination::Owner,
        _ => Destination::Unknown,
    }
}

/// Known only as far as this caller sees the destination themselves: what they may not read looks like what is not there.
pub(super) fn of(
    db: &Connection,
    as_caller: &AsCaller,
    connection: &ConnectionId,
    destination: Destination,
) -> Outcome<Audience> {
    let Some(live) = places::usable(as_caller, db, connection)? else { return Ok(Audience::Unknown) };
    let mut labels = Labels::at_service(db, as_caller.tenant, &as_caller.readable.live);
    match destination {
        Destination::Unknown => Ok(Audience::Unknown),
        Destination::Owner => {
            let own = live.owner.as_deref() == Some(as_caller.caller.subject.as_str());
            let email = as_caller.caller.emails.first().filter(|_| own).map(|email| email.to_lowercase());
            let maker = if email.is_some() { email } else { labels.account(live)? };
            let readers = Readers { people: maker.into_iter().collect(), ..Readers::default() };
            Ok(Audience::Known { name: format!("something new of {}", live.account), readers })
        }
        Destination::Container(id) => container(db, as_caller, &mut labels, live, &id),
        Destination::Document(id) => document(db, as_caller, &mut labels, live, &id),
    }
}

/// Every connection of the source that attests the container says who reads there: the widest view counts, and one that
/// does not know leaves nobody knowing.
fn container(
    db: &Connection,
    as_caller: &AsCaller,
    labels: &mut Labels<'_>,
    live: &Live,
    id: &str,
) -> Outcome<Audience> {
    let sql = "SELECT name, acl FROM containers WHERE connection = ? AND id = ?";
    let mut sql = db.prepare_cached(sql)?;
    let (mut name, mut readers) = (None, Readers::default());
    for other in as_caller.readable.live.values().filter(|other| other.source == live.source) {
        let row = sql.query_row(params![other.key, id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
        let Some((called, acl)) = row.optional()? else { continue };
        let Some(acl) = acl else { return Ok(Audience::Unknown) };
        union(&mut readers, labels.of_list(other, acl)?);
        if as_caller.readable.has_container(other.key, id) {
            name = Some(called);
        }
    }
    Ok(name.map_or(Audience::Unknown, |name| Audience::Known { name, readers }))
}

fn document(
    db: &Connection,
    as_caller: &AsCaller,
    labels: &mut Labels<'_>,
    live: &Live,
    id: &str,
) -> Outcome<Audience> {
    let sql = "SELECT key FROM documents WHERE source = ? AND id = ?";
    let row = params![live.source, id];
    let key: Option<i64> = db.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
    let Some(key) = key else { return Ok(Audience::Unknown) };
    let sql = "SELECT 1 FROM attestations WHERE document = ? AND acl IS NULL";
    let partly_unknown = db.prepare_cached(sql)?.exists([key])?;
    match info::of_document(db, &as_caller.readable, key)? {
        Some(info) if !partly_unknown => {
            Ok(Audience::Known { name: info.title, readers: labels.of_document(key)?.readers })
        }
        _ => Ok(Audience::Unknown),
    }
}

fn union(readers: &mut Readers, more: &Readers) {
    readers.anyone |= more.anyone;
    readers.domains.extend(more.domains.iter().cloned());
    readers.people.extend(more.people.iter().cloned());
}
