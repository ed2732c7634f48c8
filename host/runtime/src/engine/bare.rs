//! wasmtime with nothing of ours around it: what measurements of our own engine are held against.

use wasmtime::component::{Component, InstancePre, Linker, Val};
use wasmtime::{Config, Engine, Store};

const TOOLS: &str = "sallyport:connector/tools@0.1.0";

/// A component in an engine with wasmtime's defaults. Whatever it asks of the host is a trap.
pub(crate) struct Bare {
    engine: Engine,
    instance: InstancePre<()>,
}

impl Bare {
    pub(crate) fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let engine = Engine::new(&Config::new())?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::<()>::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        Ok(Self { instance: linker.instantiate_pre(&component)?, engine })
    }

    /// `tools.invoke` in a fresh store; what it answers is of no interest.
    pub(crate) fn invoke(&self, tool: &str, arguments: &str) -> wasmtime::Result<()> {
        let mut store = Store::new(&self.engine, ());
        let instance = self.instance.instantiate(&mut store)?;
        let missing = || wasmtime::Error::msg("it exports no tools");
        let interface = instance.get_export_index(&mut store, None, TOOLS).ok_or_else(missing)?;
        let export = instance.get_export_index(&mut store, Some(&interface), "invoke").ok_or_else(missing)?;
        let invoke = instance.get_func(&mut store, export).ok_or_else(missing)?;
        let arguments = [Val::String(tool.to_owned()), Val::String(arguments.to_owned())];
        invoke.call(&mut store, &arguments, &mut [Val::Bool(false)])
    }
}
