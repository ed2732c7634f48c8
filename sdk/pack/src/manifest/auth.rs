//! `[[auth]]`: how a connection is authorised, and where its secrets go.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    AuthId, EndpointUrl, HeaderName, OriginName, Pointer, Pointers, Scalar, SlotName, Template, ValueError, as_string,
};

/// One way to authorise a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Auth {
    /// Its id.
    pub id: AuthId,
    /// Whose the connections made by it are.
    pub owner: Owner,
    /// How it goes.
    pub method: AuthMethod,
    /// The secrets that come of it, each in a slot.
    pub credentials: Vec<Credential>,
}

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// A workspace: made by an admin, syncs, acts as itself and says so.
    Workspace,
    /// A person: tools run as them.
    Person,
}

/// How an authorisation goes, with what each way needs.
// A manifest has two or three of these, read once.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthMethod {
    /// OAuth 2 with an authorisation code.
    OAuth2Code(Box<OAuthCode>),
    /// An admin gives a key file; the host signs assertions with it.
    ServiceAccount,
    /// A person pastes a token, which is never refreshed.
    Token {
        /// What the field is called.
        label: Option<String>,
        /// What the token looks like: a regular expression over the whole of it.
        pattern: Option<String>,
    },
    /// The token comes back in the fragment of a URL, or is pasted.
    TokenFragment {
        /// Where the person consents.
        authorize: EndpointUrl,
        /// Its query; `{client.x}` stands for a field of the client.
        authorize_parameters: BTreeMap<String, Template>,
        /// The parameter that says where to go back to; `redirect_uri` (RFC 6749, 4.2.1) if not said.
        return_parameter: String,
        /// The parameter of the fragment that is the token; `access_token` (RFC 6749, 4.2.2) if not said.
        fragment_parameter: String,
        /// How the token is taken back.
        revoke: Option<Revoke>,
    },
}

/// OAuth 2 with an authorisation code, and what this provider does its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthCode {
    /// The authorisation endpoint.
    pub authorize: EndpointUrl,
    /// What is added to its query.
    pub authorize_parameters: BTreeMap<String, Template>,
    /// The token endpoint.
    pub token: EndpointUrl,
    /// How a token is taken back.
    pub revoke: Option<Revoke>,
    /// How the client says who it is.
    pub client_auth: ClientAuth,
    /// The form of token requests.
    pub token_request: TokenRequest,
    /// Whether PKCE is used.
    pub pkce: Pkce,
    /// What stands between two scopes: a space or a comma.
    pub scope_separator: char,
    /// Scopes asked for whatever the capabilities are, as `offline_access`.
    pub extra_scopes: Vec<String>,
    /// Whether a second consent adds to the first, so that only what is missing is asked for. Where it replaces the first,
    /// everything is asked for again.
    pub incremental: bool,
    /// The answer with status 200 that is an error.
    pub failed: Option<FailedAnswer>,
    /// Where an error's code stands, if not at `/error`.
    pub error_code: Option<Pointers>,
}

/// How the client says who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the body.
    Body,
    /// HTTP Basic.
    Basic,
    /// `client_id` only: a public client.
    None,
}

/// The form of requests to the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRequest {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
}

/// Whether PKCE (S256) is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pkce {
    /// Always.
    Required,
    /// Never, because the provider cannot.
    Off,
}

/// An answer whose status says success and whose content says failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedAnswer {
    /// What is looked at.
    pub pointer: Pointer,
    /// The value that means failure.
    pub equals: Scalar,
    /// Where the error's code stands.
    pub code: Pointer,
}

/// A secret that comes of an authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The slot that it is kept in.
    pub slot: SlotName,
    /// Whether a connection is whole without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The parameter of the authorisation URL that asks for its scopes; `scope` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_parameter: Option<String>,
    /// Where things stand in the answer to the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_reply: Option<Reply>,
    /// Where things stand in the answer to a refresh. Absent: it is never refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_reply: Option<Reply>,
    /// Whether a refresh brings a new refresh token and ends the old one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotates: bool,
    /// How it is attached to requests.
    pub inject: Inject,
}

