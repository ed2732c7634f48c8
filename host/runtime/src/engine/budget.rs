//! What an execution has used so far, and the point at which it is stopped.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::guests::Computes;
use super::{Limit, Limits, TICK};
use crate::invoke::Stop;

/// Counts one execution's CPU ticks, memory and table elements.
#[derive(Debug)]
pub(crate) struct Budget {
    ticks: u64,
    ticks_since_call: u64,
    max_ticks: u64,
    max_ticks_between: u64,
    calls: u32,
    max_calls: u32,
    memory: usize,
    peak_memory: usize,
    max_memory: usize,
    elements: usize,
    max_elements: usize,
    denied: Option<Limit>,
    computes: Computes,
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl Budget {
    pub(crate) fn new(limits: &Limits, cpu: Duration) -> Self {
        Self {
            ticks: 0,
            ticks_since_call: 0,
            max_ticks: ticks(cpu),
            max_ticks_between: ticks(limits.cpu_between_calls),
            calls: 0,
            max_calls: limits.calls,
            memory: 0,
            peak_memory: 0,
            max_memory: limits.memory,
            elements: 0,
            max_elements: limits.table_elements,
            denied: None,
            computes: Computes::default(),
        }
    }

    /// A tick went by in guest code.
    pub(crate) fn tick(&mut self) -> Result<(), Stop> {
        self.ticks += 1;
        self.computes.set();
        self.ticks_since_call += 1;
        if self.ticks > self.max_ticks {
            return Err(Stop::limit(Limit::Cpu, format!("it used {:?} of CPU time", TICK * clamp(self.max_ticks))));
        }
        if self.ticks_since_call > self.max_ticks_between {
            let time = TICK * clamp(self.max_ticks_between);
            return Err(Stop::limit(
                Limit::CpuBetweenCalls,
                format!("it used {time:?} of CPU time without asking the host"),
            ));
        }
        Ok(())
    }

    /// The guest called the host.
    pub(crate) fn host_call(&mut self) -> Result<(), Stop> {
        self.ticks_since_call = 0;
        self.calls += 1;
        if self.calls > self.max_calls {
            return Err(Stop::limit(Limit::Calls, format!("it made more than {} host calls", self.max_calls)));
        }
        Ok(())
    }

    /// Pulls list whole sources: their host calls are bounded by time alone.
    pub(crate) fn unbounded_calls(mut self) -> Self {
        self.max_calls = u32::MAX;
        self
    }

    /// Tells when the guest has computed for a tick.
    pub(crate) fn computes(&self) -> Computes {
        self.computes.clone()
    }

    /// The most linear memory that it held at a time, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        self.peak_memory
    }

    /// The limit that made the guest's own request fail, if one did: what a trap after it is to be called.
    pub(crate) fn denied(&self) -> Option<Limit> {
        self.denied
    }
}

fn clamp(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.max_memory {
            self.denied = Some(Limit::Memory);
            return Ok(false);
        }
        self.memory = total;
        self.peak_memory = self.peak_memory.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired.saturating_sub(current));
        if total > self.max_elements {
            self.denied = Some(Limit::Tables);
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        let limits = Limits {
            memory: 1000,
            table_elements: 10,
            cpu_between_calls: Duration::from_millis(30),
            calls: 5,
            ..Limits::default()
        };
        Budget::new(&limits, Duration::from_millis(60))
    }

    #[test]
    fn time_between_calls_starts_anew_with_each_call_and_time_in_all_does_not() {
        let mut budget = budget();
        for _ in 0..2 {
            for _ in 0..3 {
                budget.tick().unwrap();
            }
            budget.host_call().unwrap();
        }
        assert!(budget.tick().unwrap_err().to_string().contains("60ms"));

        let mut spinning = self::budget();
        for _ in 0..3 {
            spinning.tick().unwrap();
        }
        assert!(spinning.tick().unwrap_err().to_string().contains("without asking the host"));
    }

    #[test]
    fn memories_and_tables_count_together() {
        let mut budget = budget();
        assert!(budget.memory_growing(0, 600, None).unwrap());
        assert!(!budget.memory_growing(0, 600, None).unwrap());
        assert!(budget.memory_growing(0, 400, None).unwrap());
        assert_eq!((budget.peak_memory(), budget.denied()), (1000, Some(Limit::Memory)));
        assert!(budget.table_growing(0, 10, None).unwrap());
        assert!(!budget.table_growing(0, 1, None).unwrap());
    }

    #[test]
    fn host_calls_are_counted() {
        let mut budget = budget();
        for _ in 0..5 {
            budget.host_call().unwrap();
        }
        assert!(budget.host_call().is_err());
    }
}
