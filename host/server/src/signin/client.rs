//! This host as a client of an issuer: where a browser is sent, and what its code is exchanged for.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, SubjectIdentifier, TokenResponse as _, UserInfoClaims, UserInfoError,
};
use sallyport::keys::Secret;
use sallyport::wire::chain;
use url::Url;

use super::Proofs;
use super::error::{IdTokenError, SignInError};
use super::http::HttpError;
use super::issuer::{Issuers, Metadata};
use super::pin::Pin;
use super::token::{Others, Person};

type Discovered =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Where the browser is sent to sign in.
pub(super) fn authorize_url(pin: &Pin, metadata: &Metadata, callback: &Url, state: &str, proofs: Proofs) -> Url {
    let client = discovered(pin, metadata, None).set_redirect_uri(RedirectUrl::from_url(callback.clone()));
    let state = CsrfToken::new(state.to_owned());
    let Proofs { nonce, verifier } = proofs;
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let request = client.authorize_url(flow, move || state, move || nonce).set_pkce_challenge(challenge);
    let scopes = ["email", "profile"].into_iter().chain(pin.scopes.iter().map(String::as_str));
    let (url, _, _): (Url, CsrfToken, Nonce) = request.add_scopes(scopes.map(|scope| Scope::new(scope.into()))).url();
    url
}

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: AccessToken,
}

/// A tenant's client at its issuer.
pub(super) struct Client<'a> {
    pub(super) issuers: &'a Issuers,
    pub(super) pin: &'a Pin,
    pub(super) metadata: &'a Metadata,
    pub(super) secret: &'a Secret,
}

impl Client<'_> {
    /// Exchanges a code for tokens.
    pub(super) async fn exchange(&self, code: String, callback: &Url, verifier: String) -> Result<Tokens, SignInError> {
        let client = discovered(self.pin, self.metadata, Some(self.secret))
            .set_redirect_uri(RedirectUrl::from_url(callback.clone()))
            .set_auth_type(self.authentication());
        let request = client.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|error| self.unusable(error.to_string()))?;
        let http = self.issuers.way(&self.pin.issuer);
        let answer = request.set_pkce_verifier(PkceCodeVerifier::new(verifier)).request_async(&http).await;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(answer) => match answer.error() {
                CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                    self.refused(answer.to_string())
                }
                // A code that is too old or was used; a redirect address that is not the registered one.
                _ => SignInError::Denied(answer.to_string()),
            },
            RequestTokenError::Request(error) => self.failed(error),
            // What it answered is not told: there may be tokens in it.
            RequestTokenError::Parse(error, _) => {
                self.unusable(format!("its token endpoint's answer is not of the standard's form at {}", error.path()))
            }
            RequestTokenError::Other(why) => self.unusable(why),
        })?;
        let id_token = answer.id_token().ok_or(IdTokenError::Absent)?.to_string();
        Ok(Tokens { id_token, access_token: answer.access_token().clone() })
    }

    /// Adds what the issuer's user info says of the same person, if it has one.
    pub(super) async fn complete(&self, person: &mut Person, token: AccessToken) -> Result<(), SignInError> {
        if self.metadata.userinfo_endpoint().is_none() {
            return Ok(());
        }
        let client = discovered(self.pin, self.metadata, Some(self.secret));
        let same = SubjectIdentifier::new(person.sub.clone());
        let request = client.user_info(token, Some(same)).map_err(|error| self.unusable(error.to_string()))?;
        let http = self.issuers.way(&self.pin.issuer);
        let info: UserInfoClaims<Others, CoreGenderClaim> =
            request.request_async(&http).await.map_err(|error| match error {
                UserInfoError::Request(error) => self.failed(error),
                UserInfoError::Response(status, ..) => self.unusable(format!("its user info answers {status}")),
                other => self.unusable(format!("its user info: {}", chain(&other))),
            })?;
        person.add(&info);
        Ok(())
    }

    /// How the issuer wants the secret: in a header, as every issuer has to take it, unless it says that it does not.
    fn authentication(&self) -> AuthType {
        let methods = self.metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_some_and(|methods| methods.contains(&method));
        match !takes(CoreClientAuthMethod::ClientSecretBasic) && takes(CoreClientAuthMethod::ClientSecretPost) {
            true => AuthType::RequestBody,
            false => AuthType::BasicAuth,
        }
    }

    fn unusable(&self, why: String) -> SignInError {
        SignInError::Issuer { issuer: self.pin.issuer.clone(), why }
    }

    fn refused(&self, why: String) -> SignInError {
        SignInError::Client { issuer: self.pin.issuer.clone(), why }
    }

    fn failed(&self, error: HttpError) -> SignInError {
        match error {
            HttpError::Failed(why) => SignInError::Unreachable { issuer: self.pin.issuer.clone(), why },
            other => self.unusable(other.to_string()),
        }
    }
}

fn discovered(pin: &Pin, metadata: &Metadata, secret: Option<&Secret>) -> Discovered {
    let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
    CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(pin.client_id.clone()), secret)
}
