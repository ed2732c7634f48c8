//! Whether this invocation has changed something, because `later` promises that it has not.

use std::cell::Cell;

thread_local! {
    // An instance serves one invocation, so this starts as false in each.
    static WRITTEN: Cell<bool> = const { Cell::new(false) };
}

/// Notes an answer to a request. One that was refused (400-499, 429 among them) changed nothing; one
/// that broke (500 and above) may have.
pub(super) fn note(method: &str, status: u16) {
    if !matches!(method, "GET" | "HEAD" | "OPTIONS") && !(400..500).contains(&status) {
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
