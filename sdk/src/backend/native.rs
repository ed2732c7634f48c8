//! Host calls of a connector that runs natively: to the host that the current thread was given.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::credentials::Facts;
use crate::documents::{self, Change};
use crate::http::{self, Request, Response};
use crate::log::Severity;
use crate::testing::Host;
use crate::{Problem, blobs};

thread_local! {
    static HOSTS: RefCell<Vec<Rc<dyn Host>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with its host calls going to `host`.
pub(crate) fn with_host<T>(host: Rc<dyn Host>, f: impl FnOnce() -> T) -> T {
    /// Also when `f` panics, as a failed assertion in a test does.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            HOSTS.with_borrow_mut(|hosts| hosts.pop());
        }
    }
    HOSTS.with_borrow_mut(|hosts| hosts.push(host));
    let _leave = Leave;
    http::forget_writes();
    f()
}

fn host() -> Rc<dyn Host> {
    HOSTS
        .with_borrow(|hosts| hosts.last().cloned())
        .expect("outside a component, host calls work only inside `FakeHost::run` or `testing::run`")
}

/// Bytes and how far they were read.
#[derive(Debug, Clone)]
pub(crate) struct Blob(Rc<Held>);

#[derive(Debug)]
struct Held {
    media_type: Option<String>,
    bytes: Vec<u8>,
    read: Cell<usize>,
}

impl Blob {
    pub(crate) fn new(media_type: Option<String>, bytes: Vec<u8>) -> Self {
        Self(Rc::new(Held { media_type, bytes, read: Cell::new(0) }))
    }

    pub(crate) fn whole(&self) -> &[u8] {
        &self.0.bytes
    }

    pub(crate) fn size(&self) -> Option<u64> {
        Some(self.0.bytes.len() as u64)
    }

    pub(crate) fn media_type(&self) -> Option<String> {
        self.0.media_type.clone()
    }

    pub(crate) fn read(&self, max: u32) -> Result<Vec<u8>, Problem> {
        let rest = self.0.bytes.get(self.0.read.get()..).unwrap_or_default();
        let next = rest.get(..max as usize).unwrap_or(rest).to_vec();
        self.0.read.set(self.0.read.get() + next.len());
        Ok(next)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

pub(crate) fn send(request: Request) -> Result<Response, http::Error> {
    host().send(request)
}

pub(crate) fn send_all(requests: Vec<Request>) -> Vec<Result<Response, http::Error>> {
    host().send_all(requests)
}

pub(crate) fn open_blob(id: &str) -> Result<blobs::Blob, Problem> {
    host().open_blob(id)
}

pub(crate) fn create_blob(media_type: &str, bytes: Vec<u8>) -> Result<blobs::Blob, Problem> {
    host().create_blob(media_type, bytes)
}

pub(crate) fn emit(changes: Vec<Change>) -> Result<(), documents::Error> {
    host().emit(changes)
}

pub(crate) fn checkpoint(cursor: String) -> Result<(), documents::Error> {
    host().checkpoint(cursor)
}

pub(crate) fn revisions(ids: Vec<String>) -> Result<Vec<Option<String>>, documents::Error> {
    host().revisions(ids)
}

pub(crate) fn facts() -> Facts {
    host().facts()
}

pub(crate) fn now() -> u64 {
    host().now().0
}

pub(crate) fn random(length: u32) -> Vec<u8> {
    host().random(length)
}

pub(crate) fn log(severity: Severity, message: &str, fields: Vec<(String, String)>) {
    host().log(severity, message, fields);
}
