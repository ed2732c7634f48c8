//! `clock`: a tool call's time stands still until its first write, so that running it afresh asks for the same.

use crate::engine::imports::connector::clock::Host;

use super::{State, Work};

impl Host for State {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        self.called()?;
        let now = self.services.clock.now();
        match &mut self.work {
            Work::Tool(trace) => Ok(trace.now(now).await?.0),
            Work::Rehearsal(rehearsal) => Ok(rehearsal.now(now)?.0),
            Work::Plain | Work::Pull(_) => Ok(now.0),
        }
    }
}
