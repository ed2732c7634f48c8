//! Access and refresh tokens: what the OAuth provider issues and what Drive and Trello accept.

use crate::clock::unix_ms;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt, time::Duration};
use time::OffsetDateTime;

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Google accounts; accepted by the Drive service.
    Google,
    /// Atlassian accounts; accepted by the Trello service.
    Trello,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Google => "google",
            Self::Trello => "trello",
        })
    }
}

/// What a token reply carries. These secrets open simulated services only, hence `Debug`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedTokens {
    /// Sent as `Authorization: Bearer`.
    pub access_token: String,
    /// Exchanged at the token endpoint for the next access token.
    pub refresh_token: String,
    /// Seconds until the access token is refused.
    pub expires_in: u64,
    /// Space-separated scopes; empty means that every scope was granted.
    pub scope: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub provider: Provider,
    pub email: String,
    pub scopes: Vec<String>,
    expires_at_ms: i64,
    family: u64,
    revoked: bool,
}

impl Access {
    /// Whether any of the scopes was granted. A token that was minted without scopes may do everything.
    pub(crate) fn allows(&self, any_of: &[&str]) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| any_of.contains(&scope.as_str()))
    }
}

#[derive(Debug, Clone)]
struct Refresh {
    provider: Provider,
    client: String,
    email: String,
    scopes: Vec<String>,
    family: u64,
    spent: bool,
    revoked: bool,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Unknown,
    Expired,
    Revoked,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    families: u64,
    pub refreshes: HashMap<Provider, u64>,
    pub refused_refreshes: HashMap<Provider, u64>,
}

impl Tokens {
    pub(crate) fn issue(
        &mut self,
        provider: Provider,
        client: &str,
        email: &str,
        scopes: &[String],
        lifetime: Duration,
        now: OffsetDateTime,
    ) -> IssuedTokens {
        self.families += 1;
        let family = self.families;
        let access_token = self.mint_access(provider, email, scopes, lifetime, family, now);
        let refresh_token = self.mint_refresh(provider, client, email, scopes, family);
        IssuedTokens { access_token, refresh_token, expires_in: lifetime.as_secs(), scope: scopes.join(" ") }
    }

    /// Exchanges a refresh token. `rotate` issues a new one and spends the old: a second use of a spent token
    /// revokes everything that was issued from it, as OAuth 2.0 Security BCP (RFC 9700, 4.14.2) has it.
    pub(crate) fn refresh(
        &mut self,
        provider: Provider,
        client: &str,
        token: &str,
        rotate: bool,
        lifetime: Duration,
        now: OffsetDateTime,
    ) -> Option<IssuedTokens> {
        let known =
            self.refresh.get(token).filter(|known| known.provider == provider && known.client == client).cloned();
        let Some(known) = known.filter(|known| !known.revoked) else {
            *self.refused_refreshes.entry(provider).or_default() += 1;
            return None;
        };
        if known.spent {
            self.revoke_family(known.family);
            *self.refused_refreshes.entry(provider).or_default() += 1;
            return None;
        }
        let refresh_token = if rotate {
            if let Some(old) = self.refresh.get_mut(token) {
                old.spent = true;
            }
            self.mint_refresh(provider, client, &known.email, &known.scopes, known.family)
        } else {
            token.to_owned()
        };
        let access_token = self.mint_access(provider, &known.email, &known.scopes, lifetime, known.family, now);
        *self.refreshes.entry(provider).or_default() += 1;
        Some(IssuedTokens {
            access_token,
            refresh_token,
            expires_in: lifetime.as_secs(),
            scope: known.scopes.join(" "),
        })
    }

    pub(crate) fn check(&self, provider: Provider, token: &str, now: OffsetDateTime) -> Result<&Access, Refused> {
        let access = self.access.get(token).filter(|access| access.provider == provider).ok_or(Refused::Unknown)?;
        match (access.revoked, access.expires_at_ms <= unix_ms(now)) {
            (true, _) => Err(Refused::Revoked),
            (false, true) => Err(Refused::Expired),
            (false, false) => Ok(access),
        }
    }

    /// Revokes an access or refresh token and everything issued with it. False if it was never issued.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        let family = self.access.get(token).map(|access| access.family);
        let family = family.or_else(|| self.refresh.get(token).map(|refresh| refresh.family));
        family.is_some_and(|family| {
            self.revoke_family(family);
            true
        })
    }

    /// Makes an access token expire now; its refresh token stays good. False if it was never issued.
    pub(crate) fn expire(&mut self, token: &str) -> bool {
        self.access.get_mut(token).is_some_and(|access| {
            access.expires_at_ms = i64::MIN;
            true
        })
    }

    /// Whose token this is, whatever its state: for the request log, which must not hold the token itself.
    pub(crate) fn owner(&self, token: &str) -> Option<&str> {
        self.access.get(token).map(|access| access.email.as_str())
    }

    fn revoke_family(&mut self, family: u64) {
        self.access.values_mut().filter(|access| access.family == family).for_each(|access| access.revoked = true);
        self.refresh.values_mut().filter(|refresh| refresh.family == family).for_each(|refresh| refresh.revoked = true);
    }

    fn mint_access(
        &mut self,
        provider: Provider,
        email: &str,
        scopes: &[String],
        lifetime: Duration,
        family: u64,
        now: OffsetDateTime,
    ) -> String {
        let prefix = match provider {
            Provider::Google => "ya29.a0",
            Provider::Trello => "ATTA",
        };
        let token = format!("{prefix}{}", random_text());
        let lifetime_ms = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX / 4);
        let access = Access {
            provider,
            email: email.to_owned(),
            scopes: scopes.to_vec(),
            expires_at_ms: unix_ms(now).saturating_add(lifetime_ms),
            family,
            revoked: false,
        };
        self.access.insert(token.clone(), access);
        token
    }

    fn mint_refresh(
        &mut self,
        provider: Provider,
        client: &str,
        email: &str,
        scopes: &[String],
        family: u64,
    ) -> String {
        let token = format!("1//0{}", random_text());
        let refresh = Refresh {
            provider,
            client: client.to_owned(),
            email: email.to_owned(),
            scopes: scopes.to_vec(),
            family,
            spent: false,
            revoked: false,
        };
        self.refresh.insert(token.clone(), refresh);
        token
    }
}

/// 43 characters that nobody guesses.
pub(crate) fn random_text() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}
