//! The memory of conversations with the agent.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};
use sallyport::Caller;
use sallyport::ports::{Durability, StoreError};
use sallyport_agent::ports::{Conversations, PortError, Turn};

use crate::Store;
use crate::db::{Fail, Outcome, json, unjson};

/// Bytes of a conversation's id.
const LONGEST_ID: usize = 64;

#[async_trait]
impl Conversations for Store {
    async fn record(&self, caller: &Caller, turn: &Turn) -> Result<(), PortError> {
        let (caller, turn) = (caller.clone(), turn.clone());
        let write = self.db.write(Durability::Eventual, move |db| {
            let (tenant, conversation) = (caller.tenant.as_str(), &turn.conversation);
            if conversation.is_empty() || conversation.len() > LONGEST_ID {
                return Err(Fail::conflict("the conversation's id", format!("not 1 to {LONGEST_ID} bytes long")));
            }
            let sql = "SELECT subject FROM turns WHERE tenant = ? AND conversation = ? ORDER BY key LIMIT 1";
            let owner: Option<String> =
                db.prepare_cached(sql)?.query_row([tenant, conversation], |row| row.get(0)).optional()?;
            if owner.is_some_and(|owner| owner != caller.subject.as_str()) {
                return Err(Fail::not_found(format!("conversation {conversation}")));
            }
            let sql = "INSERT INTO turns (tenant, subject, conversation, body) VALUES (?, ?, ?, ?)";
            db.prepare_cached(sql)?.execute(params![tenant, caller.subject.as_str(), conversation, json(&turn)?])?;
            Ok(())
        });
        Ok(write.await.map_err(StoreError::from)?)
    }

    async fn turns(&self, caller: &Caller, conversation: &str, limit: usize) -> Result<Vec<Turn>, PortError> {
        let (caller, conversation) = (caller.clone(), conversation.to_owned());
        let read = self.db.read(move |db| {
            let sql = "SELECT body FROM turns WHERE tenant = ? AND conversation = ? AND subject = ?
                ORDER BY key DESC LIMIT ?";
            let mut sql = db.prepare_cached(sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let row = params![caller.tenant.as_str(), conversation, caller.subject.as_str(), limit];
            let rows = sql.query_map(row, |row| row.get::<_, String>(0))?;
            let mut turns: Vec<Turn> = rows.map(|row| unjson(&row?)).collect::<Outcome<_>>()?;
            turns.reverse();
            Ok(turns)
        });
        Ok(read.await.map_err(StoreError::from)?)
    }
}