/// Where things stand in a token endpoint's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The access token.
    pub token: Pointers,
    /// The refresh token; if it finds nothing, the old one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Pointers>,
    /// Seconds until the access token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Pointers>,
    /// The scopes as granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Pointers>,
}

/// How a secret is attached to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// The origins that it may go to.
    pub origins: Vec<OriginName>,
    /// The header.
    pub header: HeaderName,
    /// Its value; `{token}` stands for the secret, `{client.x}` for a field of the client.
    pub value: Template,
}

/// A request that takes a token back: a URL (by POST, RFC 7009), or a method, a space and a URL in which `{token}` is
/// the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revoke {
    /// The method; `None` is an RFC 7009 request.
    pub method: Option<String>,
    /// Where to.
    pub url: EndpointUrl,
}

impl FromStr for Revoke {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once(' ') {
            None => Ok(Self { method: None, url: text.parse()? }),
            Some((method @ ("DELETE" | "POST" | "GET"), url)) => {
                Ok(Self { method: Some(method.to_owned()), url: url.parse()? })
            }
            Some((method, _)) => {
                Err(ValueError(format!("{method:?} cannot revoke: write a URL, or DELETE, POST or GET and a URL")))
            }
        }
    }
}

impl fmt::Display for Revoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Some(method) => write!(f, "{method} {}", self.url),
            None => self.url.fmt(f),
        }
    }
}

as_string!(Revoke);

/// RFC 6749, 4.2.1 and 4.2.2.
const RETURN: &str = "redirect_uri";
const FRAGMENT: &str = "access_token";

/// The written form: one table for all ways, of which each takes its own keys.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    id: AuthId,
    r#type: Kind,
    owner: Owner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorize: Option<EndpointUrl>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    authorize_parameters: BTreeMap<String, Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<EndpointUrl>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoke: Option<Revoke>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_auth: Option<ClientAuth>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_request: Option<TokenRequest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pkce: Option<Pkce>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope_separator: Option<char>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extra_scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    incremental: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_parameter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fragment_parameter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<FailedAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_code: Option<Pointers>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    credential: Vec<Credential>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[serde(rename = "oauth2-code")]
    OAuth2Code,
    ServiceAccount,
    Token,
    TokenFragment,
}

impl TryFrom<Form> for Auth {
    type Error = ValueError;

