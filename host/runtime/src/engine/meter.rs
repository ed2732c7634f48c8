//! CPU time, as the operating system counts it for the thread, around every poll of a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use cpu_time::ThreadTime;

/// Adds up CPU time; clones share the sum.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Option<Arc<AtomicU64>>);

impl Meter {
    /// One that counts, or one that spares the two system calls of every poll and stays at nothing.
    pub(crate) fn counting(counts: bool) -> Self {
        Self(counts.then(Arc::default))
    }

    /// Another sum, counted where this one is.
    pub(crate) fn beside(&self) -> Self {
        Self::counting(self.0.is_some())
    }

    pub(crate) fn total(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |sum| Duration::from_nanos(sum.load(Ordering::Relaxed)))
    }
}

/// `future`, with its CPU time added to `meter`. Time that it waits, or that other tasks run, does not count.
pub(crate) fn metered<F: Future>(meter: &Meter, future: F) -> impl Future<Output = F::Output> {
    Metered { meter: meter.clone(), future: Box::pin(future) }
}

struct Metered<F> {
    meter: Meter,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(sum) = self.meter.0.clone() else { return self.future.as_mut().poll(cx) };
        let start = ThreadTime::try_now();
        let polled = self.future.as_mut().poll(cx);
        if let Ok(time) = start.and_then(|start| start.try_elapsed()) {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            sum.fetch_add(nanos, Ordering::Relaxed);
        }
        polled
    }
}
