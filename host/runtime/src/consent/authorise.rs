//! Where somebody is sent to consent: the provider's authorisation endpoint, with what it has to bring back.

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl};
use sallyport_pack::manifest::{Auth, AuthMethod, EndpointUrl, Manifest, OAuthCode, Pkce, Template};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;
use zeroize::Zeroizing;

use super::ConsentError;
use crate::credentials::{CredentialError, Scopes};
use crate::ids::TenantId;
use crate::keys::Secret;
use crate::registry::Provider;
use crate::runtime::Runtime;

/// Bytes of what nobody is to guess.
const RANDOM: u32 = 32;

/// A way to the provider, and what has to come back from it.
pub(super) struct Departure {
    pub(super) url: Url,
    pub(super) state: Secret,
    pub(super) verifier: Option<Secret>,
}

impl Runtime {
    /// The provider's page for these scopes.
    pub(super) async fn departure(
        &self,
        tenant: &TenantId,
        manifest: &Manifest,
        auth: &Auth,
        scopes: &Scopes,
        redirect: &Url,
    ) -> Result<Departure, ConsentError> {
        match &auth.method {
            AuthMethod::OAuth2Code(oauth) => self.code_departure(tenant, manifest, auth, oauth, scopes, redirect).await,
            AuthMethod::TokenFragment { authorize, authorize_parameters, return_parameter, .. } => {
                let state = Secret::new(random());
                let mut back = redirect.clone();
                back.query_pairs_mut().append_pair("state", state.expose());
                let mut url = self.authorisation_endpoint(manifest, authorize);
                let rendered = self.parameters(tenant, manifest, authorize_parameters).await?;
                url.query_pairs_mut().extend_pairs(&rendered).append_pair(return_parameter, back.as_str());
                Ok(Departure { url, state, verifier: None })
            }
            _ => Err(ConsentError::Choice("this way of connecting sends nobody to the provider".into())),
        }
    }

    async fn code_departure(
        &self,
        tenant: &TenantId,
        manifest: &Manifest,
        auth: &Auth,
        oauth: &OAuthCode,
        scopes: &Scopes,
        redirect: &Url,
    ) -> Result<Departure, ConsentError> {
        let provider = manifest.connector.provider.as_str();
        let client_id = self.credentials().client_field(tenant, provider, "client_id").await?;
        let endpoint = self.authorisation_endpoint(manifest, &oauth.authorize);
        let client = BasicClient::new(ClientId::new(client_id.expose().to_owned()))
            .set_auth_uri(AuthUrl::from_url(endpoint))
            .set_redirect_uri(RedirectUrl::from_url(redirect.clone()));
        let mut request = client.authorize_url(|| CsrfToken::new_random_len(RANDOM));
        let mut verifier = None;
        if oauth.pkce == Pkce::Required {
            let (challenge, secret) = PkceCodeChallenge::new_random_sha256();
            verifier = Some(Secret::new(secret.into_secret()));
            request = request.set_pkce_challenge(challenge);
        }
        // Scopes go as parameters of our own: the crate knows one parameter and a space.
        for (parameter, scopes) in by_parameter(auth, oauth, scopes) {
            request = request.add_extra_param(parameter, scopes);
        }
        for (name, value) in self.parameters(tenant, manifest, &oauth.authorize_parameters).await? {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        Ok(Departure { url, state: Secret::new(state.into_secret()), verifier })
    }

    fn authorisation_endpoint(&self, manifest: &Manifest, endpoint: &EndpointUrl) -> Url {
        self.wire().endpoint(manifest.connector.id.as_str(), "authorize", endpoint).url
    }

    async fn parameters(
        &self,
        tenant: &TenantId,
        manifest: &Manifest,
        templates: &std::collections::BTreeMap<String, Template>,
    ) -> Result<Vec<(String, String)>, ConsentError> {
        let provider = manifest.connector.provider.as_str();
        let mut rendered = Vec::new();
        for (name, template) in templates {
            let mut fields = std::collections::HashMap::new();
            for placeholder in template.placeholders() {
                let field = placeholder.strip_prefix("client.").unwrap_or(placeholder);
                fields.insert(placeholder, self.credentials().client_field(tenant, provider, field).await?);
            }
            let value = template.render(|name| fields.get(name).map(|field| field.expose().to_owned()));
            let value = value.map_err(|name| {
                CredentialError::Manifest(format!("the parameter wants {name}, which nothing stands for"))
            })?;
            rendered.push((name.clone(), value));
        }
        Ok(rendered)
    }
}

/// The scopes of each parameter that takes some, joined as this provider wants it.
fn by_parameter(auth: &Auth, oauth: &OAuthCode, scopes: &Scopes) -> Vec<(String, String)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for credential in &auth.credentials {
        let parameter = credential.scope_parameter.as_deref().unwrap_or("scope");
        let own = scopes.get(&credential.slot).cloned().unwrap_or_default();
        match all.iter_mut().find(|(known, _)| known == parameter) {
            Some((_, joined)) => joined.extend(own),
            None => all.push((parameter.to_owned(), own)),
        }
    }
    let separator = oauth.scope_separator.to_string();
    let asked = all.into_iter().filter(|(_, scopes)| !scopes.is_empty());
    asked.map(|(parameter, scopes)| (parameter, scopes.join(&separator))).collect()
}

/// Whether somebody who came back was sent by whom they were sent to (RFC 9207). Providers that say nothing pass: the state
/// is this attempt's alone, and so is the endpoint that gets the code.
pub(super) fn is_issuer(provider: Option<&Provider>, auth: &Auth, found: &str) -> Result<(), ConsentError> {
    let own = match &auth.method {
        AuthMethod::OAuth2Code(oauth) => oauth.authorize.url().origin().ascii_serialization(),
        AuthMethod::TokenFragment { authorize, .. } => authorize.url().origin().ascii_serialization(),
        _ => String::new(),
    };
    let expected = provider.and_then(|provider| provider.issuer.clone()).unwrap_or(own);
    if found.trim_end_matches('/') == expected.trim_end_matches('/') {
        return Ok(());
    }
    Err(ConsentError::Issuer { expected, found: found.chars().take(200).collect() })
}

/// 256 random bits in letters that a URL takes.
pub(super) fn random() -> String {
    use base64::Engine as _;
    let bytes = Zeroizing::new(rand::random::<[u8; RANDOM as usize]>());
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(&bytes[..])
}

/// What is kept of something that nobody is to guess. A plain hash is right for 256 random bits.
pub(super) fn hashed(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

pub(super) fn is_hash_of(kept: &str, text: &str) -> bool {
    kept.as_bytes().ct_eq(hashed(text).as_bytes()).into()
}
