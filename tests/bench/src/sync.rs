//! A sync without embedding: what guest, host and simulator each take. The simulator is a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cpu_time::ProcessTime;
use sallyport::credentials::NewSecret;
use sallyport::invoke::SyncOptions;
use sallyport::keys::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::Setup;
use crate::figure::Figure;
use crate::host::Host;

/// The simulated services, elsewhere.
struct Simulator {
    child: Child,
    urls: Value,
}

impl Simulator {
    async fn start(program: &Path, documents: usize) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["simulate", "--documents", &documents.to_string()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let out = child.stdout.take().context("the simulator's output")?;
        let line = BufReader::new(out).lines().next_line().await?.context("the simulator said nothing")?;
        Ok(Self { child, urls: serde_json::from_str(&line)? })
    }

    fn url(&self, service: &str) -> anyhow::Result<&str> {
        self.urls[service].as_str().with_context(|| format!("the simulator has no {service}"))
    }

    /// CPU time so far, user and system, where the operating system says it of another process.
    fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()?)).ok()?;
        // Fields after the name in parentheses: utime and stime are the 12th and 13th, in ticks of 10 ms (proc(5)).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10))
    }
}

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::start(&setup.program, setup.documents).await?;
    let control = simulator.url("control")?;
    let http = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build()?;
    let minted: Value = http
        .post(format!("{control}/_control/tokens"))
        .json(&json!({ "provider": "google", "email": "knowledge@larkfield.example", "expires_in": 7200 }))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let access = minted["access_token"].as_str().context("a token")?.to_owned();

    let drive = simulator.url("drive")?;
    let host = Host::open(&[("google-drive.api", drive), ("google-drive.admin", drive)]).await?;
    let secret = NewSecret {
        access: Secret::new(access.clone()),
        refresh: None,
        expires_in: None,
        scopes: minted["scope"].as_str().unwrap_or_default().split(' ').map(Into::into).collect(),
    };
    let connection = host.connect(&setup.drive, "google-drive", "oauth", secret, &["files.read"]).await?;

    http.delete(format!("{control}/_control/requests")).send().await?.error_for_status()?;
    let (process, others) = (ProcessTime::try_now()?, simulator.cpu());
    let options = SyncOptions { sweep: true, ..SyncOptions::default() };
    let report = host.runtime.sync(&host.caller.tenant, &connection.id, options, |_| {}).await?;
    let own = process.try_elapsed()?;
    let simulated = simulator.cpu().zip(others).map(|(after, before)| after.saturating_sub(before));
    let documents: u64 = report.streams.iter().map(|stream| stream.documents).sum();
    let unfinished: Vec<_> = report.streams.iter().filter_map(sallyport::invoke::StreamReport::unfinished).collect();
    ensure!(unfinished.is_empty(), "the sync did not finish: {unfinished:?}");
    ensure!(documents >= setup.documents as u64, "{documents} documents of {} were read", setup.documents);

    let bare = same_requests(&http, control, drive, &access).await?;
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let unknown = || "not known here".to_owned();
    Ok(vec![
        Figure {
            name: "a sync without embedding: CPU of guest code",
            value: format!("{} for {documents} documents", seconds(report.guest_cpu)),
            beside: format!(
                "host, all else in this process: {}; the simulator, another process: {}",
                seconds(own.saturating_sub(report.guest_cpu)),
                simulated.map_or_else(unknown, seconds),
            ),
            target: None,
        },
        Figure {
            name: "the same, CPU of the whole host process",
            value: seconds(own),
            beside: format!(
                "the same {} requests by reqwest, bodies read and dropped: {}; ×{:.1}. Wall time of the sync {}, under the manifest's rate limit",
                bare.requests,
                seconds(bare.cpu),
                own.as_secs_f64() / bare.cpu.as_secs_f64().max(0.001),
                seconds(report.wall),
            ),
            target: None,
        },
        Figure {
            name: "the same, peak memory of an instance",
            value: format!("{:.1} MiB", report.peak_guest_memory as f64 / f64::from(1 << 20)),
            beside: "the limit of an instance: 64 MiB".into(),
            target: None,
        },
    ])
}

struct Bare {
    requests: usize,
    cpu: Duration,
}

/// Sends what the sync sent, by reqwest alone.
async fn same_requests(http: &reqwest::Client, control: &str, drive: &str, token: &str) -> anyhow::Result<Bare> {
    let log: Value = http.get(format!("{control}/_control/requests?service=drive")).send().await?.json().await?;
    let targets: Vec<String> = log["requests"]
        .as_array()
        .context("the simulator's log")?
        .iter()
        .filter(|request| request["method"] == "GET")
        .map(|request| {
            let (path, query) =
                (request["path"].as_str().unwrap_or_default(), request["query"].as_str().unwrap_or_default());
            if query.is_empty() { format!("{drive}{path}") } else { format!("{drive}{path}?{query}") }
        })
        .collect();
    let process = ProcessTime::try_now()?;
    for target in &targets {
        http.get(target).bearer_auth(token).send().await?.bytes().await?;
    }
    Ok(Bare { requests: targets.len(), cpu: process.try_elapsed()? })
}
