//! Work that outlives whoever waits for it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use tokio::runtime::Handle;

use crate::error::InvokeError;

/// Runs `work` where it is awaited; when whoever awaits it goes away in the middle, it goes on as a task of its own, so
/// that no caller cuts off a write. A task from the start would do the same, and wake another thread for each call.
///
/// # Errors
/// [`InvokeError::Host`] where `work` panics; its own otherwise.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, InvokeError>> + Send + 'static,
) -> Result<T, InvokeError> {
    let work = AssertUnwindSafe(work).catch_unwind();
    Detached(Some(Box::pin(work))).await.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(InvokeError::Host(said.unwrap_or_else(|| "it panicked".into())))
    })
}

struct Detached<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for Detached<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let done = std::task::ready!(work.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Detached<F> {
    fn drop(&mut self) {
        // Where no runtime is left the process ends, and recovery reads how far it came.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::{Notify, oneshot};

    use super::detached;
    use crate::error::InvokeError;

    #[tokio::test]
    async fn what_its_caller_drops_in_the_middle_goes_on_to_its_end() {
        let (go, (done, ended)) = (Arc::new(Notify::new()), oneshot::channel());
        let work = {
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                done.send("written").map_err(|_| InvokeError::Host("nobody listens".into()))
            }
        };
        assert!(tokio::time::timeout(Duration::from_millis(5), detached(work)).await.is_err());
        go.notify_one();
        assert_eq!(ended.await.unwrap(), "written");
    }

    #[tokio::test]
    async fn what_nobody_ever_waited_for_never_begins() {
        let (done, ended) = oneshot::channel();
        drop(detached(async move {
            let _ = done.send(());
            Ok(())
        }));
        assert!(ended.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_is_the_hosts_error_and_not_the_callers_end() {
        let gone = detached::<()>(async { panic!("a bug") }).await;
        assert!(matches!(gone, Err(InvokeError::Host(why)) if why == "a bug"));
    }
}
