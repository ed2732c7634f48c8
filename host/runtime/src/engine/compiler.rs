//! Compiling connectors: a compiler is large, and a stranger chooses what it reads. So it runs in a process of its own,
//! which may use so much memory and time and no more, and which knows nothing that is worth having.

use std::io::{self, BufRead as _, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use super::{ComponentError, Engine, Limits};

/// What is read of a child's words about what went wrong.
const WORDS: u64 = 4 << 10;

/// Where connectors are compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, without limits: for tests, and for embedders who wrote their connectors themselves.
    #[default]
    Here,
    /// In a child process for each file.
    Child(ChildCompiler),
}

/// A program that compiles one file and ends: it calls [`compile_child`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildCompiler {
    /// The program; usually this one.
    pub program: PathBuf,
    /// What makes it call [`compile_child`].
    pub arguments: Vec<String>,
    /// Bytes of memory that it may write to. Default 2 GiB.
    pub memory: u64,
    /// CPU time of all its threads. Default 120 s.
    pub cpu: Duration,
    /// Wall time. Default 180 s.
    pub wall: Duration,
    /// Bytes of native code. Default 512 MiB.
    pub output: u64,
}

impl ChildCompiler {
    /// With the default limits.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = String>) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().collect(),
            memory: 2 << 30,
            cpu: Duration::from_secs(120),
            wall: Duration::from_secs(180),
            output: 512 << 20,
        }
    }
}

/// What a child is told before the file: what decides whether its code fits the engine that asked.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) limits: Limits,
    pub(super) pooled: bool,
}

impl Compiler {
    /// Native code for a component, as [`Component::serialize`] gives it.
    pub(super) fn compile(&self, engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, ComponentError> {
        let failed = |error: wasmtime::Error| ComponentError::Compile(format!("{error:#}"));
        match self {
            Self::Here => Component::new(engine.wasmtime(), bytes).and_then(|made| made.serialize()).map_err(failed),
            Self::Child(child) => child.compile(engine.order(), bytes),
        }
    }
}

impl ChildCompiler {
    fn compile(&self, order: &Order, bytes: &[u8]) -> Result<Vec<u8>, ComponentError> {
        let host = |error: io::Error| {
            ComponentError::Compiler(format!("the compiler {} does not run: {error}", self.program.display()))
        };
        let order = serde_json::to_vec(order).map_err(io::Error::from).map_err(host)?;
        let mut child = self.command().spawn().map_err(host)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut input), Some(output), Some(words)) = pipes else {
            return Err(ComponentError::Compiler("the compiler's pipes are not there".into()));
        };
        thread::scope(|scope| {
            // A child that ends early closes its end; what it said and how it ended tell why.
            scope.spawn(move || {
                let _ =
                    input.write_all(&order).and_then(|()| input.write_all(b"\n")).and_then(|()| input.write_all(bytes));
            });
            let words = scope.spawn(move || read(words, WORDS).unwrap_or_default());
            let (done, outcome) = mpsc::channel();
            scope.spawn(move || done.send(read(output, self.output.saturating_add(1))));
            let code = outcome.recv_timeout(self.wall);
            let status = stop(&mut child, code.is_err()).map_err(host)?;
            let words = words.join().unwrap_or_default();
            match code {
                Err(_) => {
                    Err(ComponentError::Compile(format!("it took longer than {:?}, and was given up", self.wall)))
                }
                Ok(Err(error)) => Err(host(error)),
                Ok(Ok(code)) if code.len() as u64 > self.output => {
                    Err(ComponentError::Compile(format!("it came to more than {} bytes of native code", self.output)))
                }
                Ok(Ok(code)) if status.success() => Ok(code),
                Ok(Ok(_)) => Err(ComponentError::Compile(self.why(status, &words))),
            }
        })
    }

    /// Without an environment, in the root folder, with what a shell's `ulimit` bounds.
    fn command(&self) -> Command {
        let mut command = if cfg!(unix) {
            let mut command = Command::new("/bin/sh");
            // Memory in KiB that it can write to; CPU in seconds; no core file of what it read.
            let bounds =
                format!("ulimit -c 0; ulimit -d {}; ulimit -t {}", self.memory >> 10, self.cpu.as_secs().max(1));
            command.args(["-c", &format!("{bounds}; exec \"$0\" \"$@\"")]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.args(&self.arguments).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn why(&self, status: ExitStatus, words: &[u8]) -> String {
        let words = String::from_utf8_lossy(words);
        match words.trim() {
            "" => format!(
                "the compiler was stopped ({status}): it may use {} MiB and {:?} of CPU time",
                self.memory >> 20,
                self.cpu
            ),
            words => words.to_owned(),
        }
    }
}

fn stop(child: &mut Child, late: bool) -> io::Result<ExitStatus> {
    if late {
        child.kill()?;
    }
    child.wait()
}

fn read(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Compiles one file, from `input` to `output`, as [`Compiler::Child`] asks for it. A program that calls it should do
/// nothing else before or after, and end with failure and these words on its standard error if there are any.
///
/// # Errors
/// Why there is no code, in words.
pub fn compile_child(mut input: impl io::BufRead, mut output: impl Write) -> Result<(), String> {
    let mut order = Vec::new();
    input.by_ref().take(64 << 10).read_until(b'\n', &mut order).map_err(|error| error.to_string())?;
    let order: Order = serde_json::from_slice(&order).map_err(|error| format!("no order to compile: {error}"))?;
    let engine =
        wasmtime::Engine::new(&super::config(&order.limits, order.pooled)).map_err(|error| format!("{error:#}"))?;
    let mut bytes = Vec::new();
    input
        .take(sallyport_pack::sealed::MAX_FILE_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let code = engine.precompile_component(&bytes).map_err(|error| format!("{error:#}"))?;
    output.write_all(&code).and_then(|()| output.flush()).map_err(|error| error.to_string())
}
