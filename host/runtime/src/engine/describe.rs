//! What a component says of its tools, for the packer: its code is run once, and whatever it asks of the host is a trap.

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store, StoreLimits, StoreLimitsBuilder};

/// Instructions that `describe` may take, roughly; a connector of a hundred tools takes a hundredth.
const FUEL: u64 = 2_000_000_000;
/// Bytes of memory that it may take.
const MEMORY: usize = 64 << 20;
const TOOLS: &str = "sallyport:connector/tools@0.1.0";

/// A component did not say what its tools are. Its author mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("describe failed: {0}; it may call nothing of the host and takes no input")]
pub struct DescribeError(String);

/// Runs `tools.describe` in an engine of its own and gives the JSON that it answers.
///
/// # Errors
/// The bytes are no component that exports tools; it imported something and called it, trapped, or ran over its limits.
pub fn describe(component: &[u8]) -> Result<String, DescribeError> {
    run(component).map_err(|error| DescribeError(format!("{:#}", error.root_cause())))
}

fn run(bytes: &[u8]) -> wasmtime::Result<String> {
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, bytes)?;
    let mut linker = Linker::<StoreLimits>::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    let limits = StoreLimitsBuilder::new().memory_size(MEMORY).table_elements(20_000).instances(64).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    store.set_fuel(FUEL)?;
    let instance = linker.instantiate(&mut store, &component)?;
    let missing = || wasmtime::Error::msg("it exports no tools");
    let interface = instance.get_export_index(&mut store, None, TOOLS).ok_or_else(missing)?;
    let export = instance.get_export_index(&mut store, Some(&interface), "describe").ok_or_else(missing)?;
    let function = instance.get_typed_func::<(), (String,)>(&mut store, export)?;
    let (described,) = function.call(&mut store, ())?;
    Ok(described)
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn what_is_no_component_is_said_to_be_none() {
        assert!(describe(b"\0asm\x01\0\0\0").is_err());
        let empty = wat::parse_str("(component)").unwrap();
        assert!(describe(&empty).unwrap_err().to_string().contains("exports no tools"));
    }
}
