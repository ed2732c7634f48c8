//! What the operator configures: `config.toml` in the data directory, then `SALLYPORT_*` variables over it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sallyport::engine::{ChildCompiler, Compiler, Limits, LimitsTable};
use sallyport::ids::{ConnectorId, TenantId};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::origin::is_loopback;

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
    /// How often it is asked whose account a connection is, in minutes; 60 unless said.
    pub check_minutes: u64,
    /// Whether connections are synchronised by their connector's interval while serving.
    pub scheduled_sync: bool,
    /// Bounds on executions, by name as [`Limits`] has them; in `[limits.connector.ID]` those of one connector, in
    /// `[limits.tenant.ID]` tighter ones of one tenant.
    pub limits: toml::Table,
    /// Where browsers reach this host, as `https://sallyport.example`; the listening address unless said. Needed behind a
    /// proxy: redirects of sign-ins lead here.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-*` headers count, as addresses or networks (`10.0.0.0/8`). With `public_url` they say
    /// who asks, and no more.
    pub trusted_proxies: Vec<String>,
    /// Where events are announced. Without it they wait for whoever asks `/v1/events`.
    pub webhook: Option<Webhook>,
    /// What becomes of the record.
    pub audit: Audit,
    /// Where connectors are compiled. Not the file's to say.
    #[serde(skip)]
    pub compiler: Compiler,
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

/// Where events are announced; see [`crate::webhook`]. It takes both keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// `https://…`; without TLS only on this machine.
    pub url: Option<String>,
    /// File that holds what deliveries are signed with: `whsec_` and base64, or any other text. A path that is not
    /// absolute begins in the data directory.
    pub secret_file: Option<PathBuf>,
}

/// What becomes of the record of what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// How long what was asked and answered is kept, in days; 30 unless said. That it was, by its hash, is kept for ever.
    pub retention_days: u32,
    /// Where anchors are written while serving: a file, or a URL that takes a post. None unless said.
    pub anchor: Option<String>,
    /// How often; 60 minutes unless said.
    pub anchor_minutes: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self { retention_days: 30, anchor: None, anchor_minutes: 60 }
    }
}

/// Bounds that are the engine's pool's.
const POOL: [&str; 4] = ["instances", "instances_per_tenant", "memories", "core_instances"];

fn limits(section: &str, table: toml::Table) -> Result<Limits, ConfigError> {
    table.try_into().map_err(|error| bad(section, error))
}

