//! What a server keeps beside the ports: tenants, API keys, built-in users, whose a
//! provider's users are, the key that signs callers' tokens, settings.

mod keys;
mod rules;
mod settings;
mod tenants;
mod ties;
mod users;

pub use keys::{ApiKey, Holder, NewKey};
pub use tenants::Tenant;
pub use ties::ProviderUser;
pub use users::User;

use crate::db::Db;

/// Accounts of one store; [`Store::accounts`](crate::Store::accounts) gives it. Every write is on the disk before it
/// returns.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) db: Db,
}

impl Accounts {
    pub(crate) fn of(db: Db) -> Self {
        Self { db }
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Accounts({})", self.db.folder().display())
    }
}
