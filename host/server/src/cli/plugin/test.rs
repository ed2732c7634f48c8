//! `sallyport plugin test`: a connector's recorded runs are its test suite.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use sallyport::ids::{InvocationId, StreamId};
use sallyport::keys::MasterFile;
use sallyport::recording::{Masks, Recording, Run};
use sallyport::{Ports, Runtime};
use sallyport_store::Store;
use serde::Serialize;
use std::sync::Arc;

use super::super::replay::words;
use super::super::{Global, session};
use super::bytes;
use crate::output::{self, Rows};
use crate::setup;

/// What is tested, or recorded.
#[derive(Debug, Args)]
pub struct Options {
    /// The connector's folder: its crate, with recordings in `journals/`.
    dir: PathBuf,
    /// Test this file, and build nothing.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Make a recording of this name, in place of one that is there: of an invocation of this data directory, or of a pull.
    #[arg(long, value_name = "NAME")]
    record: Option<String>,
    /// Record this tool call.
    #[arg(long, value_name = "ID", requires = "record", conflicts_with = "connection")]
    invocation: Option<String>,
    /// Record a run for this connection: `--stream` pulls one, without it the streams are listed.
    #[arg(long, value_name = "CONNECTION", requires = "record")]
    connection: Option<String>,
    /// The stream that is pulled, everything from its beginning.
    #[arg(long, value_name = "STREAM", requires = "connection")]
    stream: Option<String>,
    /// Pull from this cursor on.
    #[arg(long, value_name = "CURSOR", requires = "stream")]
    cursor: Option<String>,
    /// Put stand-ins in place of every e-mail address.
    #[arg(long, requires = "record")]
    mask: bool,
    /// And of these words: names, titles, numbers.
    #[arg(long, value_name = "WORD", requires = "mask")]
    mask_word: Vec<String>,
}

/// One recording, played.
#[derive(Debug, Serialize)]
struct Tested {
    recording: String,
    calls: usize,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    parted: Option<String>,
}

impl Rows for Tested {
    fn header() -> &'static [&'static str] {
        &["recording", "calls", "result"]
    }

    fn row(&self) -> Vec<String> {
        let result = if self.passed { "as recorded" } else { "parts from its record" };
        vec![self.recording.clone(), self.calls.to_string(), result.into()]
    }
}

pub(super) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let file = match &options.file {
        Some(file) => file.clone(),
        None => {
            let dir = options.dir.clone();
            let built = tokio::task::spawn_blocking(move || setup::build_one(&dir, &|line| output::progress(line)));
            built.await??.path
        }
    };
    let component = bytes(&file)?;
    let desk = Desk::new().await?;
    match &options.record {
        Some(name) => record(global, &options, name, component, &desk).await,
        None => test(global, &options.dir, component, &desk).await,
    }
}

/// Where recordings are played: a runtime of its own, with nothing in it.
struct Desk {
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the test")?;
        let data = folder.path().join("data");
        let store = tokio::task::spawn_blocking(move || Store::open(data)).await??;
        let masters = MasterFile::open_or_create(&folder.path().join("master.key"))?;
        let runtime = Runtime::builder(Ports::all(Arc::new(store)), masters).build()?;
        Ok(Self { runtime, _folder: folder })
    }
}

async fn test(global: &Global, dir: &Path, component: Vec<u8>, desk: &Desk) -> anyhow::Result<()> {
    let folder = dir.join("journals");
    let mut files: Vec<PathBuf> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    ensure!(
        !files.is_empty(),
        "{} has no recordings: make one with `sallyport plugin test {} --record NAME …`",
        folder.display(),
        session::shown(dir)
    );
    let mut tested = Vec::with_capacity(files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let recording = Recording::read(&text).with_context(|| file.display().to_string())?;
        let replayed = desk.runtime.replay(&recording, component.clone()).await?;
        let passed = replayed.parted.is_empty();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let parted = (!passed).then(|| words(&replayed.parted));
        tested.push(Tested { recording: name, calls: replayed.calls, passed, parted });
    }
    output::list(global.output, &tested)?;
    for one in &tested {
        if let Some(parted) = &one.parted {
            output::progress(&format!("{}:\n{parted}", one.recording));
        }
    }
    let failed = tested.iter().filter(|one| !one.passed).count();
    ensure!(failed == 0, "{failed} of {} recordings part from what was recorded", tested.len());
    Ok(())
}

async fn record(global: &Global, options: &Options, name: &str, component: Vec<u8>, desk: &Desk) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    ensure!(!name.is_empty() && name.chars().all(plain), "{name:?} is no name for a file: letters, digits, - and _");
    let (app, tenant) = session::open(global).await?;
    let recording = match (&options.invocation, &options.connection) {
        (Some(id), None) => {
            app.runtime().recording(&session::operator(&tenant), &InvocationId::new(id.as_str())).await?
        }
        (None, Some(named)) => {
            let connection = session::connection(&app, &tenant, named).await?.id;
            let run = match &options.stream {
                Some(stream) => Run::Pull {
                    stream: StreamId::new(stream.as_str()),
                    cursor: options.cursor.clone(),
                    sweep: options.cursor.is_none(),
                },
                None => Run::Streams,
            };
            app.runtime().record(&tenant, &connection, run).await?
        }
        _ => bail!("record what? --invocation ID, or --connection CONNECTION with --stream STREAM"),
    };
    let recording = match options.mask {
        true => Masks::new(options.mask_word.clone())?.apply(&recording)?,
        false => recording,
    };
    // A test that fails at once is none; with stand-ins it may.
    let replayed = desk.runtime.replay(&recording, component).await?;
    ensure!(
        replayed.parted.is_empty(),
        "the connector in this folder does something else than was recorded{}; nothing was written\n{}",
        if options.mask { ", or looks into what was masked" } else { "" },
        words(&replayed.parted)
    );
    let folder = options.dir.join("journals");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, recording.text()).with_context(|| format!("cannot write {}", path.display()))?;
    let made = serde_json::json!({ "path": path, "calls": recording.calls.len() });
    output::one(global.output, &made, |_| {
        format!(
            "{}: {} calls. Read it before it is shared: it holds what the service answered{}",
            path.display(),
            recording.calls.len(),
            if options.mask { "" } else { " (--mask puts stand-ins in place of addresses)" }
        )
    })?;
    Ok(())
}
