//! Who has read what others asked for: it is on record once, not at each look at a page.

use std::collections::HashSet;

use parking_lot::Mutex;

use crate::audit::Note;
use crate::caller::Caller;
use crate::error::InvokeError;
use crate::ids::{InvocationId, SubjectId, TenantId};
use crate::ports::Record;
use crate::runtime::Runtime;

/// Readings that a process remembers. Beyond that they are on record once more.
const MOST: usize = 10_000;

/// Readings that are on record.
#[derive(Default)]
pub(crate) struct Readers(Mutex<HashSet<(TenantId, InvocationId, SubjectId)>>);

impl Runtime {
    /// To be called before somebody is shown what another asked for: the first time it becomes a link of the audit chain.
    pub(super) async fn note_reading(&self, caller: &Caller, record: &Record) -> Result<(), InvokeError> {
        if record.caller.subject == caller.subject {
            return Ok(());
        }
        let reading = (caller.tenant.clone(), record.invocation.clone(), caller.subject.clone());
        if self.readers().0.lock().contains(&reading) {
            return Ok(());
        }
        let services = self.services();
        let note = Note::BodyRead { invocation: record.invocation.clone(), body: None, by: caller.subject.clone() };
        services.journal.note(Some(&caller.tenant), &note, services.clock.now()).await?;
        let mut readers = self.readers().0.lock();
        if readers.len() >= MOST {
            readers.clear();
        }
        readers.insert(reading);
        Ok(())
    }
}
