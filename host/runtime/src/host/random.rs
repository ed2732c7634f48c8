//! `random`: bytes that follow from the invocation's seed, so that they need no record of their own.

use rand::Rng as _;

use crate::engine::Limit;
use crate::engine::imports::connector::random::Host;
use crate::invoke::Stop;

use super::State;

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
        let mut bytes = vec![0; length as usize];
        self.random.fill_bytes(&mut bytes);
        Ok(bytes)
    }
}
