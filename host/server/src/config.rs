//! What the operator configures: `config.toml` in the data directory, then `SALLYPORT_*` variables over it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The whole configuration. Unknown keys are refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The chat model.
    pub model: Model,
    /// Origins and auth endpoints that are re-pointed, as `<provider or connector>.<origin name>` = base URL: a
    /// simulator, a proxy or a self-hosted service. Loopback and private addresses are reachable only so.
    pub repoint: BTreeMap<String, String>,
    /// How long a proposal waits for a decision, in minutes.
    pub approval_minutes: u64,
    /// Whether connections are synchronised by their connector's interval while serving.
    pub scheduled_sync: bool,
}

/// An OpenAI-compatible chat endpoint. Without `base_url` the embedded planner answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// `https://…/v1`; requests go to `{base_url}/chat/completions`.
    pub base_url: Option<String>,
    /// The model's name.
    pub name: String,
    /// File that holds the key. `SALLYPORT_MODEL_KEY` gives the key itself.
    pub key_file: Option<PathBuf>,
}

/// The configuration could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {message}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// Where and what, as the TOML reader says it.
        message: String,
    },
}

impl Config {
    /// Reads `config.toml` in `data`, if it is there, then the environment.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, or has a key that is not known here.
    pub fn load(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join("config.toml");
        let mut config = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| ConfigError::Form { path: path.clone(), message: error.to_string() })?,
            // That the data directory is none is said, with the way out, by the store that opens it.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Self { scheduled_sync: true, ..Self::default() }
            }
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        config.overlay(|name| std::env::var(name).ok());
        if config.approval_minutes == 0 {
            config.approval_minutes = 24 * 60;
        }
        Ok(config)
    }

    fn overlay(&mut self, variable: impl Fn(&str) -> Option<String>) {
        if let Some(url) = variable("SALLYPORT_MODEL_URL") {
            self.model.base_url = (!url.is_empty()).then_some(url);
        }
        if let Some(name) = variable("SALLYPORT_MODEL") {
            self.model.name = name;
        }
        if let Some(file) = variable("SALLYPORT_MODEL_KEY_FILE") {
            self.model.key_file = Some(file.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), "[model]\nbase = \"x\"\n").unwrap();
        let message = Config::load(dir.path()).unwrap_err().to_string();
        assert!(message.contains("base") && message.contains("config.toml"), "{message}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let mut config: Config = toml::from_str("[model]\nbase_url = \"https://a.example/v1\"").unwrap();
        config.overlay(|name| (name == "SALLYPORT_MODEL_URL").then(|| "https://b.example/v1".into()));
        assert_eq!(config.model.base_url.as_deref(), Some("https://b.example/v1"));
    }
}
