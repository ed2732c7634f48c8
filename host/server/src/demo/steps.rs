//! The demo's steps: each is named before it runs, and says afterwards what it did and how long it took.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::output::plain;

/// A finished step.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What it was.
    pub name: &'static str,
    /// What it did.
    pub did: String,
    /// How long it took.
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub took: Duration,
}

fn millis<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

/// Steps so far, told on stderr as they happen.
#[derive(Debug, Default)]
pub struct Steps(Vec<Step>);

impl Steps {
    /// Runs one step; `work` answers its result and what it did, in words.
    ///
    /// # Errors
    /// The step's, with its name.
    pub async fn run<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<(T, String)>>,
    ) -> anyhow::Result<T> {
        let started = Instant::now();
        say(&format!("· {name} …"));
        match work.await {
            Ok((value, did)) => {
                let took = started.elapsed();
                say(&format!("✓ {name}: {did} ({:.2} s)", took.as_secs_f64()));
                self.0.push(Step { name, did, took });
                Ok(value)
            }
            Err(error) => {
                say(&format!("✗ {name}: {error:#}"));
                Err(error.context(format!("the step \"{name}\" failed")))
            }
        }
    }

    /// Every step that was done.
    #[must_use]
    pub fn into_steps(self) -> Vec<Step> {
        self.0
    }
}

/// A line of progress on stderr.
pub fn say(text: &str) {
    // A closed stderr is no reason to stop working.
    let _ = writeln!(std::io::stderr().lock(), "{}", plain(text));
}
