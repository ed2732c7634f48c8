//! `sallyport audit`: whether the record is as it was made, and giving it out.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use sallyport::audit::{ChainName, ChainReport, read_anchors};
use serde_json::json;

use super::{Global, session};
use crate::audit;
use crate::output::{self, Rows};

/// Links that are read at a time.
const PAGE: usize = 1_000;

/// What to do about the audit chains.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Go through every chain, the host's and each tenant's. Fails, naming the first entry that is not as it was recorded, where
    /// one was edited, added, taken out or moved.
    Verify {
        /// Anchors, as `audit anchor` and a serving host write them: finds that the end was cut off, an older copy put in place or
        /// a chain made anew, also by somebody who has the host's key.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
    },
    /// Print a chain, one link a line of JSON, with what it stands for. Bodies are not in it.
    Export {
        /// The host's own chain (connectors, master keys, tenants), in place of the tenant's.
        #[arg(long)]
        host: bool,
        /// Links after this one.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Sign every chain and write an anchor: to the file or URL that is named, else where config.toml says.
    Anchor {
        /// A file, to which a line is added, or an `https` URL, to which it is posted. Keep it where whoever can write the data
        /// directory cannot.
        #[arg(long, value_name = "FILE|URL")]
        to: Option<String>,
    },
    /// The host's public key, by which others check its signatures.
    Key,
}

impl Rows for ChainReport {
    fn header() -> &'static [&'static str] {
        &["chain", "links", "signed to", "anchored to", "vouched to", "first bad entry"]
    }

    fn row(&self) -> Vec<String> {
        let number = |number: Option<u64>| number.map_or_else(|| "-".into(), |number| number.to_string());
        vec![
            if self.chain.is_empty() { "(host)".into() } else { self.chain.clone() },
            self.links.to_string(),
            number(self.signed),
            number(self.anchored),
            self.vouched.to_string(),
            self.bad
                .as_ref()
                .map_or_else(|| "none".into(), |bad| format!("link {}, {}: {}", bad.seq, bad.stands_for, bad.what)),
        ]
    }
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    match action {
        Action::Verify { anchor } => {
            let key = app.host_key()?.public();
            let anchors = match anchor {
                Some(file) => {
                    let text = std::fs::read_to_string(&file)
                        .with_context(|| format!("cannot read the anchors in {}", file.display()))?;
                    let anchors = read_anchors(&text, &key).with_context(|| file.display().to_string())?;
                    anyhow::ensure!(!anchors.is_empty(), "{} has no anchor in it", file.display());
                    anchors
                }
                None => Vec::new(),
            };
            // What this host remembers beside the database counts as the last of them.
            let anchors = anchors.into_iter().chain(audit::last(app.data(), &app.host_key()?)?).collect();
            let reports = app.store().audit().verify(key, anchors).await?;
            output::list(global.output, &reports)?;
            let bad = reports.iter().filter_map(|report| Some((report, report.bad.as_ref()?))).next();
            if let Some((report, bad)) = bad {
                bail!(
                    "the record was changed: chain {}, link {} ({}): {}; up to link {} it is as it was recorded",
                    ChainName::named(&report.chain),
                    bad.seq,
                    bad.stands_for,
                    bad.what,
                    report.vouched
                );
            }
        }
        Action::Export { host, mut after } => {
            let chain = if host { ChainName::HOST } else { ChainName::of(&tenant) };
            let mut out = BufWriter::new(std::io::stdout().lock());
            loop {
                let links = app.store().audit().export(&chain, after, PAGE).await?;
                let Some(last) = links.last() else { break };
                after = last.seq;
                for link in &links {
                    serde_json::to_writer(&mut out, link)?;
                    out.write_all(b"\n")?;
                }
            }
            out.flush()?;
        }
        Action::Anchor { to } => {
            let to = to.or_else(|| app.config().audit.anchor.clone()).context(
                "where to? Name a file or URL with --to, or set `anchor` in the section [audit] of config.toml",
            )?;
            let anchor = audit::anchor(&app, &to).await?;
            let shown = json!({ "to": to, "anchor": anchor });
            output::one(global.output, &shown, |_| format!("anchored {} chains to {to}", anchor.chains.len()))?;
        }
        Action::Key => {
            let key = json!({ "key": hex::encode(app.host_key()?.public()) });
            output::one(global.output, &key, |key| key["key"].as_str().unwrap_or_default().to_owned())?;
        }
    }
    Ok(())
}
