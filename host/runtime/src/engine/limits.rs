//! What one execution may use.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{ConnectorId, TenantId};

/// Bounds on executions. The defaults are for connectors that nobody trusts; an operator may move each. Written down,
/// times are as `"10s"`, sizes in bytes, and what is left out is as by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Executions at a time, over all tenants: the size of the pool.
    pub instances: u32,
    /// Executions at a time of one tenant.
    pub instances_per_tenant: u32,
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
    #[serde(with = "span")]
    pub cpu_between_calls: Duration,
    /// Guest CPU time of a tool call, of `identify` and of `probe`.
    #[serde(with = "span")]
    pub cpu_tool: Duration,
    /// Guest CPU time of a pull.
    #[serde(with = "span")]
    pub cpu_pull: Duration,
    /// Wall time of a tool call, of `identify` and of `probe`.
    #[serde(with = "span")]
    pub wall_tool: Duration,
    /// Wall time of a pull.
    #[serde(with = "span")]
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
    /// Streams that a connector may name.
    pub streams: u32,
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
            instances_per_tenant: 48,
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
            streams: 10_000,
            pulls: 10_000,
            idle_checkpoints: 100,
        }
    }
}

/// One of the fields that a tenant's limits tighten, of both.
macro_rules! tighter {
    ($one:expr, $other:expr; $($field:ident),*) => {
        Limits { $($field: $one.$field.min($other.$field),)* }
    };
}

impl Limits {
    /// Whichever is smaller, of each.
    #[must_use]
    pub fn tightened(&self, by: &Self) -> Self {
        tighter!(self, by; instances, instances_per_tenant, memory, memories, core_instances, table_elements, handles,
            cpu_between_calls, cpu_tool, cpu_pull, wall_tool, wall_pull, host_call, calls, inline, inline_all, send_all,
            blob, blobs, emit, staged, cursor, log, streams, pulls, idle_checkpoints)
    }
}

/// Who is bounded how. The pool's measures (`instances`, `instances_per_tenant`, `memories`, `core_instances`) are those of
/// `all`; every other may be a connector's own, and a tenant's make them tighter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsTable {
    /// For whatever is not named below.
    pub all: Limits,
    /// Instead of `all`, by connector.
    pub connectors: BTreeMap<ConnectorId, Limits>,
    /// Never more than these, by tenant.
    pub tenants: BTreeMap<TenantId, Limits>,
}

impl LimitsTable {
    /// What bounds an execution of a connector for a tenant.
    #[must_use]
    pub fn of(&self, tenant: &TenantId, connector: &ConnectorId) -> Limits {
        let own = self.of_connector(connector);
        self.tenants.get(tenant).map_or_else(|| own.clone(), |tenant| own.tightened(tenant))
    }

    /// What bounds a connector where no tenant's limits are tighter.
    #[must_use]
    pub fn of_connector(&self, connector: &ConnectorId) -> &Limits {
        self.connectors.get(connector).unwrap_or(&self.all)
    }

    /// The largest that anybody has, of what is not measured out for each execution: the pool's slots, buffers, leases.
    pub(crate) fn largest(&self) -> Limits {
        self.connectors.values().fold(self.all.clone(), |most, one| Limits {
            memory: most.memory.max(one.memory),
            table_elements: most.table_elements.max(one.table_elements),
            wall_tool: most.wall_tool.max(one.wall_tool),
            wall_pull: most.wall_pull.max(one.wall_pull),
            inline: most.inline.max(one.inline),
            blob: most.blob.max(one.blob),
            ..most
        })
    }
}

impl From<Limits> for LimitsTable {
    fn from(all: Limits) -> Self {
        Self { all, ..Self::default() }
    }
}

/// Times as people write them.
mod span {
    use std::time::Duration;

    use sallyport_pack::manifest::Span;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = time.as_millis();
        let text = if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") };
        text.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Span::deserialize(deserializer).map(Span::duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_has_its_own_limits_and_a_tenant_only_tighter_ones() {
        let table = LimitsTable {
            connectors: BTreeMap::from([(
                ConnectorId::new("trello").expect("an id"),
                Limits { memory: 1 << 30, calls: 5, ..Limits::default() },
            )]),
            tenants: BTreeMap::from([(TenantId::new("small"), Limits { memory: 1 << 20, ..Limits::default() })]),
            ..LimitsTable::default()
        };
        let of = |tenant: &str, connector: &str| {
            table.of(&TenantId::new(tenant), &ConnectorId::new(connector).expect("an id"))
        };
        assert_eq!((of("any", "trello").memory, of("any", "trello").calls), (1 << 30, 5));
        assert_eq!((of("small", "trello").memory, of("small", "trello").calls), (1 << 20, 5));
        assert_eq!(of("any", "other"), Limits::default());
        assert_eq!(table.largest().memory, 1 << 30);
    }

    #[test]
    fn they_are_written_as_people_write_them() {
        let limits: Limits = toml::from_str("cpu_tool = \"250ms\"\nmemory = 1000").expect("limits");
        assert_eq!(limits, Limits { cpu_tool: Duration::from_millis(250), memory: 1000, ..Limits::default() });
        let text = toml::to_string(&limits).expect("text");
        assert_eq!(toml::from_str::<Limits>(&text).expect("the same"), limits);
        assert!(toml::from_str::<Limits>("cpu = 1").is_err(), "an unknown one is refused");
    }
}
