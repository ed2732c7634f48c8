//! `documents`: changes are staged and become visible together with the cursor that stands for them.

use crate::engine::imports::connector::documents as wit;
use crate::engine::imports::connector::documents::{Change, Error, Host};
use crate::engine::metered;
use crate::ports::StoreError;

use super::error::problem;
use super::{DocumentsErrorOr, State, Work};

fn outside() -> DocumentsErrorOr {
    DocumentsErrorOr::Typed(Error::Other(problem("not-a-pull", "documents are staged during a pull only")))
}

fn too_much(code: &str, message: String) -> DocumentsErrorOr {
    DocumentsErrorOr::Typed(Error::TooMuch(problem(code, message)))
}

impl Host for State {
    async fn emit(&mut self, changes: Vec<Change>) -> Result<(), DocumentsErrorOr> {
        self.called()?;
        let meter = self.host_time.clone();
        metered(&meter, async {
            if !matches!(self.work, Work::Pull(_) | Work::Rehearsal(_)) {
                return Err(outside());
            }
            let inline: usize = changes.iter().map(inline_size).sum();
            let most = self.limits.emit;
            if inline > most {
                return Err(too_much(
                    "emit",
                    format!(
                        "{inline} bytes in one emit; {most} is the most: emit fewer at a time, large content as a blob"
                    ),
                ));
            }
            let mut converted = Vec::with_capacity(changes.len());
            for change in changes {
                converted.push(self.change(change)?);
            }
            let most = self.limits.staged;
            let staging = match &mut self.work {
                Work::Pull(staging) => staging,
                Work::Rehearsal(rehearsal) => {
                    rehearsal.emit(converted);
                    return Ok(());
                }
                Work::Plain | Work::Tool(_) => return Err(outside()),
            };
            staging.stage(converted, most).map_err(|staged| {
                too_much("staged", format!("{staged} bytes staged; {most} is the most: checkpoint first"))
            })
        })
        .await
    }

    async fn checkpoint(&mut self, cursor: String) -> Result<(), DocumentsErrorOr> {
        self.called()?;
        let meter = self.host_time.clone();
        metered(&meter, async {
            let most = self.limits.cursor;
            if cursor.len() > most {
                return Err(too_much("cursor", format!("a cursor of {} bytes; {most} is the most", cursor.len())));
            }
            let staging = match &mut self.work {
                Work::Pull(staging) => staging,
                Work::Rehearsal(rehearsal) => {
                    rehearsal.checkpoint(cursor);
                    return Ok(());
                }
                Work::Plain | Work::Tool(_) => return Err(outside()),
            };
            staging.checkpoint(&self.services, &self.at, cursor).await.map_err(Into::into)
        })
        .await
    }

    async fn revisions(&mut self, ids: Vec<String>) -> Result<Vec<Option<String>>, DocumentsErrorOr> {
        self.called()?;
        let meter = self.host_time.clone();
        metered(&meter, async {
            let staging = match &mut self.work {
                Work::Pull(staging) => staging,
                Work::Rehearsal(rehearsal) => return Ok(rehearsal.revisions(&self.at, &ids).await?),
                Work::Plain | Work::Tool(_) => return Err(outside()),
            };
            match self.services.sink.revisions(&self.at, &staging.source, &ids).await {
                Ok(revisions) => Ok(revisions),
                Err(StoreError::Conflict { .. }) => Err(DocumentsErrorOr::Typed(Error::Stopped)),
                Err(error) => Err(crate::invoke::Stop::Store(error).into()),
            }
        })
        .await
    }

    fn convert_error(&mut self, error: DocumentsErrorOr) -> wasmtime::Result<Error> {
        error.into_typed()
    }
}

/// Bytes of text that a change brings inline. A blob is counted where it is held.
fn inline_size(change: &Change) -> usize {
    match change {
        Change::Upsert(document) => {
            let content = match &document.content {
                wit::Content::Text(text) | wit::Content::Markdown(text) | wit::Content::Html(text) => text.len(),
                wit::Content::None | wit::Content::Blob(_) => 0,
            };
            document.id.len() + document.title.len() + document.metadata.len() + content + readers(&document.access)
        }
        Change::SetAccess(change) => change.id.len() + readers(&change.access),
        Change::UpsertContainer(container) => container.id.len() + container.name.len() + readers(&container.access),
        Change::Members(members) => members.add.iter().chain(&members.remove).map(name).sum(),
        Change::Seen(ids) => ids.iter().map(String::len).sum(),
        Change::Delete(id) | Change::DeleteContainer(id) | Change::DeleteGroup(id) => id.len(),
        Change::Person(person) => person.user.len() + person.name.as_ref().map_or(0, String::len),
    }
}

fn readers(access: &wit::Access) -> usize {
    match access {
        wit::Access::Known(acl) => {
            acl.entries.iter().map(|entry| name(&entry.who)).sum::<usize>()
                + acl.inherit.iter().map(String::len).sum::<usize>()
        }
        wit::Access::Unknown => 0,
    }
}

fn name(who: &wit::Principal) -> usize {
    match who {
        wit::Principal::User(name)
        | wit::Principal::Email(name)
        | wit::Principal::Group(name)
        | wit::Principal::Domain(name) => name.len(),
        wit::Principal::ConnectionAudience | wit::Principal::Anyone => 1,
    }
}
