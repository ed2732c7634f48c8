//! What the engine costs by itself: for `sallyport bench`, and for embedders who want to know it of their machine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cpu_time::ThreadTime;

use crate::authority::{Authority, Fence};
use crate::caller::Caller;
use crate::egress::{Body, Delivery, Request};
use crate::engine::{Cache, Compiler, Loaded, Place, bare};
use crate::error::InvokeError;
use crate::host::Got;
use crate::ids::{ConnectionId, InvocationId, SlotName, ToolName};
use crate::keys::Secret;
use crate::ports::Standing;
use crate::runtime::Runtime;
use crate::scan::Scanner;

use super::Trace;
use super::execute::Call;
use super::gate::Gate;
use super::recorded::Recorded;
use super::tool::{Begun, canonical};
use super::words::Words;

/// After so many measured records what was handed over is waited for: none is measured against a queue that grows.
const IN_A_ROW: usize = 64;

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

/// How long it takes to look through a text for a secret that is not in it. Each round; the two take turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanFigures {
    /// For every form in which it could stand there.
    pub ours: Vec<Duration>,
    /// As it is, by `memchr`'s search for one string.
    pub memchr: Vec<Duration>,
}

/// Measures looking through `text` for a token of 40 characters.
#[must_use]
pub fn measure_scan(text: &[u8], rounds: usize) -> ScanFigures {
    let token = "bench_5d41402abc4b2a76b9719d911017c592abc";
    let scanner = Scanner::new(&[Secret::new(token)]);
    let plain = memchr::memmem::Finder::new(token);
    let mut figures = ScanFigures::default();
    for _ in 0..rounds {
        let begun = Instant::now();
        std::hint::black_box(scanner.finds(std::hint::black_box(text)));
        figures.ours.push(begun.elapsed());
        let begun = Instant::now();
        std::hint::black_box(plain.find(std::hint::black_box(text)));
        figures.memchr.push(begun.elapsed());
    }
    figures
}

