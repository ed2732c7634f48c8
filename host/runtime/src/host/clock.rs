//! `clock`: a tool call's time stands still until its first write, so that running it afresh asks for the same.

use crate::engine::imports::connector::clock::Host;

use super::State;

impl Host for State {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.called()?;
        let now = self.services.clock.now();
        match self.trace() {
            Some(trace) => Ok(trace.now(now).await?.0),
            None => Ok(now.0),
        }
    }
}
