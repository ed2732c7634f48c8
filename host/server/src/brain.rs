//! The agent of this host: a model endpoint where one is configured, else the embedded planner.

use std::sync::Arc;

use async_trait::async_trait;
use sallyport::{Caller, Fault as _, Runtime};
use sallyport_agent::model::{OpenAiConfig, OpenAiModel};
use sallyport_agent::ports::{Hit, PortError, Retriever};
use sallyport_agent::{Agent, AgentEvent, Mind};
use sallyport_index::{Index, SearchRequest};
use sallyport_store::Store;

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
