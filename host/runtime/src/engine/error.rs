//! What goes wrong with the engine and with components.

use std::fmt;

use crate::blame::{Blame, Fault};

/// The engine cannot start. It is the host's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// wasmtime, or a thread, could not be set up.
    #[error("the engine does not start: {0}")]
    Start(String),
    /// The folder for compiled components cannot be made, read or kept private.
    #[error("the cache of compiled components at {folder}: {reason}")]
    Cache {
        /// The folder.
        folder: String,
        /// What the file system said.
        reason: String,
    },
}

impl Fault for EngineError {
    fn blame(&self) -> Blame {
        Blame::Host
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Start(_) => "engine",
            Self::Cache { .. } => "component-cache",
        }
    }
}

/// Why a file cannot be installed or run. Nothing of it was executed, and what was installed before is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// No component, or without a readable sealed manifest.
    #[error("this is no connector file: {0}")]
    NotAConnector(String),
    /// It wants more than a connector gets.
    #[error(
        "the component imports what no connector gets: {}; build it for wasm32-unknown-unknown, without the crates that bring these in",
        .0.join(", ")
    )]
    Imports(Vec<String>),
    /// It exports too little, or not as the WIT package says.
    #[error("the component does not export {interface} as the world says: {reason}")]
    Exports {
        /// Which interface.
        interface: &'static str,
        /// What differs.
        reason: String,
    },
    /// The manifest promises what the component does not have, or asks for what the host's registry does not allow.
    #[error("the manifest does not stand: {0}")]
    Manifest(String),
    /// It does not compile, or not within the compiler's limits.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// The compiler could not be run. It is the host's to mend.
    #[error("{0}")]
    Compiler(String),
}

impl Fault for ComponentError {
    fn blame(&self) -> Blame {
        if matches!(self, Self::Compiler(_)) { Blame::Host } else { Blame::Guest }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotAConnector(_) => "not-a-connector",
            Self::Imports(_) => "foreign-imports",
            Self::Exports { .. } => "missing-exports",
            Self::Manifest(_) => "manifest",
            Self::Compile(_) => "does-not-compile",
            Self::Compiler(_) => "compiler",
        }
    }
}

/// Which bound an execution ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// CPU time between two host calls.
    CpuBetweenCalls,
    /// CPU time in all.
    Cpu,
    /// Wall time.
    Wall,
    /// Linear memory.
    Memory,
    /// Table elements.
    Tables,
    /// Host calls.
    Calls,
    /// Checkpoints without progress.
    Progress,
    /// No limit: the guest trapped by itself.
    Trap,
}

impl Limit {
    /// Its stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CpuBetweenCalls => "cpu-between-calls",
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Memory => "memory",
            Self::Tables => "tables",
            Self::Calls => "calls",
            Self::Progress => "progress",
            Self::Trap => "trap",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
