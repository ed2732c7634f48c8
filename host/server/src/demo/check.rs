//! The whole scenario without a person, over real processes: the host answers and proposes, is killed, and the command
//! line approves. Every step looks for its effect and fails without it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sallyport_simulate::Simulation;
use serde::Serialize;
use serde_json::{Value, json};

use super::effect;
use super::host::{Host, command};
use super::seed::TENANT;
use super::steps::{Step, Steps};

/// What the check did.
#[derive(Debug, Serialize)]
pub struct Check {
    /// The request.
    pub request: String,
    /// Who asked.
    pub asker: String,
    /// What was answered.
    pub answer: String,
    /// Titles of the documents that were cited.
    pub cited: Vec<String>,
    /// The tool that was proposed, if any, and its arguments.
    pub proposed: Option<Value>,
    /// Writes that arrived at the service.
    pub writes: usize,
    /// Each step with what it did and how long it took.
    pub steps: Vec<Step>,
}

/// Runs a request from question to effect. `source` is the title of a document that has to be cited.
///
/// # Errors
/// The first step whose effect is missing.
pub async fn check(
    mut steps: Steps,
    data: &Path,
    simulation: &Simulation,
    request: &str,
    asker: &str,
    source: Option<&str>,
) -> anyhow::Result<Check> {
    let host = steps
        .run("host", async {
            let host = Host::start(data).await?;
            let did = format!("serving {} as process {}", host.url, host.id());
            Ok((host, did))
        })
        .await?;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build()?;
    let token = steps.run("caller", mint(&http, data, &host.url, asker)).await?;

    let before = effect::writes(simulation).len();
    let answered = steps
        .run("ask", async {
            let answered = post(&http, &host.url, "/v1/ask", &token, &json!({ "request": request })).await?;
            let cited = titles(&answered);
            let did = match answered["proposals"].get(0) {
                Some(proposal) if cited.is_empty() => format!("proposes {}", words(proposal)),
                Some(proposal) => format!("proposes {} from {}", words(proposal), cited.join(", ")),
                None => format!("answers from {}", cited.join(", ")),
            };
            // What is done in the asker's own words alone needs no document.
            let acts = answered["proposals"].get(0).is_some();
            ensure!(acts || !cited.is_empty(), "nothing was cited: {}", answered["text"]);
            if let Some(source) = source {
                ensure!(cited.iter().any(|title| title == source), "{source} was not cited, but {}", cited.join(", "));
            }
            cited_documents_exist(simulation, &answered)?;
            Ok((answered, did))
        })
        .await?;
    steps
        .run("nothing sent", async {
            let sent = effect::writes(simulation).len() - before;
            ensure!(sent == 0, "{sent} writes arrived before anybody approved");
            Ok(((), "no write arrived at any service".into()))
        })
        .await?;

    let Some(proposal) = answered["proposals"].get(0).cloned() else {
        ensure!(!answered["text"].as_str().unwrap_or_default().is_empty(), "there is no answer");
        host.kill().await?;
        return Ok(report(steps, request, asker, &answered, None, 0));
    };
    let id = proposal["invocation"].as_str().context("the proposal has an id")?.to_owned();

    steps
        .run("host stopped", async {
            let process = host.id();
            host.kill().await?;
            Ok(((), format!("process {process} was killed between proposal and approval")))
        })
        .await?;
    let approved = steps
        .run("approve", async {
            let view = command(data, &["approvals", "approve", &id, "--as", asker]).await?;
            ensure!(view["state"] == "succeeded", "the invocation is {}: {}", view["state"], view["error"]);
            let writes = view["writes"].as_array().map_or(0, Vec::len);
            Ok((view, format!("approved by {asker} on the command line; {writes} writes confirmed")))
        })
        .await?;
    let arrived = steps
        .run("effect", async {
            let arrived = effect::writes(simulation).split_off(before);
            let confirmed = approved["writes"].as_array().map_or(0, Vec::len);
            ensure!(arrived.len() == confirmed, "{confirmed} writes were confirmed and {} arrived", arrived.len());
            let first = arrived.first().context("nothing arrived")?;
            effect::is_the_one_shown(first, &proposal["first_write"])?;
            let state = simulation.state();
            let found = effect::holds(&json!([state["trello"], state["drive"]]), &proposal["arguments"])?;
            Ok((
                arrived.len(),
                format!("{} arrived as shown, and the service holds all {found} values", arrived_words(arrived.len())),
            ))
        })
        .await?;
    steps
        .run("once", async {
            let Err(again) = command(data, &["approvals", "approve", &id, "--as", asker]).await else {
                bail!("the same proposal was approved twice");
            };
            let host = Host::start(data).await?;
            let (token, _) = mint(&http, data, &host.url, asker).await?;
            let shown = get(&http, &host.url, &format!("/v1/approvals/{id}"), &token).await?;
            host.kill().await?;
            ensure!(shown["state"] == "succeeded", "a restarted host says {}", shown["state"]);
            let sent = effect::writes(simulation).len() - before;
            ensure!(sent == arrived, "{} more writes arrived", sent - arrived);
            let refused = again.to_string();
            let said = refused.lines().last().unwrap_or_default();
            Ok((
                (),
                format!("a second approval is refused ({said}), a restarted host remembers, nothing more was sent"),
            ))
        })
        .await?;
    Ok(report(steps, request, asker, &answered, Some(proposal), arrived))
}

