//! A browser's session: a signed cookie that says who signed in, good for a working day.

use sallyport::ids::TenantId;
use serde::{Deserialize, Serialize};

use super::error::SignInError;
use super::{SignIn, now};
use crate::auth::{Claims, LONGEST, SignedIn};

/// What a session's token is for.
const AUDIENCE: &str = "sallyport/session";
/// How long a session lasts, in seconds.
pub const LIFE: u64 = LONGEST;

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub who: SignedIn,
    /// What their tenant pinned when they did.
    pub(super) pin: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(flatten)]
    who: Claims,
    pin: String,
}

impl SignIn {
    /// The session's cookie.
    ///
    /// # Errors
    /// Never for a host's key; the library's own type says it could.
    pub fn session_cookie(&self, session: &Session) -> Result<String, SignInError> {
        let body = Body { who: Claims::from(&session.who), pin: session.pin.clone() };
        self.tokens.seal(AUDIENCE, body, now(), LIFE).map_err(|_| SignInError::Kept)
    }

    /// Whose session a cookie is, and the seconds that are left of it; `None` if it is none or has ended. It ends early
    /// when the tenant pins something else.
    ///
    /// # Errors
    /// The store's.
    pub async fn session(&self, cookie: &str) -> Result<Option<(SignedIn, u64)>, SignInError> {
        let Ok((Body { who, pin }, ends)) = self.tokens.unseal::<Body>(AUDIENCE, cookie) else { return Ok(None) };
        let who = SignedIn::from(who);
        Ok(self.pinned(&who.caller.tenant, &pin).await?.then(|| (who, ends.saturating_sub(now()))))
    }

    async fn pinned(&self, tenant: &TenantId, pin: &str) -> Result<bool, SignInError> {
        match self.pin(tenant).await {
            Ok(current) => Ok(current.fingerprint() == pin),
            Err(SignInError::NotSetUp(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
