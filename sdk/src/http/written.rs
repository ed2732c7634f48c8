//! Whether this invocation has changed something, because `later` promises that it has not.

use std::cell::Cell;

thread_local! {
    // An instance serves one invocation, so this starts as false in each.
    static WRITTEN: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn note(method: &str) {
    if !matches!(method, "GET" | "HEAD" | "OPTIONS") {
        WRITTEN.set(true);
    }
}

pub(super) fn any() -> bool {
    WRITTEN.get()
}

/// Natively one thread serves many invocations.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn forget() {
    WRITTEN.set(false);
}
