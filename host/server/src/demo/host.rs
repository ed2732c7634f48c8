//! The host as a process of its own, so that it can be killed; and the command line beside it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long a host may take until it serves.
const PATIENCE: Duration = Duration::from_secs(60);

fn sallyport(data: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("where this program is")?);
    command.arg("--data").arg(data).args(["--tenant", super::TENANT]).stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// A serving host.
pub(crate) struct Host {
    child: Child,
    /// Where it serves, without a slash at the end.
    pub url: String,
}

impl Host {
    /// Starts one and waits until it serves.
    ///
    /// # Errors
    /// It ended, or said nothing in time.
    pub(crate) async fn start(data: &Path) -> anyhow::Result<Self> {
        let mut command = sallyport(data)?;
        command.args(["--listen", "127.0.0.1:0", "serve"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting the host")?;
        let out = child.stdout.take().context("the host's output")?;
        let mut errors = child.stderr.take().context("the host's errors")?;
        let mut lines = BufReader::new(out).lines();
        let first =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the host said nothing in time")??;
        let Some(url) = first.as_deref().and_then(|line| line.strip_prefix("serving ")) else {
            let mut said = String::new();
            errors.read_to_string(&mut said).await.unwrap_or_default();
            bail!("the host did not begin to serve: {}", said.trim());
        };
        let url = url.trim_end_matches('/').to_owned();
        // Nobody reads the log of this host, and a full pipe must not stop it.
        tokio::spawn(async move { tokio::io::copy(&mut errors, &mut tokio::io::sink()).await });
        Ok(Self { child, url })
    }

    /// Its process.
    #[must_use]
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// It cannot be waited for.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }
}

/// Runs a command of this program over the data directory, and reads its JSON.
///
/// # Errors
/// The command failed; its words are in the error.
pub(crate) async fn command(data: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
    let output = sallyport(data)?.args(arguments).args(["--output", "json"]).output().await?;
    if !output.status.success() {
        bail!("sallyport {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("sallyport {}: no JSON", arguments.join(" ")))
}

/// The folder of the demo in the user's cache.
///
/// # Errors
/// No cache folder is known.
pub fn folder() -> anyhow::Result<PathBuf> {
    Ok(crate::cli::session::cache()?.join("demo"))
}
