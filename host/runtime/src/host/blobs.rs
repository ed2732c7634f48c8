//! `blobs`: bytes that the host holds. What they are follows from what was asked before, so that reading them needs no
//! record of its own.

use bytes::Bytes;
use wasmtime::component::Resource;

use crate::engine::imports::connector::{blobs, types};

use super::error::problem;
use super::{ProblemOr, State};

/// The most that one `read` gives.
const MAX_READ: u32 = 1 << 20;

/// Bytes with a reading position.
#[allow(unreachable_pub)] // the generated bindings re-export it
pub struct Blob {
    pub(crate) media_type: Option<String>,
    pub(crate) bytes: Bytes,
    position: usize,
}

impl State {
    /// Holds bytes for the guest, or says that it holds too many.
    pub(super) fn hold(&mut self, media_type: Option<String>, bytes: Bytes) -> Result<Resource<Blob>, ProblemOr> {
        let held = self.blob_bytes.saturating_add(bytes.len());
        let most = self.limits.blobs;
        if held > most {
            let message = format!("it would hold {held} bytes as blobs; {most} is the most: drop those done with");
            return Err(ProblemOr::Typed(problem("too-much", message)));
        }
        self.blob_bytes = held;
        Ok(self.table.push(Blob { media_type, bytes, position: 0 })?)
    }

    pub(super) fn blob(&self, blob: &Resource<Blob>) -> wasmtime::Result<&Blob> {
        Ok(self.table.get(blob)?)
    }

    /// Takes a blob that the guest gave away.
    pub(super) fn take(&mut self, blob: Resource<Blob>) -> wasmtime::Result<Blob> {
        let blob = self.table.delete(blob)?;
        self.blob_bytes = self.blob_bytes.saturating_sub(blob.bytes.len());
        Ok(blob)
    }
}

impl blobs::HostBlob for State {
    async fn size(&mut self, blob: Resource<Blob>) -> wasmtime::Result<Option<u64>> {
        self.called()?;
        Ok(Some(self.blob(&blob)?.bytes.len() as u64))
    }

    async fn media_type(&mut self, blob: Resource<Blob>) -> wasmtime::Result<Option<String>> {
        self.called()?;
        Ok(self.blob(&blob)?.media_type.clone())
    }

    async fn read(&mut self, blob: Resource<Blob>, max: u32) -> Result<Vec<u8>, ProblemOr> {
        self.called()?;
        let blob = self.table.get_mut(&blob)?;
        let end = blob.bytes.len().min(blob.position.saturating_add(max.min(MAX_READ) as usize));
        let part = blob.bytes.slice(blob.position..end).to_vec();
        blob.position = end;
        Ok(part)
    }

    async fn drop(&mut self, blob: Resource<Blob>) -> wasmtime::Result<()> {
        self.take(blob).map(drop)
    }
}

impl blobs::Host for State {
    async fn open(&mut self, id: String) -> Result<Resource<Blob>, ProblemOr> {
        self.called()?;
        // A tool's arguments are JSON; no front can attach a file to them, so no id names one.
        Err(ProblemOr::Typed(problem("not-found", format!("no file {id:?} came with the arguments"))))
    }

    async fn create(&mut self, media_type: String, bytes: Vec<u8>) -> Result<Resource<Blob>, ProblemOr> {
        self.called()?;
        self.hold(Some(media_type), bytes.into())
    }
}

impl types::Host for State {
    fn convert_problem(&mut self, error: ProblemOr) -> wasmtime::Result<types::Problem> {
        error.into_typed()
    }
}
