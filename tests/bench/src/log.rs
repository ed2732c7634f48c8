//! The host's log in memory: what is measured on purpose with misbehaving services is not told to the person at the
//! terminal ten thousand times, and can be looked through.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;

/// What was logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What there is, and nothing is left.
    #[must_use]
    pub fn taken(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log, and what to run under for everything to be kept in it, down to the finest.
#[must_use]
pub fn kept() -> (Log, Dispatch) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    (log, Dispatch::new(subscriber))
}
