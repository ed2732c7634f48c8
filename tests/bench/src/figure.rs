//! A figure and how it is told.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// One measured quantity beside another.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// The value with its unit.
    pub value: String,
    /// What it was run against in the same run, with that one's value.
    pub beside: String,
    /// What the project wants of it, where it wants something.
    pub target: Option<&'static str>,
}

/// Every figure of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
}

/// Times of one kind.
pub(crate) struct Times(Histogram<u64>);

impl Times {
    pub(crate) fn of(times: &[Duration]) -> anyhow::Result<Self> {
        // Up to a minute, to three digits.
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
        for time in times {
            histogram.record(u64::try_from(time.as_nanos())?.max(1))?;
        }
        Ok(Self(histogram))
    }

    /// Microseconds at a quantile.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }

    pub(crate) fn p50(&self) -> f64 {
        self.at(0.5)
    }

    /// Median and tail in words.
    pub(crate) fn words(&self) -> String {
        format!("p50 {:.1} µs, p99 {:.1} µs", self.p50(), self.at(0.99))
    }
}
