//! Connector files: read, checked, compiled once, kept ready to instantiate.

use std::collections::HashMap;
use std::sync::Arc;

use sallyport_pack::describe::ToolDescription;
use sallyport_pack::manifest::Manifest;
use sallyport_pack::sealed::{self, FileError};
use serde_json::Value;
use wasmtime::component::{Component, InstancePre};

use super::exports::sallyport::connector::{account, sync, tools};
use super::{Cache, Compiler, ComponentError, Engine};
use crate::host::State;
use crate::ids::{Digest, ToolName};
use crate::schema::{BadSchema, Schema};

/// A connector that is ready to run.
pub(crate) struct Loaded {
    pub(crate) digest: Digest,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) tools: HashMap<ToolName, LoadedTool>,
    pub(crate) instance: InstancePre<State>,
    pub(crate) exports: Exports,
}

/// What `describe` said about a tool, with its schemas compiled.
pub(crate) struct LoadedTool {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) input: Arc<Value>,
    pub(crate) output: Option<Arc<Value>>,
    pub(crate) check_input: Schema,
    pub(crate) check_output: Option<Schema>,
}

/// Which interfaces a component exports. Only `account` is required.
pub(crate) struct Exports {
    pub(crate) account: account::GuestIndices,
    pub(crate) sync: Option<sync::GuestIndices>,
    pub(crate) tools: Option<tools::GuestIndices>,
}

impl Loaded {
    /// Reads a connector file, refuses what is none, compiles it or takes the compiled code from the cache. Nothing in it
    /// is run.
    pub(crate) fn read(engine: &Engine, place: Place<'_>, bytes: &[u8]) -> Result<Self, ComponentError> {
        // Every check of the packer is made again here, the imports' among them; the linker below knows our interfaces only.
        let file = sealed::read(bytes).map_err(|error| match error {
            FileError::Imports(foreign) => ComponentError::Imports(foreign),
            FileError::NoAccount(_) => ComponentError::Exports { interface: "account", reason: error.to_string() },
            FileError::Disagree(_) | FileError::Manifest(_) => ComponentError::Manifest(error.to_string()),
            other => ComponentError::NotAConnector(other.to_string()),
        })?;
        let digest = Digest::of(bytes);
        let component = compile(engine, place, &digest, bytes)?;
        let instance = engine.linker().instantiate_pre(&component).map_err(|error| ComponentError::Exports {
            interface: "a world of sallyport:connector",
            reason: format!("{error:#}"),
        })?;
        let exports = Exports::of(&instance, &component)?;
        let tools = tools_of(file.tools)?;
        let manifest = Arc::new(file.manifest);
        Ok(Self { digest, manifest, tools, instance, exports })
    }
}

/// Who compiles, and where compiled code is kept.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) compiler: &'a Compiler,
    pub(crate) cache: Option<&'a Cache>,
}

fn compile(engine: &Engine, place: Place<'_>, digest: &Digest, bytes: &[u8]) -> Result<Component, ComponentError> {
    if let Some(component) = place.cache.and_then(|cache| cache.load(engine.wasmtime(), digest)) {
        return Ok(component);
    }
    let code = place.compiler.compile(engine, bytes)?;
    // SAFETY: `deserialize` demands bytes that `serialize` or `precompile_component` gave and nobody changed. They were
    // made a moment ago by this program, here or in a child that it started, and came through a pipe that is its own.
    #[allow(unsafe_code)]
    let component = unsafe { Component::deserialize(engine.wasmtime(), &code) };
    let component = component.map_err(|error| ComponentError::Compiler(format!("its code does not fit: {error:#}")))?;
    if let Some(cache) = place.cache {
        cache.keep(engine.wasmtime(), digest, &code);
    }
    Ok(component)
}

impl Exports {
    fn of(instance: &InstancePre<State>, component: &Component) -> Result<Self, ComponentError> {
        let has = |interface: &str| {
            component.get_export_index(None, format!("sallyport:connector/{interface}@0.1.0")).is_some()
        };
        let bad = |interface: &'static str| {
            move |error: wasmtime::Error| ComponentError::Exports { interface, reason: format!("{error:#}") }
        };
        Ok(Self {
            account: account::GuestIndices::new(instance).map_err(bad("account"))?,
            sync: has("sync").then(|| sync::GuestIndices::new(instance).map_err(bad("sync"))).transpose()?,
            tools: has("tools").then(|| tools::GuestIndices::new(instance).map_err(bad("tools"))).transpose()?,
        })
    }
}

/// Compiles what `describe` said.
fn tools_of(described: Vec<ToolDescription>) -> Result<HashMap<ToolName, LoadedTool>, ComponentError> {
    described.into_iter().map(|tool| Ok((tool.name.clone(), LoadedTool::of(tool)?))).collect()
}

impl LoadedTool {
    fn of(tool: ToolDescription) -> Result<Self, ComponentError> {
        let bad = |which: &'static str| {
            let name = &tool.name;
            move |error: BadSchema| ComponentError::Manifest(format!("the {which} schema of {name}: {error}"))
        };
        Ok(Self {
            check_input: Schema::compile(&tool.input).map_err(bad("input"))?,
            check_output: tool.output.as_ref().map(Schema::compile).transpose().map_err(bad("output"))?,
            title: tool.title,
            description: tool.description,
            input: Arc::new(tool.input),
            output: tool.output.map(Arc::new),
        })
    }
}
