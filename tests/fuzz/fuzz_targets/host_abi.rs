//! Whatever a guest asks of the host, in whatever order and with whatever arguments: the host does not panic, ends in time,
//! sends nothing that no route allows, and the next guest is well.

#![no_main]

use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use sallyport_fuzz::host::Host;

static HOST: LazyLock<Mutex<Host>> = LazyLock::new(Mutex::default);

fuzz_target!(|script: &[u8]| {
    HOST.lock().expect("a panic ends everything").run(script);
});
