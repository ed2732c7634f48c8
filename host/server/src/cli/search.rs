//! `sallyport search`.

use std::io::BufRead as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Global, session};
use crate::output::{self, Rows};
use crate::search::{Found, Query};

/// What to search for.
#[derive(Debug, Args)]
pub struct Options {
    /// The query.
    #[arg(required_unless_present = "queries")]
    query: Option<String>,
    /// As whom, by e-mail address: they find what they may read.
    #[arg(long = "as", value_name = "EMAIL", required_unless_present = "queries")]
    caller: Option<String>,
    /// Answer many: a file (or `-`) with one JSON object a line, `{"id", "query", "caller"}`; one answer a line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["query", "caller"])]
    queries: Option<PathBuf>,
    /// Results wanted.
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// At most so many passages of one document.
    #[arg(long, default_value_t = 1)]
    per_document: usize,
}

#[derive(Deserialize)]
struct Line {
    id: serde_json::Value,
    query: String,
    caller: String,
}

#[derive(Serialize)]
struct Answer {
    id: serde_json::Value,
    results: Vec<Found>,
}

impl Rows for Found {
    fn header() -> &'static [&'static str] {
        &["score", "title", "path", "text"]
    }

    fn row(&self) -> Vec<String> {
        let text: String = self.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
        vec![format!("{:.3}", self.score), self.title.clone(), self.path.clone(), text]
    }
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    app.index().await?.catch_up(&sallyport_index::TenantId::new(&tenant), &|_| {}).await?;
    let query = |text: String| Query { text, limit: options.limit, per_document: options.per_document };
    if let Some(file) = &options.queries {
        let lines: Box<dyn std::io::BufRead> = if file.as_os_str() == "-" {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(std::io::BufReader::new(
                std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?,
            ))
        };
        let lines: Vec<String> =
            lines.lines().collect::<Result<_, _>>().with_context(|| format!("cannot read {}", file.display()))?;
        for (number, line) in lines.into_iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line: Line = serde_json::from_str(&line).with_context(|| {
                format!("{} line {}: want {{\"id\", \"query\", \"caller\"}}", file.display(), number + 1)
            })?;
            let caller = session::by_email(&app, &tenant, &line.caller).await?;
            output::json_line(&Answer { id: line.id, results: app.search(&caller, query(line.query)).await? })?;
        }
        return Ok(());
    }
    let (Some(text), Some(email)) = (options.query.clone(), options.caller.as_deref()) else {
        anyhow::bail!("give a query and --as EMAIL, or --queries FILE");
    };
    let caller = session::by_email(&app, &tenant, email).await?;
    output::list(global.output, &app.search(&caller, query(text)).await?)?;
    Ok(())
}
