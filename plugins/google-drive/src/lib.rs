//! The Google Drive connector: My Drive and shared drives as documents in folders, sharing as
//! access; tools that search, create and share. What it reads, writes and leaves out stands in
//! README.md.

mod api;
mod model;
mod sync;
mod tools;

use sallyport_sdk::prelude::*;

pub use model::{About, Change, ChangeList, Drive, DriveList, File, FileList, Permission, PermissionList, User};
pub use sync::Files;
pub use tools::{create_document, search_files, share_file};

export! {
    account: identify,
    tools: [tools::search_files, tools::create_document, tools::share_file],
    sync: Files,
}

/// Domains of addresses that belong to no organisation.
const CONSUMER_DOMAINS: [&str; 2] = ["gmail.com", "googlemail.com"];

fn identify() -> Result<Identity, Failure> {
    let me = api::me()?;
    let Some(email) = me.email_address else {
        let name = me.display_name.unwrap_or_else(|| me.permission_id.clone());
        return Ok(Identity::new(me.permission_id, name));
    };
    let identity = Identity::new(me.permission_id, me.display_name.unwrap_or_else(|| email.clone()));
    let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    let workspace = domain.filter(|domain| !CONSUMER_DOMAINS.contains(&domain.as_str()));
    let identity = identity.email(email);
    Ok(match workspace {
        Some(domain) => identity.workspace(domain),
        None => identity,
    })
}
