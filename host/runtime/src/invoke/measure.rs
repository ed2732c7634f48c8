//! What the engine costs by itself: for `sallyport bench`, and for embedders who want to know it of their machine.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::authority::{Authority, Fence};
use crate::caller::Caller;
use crate::engine::{Cache, Loaded, bare};
use crate::error::InvokeError;
use crate::ids::{ConnectionId, InvocationId, ToolName};
use crate::ports::Standing;
use crate::runtime::Runtime;

use super::execute::Call;

/// What compiling and loading a connector took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadFigures {
    /// Compiled, once.
    pub compile: Duration,
    /// Loaded from the cache of compiled code: read, authenticated, mapped. Each round.
    pub load: Vec<Duration>,
}

/// What a call took that asks nothing of the host. Each round; the two take turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFigures {
    /// As this runtime runs it: a fresh store within its limits, a fresh instance from the pool, the call, all dropped.
    pub ours: Vec<Duration>,
    /// As wasmtime runs it with its defaults: a fresh store without limits, an instance made on demand, the same call.
    pub bare: Vec<Duration>,
}

impl Runtime {
    /// Measures compiling and loading a connector file, in an empty folder that is the caller's to remove.
    ///
    /// # Errors
    /// [`InvokeError::Component`] for a file that is no connector, [`InvokeError::Host`] for a folder that cannot be used.
    pub async fn measure_load(&self, file: &[u8], folder: &Path, rounds: usize) -> Result<LoadFigures, InvokeError> {
        let (engine, file, folder) = (self.engine().clone(), file.to_vec(), folder.to_owned());
        let measured = tokio::task::spawn_blocking(move || {
            let cache = Cache::open(&folder).map_err(|error| InvokeError::Host(error.to_string()))?;
            let component = |error: crate::engine::ComponentError| InvokeError::Component(error.to_string());
            let begun = Instant::now();
            let digest = Loaded::read(&engine, Some(&cache), &file).map_err(component)?.digest;
            let mut figures = LoadFigures { compile: begun.elapsed(), load: Vec::with_capacity(rounds) };
            for _ in 0..rounds {
                let begun = Instant::now();
                let loaded = cache.load(engine.wasmtime(), &digest);
                figures.load.push(begun.elapsed());
                if loaded.is_none() {
                    return Err(InvokeError::Host(format!("nothing was kept in {}", folder.display())));
                }
            }
            Ok(figures)
        });
        measured.await.map_err(|error| InvokeError::Host(error.to_string()))?
    }

    /// Measures calls of a tool with arguments that it refuses without asking the host for anything: what is left is
    /// the store, the instance and the call. `file` is the connector that the connection runs.
    ///
    /// # Errors
    /// As [`Runtime::identify`]; [`InvokeError::Component`] where plain wasmtime cannot run the file.
    pub async fn measure_calls(
        &self,
        caller: &Caller,
        connection: &ConnectionId,
        file: &[u8],
        tool: &ToolName,
        arguments: &str,
        rounds: usize,
    ) -> Result<CallFigures, InvokeError> {
        let bench = self.bench(self.visible(caller, connection).await?).await?;
        let plain = bare::Bare::new(file).map_err(|error| InvokeError::Component(format!("{error:#}")))?;
        let mut figures = CallFigures::default();
        for _ in 0..rounds {
            let at = Authority {
                caller: caller.clone(),
                connection: bench.connection.id.clone(),
                invocation: InvocationId::fresh(),
                fence: Fence::default(),
            };
            let begun = Instant::now();
            let call = Call::Invoke(tool.as_str(), arguments);
            let executed = self.run_plain(&bench, &Standing::Identify, at, call).await?;
            figures.ours.push(begun.elapsed());
            executed.result?;
            let begun = Instant::now();
            plain.invoke(tool.as_str(), arguments).map_err(|error| InvokeError::Component(format!("{error:#}")))?;
            figures.bare.push(begun.elapsed());
        }
        Ok(figures)
    }
}