    fn try_from(form: Form) -> Result<Self, ValueError> {
        let oauth = Kind::OAuth2Code;
        let consents = form.r#type == oauth || form.r#type == Kind::TokenFragment;
        let pasted = form.r#type == Kind::Token;
        let fragment = form.r#type == Kind::TokenFragment;
        let misplaced = [
            ("authorize", form.authorize.is_some(), consents),
            ("authorize_parameters", !form.authorize_parameters.is_empty(), consents),
            ("revoke", form.revoke.is_some(), consents),
            ("token", form.token.is_some(), form.r#type == oauth),
            ("client_auth", form.client_auth.is_some(), form.r#type == oauth),
            ("token_request", form.token_request.is_some(), form.r#type == oauth),
            ("pkce", form.pkce.is_some(), form.r#type == oauth),
            ("scope_separator", form.scope_separator.is_some(), form.r#type == oauth),
            ("extra_scopes", !form.extra_scopes.is_empty(), form.r#type == oauth),
            ("incremental", form.incremental, form.r#type == oauth),
            ("return_parameter", form.return_parameter.is_some(), fragment),
            ("fragment_parameter", form.fragment_parameter.is_some(), fragment),
            ("failed", form.failed.is_some(), form.r#type == oauth),
            ("error_code", form.error_code.is_some(), form.r#type == oauth),
            ("label", form.label.is_some(), pasted),
            ("pattern", form.pattern.is_some(), pasted),
        ]
        .into_iter()
        .filter_map(|(key, given, allowed)| (given && !allowed).then_some(key))
        .collect::<Vec<_>>();
        if !misplaced.is_empty() {
            return Err(ValueError(format!("{} has no meaning for this type: remove it", misplaced.join(", "))));
        }
        let missing = |key: &str| ValueError(format!("{key} is missing: this type needs it"));
        let method = match form.r#type {
            Kind::OAuth2Code => AuthMethod::OAuth2Code(Box::new(OAuthCode {
                authorize: form.authorize.ok_or_else(|| missing("authorize"))?,
                authorize_parameters: form.authorize_parameters,
                token: form.token.ok_or_else(|| missing("token"))?,
                revoke: form.revoke,
                client_auth: form.client_auth.ok_or_else(|| missing("client_auth"))?,
                token_request: form.token_request.ok_or_else(|| missing("token_request"))?,
                pkce: form.pkce.ok_or_else(|| missing("pkce"))?,
                scope_separator: form.scope_separator.unwrap_or(' '),
                extra_scopes: form.extra_scopes,
                incremental: form.incremental,
                failed: form.failed,
                error_code: form.error_code,
            })),
            Kind::ServiceAccount => AuthMethod::ServiceAccount,
            Kind::Token => AuthMethod::Token { label: form.label, pattern: form.pattern },
            Kind::TokenFragment => AuthMethod::TokenFragment {
                authorize: form.authorize.ok_or_else(|| missing("authorize"))?,
                authorize_parameters: form.authorize_parameters,
                return_parameter: form.return_parameter.unwrap_or_else(|| RETURN.to_owned()),
                fragment_parameter: form.fragment_parameter.unwrap_or_else(|| FRAGMENT.to_owned()),
                revoke: form.revoke,
            },
        };
        Ok(Self { id: form.id, owner: form.owner, method, credentials: form.credential })
    }
}

impl From<Auth> for Form {
    fn from(auth: Auth) -> Self {
        let mut form = Self {
            id: auth.id,
            r#type: Kind::ServiceAccount,
            owner: auth.owner,
            authorize: None,
            authorize_parameters: BTreeMap::new(),
            token: None,
            revoke: None,
            client_auth: None,
            token_request: None,
            pkce: None,
            scope_separator: None,
            extra_scopes: Vec::new(),
            incremental: false,
            return_parameter: None,
            fragment_parameter: None,
            failed: None,
            error_code: None,
            label: None,
            pattern: None,
            credential: auth.credentials,
        };
        match auth.method {
            AuthMethod::OAuth2Code(oauth) => {
                form.r#type = Kind::OAuth2Code;
                form.authorize = Some(oauth.authorize);
                form.authorize_parameters = oauth.authorize_parameters;
                form.token = Some(oauth.token);
                form.revoke = oauth.revoke;
                form.client_auth = Some(oauth.client_auth);
                form.token_request = Some(oauth.token_request);
                form.pkce = Some(oauth.pkce);
                form.scope_separator = (oauth.scope_separator != ' ').then_some(oauth.scope_separator);
                form.extra_scopes = oauth.extra_scopes;
                form.incremental = oauth.incremental;
                form.failed = oauth.failed;
                form.error_code = oauth.error_code;
            }
            AuthMethod::ServiceAccount => {}
            AuthMethod::Token { label, pattern } => {
                form.r#type = Kind::Token;
                form.label = label;
                form.pattern = pattern;
            }
            AuthMethod::TokenFragment {
                authorize,
                authorize_parameters,
                return_parameter,
                fragment_parameter,
                revoke,
            } => {
                form.r#type = Kind::TokenFragment;
                form.authorize = Some(authorize);
                form.return_parameter = (return_parameter != RETURN).then_some(return_parameter);
                form.fragment_parameter = (fragment_parameter != FRAGMENT).then_some(fragment_parameter);
                form.authorize_parameters = authorize_parameters;
                form.revoke = revoke;
            }
        }
        form
    }
}
