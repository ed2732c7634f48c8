//! `sallyport demo`.

use std::path::PathBuf;

use clap::Args;
use sallyport::ids::TenantId;
use sallyport_simulate::{Seed, Simulation};

use super::{Global, serve, session};
use crate::app::{App, Demo};
use crate::config::Config;
use crate::demo::{self, Steps};
use crate::{output, setup};

/// What the demo is to do.
#[derive(Debug, Args)]
pub struct Options {
    /// Run the whole scenario without a person, and fail if any step's effect is missing.
    #[arg(long)]
    check: bool,
    /// Put another request through the same path (implies --check).
    #[arg(long, value_name = "REQUEST")]
    ask: Option<String>,
    /// Who asks, by e-mail address.
    #[arg(long = "as", value_name = "EMAIL", default_value = demo::ASKER)]
    caller: String,
    /// Fill the simulated Drive with the Markdown and text files of a folder of yours instead. Sub-folders are folders; a
    /// `.access.json` in one names its readers (`{"readers": ["ana@…", "group:…", "domain:…", "anyone"]}`).
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let data = match &global.data {
        Some(data) => data.clone(),
        None => demo::folder()?,
    };
    let data = demo::prepare(&data)?;
    let seed = match &options.folder {
        Some(folder) => Seed::folder(folder)?,
        None => Seed::demo(),
    };
    steps.run("embedding model", setup::model()).await?;
    let connectors = steps.run("connectors built", setup::connectors()).await?;
    let documents = seed.documents();
    let simulation = steps
        .run("simulated services", async {
            let simulation = Simulation::start(seed).await?;
            let urls = simulation.urls();
            let did = format!(
                "Drive {} with {documents} documents, Trello {}, OAuth {}",
                urls.drive, urls.trello, urls.oauth
            );
            Ok((simulation, did))
        })
        .await?;
    let seeded = demo::seeded(&mut steps, &data, &simulation, &connectors, Config::own_compiler()?).await?;

    if options.check || options.ask.is_some() {
        let request = options.ask.as_deref().unwrap_or(demo::SCENARIO);
        // The seeded scenario has to be drawn from the document that it names; whatever else is asked may not name one.
        let source = (options.ask.is_none() && options.folder.is_none()).then_some(demo::SOURCE);
        let check = demo::check(steps, &seeded.data, &simulation, request, &options.caller, source).await?;
        return Ok(output::one(global.output, &check, summary)?);
    }

    let tenant = TenantId::new(demo::TENANT);
    let app =
        App::open(&seeded.data, Config::of_program(&seeded.data)?, Some(Demo { tenant, examples: demo::examples() }))
            .await?;
    let data = session::shown(&seeded.data);
    let listen = global.listen.unwrap_or(serve::DEFAULT);
    if !listen.ip().is_loopback() {
        output::progress(&format!("warning: whoever reaches {listen} can sign in to this demo as anybody"));
    }
    serve::serve(app, listen, |url| {
        let text = format!(
            "\nThe demo is at {url}\n  Sign in as anybody there, ask, and approve what is proposed.\n  \
             On the command line: cargo sallyport --data {data} --tenant {} approvals list\n  Ctrl-C ends it.",
            demo::TENANT
        );
        output::line(&text).unwrap_or_default();
    })
    .await
}

fn summary(check: &demo::Check) -> String {
    let mut lines = vec![String::new(), format!("Asked by {}: {}", check.asker, check.request)];
    if let Some(proposed) = &check.proposed {
        let arguments = serde_json::to_string_pretty(&proposed["arguments"]).unwrap_or_default();
        lines.push(format!("Done: {} {arguments}", proposed["tool"].as_str().unwrap_or_default()));
        lines.push(format!("{} writes arrived, the first byte for byte as approved.", check.writes));
    } else {
        lines.push(check.answer.clone());
    }
    if !check.cited.is_empty() {
        lines.push(format!("From: {}", check.cited.join(", ")));
    }
    lines.push(format!("All {} steps had their effect.", check.steps.len()));
    lines.join("\n")
}