fn bad(section: &str, message: impl ToString) -> ConfigError {
    ConfigError::Limits { section: section.into(), message: message.to_string() }
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
    /// A bound on executions is not known, or not well written.
    #[error("config.toml, [{section}]: {message}")]
    Limits {
        /// Which section.
        section: String,
        /// What is wrong.
        message: String,
    },
    /// An address is not of its form.
    #[error("config.toml: {key} has {value:?}, and wants {wanted}")]
    Address {
        /// Which key.
        key: &'static str,
        /// What it has.
        value: String,
        /// What it takes.
        wanted: &'static str,
    },
    /// A key is missing that another one needs.
    #[error("config.toml: {key} is missing, and [webhook] takes url and secret_file together")]
    Missing {
        /// Which key.
        key: &'static str,
    },
    /// A file holds no secret of its form.
    #[error("config.toml: {key} names {path}, which has to hold {wanted}")]
    Secret {
        /// Which key.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// What it takes.
        wanted: &'static str,
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
        if config.check_minutes == 0 {
            config.check_minutes = 60;
        }
        config.webhook(data)?;
        Ok(config)
    }

    /// As [`Config::load`], for the program `sallyport`: connectors are compiled in children of it.
    ///
    /// # Errors
    /// As [`Config::load`], and as [`Config::own_compiler`].
    pub fn of_program(data: &Path) -> Result<Self, ConfigError> {
        Ok(Self { compiler: Self::own_compiler()?, ..Self::load(data)? })
    }

    /// Children of this program. Not for a test, which is another one.
    ///
    /// # Errors
    /// The program's own file is not known.
    pub fn own_compiler() -> Result<Compiler, ConfigError> {
        // By way of the process, so that a program that was replaced meanwhile starts the one that it is.
        let program = match cfg!(target_os = "linux") {
            true => format!("/proc/{}/exe", std::process::id()).into(),
            false => {
                std::env::current_exe().map_err(|source| ConfigError::Read { path: "sallyport".into(), source })?
            }
        };
        Ok(Compiler::Child(ChildCompiler::new(program, ["compile".to_owned()])))
    }

    /// The bounds on executions.
    ///
    /// # Errors
    /// [`ConfigError::Limits`] names a bound that is not known or not well written.
    pub fn limits(&self) -> Result<LimitsTable, ConfigError> {
        let mut all = self.limits.clone();
        let mut parts = |name: &str| match all.remove(name) {
            None => Ok(toml::Table::new()),
            Some(toml::Value::Table(table)) => Ok(table),
            Some(_) => Err(ConfigError::Limits { section: name.into(), message: "it is no table of tables".into() }),
        };
        let (connectors, tenants) = (parts("connector")?, parts("tenant")?);
        let all = limits("limits", all)?;
        let base = toml::Table::try_from(&all).map_err(|error| bad("limits", error))?;
        let over = |kind: &str, id: &str, own: &toml::Value| {
            let section = format!("limits.{kind}.{id}");
            let own = own.as_table().ok_or_else(|| bad(&section, "it is no table"))?;
            let pools = own.keys().find(|key| POOL.contains(&key.as_str()));
            if let Some(key) = pools {
                return Err(bad(&section, format!("{key} is the whole pool's: it stands in [limits] alone")));
            }
            let mut merged = base.clone();
            merged.extend(own.clone());
            limits(&section, merged)
        };
        let mut table = LimitsTable { all, ..LimitsTable::default() };
        for (id, own) in &connectors {
            let connector = ConnectorId::new(id).map_err(|error| bad(&format!("limits.connector.{id}"), error))?;
            table.connectors.insert(connector, over("connector", id, own)?);
        }
        for (id, own) in &tenants {
            table.tenants.insert(TenantId::new(id.as_str()), over("tenant", id, own)?);
        }
        Ok(table)
    }

    /// Where events are announced, and the file that holds the secret, if anywhere.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] names the key that is not there, [`ConfigError::Address`] an address that is none.
    pub fn webhook(&self, data: &Path) -> Result<Option<(Url, PathBuf)>, ConfigError> {
        let Some(webhook) = &self.webhook else { return Ok(None) };
        let text = webhook.url.as_ref().ok_or(ConfigError::Missing { key: "webhook.url" })?;
        let file = webhook.secret_file.as_ref().ok_or(ConfigError::Missing { key: "webhook.secret_file" })?;
        let safe = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        let url = Url::parse(text).ok().filter(safe).ok_or_else(|| ConfigError::Address {
            key: "webhook.url",
            value: text.clone(),
            wanted: "an https address, as https://app.example/sallyport; http only to this machine",
        })?;
        Ok(Some((url, data.join(file))))
    }

    fn overlay(&mut self, variable: impl Fn(&str) -> Option<String>) {
        if let Some(url) = variable("SALLYPORT_MODEL_URL") {
            self.model.base_url = (!url.is_empty()).then_some(url);
        }
        if let Some(url) = variable("SALLYPORT_PUBLIC_URL") {
            self.public_url = (!url.is_empty()).then_some(url);
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
    fn limits_are_those_of_all_and_then_a_connectors_or_a_tenants() {
        let config: Config = toml::from_str(
            "[limits]\ncalls = 7\n[limits.connector.trello]\ncpu_tool = \"1s\"\n[limits.tenant.acme]\nmemory = 1048576",
        )
        .unwrap();
        let table = config.limits().unwrap();
        let trello = table.of(&TenantId::new("acme"), &ConnectorId::new("trello").unwrap());
        assert_eq!((trello.calls, trello.cpu_tool.as_secs(), trello.memory), (7, 1, 1 << 20));
        assert_eq!(table.all, Limits { calls: 7, ..Limits::default() });

        let refused = |text: &str| toml::from_str::<Config>(text).unwrap().limits().unwrap_err().to_string();
        assert!(refused("[limits]\ncpu = 1").contains("cpu"));
        assert!(refused("[limits.tenant.acme]\ninstances = 1").contains("[limits.tenant.acme]"));
        assert!(refused("[limits.connector.trello]\ncpu_tool = \"soon\"").contains("soon"));
    }

    #[test]
    fn a_webhook_takes_both_keys_and_tls() {
        let webhook = |text: &str| toml::from_str::<Config>(text).unwrap().webhook(Path::new("data"));
        assert_eq!(webhook("").unwrap(), None);
        let both = webhook("[webhook]\nurl = \"https://a.example/x\"\nsecret_file = \"secret\"").unwrap();
        assert_eq!(both, Some((Url::parse("https://a.example/x").unwrap(), PathBuf::from("data/secret"))));
        let here = webhook("[webhook]\nurl = \"http://127.0.0.1:9/\"\nsecret_file = \"/run/secret\"").unwrap();
        assert_eq!(here.unwrap().1, Path::new("/run/secret"));

        let refused = |text: &str| webhook(text).unwrap_err().to_string();
        assert!(refused("[webhook]\nurl = \"https://a.example\"").contains("webhook.secret_file"));
        assert!(refused("[webhook]\nsecret_file = \"secret\"").contains("webhook.url"));
        for url in ["http://a.example/", "ftp://127.0.0.1/", "a.example"] {
            let message = refused(&format!("[webhook]\nurl = {url:?}\nsecret_file = \"secret\""));
            assert!(message.contains("webhook.url") && message.contains(url), "{message}");
        }
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let mut config: Config = toml::from_str("[model]\nbase_url = \"https://a.example/v1\"").unwrap();
        config.overlay(|name| (name == "SALLYPORT_MODEL_URL").then(|| "https://b.example/v1".into()));
        assert_eq!(config.model.base_url.as_deref(), Some("https://b.example/v1"));
    }
}
