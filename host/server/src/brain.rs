//! The agent of this host: a model endpoint where one is configured, else the embedded planner.

use std::sync::Arc;

use async_trait::async_trait;
use sallyport::ports::State;
use sallyport::tool::Outcome;
use sallyport::{Caller, Fault as _, Runtime};
use sallyport_agent::model::{OpenAiConfig, OpenAiModel};
use sallyport_agent::ports::{Conversations as _, Hit, PortError, Retriever};
use sallyport_agent::{Agent, AgentEvent, Decided, DecidedEnd, Mind};
use sallyport_index::{Index, SearchRequest};
use sallyport_store::Store;

use crate::app::App;
use crate::config::Config;
use crate::error::HostError;

/// Puts the agent together.
///
/// # Errors
/// The endpoint is configured and cannot be used.
pub(crate) fn agent(config: &Config, index: Index, store: Arc<Store>, runtime: Runtime) -> Result<Agent, HostError> {
    let mind = match &config.model.base_url {
        None => Mind::Embedded,
        Some(url) => Mind::Model(Arc::new(endpoint(config, url)?)),
    };
    Ok(Agent::new(Arc::new(runtime), Arc::new(Search(index)), Arc::clone(&store) as _, store as _, mind))
}

fn endpoint(config: &Config, url: &str) -> Result<OpenAiModel, HostError> {
    let base = url.parse().map_err(|error| HostError::Config(format!("the model's base_url {url:?}: {error}")))?;
    let mut settings = OpenAiConfig::new(base, &config.model.name);
    settings.key = key(config)?;
    OpenAiModel::new(settings).map_err(|error| HostError::Config(error.to_string()))
}

fn key(config: &Config) -> Result<Option<String>, HostError> {
    if let Ok(key) = std::env::var("SALLYPORT_MODEL_KEY") {
        return Ok((!key.is_empty()).then_some(key));
    }
    let Some(file) = &config.model.key_file else { return Ok(None) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| HostError::Config(format!("the model's key_file {}: {error}", file.display())))?;
    Ok(Some(text.trim().to_owned()))
}

/// What answers, for people.
#[must_use]
pub(crate) fn words(config: &Config) -> String {
    match &config.model.base_url {
        Some(url) => format!("Answers come from the model {} at {url}.", config.model.name),
        None => {
            "No language model is configured: answers are extracted from the documents, and actions are planned by \
                 matching words and shapes. Set [model] in config.toml to use an OpenAI-compatible endpoint."
                .into()
        }
    }
}

/// A turn that could not begin.
pub(crate) fn failed(error: &HostError) -> AgentEvent {
    AgentEvent::Error { code: error.code().into(), message: error.to_string(), retryable: error.retryable() }
}

/// What became of the proposal with which the conversation's last turn ended, if somebody decided meanwhile: whoever answers
/// has to know, and where it was denied, why.
pub(crate) async fn decided(app: &App, caller: &Caller, conversation: &str) -> Option<Decided> {
    let turns = app.store().turns(caller, conversation, 1).await.unwrap_or_default();
    let invocation = turns.last()?.proposed.clone()?;
    let view = app.runtime().invocation(caller, &invocation).await.ok()?;
    let end = match view.state {
        State::Denied => DecidedEnd::Refused(view.decided.and_then(|decision| decision.note)),
        State::Expired => DecidedEnd::Refused(Some("nobody decided in time".into())),
        State::Succeeded => match app.runtime().resume(caller, &invocation).await {
            Ok(Outcome::Done(done)) => DecidedEnd::Done(done),
            _ => return None,
        },
        State::Failed | State::Diverged | State::Unknown => {
            DecidedEnd::Failed(view.error.unwrap_or_else(|| "it did not succeed".into()))
        }
        State::Planned | State::Running | State::Held | State::Approved => return None,
    };
    let title = view.proposal.map_or_else(|| invocation.to_string(), |proposal| proposal.tool.to_string());
    Some(Decided { invocation, title, end })
}

/// The index, as the agent asks it.
struct Search(Index);

#[async_trait]
impl Retriever for Search {
    async fn search(&self, caller: &Caller, query: &str, limit: usize) -> Result<Vec<Hit>, PortError> {
        let request = SearchRequest { limit, ..SearchRequest::new(crate::search::reader(caller), query) };
        let hits = self.0.search(&request).await?;
        let hit = |hit: sallyport_index::Hit| Hit {
            document: hit.chunk.document,
            heading: hit.chunk.heading,
            text: hit.chunk.text,
            score: hit.score,
            label: hit.chunk.label,
        };
        Ok(hits.results.into_iter().map(hit).collect())
    }
}
