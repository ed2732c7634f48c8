//! The host's provider registry: where secrets may go. No manifest can widen it.

use std::collections::BTreeMap;

use sallyport_pack::manifest::{AuthMethod, EndpointUrl, Manifest, OriginUrl, Pkce};
use serde::Deserialize;

use crate::blame::{Blame, Fault};
use crate::ids::ProviderId;

/// The providers that are compiled in.
const BUILT_IN: &str = include_str!("registry.toml");

/// An entry: a service with its auth endpoints and the origins that may receive its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name for people.
    pub name: String,
    /// Where its secrets may be attached to requests.
    pub origins: Vec<OriginUrl>,
    /// Where codes, refresh tokens and client secrets may be sent, and people to consent.
    pub auth: Vec<EndpointUrl>,
    /// Parameters by which it takes credentials: refused in every request, beside those that a manifest lists and those
    /// that are named like credentials everywhere (`access_token`, `api_key` and their like). Where none is listed, `token`
    /// and `key` are refused too.
    #[serde(default)]
    pub credential_parameters: Vec<String>,
    /// Who it says that it is when somebody comes back from consenting (`iss`, RFC 9207); the origin of its authorisation
    /// endpoint if not said.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Whether it knows PKCE. A manifest may leave it out only where the provider does not.
    #[serde(default = "yes")]
    pub pkce: bool,
    /// Where a service account's signed assertions go (RFC 7523), if it has such. Never where a key file says.
    #[serde(default)]
    pub assertion: Option<EndpointUrl>,
}

fn yes() -> bool {
    true
}

/// Something that a manifest asks for and the registry does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// The provider is in nobody's list.
    #[error(
        "the provider {provider} is not registered: an operator can add [provider.{provider}] with its origins and auth endpoints to the host's registry file (registry.toml in the data directory)"
    )]
    Unlisted {
        /// The provider.
        provider: String,
    },
    /// An origin with credentials that the provider's secrets may not go to.
    #[error("the origin {name} ({url}) would receive {provider}'s secrets, which go to {allowed} only")]
    Origin {
        /// The provider.
        provider: String,
        /// The origin's name in the manifest.
        name: String,
        /// Where it is.
        url: String,
        /// Where secrets may go.
        allowed: String,
    },
    /// An auth URL that is not the provider's.
    #[error("the auth URL {url} of {auth} is none of {provider}'s")]
    Endpoint {
        /// The provider.
        provider: String,
        /// The `[[auth]]` flavour.
        auth: String,
        /// The URL.
        url: String,
    },
    /// PKCE is left out where the provider has it.
    #[error("{auth} leaves out PKCE, which {provider} has: write pkce = \"required\"")]
    Pkce {
        /// The provider.
        provider: String,
        /// The `[[auth]]` flavour.
        auth: String,
    },
    /// A service account at a provider that has none.
    #[error("{auth} is a service account, and the registry names no endpoint for {provider}'s assertions")]
    NoAssertions {
        /// The provider.
        provider: String,
        /// The `[[auth]]` flavour.
        auth: String,
    },
}

impl Fault for RegistryProblem {
    fn blame(&self) -> Blame {
        Blame::Guest
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unlisted { .. } => "provider-unlisted",
            Self::Origin { .. } => "provider-origin",
            Self::Endpoint { .. } => "provider-endpoint",
            Self::Pkce { .. } => "provider-pkce",
            Self::NoAssertions { .. } => "provider-assertion",
        }
    }
}

/// A registry file that cannot be read. Whoever wrote it mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider registry cannot be read: {0}")]
pub struct BadRegistry(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: BTreeMap<ProviderId, Provider>,
}

/// The providers that this host knows.
#[derive(Clone, Debug)]
pub struct Registry {
    providers: BTreeMap<ProviderId, Provider>,
}

impl Default for Registry {
    fn default() -> Self {
        let file: File = toml::from_str(BUILT_IN).expect("registry.toml is read by a test");
        Self { providers: file.provider }
    }
}

impl Registry {
    /// Adds an operator's providers, written as registry.toml is. One that is known already is refused: to let Google's
    /// secrets go elsewhere is not to extend the registry.
    ///
    /// # Errors
    /// [`BadRegistry`] names the line or the provider.
    pub fn extended(mut self, toml: &str) -> Result<Self, BadRegistry> {
        let file: File = toml::from_str(toml).map_err(|error| BadRegistry(error.to_string()))?;
        for (id, provider) in file.provider {
            if self.providers.contains_key(&id) {
                return Err(BadRegistry(format!("the provider {id} is known already: name yours differently")));
            }
            self.providers.insert(id, provider);
        }
        Ok(self)
    }

