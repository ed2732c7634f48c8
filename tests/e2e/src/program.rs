//! The program, as a person runs it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::chromium::Running;

/// What a run of the program came to.
#[derive(Debug)]
pub struct Finished {
    /// Whether it ended with exit code 0.
    pub success: bool,
    /// What it printed as its result.
    pub stdout: String,
    /// What it said meanwhile, and why it failed.
    pub stderr: String,
}

impl Finished {
    /// Its result as JSON.
    ///
    /// # Panics
    /// It is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

/// The program, built from the sources as they are.
///
/// # Panics
/// It does not compile.
#[must_use]
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // What the alias `cargo sallyport` runs; nothing to do where the tests' build has made it.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--bin", "sallyport"]).current_dir(root());
        // What cargo tells a test of its own package would make build scripts that look at it (ring's does) run again, and
        // everything that is built on them be compiled anew.
        let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars().filter(|(name, _)| told(name)) {
            cargo.env_remove(name);
        }
        assert!(cargo.status().expect("cargo runs").success(), "the program does not compile");
        let test = std::env::current_exe().expect("a test has a path");
        let profile = test.parent().and_then(Path::parent).expect("tests lie in <target>/<profile>/deps");
        profile.join("sallyport")
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Connectors of this repository, by their folders in it: built, or taken as they are where nothing has changed.
///
/// # Panics
/// They do not build; the packer's words say why.
#[must_use]
pub fn connectors(folders: &[&str]) -> Vec<PathBuf> {
    let built = folders.iter().map(|folder| sallyport_server::setup::build_one(&root().join(folder), &|_| {}));
    built.map(|report| report.unwrap_or_else(|error| panic!("{error:#}")).path).collect()
}

/// Runs the program.
///
/// # Panics
/// It cannot be started.
#[must_use]
pub fn run(arguments: &[&str]) -> Finished {
    finished(command(arguments).output().expect("the program starts"))
}

/// Runs the program with its results as JSON.
///
/// # Panics
/// It fails, or its result is no JSON.
#[must_use]
pub fn output(arguments: &[&str]) -> Value {
    succeeds(&[arguments, &["--output", "json"]].concat()).json()
}

/// Runs the program, which has to succeed.
///
/// # Panics
/// It fails.
pub fn succeeds(arguments: &[&str]) -> Finished {
    let finished = run(arguments);
    assert!(finished.success, "sallyport {}: {}", arguments.join(" "), finished.stderr);
    finished
}

/// Runs the program, which has to fail; gives its last words.
///
/// # Panics
/// It succeeds, or panics.
#[must_use]
pub fn fails(arguments: &[&str]) -> String {
    let finished = run(arguments);
    assert!(!finished.success, "sallyport {} succeeded: {}", arguments.join(" "), finished.stdout);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    let last = finished.stderr.rfind("\nerror: ").map_or(0, |at| at + 1);
    let error = finished.stderr[last..].strip_prefix("error: ").map(|error| error.trim().to_owned());
    error.unwrap_or_else(|| panic!("no error was said: {}", finished.stderr))
}

/// The program, serving. It ends with this.
pub struct Serving {
    /// Where, without a slash at the end.
    pub url: String,
    _process: Running,
}

impl Serving {
    /// Serves a data directory at a free port of this machine.
    ///
    /// # Panics
    /// It does not start, or says no address.
    #[must_use]
    pub fn start(data: &str) -> Self {
        let mut command = command(&["--data", data, "--listen", "127.0.0.1:0", "serve"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let process = Running::new(child);
        let url = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("serving ").map(ToOwned::to_owned));
        Self { url: url.expect("it says where it serves").trim_end_matches('/').to_owned(), _process: process }
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null());
    // The tests say everything themselves.
    for name in [
        "SALLYPORT_DATA",
        "SALLYPORT_LISTEN",
        "SALLYPORT_PUBLIC_URL",
        "SALLYPORT_TENANT",
        "SALLYPORT_MODEL_URL",
        "SALLYPORT_MODEL_KEY",
    ] {
        command.env_remove(name);
    }
    command
}

fn finished(output: Output) -> Finished {
    Finished {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
