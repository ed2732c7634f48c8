//! Where guests run. A call that is over within a tick stays where it was made, since to hand it to another thread and
//! back takes longer than the call; one that computes for longer goes on on threads of its own, apart from those that
//! move bytes, so that it delays no socket.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;
use tracing::instrument::WithSubscriber as _;

/// Set by a guest's first tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct Computes(Arc<AtomicBool>);

impl Computes {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// As many threads as there are processors, for what computes. They end with the last clone.
#[derive(Clone)]
pub(crate) struct Guests(Arc<Threads>);

struct Threads(Option<Runtime>);

impl Guests {
    pub(crate) fn start() -> std::io::Result<Self> {
        // Neither clock nor sockets: whatever a guest waits for belongs to the caller's runtime.
        let runtime = Builder::new_multi_thread().thread_name("sallyport-guest").build()?;
        Ok(Self(Arc::new(Threads(Some(runtime)))))
    }

    /// Runs `work` here until it computes, and on these threads from then on. Its sockets, timers, tasks and log are
    /// those of the runtime that calls. A caller who goes away takes the work along.
    ///
    /// # Panics
    /// With what `work` panics with.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        computes: &Computes,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let mut work = Box::pin(work);
        let short = poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if computes.get() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        if let Some(done) = short.await {
            return done;
        }
        let runtime = self.0.0.as_ref().expect("it is taken when the last of them is dropped");
        let task = runtime.spawn(Inside { outer: Handle::current(), work }.with_current_subscriber());
        let _cut = CutOff(task.abort_handle());
        task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last one may be dropped by a task, where waiting for threads is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

struct CutOff(AbortHandle);

impl Drop for CutOff {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Polled here, with another runtime's sockets and timers.
struct Inside<F> {
    outer: Handle,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _outer = this.outer.enter();
        this.work.as_mut().poll(cx)
    }
}
