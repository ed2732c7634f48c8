//! Attempts to connect.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sallyport::ids::LinkId;
use sallyport::ports::{Durability, Link, Links, StoreResult};

use crate::Store;
use crate::db::{Fail, Outcome, json, unjson};
use crate::events::{self, NewEvent};

/// How long a link that has ended can still be asked about, in milliseconds.
const KEPT: u64 = 24 * 60 * 60 * 1000;

#[async_trait]
impl Links for Store {
    async fn put_link(&self, link: &Link) -> StoreResult<()> {
        let (link, now) = (link.clone(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            db.prepare_cached("DELETE FROM links WHERE expires < ?")?.execute([now.0.saturating_sub(KEPT)])?;
            let sql = "INSERT INTO links (id, tenant, state, expires, version, body) VALUES (?, ?, ?, ?, ?, ?)";
            let state = link.flight.as_ref().map(|flight| &flight.state);
            db.prepare_cached(sql)?.execute(params![
                link.id.as_str(),
                link.tenant.as_str(),
                state,
                link.expires.0,
                link.version,
                json(&link)?
            ])?;
            Ok(())
        });
        Ok(write.await?)
    }

    async fn link(&self, id: &LinkId) -> StoreResult<Link> {
        let id = id.clone();
        Ok(self.db.look(move |db| find(db, "id", id.as_str())).await?)
    }

    async fn link_by_state(&self, state: &str) -> StoreResult<Link> {
        let state = state.to_owned();
        Ok(self.db.look(move |db| find(db, "state", &state)).await?)
    }

    async fn swap_link(&self, link: &Link) -> StoreResult<()> {
        let (link, now) = (link.clone(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            let before = find(db, "id", link.id.as_str())?;
            if before.version != link.version {
                return Err(Fail::conflict("the link", format!("version {}", before.version)));
            }
            let link = Link { version: link.version + 1, ..link };
            let state = link.flight.as_ref().map(|flight| &flight.state);
            let sql = "UPDATE links SET state = ?, version = ?, body = ? WHERE id = ?";
            db.prepare_cached(sql)?.execute(params![state, link.version, json(&link)?, link.id.as_str()])?;
            if before.status != link.status {
                let event = NewEvent::Link { link: link.id.clone(), status: link.status.clone() };
                events::tell(db, &link.tenant, now, &event)?;
            }
            Ok(())
        });
        Ok(write.await?)
    }
}

fn find(db: &Connection, column: &'static str, value: &str) -> Outcome<Link> {
    let sql = format!("SELECT body FROM links WHERE {column} = ?");
    let body: Option<String> = db.prepare_cached(&sql)?.query_row([value], |row| row.get(0)).optional()?;
    unjson(&body.ok_or_else(|| Fail::not_found("the link"))?)
}
