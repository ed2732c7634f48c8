//! `sallyport approvals`: what waits for a decision, and deciding it.

use clap::Subcommand;
use sallyport::Caller;
use sallyport::ids::{InvocationId, TenantId, Timestamp};
use sallyport::invoke::{CallView, InvocationView};
use sallyport::ports::{DecisionKind, Filter, SettlementKind, State};
use sallyport::tool::{Outcome, Proposal};

use super::{Global, session};
use crate::app::App;
use crate::output::{self, Rows};

/// What to do about approvals.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// What waits for a decision.
    List {
        /// Also what was decided.
        #[arg(long)]
        all: bool,
        /// As whom, by e-mail address: what goes through somebody's own account only they see. The operator unless said.
        #[arg(long = "as", value_name = "EMAIL")]
        caller: Option<String>,
    },
    /// Everything about one: tool, arguments, the exact first request, envelope, sources, writes.
    Show {
        /// Its id.
        invocation: String,
        /// As whom, by e-mail address; the operator unless said.
        #[arg(long = "as", value_name = "EMAIL")]
        caller: Option<String>,
    },
    /// Approve, and carry it out.
    Approve(Decide),
    /// Deny. The reason given as a remark is shown to the model.
    Deny(Decide),
    /// Say of a write of which nobody knows whether it took effect, after a look at the service: it is not there. It is sent
    /// once more, and the call goes on.
    Repeat(Decide),
    /// Say of such a write: it is there. Nothing is sent, and the call ends.
    TookEffect(Decide),
}

/// A decision.
#[derive(Debug, clap::Args)]
pub struct Decide {
    /// Which.
    invocation: String,
    /// As whom, by e-mail address; the operator unless said.
    #[arg(long = "as", value_name = "EMAIL")]
    caller: Option<String>,
    /// A remark, for the record.
    #[arg(long)]
    note: Option<String>,
}

impl Rows for Proposal {
    fn header() -> &'static [&'static str] {
        &["invocation", "state", "tool", "connection", "asked by", "first write"]
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.invocation.to_string(),
            format!("{:?}", self.state).to_lowercase(),
            self.tool.to_string(),
            format!("{} ({})", self.connection_name, self.account),
            self.by.to_string(),
            format!("{} {}", self.first_write.method, self.first_write.url),
        ]
    }
}

/// A proposal in full, for people.
#[must_use]
pub(crate) fn words(proposal: &Proposal) -> String {
    let mut lines = vec![
        format!("{} {:?}", proposal.invocation, proposal.state).to_lowercase(),
        format!("  tool        {} of {} ({})", proposal.tool, proposal.connection_name, proposal.account),
    ];
    lines.extend(proposal.reasons.iter().map(|reason| format!("  because     {reason}")));
    if let Some(sources) = proposal.context.as_ref().and_then(|context| context["sources"].as_array()) {
        lines.extend(
            sources.iter().filter_map(|source| source["title"].as_str()).map(|title| format!("  from        {title}")),
        );
    }
    let arguments = serde_json::to_string_pretty(&proposal.arguments).unwrap_or_default();
    lines.push(format!("  arguments   {}", arguments.replace('\n', "\n              ")));
    let write = &proposal.first_write;
    lines.push(format!("  first write {} {}", write.method, write.url));
    lines.extend(write.headers.iter().map(|(name, value)| format!("              {name}: {value}")));
    lines.push(format!("              {}", write.body.replace('\n', "\n              ")));
    lines.push(format!("              sha256 {}", write.digest));
    let envelope = &proposal.envelope;
    lines.push(format!("  decided by  {}", proposal.decider));
    lines.push(format!("  at most     {} writes by {}", envelope.max_writes, envelope.routes.join(", ")));
    lines.join("\n")
}

