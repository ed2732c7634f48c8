//! Giving files, folders and who may read them to the host.
//!
//! A stream is My Drive (what the account owns and what was shared with it) or one shared drive.
//! It lists everything once, then follows Drive's change log; a sweep lists everything again.

mod access;
mod changes;
mod content;
mod crawl;
mod cursor;
mod document;
mod groups;
mod pull;
mod stage;

use sallyport_sdk::prelude::*;

use crate::api;
use crate::model::File;
use pull::Pull;

/// The stream of what the account owns and what was shared with it.
const MY_DRIVE: &str = "my-drive";
/// What the id of a shared drive's stream begins with.
const SHARED_DRIVE: &str = "drive:";

/// The sync of Google Drive. One stream for My Drive and one for each shared drive, because each
/// has a change log of its own.
#[derive(Debug)]
pub struct Files;

impl sync::Sync for Files {
    fn streams() -> Result<Vec<Stream>, Failure> {
        let drives = api::drives()?.into_iter();
        let shared = drives.map(|drive| Stream::new(format!("{SHARED_DRIVE}{}", drive.id), drive.name));
        Ok([Stream::new(MY_DRIVE, "My Drive")].into_iter().chain(shared).collect())
    }

    fn pull(job: &Job, sink: &mut Sink) -> Result<Outcome, Failure> {
        let drive = match job.stream.strip_prefix(SHARED_DRIVE) {
            Some(id) if !id.is_empty() => Some(id),
            None if job.stream == MY_DRIVE => None,
            _ => return Err(Failure::other("unknown-stream", format!("there is no stream {:?}", job.stream))),
        };
        let mut pull = Pull::new(drive, job.cursor()?.unwrap_or_default(), sink);
        pull.cursor.begin(job.sweep);
        match pull.run() {
            // What was staged belongs to a page that will be read again, which does no harm.
            Err(Failure::Later { millis, .. }) => {
                pull.checkpoint()?;
                Ok(Outcome::Wait(millis))
            }
            outcome => outcome,
        }
    }

    fn probe(ids: &[String]) -> Result<Vec<Presence>, Failure> {
        let requests =
            ids.iter().map(|id| api::get(["files", id]).query("supportsAllDrives", true).query("fields", "id,trashed"));
        let presences = http::send_all(requests).into_iter().map(|answer| {
            let answer = answer.map_err(Failure::from).and_then(api::check);
            match answer.and_then(|response| response.json::<File>()) {
                Ok(file) if file.trashed => Ok(Presence::Gone),
                Ok(_) => Ok(Presence::Present),
                // 404 also says "not for this account": both are gone for this connection.
                Err(Failure::NotFound(_)) => Ok(Presence::Gone),
                Err(failure @ Failure::NeedsReauth(_)) => Err(failure),
                Err(_) => Ok(Presence::InDoubt),
            }
        });
        presences.collect()
    }
}
