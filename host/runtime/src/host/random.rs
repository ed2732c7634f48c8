//! `random`: bytes that follow from the invocation's seed; of a tool call it is recorded how many were asked for.

use rand::Rng as _;

use crate::engine::Limit;
use crate::engine::imports::connector::random::Host;
use crate::invoke::Stop;

use super::{State, Work};

/// The most bytes that one call gives.
const MAX: u32 = 64 << 10;

impl Host for State {
    async fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.called()?;
        if length > MAX {
            return Err(
                Stop::limit(Limit::Trap, format!("it asked for {length} random bytes; {MAX} is the most")).into()
            );
        }
        match &mut self.work {
            Work::Tool(trace) => trace.random(length).await?,
            Work::Rehearsal(rehearsal) => rehearsal.random(length)?,
            Work::Plain | Work::Pull(_) => {}
        }
        let mut bytes = vec![0; length as usize];
        self.random.fill_bytes(&mut bytes);
        Ok(bytes)
    }
}
