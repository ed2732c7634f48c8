//! Whole documents, and documents and places by name or id, as a caller may read them.

mod audience;
pub(crate) mod info;
mod places;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use sallyport::Caller;
use sallyport::document::Content;
use sallyport::ids::ConnectionId;
use sallyport::ports::StoreError;
use sallyport::tool::OfferedTool;
use sallyport_agent::ports::{Audience, Documents, Place, PortError, WholeDocument};
use sallyport_index::DocumentKey;
use serde_json::Value;

use crate::Store;
use crate::access::{Labels, Readable, Who};
use crate::db::{Fail, Outcome};

#[async_trait]
impl Documents for Store {
    async fn read(&self, caller: &Caller, document: DocumentKey) -> Result<Option<WholeDocument>, PortError> {
        self.as_caller(caller, move |db, as_caller| {
            let key = document.0.cast_signed();
            let Some(info) = info::of_document(db, &as_caller.readable, key)? else { return Ok(None) };
            let sql = "SELECT form, text FROM texts WHERE document = ?";
            let text = db.prepare_cached(sql)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let content = text.map_or(Content::None, |(form, text): (String, String)| content(&form, text));
            let label = Labels::new(db, as_caller.tenant, &as_caller.readable.live).of_document(key)?;
            Ok(Some(WholeDocument { info, content, label }))
        })
        .await
    }

    async fn named(&self, caller: &Caller, name: &str, limit: usize) -> Result<Vec<Place>, PortError> {
        let name = name.to_owned();
        self.as_caller(caller, move |db, as_caller| places::named(db, as_caller, &name, limit)).await
    }

    async fn with_id(&self, caller: &Caller, connection: &ConnectionId, id: &str) -> Result<Option<Place>, PortError> {
        let (connection, id) = (connection.clone(), id.to_owned());
        self.as_caller(caller, move |db, as_caller| places::with_id(db, as_caller, &connection, &id)).await
    }

    async fn audience(&self, caller: &Caller, tool: &OfferedTool, arguments: &Value) -> Result<Audience, PortError> {
        let (connection, destination) = (tool.connection.clone(), audience::destination(tool, arguments));
        self.as_caller(caller, move |db, as_caller| audience::of(db, as_caller, &connection, destination)).await
    }
}

/// A caller with what they may read.
struct AsCaller {
    caller: Caller,
    tenant: i64,
    readable: Readable,
}

impl Store {
    async fn as_caller<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Connection, &AsCaller) -> Outcome<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let caller = caller.clone();
        let read = self.db.read(move |db| {
            let sql = "SELECT key FROM tenants WHERE id = ?";
            let tenant = db.prepare_cached(sql)?.query_row([caller.tenant.as_str()], |row| row.get(0)).optional()?;
            let tenant = tenant.ok_or_else(|| Fail::not_found(format!("tenant {}", caller.tenant)))?;
            let readable = Readable::by(db, tenant, &Who::new(caller.subject.as_str(), &caller.emails))?;
            work(db, &AsCaller { caller, tenant, readable })
        });
        Ok(read.await.map_err(StoreError::from)?)
    }
}

fn content(form: &str, text: String) -> Content {
    match form {
        "none" => Content::None,
        "markdown" => Content::Markdown(text),
        "html" => Content::Html(text),
        _ => Content::Text(text),
    }
}
