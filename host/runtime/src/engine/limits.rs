//! What one execution may use.

use std::time::Duration;

/// Bounds on executions. The defaults are for connectors that nobody trusts; an operator may move each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Executions at a time, over all tenants: the size of the pool.
    pub instances: u32,
    /// Bytes of linear memory of one execution, all its memories together.
    pub memory: usize,
    /// Linear memories of one component.
    pub memories: u32,
    /// Core instances of one component; one made from an interpreter has several.
    pub core_instances: u32,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Resource handles alive at a time.
    pub handles: usize,
    /// Guest CPU time between two host calls.
    pub cpu_between_calls: Duration,
    /// Guest CPU time of a tool call, of `identify` and of `probe`.
    pub cpu_tool: Duration,
    /// Guest CPU time of a pull.
    pub cpu_pull: Duration,
    /// Wall time of a tool call, of `identify` and of `probe`.
    pub wall_tool: Duration,
    /// Wall time of a pull.
    pub wall_pull: Duration,
    /// Bytes that one host call may take from the guest.
    pub host_call: usize,
    /// Host calls of one tool call.
    pub calls: u32,
    /// Bytes of one inline answer, decoded.
    pub inline: usize,
    /// Bytes of all inline answers of one `send-all`.
    pub inline_all: usize,
    /// Requests of one `send-all`.
    pub send_all: usize,
    /// Bytes of one answer that is delivered as a blob.
    pub blob: usize,
    /// Bytes of all blobs of one execution.
    pub blobs: usize,
    /// Bytes of one `emit`, without blobs.
    pub emit: usize,
    /// Bytes staged between two checkpoints.
    pub staged: usize,
    /// Bytes of a cursor.
    pub cursor: usize,
    /// Bytes of log of one execution.
    pub log: usize,
    /// Pulls of one stream in one sync.
    pub pulls: u32,
    /// Checkpoints of one stream in one sync that brought nothing new: the same cursor, or no change.
    pub idle_checkpoints: u32,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            instances: 64,
            memory: 64 * MIB,
            memories: 4,
            core_instances: 32,
            table_elements: 20_000,
            handles: 10_000,
            cpu_between_calls: Duration::from_secs(2),
            cpu_tool: Duration::from_secs(10),
            cpu_pull: Duration::from_secs(120),
            wall_tool: Duration::from_secs(60),
            wall_pull: Duration::from_secs(15 * 60),
            host_call: 8 * MIB,
            calls: 10_000,
            inline: 4 * MIB,
            inline_all: 16 * MIB,
            send_all: 32,
            blob: 32 * MIB,
            blobs: 64 * MIB,
            emit: 4 * MIB,
            staged: 64 * MIB,
            cursor: MIB,
            log: 64 << 10,
            pulls: 10_000,
            idle_checkpoints: 100,
        }
    }
}