impl Runtime {
    /// Measures everything that is done to a request but sending it: URL, route, grant, headers, rate tokens, address,
    /// secret, and looking for the secret in `answer`. CPU time of this thread, each round.
    ///
    /// # Errors
    /// As [`Runtime::identify`]; [`InvokeError::Host`] where the request is refused.
    pub async fn measure_gate(
        &self,
        caller: &Caller,
        connection: &ConnectionId,
        tool: &ToolName,
        url: &str,
        answer: &[u8],
        rounds: usize,
    ) -> Result<Vec<Duration>, InvokeError> {
        let bench = self.bench_for(caller, connection).await?;
        let services = self.services();
        let live = bench.live(&Standing::Tool { tool: tool.clone() }, services.clock.now())?;
        let at = Authority {
            caller: caller.clone(),
            connection: bench.connection.id.clone(),
            invocation: InvocationId::fresh(),
            fence: Fence::default(),
        };
        let host = |error: &dyn std::fmt::Display| InvokeError::Host(error.to_string());
        let mut figures = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let request = get(url);
            let begun = ThreadTime::try_now().map_err(|error| host(&error))?;
            let authorised = services.egress.authorise(&live, request).map_err(|error| host(&error))?;
            let ready = services.egress.prepare(&at, &bench.connection, authorised).await;
            let found = ready.map_err(|error| host(&error))?.finds_secret(answer);
            figures.push(begun.try_elapsed().map_err(|error| host(&error))?);
            if found {
                return Err(InvokeError::Host("the answer holds the secret".into()));
            }
        }
        Ok(figures)
    }

    /// Measures what a read-only tool call pays for its record, and does nothing else: the record is opened, the start, a
    /// look at the clock, the read of `url` with this `answer` and the end, with as much output, are sealed and handed over.
    /// Each round, by the clock.
    ///
    /// # Errors
    /// As [`Runtime::identify`]; [`InvokeError::Host`] where the request is refused, the store's where it cannot keep it.
    pub async fn measure_journal(
        &self,
        caller: &Caller,
        connection: &ConnectionId,
        tool: &ToolName,
        url: &str,
        answer: &[u8],
        rounds: usize,
    ) -> Result<Vec<Duration>, InvokeError> {
        let bench = self.bench_for(caller, connection).await?;
        let services = Arc::clone(self.services());
        let standing = Standing::Tool { tool: tool.clone() };
        let live = bench.live(&standing, services.clock.now())?;
        let request = get(url);
        let authorised = services
            .egress
            .authorise(&live, request.clone())
            .map_err(|refusal| InvokeError::Host(refusal.to_string()))?;
        let arguments = canonical(&serde_json::json!({ "url": url }))?;
        let got = Ok(Got {
            status: 200,
            headers: vec![("content-type".into(), "application/json".into())],
            body: Bytes::copy_from_slice(answer),
        });
        let mut figures = Vec::with_capacity(rounds);
        for round in 0..rounds {
            // Of a tool that reads: nothing asks it.
            let gate = Gate {
                max_writes: 0,
                setting: live.setting(),
                writes_per_day: None,
                bounds: None,
                ask: None,
                approved: Vec::new(),
                first: None,
                words: Words::default(),
                made: 0,
                opened: false,
            };
            let begun = Instant::now();
            let (caller, now) = (caller.clone(), services.clock.now());
            let Begun { at, plan, writer } =
                self.begin(caller, &bench, &live, standing.clone(), now, (&arguments, None)).await?;
            let (connection, recorded) = (Arc::clone(&bench.connection), Recorded::default());
            let mut trace = Trace::new(Arc::clone(&services), connection, writer, gate, recorded, &plan);
            trace.now(now).await?;
            trace.answered_read(&request, &authorised, &got).await?;
            trace.succeed(answer).await?;
            figures.push(begun.elapsed());
            if round % IN_A_ROW == 0 {
                services.journal.record(at.tenant(), &at.invocation).await?;
            }
        }
        Ok(figures)
    }

    /// Measures making a slot's secret ready for a request: read, opened, put into its header, refreshed if it has ended.
    /// Each round, by the clock.
    ///
    /// # Errors
    /// As [`Runtime::identify`]; [`InvokeError::NeedsReauth`] where there is no secret to be had.
    pub async fn measure_attach(
        &self,
        caller: &Caller,
        connection: &ConnectionId,
        slot: &SlotName,
        rounds: usize,
    ) -> Result<Vec<Duration>, InvokeError> {
        let bench = self.bench_for(caller, connection).await?;
        let at = Authority {
            caller: caller.clone(),
            connection: bench.connection.id.clone(),
            invocation: InvocationId::fresh(),
            fence: Fence::default(),
        };
        let mut figures = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let begun = Instant::now();
            let attached = self.credentials().attach(&at, &bench.connection, &bench.component.manifest, slot).await;
            figures.push(begun.elapsed());
            attached.map_err(|error| InvokeError::NeedsReauth(error.to_string()))?;
        }
        Ok(figures)
    }

    /// Measures compiling and loading a connector file, in an empty folder that is the caller's to remove.
    ///
    /// # Errors
    /// [`InvokeError::Component`] for a file that is no connector, [`InvokeError::Host`] for a folder that cannot be used.
    pub async fn measure_load(&self, file: &[u8], folder: &Path, rounds: usize) -> Result<LoadFigures, InvokeError> {
        let (engine, file, folder) = (self.engine().clone(), file.to_vec(), folder.to_owned());
        let measured = tokio::task::spawn_blocking(move || {
            let cache = Cache::open(&folder).map_err(|error| InvokeError::Host(error.to_string()))?;
            let component = |error: crate::engine::ComponentError| InvokeError::Component(error.to_string());
            let place = Place { compiler: &Compiler::Here, cache: Some(&cache) };
            let begun = Instant::now();
            let digest = Loaded::read(&engine, place, &file).map_err(component)?.digest;
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
        let bench = self.bench_for(caller, connection).await?;
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
            let call = Call::Invoke(tool.to_string(), arguments.to_owned());
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

/// A guest's request for some JSON.
fn get(url: &str) -> Request {
    Request {
        method: "GET".into(),
        url: url.into(),
        headers: vec![("accept".into(), "application/json".into())],
        body: Body::Empty,
        slot: None,
        delivery: Delivery::Inline,
        most: None,
    }
}