fn arrived_words(count: usize) -> String {
    if count == 1 { "the write".into() } else { format!("{count} writes, the first") }
}

fn words(proposal: &Value) -> String {
    let name =
        proposal["arguments"].as_object().and_then(|all| all.values().find_map(Value::as_str)).unwrap_or_default();
    format!("{} “{name}”", proposal["tool"].as_str().unwrap_or_default())
}

fn titles(answered: &Value) -> Vec<String> {
    let citations = answered["citations"].as_array().into_iter().flatten();
    let sources = answered["proposals"][0]["context"]["sources"].as_array().into_iter().flatten();
    let mut titles = Vec::new();
    for title in sources.chain(citations).filter_map(|one| one["title"].as_str()) {
        if !titles.iter().any(|known| known == title) {
            titles.push(title.to_owned());
        }
    }
    titles
}

/// A citation names a document that the simulated services really hold.
fn cited_documents_exist(simulation: &Simulation, answered: &Value) -> anyhow::Result<()> {
    let held = effect::texts(&simulation.state());
    for citation in answered["citations"].as_array().into_iter().flatten() {
        let document = citation["document"].as_str().unwrap_or_default();
        ensure!(held.contains(document), "{} is cited, which no service holds", citation["title"]);
    }
    Ok(())
}

async fn mint(http: &reqwest::Client, data: &Path, url: &str, asker: &str) -> anyhow::Result<(String, String)> {
    // As an application does it: a service key, which mints a token for a person whose address it vouches for.
    let key = command(data, &["keys", "create", "check"]).await?;
    let key = key["key"].as_str().context("a service key")?.to_owned();
    let users = command(data, &["keys", "users"]).await?;
    let user = users
        .as_array()
        .into_iter()
        .flatten()
        .find(|user| user["emails"].as_array().is_some_and(|all| all.iter().any(|email| email == asker)))
        .cloned()
        .unwrap_or_else(|| json!({ "subject": asker, "name": asker, "roles": ["member"] }));
    let body = json!({ "subject": user["subject"], "name": user["name"], "emails": [asker], "roles": user["roles"] });
    let minted = post(http, url, "/v1/callers/token", &key, &body).await?;
    let token = minted["token"].as_str().context("a caller token")?.to_owned();
    Ok((token, format!("a token for {asker} in tenant {TENANT}, minted with a service key")))
}

async fn post(http: &reqwest::Client, url: &str, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
    read(http.post(format!("{url}{path}")).json(body), path, token).await
}

async fn get(http: &reqwest::Client, url: &str, path: &str, token: &str) -> anyhow::Result<Value> {
    read(http.get(format!("{url}{path}")), path, token).await
}

async fn read(request: reqwest::RequestBuilder, path: &str, token: &str) -> anyhow::Result<Value> {
    let response = request.bearer_auth(token).send().await?;
    let status = response.status();
    let body: Value = response.json().await.with_context(|| format!("{path} answered {status} and no JSON"))?;
    ensure!(status.is_success(), "{path} answered {status}: {}", body["error"]["message"]);
    Ok(body)
}

fn report(steps: Steps, request: &str, asker: &str, answered: &Value, proposed: Option<Value>, writes: usize) -> Check {
    Check {
        request: request.into(),
        asker: asker.into(),
        answer: answered["text"].as_str().unwrap_or_default().into(),
        cited: titles(answered),
        proposed: proposed.map(|proposal| json!({ "tool": proposal["tool"], "arguments": proposal["arguments"] })),
        writes,
        steps: steps.into_steps(),
    }
}
