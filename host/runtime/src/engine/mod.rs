//! The engine: one for a process, shared by every tenant and connector.
//!
//! A guest's CPU time is counted in epoch ticks of [`TICK`]: the callback that counts runs in guest code only, so that
//! a host call of any length costs one tick at most.

pub(crate) mod bare;
mod bindings;
mod budget;
mod cache;
mod compiler;
mod component;
mod describe;
mod error;
mod guests;
mod limits;
mod meter;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Store, UpdateDeadline};

use crate::host::State;
use crate::ids::TenantId;

pub(crate) use bindings::{exports, sallyport as imports};
pub(crate) use budget::Budget;
pub(crate) use cache::Cache;
use compiler::Order;
pub use compiler::{ChildCompiler, Compiler, compile_child};
pub(crate) use component::{Loaded, LoadedTool, Place};
pub use describe::{DescribeError, describe};
pub use error::{ComponentError, EngineError, Limit};
use guests::Guests;
pub use limits::{Limits, LimitsTable};
pub(crate) use meter::{Meter, metered};
use slots::{Slot, Slots};

/// What a guest's CPU time is counted in.
pub const TICK: Duration = Duration::from_millis(10);

/// Bytes of a memory's used pages that are wiped and kept for the next instance in its slot, instead of being given back
/// to the operating system and asked for again page by page. Ordinary connectors dirty less.
const MEMORY_KEPT: usize = 512 << 10;
const TABLE_KEPT: usize = 32 << 10;

/// The wasmtime engine with our linker: it offers the connector worlds' interfaces and nothing else.
#[derive(Clone)]
pub(crate) struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    order: Order,
    slots: Slots,
    guests: Guests,
}

impl Engine {
    /// Builds the engine and starts the thread that ticks while it lives.
    pub(crate) fn new(table: &LimitsTable) -> Result<Self, EngineError> {
        let limits = table.largest();
        let start = |error: wasmtime::Error| EngineError::Start(format!("{error:#}"));
        let (wasmtime, pooled) = match wasmtime::Engine::new(&config(&limits, true)) {
            Ok(engine) => (engine, true),
            // Where address space is rationed, slower instances are better than none.
            Err(error) => {
                tracing::warn!(%error, "no pool of instances can be reserved; each is made on demand");
                (wasmtime::Engine::new(&config(&limits, false)).map_err(start)?, false)
            }
        };
        let mut linker = Linker::new(&wasmtime);
        bindings::link(&mut linker).map_err(start)?;
        tick(&wasmtime).map_err(|error| EngineError::Start(error.to_string()))?;
        let slots = Slots::new(limits.instances, limits.instances_per_tenant);
        let guests = Guests::start().map_err(|error| EngineError::Start(error.to_string()))?;
        Ok(Self(Arc::new(Inner { wasmtime, linker, order: Order { limits, pooled }, slots, guests })))
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }

    /// What a compiler has to know.
    fn order(&self) -> &Order {
        &self.0.order
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.0.linker
    }

    /// Waits for a free slot of the pool.
    pub(crate) async fn slot(&self, tenant: &TenantId) -> Slot {
        self.0.slots.take(tenant).await
    }

    /// Where guests run.
    pub(crate) fn guests(&self) -> &Guests {
        &self.0.guests
    }

    /// A store for one execution; never used for a second one.
    pub(crate) fn store(&self, state: State) -> Store<State> {
        let limits = Arc::clone(&state.limits);
        let mut store = Store::new(&self.0.wasmtime, state);
        store.limiter(|state| &mut state.budget);
        store.set_hostcall_fuel(limits.host_call);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| {
            context.data_mut().budget.tick()?;
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }
}

fn config(limits: &Limits, pooled: bool) -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_memory64(false);
    config.epoch_interruption(true);
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    // Both are for debuggers only, and half as much again to load.
    config.generate_address_map(false);
    config.native_unwind_info(cfg!(windows));
    if pooled {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(limits.instances)
            .total_stacks(limits.instances)
            .max_core_instances_per_component(limits.core_instances)
            .total_core_instances(limits.instances.saturating_mul(limits.core_instances))
            .max_memories_per_component(limits.memories)
            .total_memories(limits.instances.saturating_mul(limits.memories))
            .max_tables_per_component(limits.core_instances)
            .total_tables(limits.instances.saturating_mul(limits.core_instances))
            .table_elements(limits.table_elements)
            .max_memory_size(limits.memory)
            .linear_memory_keep_resident(MEMORY_KEPT)
            .table_keep_resident(TABLE_KEPT)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Advances the epoch until the last engine is gone.
fn tick(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new().name("sallyport-tick".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
