//! Ways to connect an account, and where their secrets go.

use super::{Changes, Wider, word};
use crate::manifest::{Auth, AuthMethod, Credential};

impl Changes {
    pub(super) fn auth(&mut self, old: &[Auth], new: &[Auth]) {
        for auth in new {
            match old.iter().find(|before| before.id == auth.id) {
                Some(before) => self.flavour(before, auth),
                None => {
                    self.say(true, format!("+ way to connect {} for a {}", auth.id, word(&auth.owner)));
                    self.credentials(auth, &[], &auth.credentials);
                }
            }
        }
        for auth in old.iter().filter(|before| !new.iter().any(|after| after.id == before.id)) {
            self.say(false, format!("- way to connect {}", auth.id));
        }
    }

    fn flavour(&mut self, old: &Auth, new: &Auth) {
        let id = &new.id;
        if old.owner != new.owner {
            self.say(true, format!("~ way to connect {id} is for a {} (was {})", word(&new.owner), word(&old.owner)));
        }
        if let (AuthMethod::OAuth2Code(old), AuthMethod::OAuth2Code(new)) = (&old.method, &new.method) {
            self.listed(
                Wider::More,
                &format!("scope that {id} always asks for:"),
                &old.extra_scopes,
                &new.extra_scopes,
            );
        }
        if core(&old.method) != core(&new.method) {
            self.say(true, format!("~ way to connect {id}: other endpoints, or asks them otherwise"));
        } else if let (AuthMethod::Token { .. }, true) = (&new.method, old.method != new.method) {
            self.say(false, format!("~ way to connect {id}: the token is asked for in other words"));
        }
        self.credentials(new, &old.credentials, &new.credentials);
    }

    fn credentials(&mut self, auth: &Auth, old: &[Credential], new: &[Credential]) {
        let id = &auth.id;
        for credential in new {
            let slot = &credential.slot;
            let receives = format!("origin that receives {slot} of {id}:");
            let Some(before) = old.iter().find(|before| before.slot == *slot) else {
                self.say(true, format!("+ secret {slot} of {id}"));
                self.listed(Wider::More, &receives, &[], &credential.inject.origins);
                continue;
            };
            self.listed(Wider::More, &receives, &before.inject.origins, &credential.inject.origins);
            let same = |mut one: Credential| {
                one.inject.origins.clear();
                one
            };
            if same(before.clone()) != same(credential.clone()) {
                self.say(true, format!("~ secret {slot} of {id}: obtained or attached otherwise"));
            }
        }
        for credential in old.iter().filter(|before| !new.iter().any(|after| after.slot == before.slot)) {
            self.say(false, format!("- secret {} of {id}", credential.slot));
        }
    }
}

/// A method without what is compared by itself, or is only words.
fn core(method: &AuthMethod) -> AuthMethod {
    let mut method = method.clone();
    match &mut method {
        AuthMethod::OAuth2Code(oauth) => oauth.extra_scopes.clear(),
        AuthMethod::Token { label, pattern } => (*label, *pattern) = (None, None),
        AuthMethod::ServiceAccount | AuthMethod::TokenFragment { .. } => {}
    }
    method
}