fn shown(view: &InvocationView) -> String {
    let mut text = view.proposal.as_ref().map(words).unwrap_or_default();
    for write in &view.writes {
        let state = format!("{:?}", write.state).to_lowercase();
        text.push_str(&format!(
            "\n  write {:<5} {:<9} {} {}",
            write.call, state, write.effect.method, write.effect.target
        ));
    }
    if let Some(output) = &view.output {
        text.push_str(&format!("\n  result      {output}"));
    }
    if let Some(error) = &view.error {
        text.push_str(&format!("\n  error       {error}"));
    }
    if let Some(doubt) = &view.doubt {
        let request = &doubt.request;
        text.push_str(&format!(
            "\n  in doubt    call {}, sent at {}, never answered: {} {}\n              {}\n  say         approvals \
             repeat | took-effect {}, after a look at the service",
            doubt.call,
            time(doubt.sent),
            request.method,
            request.url,
            request.body.replace('\n', "\n              "),
            view.invocation,
        ));
    }
    if let Some(diverged) = &view.diverged {
        let side = |call: &Option<CallView>| match call {
            Some(call) => format!("{} {}", call.import, serde_json::to_string(&call.request).unwrap_or_default()),
            None => "nothing".into(),
        };
        text.push_str(&format!(
            "\n  call {:<6} recorded  {}\n              asked     {}",
            diverged.call,
            side(&diverged.recorded),
            side(&diverged.asked)
        ));
    }
    text
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    match action {
        Action::List { all, caller } => {
            let caller = acting(&app, &tenant, caller.as_deref()).await?;
            use State::{Approved, Denied, Diverged, Expired, Failed, Held, Running, Succeeded, Unknown};
            let every = vec![Held, Approved, Running, Succeeded, Failed, Denied, Expired, Diverged, Unknown];
            let filter = Filter { states: if all { every } else { Vec::new() }, ..Filter::default() };
            output::list(global.output, &app.runtime().proposals(&caller, filter).await?)?;
        }
        Action::Show { invocation, caller } => {
            let caller = acting(&app, &tenant, caller.as_deref()).await?;
            let view = app.runtime().invocation(&caller, &InvocationId::new(invocation)).await?;
            output::one(global.output, &view, shown)?;
        }
        Action::Approve(decide) => {
            let (caller, id) = decision(&app, &tenant, &decide, DecisionKind::Approve).await?;
            let outcome = app.runtime().resume_as_host(&tenant, &id).await?;
            let view = app.runtime().invocation(&caller, &id).await?;
            output::one(global.output, &view, shown)?;
            if let Outcome::Held(_) = outcome {
                output::progress("it has reached another write that nobody has approved, and waits again");
            }
        }
        Action::Repeat(decide) => {
            let (caller, id) = settled(&app, &tenant, &decide, SettlementKind::Repeat).await?;
            app.runtime().resume_as_host(&tenant, &id).await?;
            output::one(global.output, &app.runtime().invocation(&caller, &id).await?, shown)?;
        }
        Action::TookEffect(decide) => {
            let (caller, id) = settled(&app, &tenant, &decide, SettlementKind::TookEffect).await?;
            output::one(global.output, &app.runtime().invocation(&caller, &id).await?, shown)?;
        }
        Action::Deny(decide) => {
            let (caller, id) = decision(&app, &tenant, &decide, DecisionKind::Deny).await?;
            output::one(global.output, &app.runtime().invocation(&caller, &id).await?, shown)?;
        }
    }
    Ok(())
}

/// The person with this address, else the operator.
async fn acting(app: &App, tenant: &TenantId, email: Option<&str>) -> anyhow::Result<Caller> {
    match email {
        Some(email) => session::by_email(app, tenant, email).await,
        None => Ok(session::operator(tenant)),
    }
}

async fn settled(
    app: &App,
    tenant: &TenantId,
    decide: &Decide,
    kind: SettlementKind,
) -> anyhow::Result<(Caller, InvocationId)> {
    let caller = acting(app, tenant, decide.caller.as_deref()).await?;
    let id = InvocationId::new(decide.invocation.as_str());
    app.runtime().settle(&caller, &id, kind, decide.note.clone()).await?;
    Ok((caller, id))
}

async fn decision(
    app: &App,
    tenant: &TenantId,
    decide: &Decide,
    kind: DecisionKind,
) -> anyhow::Result<(Caller, InvocationId)> {
    let caller = acting(app, tenant, decide.caller.as_deref()).await?;
    let id = InvocationId::new(decide.invocation.as_str());
    app.runtime().decide(&caller, &id, kind, decide.note.clone()).await?;
    Ok((caller, id))
}

fn time(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = time.and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| at.0.to_string())
}
