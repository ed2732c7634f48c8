//! `sallyport ask`.

use clap::Args;

use super::{Global, session};
use crate::ask::Answered;
use crate::output;

/// What to ask.
#[derive(Debug, Args)]
pub struct Options {
    /// A question, or what is to be done, in your own words.
    request: String,
    /// As whom, by e-mail address.
    #[arg(long = "as", value_name = "EMAIL")]
    caller: String,
    /// Go on with a conversation.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
}

pub(crate) async fn run(global: &Global, options: Options) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    app.index().await?.catch_up(&sallyport_index::TenantId::new(&tenant), &|_| {}).await?;
    let caller = session::by_email(&app, &tenant, &options.caller).await?;
    let conversation = options.conversation.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let answered = Answered::collect(app.turn(caller, conversation, options.request)).await;
    output::one(global.output, &answered, words)?;
    match answered.error {
        Some(error) => anyhow::bail!("{}: {}", error.code, error.message),
        None => Ok(()),
    }
}

/// The whole answer as lines.
#[must_use]
pub(crate) fn words(answered: &Answered) -> String {
    let mut text = answered.text.clone();
    if !answered.citations.is_empty() {
        text.push('\n');
    }
    for citation in &answered.citations {
        let url = citation.url.as_deref().unwrap_or("");
        text.push_str(&format!("\n[{}] {} {url}", citation.number, citation.title));
    }
    for proposal in &answered.proposals {
        text.push_str("\n\n");
        text.push_str(&super::approvals::words(proposal));
        text.push_str(&format!(
            "\n\nTo decide: sallyport approvals approve {0} | sallyport approvals deny {0}",
            proposal.invocation
        ));
    }
    for done in &answered.done {
        text.push_str(&format!("\n\nDone: {}", done.output));
    }
    text.trim_start().to_owned()
}