    /// A provider by its id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.get(id)
    }

    /// Whether a manifest's auth URLs and credentialed origins are its provider's.
    ///
    /// # Errors
    /// Everything that is not.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Vec<RegistryProblem>> {
        let id = manifest.connector.provider.to_string();
        let Some(provider) = self.provider(&id) else {
            return Err(vec![RegistryProblem::Unlisted { provider: id }]);
        };
        let mut problems = Vec::new();
        for (name, origin) in manifest.origins.iter().filter(|(_, origin)| origin.credentials) {
            if !provider.takes_secrets(&origin.url) {
                let allowed: Vec<String> = provider.origins.iter().map(ToString::to_string).collect();
                problems.push(RegistryProblem::Origin {
                    provider: id.clone(),
                    name: name.to_string(),
                    url: origin.url.to_string(),
                    allowed: allowed.join(", "),
                });
            }
        }
        for auth in &manifest.auth {
            let flavour = || (id.clone(), auth.id.to_string());
            match &auth.method {
                AuthMethod::OAuth2Code(oauth) if oauth.pkce == Pkce::Off && provider.pkce => {
                    let (provider, auth) = flavour();
                    problems.push(RegistryProblem::Pkce { provider, auth });
                }
                AuthMethod::ServiceAccount if provider.assertion.is_none() => {
                    let (provider, auth) = flavour();
                    problems.push(RegistryProblem::NoAssertions { provider, auth });
                }
                _ => {}
            }
            for url in endpoints(&auth.method) {
                if !provider.auth.contains(url) {
                    let (auth, url) = (auth.id.to_string(), url.to_string());
                    problems.push(RegistryProblem::Endpoint { provider: id.clone(), auth, url });
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

impl Provider {
    /// Whether this provider's secrets may go to `origin`.
    #[must_use]
    pub fn takes_secrets(&self, origin: &OriginUrl) -> bool {
        self.origins.contains(origin)
    }
}

fn endpoints(method: &AuthMethod) -> Vec<&EndpointUrl> {
    match method {
        AuthMethod::OAuth2Code(oauth) => [&oauth.authorize, &oauth.token]
            .into_iter()
            .chain(oauth.revoke.as_ref().map(|revoke| &revoke.url))
            .collect(),
        AuthMethod::TokenFragment { authorize, revoke, .. } => {
            [authorize].into_iter().chain(revoke.as_ref().map(|revoke| &revoke.url)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::PROVIDER;

    fn manifest(replace: &[(&str, &str)]) -> Manifest {
        let text = replace.iter().fold(crate::fixtures::MANIFEST.to_owned(), |text, (old, new)| {
            assert!(text.contains(old), "{old}");
            text.replace(old, new)
        });
        Manifest::from_toml(&text).expect("a manifest")
    }

    #[test]
    fn a_manifest_within_the_registry_passes() {
        let registry = Registry::default().extended(PROVIDER).expect("a registry");
        assert_eq!(registry.check(&manifest(&[])), Ok(()));
    }

    #[test]
    fn a_secret_cannot_be_sent_elsewhere_by_a_manifest() {
        let registry = Registry::default().extended(PROVIDER).expect("a registry");
        let elsewhere = manifest(&[
            ("https://api.acme.example", "https://api.acme.example.evil.example"),
            ("https://auth.acme.example/token", "https://evil.example/token"),
        ]);
        let problems = registry.check(&elsewhere).expect_err("two problems");
        assert!(
            matches!(&problems[..], [RegistryProblem::Origin { .. }, RegistryProblem::Endpoint { .. }]),
            "{problems:?}"
        );
        let without_pkce = manifest(&[("pkce = \"required\"", "pkce = \"off\"")]);
        let problems = registry.check(&without_pkce).expect_err("a problem");
        assert!(matches!(&problems[..], [RegistryProblem::Pkce { .. }]), "{problems:?}");
        assert_eq!(
            Registry::default().check(&manifest(&[])),
            Err(vec![RegistryProblem::Unlisted { provider: "acme".into() }])
        );
    }

    #[test]
    fn an_operator_adds_providers_and_replaces_none() {
        assert!(Registry::default().extended(PROVIDER).expect("a registry").extended(PROVIDER).is_err());
        let google = PROVIDER.replace("acme]", "google]");
        assert!(Registry::default().extended(&google).is_err());
        assert!(
            Registry::default()
                .extended("[provider.x]\nname = \"X\"\norigins = [\"http://x.example\"]\nauth = []")
                .is_err()
        );
        for known in ["google", "trello", "notion", "slack"] {
            assert!(Registry::default().provider(known).is_some(), "{known}");
        }
    }

    #[test]
    fn our_own_connectors_stay_within_the_registry() {
        let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
        let mut checked = 0;
        for folder in std::fs::read_dir(plugins).expect("plugins/").flatten() {
            let Ok(text) = std::fs::read_to_string(folder.path().join("connector.toml")) else { continue };
            let manifest = Manifest::from_toml(&text).expect("a manifest");
            assert_eq!(Registry::default().check(&manifest), Ok(()), "{}", manifest.connector.id);
            checked += 1;
        }
        assert!(checked >= 2, "{checked} manifests in {plugins}");
    }
}
