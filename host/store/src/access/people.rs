//! Users and groups of one source.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::Who;
use super::audience::Live;
use crate::db::Outcome;
use crate::sink::kind;

/// A principal as its columns have it.
pub(crate) type Column = (u8, String);

/// No live connection of the source has said something else of this person later. One that does not know the address
/// says nothing of it; one that says "closed" does.
const LATEST_PERSON: &str = "NOT EXISTS (SELECT 1 FROM people q JOIN connections d ON d.key = q.connection
    WHERE q.source = p.source AND q.user = p.user AND q.word > p.word AND d.state <> 'flagged'
    AND (q.email IS NOT NULL OR NOT q.active))";

/// No live connection of the source has spoken of this group later.
const LATEST_GROUP: &str = "NOT EXISTS (SELECT 1 FROM groups h JOIN connections d ON d.key = h.connection
    WHERE h.source = g.source AND h.id = g.id AND h.word > g.word AND d.state <> 'flagged')";

/// Everything that the caller is in a source: addresses, domains, users, and the groups that those are in, nested.
pub(crate) fn principals(db: &Connection, who: &Who, source: i64, live: &[Live]) -> Outcome<HashSet<Column>> {
    let mut found: HashSet<Column> = who.emails.iter().map(|email| (kind::EMAIL, email.clone())).collect();
    found.extend(who.domains().map(|domain| (kind::DOMAIN, domain.to_owned())));
    found.extend(users(db, who, source, live)?.into_iter().map(|user| (kind::USER, user)));

    let mut groups = db.prepare_cached(&format!(
        "SELECT g.id FROM members m JOIN groups g ON g.key = m.grp JOIN connections c ON c.key = g.connection
        WHERE m.kind = ? AND m.id = ? AND g.source = ? AND c.state <> 'flagged' AND {LATEST_GROUP}"
    ))?;
    let mut open: Vec<Column> = found.iter().cloned().collect();
    while let Some((kind, id)) = open.pop() {
        for group in texts(&mut groups, params![kind, id, source])? {
            let group = (kind::GROUP, group);
            if found.insert(group.clone()) {
                open.push(group);
            }
        }
    }
    Ok(found)
}

/// The provider's users that are the caller: by a verified address, as an admin or else the source itself ties it, or by
/// their own connection. A closed account is nobody.
fn users(db: &Connection, who: &Who, source: i64, live: &[Live]) -> Outcome<Vec<String>> {
    let mut sql = db.prepare_cached(&format!(
        "SELECT p.user FROM people p JOIN connections c ON c.key = p.connection
        WHERE p.source = ? AND p.email = ? AND p.active AND c.state <> 'flagged' AND {LATEST_PERSON}
        AND NOT EXISTS (SELECT 1 FROM ties t WHERE t.source = p.source AND t.user = p.user)"
    ))?;
    let mut tied = db.prepare_cached("SELECT user FROM ties WHERE source = ? AND email = ?")?;
    let mut users = Vec::new();
    for email in &who.emails {
        users.extend(texts(&mut sql, params![source, email])?);
        for user in texts(&mut tied, params![source, email])? {
            if person(db, source, &user)? != Known::Closed {
                users.push(user);
            }
        }
    }
    for own in live.iter().filter(|own| own.source == source && own.owner.as_deref() == Some(&who.subject)) {
        if person(db, source, &own.account)? != Known::Closed {
            users.push(own.account.clone());
        }
    }
    Ok(users)
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Their address.
    Email(String),
    /// The account was closed.
    Closed,
    /// Nothing that helps.
    Nothing,
}

pub(crate) fn person(db: &Connection, source: i64, user: &str) -> Outcome<Known> {
    let sql = "SELECT p.email, p.active FROM people p JOIN connections c ON c.key = p.connection
        WHERE p.source = ? AND p.user = ? AND c.state <> 'flagged' AND (p.email IS NOT NULL OR NOT p.active)
        ORDER BY p.word DESC LIMIT 1";
    let found: Option<(Option<String>, bool)> =
        db.prepare_cached(sql)?.query_row(params![source, user], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let tied = "SELECT email FROM ties WHERE source = ? AND user = ?";
    let tied: Option<String> =
        db.prepare_cached(tied)?.query_row(params![source, user], |row| row.get(0)).optional()?;
    Ok(match found {
        Some((_, false)) => Known::Closed,
        _ if tied.is_some() => tied.map_or(Known::Nothing, Known::Email),
        Some((Some(email), true)) => Known::Email(email),
        _ => Known::Nothing,
    })
}

/// The members that a group itself names.
pub(crate) fn members(db: &Connection, source: i64, group: &str) -> Outcome<Vec<Column>> {
    let mut sql = db.prepare_cached(&format!(
        "SELECT m.kind, m.id FROM groups g JOIN connections c ON c.key = g.connection JOIN members m ON m.grp = g.key
        WHERE g.source = ? AND g.id = ? AND c.state <> 'flagged' AND {LATEST_GROUP}"
    ))?;
    let rows = sql.query_map(params![source, group], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn texts(sql: &mut CachedStatement<'_>, values: impl rusqlite::Params) -> Outcome<Vec<String>> {
    let rows = sql.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
